//! How many tokens an address may have: a bucket that fills by the minute. Pure.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
/// Addresses that are remembered; beyond, those that are quiet are forgotten first.
const ADDRESSES_MAX: usize = 10_000;

/// What each address has had of late.
#[derive(Debug)]
pub(super) struct Rate {
    a_minute: u32,
    /// Tokens left, and as of when.
    left: HashMap<IpAddr, (f64, Duration)>,
}

impl Rate {
    pub(super) fn new(a_minute: u32) -> Self {
        Self { a_minute, left: HashMap::new() }
    }

    /// Takes one; after how many seconds to ask again, where there is none.
    pub(super) fn take(&mut self, from: IpAddr, now: Duration) -> Result<(), u64> {
        if self.left.len() >= ADDRESSES_MAX {
            self.left.retain(|_, (_, since)| now.saturating_sub(*since) < MINUTE);
        }
        let full = f64::from(self.a_minute);
        let (left, since) = self.left.get(&from).copied().unwrap_or((full, now));
        let passed = now.saturating_sub(since).as_secs_f64() / MINUTE.as_secs_f64();
        let left = (left + passed * full).min(full);
        let taken = left >= 1.0;
        self.left.insert(from, (if taken { left - 1.0 } else { left }, now));
        if taken {
            return Ok(());
        }
        let wait_s = (1.0 - left) / full.max(1.0) * MINUTE.as_secs_f64();
        // What is left is a sum of parts: a hair above a second is a second.
        Err((wait_s - 1e-6).ceil().max(1.0) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_and_then_one_by_one_and_others_are_not_touched() {
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let mut rate = Rate::new(6);
        let at = Duration::from_secs;
        for _ in 0..6 {
            assert_eq!(rate.take(one, at(100)), Ok(()));
        }
        assert_eq!(rate.take(one, at(100)), Err(10));
        assert_eq!(rate.take(other, at(100)), Ok(()));
        assert_eq!(rate.take(one, at(109)), Err(1));
        assert_eq!(rate.take(one, at(111)), Ok(()));
        assert!(rate.take(one, at(111)).is_err());
    }
}
