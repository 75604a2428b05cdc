//! Media workers: one thread a core, on which calls live.
//!
//! A worker steps each of its calls every 20 ms, each call at its own phase of the tick, so that
//! the work is spread, and a few calls to a phase, so that few calls wake it seldom; between ticks
//! it takes what its mailbox brings. A late tick skips, never
//! bursts. Nothing here blocks on anything but the mailbox, and no decision about a call is made.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cordboard_models::speech::EndOfTurn;

use super::load::Meter;
use super::mailbox::{Mailbox, SeatId, ToWorker};
use super::seat::Seat;
use super::services::Services;
use crate::call::{CallFacts, CallSettings};
use crate::clock;
use crate::leg::Leg;

/// Phases of a tick; 2 ms apart.
const PHASES: usize = 10;
const PHASE: Duration = Duration::from_millis(2);
/// Calls that share a phase before another is begun: together they take less than half of it.
const TOGETHER: usize = 16;

/// A call that takes a seat at a worker.
#[derive(Debug)]
pub(crate) struct NewCall {
    /// Its seat.
    pub(crate) seat: SeatId,
    /// What is known of it.
    pub(crate) facts: CallFacts,
    /// Its settings.
    pub(crate) settings: CallSettings,
    /// The caller's leg; a placed call has none yet.
    pub(crate) leg: Option<Leg>,
    /// The process's clock at the ring.
    pub(crate) began: Duration,
}

/// One media worker.
pub(crate) struct MediaWorker {
    mailbox: Mailbox,
    services: Arc<Services>,
    judge: Box<dyn EndOfTurn>,
    live: Arc<AtomicUsize>,
    seats: HashMap<SeatId, Box<Seat>>,
    phases: [Vec<SeatId>; PHASES],
    stopping: bool,
    /// Which worker it is.
    index: usize,
    meter: Meter,
}

impl MediaWorker {
    /// Makes a worker without calls; `live` counts its calls for whoever admits new ones.
    pub(crate) fn new(
        index: usize,
        mailbox: Mailbox,
        services: Arc<Services>,
        judge: Box<dyn EndOfTurn>,
        live: Arc<AtomicUsize>,
    ) -> Self {
        Self {
            mailbox,
            services,
            judge,
            live,
            seats: HashMap::new(),
            phases: Default::default(),
            stopping: false,
            index,
            meter: Meter::new(index),
        }
    }

    /// Works until told to stop and the last call is over.
    pub(crate) fn run(mut self) {
        let mut phase = 0;
        let mut due = clock::monotonic();
        while !(self.stopping && self.seats.is_empty()) {
            if self.seats.is_empty() {
                self.meter.restart(clock::monotonic(), 0, &self.services.loads);
                let Some(letter) = self.mailbox.wait() else { return };
                self.open_letter(letter);
                due = clock::monotonic();
                self.meter.restart(due, self.seats.len(), &self.services.loads);
                continue;
            }
            let now = clock::monotonic();
            if now >= due {
                self.services.figures.tick_lateness.observe(now - due);
                self.step_phase(phase);
                self.beat();
                let empty = self.empty_after(phase);
                phase = (phase + 1 + empty as usize) % PHASES;
                due = self.next_due(due, now) + PHASE * empty;
                continue;
            }
            self.doze(due - now);
        }
    }

    /// Waits for the next phase, and takes what comes meanwhile. Where that is near, nobody who
    /// posts has to wake us, and no letter waits for longer than a phase: with hundreds of calls
    /// the waking costs more than the letters.
    fn doze(&mut self, wait: Duration) {
        if wait <= PHASE {
            std::thread::park_timeout(wait);
        } else {
            self.mailbox.wait_for(wait);
        }
        for _ in 0..self.mailbox.len() {
            if let Some(letter) = self.mailbox.take() {
                self.open_letter(letter);
            }
        }
    }

    /// How many phases after this one have no calls.
    fn empty_after(&self, phase: usize) -> u32 {
        let later = (1..PHASES).map(|after| &self.phases[(phase + after) % PHASES]);
        later.take_while(|seats| seats.is_empty()).count() as u32
    }

    /// When the phase after one that was due then, and begun then, is due.
    fn next_due(&mut self, due: Duration, began: Duration) -> Duration {
        let ended = clock::monotonic();
        let next = due + PHASE;
        // Where a whole tick is lost it is skipped: callers hear a gap, not a burst.
        let behind = ended.saturating_sub(next);
        let is_lost = behind > PHASE * PHASES as u32;
        let lost = if is_lost { behind.as_millis() / PHASE.as_millis() } else { 0 };
        let lost = u32::try_from(lost).unwrap_or(u32::MAX);
        self.services.figures.ticks_skipped.add(u64::from(lost));
        self.meter.phase((due, began, ended), lost, self.seats.len(), &self.services.loads);
        if is_lost { ended } else { next }
    }

    fn open_letter(&mut self, letter: ToWorker) {
        match letter {
            ToWorker::Open(new) => self.open(*new),
            ToWorker::Signal(id, line, signal) => {
                self.with_seat(id, |seat, services, judge| {
                    seat.signal(services, judge, line, signal);
                });
            }
            ToWorker::Give(id, input) => {
                self.with_seat(id, |seat, services, judge| seat.give(services, judge, input));
            }
            ToWorker::Stop => {
                self.stopping = true;
                let ids: Vec<SeatId> = self.seats.keys().copied().collect();
                for id in ids {
                    self.with_seat(id, |seat, services, judge| {
                        seat.give(services, judge, crate::call::Input::Stop);
                    });
                }
            }
        }
    }

    fn open(&mut self, new: NewCall) {
        let id = new.seat;
        let room = self.phases.iter().position(|seats| seats.len() < TOGETHER);
        let lightest = || (0..PHASES).min_by_key(|phase| self.phases[*phase].len());
        let phase = room.or_else(lightest).expect("there are phases");
        self.phases[phase].push(id);
        let (services, judge) = (&*self.services, self.judge.as_mut());
        let opened = catch_unwind(AssertUnwindSafe(|| Seat::open(new, services, judge)));
        let Ok(seat) = opened else {
            tracing::error!("a call panicked before it had a seat");
            self.live.fetch_sub(1, Ordering::AcqRel);
            return;
        };
        self.seats.insert(id, Box::new(seat));
        self.count_seats();
        self.with_seat(id, |_, _, _| {});
    }

    fn step_phase(&mut self, phase: usize) {
        // One thing after the other for all, so that what each needs is at hand: the system's way
        // of a datagram hardly fits beside a call's own into a core's nearest memory.
        let seats = std::mem::take(&mut self.phases[phase]);
        for id in &seats {
            self.with_seat(*id, |seat, services, judge| seat.receive(services, judge));
        }
        for id in &seats {
            self.with_seat(*id, |seat, services, judge| seat.tick(services, judge));
        }
        for id in &seats {
            self.with_seat(*id, |seat, _, _| seat.send());
        }
        let added = std::mem::replace(&mut self.phases[phase], seats);
        self.phases[phase].extend(added);
        let seats = &self.seats;
        self.phases[phase].retain(|id| seats.contains_key(id));
    }

    fn with_seat(
        &mut self,
        id: SeatId,
        act: impl FnOnce(&mut Seat, &Services, &mut dyn EndOfTurn),
    ) {
        let Some(seat) = self.seats.get_mut(&id) else { return };
        let (services, judge) = (&*self.services, self.judge.as_mut());
        // A panic in the call itself is caught at its step; this is for all around it.
        if catch_unwind(AssertUnwindSafe(|| act(seat, services, judge))).is_err()
            && seat.broke(services, self.judge.as_mut())
        {
            tracing::error!("a call could not even be ended after a panic; its seat is cleared");
        }
        if seat.is_over() {
            if let Some(seat) = self.seats.remove(&id) {
                seat.leave(&self.services);
            }
            self.live.fetch_sub(1, Ordering::AcqRel);
            self.count_seats();
        }
    }

    fn beat(&self) {
        if let Some(beats) = self.services.figures.beats.get(self.index) {
            beats.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn count_seats(&self) {
        if let Some(seats) = self.services.figures.seats.get(self.index) {
            seats.store(self.seats.len(), Ordering::Relaxed);
        }
    }
}
