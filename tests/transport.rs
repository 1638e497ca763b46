//! What a lane promises, over QUIC and over memory: one suite, two transports.

mod common;

use std::collections::HashMap;
use std::time::Duration;

use common::{PATIENCE, number, numbered, packet};
use theta_core::session::Binding;
use theta_core::types::Lane;
use theta_core::wire::codes::DisconnectCode;
use theta_core::wire::message::BindingKind;
use theta_sdk::transport::quic::tls;
use theta_sdk::transport::{ConnectionId, Transport, TransportConfig, TransportError, TransportEvent};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Over {
    Quic,
    Memory,
}

const BOTH: [Over; 2] = [Over::Quic, Over::Memory];
const LOOPBACK: &str = "127.0.0.1:0";

fn run<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), future).await.expect("in time") })
}

fn address() -> std::net::SocketAddr {
    LOOPBACK.parse().expect("an address")
}

/// A server and a way to it.
struct Place {
    over: Over,
    server: Transport,
}

impl Place {
    fn new(over: Over, config: TransportConfig) -> Self {
        let server = match over {
            Over::Quic => Transport::quic_server(address(), config).expect("a server"),
            Over::Memory => Transport::memory_server(config),
        };
        Self { over, server }
    }

    fn client(&self, config: TransportConfig, binding: u8) -> (Transport, ConnectionId) {
        match self.over {
            Over::Quic => {
                let mut client = Transport::quic_client(address(), config).expect("a client");
                let id = client.connect(self.server.local_addr().expect("an address")).expect("an attempt");
                (client, id)
            }
            Over::Memory => {
                let mut client = Transport::memory_client(config);
                let id = client.connect_memory(&self.server.door().expect("a door"), [binding; 32], 1200);
                (client, id)
            }
        }
    }
}

/// Both ends of one connection, up.
struct Pair {
    server: Transport,
    at_server: ConnectionId,
    server_binding: Binding,
    client: Transport,
    at_client: ConnectionId,
    client_binding: Binding,
}

async fn next(transport: &mut Transport) -> TransportEvent {
    tokio::time::timeout(PATIENCE, transport.next_event()).await.expect("an event in time")
}

async fn connected(transport: &mut Transport) -> (ConnectionId, Binding) {
    match next(transport).await {
        TransportEvent::Connected { connection, binding, max_datagram_bytes, remote } => {
            assert!(max_datagram_bytes >= 1150, "limit {max_datagram_bytes}");
            assert!(remote.is_loopback());
            (connection, binding)
        }
        other => panic!("not connected: {other:?}"),
    }
}

async fn pair(over: Over, config: TransportConfig) -> Pair {
    let mut place = Place::new(over, config.clone());
    let (mut client, id) = place.client(config, 7);
    let (at_client, client_binding) = connected(&mut client).await;
    assert_eq!(at_client, id);
    client.open_lane(at_client, Lane::Control, 0).expect("control opens");
    let (at_server, server_binding) = connected(&mut place.server).await;
    match next(&mut place.server).await {
        TransportEvent::StreamOpened { lane: Lane::Control, schema_hash: 0, .. } => {}
        other => panic!("no control lane: {other:?}"),
    }
    Pair { server: place.server, at_server, server_binding, client, at_client, client_binding }
}

/// The next packet, with its lane; other events fail the test.
async fn next_packet(transport: &mut Transport) -> (Lane, Vec<u8>) {
    loop {
        match next(transport).await {
            TransportEvent::Packet { lane, bytes, .. } => return (lane, bytes),
            TransportEvent::DatagramLimit { .. } => {}
            other => panic!("no packet: {other:?}"),
        }
    }
}

#[test]
fn both_ends_get_the_same_binding_and_another_for_each_connection() {
    for over in BOTH {
        run(async {
            let mut place = Place::new(over, TransportConfig::default());
            let mut seen = Vec::new();
            for n in 0..3 {
                let (mut client, id) = place.client(TransportConfig::default(), n);
                let (at_client, here) = connected(&mut client).await;
                assert_eq!(at_client, id);
                client.open_lane(id, Lane::Control, 0).expect("opens");
                let there = loop {
                    if let TransportEvent::Connected { binding, .. } = next(&mut place.server).await {
                        break binding;
                    }
                };
                assert_eq!(here, there, "{over:?}");
                let kind = if over == Over::Quic { BindingKind::TlsExporter } else { BindingKind::Memory };
                assert_eq!(here.kind, kind);
                assert!(!seen.contains(&here.bytes), "{over:?}: a binding came twice");
                seen.push(here.bytes);
            }
        });
    }
}

#[test]
fn a_middle_node_forwards_everything_but_the_binding() {
    run(async {
        let mut server = Transport::quic_server(address(), TransportConfig::default()).expect("a server");
        let middle = common::middle::Middle::before(server.local_addr().expect("an address"));
        let mut client = Transport::quic_client(address(), TransportConfig::default()).expect("a client");
        client.connect(middle.address).expect("an attempt");
        let (at_client, here) = connected(&mut client).await;
        client.open_lane(at_client, Lane::Control, 0).expect("opens");
        client.send(at_client, Lane::Control, numbered(40, 1)).expect("sends");
        let (at_server, there) = connected(&mut server).await;
        assert_ne!(here.bytes, there.bytes);
        assert!(matches!(next(&mut server).await, TransportEvent::StreamOpened { lane: Lane::Control, .. }));
        assert_eq!(next_packet(&mut server).await, (Lane::Control, numbered(40, 1)));
        server.send(at_server, Lane::State, numbered(600, 2)).expect("sends");
        assert_eq!(next_packet(&mut client).await, (Lane::State, numbered(600, 2)));
        server.close(at_server, 37, "as agreed");
        match next(&mut client).await {
            TransportEvent::Closed { code: 37, reason, .. } => assert_eq!(reason, "as agreed"),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn every_lane_opens_with_its_hash_and_keeps_order() {
    for over in BOTH {
        run(async {
            let mut p = pair(over, TransportConfig::default()).await;
            p.server.open_lane(p.at_server, Lane::Control, 11).expect("opens");
            p.server.open_lane(p.at_server, Lane::Replication, 12).expect("opens");
            p.server.open_lane(p.at_server, Lane::Bulk(3), 13).expect("opens");
            p.client.open_lane(p.at_client, Lane::Replication, 14).expect("opens");
            let again = p.server.open_lane(p.at_server, Lane::Replication, 12);
            assert!(matches!(again, Err(TransportError::LaneOpen(Lane::Replication))), "{again:?}");
            let datagrams = p.server.open_lane(p.at_server, Lane::State, 0);
            assert!(matches!(datagrams, Err(TransportError::NotReliable(Lane::State))), "{datagrams:?}");
            let unopened = p.server.send(p.at_server, Lane::Bulk(9), packet(20, 0));
            assert!(matches!(unopened, Err(TransportError::LaneNotOpen(Lane::Bulk(9)))), "{unopened:?}");

            let lanes = [Lane::Control, Lane::Replication, Lane::Bulk(3)];
            for n in 0..300 {
                for lane in lanes {
                    // Sizes on both sides of every buffer there is.
                    p.server
                        .send(p.at_server, lane, numbered(16 + (n as usize * 97) % 3000, n))
                        .expect("sends");
                }
            }
            let (mut opened, mut counts) = (HashMap::new(), HashMap::<Lane, u32>::new());
            while counts.values().sum::<u32>() < 900 {
                match next(&mut p.client).await {
                    TransportEvent::StreamOpened { lane, schema_hash, .. } => {
                        assert_eq!(opened.insert(lane, schema_hash), None, "{over:?} {lane:?} opened twice");
                    }
                    TransportEvent::Packet { lane, bytes, .. } => {
                        assert!(opened.contains_key(&lane), "{over:?} {lane:?} before its preface");
                        let count = counts.entry(lane).or_default();
                        assert_eq!(number(&bytes), *count, "{over:?} {lane:?}");
                        assert_eq!(bytes.len(), 16 + (*count as usize * 97) % 3000);
                        *count += 1;
                    }
                    other => panic!("{over:?}: {other:?}"),
                }
            }
            let expected: HashMap<_, _> =
                [(Lane::Control, 11), (Lane::Replication, 12), (Lane::Bulk(3), 13)].into();
            assert_eq!(opened, expected, "{over:?}");

            p.client.send(p.at_client, Lane::Replication, numbered(50, 5)).expect("sends");
            match next(&mut p.server).await {
                TransportEvent::StreamOpened { lane: Lane::Replication, schema_hash: 14, .. } => {}
                other => panic!("{over:?}: {other:?}"),
            }
            assert_eq!(next_packet(&mut p.server).await, (Lane::Replication, numbered(50, 5)));
        });
    }
}

#[test]
fn datagram_lanes_need_no_opening_and_have_a_limit() {
    for over in BOTH {
        run(async {
            let mut p = pair(over, TransportConfig::default()).await;
            for (n, lane) in [Lane::State, Lane::Input, Lane::Presence].into_iter().enumerate() {
                let sent = numbered(1150, n as u32);
                p.client.send(p.at_client, lane, sent.clone()).expect("sends");
                assert_eq!(next_packet(&mut p.server).await, (lane, sent), "{over:?}");
            }
            let large = p.client.send(p.at_client, Lane::State, packet(1600, 1));
            assert!(
                matches!(large, Err(TransportError::TooLarge { bytes: 1600, limit }) if limit >= 1150),
                "{over:?}: {large:?}"
            );
            let mut lying = packet(100, 1);
            lying[0] = 99;
            assert!(matches!(
                p.client.send(p.at_client, Lane::State, lying),
                Err(TransportError::TooLarge { bytes: 100, limit: 99 })
            ));
            let counters = p.client.counters(p.at_client).expect("up");
            assert!(counters.bytes_sent >= 3 * 1150 && counters.packets_sent >= 3, "{over:?}: {counters:?}");
            assert_eq!(counters.datagrams_purged, 0);
        });
    }
}

#[test]
fn a_newer_tick_purges_what_is_unsent_and_says_so() {
    for over in BOTH {
        run(async {
            let mut p = pair(over, TransportConfig::default()).await;
            // Without a turn for the tasks nothing leaves; far more than every buffer below takes.
            let per_tick = 600_u32;
            let mut purged = 0_u32;
            for tick in 0..3 {
                p.server.begin_batch();
                for n in 0..per_tick {
                    let sent = numbered(400, tick * per_tick + n);
                    p.server.send(p.at_server, Lane::State, sent).expect("sends");
                }
            }
            while let Some(event) = p.server.try_next_event() {
                if let TransportEvent::Purged { lane, packets, bytes, .. } = event {
                    assert_eq!(lane, Lane::State);
                    assert_eq!(bytes, u64::from(packets) * 400);
                    purged += packets;
                }
            }
            assert!(purged > 0, "{over:?}: nothing was purged");
            let counters = p.server.counters(p.at_server).expect("up");
            assert_eq!(counters.datagrams_purged, u64::from(purged), "{over:?}");
            // Everything that was not reported as purged arrives (loopback loses nothing that was paced).
            let mut arrived = Vec::new();
            while arrived.len() < (3 * per_tick - purged) as usize {
                arrived.push(number(&next_packet(&mut p.client).await.1));
            }
            let newest = arrived.iter().filter(|n| **n >= 2 * per_tick).count();
            assert_eq!(newest, per_tick as usize, "{over:?}: the newest tick must arrive whole");
        });
    }
}

#[test]
fn datagrams_flow_beside_a_big_bulk_transfer() {
    for over in BOTH {
        run(async {
            let mut p = pair(over, TransportConfig::default()).await;
            let (pieces, piece_bytes) = (400_u32, 60_000);
            p.server.open_lane(p.at_server, Lane::Bulk(1), 5).expect("opens");
            for n in 0..pieces {
                p.server
                    .send(p.at_server, Lane::Bulk(1), numbered(piece_bytes, n))
                    .expect("24 MB fit the queue");
            }
            p.server.finish(p.at_server, Lane::Bulk(1)).expect("finishes");
            let (mut bulk, mut ticks_during_bulk, mut tick) = (0, 0, 0);
            let mut clock = tokio::time::interval(Duration::from_millis(5));
            while bulk < pieces {
                tokio::select! {
                    _ = clock.tick() => {
                        p.server.begin_batch();
                        tick += 1;
                        p.server.send(p.at_server, Lane::State, numbered(1000, tick)).expect("sends");
                    }
                    event = next(&mut p.client) => match event {
                        TransportEvent::Packet { lane: Lane::Bulk(1), bytes, .. } => {
                            assert_eq!((number(&bytes), bytes.len()), (bulk, piece_bytes));
                            bulk += 1;
                        }
                        TransportEvent::Packet { lane: Lane::State, .. } => ticks_during_bulk += 1,
                        TransportEvent::StreamOpened { lane: Lane::Bulk(1), schema_hash: 5, .. } => {}
                        TransportEvent::DatagramLimit { .. } => {}
                        other => panic!("{over:?}: {other:?}"),
                    }
                }
            }
            // Over memory the bulk may be through before the first tick.
            assert!(
                over == Over::Memory || ticks_during_bulk * 2 >= tick,
                "{ticks_during_bulk} of {tick} ticks"
            );
        });
    }
}

#[test]
fn close_codes_and_reasons_travel_both_ways_after_the_last_packet() {
    for over in BOTH {
        run(async {
            for from_server in [true, false] {
                let mut p = pair(over, TransportConfig::default()).await;
                p.server.open_lane(p.at_server, Lane::Control, 0).expect("opens");
                let (closer, its_id, other, other_id) = if from_server {
                    (&mut p.server, p.at_server, &mut p.client, p.at_client)
                } else {
                    (&mut p.client, p.at_client, &mut p.server, p.at_server)
                };
                for n in 0..50 {
                    closer.send(its_id, Lane::Control, numbered(5000, n)).expect("sends");
                }
                closer.close(its_id, 2, "because");
                let refused = closer.send(its_id, Lane::Control, packet(20, 0));
                assert!(matches!(refused, Err(TransportError::Closing)), "{refused:?}");
                let mut packets = 0;
                loop {
                    tokio::select! {
                        event = next(other) => match event {
                            TransportEvent::Packet { bytes, .. } => {
                                assert_eq!(number(&bytes), packets);
                                packets += 1;
                            }
                            TransportEvent::Closed { connection, code, reason } => {
                                assert_eq!((connection, code, reason.as_str()), (other_id, 2, "because"));
                                break;
                            }
                            TransportEvent::StreamOpened { lane: Lane::Control, .. } => {}
                            other => panic!("{over:?}: {other:?}"),
                        },
                    }
                }
                assert_eq!(packets, 50, "{over:?}: packets sent before the close must arrive before it");
                loop {
                    match next(closer).await {
                        TransportEvent::Closed { connection, code: 2, .. } => {
                            assert_eq!(connection, its_id);
                            break;
                        }
                        TransportEvent::StreamOpened { .. } => {}
                        other => panic!("{over:?}: {other:?}"),
                    }
                }
                let gone = closer.send(its_id, Lane::Control, packet(20, 0));
                assert!(matches!(gone, Err(TransportError::NotConnected(_))), "{gone:?}");
                assert_eq!((closer.connection_count(), other.connection_count()), (0, 0));
            }
        });
    }
}

#[test]
fn a_slow_reader_loses_its_connection_not_the_senders_memory() {
    for over in BOTH {
        run(async {
            let config = TransportConfig { replication_queue_bytes: 1 << 20, ..TransportConfig::default() };
            let mut p = pair(over, config).await;
            p.server.open_lane(p.at_server, Lane::Replication, 0).expect("opens");
            // The client takes no events.
            let mut sent = 0;
            let refused = loop {
                match p.server.send(p.at_server, Lane::Replication, packet(50_000, 0)) {
                    Ok(()) => sent += 1,
                    Err(error) => break error,
                }
                assert!(sent < 5000, "{over:?}: 250 MB are not a bound");
                tokio::time::sleep(Duration::from_millis(1)).await;
            };
            assert!(matches!(refused, TransportError::QueueFull(Lane::Replication)), "{over:?}: {refused:?}");
            match next(&mut p.server).await {
                TransportEvent::Closed { code, reason, .. } => {
                    assert_eq!(code, DisconnectCode::LimitExceeded as u16);
                    assert!(reason.contains("too slowly"), "{reason}");
                }
                other => panic!("{over:?}: {other:?}"),
            }
            // Once it reads, it learns why.
            loop {
                match next(&mut p.client).await {
                    TransportEvent::Closed { code, .. } => {
                        assert_eq!(code, DisconnectCode::LimitExceeded as u16);
                        break;
                    }
                    TransportEvent::Packet { .. } | TransportEvent::StreamOpened { .. } => {}
                    other => panic!("{over:?}: {other:?}"),
                }
            }
        });
    }
}

/// A QUIC client that speaks TLS correctly and then does what it likes.
async fn rogue(server: &Transport) -> quinn::Connection {
    let mut endpoint = quinn::Endpoint::client(address()).expect("a socket");
    endpoint.set_default_client_config(tls::client_config(&TransportConfig::default()).expect("settings"));
    let connecting = endpoint.connect(server.local_addr().expect("an address"), tls::SERVER_NAME);
    connecting.expect("an attempt").await.expect("a connection")
}

async fn end_of(connection: &quinn::Connection) -> u64 {
    match tokio::time::timeout(PATIENCE, connection.closed()).await.expect("closed in time") {
        quinn::ConnectionError::ApplicationClosed(close) => close.error_code.into_inner(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn garbage_on_a_stream_is_refused_with_a_code() {
    let mut wrong_lane = *b"THS1\x01\x01\0\0\0\0\0\0\0\0\0\0";
    let good = *b"THS1\0\x01\0\0\0\0\0\0\0\0\0\0";
    let short_packet = [good.as_slice(), &[3, 0, 0]].concat();
    let violation = DisconnectCode::ProtocolViolation;
    let cases: [(&[u8], DisconnectCode); 4] = [
        (b"GET / HTTP/1.1\r\nHost: here\r\n\r\n", violation),
        (&wrong_lane.clone(), violation),
        (&good[..9], violation),
        (&short_packet, DisconnectCode::BadEnvelope),
    ];
    wrong_lane[4] = 9;
    run(async {
        let mut server = Transport::quic_server(address(), TransportConfig::default()).expect("a server");
        for (bytes, code) in cases.into_iter().chain([(wrong_lane.as_slice(), violation)]) {
            let connection = rogue(&server).await;
            let (mut send, _receive) = connection.open_bi().await.expect("a stream");
            send.write_all(bytes).await.expect("written");
            send.finish().expect("finished");
            assert_eq!(end_of(&connection).await, code as u64, "{bytes:?}");
            loop {
                if let TransportEvent::Closed { code: reported, .. } = next(&mut server).await {
                    assert_eq!(reported, code as u16, "{bytes:?}");
                    break;
                }
            }
        }
        // Datagrams that name no lane are noise, not an ending.
        let connection = rogue(&server).await;
        let (mut send, _receive) = connection.open_bi().await.expect("a stream");
        send.write_all(&good).await.expect("written");
        for noise in [&b""[..], b"\x00hello", b"\xffhello"] {
            connection.send_datagram(noise.to_vec().into()).expect("sent");
        }
        send.write_all(&numbered(30, 4)).await.expect("written");
        assert!(matches!(next(&mut server).await, TransportEvent::Connected { .. }));
        assert!(matches!(next(&mut server).await, TransportEvent::StreamOpened { .. }));
        assert_eq!(next_packet(&mut server).await, (Lane::Control, numbered(30, 4)));
    });
}

#[test]
fn an_end_without_the_protocol_or_without_a_control_lane_is_let_go() {
    run(async {
        let config = TransportConfig { handshake_timeout: Duration::from_millis(300), ..Default::default() };
        let mut server = Transport::quic_server(address(), config).expect("a server");
        let silent = rogue(&server).await;
        assert_eq!(end_of(&silent).await, DisconnectCode::HandshakeTimeout as u64);
        assert!(matches!(next(&mut server).await, TransportEvent::Connected { .. }));
        assert!(matches!(next(&mut server).await, TransportEvent::Closed { .. }));

        // Nobody listens there: bind a port and let it go.
        let nobody = std::net::UdpSocket::bind(LOOPBACK).expect("a socket").local_addr().expect("an address");
        let config = TransportConfig { handshake_timeout: Duration::from_millis(300), ..Default::default() };
        let mut client = Transport::quic_client(address(), config).expect("a client");
        let id = client.connect(nobody).expect("an attempt");
        match next(&mut client).await {
            TransportEvent::Closed { connection, code, .. } => {
                assert_eq!((connection, code), (id, DisconnectCode::LinkLost as u16));
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn the_connection_limit_refuses_and_a_place_comes_back() {
    for over in BOTH {
        run(async {
            let config = TransportConfig { max_connections: 1, ..TransportConfig::default() };
            let mut place = Place::new(over, config);
            let (mut first, first_id) = place.client(TransportConfig::default(), 1);
            connected(&mut first).await;
            first.open_lane(first_id, Lane::Control, 0).expect("opens");
            let (mut second, _) = place.client(TransportConfig::default(), 2);
            match next(&mut second).await {
                TransportEvent::Closed { code, .. } => {
                    assert_eq!(code, DisconnectCode::TooManyHandshakes as u16, "{over:?}");
                }
                other => panic!("{over:?}: {other:?}"),
            }
            first.close(first_id, 1, "");
            while !matches!(next(&mut place.server).await, TransportEvent::Closed { .. }) {}
            tokio::task::yield_now().await;
            let (mut third, _) = place.client(TransportConfig::default(), 3);
            connected(&mut third).await;
        });
    }
}

#[test]
fn half_open_attempts_are_capped_and_served_again_after_a_retry() {
    run(async {
        let config = TransportConfig {
            max_half_open: 4,
            handshake_timeout: Duration::from_millis(400),
            ..TransportConfig::default()
        };
        let mut server = Transport::quic_server(address(), config).expect("a server");
        let mut rogues = Vec::new();
        for _ in 0..4 {
            rogues.push(rogue(&server).await);
        }
        let mut client = Transport::quic_client(address(), TransportConfig::default()).expect("a client");
        client.connect(server.local_addr().expect("an address")).expect("an attempt");
        match next(&mut client).await {
            TransportEvent::Closed { code, .. } => assert_eq!(code, DisconnectCode::TooManyHandshakes as u16),
            other => panic!("{other:?}"),
        }
        for rogue in &rogues {
            end_of(rogue).await;
        }
        let mut ended = 0;
        while ended < 4 {
            ended += u32::from(matches!(next(&mut server).await, TransportEvent::Closed { .. }));
        }
        client.connect(server.local_addr().expect("an address")).expect("an attempt");
        connected(&mut client).await;
    });
}

#[test]
fn eight_members_at_once_do_not_mix() {
    for over in BOTH {
        run(async {
            let mut place = Place::new(over, TransportConfig::default());
            let mut clients = Vec::new();
            for n in 0..8 {
                let (mut client, id) = place.client(TransportConfig::default(), n);
                connected(&mut client).await;
                client.open_lane(id, Lane::Control, u64::from(n)).expect("opens");
                clients.push((client, id));
            }
            let mut members = HashMap::new();
            while members.len() < 8 {
                if let TransportEvent::StreamOpened { connection, schema_hash, .. } =
                    next(&mut place.server).await
                {
                    members.insert(connection, schema_hash);
                }
            }
            for connection in members.keys() {
                place.server.open_lane(*connection, Lane::Control, 0).expect("opens");
            }
            for round in 0..20 {
                for (connection, member) in &members {
                    let value = (*member as u32) * 1000 + round;
                    place.server.send(*connection, Lane::Control, numbered(100, value)).expect("sends");
                    place.server.send(*connection, Lane::State, numbered(900, value)).expect("sends");
                }
            }
            for (n, (client, _)) in clients.iter_mut().enumerate() {
                let (mut control, mut state) = (0, 0);
                while control < 20 || state < 20 {
                    match next(client).await {
                        TransportEvent::Packet { lane, bytes, .. } => {
                            assert_eq!(number(&bytes) / 1000, n as u32, "{over:?}: another member's packet");
                            if lane == Lane::Control {
                                assert_eq!(number(&bytes) % 1000, control);
                                control += 1;
                            } else {
                                state += 1;
                            }
                        }
                        TransportEvent::StreamOpened { .. } | TransportEvent::DatagramLimit { .. } => {}
                        other => panic!("{over:?}: {other:?}"),
                    }
                }
            }
            assert!(place.server.shut_down(3, "the end", PATIENCE).await, "{over:?}: everybody was told");
            for (client, _) in &mut clients {
                match next(client).await {
                    TransportEvent::Closed { code: 3, reason, .. } => assert_eq!(reason, "the end"),
                    other => panic!("{over:?}: {other:?}"),
                }
            }
        });
    }
}

#[test]
fn an_end_that_vanishes_is_noticed() {
    for over in BOTH {
        run(async {
            let p = pair(over, TransportConfig::default()).await;
            let (mut client, server) = (p.client, p.server);
            assert_eq!(p.server_binding, p.client_binding);
            drop(server);
            match next(&mut client).await {
                TransportEvent::Closed { code, .. } => assert_eq!(code, DisconnectCode::LinkLost as u16),
                other => panic!("{over:?}: {other:?}"),
            }
        });
    }
}
