//! Sessions in real time over QUIC on loopback: join, replicate, leave, and end without a trace.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::sessions::*;
use theta_core::replication::Lifecycle;
use theta_core::replication::sample::SampleCode;
use theta_core::schema::{ComponentDesc, FieldDesc, FieldKind, Registry};
use theta_core::session::admission::AdmissionState;
use theta_core::session::input::InputSample;
use theta_core::session::keys::Identity;
use theta_core::session::ticket::{Pass, Ticket};
use theta_core::types::{EntityId, PeerId, Tick};
use theta_core::wire::codes::DisconnectCode;
use theta_core::wire::message::Role;
use theta_sdk::runtime::{
    EventKind, HostOptions, JoinOptions, JoinSession, Runtime, RuntimeConfig, RuntimeError, SessionState,
    ShutdownReport, now_ns,
};

/// Waits until a joined session ends, and says why.
fn ending(session: &mut JoinSession) -> (DisconnectCode, String) {
    until("the end of a session", || {
        events_of(session).into_iter().find_map(|event| match event {
            EventKind::Disconnected { code, reason } => Some((code, reason)),
            _ => None,
        })
    })
}

#[test]
fn three_peers_see_every_tick_of_two_seconds_as_the_host_made_it() {
    let runtime = runtime();
    let mut host = dev_host(&runtime);
    let bodies = spawn_bodies(&mut host, 150);
    let mut joined: Vec<_> = (0..3).map(|n| join(&runtime, &host, &format!("peer {n}"))).collect();
    until_live(&mut host, &joined.iter().collect::<Vec<_>>());

    let mut folds = BTreeMap::new();
    let mut compared = [0_u32; 3];
    let mut lifecycles = [0_usize; 3];
    let began = now_ns();
    let mut late = None;
    while now_ns() - began < 2_000_000_000 {
        for _ in 0..host.ticks_due(now_ns(), 8) {
            let tick = host.world().tick().0 + 1;
            move_bodies(&mut host, &bodies, tick);
            if tick.is_multiple_of(40) {
                late = Some(spawn_bodies(&mut host, 1)[0]);
            } else if tick % 40 == 20
                && let Some(gone) = late.take()
            {
                host.world_mut().despawn(gone).expect("despawns");
            }
            let tick = host.tick().expect("ticks");
            let frame = host.newest_frame().expect("a frame").frame;
            folds.insert(tick, (frame.fold(), frame.entity_count()));
        }
        for (n, session) in joined.iter_mut().enumerate() {
            while let Some(published) = session.next_frame() {
                if let Some((fold, count)) = folds.get(&published.frame.tick) {
                    assert_eq!(published.frame.fold(), *fold, "peer {n} at {}", published.frame.tick);
                    assert_eq!(published.frame.entity_count(), *count);
                    compared[n] += 1;
                }
            }
            for event in events_of(session) {
                lifecycles[n] +=
                    usize::from(matches!(event, EventKind::Lifecycle(Lifecycle::Spawned { .. })));
                assert!(!matches!(event, EventKind::Diverged { .. } | EventKind::Resync), "{event:?}");
            }
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let ticks = folds.len();
    assert!((150..=181).contains(&ticks), "{ticks} ticks in 2 s at 90 Hz");
    for (n, session) in joined.iter().enumerate() {
        assert!(compared[n] as usize * 10 >= ticks * 9, "peer {n} compared {} of {ticks} ticks", compared[n]);
        assert!(lifecycles[n] >= 150, "peer {n} was told of {} entities", lifecycles[n]);
        let statistics = session.statistics().expect("a link");
        assert!(
            statistics.rtt_p50_us > 0 && statistics.rtt_p50_us <= statistics.rtt_p99_us,
            "{statistics:?}"
        );
        assert!(
            statistics.bytes_received > statistics.bytes_sent && statistics.bytes_sent > 0,
            "{statistics:?}"
        );
        assert_eq!((statistics.packets_dropped_bad, statistics.divergences), (0, 0), "{statistics:?}");
    }
    let members = host.peers();
    assert_eq!(members.len(), 3);
    for member in &members {
        assert_eq!((member.state, member.info.role), (SessionState::Live, Role::Editor));
        let statistics = host.statistics(member.info.peer).expect("a link");
        assert!(
            statistics.rtt_p50_us > 0 && statistics.bytes_sent > statistics.bytes_received,
            "{statistics:?}"
        );
        assert!(statistics.confirmed_tick > Tick(60), "compared equal only at {}", statistics.confirmed_tick);
    }
    assert!(host.info().confirmed_tick > Tick(60));

    // One leaves, one is thrown out, one is there when the host ends.
    let mut names: Vec<_> = members.iter().map(|member| member.info.name.clone()).collect();
    names.sort();
    assert_eq!(names, ["peer 0", "peer 1", "peer 2"]);
    let number_of = |name: &str| members.iter().find(|m| m.info.name == name).expect("a member").info.peer;
    joined[0].leave();
    assert_eq!(ending(&mut joined[0]).0, DisconnectCode::Left);
    let left = until("peer 0 gone", || {
        host_events(&mut host).into_iter().find_map(|event| match event {
            EventKind::PeerLeft { peer, code, .. } => Some((peer, code)),
            _ => None,
        })
    });
    assert_eq!(left, (number_of("peer 0"), DisconnectCode::Left));
    host.kick(number_of("peer 1"), "enough").expect("kicks");
    let (code, reason) = ending(&mut joined[1]);
    assert_eq!(code, DisconnectCode::Kicked);
    assert!(reason.contains("enough"), "{reason}");
    until("the roster of peer 2", || joined[2].peers().is_empty().then_some(()));
    assert!(matches!(host.kick(PeerId(99), ""), Err(RuntimeError::PeerUnknown(PeerId(99)))));
    host.leave();
    assert_eq!(ending(&mut joined[2]).0, DisconnectCode::ShuttingDown);
    until("the host closed", || (host.info().state == SessionState::Closed).then_some(()));
    assert!(matches!(host.tick(), Err(RuntimeError::Disconnected)));
    let report = runtime.shutdown(Duration::from_secs(5));
    assert_eq!((report.threads_joined, report.threads_left.len()), (1, 0));
}

#[test]
fn a_full_server_and_components_of_another_kind_say_so() {
    let runtime = runtime();
    let options = HostOptions { dev_mode: true, max_peers: 1, ..HostOptions::default() };
    let mut host = runtime.host(schema(), options).expect("a host");
    host.tick().expect("ticks");
    let first = join(&runtime, &host, "first");
    until_live(&mut host, &[&first]);
    let mut second = join(&runtime, &host, "second");
    let (code, reason) = ending(&mut second);
    assert_eq!(code, DisconnectCode::ServerFull, "{reason}");
    drop(first);
    until("a free place", || host.peers().is_empty().then_some(()));

    let mut registry = Registry::new();
    let other = FieldDesc::new(1, "life", FieldKind::Flags { bits: 3 });
    registry.add(ComponentDesc::new(LIFE).field(other)).expect("a component");
    let other = Arc::new(registry.freeze().expect("a schema"));
    let mut stranger = runtime.join(other, JoinOptions::new(host.ticket())).expect("a session");
    let (code, reason) = ending(&mut stranger);
    assert_eq!(code, DisconnectCode::SchemaMismatch);
    assert!(reason.contains(LIFE) && !reason.contains(BODY), "names what differs: {reason}");
    assert_eq!(stranger.info().state, SessionState::Closed);
    assert_eq!(stranger.info().disconnect, Some(DisconnectCode::SchemaMismatch));
}

#[test]
fn a_build_with_narrower_components_sees_the_world_in_its_own() {
    let runtime = runtime();
    let mut host = dev_host(&runtime);
    spawn_bodies(&mut host, 20);
    let mut old = runtime.join(schema_with(50), JoinOptions::new(host.ticket())).expect("a session");
    until_live(&mut host, &[&old]);
    let told = until("the differences", || {
        events_of(&mut old).into_iter().find_map(|event| match event {
            EventKind::SchemaMapped(mapping) => Some(mapping),
            _ => None,
        })
    });
    assert_eq!(told.notes().len(), 1);
    assert!(told.notes()[0].text.contains(LIFE), "{:?}", told.notes());
    let frame = until("a frame", || {
        host.tick().expect("ticks");
        old.newest_frame()
    });
    let own = schema_with(50);
    let size = own.component(own.index_of(body()).expect("ours")).size_bytes;
    let mut rows = vec![0; 20 * size];
    let read = frame.frame.read_engine(&own, body(), None, &mut rows, size);
    assert_eq!(read, Ok(20), "every body is there");
    let tick = frame.frame.tick;
    until("a confirmed tick", || {
        host.tick().expect("ticks");
        (old.info().confirmed_tick >= tick).then_some(())
    });
}

#[test]
fn the_application_admits_and_denies_and_the_level_loads_first() {
    let runtime = runtime();
    let options = HostOptions { dev_mode: true, manual_admission: true, ..HostOptions::default() };
    let mut host = runtime.host(schema(), options).expect("a host");
    spawn_bodies(&mut host, 3);
    host.tick().expect("ticks");
    let ask = |name: &str| {
        let options = JoinOptions {
            name: name.to_owned(),
            application: name.as_bytes().to_vec(),
            manual_loaded: true,
            ..JoinOptions::new(host.ticket())
        };
        runtime.join(schema(), options).expect("a session")
    };
    let (mut good, mut bad) = (ask("good"), ask("bad"));
    let mut requests = BTreeMap::new();
    until("two requests", || {
        for event in host_events(&mut host) {
            if let EventKind::JoinRequest { info, application, .. } = event {
                assert_eq!(info.name.as_bytes(), application);
                requests.insert(info.name.clone(), info.peer);
            }
        }
        (requests.len() == 2).then_some(())
    });
    assert!(matches!(host.admit(PeerId(77), Role::Editor, b""), Err(RuntimeError::PeerUnknown(_))));
    host.admit(requests["good"], Role::Viewer, b"level 7").expect("admits");
    host.deny(requests["bad"], "not today").expect("denies");
    let (code, reason) = ending(&mut bad);
    assert_eq!(code, DisconnectCode::DeniedByApplication);
    assert!(reason.contains("not today"), "{reason}");
    let admitted = until("admission", || {
        events_of(&mut good).into_iter().find_map(|event| match event {
            EventKind::Admitted { peer, role, application, tick_rate_hz, .. } => {
                Some((peer, role, application, tick_rate_hz))
            }
            _ => None,
        })
    });
    assert_eq!(admitted, (requests["good"], Role::Viewer, b"level 7".to_vec(), 90));
    // Loading takes its time, and nothing comes meanwhile.
    for _ in 0..30 {
        host.tick().expect("ticks");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(good.info().state, SessionState::Admitted);
    assert!(matches!(good.send_input(InputSample::default()), Err(RuntimeError::NotLive)));
    assert!(good.newest_frame().is_none());
    let early = good.sampler().sample(body(), None, EntityId::new(0, 1), 1.0, &mut [0; 24]);
    assert!(matches!(early, Err(RuntimeError::NoFrame)), "{early:?}");
    good.loaded();
    until_live(&mut host, &[&good]);
    let frame = until("a frame", || good.newest_frame());
    assert_eq!(frame.frame.entity_count(), 3);
    assert_eq!(good.info().role, Some(Role::Viewer));
}

#[test]
fn who_comes_before_the_first_tick_waits_for_it() {
    let runtime = runtime();
    let options = HostOptions { dev_mode: true, ..HostOptions::default() };
    let mut host = runtime.host(schema(), options).expect("a host");
    let early = join(&runtime, &host, "early");
    until("a member", || host.peers().iter().any(|peer| peer.info.name == "early").then_some(()));
    // Longer than loading takes: the snapshot is due, and there is none.
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(early.info().disconnect, None, "{:?}", early.info());
    assert_ne!(early.info().state, SessionState::Live);
    spawn_bodies(&mut host, 3);
    until_live(&mut host, &[&early]);
}

#[test]
fn tickets_open_for_the_key_they_name() {
    let runtime = runtime();
    let options = HostOptions { bind: Some("127.0.0.1:0".to_owned()), ..HostOptions::default() };
    let mut host = runtime.host(schema(), options).expect("a host");
    host.tick().expect("ticks");
    let seed = [7; 32];
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let issue = |expires| {
        host.issue_ticket(Identity::from_seed(&seed).public_key(), Role::Commenter, expires, None)
            .expect("issues")
    };
    let (ticket, expired) = (issue(unix + 60), issue(unix - 60));
    assert!(host.issue_ticket([0; 32], Role::Editor, 0, Some("no endpoint")).is_err());
    let with = |ticket: Ticket, seed: Option<[u8; 32]>| {
        let options = JoinOptions { identity_seed: seed, ..JoinOptions::new(ticket) };
        runtime.join(schema(), options).expect("a session")
    };
    assert_eq!(ending(&mut with(host.ticket(), None)).0, DisconnectCode::AdmissionRequired);
    assert_eq!(ending(&mut with(ticket.clone(), None)).0, DisconnectCode::TicketWrongKey);
    assert_eq!(ending(&mut with(expired, Some(seed))).0, DisconnectCode::TicketExpired);
    let member = with(ticket, Some(seed));
    until_live(&mut host, &[&member]);
    assert_eq!(member.info().role, Some(Role::Commenter));
    assert_eq!(member.info().session_id, host.info().session_id);
}

#[test]
fn invites_bans_and_tokens_over_real_links() {
    let runtime = runtime();
    let bind = Some("127.0.0.1:0".to_owned());
    let options = HostOptions { bind: bind.clone(), takes_bearer: true, ..HostOptions::default() };
    let mut host = runtime.host(schema(), options).expect("a host");
    host.tick().expect("ticks");
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let (invite, ticket) = host.create_invite(Role::Editor, 1, unix + 60, None).expect("invites");
    assert!(host.create_invite(Role::Admin, 1, unix + 60, None).is_err());
    assert_eq!(host.admission().invites().len(), 1, "seen before the I/O thread has it");
    let with = |ticket: &Ticket, seed: u8| {
        let ticket = Ticket::parse(&ticket.to_string()).expect("our own");
        let options = JoinOptions { identity_seed: Some([seed; 32]), ..JoinOptions::new(ticket) };
        runtime.join(schema(), options).expect("a session")
    };
    let mut first = with(&ticket, 1);
    until_live(&mut host, &[&first]);
    let key = Identity::from_seed(&[1; 32]).public_key();
    let bound = until("the invite's use", || {
        host_events(&mut host).into_iter().find_map(|event| match event {
            EventKind::InviteBound { invite, key } => Some((invite, key)),
            _ => None,
        })
    });
    assert_eq!(bound, (invite, key));
    assert_eq!(ending(&mut with(&ticket, 2)).0, DisconnectCode::InviteUsed);

    // Banned: out at once, and not in again.
    let peer = first.info().local_peer;
    assert_eq!(host.ban_peer(peer).expect("bans"), key);
    assert_eq!(ending(&mut first).0, DisconnectCode::Banned);
    assert_eq!(ending(&mut with(&ticket, 1)).0, DisconnectCode::Banned);
    host.revoke_invite(invite).expect("revokes");

    // A token is the application's to judge.
    let mut guest = {
        let options = JoinOptions { bearer: Some(b"token".to_vec()), ..JoinOptions::new(host.ticket()) };
        runtime.join(schema(), options).expect("a session")
    };
    let asked = until("a request", || {
        host_events(&mut host).into_iter().find_map(|event| match event {
            EventKind::JoinRequest { info, bearer, .. } => Some((info.peer, bearer)),
            _ => None,
        })
    });
    assert_eq!(asked.1.as_deref(), Some(b"token".as_slice()));
    host.deny(asked.0, "unknown").expect("denies");
    assert_eq!(ending(&mut guest).0, DisconnectCode::AdmissionRefused);

    // The state goes to the next host.
    let kept = host.admission().encode();
    drop(host);
    let admission = AdmissionState::decode(&kept).expect("our own");
    assert!(admission.is_banned(&key));
    let seeds = (Some([8; 32]), Some([9; 32]));
    let options = HostOptions {
        bind,
        admission,
        authority_seed: seeds.0,
        host_seed: seeds.1,
        ..HostOptions::default()
    };
    let mut host = runtime.host(schema(), options).expect("a host");
    let member = host.issue_ticket(key, Role::Editor, unix + 60, None).expect("issues");
    assert_eq!(ending(&mut with(&member, 1)).0, DisconnectCode::Banned);
    host.unban(key).expect("unbans");
    host.tick().expect("ticks");
    let back = with(&member, 1);
    until_live(&mut host, &[&back]);
}

/// Knocks at a host as fast as one thread can until told to stop: connections that never speak, broken off and begun again,
/// and datagrams that are nothing. Gives how many connections came up.
fn flood(host: std::net::SocketAddr, stop: &std::sync::atomic::AtomicBool) -> u64 {
    use theta_sdk::transport::{Transport, TransportConfig, TransportEvent};
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let mut connected = 0;
    tokio.block_on(async {
        while !stop.load(Relaxed) {
            let any = "127.0.0.1:0".parse().expect("an address");
            let mut client = Transport::quic_client(any, TransportConfig::default()).expect("a socket");
            for n in 0..16_u8 {
                client.connect(host).expect("begins");
                let _ = socket.send_to(&[0xc0 | n; 1200], host);
            }
            let end = tokio::time::Instant::now() + Duration::from_millis(60);
            while let Ok(event) = tokio::time::timeout_at(end, client.next_event()).await {
                connected += u64::from(matches!(event, TransportEvent::Connected { .. }));
            }
        }
    });
    connected
}

#[test]
fn a_flood_of_handshakes_leaves_members_untouched() {
    let runtime = runtime();
    let mut host = dev_host(&runtime);
    let bodies = spawn_bodies(&mut host, 20);
    let mut member = join(&runtime, &host, "member");
    until_live(&mut host, &[&member]);
    let stop = std::sync::atomic::AtomicBool::new(false);
    let address = host.local_addr();
    let (connected, frames, longest) = std::thread::scope(|scope| {
        let flooding = scope.spawn(|| flood(address, &stop));
        let began = Instant::now();
        let (mut newest, mut longest, mut frames) = (Instant::now(), Duration::ZERO, 0);
        while began.elapsed() < Duration::from_secs(3) {
            for _ in 0..host.ticks_due(now_ns(), 8) {
                let tick = host.world().tick().0 + 1;
                move_bodies(&mut host, &bodies, tick);
                host.tick().expect("ticks");
            }
            while member.next_frame().is_some() {
                longest = longest.max(newest.elapsed());
                newest = Instant::now();
                frames += 1;
            }
            host_events(&mut host);
            assert!(
                !events_of(&mut member).iter().any(|event| matches!(event, EventKind::Disconnected { .. }))
            );
            std::thread::sleep(Duration::from_millis(2));
        }
        stop.store(true, Relaxed);
        (flooding.join().expect("the flood"), frames, longest)
    });
    println!("{connected} connections came up; {frames} frames, the longest wait {longest:?}");
    assert!(connected > 20, "{connected} connections: that is no flood");
    assert!(frames > 150, "{frames} frames of 270");
    assert!(longest < Duration::from_secs(1), "{longest:?} without a frame");
    assert_eq!(host.peers().len(), 1);
    // When it is over, somebody honest comes in.
    let honest = until("a place at the door", || {
        let mut honest = join(&runtime, &host, "honest");
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(2) {
            host.tick().expect("ticks");
            if events_of(&mut honest).iter().any(|event| matches!(event, EventKind::Disconnected { .. })) {
                return None;
            }
            if honest.info().state == SessionState::Live {
                return Some(honest);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    });
    drop(honest);
}

#[test]
fn a_middle_node_that_forwards_every_byte_is_refused() {
    let runtime = runtime();
    let mut host = dev_host(&runtime);
    let middle = common::middle::MiddleThread::before(host.local_addr());
    let mut ticket = host.ticket();
    ticket.endpoint = middle.address.to_string();
    let mut victim = runtime.join(schema(), JoinOptions::new(ticket)).expect("a session");
    let (code, reason) = ending(&mut victim);
    assert_eq!(code, DisconnectCode::BadHostProof, "{reason}");
    assert!(middle.forwarded.connections.load(Relaxed) > 0, "it did stand between");
    assert!(middle.forwarded.stream_bytes.load(Relaxed) > 200, "and forwarded the handshake");
    assert!(host.peers().is_empty());
    let told = host_events(&mut host);
    let joined =
        |event: &EventKind| matches!(event, EventKind::JoinRequest { .. } | EventKind::PeerJoined { .. });
    assert!(!told.iter().any(joined), "{told:?}");
    // The same ticket by the straight way works.
    let straight = join(&runtime, &host, "straight");
    until_live(&mut host, &[&straight]);
}

#[test]
fn input_reaches_the_host_and_samples_reach_the_display() {
    let runtime = runtime();
    let mut host = dev_host(&runtime);
    let bodies = spawn_bodies(&mut host, 4);
    let mut joined = join(&runtime, &host, "player");
    let sampler = joined.sampler();
    let mut out = [0; 24];
    until_live(&mut host, &[&joined]);
    let peer = joined.info().local_peer;
    assert!(host.newest_input(peer).expect("a member").is_none());

    let mut shown = Vec::new();
    let began = Instant::now();
    let mut buttons = 0;
    while began.elapsed() < Duration::from_millis(1500) {
        for _ in 0..host.ticks_due(now_ns(), 8) {
            let tick = host.world().tick().0 + 1;
            move_bodies(&mut host, &bodies, tick);
            host.tick().expect("ticks");
        }
        for _ in 0..joined.ticks_due(now_ns(), 8) {
            buttons += 1;
            joined.send_input(InputSample { buttons, ..InputSample::default() }).expect("sends");
        }
        if began.elapsed() > Duration::from_millis(700) {
            let render = joined.render_tick(now_ns());
            let code = sampler.sample(body(), None, bodies[1], render, &mut out).expect("samples").code;
            let x = f32::from_le_bytes(out[..4].try_into().expect("four bytes"));
            shown.push((render, code, x, host.world().tick().0));
        }
        std::thread::sleep(Duration::from_millis(3));
    }
    let input = until("the last input", || {
        let newest = host.newest_input(peer).expect("a member")?;
        (newest.buttons == buttons).then_some(newest)
    });
    assert!(input.input_tick > Tick::ZERO, "numbered by the session");
    let inputs = until("statistics", || host.statistics(peer)).inputs_received;
    assert!(inputs * 10 >= u64::from(buttons) * 8, "{inputs} of {buttons}");

    assert!(shown.is_sorted_by(|a, b| a.0 < b.0), "the shown moment runs forward");
    let smooth = shown.iter().filter(|(_, code, ..)| *code == SampleCode::Interpolated).count();
    assert!(smooth * 10 >= shown.len() * 7, "{smooth} of {} samples are interpolated", shown.len());
    for (render, code, x, host_tick) in &shown {
        let behind = f64::from(*host_tick) - render;
        assert!((-2.0..30.0).contains(&behind), "{behind} ticks behind the host");
        if *code == SampleCode::Interpolated {
            let low = orbit(1, render.floor() as u32)[0];
            let high = orbit(1, render.ceil() as u32)[0];
            assert!(*x >= low.min(high) - 0.02 && *x <= low.max(high) + 0.02, "{x} at {render}");
        }
    }
}

#[test]
fn who_does_not_poll_gets_a_resync_and_the_roster_is_the_truth() {
    let runtime = runtime();
    let mut host = dev_host(&runtime);
    let mut sleeper = join(&runtime, &host, "sleeper");
    until_live(&mut host, &[&sleeper]);
    events_of(&mut sleeper);
    // More than any ring holds, and the application is away.
    for _ in 0..12 {
        spawn_bodies(&mut host, 400);
        host.tick().expect("ticks");
        std::thread::sleep(Duration::from_millis(30));
    }
    until("the world at the sleeper", || {
        host.tick().expect("ticks");
        (sleeper.info().entity_count == 4800).then_some(())
    });
    let mut told = 0;
    let mut resynced = false;
    until("a resync", || {
        for event in events_of(&mut sleeper) {
            told += usize::from(matches!(event, EventKind::Lifecycle(_)));
            resynced |= matches!(event, EventKind::Resync);
        }
        resynced.then_some(())
    });
    assert!(told < 4800);
    let dropped = sleeper.statistics().expect("a link").events_dropped as usize;
    assert!(dropped + told >= 4800, "{dropped} dropped and {told} told");
    assert_eq!(sleeper.newest_frame().expect("a frame").frame.entity_count(), 4800);
    // And from here on events come singly again.
    spawn_bodies(&mut host, 1);
    host.tick().expect("ticks");
    until("the next spawn", || {
        events_of(&mut sleeper)
            .into_iter()
            .any(|event| matches!(event, EventKind::Lifecycle(Lifecycle::Spawned { .. })))
            .then_some(())
    });
}

#[test]
fn a_host_driven_runtime_needs_no_thread() {
    let stepped = Runtime::start(RuntimeConfig { host_driven: true }).expect("a runtime");
    let mut host = dev_host(&stepped);
    spawn_bodies(&mut host, 10);
    let mut joined = join(&stepped, &host, "stepped");
    until("live", || {
        host.tick().expect("ticks");
        stepped.step(Duration::from_millis(1)).expect("steps");
        (joined.info().state == SessionState::Live && joined.newest_frame().is_some()).then_some(())
    });
    assert_eq!(joined.newest_frame().expect("a frame").frame.entity_count(), 10);
    let report = stepped.shutdown(Duration::from_secs(5));
    assert_eq!((report.threads_joined, report.sessions_closed), (0, 2));
    assert!(
        matches!(ending(&mut joined).0, DisconnectCode::ShuttingDown | DisconnectCode::Left),
        "both ended at once"
    );
    assert!(matches!(stepped.step(Duration::ZERO), Err(RuntimeError::ShutDown)));
    assert!(matches!(runtime().step(Duration::ZERO), Err(RuntimeError::NotHostDriven)));
}

#[test]
fn ticks_that_find_no_room_are_merged_and_none_of_their_changes_is_lost() {
    let stepped = Runtime::start(RuntimeConfig { host_driven: true }).expect("a runtime");
    let mut host = dev_host(&stepped);
    let bodies = spawn_bodies(&mut host, 300);
    host.tick().expect("ticks");
    let mut joined = join(&stepped, &host, "behind");
    let step = || stepped.step(Duration::from_millis(1)).expect("steps");
    until("live", || {
        step();
        (joined.info().state == SessionState::Live).then_some(())
    });
    // The I/O side stands still for more ticks than its ring holds, and each tick changes something else for good.
    for n in 0..300 {
        move_bodies(&mut host, &bodies[n..=n], n as u32 + 1);
        host.tick().expect("ticks");
    }
    let newest = host.newest_frame().expect("a frame").frame;
    // No further tick: polling is enough to get the rest out.
    until("the newest tick at the peer", || {
        while host.poll().is_some() {}
        step();
        let frame = joined.newest_frame()?.frame;
        (frame.tick == newest.tick).then(|| assert_eq!(frame.fold(), newest.fold()))
    });
    let statistics = until("statistics", || {
        step();
        joined.statistics()
    });
    assert_eq!(statistics.divergences, 0);
}

#[test]
fn wrong_addresses_are_errors_or_endings() {
    let runtime = runtime();
    let bind = |address: &str, dev_mode| {
        let options = HostOptions { dev_mode, bind: Some(address.to_owned()), ..HostOptions::default() };
        runtime.host(schema(), options).map(|host| host.local_addr())
    };
    assert!(matches!(bind("nonsense", true), Err(RuntimeError::Address { .. })));
    assert!(matches!(bind("0.0.0.0:0", true), Err(RuntimeError::NotLoopback(_))));
    let taken = dev_host(&runtime);
    assert!(matches!(bind(&taken.local_addr().to_string(), true), Err(RuntimeError::Transport(_))));
    assert!(bind("[::1]:0", true).is_ok());

    let nobody =
        std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket").local_addr().expect("an address");
    for endpoint in [nobody.to_string(), "no-such-host.invalid:4433".to_owned()] {
        let ticket = Ticket { endpoint: endpoint.clone(), pin: None, pass: Pass::None };
        let options = JoinOptions { handshake_timeout_ms: 500, ..JoinOptions::new(ticket) };
        let mut lost = runtime.join(schema(), options).expect("a session");
        let (code, reason) = ending(&mut lost);
        assert!(
            matches!(code, DisconnectCode::LinkLost | DisconnectCode::HandshakeTimeout),
            "{code:?} {reason}"
        );
        assert!(reason.contains(&endpoint), "the sentence names the address: {reason}");
        assert!(matches!(lost.send_input(InputSample::default()), Err(RuntimeError::Disconnected)));
    }
}

#[test]
fn dropping_in_any_order_and_detaching_is_safe() {
    let first = runtime();
    let mut host = dev_host(&first);
    let second = runtime();
    let mut joined = join(&second, &host, "survivor");
    until_live(&mut host, &[&joined]);
    // The runtime goes first; the session handle answers, and the other side is told.
    let view = host.view();
    drop(first);
    assert_eq!(ending(&mut joined).0, DisconnectCode::ShuttingDown);
    until("the host's end", || view.info().state.is_over().then_some(()));
    assert!(matches!(host.tick(), Err(RuntimeError::Disconnected)));
    assert!(host.newest_frame().is_some(), "what was sealed stays readable");
    drop(host);
    second.detach();
    assert!(matches!(second.host(schema(), HostOptions::default()), Err(RuntimeError::ShutDown)));
    assert_eq!(
        second.shutdown(Duration::from_secs(1)),
        ShutdownReport::default(),
        "nothing is left to report"
    );
}
