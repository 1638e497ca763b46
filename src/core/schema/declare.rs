//! Declaring a component in Rust: a struct, its description, its id as a constant, and its registration.
//!
//! [`crate::component!`] writes a `repr(C)` struct and implements [`RustComponent`] for it. Where the linker can
//! collect declarations (everywhere but wasm), every declared component is in [`COLLECTED`]; [`register_collected`]
//! adds them all. On wasm, name them: `registry.add(Pose::desc())`. Either way the schema is sorted by id, so link
//! order does not matter.
//!
//! The struct goes to engine memory and back field by field, without looking at its bytes: no `unsafe` and no rule
//! about padding.

use super::kind::FieldKind;
use super::{ComponentDesc, Registry, SchemaError};
use crate::types::{ComponentId, EntityId};

/// What [`crate::component!`] implements.
pub trait RustComponent: Sized {
    /// Its stable name.
    const NAME: &'static str;
    /// Its id, at compile time.
    const ID: ComponentId = super::component_id(Self::NAME);

    /// Its description.
    fn desc() -> ComponentDesc;

    /// Appends it as one engine row.
    fn store(&self, row: &mut Vec<u8>);

    /// Reads an engine row. `None` when it is too short.
    fn load(row: &[u8]) -> Option<Self>;
}

/// A Rust type that stands in engine memory as a field.
pub trait FieldType: Sized {
    /// Its size and alignment there, given the field's kind.
    fn fits(kind: &FieldKind) -> bool;
    /// Writes itself to the start of `bytes`.
    fn store(&self, bytes: &mut [u8]);
    /// Reads itself from the start of `bytes`.
    fn load(bytes: &[u8]) -> Self;
}

macro_rules! scalar {
    ($($ty:ty => $pattern:pat,)*) => {$(
        impl FieldType for $ty {
            fn fits(kind: &FieldKind) -> bool {
                matches!(kind, $pattern) && kind.engine_size().0 == size_of::<$ty>()
            }

            fn store(&self, bytes: &mut [u8]) {
                bytes[..size_of::<$ty>()].copy_from_slice(&self.to_le_bytes());
            }

            fn load(bytes: &[u8]) -> Self {
                let mut raw = [0; size_of::<$ty>()];
                raw.copy_from_slice(&bytes[..size_of::<$ty>()]);
                <$ty>::from_le_bytes(raw)
            }
        }
    )*};
}

scalar! {
    i8 => FieldKind::Int { .. },
    i16 => FieldKind::Int { .. },
    i32 => FieldKind::Int { .. },
    i64 => FieldKind::Int { .. },
    u8 => FieldKind::Int { .. } | FieldKind::Flags { .. },
    u16 => FieldKind::Int { .. } | FieldKind::Flags { .. },
    u32 => FieldKind::Int { .. } | FieldKind::Flags { .. },
    u64 => FieldKind::Int { .. } | FieldKind::Flags { .. } | FieldKind::Entity,
    f32 => FieldKind::F32(_),
    f64 => FieldKind::F64(_),
}

impl FieldType for EntityId {
    fn fits(kind: &FieldKind) -> bool {
        matches!(kind, FieldKind::Entity)
    }

    fn store(&self, bytes: &mut [u8]) {
        FieldType::store(&self.0, bytes);
    }

    fn load(bytes: &[u8]) -> Self {
        Self(FieldType::load(bytes))
    }
}

macro_rules! array {
    ($scalar:ty, $count:literal => $pattern:pat) => {
        impl FieldType for [$scalar; $count] {
            fn fits(kind: &FieldKind) -> bool {
                matches!(kind, $pattern)
            }

            fn store(&self, bytes: &mut [u8]) {
                for (part, out) in self.iter().zip(bytes.chunks_exact_mut(size_of::<$scalar>())) {
                    part.store(out);
                }
            }

            fn load(bytes: &[u8]) -> Self {
                core::array::from_fn(|index| <$scalar>::load(&bytes[index * size_of::<$scalar>()..]))
            }
        }
    };
}

array!(f32, 2 => FieldKind::Vector { len: 2, .. });
array!(f32, 3 => FieldKind::Vector { len: 3, .. });
array!(f32, 4 => FieldKind::Vector { len: 4, .. } | FieldKind::Quat { .. });
array!(f64, 3 => FieldKind::DVec3(_));

/// A string or blob in a Rust component: its bytes, at most `N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Inline<const N: usize> {
    length: u32,
    bytes: [u8; N],
}

impl<const N: usize> Inline<N> {
    /// Holds `bytes`, cut after `N` (a cut text loses its last character whole when it is quantised).
    pub fn new(bytes: &[u8]) -> Self {
        let length = bytes.len().min(N);
        let mut inline = Self { length: length as u32, bytes: [0; N] };
        inline.bytes[..length].copy_from_slice(&bytes[..length]);
        inline
    }

    /// What it holds.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..(self.length as usize).min(N)]
    }
}

impl<const N: usize> Default for Inline<N> {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl<const N: usize> FieldType for Inline<N> {
    fn fits(kind: &FieldKind) -> bool {
        matches!(kind, FieldKind::String { max_len } | FieldKind::Bytes { max_len } if *max_len as usize == N)
    }

    fn store(&self, bytes: &mut [u8]) {
        self.length.store(bytes);
        bytes[4..4 + N].copy_from_slice(&self.bytes);
    }

    fn load(bytes: &[u8]) -> Self {
        let length = u32::load(bytes).min(N as u32);
        let mut inline = Self { length, bytes: [0; N] };
        inline.bytes.copy_from_slice(&bytes[4..4 + N]);
        inline
    }
}

/// Descriptions of the components that the linked program declares, in no particular order.
#[cfg(not(target_family = "wasm"))]
#[linkme::distributed_slice]
pub static COLLECTED: [fn() -> ComponentDesc];

/// Adds every component that the linked program declares. Where the linker cannot collect them there are none; add
/// them by name there.
pub fn register_collected(registry: &mut Registry) -> Result<usize, SchemaError> {
    #[cfg(not(target_family = "wasm"))]
    {
        let mut descriptions: Vec<ComponentDesc> = COLLECTED.iter().map(|describe| describe()).collect();
        descriptions.sort_by_key(ComponentDesc::id);
        let count = descriptions.len();
        for desc in descriptions {
            registry.add(desc)?;
        }
        Ok(count)
    }
    #[cfg(target_family = "wasm")]
    {
        let _ = registry;
        Ok(0)
    }
}

/// Documentation lines as one text. Used by [`crate::component!`].
#[doc(hidden)]
pub fn join_docs(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join("\n")
}

/// What the macro needs from other crates.
#[doc(hidden)]
pub mod reexport {
    #[cfg(not(target_family = "wasm"))]
    pub use linkme;
}

/// Collects one declaration for the linker (nothing on wasm). Used by [`crate::component!`].
#[doc(hidden)]
#[macro_export]
#[cfg(not(target_family = "wasm"))]
macro_rules! collect_component {
    ($name:ident) => {
        const _: () = {
            use $crate::schema::declare::reexport::linkme;
            #[linkme::distributed_slice($crate::schema::declare::COLLECTED)]
            #[linkme(crate = linkme)]
            static DESCRIBE: fn() -> $crate::schema::ComponentDesc =
                <$name as $crate::schema::declare::RustComponent>::desc;
        };
    };
}

/// Collects one declaration for the linker (nothing on wasm). Used by [`crate::component!`].
#[doc(hidden)]
#[macro_export]
#[cfg(target_family = "wasm")]
macro_rules! collect_component {
    ($name:ident) => {};
}

/// Declares a component: a `repr(C)` struct, its description, its id, its registration.
///
/// ```
/// use theta_core::component;
/// use theta_core::schema::declare::RustComponent;
/// use theta_core::schema::{FieldKind, Range, Semantic};
///
/// component! {
///     /// Where a cube is.
///     pub struct Cube = "demo.cube" {
///         /// Metres.
///         1 => position: [f32; 3] = FieldKind::vec3(Range::new(-32.0, 31.5, 0.5)), semantic(Semantic::Point);
///         2 => rotation: [f32; 4] = FieldKind::Quat { bits: 10 };
///     }
/// }
///
/// const ID: theta_core::types::ComponentId = Cube::ID;
/// assert_eq!(ID, theta_core::schema::component_id("demo.cube"));
/// ```
///
/// Behind a field's kind stand any of [`crate::schema::FieldDesc`]'s setters.
#[macro_export]
macro_rules! component {
    (
        $(#[doc = $docs:literal])*
        $vis:vis struct $name:ident = $text:literal {
            $($(#[doc = $field_docs:literal])* $id:literal => $field:ident : $ty:ty = $kind:expr $(, $setter:ident($($argument:expr),*))*;)+
        }
    ) => {
        $(#[doc = $docs])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[repr(C)]
        $vis struct $name {
            $($(#[doc = $field_docs])* pub $field: $ty,)+
        }

        impl $crate::schema::declare::RustComponent for $name {
            const NAME: &'static str = $text;

            fn desc() -> $crate::schema::ComponentDesc {
                $crate::schema::ComponentDesc::new($text)
                    .docs($crate::schema::declare::join_docs(&[$($docs),*]))
                    .size_bytes(::core::mem::size_of::<$name>())
                    $(.field({
                        let kind = $kind;
                        assert!(
                            <$ty as $crate::schema::declare::FieldType>::fits(&kind),
                            concat!("the type of ", $text, ".", stringify!($field), " does not hold its kind"),
                        );
                        $crate::schema::FieldDesc::new($id, stringify!($field), kind)
                            .offset(::core::mem::offset_of!($name, $field))
                            .docs($crate::schema::declare::join_docs(&[$($field_docs),*]))
                            $(.$setter($($argument),*))*
                    }))+
            }

            fn store(&self, row: &mut Vec<u8>) {
                let start = row.len();
                row.resize(start + ::core::mem::size_of::<$name>(), 0);
                $($crate::schema::declare::FieldType::store(
                    &self.$field,
                    &mut row[start + ::core::mem::offset_of!($name, $field)..],
                );)+
            }

            fn load(row: &[u8]) -> Option<Self> {
                if row.len() < ::core::mem::size_of::<$name>() {
                    return None;
                }
                Some(Self {
                    $($field: $crate::schema::declare::FieldType::load(&row[::core::mem::offset_of!($name, $field)..]),)+
                })
            }
        }

        $crate::collect_component!($name);
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{FieldKind, IntType, Range, Semantic, component_id};

    component! {
        /// Something to declare.
        pub struct Declared = "test.declared" {
            /// Metres.
            1 => position: [f32; 3] = FieldKind::vec3(Range::new(-32.0, 31.5, 0.5)), semantic(Semantic::Point);
            2 => rotation: [f32; 4] = FieldKind::Quat { bits: 10 };
            4 => time: f64 = FieldKind::F64(Range::new(0.0, 1e6, 1.0)), document(true);
            3 => target: EntityId = FieldKind::Entity;
            5 => state: u8 = FieldKind::int(IntType::U8);
            6 => name: Inline<6> = FieldKind::String { max_len: 6 };
        }
    }

    #[test]
    fn the_struct_is_the_engines_layout() {
        let component = crate::schema::Component::freeze(Declared::desc()).unwrap();
        assert_eq!(component.size_bytes, size_of::<Declared>());
        let value = Declared {
            position: [1.0, 2.5, -32.0],
            rotation: [0.0, 0.0, 0.0, 1.0],
            time: 77.0,
            target: EntityId::new(4, 2),
            state: 200,
            name: Inline::new(b"theta"),
        };
        let mut row = Vec::new();
        value.store(&mut row);
        assert_eq!(row.len(), component.size_bytes);
        let (cells, clamped) = component.quantise_row(&row).unwrap();
        assert_eq!(clamped, 0);
        let mut back = vec![0; component.size_bytes];
        for (field, cell) in component.fields.iter().zip(&cells) {
            field.store(cell.as_ref().unwrap(), &mut back[field.offset_bytes..]);
        }
        assert_eq!(Declared::load(&back), Some(value));
        assert_eq!(Declared::load(&back[1..]), None);
        assert_eq!(component.fields[0].desc.docs, "Metres.");
        assert_eq!(component.fields[0].desc.semantic, Semantic::Point);
        assert!(component.fields[3].desc.document);
    }

    #[test]
    #[cfg_attr(target_family = "wasm", ignore = "the linker collects nothing there")]
    fn the_linker_collects_it() {
        const ID: ComponentId = Declared::ID;
        let mut registry = Registry::new();
        register_collected(&mut registry).unwrap();
        let schema = registry.freeze().unwrap();
        assert_eq!(ID, component_id("test.declared"));
        assert!(schema.index_of(ID).is_some());
    }
}
