//! Which of several engines is asked next: in order of preference, but for those that failed of
//! late.
//!
//! Pure; time is an argument. An engine that fails is left alone for a second, and for twice as
//! long each further time, or for as long as it asked for; then one utterance at a time tries it.
//! Where all are left alone, the one whose time is nearest is tried all the same: somebody waits.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long an engine is left alone after its first failure.
const BACK_OFF: Duration = Duration::from_secs(1);
/// How long at most.
const BACK_OFF_MAX: Duration = Duration::from_secs(60);

/// What is known of one engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Circuit {
    failures: u32,
    /// Left alone until then.
    until: Duration,
}

impl Circuit {
    fn failed(&mut self, now: Duration, asked_for: Option<Duration>) {
        let doubled = BACK_OFF * 2_u32.saturating_pow(self.failures.min(8));
        self.failures = self.failures.saturating_add(1);
        self.until = now + doubled.min(BACK_OFF_MAX).max(asked_for.unwrap_or_default());
    }
}

/// The health of engines in order of preference, shared by all who ask them.
#[derive(Clone, Debug)]
pub(super) struct Health(Arc<Mutex<Vec<Circuit>>>);

impl Health {
    /// So many engines, none of which has failed.
    pub(super) fn new(engines: usize) -> Self {
        Self(Arc::new(Mutex::new(vec![Circuit::default(); engines])))
    }

    /// The engine to be asked now, among the usable ones.
    pub(super) fn choose(&self, now: Duration, usable: impl Fn(usize) -> bool) -> Option<usize> {
        self.with(|circuits| {
            let among = || (0..circuits.len()).filter(|&engine| usable(engine));
            let healthy = among().find(|&engine| now >= circuits[engine].until);
            let chosen = healthy.or_else(|| among().min_by_key(|&engine| circuits[engine].until));
            let chosen = chosen?;
            if circuits[chosen].failures > 0 {
                // Others do not try it as well while this try lasts.
                let until = &mut circuits[chosen].until;
                *until = (*until).max(now + BACK_OFF);
            }
            Some(chosen)
        })
    }

    /// An engine failed, and perhaps asked to be left alone for some time.
    pub(super) fn failed(&self, engine: usize, now: Duration, asked_for: Option<Duration>) {
        self.with(|circuits| circuits[engine].failed(now, asked_for));
    }

    /// An engine did its work.
    pub(super) fn worked(&self, engine: usize) {
        self.with(|circuits| circuits[engine] = Circuit::default());
    }

    fn with<T>(&self, change: impl FnOnce(&mut Vec<Circuit>) -> T) -> T {
        // Nothing panics within; if it did, the figures would be whole all the same.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn chosen(health: &Health, now_s: u64) -> Option<usize> {
        health.choose(S(now_s), |_| true)
    }

    #[test]
    fn the_first_is_preferred_until_it_fails_and_again_when_it_has_recovered() {
        let health = Health::new(2);
        assert_eq!(chosen(&health, 0), Some(0));
        health.failed(0, S(0), None);
        assert_eq!(chosen(&health, 0), Some(1));
        assert_eq!(chosen(&health, 1), Some(0), "its second is over");
        assert_eq!(chosen(&health, 1), Some(1), "one at a time tries it");
        health.worked(0);
        assert_eq!(chosen(&health, 1), Some(0));
        assert_eq!(chosen(&health, 1), Some(0));
    }

    #[test]
    fn each_failure_doubles_the_time_up_to_a_minute() {
        let health = Health::new(2);
        let mut now = 0;
        for wait in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            health.failed(0, S(now), None);
            assert_eq!(chosen(&health, now + wait - 1), Some(1), "{wait}");
            assert_eq!(chosen(&health, now + wait), Some(0), "{wait}");
            now += wait;
        }
    }

    #[test]
    fn an_engine_that_asks_for_time_gets_it() {
        let health = Health::new(2);
        health.failed(0, S(0), Some(S(30)));
        assert_eq!(chosen(&health, 29), Some(1));
        assert_eq!(chosen(&health, 30), Some(0));
    }

    #[test]
    fn where_all_have_failed_the_nearest_is_tried_and_where_none_is_usable_none() {
        let health = Health::new(2);
        health.failed(0, S(0), Some(S(50)));
        health.failed(1, S(0), Some(S(5)));
        assert_eq!(chosen(&health, 1), Some(1));
        assert_eq!(health.choose(S(1), |engine| engine == 0), Some(0));
        assert_eq!(health.choose(S(1), |_| false), None);
    }
}
