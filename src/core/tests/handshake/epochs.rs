//! A session that lives through many epochs: no tick is lost, nothing is repaired, and what is late of the epoch before
//! is taken once.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use theta_core::session::input::InputSample;
use theta_core::session::{HostConfig, HostEvent, PeerState};
use theta_core::types::{Lane, Tick};
use theta_core::wire::codes::DisconnectCode;
use theta_core::wire::envelope;
use theta_core::wire::message::{Heartbeat, Message, Role, SessionControl, StateAck};

use super::intruder::Intruder;
use super::venue::{Arrival, Venue, Way, first_in, host_config, person};

fn short_epochs() -> Venue {
    Venue::with(HostConfig { sequences_per_epoch: 40, ..host_config() })
}

fn epoch_of(bytes: &[u8]) -> u16 {
    envelope::open(bytes, None, &mut Vec::new()).expect("a packet of ours").header().epoch
}

#[test]
fn a_session_passes_epochs_without_a_lost_tick() {
    let mut venue = short_epochs();
    let guest = venue.welcome(3, Role::Editor);
    let frames = venue.guests[guest].frames();
    for _ in 0..400 {
        venue.play(1);
        let now = venue.now;
        venue.guests[guest].peer.send_input(now, InputSample::default());
        venue.pump();
    }
    let seen = &venue.guests[guest];
    assert_eq!(seen.frames(), frames + 400);
    assert!(seen.peer.epoch() >= 8, "epoch {}", seen.peer.epoch());
    assert_eq!(seen.peer.state(), PeerState::Live);
    assert_eq!(seen.peer.replica().fold(venue.tick), Some(venue.fold()));
    let peer = venue.host.members()[0].peer;
    let link = venue.host.statistics(peer).expect("a member");
    assert_eq!((link.repairs, link.divergences, link.packets.dropped_foreign), (0, 0, 0));
    assert!(venue.tick.since(link.confirmed_tick) <= 18, "{} of {}", link.confirmed_tick, venue.tick);
    let inputs = venue.events.iter().filter(|event| matches!(event, HostEvent::Input { .. })).count();
    // At two wire ticks of the clock for each of the world, numbering leaves some out.
    assert!(inputs >= 250, "{inputs} inputs of 400");
    // On the wire: both directions of every lane in use went over, and began again at 1.
    for way in [Way::ToGuest, Way::ToHost] {
        let packets = seen.packets(way);
        let last = packets.iter().map(|(_, bytes)| epoch_of(bytes)).max().expect("packets");
        assert!(last >= 8);
        for (lane, bytes) in &packets {
            let header = *envelope::open(bytes, None, &mut Vec::new()).expect("a packet").header();
            assert!(header.sequence < 140, "{lane:?} came to {}", header.sequence);
        }
    }
}

#[test]
fn what_is_late_of_the_old_epoch_still_counts() {
    // Every fourth datagram of the host's comes five datagrams late, across every change.
    let mut venue = short_epochs();
    let held = Rc::new(RefCell::new(Vec::<(usize, Vec<u8>)>::new()));
    let late = Rc::new(RefCell::new(0));
    let (queue, counted, mut count, mut newest) = (Rc::clone(&held), Rc::clone(&late), 0, 0);
    let mut arrival = Arrival::honest(&person(3), Role::Editor);
    arrival.tamper = Box::new(move |way, lane, bytes| {
        if way == Way::ToHost || lane != Lane::State {
            return vec![(lane, bytes)];
        }
        count += 1;
        let mut out = Vec::new();
        if count % 4 == 0 {
            queue.borrow_mut().push((count + 5, bytes));
        } else {
            newest = newest.max(epoch_of(&bytes));
            out.push((lane, bytes));
        }
        queue.borrow_mut().retain(|(due, bytes)| {
            if *due <= count {
                *counted.borrow_mut() += usize::from(epoch_of(bytes) < newest);
                out.push((Lane::State, bytes.clone()));
                out.push((Lane::State, bytes.clone()));
            }
            *due > count
        });
        out
    });
    let guest = venue.arrive(arrival);
    venue.play(400);
    let seen = &venue.guests[guest];
    assert_eq!(seen.peer.state(), PeerState::Live, "{:?}", seen.ending());
    let statistics = seen.peer.statistics();
    assert!(*late.borrow() >= 5, "{} late across a change", late.borrow());
    assert_eq!(statistics.packets.dropped_foreign, 0, "none was too late");
    assert!(statistics.packets.dropped_replayed >= 90, "and none was taken twice: {statistics:?}");
    assert_eq!(statistics.repairs, 0);
    // A datagram that is held makes its tick late, not lost: what is shown is the newest.
    assert!(venue.tick.since(seen.peer.replica().newest_complete()) <= 1);
    assert!(seen.peer.epoch() >= 8);
}

#[test]
fn only_the_host_changes_the_epoch_and_only_to_the_next() {
    let mut venue = Venue::new();
    let mut intruder = Intruder::inside(&mut venue, &person(7), Role::Editor);
    let change = Message::SessionControl(SessionControl::EpochChange { epoch: 2 });
    intruder.say(&mut venue, Lane::Control, &change);
    assert_eq!(intruder.ending(&venue), Some(DisconnectCode::ProtocolViolation));
    // A client that goes over by itself is fenced on a reliable lane and ignored on a datagram lane.
    let mut ahead = Intruder::inside(&mut venue, &person(8), Role::Editor);
    ahead.header.epoch += 1;
    let beat = Message::Heartbeat(Heartbeat::default());
    let ack =
        StateAck { newest_sequence: 0, complete_tick: Tick::ZERO, snapshot_id: 0, mask: Cow::Borrowed(&[]) };
    ahead.say(&mut venue, Lane::State, &Message::StateAck(ack));
    assert_eq!(ahead.ending(&venue), None);
    ahead.say(&mut venue, Lane::Control, &beat);
    assert_eq!(ahead.ending(&venue), Some(DisconnectCode::EpochFenced));
    venue.assert_serves();
}

#[test]
fn a_change_is_announced_in_the_old_epoch() {
    let mut venue = short_epochs();
    let guest = venue.welcome(3, Role::Viewer);
    venue.play(60);
    let packets = venue.guests[guest].packets(Way::ToGuest);
    let control: Vec<_> = packets.into_iter().filter(|(lane, _)| *lane == Lane::Control).collect();
    let announced = control.iter().position(|packet| {
        first_in(std::slice::from_ref(packet), |_, message| {
            matches!(message, Message::SessionControl(SessionControl::EpochChange { epoch: 2 })).then_some(())
        })
        .is_some()
    });
    let at = announced.expect("announced");
    assert_eq!(epoch_of(&control[at].1), 1);
    assert!(control[at + 1..].iter().all(|(_, bytes)| epoch_of(bytes) >= 2));
    assert!(control[1..at].iter().all(|(_, bytes)| epoch_of(bytes) == 1));
}
