//! The samples' components, as samples/README.md declares them. The linker collects them; nothing here registers.

use theta_sdk::core::component;
use theta_sdk::core::schema::{FieldKind, Range, Semantic};

/// The type id of an avatar's entity.
#[cfg(test)]
pub const AVATAR_TYPE: u32 = 2;

/// Where cubes can be, metres.
const CUBE_PLACE: Range = Range::new(-32.0, 32.0 - 1.0 / 1024.0, 1.0 / 1024.0);
/// How fast, metres per second.
const CUBE_SPEED: Range = Range::new(-32.0, 32.0 - 1.0 / 64.0, 1.0 / 64.0);
/// Where heads and hands can be, metres.
const AVATAR_PLACE: Range = Range::new(-32.0, 32.0 - 1.0 / 4096.0, 1.0 / 4096.0);
/// Microseconds of a player's motion clock: 19 hours.
const MOTION_TIME: Range = Range::new(0.0, 68_719_476_735.0, 1.0);

component! {
    /// A cube that players push.
    pub struct Cube = "demo.cube" {
        1 => position: [f32; 3] = FieldKind::vec3(CUBE_PLACE), semantic(Semantic::Point);
        2 => rotation: [f32; 4] = FieldKind::Quat { bits: 10 }, semantic(Semantic::Rotation);
        3 => linear_velocity: [f32; 3] = FieldKind::vec3(CUBE_SPEED), semantic(Semantic::Point);
    }
}

component! {
    /// A player's head and hands.
    pub struct Avatar = "demo.avatar" {
        1 => head_position: [f32; 3] = FieldKind::vec3(AVATAR_PLACE), semantic(Semantic::Point);
        2 => head_rotation: [f32; 4] = FieldKind::Quat { bits: 12 }, semantic(Semantic::Rotation);
        3 => left_position: [f32; 3] = FieldKind::vec3(AVATAR_PLACE), semantic(Semantic::Point);
        4 => left_rotation: [f32; 4] = FieldKind::Quat { bits: 12 }, semantic(Semantic::Rotation);
        5 => right_position: [f32; 3] = FieldKind::vec3(AVATAR_PLACE), semantic(Semantic::Point);
        6 => right_rotation: [f32; 4] = FieldKind::Quat { bits: 12 }, semantic(Semantic::Rotation);
        /// When the poses were sampled, on their player's clock: interpolated together with them.
        7 => motion_time_us: f64 = FieldKind::F64(MOTION_TIME);
    }
}
