//! Coordinates: from an engine's basis to the wire's and back, in the copy that moves a value anyway.
//!
//! The wire is OpenXR's: right-handed, X right, Y up, Z backward, metres, radians. A session declares its engine's
//! basis and each field its meaning; nothing else is needed. Quantised values are never converted.
//!
//! Each engine basis is a signed permutation A of the axes and a length scale s. Both engines are left-handed, so
//! det A = -1, and with p, d, w, q, k for point, direction, angular velocity, rotation and scale:
//!
//! ```text
//! p' = s A p      a length with a place: also linear velocities, extents, offsets
//! d' = A d        a unit vector
//! w' = det(A) A w = -A w        an axial vector: mirrored once more
//! q' = (det(A) A q.xyz, q.w)    R' = A R A^-1, whose axis is A's image and whose angle changes sign
//! k' = |A| k      factors along the axes
//! ```
//!
//! Unity: Y up, Z forward: A = diag(1, 1, -1), s = 1. Unreal: X forward, Y right, Z up, centimetres:
//! A (x, y, z) = (-z, x, y), s = 100. tests/vectors/basis.json has asymmetric poses in all three; every language's
//! tests read it.

/// OpenXR, three.js, the wire: right-handed, Y up, metres. Nothing is converted.
pub const THETA_BASIS_OPENXR: u32 = 0;
/// Unity: left-handed, Y up, Z forward, metres.
pub const THETA_BASIS_UNITY: u32 = 1;
/// Unreal: left-handed, Z up, X forward, centimetres.
pub const THETA_BASIS_UNREAL: u32 = 2;

/// What a field's numbers mean in space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// A place or anything with a length: offset, linear velocity, extent.
    Point,
    /// A unit vector.
    Direction,
    /// A unit quaternion x, y, z, w.
    Rotation,
    /// Radians per second around the three axes.
    AngularVelocity,
    /// Factors along the three axes.
    Scale,
}

/// Which way a value travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the engine to the wire.
    ToWire,
    /// From the wire to the engine.
    ToEngine,
}

/// An engine's basis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Basis {
    OpenXr,
    Unity,
    Unreal,
}

impl Basis {
    /// The basis of a `THETA_BASIS_*` number.
    pub(crate) const fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            THETA_BASIS_OPENXR => Self::OpenXr,
            THETA_BASIS_UNITY => Self::Unity,
            THETA_BASIS_UNREAL => Self::Unreal,
            _ => return None,
        })
    }

    /// True where there is nothing to convert.
    pub(crate) const fn is_wire(self) -> bool {
        matches!(self, Self::OpenXr)
    }

    /// A of the module's text (or its inverse) applied to a vector.
    fn turn(self, [x, y, z]: [f64; 3], way: Way) -> [f64; 3] {
        match (self, way) {
            (Self::OpenXr, _) => [x, y, z],
            (Self::Unity, _) => [x, y, -z],
            (Self::Unreal, Way::ToEngine) => [-z, x, y],
            (Self::Unreal, Way::ToWire) => [y, z, -x],
        }
    }

    /// Engine units in a metre.
    const fn units_per_metre(self) -> f64 {
        match self {
            Self::OpenXr | Self::Unity => 1.0,
            Self::Unreal => 100.0,
        }
    }

    /// One vector of three.
    pub(crate) fn vector(self, value: [f64; 3], meaning: Meaning, way: Way) -> [f64; 3] {
        if self.is_wire() {
            return value;
        }
        let turned = self.turn(value, way);
        match meaning {
            // Divided, not multiplied by 0.01: a centimetre that metres can express comes out exact.
            Meaning::Point if way == Way::ToWire => turned.map(|v| v / self.units_per_metre()),
            Meaning::Point => turned.map(|v| v * self.units_per_metre()),
            Meaning::Direction => turned,
            // Both engine bases mirror.
            Meaning::AngularVelocity | Meaning::Rotation => turned.map(|v| -v),
            // |A|: the turn's order without its signs.
            Meaning::Scale => {
                let order = self.turn([1.0, 1.0, 1.0], way);
                [0, 1, 2].map(|axis| turned[axis] * order[axis])
            }
        }
    }

    /// One quaternion x, y, z, w.
    pub(crate) fn rotation(self, [x, y, z, w]: [f64; 4], way: Way) -> [f64; 4] {
        let [x, y, z] = self.vector([x, y, z], Meaning::Rotation, way);
        [x, y, z, w]
    }

    /// Three or four floats in place: three for vectors, four for rotations.
    pub(crate) fn floats(self, values: &mut [f32], meaning: Meaning, way: Way) {
        match values {
            [x, y, z] => {
                let out = self.vector([*x as f64, *y as f64, *z as f64], meaning, way);
                [*x, *y, *z] = out.map(|v| v as f32);
            }
            [x, y, z, w] if meaning == Meaning::Rotation => {
                let out = self.rotation([*x as f64, *y as f64, *z as f64, *w as f64], way);
                [*x, *y, *z, *w] = out.map(|v| v as f32);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
// Signs, axes and whole factors are exact.
#[allow(clippy::float_cmp)]
mod tests {
    use super::*;

    const TABLE: &str = include_str!("../../tests/vectors/basis.json");

    /// The numbers of `"key": [..]` in the order they stand in the file.
    fn column(key: &str) -> Vec<Vec<f64>> {
        let needle = format!("\"{key}\": [");
        TABLE
            .match_indices(&needle)
            .map(|(at, _)| {
                let list = TABLE[at + needle.len()..].split(']').next().expect("a closed list");
                list.split(',').map(|number| number.trim().parse().expect("a number")).collect()
            })
            .collect()
    }

    fn close(found: &[f64], expected: &[f64], what: &str) {
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() <= 1e-9 * b.abs().max(1.0), "{what}: {found:?}, expected {expected:?}");
        }
    }

    #[test]
    fn the_committed_table_of_poses() {
        let meanings = [
            ("position", Meaning::Point),
            ("direction", Meaning::Direction),
            ("linear_velocity", Meaning::Point),
            ("angular_velocity", Meaning::AngularVelocity),
            ("scale", Meaning::Scale),
        ];
        let mut checked = 0;
        for (key, meaning) in meanings {
            let rows = column(key);
            for bases in rows.chunks_exact(3) {
                for (basis, engine) in [Basis::OpenXr, Basis::Unity, Basis::Unreal].into_iter().zip(bases) {
                    let array = |v: &Vec<f64>| [v[0], v[1], v[2]];
                    close(&basis.vector(array(&bases[0]), meaning, Way::ToEngine), engine, key);
                    close(&basis.vector(array(engine), meaning, Way::ToWire), &bases[0], key);
                    checked += 1;
                }
            }
        }
        for bases in column("rotation").chunks_exact(3) {
            for (basis, engine) in [Basis::OpenXr, Basis::Unity, Basis::Unreal].into_iter().zip(bases) {
                let array = |v: &Vec<f64>| [v[0], v[1], v[2], v[3]];
                close(&basis.rotation(array(&bases[0]), Way::ToEngine), engine, "rotation");
                close(&basis.rotation(array(engine), Way::ToWire), &bases[0], "rotation");
                checked += 1;
            }
        }
        assert!(checked >= 6 * 3 * 4, "the table has at least four poses, {checked} values were checked");
    }

    /// q v q*, the formula that OpenXR, Unity and Unreal share.
    fn rotate([x, y, z, w]: [f64; 4], v: [f64; 3]) -> [f64; 3] {
        let cross = |a: [f64; 3], b: [f64; 3]| {
            [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
        };
        let t = cross([x, y, z], v).map(|c| 2.0 * c);
        let u = cross([x, y, z], t);
        [0, 1, 2].map(|i| v[i] + w * t[i] + u[i])
    }

    /// What makes a conversion right: turning then converting is converting then turning.
    #[test]
    fn rotations_and_angular_velocities_act_the_same_in_every_basis() {
        let q = [0.1, -0.5, 0.7, (1.0f64 - 0.01 - 0.25 - 0.49).sqrt()];
        let (v, w) = ([1.5, -2.0, 0.25], [0.3, 1.7, -0.6]);
        let cross = |a: [f64; 3], b: [f64; 3]| {
            [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
        };
        for basis in [Basis::OpenXr, Basis::Unity, Basis::Unreal] {
            let point = |v| basis.vector(v, Meaning::Point, Way::ToEngine);
            let there = rotate(basis.rotation(q, Way::ToEngine), point(v));
            close(&there, &point(rotate(q, v)), "rotation");
            let spin = basis.vector(w, Meaning::AngularVelocity, Way::ToEngine);
            close(&cross(spin, point(v)), &point(cross(w, v)), "velocity of a point on a spinning body");
            let scaled = basis.vector([2.0, 3.0, 4.0], Meaning::Scale, Way::ToEngine);
            let p = point(v);
            let by_engine = [0, 1, 2].map(|i| scaled[i] * p[i]);
            close(&by_engine, &point([2.0 * v[0], 3.0 * v[1], 4.0 * v[2]]), "scale");
        }
    }

    #[test]
    fn single_precision_round_trips_to_an_ulp_and_other_lengths_are_left_alone() {
        for basis in [Basis::Unity, Basis::Unreal] {
            let mut values = [1.25f32, -7.5, 1000.125];
            basis.floats(&mut values, Meaning::Point, Way::ToWire);
            basis.floats(&mut values, Meaning::Point, Way::ToEngine);
            for (value, sent) in values.into_iter().zip([1.25f32, -7.5, 1000.125]) {
                assert!((value - sent).abs() <= sent.abs() * f32::EPSILON, "{value}, sent {sent}");
            }
            let mut four = [1.0f32, 2.0, 3.0, 4.0];
            basis.floats(&mut four, Meaning::Point, Way::ToWire);
            assert_eq!(four, [1.0, 2.0, 3.0, 4.0], "a vec4 with a vector's meaning has none");
        }
    }
}
