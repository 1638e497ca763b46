//! The test of the test: every planted bug that is not for a handshake test must be caught by the first hundred seeds.

use std::sync::Mutex;

use theta_core::mutants::Mutant;
use theta_core::sim::{Plan, run};

use super::{explain, for_seeds};

/// Seeds in which a planted bug must show.
const SEEDS: u64 = 100;

/// Caught by a handshake test, on links that follow each other; here, in sessions whose epoch changes.
const ALSO: &[Mutant] = &[Mutant::AcceptOldEpoch];

/// How the first seed that notices a bug says so.
fn hunt(mutant: Mutant) -> Option<String> {
    (0..SEEDS).find_map(|seed| {
        let outcome = run(&Plan { mutant: Some(mutant), ..Plan::from_seed(seed) });
        (!outcome.violations.is_empty()).then(|| explain(seed, &outcome))
    })
}

#[test]
fn every_mutant_is_caught() {
    let of_seeds = |mutant: &Mutant| !Mutant::OF_HANDSHAKES.contains(mutant) || ALSO.contains(mutant);
    let mutants: Vec<Mutant> = Mutant::ALL.iter().copied().filter(of_seeds).collect();
    let survivors = Mutex::new(Vec::new());
    for_seeds(0..mutants.len() as u64, |at| {
        let mutant = mutants[at as usize];
        match hunt(mutant) {
            Some(caught) => println!("{mutant:?}: {caught:.200}"),
            None => survivors.lock().unwrap().push(mutant),
        }
    });
    let survivors = survivors.into_inner().unwrap();
    assert!(survivors.is_empty(), "survived {SEEDS} seeds: {survivors:?}");
}
