//! Hosts and joined sessions for tests: a schema, rows, and waiting without sleeping blindly.

use std::sync::Arc;
use std::time::{Duration, Instant};

use theta_core::schema::{
    ComponentDesc, FieldDesc, FieldKind, IntType, Range, Registry, Schema, component_id,
};
use theta_core::types::{ComponentId, EntityId};
use theta_core::world::SpawnDesc;
use theta_sdk::runtime::{
    EventKind, HostOptions, HostSession, JoinOptions, JoinSession, Runtime, RuntimeConfig, SessionState,
};

use super::PATIENCE;

/// Position and velocity: what moves.
pub const BODY: &str = "test.body";
/// What changes rarely.
pub const LIFE: &str = "test.life";

/// Two components.
pub fn schema() -> Arc<Schema> {
    schema_with(100)
}

/// The same with another bound, and so with another layout of [`LIFE`].
pub fn schema_with(most_life: i128) -> Arc<Schema> {
    let range = Range::new(-512.0, 511.99, 1.0 / 256.0);
    let mut registry = Registry::new();
    let body = ComponentDesc::new(BODY)
        .field(FieldDesc::new(1, "position", FieldKind::vec3(range)))
        .field(FieldDesc::new(2, "velocity", FieldKind::vec3(range)));
    let life = ComponentDesc::new(LIFE).field(FieldDesc::new(
        1,
        "life",
        FieldKind::Int { ty: IntType::I32, min: 0, max: most_life },
    ));
    for desc in [body, life] {
        registry.add(desc).expect("a component");
    }
    Arc::new(registry.freeze().expect("a schema"))
}

/// The id of [`BODY`].
pub fn body() -> ComponentId {
    component_id(BODY)
}

/// An engine row of [`BODY`].
pub fn row(position: [f32; 3], velocity: [f32; 3]) -> Vec<u8> {
    position.into_iter().chain(velocity).flat_map(f32::to_le_bytes).collect()
}

/// Where body `n` is at a tick: each moves on a circle of its own.
pub fn orbit(n: usize, tick: u32) -> [f32; 3] {
    let angle = tick as f32 * 0.02 + n as f32;
    [angle.cos() * (n as f32 + 1.0), 1.0, angle.sin() * (n as f32 + 1.0)]
}

/// A runtime with its own thread.
pub fn runtime() -> Runtime {
    Runtime::start(RuntimeConfig::default()).expect("a runtime")
}

/// A host on loopback that needs no tickets and has sealed its first, empty tick.
pub fn dev_host(runtime: &Runtime) -> HostSession {
    let options = HostOptions { dev_mode: true, ..HostOptions::default() };
    let mut host = runtime.host(schema(), options).expect("a host");
    host.tick().expect("ticks");
    host
}

/// Joins with the host's open ticket.
pub fn join(runtime: &Runtime, host: &HostSession, name: &str) -> JoinSession {
    let options = JoinOptions { name: name.to_owned(), ..JoinOptions::new(host.ticket()) };
    runtime.join(schema(), options).expect("a session")
}

/// Spawns bodies on their circles.
pub fn spawn_bodies(host: &mut HostSession, count: usize) -> Vec<EntityId> {
    (0..count)
        .map(|n| {
            let first = row(orbit(n, 0), [0.0; 3]);
            let components = [(body(), Some(first.as_slice())), (component_id(LIFE), None)];
            let desc = SpawnDesc { type_id: n as u32, components: &components, ..SpawnDesc::default() };
            host.world_mut().spawn(&desc).expect("spawns")
        })
        .collect()
}

/// Moves every body to where it belongs at this tick.
pub fn move_bodies(host: &mut HostSession, bodies: &[EntityId], tick: u32) {
    let rows: Vec<u8> = (0..bodies.len()).flat_map(|n| row(orbit(n, tick), [0.0; 3])).collect();
    let report = host.world_mut().write_rows(body(), None, bodies, &rows, 24).expect("writes");
    assert_eq!(report.unknown + report.missing, 0, "{report:?}");
}

/// Calls `check` every millisecond until it gives something; fails after [`PATIENCE`].
pub fn until<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain for: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Every event that is there.
pub fn events_of(session: &mut JoinSession) -> Vec<EventKind> {
    std::iter::from_fn(|| session.poll()).map(|event| event.kind).collect()
}

/// Every event that is there.
pub fn host_events(session: &mut HostSession) -> Vec<EventKind> {
    std::iter::from_fn(|| session.poll()).map(|event| event.kind).collect()
}

/// Ticks the host until these sessions are live.
pub fn until_live(host: &mut HostSession, joined: &[&JoinSession]) {
    until("everybody live", || {
        host.tick().expect("ticks");
        let live = |session: &&JoinSession| {
            let state = session.info().state;
            assert!(!state.is_over(), "a session ended: {:?}", session.info());
            state == SessionState::Live
        };
        joined.iter().all(live).then_some(())
    });
}
