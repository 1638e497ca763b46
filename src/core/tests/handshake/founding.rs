//! What a document's founder laid down, and the host's term: checked by the client in the first handshake.

use theta_core::session::genesis::{Charter, Genesis};
use theta_core::session::handshake::HostTerms;
use theta_core::session::keys::{AdminKey, certify_host};
use theta_core::session::ticket::Pin;
use theta_core::session::{HostConfig, PeerState};
use theta_core::types::Lane;
use theta_core::wire::codes::DisconnectCode;
use theta_core::wire::message::{Message, Role, SecurityMode};

use super::impostor::{Impostor, real_terms};
use super::venue::{
    Arrival, Venue, admin, authority, genesis, host_config, host_identity, person, untouched,
};

/// A host of a document that was founded so.
fn hosting(founder: &AdminKey, charter: Charter) -> HostTerms {
    let genesis = Genesis::found(founder, charter).expect("within limits");
    let identity = host_identity();
    HostTerms {
        certificate: certify_host(founder, genesis.document(), identity.public_key(), 1),
        genesis: genesis.encode(),
        ..real_terms()
    }
}

/// What a client that means exactly this document makes of its host.
fn meets(terms: HostTerms, change: impl FnOnce(&mut theta_core::wire::message::AcknowledgeCore)) -> Impostor {
    let mut arrival = Arrival::honest(&person(7), Role::Editor);
    let (document, authority) = (terms.certificate.document_id, terms.certificate.authority_key);
    arrival.terms.ticket.pin = Some(Pin { document, authority });
    let mut impostor = Impostor::meet_guest(terms, arrival);
    let acknowledge = impostor.acknowledgement(change);
    impostor.say(Lane::Control, &Message::SessionAcknowledge(acknowledge));
    impostor
}

fn reason(impostor: &Impostor) -> &str {
    impostor.closed.as_ref().map_or("", |(_, reason)| reason)
}

#[test]
fn a_host_that_the_founder_named_is_believed() {
    let named = Charter { hosts: [host_identity().public_key(), [9; 32]].into(), ..Charter::default() };
    for charter in [Charter::default(), named] {
        let impostor = meets(hosting(&authority(), charter), |_| ());
        assert!(impostor.peer.agreement().is_some(), "{}", reason(&impostor));
    }
}

#[test]
fn a_host_that_the_founder_did_not_name() {
    let charter = Charter { hosts: [[9; 32]].into(), ..Charter::default() };
    let impostor = meets(hosting(&authority(), charter), |_| ());
    impostor.assert_turned_away(DisconnectCode::BadHostCertificate);
    assert!(reason(&impostor).contains("among its hosts"), "{}", reason(&impostor));
}

#[test]
fn a_host_that_somebody_else_certified() {
    // Its own authority, for the real document: the certificate is right, and worth nothing.
    let stranger = admin(66);
    let document = genesis().document();
    let certificate = certify_host(&stranger, document, host_identity().public_key(), 1);
    let impostor = meets(HostTerms { certificate, ..real_terms() }, |_| ());
    impostor.assert_turned_away(DisconnectCode::BadHostCertificate);
    assert!(reason(&impostor).contains("did not found"), "{}", reason(&impostor));
}

#[test]
fn a_genesis_of_another_document() {
    let other = Genesis::plain(&authority(), [10; 32]).encode();
    let impostor = meets(HostTerms { genesis: other, ..real_terms() }, |_| ());
    impostor.assert_turned_away(DisconnectCode::BadHostCertificate);
    assert!(reason(&impostor).contains("not this document's"), "{}", reason(&impostor));
}

#[test]
fn a_genesis_that_its_founder_did_not_sign() {
    // The document is whatever these bytes hash to, and they name a founder; the signature is nobody's.
    let mut forged = genesis().encode();
    *forged.last_mut().expect("bytes") ^= 1;
    let document = Genesis::decode(&forged).expect("a record").document();
    let certificate = certify_host(&authority(), document, host_identity().public_key(), 1);
    let impostor = meets(HostTerms { certificate, genesis: forged, ..real_terms() }, |_| ());
    impostor.assert_turned_away(DisconnectCode::BadHostCertificate);
    assert!(reason(&impostor).contains("not this document's"), "{}", reason(&impostor));
}

#[test]
fn a_genesis_that_is_none() {
    for bytes in [Vec::new(), vec![1; 64], genesis().encode()[..100].to_vec()] {
        let impostor = meets(HostTerms { genesis: bytes, ..real_terms() }, |_| ());
        impostor.assert_turned_away(DisconnectCode::BadHostCertificate);
        assert!(reason(&impostor).contains("no genesis record"), "{}", reason(&impostor));
    }
}

#[test]
fn a_document_for_members_only_is_not_joined_with_less() {
    let charter = Charter { is_end_to_end: true, ..Charter::default() };
    let impostor = meets(hosting(&authority(), charter.clone()), |_| ());
    impostor.assert_turned_away(DisconnectCode::SecurityFloor);
    // A host that says it offers that lies: this client has no such mode.
    let lies =
        |core: &mut theta_core::wire::message::AcknowledgeCore| core.security_mode = SecurityMode::EndToEnd;
    meets(hosting(&authority(), charter), lies).assert_turned_away(DisconnectCode::SecurityFloor);
}

// ---- Terms ----

#[test]
pub fn a_host_whose_term_has_ended() {
    let mut arrival = Arrival::honest(&person(7), Role::Editor);
    arrival.terms.least_term = 5;
    let document = genesis().document();
    let certificate = certify_host(&authority(), document, host_identity().public_key(), 4);
    let mut impostor = Impostor::meet_guest(HostTerms { certificate, ..real_terms() }, arrival);
    let acknowledge = impostor.acknowledgement(|_| ());
    impostor.say(Lane::Control, &Message::SessionAcknowledge(acknowledge));
    impostor.assert_turned_away(DisconnectCode::StaleTerm);
    assert!(reason(&impostor).contains("Its term is 4, and 5"), "{}", reason(&impostor));
}

#[test]
fn a_client_learns_the_term_and_comes_again_in_the_same_or_a_later_one() {
    let mut seen = 0;
    for term in [3, 3, 8] {
        let mut venue = Venue::with(HostConfig { term, ..host_config() });
        let mut arrival = Arrival { tamper: untouched(), ..Arrival::honest(&person(7), Role::Editor) };
        arrival.terms.least_term = seen;
        let guest = venue.arrive(arrival);
        venue.play(3);
        assert_eq!(venue.guests[guest].peer.state(), PeerState::Live, "{:?}", venue.guests[guest].ending());
        seen = venue.guests[guest].peer.agreement().expect("an agreement").term;
        assert_eq!(seen, term);
    }
    let mut venue = Venue::with(HostConfig { term: 7, ..host_config() });
    let mut arrival = Arrival::honest(&person(7), Role::Editor);
    arrival.terms.least_term = seen;
    let guest = venue.arrive(arrival);
    venue.assert_turned_away(guest, DisconnectCode::StaleTerm);
}
