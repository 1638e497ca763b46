//! What a run of many seeds must contain: a simulation in fair weather proves little.

use std::collections::BTreeMap;

/// Seeds in which each line must come [`LEAST`] times; fewer seeds want their share of it.
const SEEDS: u64 = 1000;
/// How often each line must come at least in [`SEEDS`] seeds.
const LEAST: u64 = 20;

/// Faults, incidents and transitions that a run of many seeds must contain.
const MUST_HAPPEN: &[&str] = &[
    "fault lost",
    "fault lost in burst",
    "fault lost in partition",
    "fault duplicated",
    "fault reordered",
    "fault very late",
    "fault flipped",
    "fault retransmitted",
    "incident join",
    "incident leave",
    "incident crash",
    "incident kick",
    "incident pause",
    "incident partition",
    "incident datagram limit",
    "incident other conditions",
    "peer Handshake",
    "peer Admitted",
    "peer Joining",
    "peer Live",
    "peer Closed",
    "event join request",
    "event invite bound",
    "event peer live",
    "event schema mapped",
    "build Same",
    "build Previous",
    "build Oldest",
    "build Next",
    "mapping ComponentSkipped",
    "mapping ComponentAbsent",
    "mapping FieldSkipped",
    "mapping FieldDefaulted",
    "mapping FieldConverted",
    "event roster joined",
    "event roster left",
    "event confirmed",
    "event input",
    "peer followed an epoch",
    "incident away",
    "incident back",
    "incident link lost",
    "incident reconnect",
    "incident resume race",
    "incident address change",
    "incident stolen token",
    "incident old token",
    "peer Away",
    "peer Resuming",
    "event peer away",
    "event peer back",
    "event roster away",
    "event roster back",
    "handshake failed BadClientProof",
    "handshake failed ResumeRefused",
    "left AwayTimeout",
    "left Left",
    "left Kicked",
    "left IdleTimeout",
];

/// Prints everything that was counted, and says which listed lines came too rarely.
pub fn report(counts: &BTreeMap<String, u64>, seeds: u64) -> Vec<String> {
    for (what, count) in counts {
        let mark = if MUST_HAPPEN.contains(&what.as_str()) { '*' } else { ' ' };
        println!("{count:>12} {mark} {what}");
    }
    let least = LEAST * seeds / SEEDS;
    println!("lines with * are listed: each must come {least} times in {seeds} seeds");
    let rare = MUST_HAPPEN.iter().filter_map(|what| {
        let count = counts.get(*what).copied().unwrap_or(0);
        (count < least).then(|| format!("{what}: {count} times in {seeds} seeds, {least} wanted"))
    });
    rare.collect()
}
