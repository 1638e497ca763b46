//! Registries: the components of a session, described field by field before it starts.
//!
//! Behind a handle stands the core's `Registry` until the first session uses it, and its frozen schema from then on.

use std::cell::UnsafeCell;
use std::ffi::c_char;
use std::sync::Arc;

use super::boundary::boundary;
use super::codec::{Codec, CodecMap};
use super::describe::component;
use super::error::Error;
use super::handle::{self, Epoch, Kind, Noun, SerialNoun};
use super::runtime::{Runtime, theta_runtime};
use super::sized::{element, sized};
use super::status::*;
use super::view::{self, Buffer, Out};
use crate::core::schema::{self, ComponentDesc, Schema, component_id};
use crate::core::types::ComponentId;

/// Signed integer, 8 bits.
pub const THETA_KIND_I8: u32 = 1;
/// Signed integer, 16 bits.
pub const THETA_KIND_I16: u32 = 2;
/// Signed integer, 32 bits.
pub const THETA_KIND_I32: u32 = 3;
/// Signed integer, 64 bits.
pub const THETA_KIND_I64: u32 = 4;
/// Unsigned integer, 8 bits.
pub const THETA_KIND_U8: u32 = 5;
/// Unsigned integer, 16 bits.
pub const THETA_KIND_U16: u32 = 6;
/// Unsigned integer, 32 bits.
pub const THETA_KIND_U32: u32 = 7;
/// Unsigned integer, 64 bits.
pub const THETA_KIND_U64: u32 = 8;
/// 1 to 64 flags in the smallest of uint8_t, uint16_t, uint32_t, uint64_t that holds them; `bits` says how many.
pub const THETA_KIND_FLAGS: u32 = 9;
/// float.
pub const THETA_KIND_F32: u32 = 10;
/// double.
pub const THETA_KIND_F64: u32 = 11;
/// float[2], one dirty unit.
pub const THETA_KIND_VEC2: u32 = 12;
/// float[3], one dirty unit.
pub const THETA_KIND_VEC3: u32 = 13;
/// float[4], one dirty unit.
pub const THETA_KIND_VEC4: u32 = 14;
/// double[3], one dirty unit, for large worlds.
pub const THETA_KIND_DVEC3: u32 = 15;
/// float[4], a unit quaternion x, y, z, w; `bits` per component (4 to 18, 0 = 11).
pub const THETA_KIND_QUAT: u32 = 16;
/// uint64_t: a reference to an entity.
pub const THETA_KIND_ENTITY: u32 = 17;
/// uint32_t length, then `max_length` bytes of UTF-8.
pub const THETA_KIND_STRING: u32 = 18;
/// uint32_t length, then `max_length` bytes.
pub const THETA_KIND_BYTES: u32 = 19;
/// uint32_t length, then `max_length` elements of `element_kind` (an integer kind or F32), element-aligned.
pub const THETA_KIND_LIST: u32 = 20;

/// The host writes the component.
pub const THETA_AUTHORITY_HOST: u32 = 0;
/// The entity's owner writes it.
pub const THETA_AUTHORITY_OWNER: u32 = 1;
/// It is input: the owner sends it and the host consumes it.
pub const THETA_AUTHORITY_INPUT: u32 = 2;

/// Numbers without a place in space; never converted.
pub const THETA_SEMANTIC_NONE: u32 = 0;
/// A place or anything with a length: offsets, linear velocities, extents. Axes and units are converted.
pub const THETA_SEMANTIC_POINT: u32 = 1;
/// A unit vector: axes are converted, units are not.
pub const THETA_SEMANTIC_DIRECTION: u32 = 2;
/// An orientation: QUAT, or VEC4 as x, y, z, w.
pub const THETA_SEMANTIC_ROTATION: u32 = 3;
/// Radians per second around the axes.
pub const THETA_SEMANTIC_ANGULAR_VELOCITY: u32 = 4;
/// A factor per axis.
pub const THETA_SEMANTIC_SCALE: u32 = 5;

/// Changes are coded against the value at the baseline.
pub const THETA_PREDICTOR_HOLD: u32 = 0;
/// Changes are coded whole.
pub const THETA_PREDICTOR_NONE: u32 = 1;
/// The baseline is carried on along its last change.
pub const THETA_PREDICTOR_LINEAR: u32 = 2;
/// Like linear, falling.
pub const THETA_PREDICTOR_BALLISTIC: u32 = 3;
/// Turned on about its axis.
pub const THETA_PREDICTOR_ANGULAR_VELOCITY: u32 = 4;

/// A change is written as its distance from the prediction.
pub const THETA_DIFF_RESIDUAL: u32 = 0;
/// A change is written as the new value.
pub const THETA_DIFF_REPLACE: u32 = 1;

/// Field flag: only the command log writes the field.
pub const THETA_FIELD_DOCUMENT: u32 = 1;

/// A registry handle. Zero is none.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct theta_registry {
    /// Opaque.
    pub bits: u64,
}

/// A field of a component. Element of an array with an element size; grows at its end. Zero means default.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct theta_field_desc {
    /// 1 to 65535, stable within the component, never reused.
    pub id: u16,
    /// `THETA_KIND_*`.
    pub kind: u8,
    /// Lists: `THETA_KIND_*` of an element, an integer kind or F32.
    pub element_kind: u8,
    /// Where the field stands in the engine's struct, in bytes; aligned to its type.
    pub offset_bytes: u32,
    /// For people and manifests, UTF-8, at most 128 bytes.
    pub name: *const c_char,
    /// Bytes of `name`.
    pub name_length: u32,
    /// THETA_FIELD_DOCUMENT or 0.
    pub flags: u32,
    /// Least value of numbers, of each part of a vector, of each element of a list. Integers: 0 and 0 is the whole
    /// type.
    pub minimum: f64,
    /// Largest value.
    pub maximum: f64,
    /// Distance of neighbouring float values. Integers: 0 or 1.
    pub step: f64,
    /// FLAGS: how many, 1 to 64. QUAT: bits per component, 4 to 18, 0 = 11.
    pub bits: u32,
    /// STRING, BYTES: capacity in bytes; LIST: in elements. 1 to 4096.
    pub max_length: u32,
    /// `THETA_SEMANTIC_*`: how the field converts between the session's basis and the wire's.
    pub semantic: u8,
    /// `THETA_PREDICTOR_*`.
    pub predictor: u8,
    /// `THETA_DIFF_*`.
    pub diff: u8,
    /// Zero.
    pub reserved0: u8,
    /// Zero.
    pub reserved1: u32,
    /// What a fresh row holds, for floats (the first), vectors and quaternions, in the wire's basis (OpenXR, metres).
    /// All zero: zero clamped into the range; identity for QUAT.
    pub default_number: [f64; 4],
    /// What a fresh row holds, for integers and flags.
    pub default_integer: i64,
    /// Zero.
    pub reserved2: u64,
}
element!(theta_field_desc: 112 reserved0 reserved1 reserved2);

/// A component: a struct of the engine. Input; begins with its size. Zero means default.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct theta_component_desc {
    /// `sizeof(theta_component_desc)`.
    pub struct_size: u32,
    /// Bytes of `name`.
    pub name_length: u32,
    /// Stable name, UTF-8, at most 128 bytes; its hash is the component's id.
    pub name: *const c_char,
    /// `field_count` fields, `field_size` bytes apart.
    pub fields: *const theta_field_desc,
    /// 1 to 64.
    pub field_count: u32,
    /// `sizeof(theta_field_desc)`.
    pub field_size: u32,
    /// sizeof the engine's struct, at most 65536; 0 lets C's rules decide.
    pub size_bytes: u32,
    /// `THETA_AUTHORITY_*`.
    pub authority: u32,
    /// The version of the application that brought the component, UTF-8, at most 32 bytes; may be empty.
    pub since_version: *const c_char,
    /// Bytes of `since_version`.
    pub since_version_length: u32,
    /// Zero.
    pub reserved: u32,
}
sized!(theta_component_desc: 56 reserved);

/// What a registry handle names.
pub(crate) struct Registry {
    state: UnsafeCell<Components>,
}

/// The components, before and after the first session.
pub(crate) struct Components {
    open: schema::Registry,
    sealed: Option<Arc<Schema>>,
    codecs: CodecMap,
}

// SAFETY: `state` is reached through `handle::Serial` only, which is one thread at a time.
unsafe impl Sync for Registry {}
// SAFETY: no other type has this kind.
unsafe impl Noun for Registry {
    const KIND: Kind = Kind::Registry;
}
impl SerialNoun for Registry {
    type State = Components;
    fn state(&self) -> &UnsafeCell<Components> {
        &self.state
    }
}

impl Components {
    /// Adds a component, and the codec of its elements if it has one. On failure nothing was added.
    pub(crate) fn add(&mut self, desc: ComponentDesc, codec: Option<Codec>) -> Result<ComponentId, Error> {
        if self.sealed.is_some() {
            return Err(Error::RegistrySealed);
        }
        if codec.is_some() && self.codecs.contains_key(&desc.id()) {
            return Err(Error::CodecTwice { component: desc.name });
        }
        let id = self.open.add(desc)?;
        if let Some(codec) = codec {
            self.codecs.insert(id, Arc::new(codec));
        }
        Ok(id)
    }

    /// The codecs by component.
    pub(crate) fn codecs(&self) -> &CodecMap {
        &self.codecs
    }

    /// A session uses this schema; no more components after this.
    pub(crate) fn seal(&mut self, schema: Arc<Schema>) {
        self.sealed = Some(schema);
    }

    /// The schema as it is now, without sealing.
    pub(crate) fn look(&self) -> Result<Arc<Schema>, Error> {
        match &self.sealed {
            Some(schema) => Ok(schema.clone()),
            None => Ok(Arc::new(self.open.freeze()?)),
        }
    }
}

/// The id of the component with this stable name: SipHash-2-4 of its UTF-8 under the key 00..0f. Needs no registry.
///
/// `name`: `name_length` bytes, 1 to 128. `out` receives the id.
///
/// Returns THETA_OK, THETA_E_NULL, THETA_E_UTF8, THETA_E_RANGE. [any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_component_id(
    name: *const c_char,
    name_length: u64,
    out: *mut u64,
) -> theta_status {
    boundary!(theta_component_id, {
        // SAFETY: the caller's promise about its pointers.
        let out = unsafe { Out::new(out, "out") }?;
        let limit = schema::limits::MAX_NAME_BYTES as u64;
        // SAFETY: as above.
        let name = unsafe { view::text(name, name_length, limit, "name_length") }?;
        if name.is_empty() {
            return Err(Error::Argument { what: "the name of a component is empty".into() });
        }
        out.set(component_id(name).0);
        Ok(THETA_OK)
    })
}

/// Creates an empty registry. It serves any number of sessions of this runtime.
///
/// `out` receives the handle; end it with `theta_registry_destroy` or with the runtime.
///
/// Returns THETA_OK, THETA_E_NULL, the handle errors, THETA_E_LIMIT. [init]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_registry_create(
    runtime: theta_runtime,
    out: *mut theta_registry,
) -> theta_status {
    boundary!(theta_registry_create, {
        // SAFETY: the caller's promise about `out`.
        let out = unsafe { Out::new(out, "out") }?;
        let _alive = handle::pin::<Runtime>(runtime.bits)?;
        let components = Components { open: schema::Registry::new(), sealed: None, codecs: CodecMap::new() };
        let registry = Registry { state: UnsafeCell::new(components) };
        out.set(theta_registry { bits: handle::insert(Epoch::of(runtime.bits), registry)? });
        Ok(THETA_OK)
    })
}

/// Adds a component. Nothing is kept of the caller's memory. The same description twice is one component.
///
/// `desc`: input of `desc->struct_size` bytes. `component_id` receives the id and may be null.
///
/// Returns THETA_OK, THETA_E_NULL, THETA_E_STRUCT_SIZE, THETA_E_UNSUPPORTED_FIELD, THETA_E_UTF8, THETA_E_RANGE, the
/// handle errors, THETA_E_CONCURRENT, THETA_E_COMPONENT_INVALID (the last error names the field and the rule),
/// THETA_E_COMPONENT_COLLISION, THETA_E_LIMIT (size, or what one registry takes), THETA_E_REGISTRY_SEALED (a session uses
/// the registry). [init]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_registry_add(
    registry: theta_registry,
    desc: *const theta_component_desc,
    component_id: *mut u64,
) -> theta_status {
    boundary!(theta_registry_add, {
        let mut registry = handle::serial::<Registry>(registry.bits)?;
        let (_, components) = registry.parts();
        // SAFETY: the caller's promise about its pointers.
        let (desc, out) = unsafe { (component(desc)?, Out::optional(component_id)) };
        let id = components.add(desc, None)?;
        if let Some(out) = out {
            out.set(id.0);
        }
        Ok(THETA_OK)
    })
}

/// The hash of all that changes bits on the wire: component and field ids, kinds, quantisation, bounds. Peers with
/// equal hashes understand each other without translation.
///
/// `out` receives the hash of the components added so far.
///
/// Returns THETA_OK, THETA_E_NULL, the handle errors, THETA_E_CONCURRENT, THETA_E_COMPONENT_COLLISION. [init]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_registry_schema_hash(registry: theta_registry, out: *mut u64) -> theta_status {
    boundary!(theta_registry_schema_hash, {
        // SAFETY: the caller's promise about `out`.
        let out = unsafe { Out::new(out, "out") }?;
        let mut registry = handle::serial::<Registry>(registry.bits)?;
        out.set(registry.parts().1.look()?.hash());
        Ok(THETA_OK)
    })
}

/// The registry as `schema_manifest.json`: what the tools compare between versions of an application.
///
/// `out`: `capacity` bytes, or null with capacity 0 to ask for the length. `length` receives the bytes of the whole
/// text, which is UTF-8 and not null-terminated.
///
/// Returns THETA_OK, THETA_TRUNCATED, THETA_E_NULL, the handle errors, THETA_E_CONCURRENT. [init]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_registry_manifest(
    registry: theta_registry,
    out: *mut c_char,
    capacity: u64,
    length: *mut u64,
) -> theta_status {
    boundary!(theta_registry_manifest, {
        // SAFETY: the caller's promise about its pointers.
        let buffer = unsafe { Buffer::new(out.cast(), capacity, length) }?;
        let mut registry = handle::serial::<Registry>(registry.bits)?;
        let manifest = registry.parts().1.look()?.manifest();
        Ok(buffer.fill(manifest.as_bytes()))
    })
}

/// Ends the registry's handle. Sessions that use its components keep them.
///
/// Returns THETA_OK, the handle errors. [any], never waits.
#[unsafe(no_mangle)]
pub extern "C" fn theta_registry_destroy(registry: theta_registry) -> theta_status {
    boundary!(theta_registry_destroy, {
        handle::destroy::<Registry>(registry.bits)?;
        Ok(THETA_OK)
    })
}
