//! Planted bugs that a handshake test catches: with the bug in every machine, that test must fail.

use std::panic::catch_unwind;

use theta_core::mutants::Mutant;

use super::venue::PLANTED;
use super::{abuse, founding, invites, proofs, resumes};

/// Each bug of [`Mutant::OF_HANDSHAKES`] and the test that must notice it.
const CAUGHT_BY: &[(Mutant, fn())] = &[
    (Mutant::SkipHostSignature, proofs::a_forged_host_signature_is_noticed),
    (Mutant::SkipHostCertificate, proofs::a_certificate_of_another_authority_is_noticed),
    (Mutant::SkipClientSignature, proofs::the_right_ticket_with_the_wrong_key_is_refused),
    (Mutant::LeaveOutBinding, proofs::a_middle_node_in_memory_is_noticed),
    (Mutant::SkipInviteProof, invites::a_guessed_secret),
    (Mutant::LeaveInviteUnbound, invites::a_second_use),
    (Mutant::IgnoreBan, invites::a_banned_key),
    (Mutant::AcceptOldTerm, founding::a_host_whose_term_has_ended),
    (Mutant::AcceptOldEpoch, resumes::a_link_that_still_lives_gives_way_to_the_new_one),
    (Mutant::ResumeWithoutProof, resumes::a_token_without_its_key_opens_nothing),
    (Mutant::KeepOldToken, resumes::a_token_lives_until_the_first_packet_under_its_successor),
    (Mutant::CountNoMessages, abuse::a_flood_of_messages),
];

#[test]
fn every_mutant_is_caught() {
    let caught: Vec<_> = CAUGHT_BY.iter().map(|(mutant, _)| *mutant).collect();
    assert_eq!(caught, Mutant::OF_HANDSHAKES);
    for (mutant, test) in CAUGHT_BY {
        assert!(catch_unwind(test).is_ok(), "{mutant:?}: its test fails without it");
        PLANTED.set(Some(*mutant));
        let outcome = catch_unwind(test);
        PLANTED.set(None);
        assert!(outcome.is_err(), "{mutant:?} was not noticed");
    }
}
