//! Codecs: two functions of the program for a component whose value in the engine no field layout describes (bit fields,
//! unions, handles of engine objects).
//!
//! The component is declared with its wire fields as always, so quantisation, hashes, deltas and other languages know
//! nothing of codecs. The program moves *elements* of its own size; `encode` makes the struct of the wire fields from
//! an element, `decode` an element from the struct. When they are called is `elements`' business; this file owns the
//! functions, marks the thread that is inside one, and calls `drop` once, when nobody can call the others any more.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::Arc;

use super::boundary::boundary;
use super::describe::component;
use super::error::Error;
use super::handle;
use super::registry::{Registry, theta_component_desc, theta_registry};
use super::sized::{self, sized};
use super::status::*;
use super::view::Out;
use crate::core::schema::{ComponentIndex, Schema};
use crate::core::types::{ComponentId, EntityId};

/// Makes the struct of the wire fields from the engine's element. Called inside `theta_session_tick`, on its thread.
///
/// `entity`: whose value it is. `element`: `element_bytes` bytes as they were written. `value`: the component's struct
/// as its fields describe it, in the session's basis, filled with the defaults; both aligned to 16 bytes and good
/// until the return. Returns 0; anything else leaves the entity's old value and comes as THETA_EVENT_CODEC_FAILED.
pub type theta_encode_fn = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        entity: u64,
        element: *const c_void,
        value: *mut c_void,
    ) -> theta_status,
>;

/// Makes the engine's element from the struct of the wire fields. Called inside `theta_session_poll` of a joined
/// session and `theta_session_tick` of a host, on their thread.
///
/// `entity`: whose value it is. `value`: the component's struct as its fields describe it, in the session's basis.
/// `element`: `element_bytes` bytes that hold the entity's old element (zeros before the first); both aligned to 16
/// bytes and good until the return. Returns 0; anything else leaves the old element and comes as
/// THETA_EVENT_CODEC_FAILED.
pub type theta_decode_fn = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        entity: u64,
        value: *const c_void,
        element: *mut c_void,
    ) -> theta_status,
>;

/// Called once, after the last call of the other two: frees `user_data`.
pub type theta_drop_fn = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// How a component's elements become its struct and back. Input; begins with its size.
///
/// No function may call the library (THETA_E_REENTRANT, but for `theta_last_error`), throw, unwind or jump out.
/// Sessions that share a registry share its codecs: two of them on two threads call them at the same time.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct theta_codec {
    /// `sizeof(theta_codec)`.
    pub struct_size: u32,
    /// sizeof an element, 1 to 65536.
    pub element_bytes: u32,
    /// The first argument of every call.
    pub user_data: *mut c_void,
    /// Element to struct.
    pub encode: theta_encode_fn,
    /// Struct to element.
    pub decode: theta_decode_fn,
    /// May be null. Called once and last: on the thread whose call lets go of the last registry, session, frame or
    /// write that could need the codec, or inside `theta_registry_add_codec` when that fails.
    pub drop: theta_drop_fn,
}
sized!(theta_codec: 40);

/// Largest element, in bytes.
const MAX_ELEMENT_BYTES: u32 = 65_536;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// True on a thread that is inside a codec's function.
#[inline]
pub(crate) fn is_inside() -> bool {
    INSIDE.try_with(Cell::get).unwrap_or(false)
}

/// Marks the thread while a codec's function runs.
struct Inside(bool);

impl Inside {
    fn enter() -> Self {
        Self(INSIDE.try_with(|inside| inside.replace(true)).unwrap_or(false))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = INSIDE.try_with(|inside| inside.set(self.0));
    }
}

/// Memory for one element or struct, aligned to 16 bytes.
#[derive(Default)]
pub(crate) struct Scratch(Vec<u128>);

impl Scratch {
    pub(crate) fn of(bytes: usize) -> Self {
        Self(vec![0; bytes.div_ceil(size_of::<u128>())])
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: plain numbers, seen as their bytes.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), size_of_val(self.0.as_slice())) }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above; any bytes are numbers.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), size_of_val(self.0.as_slice())) }
    }
}

/// A codec that was handed over. Dropping it is the last call of its functions.
pub(crate) struct Codec(theta_codec);

// SAFETY: the program promises that its functions and user_data may be used by every thread that ticks, polls or ends
// a session of the registry; the contract of `theta_codec` says so.
unsafe impl Send for Codec {}
// SAFETY: as above.
unsafe impl Sync for Codec {}

impl Codec {
    pub(crate) fn element_bytes(&self) -> usize {
        self.0.element_bytes as usize
    }

    /// Calls `encode`; the scratches have the element's and the struct's bytes.
    pub(crate) fn encode(&self, entity: EntityId, element: &Scratch, value: &mut Scratch) -> theta_status {
        let Some(encode) = self.0.encode else { return THETA_E_NULL };
        let _inside = Inside::enter();
        // SAFETY: the program's function under its contract; the memory has the sizes that it was promised.
        unsafe {
            encode(
                self.0.user_data,
                entity.0,
                element.bytes().as_ptr().cast(),
                value.bytes_mut().as_mut_ptr().cast(),
            )
        }
    }

    /// Calls `decode`; the scratches have the struct's and the element's bytes.
    pub(crate) fn decode(&self, entity: EntityId, value: &Scratch, element: &mut Scratch) -> theta_status {
        let Some(decode) = self.0.decode else { return THETA_E_NULL };
        let _inside = Inside::enter();
        // SAFETY: as above.
        unsafe {
            decode(
                self.0.user_data,
                entity.0,
                value.bytes().as_ptr().cast(),
                element.bytes_mut().as_mut_ptr().cast(),
            )
        }
    }
}

impl Drop for Codec {
    fn drop(&mut self) {
        if let Some(drop) = self.0.drop {
            let _inside = Inside::enter();
            // SAFETY: the last reference goes, so this is the last call and the only one of `drop`.
            unsafe { drop(self.0.user_data) };
        }
    }
}

/// The codecs of a registry.
pub(crate) type CodecMap = BTreeMap<ComponentId, Arc<Codec>>;

/// The codecs of a session, by component index.
pub(crate) struct Codecs(Box<[(ComponentIndex, Arc<Codec>)]>);

impl Codecs {
    pub(crate) fn new(schema: &Schema, codecs: &CodecMap) -> Self {
        let found = codecs.iter().filter_map(|(id, codec)| Some((schema.index_of(*id)?, Arc::clone(codec))));
        let mut found: Vec<_> = found.collect();
        found.sort_by_key(|(index, _)| *index);
        Self(found.into())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn get(&self, component: ComponentIndex) -> Option<&Arc<Codec>> {
        let at = self.0.binary_search_by_key(&component, |(index, _)| *index).ok()?;
        Some(&self.0[at].1)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ComponentIndex, &Arc<Codec>)> {
        self.0.iter().map(|(index, codec)| (*index, codec))
    }
}

/// Adds a component whose rows are elements of the program's own. `theta_write_rows`, `theta_entity_spawn` and
/// `theta_frame_read` take and give whole rows as elements; single fields, quantised lanes and all that travels are
/// those of `desc`, and peers may have another codec for it or none. What is written or spawned with is encoded by the
/// next `theta_session_tick`; a frame can be acquired once `theta_session_poll` (on a host: the tick) has decoded it.
/// Elements have no in-between: `theta_session_sample` gives single fields of such a component.
///
/// `desc`: the component, as `theta_registry_add` takes it. `codec`: input of `codec->struct_size` bytes; its functions
/// and `user_data` belong to the library from here on, also when this fails, unless `codec` itself cannot be read.
/// `component_id` receives the id and may be null.
///
/// Returns THETA_OK, what `theta_registry_add` returns, THETA_E_NULL (encode, decode), THETA_E_RANGE (element_bytes),
/// THETA_E_COMPONENT_COLLISION (it has a codec already). [init]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_registry_add_codec(
    registry: theta_registry,
    desc: *const theta_component_desc,
    codec: *const theta_codec,
    component_id: *mut u64,
) -> theta_status {
    boundary!(anywhere theta_registry_add_codec, {
        // SAFETY: the caller's promise about its pointers, here and below. From here on every way out drops the codec.
        let codec = Codec(unsafe { sized::input(codec) }?);
        // Every other function refuses before its body; this one owes a drop.
        if is_inside() {
            return Err(Error::Reentrant);
        }
        if codec.0.encode.is_none() || codec.0.decode.is_none() {
            return Err(Error::Null { what: "theta_codec.encode or theta_codec.decode" });
        }
        if codec.0.element_bytes == 0 || codec.0.element_bytes > MAX_ELEMENT_BYTES {
            let what = format!("element_bytes is {}, it is 1 to {MAX_ELEMENT_BYTES}", codec.0.element_bytes);
            return Err(Error::Argument { what });
        }
        let mut registry = handle::serial::<Registry>(registry.bits)?;
        // SAFETY: as above.
        let (desc, out) = unsafe { (component(desc)?, Out::optional(component_id)) };
        let id = registry.parts().1.add(desc, Some(codec))?;
        if let Some(out) = out {
            out.set(id.0);
        }
        Ok(THETA_OK)
    })
}
