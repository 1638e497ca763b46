//! A network in a box: links with latency, jitter, loss (uniform and in bursts), reordering, duplication, very late
//! packets and partitions, all drawn from one seed.
//!
//! Datagram lanes lose, repeat and reorder. Reliable lanes never lose or reorder: a loss there costs time, as a
//! retransmission would. Every fault that happens is counted, so that a run can prove it was not a fair-weather one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::rng::Rng;
use crate::types::{Lane, Time};

/// What one link does to what crosses it. Parts per million, microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// One-way delay of every packet.
    pub latency_us: u32,
    /// Up to this much is added, drawn for each packet.
    pub jitter_us: u32,
    /// Uniform loss.
    pub loss_ppm: u32,
    /// Chance for each packet that a loss burst begins (Gilbert-Elliott).
    pub burst_begin_ppm: u32,
    /// Chance for each packet of a burst that it ends.
    pub burst_end_ppm: u32,
    /// Chance that a datagram arrives twice.
    pub duplicate_ppm: u32,
    /// Chance that a datagram is held back by two latencies, so that others overtake it.
    pub reorder_ppm: u32,
    /// Chance that a datagram arrives about a thousand ticks late.
    pub very_late_ppm: u32,
    /// Chance that one bit of a datagram flips.
    pub flip_ppm: u32,
    /// Chance that a copy of a datagram comes too, as one of the epoch before, with a right CRC.
    pub old_epoch_ppm: u32,
}

/// One end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// The host's.
    Host,
    /// The peer's.
    Peer,
}

impl End {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Host => Self::Peer,
            Self::Peer => Self::Host,
        }
    }
}

/// What arrives somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The other end opened its direction of a reliable lane.
    StreamOpened(Lane, u64),
    /// A packet, as it was sent.
    Packet(Lane, Vec<u8>),
    /// A packet that is not what was sent.
    Altered(Lane, Vec<u8>),
    /// The other end closed the connection.
    Closed(u16, String),
}

/// Faults by name, as a report counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// Uniform loss of a datagram.
    Lost,
    /// Loss inside a burst.
    LostInBurst,
    /// Loss on a partitioned link.
    LostInPartition,
    /// A datagram delivered twice.
    Duplicated,
    /// A datagram held back.
    Reordered,
    /// A datagram a thousand ticks late.
    VeryLate,
    /// A flipped bit.
    Flipped,
    /// A reliable packet delayed by a simulated retransmission.
    Retransmitted,
    /// A copy of a datagram under the epoch before.
    OldEpoch,
    /// A broken transport: a reliable packet that never comes.
    LaneLost,
    /// A broken transport: a reliable packet that comes twice.
    LaneRepeated,
    /// A broken transport: a reliable packet with a flipped bit.
    LaneAltered,
}

impl Fault {
    /// As a report counts it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lost => "fault lost",
            Self::LostInBurst => "fault lost in burst",
            Self::LostInPartition => "fault lost in partition",
            Self::Duplicated => "fault duplicated",
            Self::Reordered => "fault reordered",
            Self::VeryLate => "fault very late",
            Self::Flipped => "fault flipped",
            Self::Retransmitted => "fault retransmitted",
            Self::OldEpoch => "fault old epoch",
            Self::LaneLost => "fault reliable packet lost",
            Self::LaneRepeated => "fault reliable packet repeated",
            Self::LaneAltered => "fault reliable packet flipped",
        }
    }
}

/// Which lanes a partition stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lanes {
    /// All of them.
    All,
    /// Those that lose what they cannot deliver.
    Datagrams,
    /// The reliable ones: what is sent on them waits.
    Streams,
}

#[derive(Debug, Default)]
struct Direction {
    in_burst: bool,
    datagrams_stopped_until: Time,
    streams_stopped_until: Time,
    /// What becomes of the next reliable packet.
    sabotage: Option<Fault>,
    /// When the newest packet of each reliable lane arrives: none may overtake it.
    reliable_until: BTreeMap<Lane, Time>,
}

#[derive(Debug, Default)]
struct Link {
    conditions: Conditions,
    to_host: Direction,
    to_peer: Direction,
    cut: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Scheduled {
    at: Time,
    /// Order of sending: breaks ties, so that a run never depends on the heap.
    order: u64,
    link: u32,
    to: End,
    arrival: Arrival,
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// All links of a simulation and what is under way on them.
#[derive(Debug)]
pub struct Network {
    rng: Rng,
    links: BTreeMap<u32, Link>,
    under_way: BinaryHeap<Reverse<Scheduled>>,
    order: u64,
    faults: BTreeMap<Fault, u64>,
    /// Links already closed by one end: what the other still sends goes nowhere.
    closing: BTreeSet<(u32, End)>,
}

impl Network {
    /// An empty network.
    #[must_use]
    pub fn new(rng: Rng) -> Self {
        Self {
            rng,
            links: BTreeMap::new(),
            under_way: BinaryHeap::new(),
            order: 0,
            faults: BTreeMap::new(),
            closing: BTreeSet::new(),
        }
    }

    /// Adds a link, or changes an existing one's conditions.
    pub fn set_conditions(&mut self, link: u32, conditions: Conditions) {
        self.links.entry(link).or_default().conditions = conditions;
    }

    /// Nothing of these lanes gets through towards `to` until then; reliable packets wait, datagrams are lost.
    pub fn partition(&mut self, link: u32, to: End, lanes: Lanes, until: Time) {
        if let Some(link) = self.links.get_mut(&link) {
            let direction = link.direction(to);
            if lanes != Lanes::Streams {
                direction.datagrams_stopped_until = until;
            }
            if lanes != Lanes::Datagrams {
                direction.streams_stopped_until = until;
            }
        }
    }

    /// Breaks the transport's promise once: the next reliable packet towards `to` is lost, repeated or altered.
    pub fn sabotage(&mut self, link: u32, to: End, fault: Fault) {
        if let Some(link) = self.links.get_mut(&link) {
            link.direction(to).sabotage = Some(fault);
        }
    }

    /// The link is gone without a word, as when a process dies or a cable is cut.
    pub fn cut(&mut self, link: u32) {
        if let Some(link) = self.links.get_mut(&link) {
            link.cut = true;
        }
    }

    /// True when the link is gone, whoever has noticed.
    #[must_use]
    pub fn is_cut(&self, link: u32) -> bool {
        self.links.get(&link).is_some_and(|link| link.cut)
    }

    /// How often each fault happened.
    #[must_use]
    pub const fn faults(&self) -> &BTreeMap<Fault, u64> {
        &self.faults
    }

    /// Sends towards `to`.
    pub fn send(&mut self, now: Time, link: u32, to: End, mut arrival: Arrival) {
        let Some(state) = self.links.get_mut(&link) else { return };
        if state.cut || self.closing.contains(&(link, to.other())) {
            return;
        }
        let conditions = state.conditions;
        let delay_us = u64::from(conditions.latency_us) + self.rng.below(u64::from(conditions.jitter_us) + 1);
        let direction = state.direction(to);
        let lane = match &arrival {
            Arrival::Packet(lane, _) | Arrival::Altered(lane, _) | Arrival::StreamOpened(lane, _) => *lane,
            Arrival::Closed(..) => Lane::Control,
        };
        if lane.is_reliable() {
            let mut at = now.max(direction.streams_stopped_until).plus_us(delay_us);
            if direction.loses(&conditions, &mut self.rng).is_some() {
                *self.faults.entry(Fault::Retransmitted).or_default() += 1;
                at = at.plus_us(2 * delay_us + 25_000);
            }
            if let Arrival::Closed(..) = arrival {
                // A close leaves after everything else the sender had to say.
                at = direction.reliable_until.values().copied().fold(at, Time::max);
                self.closing.insert((link, to.other()));
            }
            let until = direction.reliable_until.entry(lane).or_default();
            at = at.max(*until);
            *until = at;
            if let Arrival::Packet(lane, bytes) = &mut arrival
                && let Some(fault) = direction.sabotage.take()
            {
                *self.faults.entry(fault).or_default() += 1;
                match fault {
                    Fault::LaneLost => return,
                    Fault::LaneRepeated => {
                        let copy = Arrival::Packet(*lane, bytes.clone());
                        self.schedule(at, link, to, copy);
                    }
                    _ => arrival = Arrival::Altered(*lane, self.flipped(bytes)),
                }
            }
            self.schedule(at, link, to, arrival);
            return;
        }
        if now < direction.datagrams_stopped_until {
            *self.faults.entry(Fault::LostInPartition).or_default() += 1;
            return;
        }
        if let Some(fault) = direction.loses(&conditions, &mut self.rng) {
            *self.faults.entry(fault).or_default() += 1;
            return;
        }
        self.send_datagram(now.plus_us(delay_us), &conditions, link, to, arrival);
    }

    fn send_datagram(
        &mut self,
        mut at: Time,
        conditions: &Conditions,
        link: u32,
        to: End,
        mut arrival: Arrival,
    ) {
        if self.rng.chance_ppm(conditions.reorder_ppm) {
            *self.faults.entry(Fault::Reordered).or_default() += 1;
            at = at.plus_us(2 * u64::from(conditions.latency_us) + 15_000);
        }
        if self.rng.chance_ppm(conditions.very_late_ppm) {
            *self.faults.entry(Fault::VeryLate).or_default() += 1;
            at = at.plus_ms(11_000);
        }
        if self.rng.chance_ppm(conditions.duplicate_ppm) {
            *self.faults.entry(Fault::Duplicated).or_default() += 1;
            let again = at.plus_us(self.rng.below(40_000));
            self.schedule(again, link, to, arrival.clone());
        }
        if self.rng.chance_ppm(conditions.old_epoch_ppm)
            && let Arrival::Packet(lane, bytes) = &arrival
            && let Some(old) = of_epoch_that_is_over(bytes)
        {
            *self.faults.entry(Fault::OldEpoch).or_default() += 1;
            self.schedule(at, link, to, Arrival::Altered(*lane, old));
        }
        if self.rng.chance_ppm(conditions.flip_ppm)
            && let Arrival::Packet(lane, bytes) = &arrival
        {
            *self.faults.entry(Fault::Flipped).or_default() += 1;
            arrival = Arrival::Altered(*lane, self.flipped(bytes));
        }
        self.schedule(at, link, to, arrival);
    }

    /// The same with another bit somewhere.
    fn flipped(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        let bit = self.rng.below(bytes.len() as u64 * 8) as usize;
        if let Some(byte) = bytes.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        bytes
    }

    fn schedule(&mut self, at: Time, link: u32, to: End, arrival: Arrival) {
        self.order += 1;
        self.under_way.push(Reverse(Scheduled { at, order: self.order, link, to, arrival }));
    }

    /// When the next thing arrives.
    #[must_use]
    pub fn next_arrival(&self) -> Option<Time> {
        self.under_way.peek().map(|Reverse(next)| next.at)
    }

    /// The next thing that has arrived by `now`: on which link, at which end, what.
    pub fn receive(&mut self, now: Time) -> Option<(u32, End, Arrival)> {
        while self.under_way.peek().is_some_and(|Reverse(next)| next.at <= now) {
            let Reverse(next) = self.under_way.pop()?;
            if self.links.get(&next.link).is_some_and(|link| !link.cut) {
                return Some((next.link, next.to, next.arrival));
            }
        }
        None
    }
}

/// The same packet under an epoch that nobody takes any more, sealed anew: three before (one before is taken for a
/// while, and a receiver may be one behind), or that of the handshake. `None` for a packet of the handshake.
fn of_epoch_that_is_over(packet: &[u8]) -> Option<Vec<u8>> {
    let mut packet = packet.to_vec();
    let epoch = u16::from_le_bytes([*packet.get(12)?, *packet.get(13)?]);
    let epoch = epoch.checked_sub(1)?.saturating_sub(2);
    packet[12..14].copy_from_slice(&epoch.to_le_bytes());
    packet[4..8].fill(0);
    let crc = crc32fast::hash(&packet);
    packet[4..8].copy_from_slice(&crc.to_le_bytes());
    Some(packet)
}

impl Link {
    fn direction(&mut self, to: End) -> &mut Direction {
        match to {
            End::Host => &mut self.to_host,
            End::Peer => &mut self.to_peer,
        }
    }
}

impl Direction {
    fn loses(&mut self, conditions: &Conditions, rng: &mut Rng) -> Option<Fault> {
        if self.in_burst {
            self.in_burst = !rng.chance_ppm(conditions.burst_end_ppm.max(1));
            return Some(Fault::LostInBurst);
        }
        self.in_burst = rng.chance_ppm(conditions.burst_begin_ppm);
        rng.chance_ppm(conditions.loss_ppm).then_some(Fault::Lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(conditions: Conditions) -> Network {
        let mut network = Network::new(Rng::new(7));
        network.set_conditions(1, conditions);
        network
    }

    fn drain(network: &mut Network, until: Time) -> Vec<Arrival> {
        core::iter::from_fn(|| network.receive(until)).map(|(_, _, arrival)| arrival).collect()
    }

    #[test]
    fn reliable_lanes_keep_order_under_every_fault() {
        let mut network = network(Conditions {
            latency_us: 20_000,
            jitter_us: 30_000,
            loss_ppm: 200_000,
            reorder_ppm: 200_000,
            ..Conditions::default()
        });
        for number in 0..200u8 {
            network.send(
                Time(u64::from(number) * 100),
                1,
                End::Peer,
                Arrival::Packet(Lane::Control, vec![number]),
            );
        }
        let got = drain(&mut network, Time(60_000_000));
        let want: Vec<_> = (0..200u8).map(|number| Arrival::Packet(Lane::Control, vec![number])).collect();
        assert_eq!(got, want);
        assert!(network.faults()[&Fault::Retransmitted] > 0);
    }

    #[test]
    fn datagrams_suffer_what_is_asked_for() {
        let mut network = network(Conditions {
            latency_us: 5_000,
            loss_ppm: 100_000,
            burst_begin_ppm: 10_000,
            burst_end_ppm: 300_000,
            duplicate_ppm: 50_000,
            reorder_ppm: 50_000,
            very_late_ppm: 10_000,
            flip_ppm: 10_000,
            ..Conditions::default()
        });
        for number in 0..10_000u64 {
            let packet = Arrival::Packet(Lane::State, number.to_le_bytes().to_vec());
            network.send(Time(number * 1000), 1, End::Host, packet);
        }
        let got = drain(&mut network, Time(60_000_000)).len();
        assert!((8_500..9_700).contains(&got), "{got}");
        assert_eq!(network.faults().len(), 6, "{:?}", network.faults());
    }

    #[test]
    fn a_partition_loses_datagrams_and_delays_the_rest() {
        let mut network = network(Conditions { latency_us: 1000, ..Conditions::default() });
        network.partition(1, End::Peer, Lanes::All, Time(1_000_000));
        network.send(Time(0), 1, End::Peer, Arrival::Packet(Lane::State, vec![1]));
        network.send(Time(0), 1, End::Peer, Arrival::Packet(Lane::Control, vec![2]));
        network.send(Time(0), 1, End::Host, Arrival::Packet(Lane::State, vec![3]));
        assert_eq!(drain(&mut network, Time(999_999)), [Arrival::Packet(Lane::State, vec![3])]);
        assert_eq!(drain(&mut network, Time(2_000_000)), [Arrival::Packet(Lane::Control, vec![2])]);
    }

    #[test]
    fn a_partition_of_one_class_of_lanes_leaves_the_other() {
        let mut network = network(Conditions { latency_us: 1000, ..Conditions::default() });
        network.partition(1, End::Peer, Lanes::Datagrams, Time(1_000_000));
        network.partition(1, End::Host, Lanes::Streams, Time(1_000_000));
        for to in [End::Peer, End::Host] {
            network.send(Time(0), 1, to, Arrival::Packet(Lane::State, vec![1]));
            network.send(Time(0), 1, to, Arrival::Packet(Lane::Control, vec![2]));
        }
        let early = drain(&mut network, Time(999_999));
        assert_eq!(early, [Arrival::Packet(Lane::Control, vec![2]), Arrival::Packet(Lane::State, vec![1])]);
        assert_eq!(drain(&mut network, Time(2_000_000)), [Arrival::Packet(Lane::Control, vec![2])]);
    }

    #[test]
    fn a_broken_transport_breaks_one_packet() {
        for (fault, comes) in [(Fault::LaneLost, 1), (Fault::LaneRepeated, 3), (Fault::LaneAltered, 2)] {
            let mut network = network(Conditions { latency_us: 1000, ..Conditions::default() });
            network.sabotage(1, End::Peer, fault);
            for number in 1..=2 {
                network.send(Time(0), 1, End::Peer, Arrival::Packet(Lane::Control, vec![number]));
            }
            let got = drain(&mut network, Time(1_000_000));
            assert_eq!(got.len(), comes, "{fault:?}: {got:?}");
            let altered = got.iter().filter(|arrival| matches!(arrival, Arrival::Altered(..))).count();
            assert_eq!(altered, usize::from(fault == Fault::LaneAltered));
        }
    }

    #[test]
    fn nothing_follows_a_close() {
        let mut network =
            network(Conditions { latency_us: 1000, jitter_us: 50_000, ..Conditions::default() });
        network.send(Time(0), 1, End::Peer, Arrival::Packet(Lane::Control, vec![1]));
        network.send(Time(0), 1, End::Peer, Arrival::Closed(7, "why".into()));
        network.send(Time(1), 1, End::Peer, Arrival::Packet(Lane::Control, vec![2]));
        let got = drain(&mut network, Time(1_000_000));
        assert_eq!(got, [Arrival::Packet(Lane::Control, vec![1]), Arrival::Closed(7, "why".into())]);
    }
}
