//! Every byte of the three handshake packets changed on its way, with the CRC as it was and with the CRC made right
//! again: nobody is admitted, or both sides are exactly where they would have been without the change.

use std::cell::Cell;
use std::rc::Rc;

use theta_core::session::PeerState;
use theta_core::types::Lane;
use theta_core::wire::codes::DisconnectCode;
use theta_core::wire::message::Role;

use super::venue::{Arrival, Venue, Way, person, reseal};

/// The handshake's packets: which way they go, and which one it is of those that go that way on control.
const PACKETS: [(&str, Way, usize); 3] =
    [("hello", Way::ToHost, 0), ("acknowledge", Way::ToGuest, 0), ("confirm", Way::ToHost, 1)];

/// What both sides believe in the end.
#[derive(Debug, PartialEq)]
struct View {
    members: String,
    agreement: String,
    state: PeerState,
}

/// One handshake in which `change` sees one packet. `None` where nobody was admitted.
fn run(target: (Way, usize), change: impl Fn(&mut Vec<u8>) + 'static) -> (Venue, Option<View>) {
    let mut venue = Venue::new();
    let mut arrival = Arrival::honest(&person(7), Role::Editor);
    let seen = Rc::new(Cell::new(0));
    arrival.tamper = Box::new(move |way, lane, mut bytes| {
        if (way, lane) == (target.0, Lane::Control) {
            if seen.get() == target.1 {
                change(&mut bytes);
            }
            seen.set(seen.get() + 1);
        }
        vec![(lane, bytes)]
    });
    venue.arrive(arrival);
    venue.play(2);
    let guest = &venue.guests[0];
    let (members, agreement) = (venue.host.members(), guest.peer.agreement());
    assert_eq!(
        members.is_empty(),
        !guest.was_admitted(),
        "one side believes in a session and the other does not"
    );
    let view = (!members.is_empty()).then(|| View {
        members: format!("{members:?}"),
        agreement: format!("{agreement:?}"),
        state: guest.peer.state(),
    });
    (venue, view)
}

fn length_of((way, nth): (Way, usize)) -> usize {
    let mut venue = Venue::new();
    venue.arrive(Arrival::honest(&person(7), Role::Editor));
    let control = venue.guests[0].packets(way);
    control.iter().filter(|(lane, _)| *lane == Lane::Control).nth(nth).expect("it was sent").1.len()
}

#[test]
fn no_changed_byte_changes_what_is_agreed() {
    for (name, way, nth) in PACKETS {
        let target = (way, nth);
        let (_, straight) = run(target, |_| ());
        let straight = straight.expect("an honest handshake");
        assert_eq!(straight.state, PeerState::Live);
        let mut admitted = 0;
        let length = length_of(target);
        // Bytes 4 to 7 are the CRC, which is made anew.
        for at in (0..length).filter(|at| !(4..8).contains(at)) {
            for bit in [at % 8, (at * 3 + 5) % 8] {
                let (mut venue, view) = run(target, move |bytes| {
                    bytes[at] ^= 1 << bit;
                    reseal(bytes);
                });
                if let Some(view) = view {
                    assert_eq!(view, straight, "{name}, byte {at}, bit {bit}");
                    admitted += 1;
                    continue;
                }
                assert!(venue.guests[0].ending().is_some(), "{name}, byte {at}: nobody said anything");
                venue.assert_nobody_joined();
                if at % 64 == 0 {
                    venue.assert_serves();
                }
            }
        }
        println!("{name}: {admitted} of {} changes made no difference", (length - 4) * 2);
        // Gaps that no field uses are all that may change; of the hello not even those, as it is signed as it came.
        let most = if name == "hello" { 0 } else { 32 };
        assert!(admitted <= most, "{name}: {admitted} of {} changes made no difference", length * 2);
    }
}

#[test]
fn a_changed_byte_is_found_by_the_crc() {
    for (name, way, nth) in PACKETS {
        let target = (way, nth);
        // The length and version come before the CRC; everything behind it is found by it.
        for at in (8..length_of(target)).step_by(5) {
            let (venue, view) = run(target, move |bytes| bytes[at] ^= 0x20);
            assert_eq!(view, None, "{name}, byte {at}");
            let code = venue.guests[0].ending().map(|(code, _)| code);
            assert_eq!(code, Some(DisconnectCode::BadCrc), "{name}, byte {at}");
            venue.assert_nobody_joined();
        }
    }
}

#[test]
fn a_cut_packet_is_an_envelope_that_is_none() {
    for (name, way, nth) in PACKETS {
        let target = (way, nth);
        for length in (0..length_of(target)).step_by(7) {
            let (venue, view) = run(target, move |bytes| bytes.truncate(length));
            assert_eq!(view, None, "{name}, {length} bytes");
            let code = venue.guests[0].ending().map(|(code, _)| code);
            assert_eq!(code, Some(DisconnectCode::BadEnvelope), "{name}, {length} bytes");
            venue.assert_nobody_joined();
        }
    }
}

#[test]
fn unknown_flags_are_refused() {
    for (name, way, nth) in PACKETS {
        // Compression and tracing that were not agreed, payloads said to be encrypted, and bits without a meaning.
        for flag in 0..8 {
            let (venue, view) = run((way, nth), move |bytes| {
                bytes[3] |= 1 << flag;
                reseal(bytes);
            });
            assert_eq!(view, None, "{name}, flag {flag}");
            let code = venue.guests[0].ending().map(|(code, _)| code);
            assert_eq!(code, Some(DisconnectCode::BadEnvelope), "{name}, flag {flag}");
            venue.assert_nobody_joined();
        }
    }
}
