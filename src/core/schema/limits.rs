//! Every bound of a schema, in one table. A schema past one of them is refused when it is frozen (or parsed), so that
//! no later room has to ask.

/// Components of one schema, the built-in one included.
pub const MAX_COMPONENTS: usize = 1024;
/// Bytes of all component names together, each with 48 more for what a handshake says of its component: all of them
/// stand in the first message of a session.
pub const MAX_NAMES_BYTES: usize = 56 * 1024;
/// Fields of one component.
pub const MAX_FIELDS: usize = 64;
/// Quantised lanes of one component, all fixed fields together.
pub const MAX_LANES: usize = 256;
/// Bytes of a component's or a field's name.
pub const MAX_NAME_BYTES: usize = 128;
/// Bytes of a component's or a field's documentation text.
pub const MAX_DOCS_BYTES: usize = 1024;
/// Bytes of a version text.
pub const MAX_VERSION_BYTES: usize = 32;
/// Elements of one string, blob or list.
pub const MAX_ELEMENTS: u16 = 4096;
/// Bytes of one component's engine struct.
pub const MAX_STRUCT_BYTES: usize = 64 * 1024;
/// Packed bytes of one component's largest possible row.
pub const MAX_PACKED_BYTES: usize = 16 * 1024;
/// Steps of an f32 range (the type holds no more) and of an f64 range (rounding stays exact below this).
pub const MAX_STEPS_F64: f64 = 281_474_976_710_656.0;
/// Bits per quaternion component: fewer is useless, more than f32 comps can hold does not round-trip.
pub const QUAT_BITS: core::ops::RangeInclusive<u8> = 4..=18;
/// Bytes of a manifest text.
pub const MAX_MANIFEST_BYTES: usize = 4 * 1024 * 1024;
/// Nesting of a manifest.
pub const MAX_MANIFEST_DEPTH: usize = 8;
/// Bytes of a compact manifest: what a peer with other components is sent, on a lane that has other things to carry.
pub const MAX_COMPACT_BYTES: usize = 256 * 1024;
