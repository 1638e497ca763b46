//! What no machine under test has ever said: the tests of this suite run once more, in a process of their own, with
//! everything that a host or a peer puts on a wire kept; each message type, enum value and code that is not in it must be
//! named below, with the part of the work that will bring it. A name that has been seen meanwhile must go.

use std::path::Path;
use std::process::Command;

use theta_core::session::{HostCommand, HostConfig};
use theta_core::types::PeerId;
use theta_core::wire::codes::DisconnectCode;
use theta_core::wire::envelope;
use theta_core::wire::message::{AcknowledgeCore, Message, Role, SessionControl, WireEnum};

use super::intruder::Intruder;
use super::seen::Seen;
use super::venue::{Arrival, Venue, host_config, person};

/// By the part that brings them, in the names of [`Seen::all_missing`].
const EXCEPTIONS: &[(&str, &[&str])] = &[
    (
        "interest",
        &[
            "message type InterestSet",
            "interest kind Owner",
            "interest kind Team",
            "interest kind Asset",
            "interest kind Layer",
            "interest kind Panel",
            "interest kind Entity",
            "snapshot reason Topology",
        ],
    ),
    (
        "ownership requests",
        &[
            "message type Ownership",
            "ownership kind Request",
            "ownership kind Granted",
            "ownership kind Denied",
            "ownership kind Stolen",
            "ownership kind Released",
            "ownership kind TakenOver",
            "ownership reason None",
            "ownership reason AlreadyOwned",
            "ownership reason RoleForbids",
            "ownership reason RuleForbids",
            "ownership reason NoSuchEntity",
            "ownership reason OwnerLeft",
            "refusal reason NotOwner",
            "refusal reason InputOnly",
            "refusal reason UnknownEntity",
        ],
    ),
    (
        "command log",
        &[
            "message type CommandLogEntry",
            "entry kind Entry",
            "entry kind Block",
            "entry kind Refusal",
            "entry kind Attestation",
            "nack kind LogEntries",
            "refusal reason CommandForbidden",
            "refusal reason BadSignature",
            "refusal reason StaleTerm",
            "refusal reason BelowCut",
        ],
    ),
    (
        "presence",
        &[
            "message type EditorEvent",
            "editor event kind Cursor",
            "editor event kind Selection",
            "editor event kind Tool",
            "editor event kind Gizmo",
            "editor event kind Panel",
            "editor event kind Lock",
            "editor event kind Cleared",
        ],
    ),
    (
        "assets",
        &[
            "message type AssetTransfer",
            "asset kind Offer",
            "asset kind Request",
            "asset kind Manifest",
            "asset kind Chunk",
            "asset kind Have",
            "asset kind Cancel",
            "asset kind Complete",
            "asset kind Failed",
            "asset status Ok",
            "asset status NotFound",
            "asset status WrongOffset",
            "asset status WrongChecksum",
            "asset status WrongSize",
            "asset status TokenExpired",
            "asset status Forbidden",
            "asset status DiskFull",
            "nack kind AssetChunks",
        ],
    ),
    ("telemetry", &["message type TelemetryReport"]),
    (
        "application messages",
        &[
            "message type AppMessage",
            "application target Host",
            "application target Peer",
            "application target Owner",
            "application target All",
            "application target Interested",
            "refusal reason UnknownPeer",
            "refusal reason TooLarge",
            "refusal reason WrongState",
            "refusal reason Busy",
        ],
    ),
    (
        "away, resume, epochs",
        &[
            "control kind ResumeToken",
            // A unit test of the courier sees it; no test sends four billion packets.
            "disconnect code SequenceExhausted",
        ],
    ),
    ("roles and levels that change", &["control kind RoleChanged", "control kind LevelChange"]),
    // Of a transport about itself, of a program that crashed, and two that no machine has a use for yet.
    (
        "nobody",
        &[
            "disconnect code LinkLost",
            "disconnect code InternalFault",
            "disconnect code Normal",
            "disconnect code DuplicateIdentity",
        ],
    ),
    ("chained deltas", &["delta mode Chain"]),
    ("end to end", &["security mode EndToEnd"]),
    (
        "browsers",
        &[
            "transport kind WebRtc",
            "transport kind WebTransport",
            "binding kind DtlsCertificates",
            "binding kind PinnedCertificate",
        ],
    ),
    // This suite has no compressor; tests/runtime_compression.rs has one.
    ("the runtime's tests", &["compression kind ZstdDictionary"]),
    (
        "capabilities that a host can turn off",
        &[
            "capability reason RoleForbids",
            "capability reason TransportCannot",
            "capability reason VersionTooLow",
            "capability reason NeedsOther",
        ],
    ),
];

#[test]
fn a_host_that_shuts_down_says_so() {
    let mut venue = Venue::new();
    let guest = venue.welcome(3, Role::Viewer);
    let now = venue.now;
    venue.host.command(now, HostCommand::Shutdown { reason: "for tonight".into() });
    venue.pump();
    let (code, reason) = venue.guests[guest].ending().expect("an end");
    assert_eq!(code, DisconnectCode::ShuttingDown);
    assert!(reason.contains("for tonight"), "{reason}");
}

#[test]
fn whom_the_application_does_not_want_hears_why() {
    let mut venue = Venue::with(HostConfig { manual_admission: true, ..host_config() });
    let guest = venue.arrive(Arrival::honest(&person(3), Role::Editor));
    let (now, peer) = (venue.now, PeerId(1));
    venue.host.command(now, HostCommand::Deny { peer, reason: "the door is shut".into() });
    venue.pump();
    let (code, reason) = venue.guests[guest].ending().expect("an end");
    assert_eq!(code, DisconnectCode::DeniedByApplication);
    assert!(reason.contains("the door is shut"), "{reason}");
}

#[test]
fn who_says_nothing_any_more_is_given_up() {
    let mut venue = Venue::new();
    let silent = Intruder::inside(&mut venue, &person(7), Role::Editor);
    let guest = venue.welcome(3, Role::Viewer);
    venue.play(500);
    assert_eq!(silent.ending(&venue), Some(DisconnectCode::IdleTimeout));
    assert_eq!(venue.guests[guest].ending(), None);
}

fn read(tapped: &[u8]) -> Seen {
    let mut seen = Seen::default();
    let mut rest = tapped;
    let mut scratch = Vec::new();
    while let [kind, a, b, c, d, behind @ ..] = rest {
        let (bytes, next) = behind.split_at(u32::from_le_bytes([*a, *b, *c, *d]) as usize);
        rest = next;
        if *kind == 1 {
            let code = u16::from_le_bytes([bytes[0], bytes[1]]);
            seen.add(DisconnectCode::from_number(code).expect("a machine's own"));
            continue;
        }
        let opened = envelope::open(bytes, None, &mut scratch).expect("a machine's own");
        for raw in opened.messages() {
            let message = raw.decode().expect("a machine's own");
            match &message {
                // Why somebody left is told to the others in the words of who left.
                Message::SessionControl(control @ SessionControl::PeerLeft { .. }) => {
                    seen.add(control.kind());
                }
                _ => seen.message(&message),
            }
            if let Message::SessionAcknowledge(acknowledge) = &message {
                seen.core(&AcknowledgeCore::decode(&acknowledge.core).expect("a machine's own"));
            }
        }
    }
    seen
}

#[test]
#[cfg_attr(not(target_arch = "x86_64"), ignore = "starts itself, which an emulator does not do")]
fn what_no_machine_has_said_on_a_wire_is_listed() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tap_{}", std::process::id()));
    let own = std::env::current_exe().expect("this program");
    let run = Command::new(own)
        // A thread for each test: what one test puts in a machine's mouth is not another's.
        .args(["--skip", "what_no_machine_has_said", "--test-threads", "4"])
        .env("THETA_TAP", &path)
        .output()
        .expect("this program starts");
    assert!(run.status.success(), "the suite itself fails: {}", String::from_utf8_lossy(&run.stdout));
    let tapped = std::fs::read(&path).expect("what was said");
    std::fs::remove_file(&path).expect("our own file");
    let missing = read(&tapped).all_missing();
    let listed: Vec<&str> = EXCEPTIONS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    let unlisted: Vec<_> = missing.iter().filter(|name| !listed.contains(&name.as_str())).collect();
    assert!(unlisted.is_empty(), "never said on a wire, and not listed: {unlisted:#?}");
    let seen: Vec<_> = listed.iter().filter(|name| !missing.iter().any(|other| other == **name)).collect();
    assert!(seen.is_empty(), "said on a wire by now: take them off the list: {seen:#?}");
}
