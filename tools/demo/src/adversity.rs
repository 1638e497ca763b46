//! What is done to a run on purpose: a bad network for each peer, and a divergence in one of them.
//!
//! For: the options that ask for it, what the samples are told, and what can still be expected. Called by the plan and by
//! the judge.

use std::ffi::OsString;

use serde::{Deserialize, Serialize};

/// Ticks a second.
const RATE_HZ: f64 = 90.0;
/// Packets of a tick of the demo's world at most: a tick is complete when all of them are there.
const PACKETS_PER_TICK: i32 = 4;

/// What the network of each peer does to its packets, in each direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// Percent of packets that are lost.
    pub loss_percent: f64,
    /// How long each takes; a round trip takes twice that.
    pub latency_ms: f64,
    /// By how much that varies to either side.
    pub jitter_ms: f64,
}

impl Network {
    /// As it is.
    pub const NONE: Self = Self { loss_percent: 0.0, latency_ms: 0.0, jitter_ms: 0.0 };

    /// What a sample is told.
    pub fn options(&self) -> Vec<OsString> {
        let all =
            [("--loss", self.loss_percent), ("--latency", self.latency_ms), ("--jitter", self.jitter_ms)];
        let asked = all.into_iter().filter(|(_, value)| *value > 0.0);
        asked.flat_map(|(name, value)| [name.into(), value.to_string().into()]).collect()
    }

    /// In words; `None` when nothing was asked for.
    pub fn describe(&self) -> Option<String> {
        let mut parts = Vec::new();
        if self.loss_percent > 0.0 {
            parts.push(format!("{} % of the packets lost", self.loss_percent));
        }
        match (self.latency_ms > 0.0, self.jitter_ms > 0.0) {
            (_, true) => parts.push(format!("{} \u{b1} {} ms each way", self.latency_ms, self.jitter_ms)),
            (true, false) => parts.push(format!("{} ms each way", self.latency_ms)),
            (false, false) => {}
        }
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// The share of ticks that this network lets through as a whole and in time. A tick that becomes complete after a
    /// later one is not shown, so jitter costs ticks as loss does.
    pub fn passable_ticks(&self) -> f64 {
        let arrives = (1.0 - self.loss_percent / 100.0).powi(PACKETS_PER_TICK);
        // The difference of two delays is distributed as a triangle over plus and minus twice the jitter.
        let widest_ms = 2.0 * self.jitter_ms;
        let mut in_time = 1.0;
        let mut later_ms = 1000.0 / RATE_HZ;
        while later_ms < widest_ms {
            in_time *= 1.0 - (widest_ms - later_ms).powi(2) / (2.0 * widest_ms.powi(2));
            later_ms += 1000.0 / RATE_HZ;
        }
        arrives * in_time
    }

    /// What half of the round trips take at least on this network; `None` where that says nothing.
    pub fn least_round_trip_ms(&self) -> Option<f64> {
        let least_ms = 2.0 * self.latency_ms - self.jitter_ms;
        (self.latency_ms > 0.0 && least_ms > 0.0).then_some(least_ms)
    }
}

/// A divergence that is planted: from this tick on a peer holds one bit that the host does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planted {
    /// In whom.
    pub peer: String,
    /// When.
    pub tick: u32,
}

impl Planted {
    /// Reads `PEER@TICK`. The tick must leave a second for the repair, and the peer must be one of these.
    pub fn parse(text: &str, seconds: u32, peers: &[&str]) -> Result<Self, String> {
        let (peer, tick) = text.rsplit_once('@').ok_or("give it as PEER@TICK, such as cpp-0@450")?;
        if !peers.contains(&peer) {
            return Err(format!("there is no peer {peer} in this run; there are {}", peers.join(", ")));
        }
        let last = u64::from(seconds.saturating_sub(1)) * RATE_HZ as u64;
        if last == 0 {
            return Err("a run of one second is over before a divergence could be repaired".to_owned());
        }
        let tick: u32 = tick.parse().map_err(|_| format!("{tick} is no tick"))?;
        if tick == 0 || u64::from(tick) > last {
            return Err(format!("the tick is from 1 to {last} in a run of {seconds} s, not {tick}"));
        }
        Ok(Self { peer: peer.to_owned(), tick })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_network_lets_fewer_ticks_through() {
        let share = |loss_percent: f64, jitter_ms: f64| {
            let network = Network { loss_percent, latency_ms: 30.0, jitter_ms };
            (network.passable_ticks() * 1000.0).round() as u32
        };
        assert_eq!(share(0.0, 0.0), 1000);
        assert_eq!(share(0.0, 5.0), 1000, "too little to overtake 11 ms");
        assert_eq!(share(2.0, 0.0), 922, "all of four packets");
        assert_eq!(share(0.0, 10.0), 901, "overtaken by the next tick: 8.9^2 / (2 * 20^2)");
        assert!(share(2.0, 10.0) < share(2.0, 0.0));
        assert!(share(0.0, 50.0) < 250, "most ticks are overtaken by one of the next nine");
    }

    #[test]
    fn it_is_told_in_options_and_in_words() {
        let network = Network { loss_percent: 2.0, latency_ms: 30.0, jitter_ms: 10.5 };
        assert_eq!(network.options(), ["--loss", "2", "--latency", "30", "--jitter", "10.5"]);
        assert_eq!(
            network.describe().as_deref(),
            Some("2 % of the packets lost, 30 \u{b1} 10.5 ms each way")
        );
        assert_eq!(network.least_round_trip_ms(), Some(49.5));
        assert_eq!((Network::NONE.options(), Network::NONE.describe()), (vec![], None));
        let steady = Network { latency_ms: 5.0, ..Network::NONE };
        assert_eq!(steady.describe().as_deref(), Some("5 ms each way"));
    }

    #[test]
    fn a_planted_divergence_names_a_peer_and_a_tick_of_the_run() {
        let parse = |text| Planted::parse(text, 20, &["cpp-0", "csharp-1"]);
        assert_eq!(parse("csharp-1@450"), Ok(Planted { peer: "csharp-1".to_owned(), tick: 450 }));
        for (text, part) in [
            ("csharp-1", "PEER@TICK"),
            ("rust-2@450", "there are cpp-0, csharp-1"),
            ("@450", "there is no peer"),
            ("cpp-0@", "is no tick"),
            ("cpp-0@0", "from 1 to 1710"),
            ("cpp-0@1711", "from 1 to 1710"),
            ("cpp-0@-5", "is no tick"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(Planted::parse("cpp-0@1", 1, &["cpp-0"]).is_err(), "no time for a repair");
    }
}
