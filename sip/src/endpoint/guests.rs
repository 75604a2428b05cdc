//! Connections that came in, counted: all of them, and those of each source.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Connections at once.
const MOST: usize = 512;
/// Connections at once of one source, so that one cannot take all.
const MOST_OF_ONE: usize = 128;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Guests {
    by_source: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection's place.
#[derive(Debug)]
pub(super) struct Guest {
    all: Arc<Guests>,
    source: IpAddr,
}

impl Guests {
    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.by_source.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count(&self) -> usize {
        self.counts().values().sum()
    }

    /// A place, where there is one.
    pub(super) fn admit(self: &Arc<Self>, source: IpAddr) -> Option<Guest> {
        let mut counts = self.counts();
        let all: usize = counts.values().sum();
        let its = counts.get(&source).copied().unwrap_or_default();
        if all >= MOST || its >= MOST_OF_ONE {
            return None;
        }
        counts.insert(source, its + 1);
        drop(counts);
        Some(Guest { all: Arc::clone(self), source })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut counts = self.all.counts();
        if let Some(its) = counts.get_mut(&self.source) {
            *its -= 1;
            if *its == 0 {
                counts.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_cannot_take_every_place() {
        let guests = Arc::new(Guests::default());
        let admit = |ip: u8| guests.admit(IpAddr::from([127, 0, 0, ip]));
        let mut inside: Vec<Guest> = (0..200).filter_map(|_| admit(1)).collect();
        assert_eq!(inside.len(), MOST_OF_ONE);
        inside.extend((0..=255).flat_map(|it| [admit(it), admit(it)]).flatten());
        assert_eq!((guests.count(), inside.len()), (MOST, MOST));
        assert!(admit(9).is_none());
        drop(inside);
        assert_eq!(guests.count(), 0);
        assert!(guests.counts().is_empty());
    }
}
