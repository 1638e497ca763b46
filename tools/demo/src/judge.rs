//! Whether a run is good: a list of checks, each with a sentence that says what was seen.
//!
//! For: turning reports and comparisons into a verdict. Must never pass for want of data: what is missing fails.
//! Called by the run and by `--check`.

use crate::adversity::{Network, Planted};
use crate::compare::{Comparison, HostTicks};
use crate::report::{ClientReport, DemoPeer, DemoReport, ServerReport};

/// Of a peer's complete ticks, how many must have been compared.
const MIN_COMPARED: f64 = 0.95;
/// Of the ticks while a peer was live, how many must have become complete, as a share of what the network lets through:
/// all of them on loopback, where nothing is lost.
const MIN_COMPLETE: f64 = 0.80;
/// The same where the network loses or reorders. A busy machine makes its ticks in bursts, which jitter mixes up more than
/// evenly spaced ones.
const MIN_COMPLETE_OF_PASSABLE: f64 = 0.80;
/// Of the ticks while a peer was live, for how many the host must have had an input of it: a player who is frozen for
/// everybody looks the same on every side.
const MIN_INPUTS: f64 = 0.80;
/// Of the host's ticks, how many must have a hash of their own: a world that does not move proves nothing.
const MIN_DISTINCT: f64 = 0.5;

/// Where samples plant a divergence.
const PLANTED_WHERE: &str = "demo.cube.position";

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// It is as it should be.
    pub passed: bool,
    /// What was seen, for somebody who has not read the code.
    pub sentence: String,
}

/// What is known of a peer when it has ended.
#[derive(Clone, Debug)]
pub struct PeerRun {
    /// What it says.
    pub report: ClientReport,
    /// What its hashes say.
    pub comparison: Comparison,
}

/// What is known of the whole run.
#[derive(Clone, Debug)]
pub struct Run {
    /// How long each peer was to be live.
    pub seconds: f64,
    /// How many cubes the host was to have.
    pub cubes: u64,
    /// What the network did to each peer's packets.
    pub network: Network,
    /// What was planted.
    pub planted: Option<Planted>,
    /// What the host says.
    pub server: ServerReport,
    /// What the host hashed.
    pub host: HostTicks,
    /// The peers.
    pub peers: Vec<PeerRun>,
}

fn percent(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { 100.0 * part / whole } else { 0.0 }
}

impl PeerRun {
    /// Ticks that were complete at the peer. Its count is of a moment shortly before it left; what it hashed was
    /// complete as well.
    pub fn complete_ticks(&self) -> u64 {
        self.report.complete_ticks.max(self.comparison.hashed)
    }
}

impl Run {
    /// Looks at everything.
    pub fn checks(&self) -> Vec<Check> {
        let mut checks = self.host_checks();
        checks.extend(self.peers.iter().flat_map(|peer| self.peer_checks(peer)));
        if let Some(planted) = &self.planted {
            // A run that was spoiled on purpose is not a good one, however well that was noticed.
            checks.push(Check { passed: false, sentence: self.planted_outcome(planted).1 });
        }
        checks
    }

    /// What became of a planted divergence: whether it was found, named and repaired, and a sentence.
    pub fn planted_outcome(&self, planted: &Planted) -> (bool, String) {
        let begin = format!("{} was made to diverge at tick {} on purpose", planted.peer, planted.tick);
        let Some(found) = self.server.divergences.iter().find(|found| found.name == planted.peer) else {
            return (false, format!("{begin}, and no hash gave it away"));
        };
        // The event's text ends with the tick, which the sentence has already.
        let place = found.r#where.split(" at ").next().unwrap_or_default();
        let begin = format!("{begin}: its hash of tick {} gave it away, in {place}", found.tick);
        if !found.r#where.starts_with(PLANTED_WHERE) {
            return (false, format!("{begin}, though it was planted in {PLANTED_WHERE}"));
        }
        let Some(repaired) = found.repaired_tick else {
            return (false, format!("{begin}, and it was never repaired"));
        };
        let comparison = self.peers.iter().find(|peer| peer.report.name == planted.peer);
        let comparison = comparison.map(|peer| peer.comparison.clone()).unwrap_or_default();
        match comparison.last_difference {
            // That tick itself may have been shown before the repair came.
            Some(last) if last > repaired => {
                (false, format!("{begin}, it was repaired with tick {repaired}, and yet tick {last} differs"))
            }
            _ => {
                let differ = comparison.diverged;
                (true, format!("{begin}, and was repaired with tick {repaired}; {differ} ticks of it differ"))
            }
        }
    }

    fn host_checks(&self) -> Vec<Check> {
        let server = &self.server;
        let (ticks, distinct) = (self.host.count(), self.host.distinct());
        vec![
            Check {
                passed: server.ok,
                sentence: if server.ok {
                    "the host had no error, and saw no peer diverge".to_owned()
                } else {
                    "the host's report is not ok: a call failed or a peer diverged, see its messages"
                        .to_owned()
                },
            },
            Check {
                passed: server.entities >= self.cubes + self.peers.len() as u64,
                sentence: format!(
                    "the host had {} entities at once, for {} cubes and {} avatars",
                    server.entities,
                    self.cubes,
                    self.peers.len()
                ),
            },
            Check {
                passed: server.entities_moved > 0,
                sentence: format!("players pushed {} of {} cubes", server.entities_moved, self.cubes),
            },
            Check {
                passed: ticks > 0 && distinct as f64 >= MIN_DISTINCT * ticks as f64,
                sentence: format!(
                    "the host hashed {ticks} ticks, and {distinct} of the hashes are different"
                ),
            },
        ]
    }

    fn peer_checks(&self, peer: &PeerRun) -> Vec<Check> {
        let PeerRun { report, comparison } = peer;
        let name = &report.name;
        let same = match comparison.first_difference {
            None if comparison.compared == 0 => Check {
                passed: false,
                sentence: format!("{name} has no tick that could be compared with the host's"),
            },
            None => Check {
                passed: true,
                sentence: format!(
                    "{name} saw what the host had in all {} compared ticks",
                    comparison.compared
                ),
            },
            Some(first) => Check {
                passed: false,
                sentence: format!(
                    "{name} saw something else than the host at tick {}: hash {:016x} instead of {:016x} \
                     ({} of {} ticks differ)",
                    first.tick, first.peer, first.host, comparison.diverged, comparison.compared
                ),
            },
        };
        let complete_ticks = peer.complete_ticks();
        let complete = complete_ticks as f64;
        let compared = comparison.compared as f64;
        // Both count: a peer that was live and received nothing has started nothing either.
        let due = (self.seconds * self.server.tick_hz).max(report.started_ticks as f64);
        let min_complete = match self.network.passable_ticks() {
            passable if passable < 1.0 => MIN_COMPLETE_OF_PASSABLE * passable,
            _ => MIN_COMPLETE,
        };
        let mut checks = vec![
            same,
            Check {
                passed: complete > 0.0 && compared >= MIN_COMPARED * complete,
                sentence: format!(
                    "{name}: {} of {} complete ticks compared, {:.1} % (at least {:.0} %)",
                    comparison.compared,
                    complete_ticks,
                    percent(compared, complete).min(100.0),
                    MIN_COMPARED * 100.0
                ),
            },
            Check {
                passed: complete > 0.0 && complete >= min_complete * due,
                sentence: format!(
                    "{name}: {} of {:.0} ticks complete, {:.1} % (at least {:.0} %)",
                    complete_ticks,
                    due,
                    percent(complete, due).min(100.0),
                    min_complete * 100.0
                ),
            },
        ];
        if let Some(least_ms) = self.network.least_round_trip_ms() {
            checks.push(Check {
                passed: report.rtt_ms_p50.is_some_and(|rtt_ms| rtt_ms >= least_ms),
                sentence: match report.rtt_ms_p50 {
                    Some(rtt_ms) => {
                        format!("{name}: half of the round trips took {rtt_ms:.1} ms or more (at least {least_ms:.0})")
                    }
                    None => format!("{name} measured no round trip"),
                },
            });
        }
        let wanted = self.seconds * self.server.tick_hz;
        let inputs =
            self.server.peers.iter().find(|peer| peer.name == *name).map_or(0, |peer| peer.inputs_received);
        checks.push(Check {
            passed: inputs > 0 && inputs as f64 >= MIN_INPUTS * wanted,
            sentence: format!(
                "{name}: the host took {inputs} inputs in {wanted:.0} ticks, {:.1} % (at least {:.0} %)",
                percent(inputs as f64, wanted).min(100.0),
                MIN_INPUTS * 100.0
            ),
        });
        if self.peers.len() > 1 {
            checks.push(Check {
                passed: report.pose_error_mm_p99.is_some(),
                sentence: match (report.pose_error_mm_p50, report.pose_error_mm_p99) {
                    (Some(p50), Some(p99)) => {
                        format!(
                            "{name} showed the others {p50:.2} mm (99 %: {p99:.2} mm) from where they were"
                        )
                    }
                    _ => format!("{name} never showed another player"),
                },
            });
        }
        checks
    }

    /// What `--json` writes.
    pub fn report(&self, ok: bool) -> DemoReport {
        let peers = self.peers.iter().map(|peer @ PeerRun { report, comparison }| DemoPeer {
            name: report.name.clone(),
            language: report.language.clone(),
            transport: report.transport.clone(),
            rtt_ms_p50: report.rtt_ms_p50,
            rtt_ms_p99: report.rtt_ms_p99,
            in_bytes_per_s: report.in_bytes_per_s,
            out_bytes_per_s: report.out_bytes_per_s,
            pose_error_mm_p50: report.pose_error_mm_p50,
            pose_error_mm_p99: report.pose_error_mm_p99,
            complete_ticks: peer.complete_ticks(),
            compared_ticks: comparison.compared,
            diverged_ticks: comparison.diverged,
        });
        DemoReport {
            ok,
            seconds: self.server.seconds,
            tick_hz: self.server.tick_hz,
            tick_ms_p99: self.server.tick_ms_p99,
            deadline_misses: self.server.deadline_misses,
            entities: self.server.entities,
            entities_moved: self.server.entities_moved,
            peers: peers.collect(),
            network: self.network,
            planted: self.planted.clone(),
            divergences: self.server.divergences.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{DivergenceReport, ServerPeer};

    const TICKS: u32 = 900;

    /// Ten good seconds of two peers; `change` spoils them.
    fn run(change: impl FnOnce(&mut Run)) -> Run {
        let hashes = |ticks: u32| (1..=ticks).map(|tick| (tick, u64::from(tick) * 3)).collect::<Vec<_>>();
        let peer = |name: &str| PeerRun {
            report: ClientReport {
                name: name.to_owned(),
                complete_ticks: TICKS.into(),
                started_ticks: TICKS.into(),
                pose_error_mm_p50: Some(0.4),
                pose_error_mm_p99: Some(0.9),
                ..ClientReport::default()
            },
            comparison: {
                let mut comparison = Comparison::default();
                comparison.add(hashes(TICKS));
                comparison
            },
        };
        let mut run = Run {
            seconds: 10.0,
            cubes: 400,
            network: Network::default(),
            planted: None,
            server: ServerReport {
                ok: true,
                seconds: 11.0,
                tick_hz: 90.0,
                entities: 402,
                entities_moved: 20,
                peers: ["cpp-0", "rust-1"]
                    .map(|name| ServerPeer { name: name.to_owned(), inputs_received: TICKS.into() })
                    .to_vec(),
                ..ServerReport::default()
            },
            host: HostTicks::default(),
            peers: vec![peer("cpp-0"), peer("rust-1")],
        };
        run.host.add(hashes(TICKS + 50));
        change(&mut run);
        let host = run.host.clone();
        run.peers.iter_mut().for_each(|peer| peer.comparison.settle(&host));
        run
    }

    fn failures(change: impl FnOnce(&mut Run)) -> Vec<String> {
        run(change).checks().into_iter().filter(|check| !check.passed).map(|check| check.sentence).collect()
    }

    fn only_failure(change: impl FnOnce(&mut Run)) -> String {
        let failures = failures(change);
        assert_eq!(failures.len(), 1, "{failures:?}");
        failures.into_iter().next().unwrap_or_default()
    }

    #[test]
    fn a_good_run_passes_everything() {
        let run = run(|_| {});
        assert_eq!(run.checks().len(), 4 + 2 * 5);
        assert!(run.checks().iter().all(|check| check.passed), "{:#?}", run.checks());
        let report = run.report(true);
        assert_eq!((report.peers[1].compared_ticks, report.peers[1].diverged_ticks), (900, 0));
    }

    #[test]
    fn one_different_tick_fails_and_names_peer_and_tick() {
        let sentence = only_failure(|run| {
            run.host.add(vec![(444, 1)]);
            run.peers.truncate(1);
            run.peers[0].report.pose_error_mm_p99 = None; // alone there is nobody to show
        });
        assert!(sentence.contains("cpp-0") && sentence.contains("tick 444:"), "{sentence}");
    }

    #[test]
    fn a_peer_whose_ticks_were_not_compared_fails() {
        let hashed = |ticks: u32| (1..=ticks).map(|tick| (tick, u64::from(tick) * 3)).collect::<Vec<_>>();
        let with = |ticks: u32| {
            failures(|run| {
                run.peers[1].comparison = Comparison::default();
                run.peers[1].comparison.add(hashed(ticks));
            })
        };
        assert_eq!(with(855), Vec::<String>::new(), "95 %");
        let failed = with(854);
        assert!(
            matches!(&failed[..], [one] if one.contains("rust-1") && one.contains("854 of 900")),
            "{failed:?}"
        );
        assert_eq!(with(0).len(), 2, "nothing compared is nothing proved");
    }

    #[test]
    fn a_peer_that_missed_ticks_fails() {
        let with = |complete: u64, started: u64| {
            failures(|run| {
                run.peers[0].report.complete_ticks = complete;
                run.peers[0].report.started_ticks = started;
                run.peers[0].comparison = Comparison::default();
                run.peers[0].comparison.add((1..=complete as u32).map(|t| (t, u64::from(t) * 3)).collect());
            })
        };
        assert_eq!(with(720, 720), Vec::<String>::new(), "80 %");
        assert!(with(719, 719)[0].contains("cpp-0: 719 of 900"), "few arrived in ten seconds at 90 Hz");
        assert!(with(800, 1001)[0].contains("800 of 1001"), "many arrived and stayed incomplete");
        assert!(with(0, 0).len() >= 3);
    }

    #[test]
    fn a_bad_network_may_cost_ticks_and_must_cost_time() {
        let bad = Network { loss_percent: 2.0, latency_ms: 30.0, jitter_ms: 10.0 };
        let with = |complete: u64, rtt_ms: Option<f64>| {
            failures(|run| {
                run.network = bad;
                for peer in &mut run.peers {
                    peer.report.rtt_ms_p50 = rtt_ms;
                }
                run.peers[0].report.complete_ticks = complete;
                run.peers[0].comparison = Comparison::default();
                run.peers[0].comparison.add((1..=complete as u32).map(|t| (t, u64::from(t) * 3)).collect());
            })
        };
        assert_eq!(with(640, Some(61.0)), Vec::<String>::new(), "71 % of the ticks");
        assert!(with(500, Some(61.0))[0].contains("cpp-0: 500 of 900"), "56 %");
        let fast = with(640, Some(3.0));
        assert!(fast.len() == 2 && fast[0].contains("3.0 ms"), "nobody was far away: {fast:?}");
        assert_eq!(with(640, None).len(), 2);
    }

    #[test]
    fn a_planted_divergence_fails_the_run_and_says_what_became_of_it() {
        let found = |r#where: &str, repaired_tick| DivergenceReport {
            name: "rust-1".to_owned(),
            tick: 455,
            r#where: r#where.to_owned(),
            repaired_tick,
        };
        let with = |divergences: Vec<DivergenceReport>, wrong: &[u32]| {
            let run = run(|run| {
                run.planted = Some(Planted { peer: "rust-1".to_owned(), tick: 450 });
                run.server.divergences = divergences;
                let hashes =
                    (1..=TICKS).map(|tick| (tick, u64::from(tick) * 3 + u64::from(wrong.contains(&tick))));
                run.peers[1].comparison = Comparison::default();
                run.peers[1].comparison.add(hashes.collect());
            });
            let last = run.checks().pop().expect("checks");
            assert!(!last.passed, "never a good run");
            let (found, sentence) = run.planted_outcome(run.planted.as_ref().expect("planted"));
            assert_eq!(sentence, last.sentence);
            (found, sentence)
        };
        let place = "demo.cube.position in chunk 3";
        let (good, sentence) = with(vec![found(place, Some(460))], &[451, 452, 453]);
        assert!(
            good && sentence.contains(place) && sentence.contains("with tick 460; 3 ticks"),
            "{sentence}"
        );
        for (divergences, wrong, part) in [
            (vec![], &[451][..], "no hash gave it away"),
            (vec![found(place, None)], &[451], "never repaired"),
            (vec![found("demo.avatar.head_position", Some(460))], &[451], "though it was planted in"),
            (vec![found(place, Some(460))], &[451, 470], "yet tick 470 differs"),
        ] {
            let (good, sentence) = with(divergences, wrong);
            assert!(!good && sentence.contains(part), "{sentence}");
        }
    }

    #[test]
    fn a_world_without_motion_or_without_cubes_fails() {
        assert!(only_failure(|run| run.server.entities_moved = 0).contains("pushed 0"));
        assert!(only_failure(|run| run.server.entities = 401).contains("401 entities"));
        assert!(only_failure(|run| run.server.ok = false).contains("not ok"));
        let still = failures(|run| {
            run.host = HostTicks::default();
            run.host.add((1..=950).map(|tick| (tick, 9)).collect());
            for peer in &mut run.peers {
                peer.comparison = Comparison::default();
                peer.comparison.add((1..=TICKS).map(|tick| (tick, 9)).collect());
            }
        });
        assert!(matches!(&still[..], [one] if one.contains("1 of the hashes")), "{still:?}");
    }

    #[test]
    fn a_player_who_is_frozen_for_everybody_fails() {
        let sentence = only_failure(|run| run.server.peers[1].inputs_received = 719);
        assert!(sentence.contains("rust-1: the host took 719 inputs in 900 ticks"), "{sentence}");
        assert_eq!(failures(|run| run.server.peers[1].inputs_received = 720), Vec::<String>::new(), "80 %");
        assert!(only_failure(|run| run.server.peers.truncate(1)).contains("rust-1: the host took 0 inputs"));
    }

    #[test]
    fn a_peer_that_saw_nobody_fails() {
        let sentence = only_failure(|run| run.peers[0].report.pose_error_mm_p99 = None);
        assert!(sentence.contains("cpp-0 never"), "{sentence}");
    }
}
