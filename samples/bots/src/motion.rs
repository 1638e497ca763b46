//! A recording of head and hands as a function of (index, motion time), the same in every language: samples/README.md,
//! "Motion". The sender plays it, and whoever sees the avatar evaluates it again to know how far off the picture is.

use std::path::{Path, PathBuf};

/// The recording that comes with the samples.
const BUILTIN: &str = include_str!("../../motion/builtin.motion");

/// A head or a hand, in doubles as the contract says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limb {
    /// Metres.
    pub position: [f64; 3],
    /// Unit quaternion x, y, z, w.
    pub rotation: [f64; 4],
}

/// Head, left hand, right hand.
pub type BodyPose = [Limb; 3];

/// Why a motion cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum MotionError {
    /// The file cannot be read.
    #[error("cannot read the motion file {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is no frame, or not after the one before it.
    #[error("{name}:{line}: expected an ascending time and 21 finite numbers")]
    Line {
        /// Of which file.
        name: String,
        /// Counted from 1.
        line: usize,
    },
    /// Nothing to interpolate between.
    #[error("{0}: a motion needs at least two frames")]
    TooShort(String),
}

#[derive(Clone, Debug)]
struct MotionFrame {
    t_us: f64,
    parts: BodyPose,
}

/// One recording.
#[derive(Clone, Debug)]
struct Recording {
    frames: Vec<MotionFrame>,
}

/// The recordings of a session.
#[derive(Clone, Debug)]
pub struct Motion {
    recordings: Vec<Recording>,
}

/// Where the player of an index stands, metres.
fn standing_place(index: u32) -> [f64; 3] {
    let along = |column: u32| (f64::from(column) - 1.5) * 2.0;
    [along(index % 4), 0.0, along(index / 4 % 4)]
}

impl Motion {
    /// Reads `builtin`, or the files of a list with commas between them.
    pub fn load(list: &str) -> Result<Self, MotionError> {
        let recording = |name: &str| {
            if name == "builtin" {
                return Recording::parse(BUILTIN, name);
            }
            let path = Path::new(name);
            let text = std::fs::read_to_string(path)
                .map_err(|source| MotionError::Read { path: path.to_owned(), source })?;
            Recording::parse(&text, name)
        };
        Ok(Self { recordings: list.split(',').map(recording).collect::<Result<_, _>>()? })
    }

    /// The pose that peer `index` has at its motion time.
    pub fn at(&self, index: u32, motion_time_us: f64) -> BodyPose {
        let recording = &self.recordings[index as usize % self.recordings.len()];
        let place = standing_place(index);
        recording.at(motion_time_us + f64::from(index) * 1_700_000.0).map(|mut limb| {
            for (value, offset) in limb.position.iter_mut().zip(place) {
                *value += offset;
            }
            limb
        })
    }
}

impl Recording {
    fn parse(text: &str, name: &str) -> Result<Self, MotionError> {
        let mut frames: Vec<MotionFrame> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let frame = MotionFrame::parse(line)
                .filter(|frame| frames.last().is_none_or(|last| frame.t_us > last.t_us))
                .ok_or_else(|| MotionError::Line { name: name.to_owned(), line: number + 1 })?;
            frames.push(frame);
        }
        if frames.len() < 2 {
            return Err(MotionError::TooShort(name.to_owned()));
        }
        Ok(Self { frames })
    }

    /// The pose at a time since the start; forth and back again, because a recording seldom ends where it began, and a
    /// jump would be scored as an error of the network.
    fn at(&self, time_us: f64) -> BodyPose {
        let (first, last) = (self.frames[0].t_us, self.frames[self.frames.len() - 1].t_us);
        let length = last - first;
        let mut u = time_us % (2.0 * length);
        if u > length {
            u = 2.0 * length - u;
        }
        let t = first + u;
        let after = self.frames.partition_point(|frame| frame.t_us <= t).clamp(1, self.frames.len() - 1);
        let (a, b) = (&self.frames[after - 1], &self.frames[after]);
        let share = (t - a.t_us) / (b.t_us - a.t_us);
        core::array::from_fn(|part| {
            let (from, to) = (&a.parts[part], &b.parts[part]);
            let position = core::array::from_fn(|axis| {
                from.position[axis] + (to.position[axis] - from.position[axis]) * share
            });
            Limb { position, rotation: turned(from.rotation, to.rotation, share) }
        })
    }
}

impl MotionFrame {
    fn parse(line: &str) -> Option<Self> {
        let mut numbers = line.split_ascii_whitespace().map(|word| {
            let value: f64 = word.parse().ok()?;
            value.is_finite().then_some(value)
        });
        let mut next = || numbers.next().flatten();
        let t_us = next()?;
        let mut limb = || {
            let position = [next()?, next()?, next()?];
            Some(Limb { position, rotation: [next()?, next()?, next()?, next()?] })
        };
        let parts = [limb()?, limb()?, limb()?];
        Some(Self { t_us, parts })
    }
}

/// Normalised linear interpolation along the shorter arc.
fn turned(a: [f64; 4], b: [f64; 4], share: f64) -> [f64; 4] {
    let dot: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    let sign = if dot < 0.0 { -1.0 } else { 1.0 };
    let mixed: [f64; 4] = core::array::from_fn(|i| a[i] + (sign * b[i] - a[i]) * share);
    let length = mixed.iter().map(|value| value * value).sum::<f64>().sqrt();
    if length < 1e-9 { [0.0, 0.0, 0.0, 1.0] } else { mixed.map(|value| value / length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
    }

    /// The table of samples/README.md, read from there: its numbers were made by another program.
    #[test]
    fn the_poses_of_the_readme() {
        let motion = Motion::load("builtin").expect("the built-in motion");
        let readme = include_str!("../../README.md");
        let table = readme.split("| index | motion_time_us |").nth(1).expect("the table");
        let mut rows = 0;
        for line in table.lines().skip(2).take_while(|line| line.starts_with('|')) {
            let cells: Vec<_> = line.trim_matches('|').split('|').map(|cell| cell.replace(' ', "")).collect();
            let numbers = |at: usize| -> Vec<f64> {
                let cell = line.trim_matches('|').split('|').nth(at).expect("a cell");
                cell.split_whitespace().map(|word| word.parse().expect("a number")).collect()
            };
            let pose = motion.at(cells[0].parse().expect("an index"), cells[1].parse().expect("a time"));
            for (part, limb) in pose.iter().enumerate() {
                for (seen, wanted) in limb.position.iter().zip(numbers(2 + part)) {
                    assert!((seen - wanted).abs() < 2e-6, "{line}: {seen} instead of {wanted}");
                }
            }
            rows += 1;
        }
        assert_eq!(rows, 4);
    }

    #[test]
    fn the_end_of_the_recording_is_no_jump() {
        let motion = Motion::load("builtin").expect("the built-in motion");
        let hand = |ms: u32| motion.at(0, f64::from(ms) * 1000.0)[1].position;
        let farthest = (19_900..20_100).map(|ms| distance(hand(ms), hand(ms + 1))).fold(0.0, f64::max);
        assert!(farthest < 0.02, "{farthest}");
    }

    #[test]
    fn each_index_has_its_recording_of_a_list() {
        let folder = std::env::temp_dir().join(format!("theta-bots-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let limb = "0 0 0 0 0 0 1";
        let names: Vec<_> = [1, 2]
            .iter()
            .map(|height| {
                let path = folder.join(format!("{height}.motion"));
                let head = format!("0 {height} 0 0 0 0 1 {limb} {limb}");
                std::fs::write(&path, format!("# a still player\n0 {head}\n1000 {head}\n")).expect("a file");
                path.to_str().expect("a name").to_owned()
            })
            .collect();
        let motion = Motion::load(&names.join(",")).expect("two recordings");
        std::fs::remove_dir_all(&folder).expect("removed");
        let height = |index| motion.at(index, 77.0)[0].position[1];
        assert_eq!([0, 1, 2, 3].map(|index| height(index).round() as i32), [1, 2, 1, 2]);
    }

    #[test]
    fn what_is_no_recording_is_refused() {
        let pose = " 0 0 0 0 0 0 1".repeat(3);
        let refused = |text: &str| Recording::parse(text, "a.motion").expect_err("refused").to_string();
        assert!(refused("0 1 2 3\n").starts_with("a.motion:1:"));
        assert!(refused("# nothing\n").contains("two frames"));
        assert!(refused(&format!("5{pose}\n5{pose}\n")).starts_with("a.motion:2:"));
        assert!(refused(&format!("0{}\n", pose.replacen('0', "nan", 1))).starts_with("a.motion:1:"));
        assert!(Motion::load("/no/such/file").expect_err("refused").to_string().contains("/no/such/file"));
    }

    #[test]
    fn rotations_are_unit_quaternions_along_the_shorter_arc() {
        let motion = Motion::load("builtin").expect("the built-in motion");
        let turn = motion.at(2, 7_654_321.0)[2].rotation;
        assert!((turn.iter().map(|value| value * value).sum::<f64>() - 1.0).abs() < 1e-9);
        let half = turned([0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, -1.0], 0.5);
        assert!((half[3].abs() - 1.0).abs() < 1e-9, "{half:?}");
        let nowhere = turned([1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], 1.0);
        assert!((nowhere[3] - 1.0).abs() < 1e-9, "{nowhere:?}: what has no direction does not turn");
    }
}
