//! One tick of a VR player's input, and how a few of them share a datagram.
//!
//! Input is sent every tick and never again: each datagram repeats the samples before its own, so a loss costs
//! nothing as long as one of the next datagrams arrives. A pose travels at 1/1024 m and 11 bits per quaternion
//! component (`docs/protocol.md`, "Packed input"); what a receiver hands out is what the wire carried.

use crate::schema::quantise::{dequantise_quat, quantise_quat, quat_max_lane};
use crate::types::Tick;
use crate::wire::WireError;
use crate::wire::bits::{BitReader, BitWriter, unzigzag, zigzag};

/// Samples in one datagram: the newest and the repeats before it.
pub const MAX_SAMPLES: usize = 4;
/// Largest opaque tail of a sample, in bytes.
pub const MAX_TAIL_BYTES: usize = 64;
/// Number of analogue axes.
pub const AXES: usize = 8;

const POSITION_STEPS_PER_M: f32 = 1024.0;
const POSITION_BITS: u32 = 19;
const VELOCITY_STEPS_PER_UNIT: f32 = 128.0;
const VELOCITY_BITS: u32 = 14;
const ROTATION_BITS: u8 = 11;
const AXIS_BITS: u32 = 11;

/// The pose is there.
pub const POSE_VALID: u32 = 1;
/// The pose is measured, not guessed.
pub const POSE_TRACKED: u32 = 2;
/// The flags that travel.
pub const POSE_FLAGS: u32 = POSE_VALID | POSE_TRACKED;

/// A rigid pose with its velocities, in the wire basis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pose {
    /// Metres, within +-256.
    pub position: [f32; 3],
    /// Unit quaternion x, y, z, w.
    pub rotation: [f32; 4],
    /// Metres per second, within +-64.
    pub linear_velocity: [f32; 3],
    /// Radians per second, within +-64.
    pub angular_velocity: [f32; 3],
    /// [`POSE_VALID`], [`POSE_TRACKED`]; a pose that is not valid travels as one bit pair and reads as the default.
    pub flags: u32,
}

impl Default for Pose {
    fn default() -> Self {
        Self {
            position: [0.0; 3],
            rotation: [0.0, 0.0, 0.0, 1.0],
            linear_velocity: [0.0; 3],
            angular_velocity: [0.0; 3],
            flags: 0,
        }
    }
}

/// What a player did in one tick.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InputSample {
    /// The tick the input is for, on the session's clock.
    pub input_tick: Tick,
    /// When it was sampled, on a clock that only the application knows, in microseconds.
    pub sampled_at_us: u64,
    /// The display time it was sampled for, on the same clock, in microseconds.
    pub target_display_us: u64,
    /// Head, left hand, right hand.
    pub poses: [Pose; 3],
    /// Buttons, one bit each; the application knows which.
    pub buttons: u32,
    /// Application flags.
    pub flags: u32,
    /// Triggers and sticks, -1 to 1.
    pub axes: [f32; AXES],
    /// Bytes that only the application understands, at most [`MAX_TAIL_BYTES`].
    pub tail: Vec<u8>,
}

impl InputSample {
    /// The display time as the message head can say it: not before the sampling, and at most 2^32 - 1 us after it.
    #[must_use]
    pub fn sent_display_us(&self) -> u64 {
        let after = self.target_display_us.saturating_sub(self.sampled_at_us).min(u64::from(u32::MAX));
        self.sampled_at_us.saturating_add(after)
    }

    /// The sample as every receiver will see it: rounded and clamped to what the wire carries.
    #[must_use]
    pub fn as_sent(&self) -> Self {
        let mut bits = BitWriter::new();
        let mut sent = Self {
            input_tick: self.input_tick,
            sampled_at_us: self.sampled_at_us,
            target_display_us: self.sent_display_us(),
            ..Self::default()
        };
        write_body(&mut bits, self);
        let bytes = bits.into_bytes();
        // What we wrote we can read: the writer clamps, so no reader's check can fail.
        let read = read_body(&mut BitReader::new(&bytes), &mut sent);
        debug_assert!(read.is_ok());
        sent
    }
}

/// Packs samples, newest first, into `out`. The newest one's tick and times travel in the message head; those of the
/// others as distances from it.
///
/// # Panics
/// When there is no sample, or more than [`MAX_SAMPLES`].
pub fn pack(samples: &[InputSample], out: &mut BitWriter) {
    assert!((1..=MAX_SAMPLES).contains(&samples.len()), "one to {MAX_SAMPLES} samples a datagram");
    out.put(samples.len() as u64 - 1, 2);
    let newest = &samples[0];
    for (index, sample) in samples.iter().enumerate() {
        if index > 0 {
            out.put_varint(u64::from(newest.input_tick.since(sample.input_tick)));
            out.put_varint(zigzag(newest.sampled_at_us.wrapping_sub(sample.sampled_at_us) as i64));
            out.put_varint(zigzag(newest.sent_display_us().wrapping_sub(sample.sent_display_us()) as i64));
        }
        write_body(out, sample);
    }
}

/// Unpacks what [`pack`] made; `newest` carries the tick and times of the message head.
pub fn unpack(payload: &[u8], newest: &InputSample) -> Result<Vec<InputSample>, WireError> {
    let mut bits = BitReader::new(payload);
    let count = bits.get(2)? as usize + 1;
    let mut samples = Vec::with_capacity(count);
    for index in 0..count {
        let mut sample = InputSample {
            input_tick: newest.input_tick,
            sampled_at_us: newest.sampled_at_us,
            target_display_us: newest.target_display_us,
            ..InputSample::default()
        };
        if index > 0 {
            let back =
                u32::try_from(bits.get_varint()?).map_err(|_| WireError::Malformed("input tick distance"))?;
            sample.input_tick.0 =
                newest.input_tick.0.checked_sub(back).ok_or(WireError::Malformed("input tick distance"))?;
            sample.sampled_at_us = newest.sampled_at_us.wrapping_sub(unzigzag(bits.get_varint()?) as u64);
            sample.target_display_us =
                newest.target_display_us.wrapping_sub(unzigzag(bits.get_varint()?) as u64);
        }
        read_body(&mut bits, &mut sample)?;
        samples.push(sample);
    }
    bits.finish()?;
    Ok(samples)
}

fn write_body(out: &mut BitWriter, sample: &InputSample) {
    for pose in &sample.poses {
        // A pose that cannot be expressed is one that is not there.
        let rotation = quantise_quat(pose.rotation, ROTATION_BITS);
        let (Some(rotation), true) = (rotation, pose.position.iter().all(|value| value.is_finite())) else {
            out.put(0, 2);
            continue;
        };
        let flags = pose.flags & POSE_FLAGS;
        out.put(u64::from(flags), 2);
        if flags & POSE_VALID == 0 {
            continue;
        }
        for value in pose.position {
            put_scaled(out, value, POSITION_STEPS_PER_M, POSITION_BITS);
        }
        out.put(rotation[0], 2);
        for component in &rotation[1..] {
            out.put(*component, u32::from(ROTATION_BITS));
        }
        let moving = pose.linear_velocity.iter().chain(&pose.angular_velocity).any(|value| *value != 0.0);
        out.put_bool(moving);
        if moving {
            for value in pose.linear_velocity.into_iter().chain(pose.angular_velocity) {
                put_scaled(out, value, VELOCITY_STEPS_PER_UNIT, VELOCITY_BITS);
            }
        }
    }
    out.put_varint(u64::from(sample.buttons));
    out.put_varint(u64::from(sample.flags));
    for axis in sample.axes {
        out.put_bool(axis != 0.0);
        if axis != 0.0 {
            put_scaled(out, axis, axis_steps(), AXIS_BITS);
        }
    }
    let tail = &sample.tail[..sample.tail.len().min(MAX_TAIL_BYTES)];
    out.put(tail.len() as u64, 7);
    for byte in tail {
        out.put(u64::from(*byte), 8);
    }
}

fn read_body(bits: &mut BitReader<'_>, sample: &mut InputSample) -> Result<(), WireError> {
    for pose in &mut sample.poses {
        pose.flags = bits.get(2)? as u32;
        if pose.flags & POSE_VALID == 0 {
            pose.flags = 0;
            continue;
        }
        for value in &mut pose.position {
            *value = get_scaled(bits, POSITION_STEPS_PER_M, POSITION_BITS)?;
        }
        let mut lanes = [bits.get(2)?, 0, 0, 0];
        for lane in &mut lanes[1..] {
            *lane = bits.get(u32::from(ROTATION_BITS))?;
            if *lane > quat_max_lane(ROTATION_BITS) {
                return Err(WireError::Malformed("rotation of an input"));
            }
        }
        pose.rotation = dequantise_quat(lanes, ROTATION_BITS);
        if bits.get_bool()? {
            for value in pose.linear_velocity.iter_mut().chain(&mut pose.angular_velocity) {
                *value = get_scaled(bits, VELOCITY_STEPS_PER_UNIT, VELOCITY_BITS)?;
            }
        }
    }
    sample.buttons = get_u32(bits, "input buttons")?;
    sample.flags = get_u32(bits, "input flags")?;
    for axis in &mut sample.axes {
        if bits.get_bool()? {
            *axis = get_scaled(bits, axis_steps(), AXIS_BITS)?;
        }
    }
    let length = bits.get(7)? as usize;
    if length > MAX_TAIL_BYTES {
        return Err(WireError::OverLimit { field: "input tail", actual: length, limit: MAX_TAIL_BYTES });
    }
    sample.tail.clear();
    for _ in 0..length {
        sample.tail.push(bits.get(8)? as u8);
    }
    Ok(())
}

const fn axis_steps() -> f32 {
    ((1 << (AXIS_BITS - 1)) - 1) as f32
}

/// A signed fixed-point number; what does not fit is clamped, NaN is zero.
fn put_scaled(out: &mut BitWriter, value: f32, steps_per_unit: f32, bits: u32) {
    let limit = (1i64 << (bits - 1)) - 1;
    // `as` saturates and turns NaN into zero; both are what is wanted here.
    let steps = ((f64::from(value) * f64::from(steps_per_unit)).round() as i64).clamp(-limit, limit);
    out.put_zigzag(steps, bits);
}

fn get_scaled(bits: &mut BitReader<'_>, steps_per_unit: f32, width: u32) -> Result<f32, WireError> {
    let steps = bits.get_zigzag(width)?;
    // The range is symmetric: the lowest number of the width is none that a sender writes.
    if steps == -(1 << (width - 1)) {
        return Err(WireError::Malformed("number of an input"));
    }
    Ok((steps as f64 / f64::from(steps_per_unit)) as f32)
}

fn get_u32(bits: &mut BitReader<'_>, field: &'static str) -> Result<u32, WireError> {
    u32::try_from(bits.get_varint()?).map_err(|_| WireError::Malformed(field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_pose() -> impl Strategy<Value = Pose> {
        (
            prop::array::uniform3(-300f32..300.0),
            prop::array::uniform4(-1f32..1.0),
            prop::array::uniform3(-80f32..80.0),
            prop::array::uniform3(-80f32..80.0),
            0u32..4,
        )
            .prop_map(|(position, rotation, linear_velocity, angular_velocity, flags)| Pose {
                position,
                rotation,
                linear_velocity,
                angular_velocity,
                flags,
            })
    }

    prop_compose! {
        fn any_sample()(
            tick in 1000u32..2000,
            sampled_at_us: u64,
            display: u64,
            poses in prop::array::uniform3(any_pose()),
            buttons: u32,
            flags: u32,
            axes in prop::array::uniform8(-1.5f32..1.5),
            tail in prop::collection::vec(any::<u8>(), 0..=MAX_TAIL_BYTES),
        ) -> InputSample {
            InputSample {
                input_tick: Tick(tick), sampled_at_us, target_display_us: display, poses, buttons, flags, axes, tail,
            }
        }
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_out_as_sent(mut samples in prop::collection::vec(any_sample(), 1..=MAX_SAMPLES)) {
            samples.sort_by_key(|sample| core::cmp::Reverse(sample.input_tick));
            let mut bits = BitWriter::new();
            pack(&samples, &mut bits);
            let read = unpack(bits.bytes(), &samples[0].as_sent()).unwrap();
            let sent: Vec<_> = samples.iter().map(InputSample::as_sent).collect();
            prop_assert_eq!(&read, &sent);
            for (raw, sent) in samples.iter().zip(&sent) {
                prop_assert!(sent.target_display_us >= sent.sampled_at_us);
                for (raw, sent) in raw.poses.iter().zip(&sent.poses) {
                    if raw.flags & POSE_VALID == 0 {
                        continue;
                    }
                    for (raw, sent) in raw.position.iter().zip(&sent.position) {
                        prop_assert!((raw.clamp(-255.9, 255.9) - sent).abs() <= 0.0006 + 0.1 * f32::from(raw.abs() > 255.9));
                    }
                }
            }
        }

        #[test]
        fn any_bytes_are_an_error_or_a_value(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(samples) = unpack(&bytes, &InputSample { input_tick: Tick(9), ..InputSample::default() }) {
                prop_assert!(samples.len() <= MAX_SAMPLES);
            }
        }
    }

    #[test]
    fn a_head_and_two_hands_fit_sixteen_kilobits_a_second() {
        let pose = Pose { flags: POSE_VALID | POSE_TRACKED, ..Pose::default() };
        let mut bits = BitWriter::new();
        pack(&[InputSample { poses: [pose; 3], ..InputSample::default() }], &mut bits);
        assert!(bits.byte_len() <= 42, "{} bytes", bits.byte_len());
    }

    #[test]
    fn numbers_outside_their_range_are_refused() {
        // One sample; its first pose valid; then a position, or a rotation, or a velocity, or an axis out of range.
        type Part = fn(&mut BitWriter);
        let head = InputSample { input_tick: Tick(9), ..InputSample::default() };
        let parts: [(&str, Part); 4] = [
            ("position", |bits| bits.put_zigzag(-(1 << 18), 19)),
            ("rotation", |bits| {
                (0..3).for_each(|_| bits.put(0, 19));
                bits.put(3, 2);
                bits.put(2047, 11);
            }),
            ("velocity", |bits| {
                (0..3).for_each(|_| bits.put(0, 19));
                bits.put(3, 2);
                (0..3).for_each(|_| bits.put(1023, 11));
                bits.put_bool(true);
                bits.put_zigzag(-(1 << 13), 14);
            }),
            ("axis", |bits| {
                (0..3).for_each(|_| bits.put(0, 19));
                bits.put(3, 2);
                (0..3).for_each(|_| bits.put(1023, 11));
                bits.put_bool(false);
                bits.put(0, 4);
                (0..2).for_each(|_| bits.put_varint(0));
                bits.put_bool(true);
                bits.put_zigzag(-(1 << 10), 11);
            }),
        ];
        for (what, part) in parts {
            let mut bits = BitWriter::new();
            bits.put(0, 2);
            bits.put(u64::from(POSE_VALID), 2);
            part(&mut bits);
            bits.put(0, 64);
            bits.put(0, 64);
            let refused = unpack(bits.bytes(), &head);
            assert!(matches!(refused, Err(WireError::Malformed(_))), "{what}: {refused:?}");
        }
    }

    #[test]
    fn a_pose_of_nonsense_travels_as_absent() {
        let pose = Pose { position: [f32::NAN; 3], flags: POSE_VALID, ..Pose::default() };
        let sent = InputSample { poses: [pose; 3], ..InputSample::default() }.as_sent();
        assert_eq!(sent.poses, [Pose::default(); 3]);
    }
}
