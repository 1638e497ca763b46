//! How much one link may send: messages and bytes by lane, over time. A peer that plays meets none of it; one that floods
//! ends its own session and takes nobody's time. Called by a host's link with every packet.
//!
//! Each budget is a leaky bucket in integers (ITU-T I.371's GCRA): what was sent is debt, which time pays off at the
//! budget's rate, and debt over [`RATE_BURST_MS`] ends the link. A burst is that long because what a stalled network or
//! process kept back comes at once and is honest.

use crate::types::{Lane, Time};
use crate::wire::codes::DisconnectCode;
use crate::wire::limits::{
    MAX_BULK_BYTES_PER_S, MAX_CONTROL_BYTES_PER_S, MAX_DATAGRAM_BYTES_PER_S, MAX_DATAGRAM_MESSAGES_PER_S,
    MAX_STREAM_MESSAGES_PER_S, RATE_BURST_MS,
};

use super::closing::Closing;

const NS_PER_S: u64 = 1_000_000_000;
const BURST_NS: u64 = RATE_BURST_MS * 1_000_000;

/// Counts what happens within a stretch of time; what comes later begins the next stretch.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Window {
    since: Time,
    count: u32,
}

impl Window {
    /// A first stretch that begins now.
    pub const fn starting(now: Time) -> Self {
        Self { since: now, count: 0 }
    }

    /// Counts one more; gives how many there are in this stretch of `long_us`.
    pub fn count(&mut self, now: Time, long_us: u64) -> u32 {
        if now.since_us(self.since) >= long_us {
            *self = Self::starting(now);
        }
        self.count += 1;
        self.count
    }
}

/// What is left of one budget, as the time until which it is spent.
#[derive(Clone, Copy, Debug, Default)]
struct Budget {
    spent_until_ns: u64,
}

impl Budget {
    /// Spends `amount` of a budget of `per_s`; false when that is more than there is.
    fn spend(&mut self, now_ns: u64, amount: u64, per_s: u64) -> bool {
        let cost_ns = amount.saturating_mul(NS_PER_S) / per_s;
        let spent_until_ns = self.spent_until_ns.max(now_ns).saturating_add(cost_ns);
        self.spent_until_ns = spent_until_ns;
        spent_until_ns - now_ns <= BURST_NS
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct LaneBudget {
    messages: Budget,
    bytes: Budget,
}

/// The budgets of one link. All bulk lanes share one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rates {
    lanes: [LaneBudget; 6],
}

impl Rates {
    /// Counts messages and bytes that came on a lane.
    pub fn spend(&mut self, now: Time, lane: Lane, messages: usize, bytes: usize) -> Result<(), Closing> {
        let (messages_per_s, bytes_per_s) = rates(lane);
        let budget = &mut self.lanes[usize::from(lane.wire_id())];
        let now_ns = now.0.saturating_mul(1000);
        let within = budget.messages.spend(now_ns, messages as u64, messages_per_s)
            & budget.bytes.spend(now_ns, bytes as u64, bytes_per_s);
        if within {
            return Ok(());
        }
        let detail =
            format!("On lane {lane:?} it takes {messages_per_s} messages and {bytes_per_s} bytes a second");
        Err(Closing::because(DisconnectCode::RateLimited, detail))
    }
}

/// Messages and bytes per second of a lane.
const fn rates(lane: Lane) -> (u64, u64) {
    match lane {
        Lane::Control => (MAX_STREAM_MESSAGES_PER_S, MAX_CONTROL_BYTES_PER_S),
        Lane::Replication | Lane::Bulk(_) => (MAX_STREAM_MESSAGES_PER_S, MAX_BULK_BYTES_PER_S),
        Lane::State | Lane::Input | Lane::Presence => (MAX_DATAGRAM_MESSAGES_PER_S, MAX_DATAGRAM_BYTES_PER_S),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_headset_at_240_hz_is_far_below_and_so_is_what_a_stall_kept_back() {
        let mut rates = Rates::default();
        let mut now = Time(1_000_000);
        for step in 0..240 * 60 {
            // Ten times a minute the link stalls for 5 s, and then all of it comes at once.
            let stalled = step % (240 * 6) < 240 * 5;
            if !stalled {
                now = Time(1_000_000 + step * 1_000_000 / 240);
            }
            for (lane, messages, bytes) in [
                (Lane::Input, 1, 400),
                (Lane::State, 3, 300),
                (Lane::Presence, 1, 200),
                (Lane::Control, 1, 200),
            ] {
                assert_eq!(rates.spend(now, lane, messages, bytes), Ok(()), "{step} {lane:?}");
            }
        }
    }

    #[test]
    fn a_flood_ends_within_its_burst_and_lanes_do_not_share() {
        let now = Time(5_000_000);
        let mut rates = Rates::default();
        let taken = (0..1_000_000).take_while(|_| rates.spend(now, Lane::Input, 1, 0).is_ok()).count() as u64;
        assert_eq!(taken, MAX_DATAGRAM_MESSAGES_PER_S * RATE_BURST_MS / 1000);
        let closing = rates.spend(now, Lane::Input, 1, 0).unwrap_err();
        assert_eq!(closing.code, DisconnectCode::RateLimited);
        assert_eq!(rates.spend(now, Lane::State, 1, 0), Ok(()));
        let taken =
            (0..1_000_000).take_while(|_| rates.spend(now, Lane::Presence, 0, 1000).is_ok()).count() as u64;
        assert_eq!(taken, MAX_DATAGRAM_BYTES_PER_S * RATE_BURST_MS / 1_000_000);
    }

    #[test]
    fn time_pays_and_no_number_overflows() {
        let mut rates = Rates::default();
        assert!(rates.spend(Time(0), Lane::Control, usize::MAX, usize::MAX).is_err());
        let mut rates = Rates::default();
        for second in 0..100 {
            let now = Time(second * 1_000_000);
            let all = MAX_STREAM_MESSAGES_PER_S as usize;
            assert_eq!(rates.spend(now, Lane::Bulk(second as u16), all, 0), Ok(()), "{second}");
        }
        assert_eq!(rates.spend(Time(u64::MAX), Lane::Control, 1, 1), Ok(()));
    }
}
