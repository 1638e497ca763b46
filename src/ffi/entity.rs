//! Entities: the host spawns, despawns and hands them over; both sides may tag them.

use std::ffi::c_void;

use super::basis::Way;
use super::boundary::boundary;
use super::elements::element_of;
use super::error::Error;
use super::peer::peer_id;
use super::rows::Rows;
use super::session::theta_session;
use super::side::{Session, Shared};
use super::sized::{self, sized};
use super::status::*;
use super::view::{self, Out};
use crate::core::schema::ComponentIndex;
use crate::core::schema::entity_field::MAX_PAYLOAD_BYTES;
use crate::core::types::{ComponentId, EntityId};
use crate::core::world::SpawnDesc;

/// Most components of one entity.
const MAX_ENTITY_COMPONENTS: u64 = 64;

/// A new entity. Input; begins with its size. Zero means default.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct theta_spawn_desc {
    /// `sizeof(theta_spawn_desc)`.
    pub struct_size: u32,
    /// The application's type (prefab).
    pub type_id: u32,
    /// The number of the peer that owns it, up to 65535; 0 = the host. The peer may have left already.
    pub owner: u32,
    /// Components, 0 to 64.
    pub component_count: u32,
    /// Its parent; 0 = none.
    pub parent: u64,
    /// A number of this program's that comes back in every batch. Local, never sent.
    pub host_tag: u64,
    /// The application's stable id of a scene-placed object; 0 = none.
    pub persistent_id: u64,
    /// `component_count` component ids, each once.
    pub component_ids: *const u64,
    /// Null = defaults for all. Else `component_count` pointers beside `component_ids`, each null = defaults, or to the
    /// component's struct, which is read as far as the size it was registered with (its element, if it has a codec).
    pub component_values: *const *const c_void,
    /// What every peer learns with the spawn, at most 256 bytes.
    pub payload: *const u8,
    /// Bytes of `payload`.
    pub payload_length: u32,
    /// Zero.
    pub reserved: u32,
}
sized!(theta_spawn_desc: 72 reserved);

/// A component's first row in the wire's basis, or none for its defaults.
type FirstRow = (ComponentId, Option<Vec<u8>>);
/// The first element of a component with a codec.
type FirstElement = (ComponentIndex, Vec<u8>);

/// Reads the first values of a spawn.
///
/// # Safety
/// Every pointer of `desc` is null or has what its count says; each value has its component's registered size.
unsafe fn first_rows(
    desc: &theta_spawn_desc,
    shared: &Shared,
) -> Result<(Vec<FirstRow>, Vec<FirstElement>), Error> {
    let count = desc.component_count as u64;
    // SAFETY: the caller's promise, here and below.
    let ids = unsafe { view::slice(desc.component_ids, count, MAX_ENTITY_COMPONENTS, "component_ids") }?;
    let values = if desc.component_values.is_null() {
        &[]
    } else {
        // SAFETY: as above.
        unsafe { view::slice(desc.component_values, count, MAX_ENTITY_COMPONENTS, "component_values") }?
    };
    let (mut out, mut elements) = (Vec::with_capacity(ids.len()), Vec::new());
    for (at, id) in ids.iter().enumerate() {
        let rows = Rows::new(&shared.schema, &shared.conversions, *id, 0)?;
        let value = values.get(at).filter(|value| !value.is_null());
        if let Some(bytes) = element_of(&shared.codecs, rows.index, 0) {
            if let Some(value) = value {
                let size = bytes as u64;
                // SAFETY: as above.
                let element = unsafe { view::slice(value.cast::<u8>(), size, size, "a component value") }?;
                elements.push((rows.index, element.to_vec()));
            }
            out.push((ComponentId(*id), None));
            continue;
        }
        let row = value.map(|value| {
            let size = rows.row_bytes as u64;
            // SAFETY: as above.
            let mut row =
                unsafe { view::slice(value.cast::<u8>(), size, size, "a component value") }?.to_vec();
            rows.convert(&mut row, Way::ToWire);
            Ok::<_, Error>(row)
        });
        out.push((ComponentId(*id), row.transpose()?));
    }
    Ok((out, elements))
}

/// Spawns an entity with its first values; every peer sees it complete, with the next `theta_session_tick`. A first
/// value out of range is clamped, one that is not a number is the field's default.
///
/// `session`: a host's. `desc`: input of `desc->struct_size` bytes; nothing is kept of it. `out` receives the id.
///
/// Returns THETA_OK, THETA_E_NULL, THETA_E_STRUCT_SIZE, THETA_E_UNSUPPORTED_FIELD, THETA_E_RANGE (payload, a
/// component twice), the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE, THETA_E_LIMIT (entities, components),
/// THETA_E_COMPONENT_UNKNOWN, THETA_E_PEER_UNKNOWN (no number of a peer), THETA_E_ENTITY_UNKNOWN (the parent),
/// THETA_E_PANIC. [serial]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theta_entity_spawn(
    session: theta_session,
    desc: *const theta_spawn_desc,
    out: *mut u64,
) -> theta_status {
    boundary!(theta_entity_spawn, {
        // SAFETY: the caller's promise about its pointers, here and below.
        let (desc, out) = unsafe { (sized::input(desc)?, Out::new(out, "out")?) };
        let mut session = Session::open(session.bits)?;
        let (noun, state) = session.parts();
        let host = state.host()?;
        // SAFETY: as above.
        let (rows, elements) = unsafe { first_rows(&desc, &noun.shared) }?;
        let limit = MAX_PAYLOAD_BYTES as u64;
        // SAFETY: as above.
        let payload =
            unsafe { view::slice(desc.payload, desc.payload_length as u64, limit, "payload_length") }?;
        let components: Vec<_> = rows.iter().map(|(id, row)| (*id, row.as_deref())).collect();
        let entity = host.world_mut().spawn(&SpawnDesc {
            type_id: desc.type_id,
            owner: peer_id(desc.owner)?,
            parent: EntityId(desc.parent),
            persistent_id: desc.persistent_id,
            host_tag: desc.host_tag,
            payload,
            components: &components,
        })?;
        noun.shared.tags.set(entity, desc.host_tag)?;
        for (component, element) in elements {
            state.elements.write(component, entity, &element);
        }
        out.set(entity.0);
        Ok(THETA_OK)
    })
}

/// Ends an entity; its children lose their parent. Peers learn it with the next `theta_session_tick`.
///
/// Returns THETA_OK, the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE, THETA_E_ENTITY_UNKNOWN,
/// THETA_E_PANIC. [serial]
#[unsafe(no_mangle)]
pub extern "C" fn theta_entity_despawn(session: theta_session, entity: u64) -> theta_status {
    boundary!(theta_entity_despawn, {
        let mut session = Session::open(session.bits)?;
        session.parts().1.host()?.world_mut().despawn(EntityId(entity))?;
        Ok(THETA_OK)
    })
}

/// Hands an entity to a peer, or back to the host with 0. Whether the peer is still there is not looked at: it may
/// leave at any moment.
///
/// Returns THETA_OK, the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE, THETA_E_PEER_UNKNOWN (no number of a
/// peer: over 65535), THETA_E_ENTITY_UNKNOWN, THETA_E_PANIC. [serial]
#[unsafe(no_mangle)]
pub extern "C" fn theta_entity_set_owner(session: theta_session, entity: u64, owner: u32) -> theta_status {
    boundary!(theta_entity_set_owner, {
        let mut session = Session::open(session.bits)?;
        session.parts().1.host()?.world_mut().set_owner(EntityId(entity), peer_id(owner)?)?;
        Ok(THETA_OK)
    })
}

/// Puts an entity under another, or under none with 0. At most 64 deep.
///
/// Returns THETA_OK, THETA_E_RANGE (a circle, or too deep), the handle errors, THETA_E_CONCURRENT,
/// THETA_E_WRONG_ROLE, THETA_E_ENTITY_UNKNOWN, THETA_E_PANIC. [serial]
#[unsafe(no_mangle)]
pub extern "C" fn theta_entity_set_parent(session: theta_session, entity: u64, parent: u64) -> theta_status {
    boundary!(theta_entity_set_parent, {
        let mut session = Session::open(session.bits)?;
        session.parts().1.host()?.world_mut().set_parent(EntityId(entity), EntityId(parent))?;
        Ok(THETA_OK)
    })
}

/// Keeps a number of this program beside an entity; it comes back in every `theta_entity_row`. Local, never sent. Host
/// and joined; also for an entity that has not arrived yet, so the entity is not looked up.
///
/// Returns THETA_OK, THETA_E_ENTITY_UNKNOWN (0), the handle errors, THETA_E_CONCURRENT, THETA_E_LIMIT,
/// THETA_E_PANIC. [serial]
#[unsafe(no_mangle)]
pub extern "C" fn theta_entity_set_host_tag(
    session: theta_session,
    entity: u64,
    host_tag: u64,
) -> theta_status {
    boundary!(theta_entity_set_host_tag, {
        let mut session = Session::open(session.bits)?;
        if entity == 0 {
            return Err(Error::EntityUnknown { entity });
        }
        session.parts().0.shared.tags.set(EntityId(entity), host_tag)?;
        Ok(THETA_OK)
    })
}
