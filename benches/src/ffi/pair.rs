//! A host and a joined peer in this process, over QUIC on loopback: once through the C functions, once in Rust.

use std::ffi::c_char;
use std::time::{Duration, Instant};

use theta_core::types::EntityId;
use theta_core::world::SpawnDesc;
use theta_sdk::ffi::basis::THETA_BASIS_OPENXR;
use theta_sdk::ffi::entity::{theta_entity_despawn, theta_entity_spawn, theta_spawn_desc};
use theta_sdk::ffi::event::{theta_event, theta_session_poll};
use theta_sdk::ffi::library::THETA_ABI_VERSION;
use theta_sdk::ffi::registry::{
    THETA_KIND_QUAT, THETA_KIND_VEC3, THETA_SEMANTIC_POINT, THETA_SEMANTIC_ROTATION, theta_component_desc,
    theta_field_desc, theta_registry, theta_registry_add, theta_registry_create,
};
use theta_sdk::ffi::runtime::{
    theta_runtime, theta_runtime_config, theta_runtime_create, theta_runtime_shutdown,
};
use theta_sdk::ffi::session::{
    THETA_HOST_DEV_MODE, THETA_STATE_LIVE, theta_host_config, theta_join_config, theta_session,
    theta_session_host, theta_session_info, theta_session_info_get, theta_session_join,
};
use theta_sdk::ffi::status::{THETA_NOTHING_NEW, THETA_OK};
use theta_sdk::ffi::ticket::theta_session_ticket;
use theta_sdk::ffi::time::theta_session_tick;
use theta_sdk::runtime::{
    HostOptions, HostSession, JoinOptions, JoinSession, Runtime, RuntimeConfig, SessionState,
};

use crate::scene::{BODY, ROW_BYTES, Random, body, schema};

/// Entities of each world.
pub const ENTITIES: usize = 1000;
const PATIENCE: Duration = Duration::from_secs(20);

/// A C struct of numbers and pointers with all bytes zero but its size, as C programs begin.
macro_rules! zeroed_with_size {
    ($name:ty) => {{
        // SAFETY: numbers and pointers only; zero is valid for both and means "default".
        let mut value: $name = unsafe { std::mem::zeroed() };
        value.struct_size = size_of::<$name>() as u32;
        value
    }};
}
pub(super) use zeroed_with_size;

/// Engine rows of all entities; another `turn`, other values.
pub fn rows(turn: u64) -> Vec<u8> {
    let mut random = Random::new(turn);
    let mut rows = Vec::with_capacity(ENTITIES * ROW_BYTES);
    for _ in 0..ENTITIES {
        for at in 0..7 {
            let value = if at < 3 { random.unit() * 900.0 } else { random.unit() + 1e-3 };
            rows.extend_from_slice(&value.to_le_bytes());
        }
    }
    rows
}

/// Calls `done` every millisecond until it is; so the benchmark never hangs.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "waited in vain for: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn ok(status: i32) {
    assert!(status == THETA_OK, "status {status}");
}

/// Host and peer through the C functions.
pub struct CPair {
    runtime: theta_runtime,
    registry: theta_registry,
    /// The host.
    pub host: theta_session,
    /// The peer.
    pub joined: theta_session,
    /// The component's id.
    pub component: u64,
    /// Every entity.
    pub entities: Vec<u64>,
}

impl CPair {
    /// Live, with [`ENTITIES`] entities and events drained.
    pub fn start() -> Self {
        let mut config = zeroed_with_size!(theta_runtime_config);
        config.abi_version = THETA_ABI_VERSION;
        let (mut runtime, mut registry) = (theta_runtime { bits: 0 }, theta_registry { bits: 0 });
        // SAFETY: every pointer is to a live value of its type, here and below.
        unsafe {
            ok(theta_runtime_create(&raw const config, &raw mut runtime));
            ok(theta_registry_create(runtime, &raw mut registry));
        }
        let component = add_body(registry);
        let host = start_host(runtime, registry, THETA_BASIS_OPENXR);
        let first = rows(0);
        let entities = first.chunks_exact(ROW_BYTES).map(|row| spawn(host, component, row)).collect();
        let mut tick = 0;
        // SAFETY: as above.
        ok(unsafe { theta_session_tick(host, &raw mut tick) });
        let mut pair =
            Self { runtime, registry, host, joined: theta_session { bits: 0 }, component, entities };
        pair.joined = pair.join();
        until("a live peer", || {
            pair.tick();
            pair.drain();
            let info = info(pair.joined);
            info.state == THETA_STATE_LIVE && info.tick > 3
        });
        pair
    }

    fn join(&self) -> theta_session {
        let (mut text, mut length) = (vec![0u8; 1024], 0);
        let mut joined = theta_session { bits: 0 };
        // SAFETY: a buffer with its size, and a place for the length.
        ok(unsafe { theta_session_ticket(self.host, text.as_mut_ptr().cast(), 1024, &raw mut length) });
        let mut config = zeroed_with_size!(theta_join_config);
        config.ticket = text.as_ptr().cast();
        config.ticket_length = length as u32;
        config.name = c"bench".as_ptr();
        config.name_length = 5;
        // SAFETY: everything that the configuration points to lives through the call.
        ok(unsafe { theta_session_join(self.runtime, self.registry, &raw const config, &raw mut joined) });
        joined
    }

    /// Another host of the same components, in another basis, with the entities of this one; nobody joins it.
    pub fn host_in_basis(&self, basis: u32) -> (theta_session, Vec<u64>) {
        let host = start_host(self.runtime, self.registry, basis);
        let first = rows(0);
        let entities = first.chunks_exact(ROW_BYTES).map(|row| spawn(host, self.component, row)).collect();
        (host, entities)
    }

    /// Seals a tick; gives its number.
    pub fn tick(&self) -> u32 {
        let mut tick = 0;
        // SAFETY: a live place for the number.
        ok(unsafe { theta_session_tick(self.host, &raw mut tick) });
        tick
    }

    /// Waits until the peer shows a tick.
    pub fn wait_for(&self, tick: u32) {
        until("a tick at the peer", || info(self.joined).tick >= tick);
    }

    /// Takes every event of both sides.
    pub fn drain(&self) {
        let mut events = [theta_event::default(); 64];
        for session in [self.host, self.joined] {
            let mut count = 0;
            loop {
                let size = size_of::<theta_event>() as u32;
                // SAFETY: 64 events and a place for their number.
                let status =
                    unsafe { theta_session_poll(session, events.as_mut_ptr(), size, 64, &raw mut count) };
                if status == THETA_NOTHING_NEW {
                    break;
                }
                ok(status);
            }
        }
    }

    /// Spawns one more.
    pub fn spawn(&self) -> u64 {
        spawn(self.host, self.component, &rows(1)[..ROW_BYTES])
    }

    /// Despawns one.
    pub fn despawn(&self, entity: u64) {
        ok(theta_entity_despawn(self.host, entity));
    }

    /// Shuts down.
    pub fn end(self) {
        // SAFETY: no report is asked for.
        ok(unsafe { theta_runtime_shutdown(self.runtime, 5000, std::ptr::null_mut()) });
    }
}

/// Where a session stands.
pub fn info(session: theta_session) -> theta_session_info {
    let mut info = zeroed_with_size!(theta_session_info);
    // SAFETY: a live place of the stated size.
    ok(unsafe { theta_session_info_get(session, &raw mut info) });
    info
}

/// The same component as in [`crate::scene`], as a C program describes it.
fn add_body(registry: theta_registry) -> u64 {
    // SAFETY: numbers and pointers only; zero means "default".
    let mut fields: [theta_field_desc; 2] = unsafe { std::mem::zeroed() };
    fields[0].id = 1;
    fields[0].kind = THETA_KIND_VEC3 as u8;
    fields[0].name = c"position".as_ptr();
    fields[0].name_length = 8;
    fields[0].minimum = -1024.0;
    fields[0].maximum = 1023.99609375;
    fields[0].step = 1.0 / 256.0;
    fields[0].semantic = THETA_SEMANTIC_POINT as u8;
    fields[1].id = 2;
    fields[1].kind = THETA_KIND_QUAT as u8;
    fields[1].offset_bytes = 12;
    fields[1].name = c"rotation".as_ptr();
    fields[1].name_length = 8;
    fields[1].bits = 10;
    fields[1].semantic = THETA_SEMANTIC_ROTATION as u8;
    let mut desc = zeroed_with_size!(theta_component_desc);
    desc.name = BODY.as_ptr().cast::<c_char>();
    desc.name_length = BODY.len() as u32;
    desc.fields = fields.as_ptr();
    desc.field_count = 2;
    desc.field_size = size_of::<theta_field_desc>() as u32;
    desc.size_bytes = ROW_BYTES as u32;
    let mut id = 0;
    // SAFETY: everything that the description points to lives through the call.
    ok(unsafe { theta_registry_add(registry, &raw const desc, &raw mut id) });
    id
}

fn start_host(runtime: theta_runtime, registry: theta_registry, basis: u32) -> theta_session {
    let mut config = zeroed_with_size!(theta_host_config);
    config.flags = THETA_HOST_DEV_MODE;
    config.basis = basis;
    let mut host = theta_session { bits: 0 };
    // SAFETY: live values of the stated sizes.
    ok(unsafe { theta_session_host(runtime, registry, &raw const config, &raw mut host) });
    host
}

fn spawn(host: theta_session, component: u64, row: &[u8]) -> u64 {
    let values = [row.as_ptr().cast()];
    let mut desc = zeroed_with_size!(theta_spawn_desc);
    desc.type_id = 1;
    desc.component_count = 1;
    desc.component_ids = &raw const component;
    desc.component_values = values.as_ptr();
    let mut entity = 0;
    // SAFETY: one id and one value of the component's size, alive through the call.
    ok(unsafe { theta_entity_spawn(host, &raw const desc, &raw mut entity) });
    entity
}

/// Host and peer in Rust.
pub struct RustPair {
    runtime: Runtime,
    /// The host.
    pub host: HostSession,
    /// The peer.
    pub joined: JoinSession,
    /// Every entity.
    pub entities: Vec<EntityId>,
}

impl RustPair {
    /// Live, with [`ENTITIES`] entities and events drained.
    pub fn start() -> Self {
        let runtime = Runtime::start(RuntimeConfig::default()).expect("a runtime");
        let options = HostOptions { dev_mode: true, ..HostOptions::default() };
        let mut host = runtime.host(schema(), options).expect("a host");
        let entities = rows(0).chunks_exact(ROW_BYTES).map(|row| spawn_in(&mut host, row)).collect();
        host.tick().expect("the first tick");
        let joined = runtime.join(schema(), JoinOptions::new(host.ticket())).expect("a session");
        let mut pair = Self { runtime, host, joined, entities };
        until("a live peer", || {
            pair.host.tick().expect("ticks");
            pair.drain();
            let info = pair.joined.info();
            info.state == SessionState::Live
                && pair.joined.newest_frame().is_some_and(|it| it.frame.tick.0 > 3)
        });
        pair
    }

    /// Spawns one more.
    pub fn spawn(&mut self) -> EntityId {
        spawn_in(&mut self.host, &rows(1)[..ROW_BYTES])
    }

    /// Waits until the peer shows a tick.
    pub fn wait_for(&mut self, tick: u32) {
        until("a tick at the peer", || {
            self.joined.newest_frame().is_some_and(|newest| newest.frame.tick.0 >= tick)
        });
    }

    /// Takes every event of both sides.
    pub fn drain(&mut self) {
        while self.host.poll().is_some() {}
        while self.joined.poll().is_some() {}
    }

    /// Shuts down.
    pub fn end(self) {
        let Self { runtime, host, joined, .. } = self;
        drop(joined);
        drop(host);
        runtime.shutdown(Duration::from_secs(5));
    }
}

fn spawn_in(host: &mut HostSession, row: &[u8]) -> EntityId {
    let components = [(body(), Some(row))];
    let desc = SpawnDesc { type_id: 1, components: &components, ..SpawnDesc::default() };
    host.world_mut().spawn(&desc).expect("room")
}
