//! Input: what a player's headset and hands did in one tick, sent by joined sessions and read by the host.

use super::basis::{Basis, Meaning, Way};
use super::boundary::boundary;
use super::error::Error;
use super::session::theta_session;
use super::side::Session;
use super::sized::{self, sized};
use super::status::*;
use crate::core::session::input::{InputSample, MAX_TAIL_BYTES, Pose};
use crate::core::types::Tick;

/// The pose is there; without it the other fields are ignored.
pub const THETA_POSE_VALID: u32 = 1;
/// The pose is measured, not guessed.
pub const THETA_POSE_TRACKED: u32 = 2;

/// A rigid pose with its velocities, in the session's basis and units. On the wire: 1/1024 m within 256 m, 11 bits
/// per quaternion component, 1/128 m/s and rad/s within 64; what does not fit is clamped.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct theta_pose {
    /// Place, in the basis' length unit.
    pub position: [f32; 3],
    /// Unit quaternion x, y, z, w.
    pub rotation: [f32; 4],
    /// Length units per second.
    pub linear_velocity: [f32; 3],
    /// Radians per second around the axes.
    pub angular_velocity: [f32; 3],
    /// THETA_POSE_VALID, THETA_POSE_TRACKED.
    pub flags: u32,
}

/// A player's input for one tick. Input and output; begins with its size.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct theta_input {
    /// `sizeof(theta_input)`.
    pub struct_size: u32,
    /// The tick the input is for. Input: 0 lets the session number it.
    pub input_tick: u32,
    /// When it was sampled, in microseconds on a clock that only the application knows.
    pub sampled_at_us: u64,
    /// The display time it was sampled for, on the same clock, in microseconds.
    pub target_display_us: u64,
    /// The headset.
    pub head: theta_pose,
    /// The left hand or controller.
    pub left: theta_pose,
    /// The right hand or controller.
    pub right: theta_pose,
    /// Buttons, one bit each; the application knows which.
    pub buttons: u32,
    /// Application flags.
    pub flags: u32,
    /// Triggers and sticks, -1 to 1, 1/1023 apart.
    pub axes: [f32; 8],
    /// Bytes of `tail`, at most 64.
    pub tail_length: u32,
    /// Zero.
    pub reserved: u32,
    /// Bytes that only the application understands.
    pub tail: [u8; 64],
}
sized!(theta_input: 304 reserved);

fn pose_to_wire(pose: &theta_pose, basis: Basis, what: &'static str) -> Result<Pose, Error> {
    let unknown = pose.flags & !(THETA_POSE_VALID | THETA_POSE_TRACKED);
    if unknown != 0 {
        return Err(Error::UnknownFlags { what, bits: unknown });
    }
    if pose.flags & THETA_POSE_VALID == 0 {
        return Ok(Pose::default());
    }
    let mut numbers = pose.position.iter().chain(&pose.rotation).chain(&pose.linear_velocity);
    if !numbers.all(|n| n.is_finite()) || !pose.angular_velocity.iter().all(|n| n.is_finite()) {
        return Err(Error::NotFinite { what });
    }
    Ok(convert(*pose, basis, Way::ToWire))
}

fn convert(pose: theta_pose, basis: Basis, way: Way) -> Pose {
    let mut out = Pose {
        position: pose.position,
        rotation: pose.rotation,
        linear_velocity: pose.linear_velocity,
        angular_velocity: pose.angular_velocity,
        flags: pose.flags,
    };
    basis.floats(&mut out.position, Meaning::Point, way);
    basis.floats(&mut out.rotation, Meaning::Rotation, way);
    basis.floats(&mut out.linear_velocity, Meaning::Point, way);
    basis.floats(&mut out.angular_velocity, Meaning::AngularVelocity, way);
    out
}

fn pose_to_engine(pose: &Pose, basis: Basis) -> theta_pose {
    let raw = theta_pose {
        position: pose.position,
        rotation: pose.rotation,
        linear_velocity: pose.linear_velocity,
        angular_velocity: pose.angular_velocity,
        flags: pose.flags,
    };
    let out = convert(raw, basis, Way::ToEngine);
    theta_pose {
        position: out.position,
        rotation: out.rotation,
        linear_velocity: out.linear_velocity,
        angular_velocity: out.angular_velocity,
        flags: out.flags,
    }
}

/// An engine's input as the wire's.
fn to_wire(input: &theta_input, basis: Basis) -> Result<InputSample, Error> {
    let tail_bytes = input.tail_length as usize;
    if tail_bytes > MAX_TAIL_BYTES {
        return Err(Error::Range {
            what: "tail_length",
            value: tail_bytes as u64,
            limit: MAX_TAIL_BYTES as u64,
        });
    }
    if !input.axes.iter().all(|axis| axis.is_finite()) {
        return Err(Error::NotFinite { what: "an axis" });
    }
    Ok(InputSample {
        input_tick: Tick(input.input_tick),
        sampled_at_us: input.sampled_at_us,
        target_display_us: input.target_display_us,
        poses: [
            pose_to_wire(&input.head, basis, "head")?,
            pose_to_wire(&input.left, basis, "left")?,
            pose_to_wire(&input.right, basis, "right")?,
        ],
        buttons: input.buttons,
        flags: input.flags,
        axes: input.axes,
        tail: input.tail[..tail_bytes].to_vec(),
    })
}

/// The wire's input as an engine's.
fn to_engine(sample: &InputSample, basis: Basis) -> theta_input {
    let mut tail = [0; MAX_TAIL_BYTES];
    let tail_bytes = sample.tail.len().min(MAX_TAIL_BYTES);
    tail[..tail_bytes].copy_from_slice(&sample.tail[..tail_bytes]);
    let [head, left, right] = sample.poses.map(|pose| pose_to_engine(&pose, basis));
    theta_input {
        struct_size: 0,
        input_tick: sample.input_tick.0,
        sampled_at_us: sample.sampled_at_us,
        target_display_us: sample.target_display_us,
        head,
        left,
        right,
        buttons: sample.buttons,
        flags: sample.flags,
        axes: sample.axes,
        tail_length: tail_bytes as u32,
        reserved: 0,
        tail,
    }
}

/// Sends the input of a tick to the host: at once, unreliably, repeated with the next ones. Send one per tick.
///
/// `session`: a joined one. `input`: input of `input->struct_size` bytes, in the session's basis.
///
/// Returns THETA_OK, THETA_E_NULL, THETA_E_STRUCT_SIZE, THETA_E_UNSUPPORTED_FIELD (pose flags), THETA_E_NAN,
/// THETA_E_RANGE (tail), the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE, THETA_E_STATE (not live yet),
/// THETA_E_DISCONNECTED, THETA_E_PANIC. [serial]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_session_send_input(
    session: theta_session,
    input: *const theta_input,
) -> theta_status {
    boundary!(theta_session_send_input, {
        // SAFETY: the caller's promise about `input`.
        let input = unsafe { sized::input(input) }?;
        let mut session = Session::open(session.bits)?;
        let (noun, state) = session.parts();
        state.joined()?.send_input(to_wire(&input, noun.basis())?)?;
        Ok(THETA_OK)
    })
}

/// The newest input of a peer, as the wire carried it, in the host's basis.
///
/// `session`: a host's. `out`: an output of `out->struct_size` bytes.
///
/// Returns THETA_OK, THETA_NOTHING_NEW (none, then `out` is untouched; or the same as at the last call, then it is
/// written), THETA_E_NULL, THETA_E_STRUCT_SIZE, the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE,
/// THETA_E_PEER_UNKNOWN, THETA_E_PANIC. [serial]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_session_input(
    session: theta_session,
    peer: u32,
    out: *mut theta_input,
) -> theta_status {
    boundary!(theta_session_input, {
        // SAFETY: the caller's promise about `out`.
        let out = unsafe { sized::output(out) }?;
        let mut session = Session::open(session.bits)?;
        let (noun, state) = session.parts();
        let Some((sample, is_new)) = state.newest_input(peer)? else { return Ok(THETA_NOTHING_NEW) };
        out.set(to_engine(&sample, noun.basis()));
        Ok(if is_new { THETA_OK } else { THETA_NOTHING_NEW })
    })
}

#[cfg(test)]
// Signs, axes and whole factors are exact.
#[allow(clippy::float_cmp)]
mod tests {
    use super::*;

    fn input() -> theta_input {
        let pose =
            theta_pose { rotation: [0.0, 0.0, 0.0, 1.0], flags: THETA_POSE_VALID, ..theta_pose::default() };
        to_engine(&InputSample::default(), Basis::Unity).with_poses(pose)
    }

    impl theta_input {
        fn with_poses(mut self, pose: theta_pose) -> Self {
            (self.head, self.left, self.right) = (pose, pose, pose);
            self
        }
    }

    fn code(input: &theta_input) -> theta_status {
        to_wire(input, Basis::Unity).err().map_or(THETA_OK, |error| error.code())
    }

    #[test]
    fn what_an_engine_gets_wrong_is_named() {
        assert_eq!(code(&input()), THETA_OK);
        let mut bad = input();
        bad.tail_length = 65;
        assert_eq!(code(&bad), THETA_E_RANGE);
        let mut bad = input();
        bad.left.angular_velocity[2] = f32::NAN;
        assert_eq!(code(&bad), THETA_E_NAN);
        bad.left.flags = 0;
        assert_eq!(code(&bad), THETA_OK, "a pose that is not valid is not looked at");
        bad.right.flags |= 8;
        assert_eq!(code(&bad), THETA_E_UNSUPPORTED_FIELD);
        let mut bad = input();
        bad.axes[7] = f32::INFINITY;
        assert_eq!(code(&bad), THETA_E_NAN);
    }

    #[test]
    fn another_engine_sees_the_same_pose() {
        let mut sent = input();
        sent.head.position = [1.0, 2.0, -3.0];
        sent.head.angular_velocity = [0.0, -1.0, 0.0];
        sent.tail_length = 3;
        sent.tail[..3].copy_from_slice(b"abc");
        let wire = to_wire(&sent, Basis::Unity).expect("a good input");
        assert_eq!(wire.poses[0].position, [1.0, 2.0, 3.0]);
        let seen = to_engine(&wire, Basis::Unreal);
        assert_eq!(seen.head.position, [-300.0, 100.0, 200.0]);
        assert_eq!(seen.head.angular_velocity, [0.0, 0.0, -1.0]);
        assert_eq!((seen.tail_length, &seen.tail[..3]), (3, &b"abc"[..]));
    }
}
