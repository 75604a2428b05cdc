//! Ports for RTP: even ones (RFC 3550 §11) of a configured range, lent and given back.
//!
//! A lease ends when it is dropped, whatever way the call ended. The start is drawn from a seed,
//! so that ports of neighbouring calls cannot be guessed from one's own; from there the range is
//! gone round, so that a port just freed rests for as long as possible.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

/// The range cannot serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PortsError {
    /// No even port in the range.
    #[error("misconfigured: no even port in {first} to {last}")]
    EmptyRange {
        /// First port.
        first: u16,
        /// Last port.
        last: u16,
    },
    /// All are lent or taken by others.
    #[error("exhausted: all {count} rtp ports are in use")]
    Exhausted {
        /// Even ports of the range.
        count: u16,
    },
}

#[derive(Debug)]
struct Shelf {
    lent: BTreeSet<u16>,
    /// Index of the port tried next.
    next: u16,
}

/// The ports of a range.
///
/// ```
/// let ports = cordboard_sip::ports::Ports::new(40_000..=40_003, 7)?;
/// let first = ports.lease()?;
/// let second = ports.lease()?;
/// assert!(first.port() % 2 == 0 && first.port() != second.port());
/// assert!(ports.lease().is_err());
/// drop(first);
/// assert!(ports.lease().is_ok());
/// # Ok::<(), cordboard_sip::ports::PortsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ports {
    first: u16,
    count: u16,
    shelf: Arc<Mutex<Shelf>>,
}

impl Ports {
    /// Takes a range; the odd port above the last even one is RTCP's and need not be in it.
    ///
    /// # Errors
    /// [`PortsError::EmptyRange`].
    pub fn new(range: RangeInclusive<u16>, seed: u64) -> Result<Self, PortsError> {
        let (first, last) = range.into_inner();
        let empty = PortsError::EmptyRange { first, last };
        let even = first.checked_add(first % 2).filter(|it| *it <= last).ok_or(empty)?;
        let count = (last - even) / 2 + 1;
        let next = u16::try_from(seed % u64::from(count)).unwrap_or_default();
        let shelf = Shelf { lent: BTreeSet::new(), next };
        Ok(Self { first: even, count, shelf: Arc::new(Mutex::new(shelf)) })
    }

    /// Lends a port.
    ///
    /// # Errors
    /// [`PortsError::Exhausted`].
    pub fn lease(&self) -> Result<Lease, PortsError> {
        self.lease_with(|_| Some(())).map(|(lease, ())| lease)
    }

    /// Lends a port on which `open` succeeds, with what it gave: a port of the range may be in
    /// use by somebody else.
    ///
    /// # Errors
    /// [`PortsError::Exhausted`] where `open` succeeds on none that is free.
    pub fn lease_with<T>(
        &self,
        mut open: impl FnMut(u16) -> Option<T>,
    ) -> Result<(Lease, T), PortsError> {
        for _ in 0..self.count {
            let Some(lease) = self.next_free() else { break };
            if let Some(opened) = open(lease.port) {
                return Ok((lease, opened));
            }
        }
        Err(PortsError::Exhausted { count: self.count })
    }

    /// Ports lent at present.
    #[must_use]
    pub fn lent(&self) -> usize {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner).lent.len()
    }

    fn next_free(&self) -> Option<Lease> {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..self.count {
            let port = self.first + shelf.next * 2;
            shelf.next = (shelf.next + 1) % self.count;
            if shelf.lent.insert(port) {
                return Some(Lease { port, shelf: Arc::clone(&self.shelf) });
            }
        }
        None
    }
}

/// A port lent; dropping it gives it back.
#[derive(Debug)]
pub struct Lease {
    port: u16,
    shelf: Arc<Mutex<Shelf>>,
}

impl Lease {
    /// The even port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner).lent.remove(&self.port);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_without_an_even_port_are_refused() {
        for (first, last, count) in [
            (5, 5, None),
            (5, 6, Some(1)),
            (9, 3, None),
            (4, 4, Some(1)),
            (65_535, 65_535, None),
            (65_534, 65_535, Some(1)),
            (0, 65_535, Some(32_768)),
        ] {
            let got = Ports::new(first..=last, 3).map(|it| it.count).ok();
            assert_eq!(got, count, "{first}..={last}");
        }
    }

    #[test]
    fn ports_that_others_use_are_passed_over() {
        let ports = Ports::new(100..=107, 1).unwrap();
        let (lease, ()) = ports.lease_with(|port| (port == 104).then_some(())).unwrap();
        assert_eq!((lease.port(), ports.lent()), (104, 1));
        let refused = ports.lease_with(|_| None::<()>).unwrap_err();
        assert_eq!(refused, PortsError::Exhausted { count: 4 });
        assert_eq!(ports.lent(), 1);
    }

    #[test]
    fn a_freed_port_rests_while_others_are_free() {
        let ports = Ports::new(100..=107, 0).unwrap();
        let seen: Vec<u16> = (0..4).map(|_| ports.lease().unwrap().port()).collect();
        assert_eq!(seen, [100, 102, 104, 106]);
    }

    proptest! {
        #[test]
        fn leases_are_even_in_range_and_never_double(
            first in 1_u16..60_000, length in 2_u16..40, seed: u64,
            steps in proptest::collection::vec(any::<bool>(), 0..200),
        ) {
            let ports = Ports::new(first..=first + length, seed).unwrap();
            let mut held: Vec<Lease> = Vec::new();
            for take in steps {
                match ports.lease() {
                    Ok(lease) if take => {
                        prop_assert!(lease.port() % 2 == 0);
                        prop_assert!((first..=first + length).contains(&lease.port()));
                        prop_assert!(held.iter().all(|it| it.port() != lease.port()));
                        held.push(lease);
                    }
                    Ok(_) => drop(held.pop()),
                    Err(_) => {
                        prop_assert_eq!(held.len(), usize::from(ports.count));
                        held.remove(0);
                    }
                }
                prop_assert_eq!(ports.lent(), held.len());
            }
            drop(held);
            prop_assert_eq!(ports.lent(), 0);
        }
    }
}
