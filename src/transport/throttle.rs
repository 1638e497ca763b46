//! How often one address may begin a connection: a token bucket each, in a table of fixed size. Keeps a host from
//! doing public-key work for somebody who only knocks. Called by the accept loop; told the time, reads no clock.

use std::collections::HashMap;
use std::net::IpAddr;

/// Addresses remembered at once. An address that is forgotten starts with a full bucket, so the table bounds memory
/// and not the rate; the cap on half-open connections bounds the work.
const MAX_ADDRESSES: usize = 1024;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Thousandths of an attempt that are left.
    milli: u64,
    at_ms: u64,
}

/// Token buckets by address.
#[derive(Debug)]
pub(super) struct Throttle {
    burst: u64,
    per_second: u64,
    buckets: HashMap<IpAddr, Bucket>,
}

impl Throttle {
    /// `burst` attempts at once, `per_second` in the long run.
    pub(super) fn new(burst: u32, per_second: u32) -> Self {
        Self { burst: u64::from(burst), per_second: u64::from(per_second), buckets: HashMap::new() }
    }

    /// Counts an attempt; false when the address has used up its share.
    pub(super) fn allow(&mut self, address: IpAddr, now_ms: u64) -> bool {
        let full = self.burst * 1000;
        if !self.buckets.contains_key(&address) && self.buckets.len() >= MAX_ADDRESSES {
            // Buckets that have filled up again carry no information; if none has, the oldest goes.
            let per_second = self.per_second;
            self.buckets
                .retain(|_, bucket| bucket.milli + now_ms.saturating_sub(bucket.at_ms) * per_second < full);
            if self.buckets.len() >= MAX_ADDRESSES
                && let Some(oldest) = self
                    .buckets
                    .iter()
                    .min_by_key(|(address, bucket)| (bucket.at_ms, **address))
                    .map(|(a, _)| *a)
            {
                self.buckets.remove(&oldest);
            }
        }
        let bucket = self.buckets.entry(address).or_insert(Bucket { milli: full, at_ms: now_ms });
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
    fn the_table_stays_bounded() {
        let mut throttle = Throttle::new(1, 1);
        for n in 0..5000 {
            assert!(throttle.allow(address(n), u64::from(n) / 100));
        }
        assert!(throttle.buckets.len() <= MAX_ADDRESSES);
    }
}
