//! How media workers keep up: each measures its own ticks and tells; whoever asks is given it. And
//! when they last found no engine for what a call wanted.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use super::admission::{Load, Wants};

/// Over how much time a worker measures.
const WINDOW: Duration = Duration::from_millis(500);
/// Shares are told in these parts.
const PARTS: f32 = 10_000.0;

/// What the workers have told.
#[derive(Debug)]
pub(crate) struct Loads {
    workers: Box<[Told]>,
    /// From when on a tick is late, µs.
    late_after_us: AtomicU64,
    wanted: Wanted,
}

/// When an engine was last wanted in vain, µs; 0 is never.
#[derive(Debug, Default)]
struct Wanted {
    recognizer_us: AtomicU64,
    synthesizer_us: AtomicU64,
}

#[derive(Debug, Default)]
struct Told {
    seats: AtomicUsize,
    busy: AtomicU32,
    late: AtomicU32,
    at_us: AtomicU64,
}

impl Loads {
    /// For so many workers, none of which has calls.
    pub(crate) fn new(workers: usize) -> Self {
        let workers = (0..workers).map(|_| Told::default()).collect();
        Self { workers, late_after_us: AtomicU64::new(10_000), wanted: Wanted::default() }
    }

    /// Sets from when on a tick is late.
    pub(crate) fn set_late_after(&self, late_after: Duration) {
        self.late_after_us.store(micros(late_after), Relaxed);
    }

    /// A recognition was refused: no recognizer was free.
    pub(crate) fn no_recognizer(&self, now: Duration) {
        self.wanted.recognizer_us.store(micros(now).max(1), Relaxed);
    }

    /// A synthesis was refused: the voices are busy, and so many lines wait for them already.
    pub(crate) fn no_synthesizer(&self, now: Duration) {
        self.wanted.synthesizer_us.store(micros(now).max(1), Relaxed);
    }

    /// When engines were last wanted in vain.
    pub(crate) fn wants(&self) -> Wants {
        let at = |it: &AtomicU64| Some(it.load(Relaxed)).filter(|it| *it > 0);
        Wants {
            recognizer: at(&self.wanted.recognizer_us).map(Duration::from_micros),
            synthesizer: at(&self.wanted.synthesizer_us).map(Duration::from_micros),
        }
    }

    /// What each worker told last.
    pub(crate) fn read(&self) -> Vec<Load> {
        let share = |parts: &AtomicU32| parts.load(Relaxed) as f32 / PARTS;
        let load = |told: &Told| Load {
            seats: told.seats.load(Relaxed),
            busy: share(&told.busy),
            late: share(&told.late),
            told: Duration::from_micros(told.at_us.load(Relaxed)),
        };
        self.workers.iter().map(load).collect()
    }
}

/// A worker's own measure.
#[derive(Debug)]
pub(crate) struct Meter {
    worker: usize,
    since: Duration,
    busy: Duration,
    phases: u32,
    late: u32,
}

impl Meter {
    /// For a worker, by its index.
    pub(crate) const fn new(worker: usize) -> Self {
        Self { worker, since: Duration::ZERO, busy: Duration::ZERO, phases: 0, late: 0 }
    }

    /// The worker begins to tick, or has no calls any more.
    pub(crate) fn restart(&mut self, now: Duration, seats: usize, loads: &Loads) {
        *self = Self { since: now, ..Self::new(self.worker) };
        self.tell(now, seats, loads);
    }

    /// A phase of the tick was due, was come to, and has been worked off; `lost` more were not.
    ///
    /// # Real-time
    /// A few additions, and four stores twice a second.
    pub(crate) fn phase(
        &mut self,
        (due, began, ended): (Duration, Duration, Duration),
        lost: u32,
        seats: usize,
        loads: &Loads,
    ) {
        let late_after = Duration::from_micros(loads.late_after_us.load(Relaxed));
        self.busy += ended.saturating_sub(began);
        self.phases = self.phases.saturating_add(lost).saturating_add(1);
        let late = u32::from(began.saturating_sub(due) >= late_after);
        self.late = self.late.saturating_add(lost).saturating_add(late);
        if ended.saturating_sub(self.since) >= WINDOW {
            self.tell(ended, seats, loads);
            *self = Self { since: ended, ..Self::new(self.worker) };
        }
    }

    fn tell(&self, now: Duration, seats: usize, loads: &Loads) {
        let Some(told) = loads.workers.get(self.worker) else { return };
        let passed = now.saturating_sub(self.since).as_secs_f32();
        let busy = if passed > 0.0 { self.busy.as_secs_f32() / passed } else { 0.0 };
        let late = if self.phases > 0 { self.late as f32 / self.phases as f32 } else { 0.0 };
        told.busy.store(parts(busy), Relaxed);
        told.late.store(parts(late), Relaxed);
        told.at_us.store(micros(now), Relaxed);
        told.seats.store(seats, Relaxed);
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 and 10000")]
fn parts(share: f32) -> u32 {
    (share.clamp(0.0, 1.0) * PARTS) as u32
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHASE: Duration = Duration::from_millis(2);

    /// Half a second of phases that each come so late and take so long.
    fn told(late: Duration, took: Duration, lost: u32) -> Load {
        let loads = Loads::new(2);
        let mut meter = Meter::new(1);
        meter.restart(Duration::ZERO, 4, &loads);
        for phase in 0..=250 {
            let due = PHASE * phase;
            meter.phase((due, due + late, due + late + took), lost, 4, &loads);
        }
        let all = loads.read();
        assert_eq!(all[0], Load::default(), "the other has told nothing");
        all[1]
    }

    #[test]
    fn a_worker_that_keeps_up_tells_how_busy_it_is() {
        let load = told(Duration::from_millis(1), Duration::from_millis(1), 0);
        assert!((load.busy - 0.5).abs() < 0.02 && load.late.abs() < 1e-6, "{load:?}");
        assert_eq!(load.seats, 4);
        assert!(load.told >= WINDOW);
    }

    #[test]
    fn ticks_that_come_late_or_not_at_all_are_told() {
        let late = told(Duration::from_millis(10), Duration::ZERO, 0);
        assert!((late.late - 1.0).abs() < 1e-3, "{late:?}");
        let lost = told(Duration::ZERO, Duration::ZERO, 3);
        assert!((lost.late - 0.75).abs() < 0.01, "{lost:?}");
    }

    #[test]
    fn a_worker_without_calls_tells_so_at_once() {
        let loads = Loads::new(1);
        let mut meter = Meter::new(0);
        meter.restart(Duration::ZERO, 2, &loads);
        assert_eq!(loads.read()[0].seats, 2);
        meter.restart(Duration::from_millis(40), 0, &loads);
        assert_eq!(loads.read()[0].seats, 0);
    }

    #[test]
    fn what_is_late_can_be_set() {
        let loads = Loads::new(1);
        loads.set_late_after(Duration::from_millis(30));
        let mut meter = Meter::new(0);
        meter.restart(Duration::ZERO, 1, &loads);
        let due = Duration::from_secs(1);
        meter.phase((due, due + Duration::from_millis(29), due + WINDOW), 0, 1, &loads);
        assert!(loads.read()[0].late.abs() < 1e-6);
    }

    #[test]
    fn an_engine_that_was_wanted_in_vain_is_told_with_its_time() {
        let loads = Loads::new(1);
        assert_eq!(loads.wants(), Wants::default());
        loads.no_recognizer(Duration::from_secs(3));
        let ears = Some(Duration::from_secs(3));
        assert_eq!(loads.wants(), Wants { recognizer: ears, synthesizer: None });
        loads.no_synthesizer(Duration::from_secs(4));
        loads.no_recognizer(Duration::from_secs(5));
        let (ears, voice) = (Some(Duration::from_secs(5)), Some(Duration::from_secs(4)));
        assert_eq!(loads.wants(), Wants { recognizer: ears, synthesizer: voice });
    }
}
