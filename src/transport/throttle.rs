//! How often one network may begin a connection: a token bucket each, in a table of fixed size. Keeps a host from
//! doing public-key work for somebody who only knocks. Called by the accept loop; told the time, reads no clock.

use std::collections::HashMap;
use std::net::IpAddr;

/// Networks remembered at once. One that is forgotten starts with a full bucket, so the table bounds memory
/// and not the rate; the cap on half-open connections bounds the work.
pub(super) const MAX_NETWORKS: usize = 1024;

/// What one customer of a network usually has to itself: an IPv4 address, the first 64 bits of an IPv6 address. Who has one
/// /64 has 2^64 addresses, so counting those would count nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Network {
    /// One address.
    V4(u32),
    /// A /64.
    V6(u64),
}

impl Network {
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Thousandths of an attempt that are left.
    milli: u64,
    at_ms: u64,
}

/// Token buckets by network.
#[derive(Debug)]
pub(super) struct Throttle {
    burst: u64,
    per_second: u64,
    buckets: HashMap<Network, Bucket>,
}

impl Throttle {
    /// `burst` attempts at once, `per_second` in the long run.
    pub(super) fn new(burst: u32, per_second: u32) -> Self {
        Self { burst: u64::from(burst), per_second: u64::from(per_second), buckets: HashMap::new() }
    }

    /// Counts an attempt; false when the address has used up its share.
    pub(super) fn allow(&mut self, address: IpAddr, now_ms: u64) -> bool {
        let network = Network::of(address);
        let full = self.burst * 1000;
        if !self.buckets.contains_key(&network) && self.buckets.len() >= MAX_NETWORKS {
            // Buckets that have filled up again carry no information; if none has, the oldest goes.
            let per_second = self.per_second;
            self.buckets
                .retain(|_, bucket| bucket.milli + now_ms.saturating_sub(bucket.at_ms) * per_second < full);
            if self.buckets.len() >= MAX_NETWORKS
                && let Some(oldest) = self
                    .buckets
                    .iter()
                    .min_by_key(|(network, bucket)| (bucket.at_ms, **network))
                    .map(|(network, _)| *network)
            {
                self.buckets.remove(&oldest);
            }
        }
        let bucket = self.buckets.entry(network).or_insert(Bucket { milli: full, at_ms: now_ms });
        let elapsed_ms = now_ms.saturating_sub(bucket.at_ms);
        bucket.milli = full.min(bucket.milli.saturating_add(elapsed_ms.saturating_mul(self.per_second)));
        bucket.at_ms = now_ms;
        if bucket.milli < 1000 {
            return false;
        }
        bucket.milli -= 1000;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn address(n: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from_bits(n))
    }

    #[test]
    fn a_burst_then_the_rate() {
        let mut throttle = Throttle::new(3, 2);
        let allowed = (0..10).filter(|_| throttle.allow(address(1), 0)).count();
        assert_eq!(allowed, 3);
        assert!(throttle.allow(address(2), 0), "another address has its own share");
        assert!(!throttle.allow(address(1), 400));
        assert!(throttle.allow(address(1), 501));
        assert!(!throttle.allow(address(1), 502));
    }

    #[test]
    fn a_customer_is_one_whatever_address_it_takes() {
        let mut throttle = Throttle::new(2, 1);
        let of_prefix = |prefix: u128, host: u128| IpAddr::V6((prefix << 64 | host).into());
        let allowed = (0..100).filter(|n| throttle.allow(of_prefix(0x2001_0db8, *n), 0)).count();
        assert_eq!(allowed, 2, "a /64 is one");
        assert!(throttle.allow(of_prefix(0x2001_0db9, 0), 0));
        let mapped = Ipv4Addr::from_bits(5).to_ipv6_mapped();
        assert_eq!(Network::of(mapped.into()), Network::of(address(5)));
    }

    #[test]
    fn the_table_stays_bounded() {
        let mut throttle = Throttle::new(1, 1);
        for n in 0..5000 {
            assert!(throttle.allow(address(n), u64::from(n) / 100));
        }
        assert!(throttle.buckets.len() <= MAX_NETWORKS);
    }
}
