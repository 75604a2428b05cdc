//! The service manager's watchdog (sd_notify(3)): it is told that we live only while media workers
//! tick, so that a process whose workers hang is started anew.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::Supervisor;
use super::services::Services;

/// Whether the media workers work, from one question to the next.
#[derive(Debug)]
pub struct Pulse {
    services: Arc<Services>,
    /// Ticks of each worker at the last question.
    last: Vec<u64>,
}

impl Pulse {
    pub(super) fn new(services: Arc<Services>) -> Self {
        Self { services, last: Vec::new() }
    }

    /// Whether every worker has ticked since the last question, or has nothing to do.
    pub fn beats(&mut self) -> bool {
        let figures = &self.services.figures;
        let beats: Vec<u64> = figures.beats.iter().map(|beats| beats.load(Relaxed)).collect();
        let idle = figures.seats.iter().zip(&self.services.workers);
        let idle = idle.map(|(seats, mailbox)| seats.load(Relaxed) == 0 && mailbox.is_empty());
        let beating = all_beat(&self.last, &beats, idle);
        self.last = beats;
        beating
    }
}

/// Whether each has ticked since, or was idle.
fn all_beat(last: &[u64], now: &[u64], idle: impl Iterator<Item = bool>) -> bool {
    let workers = now.iter().enumerate().zip(idle);
    workers.into_iter().all(|((worker, beats), idle)| idle || last.get(worker) != Some(beats))
}

/// How often the service manager wants to hear of us; none where it does not.
#[must_use]
pub fn watchdog_period(usec: Option<&str>, pid: Option<&str>) -> Option<Duration> {
    let ours = std::process::id().to_string();
    let is_ours = pid.is_none_or(|pid| pid == ours);
    let usec: u64 = usec?.parse().ok()?;
    (is_ours && usec > 0).then(|| Duration::from_micros(usec))
}

/// Tells the service manager twice in each period that we live, while we do.
pub async fn keep_watchdog(manager: Supervisor, mut pulse: Pulse, period: Duration) {
    let mut looks = tokio::time::interval((period / 2).max(Duration::from_millis(1)));
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        if pulse.beats() {
            manager.tell("WATCHDOG=1");
        } else {
            tracing::error!("a media worker does not tick; the service manager is not told");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_with_calls_that_does_not_tick_is_noticed_and_an_idle_one_is_not() {
        let idle = |flags: [bool; 2]| flags.into_iter();
        assert!(all_beat(&[], &[0, 0], idle([false, false])), "nothing to compare with yet");
        assert!(all_beat(&[1, 5], &[2, 6], idle([false, false])));
        assert!(!all_beat(&[1, 5], &[2, 5], idle([false, false])));
        assert!(all_beat(&[1, 5], &[2, 5], idle([false, true])));
    }

    #[test]
    fn the_period_is_the_manager_s_where_it_is_meant_for_us() {
        let ours = std::process::id().to_string();
        let second = Some(Duration::from_secs(1));
        assert_eq!(watchdog_period(Some("1000000"), None), second);
        assert_eq!(watchdog_period(Some("1000000"), Some(&ours)), second);
        assert_eq!(watchdog_period(Some("1000000"), Some("1")), None);
        assert_eq!(watchdog_period(Some("0"), None), None);
        assert_eq!(watchdog_period(Some("soon"), None), None);
        assert_eq!(watchdog_period(None, None), None);
    }
}
