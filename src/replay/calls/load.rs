//! Many calls at once: who rings when, and the thread on which they talk.
//!
//! All calls of a run live on one plain thread, each at one of ten phases of the 20 ms tick, as a
//! media worker's do; signalling is the SIP endpoint's, on the runtime. A call's sound is stamped
//! by the system as it comes, so that a late tick of ours is not taken for the far end's.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cordboard_sip::access::Access;
use cordboard_sip::endpoint::EndpointConfig;
use cordboard_sip::negotiation::AudioCodec;
use crossbeam_channel::{Receiver, Sender};

use super::super::line::{PhoneLine, Sound};
use super::end::LineEnd;
use super::human::{self, HumanPhone, HumanTally, Humans};
use super::scenario::Scenario;
use super::take::{Ending, Take};
use super::weather::Weather;
use super::whip::{Whip, WhipTarget};
use super::wire::{Caller, unanswered};
use crate::clock;
use crate::replay::PhoneError;

const PHASES: usize = 10;
const PHASE: Duration = Duration::from_millis(2);
/// How long after its last call a run listens for what the far ends still say of their ends.
const FAREWELL: Duration = Duration::from_millis(500);

/// What is placed, on whom, and how fast.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whom to ring: `sip:user@host:port`, the host an address.
    pub to: String,
    /// By WHIP instead, and where.
    pub whip: Option<WhipTarget>,
    /// The addresses that may be rung and that sound may go to; nothing else is.
    pub allowed: Vec<IpAddr>,
    /// What the callers do, in turn.
    pub scenarios: Vec<Arc<Scenario>>,
    /// How many are on the line at a time, at most.
    pub concurrency: usize,
    /// How many ring in a second, at most.
    pub rate_per_s: f64,
    /// How many calls in all; none where `duration` says when it is enough.
    pub calls: Option<usize>,
    /// No call is begun later than this.
    pub duration: Option<Duration>,
    /// How long the far end may take to answer.
    pub patience: Duration,
    /// What is offered, the dearest first.
    pub codecs: Vec<AudioCodec>,
    /// What is laid over each call.
    pub weather: Weather,
    /// Phones of humans, to which the far end may hand callers over.
    pub humans: Option<Humans>,
    /// Ports of ours for sound.
    pub ports: std::ops::RangeInclusive<u16>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Since its begin.
    pub elapsed: Duration,
    /// Calls placed.
    pub placed: usize,
    /// Of them on the line.
    pub live: usize,
    /// Of them over.
    pub over: usize,
    /// The latest that a tick of ours has been.
    pub late: Duration,
    /// What has come to the humans' phones.
    pub humans: HumanTally,
}

/// A run under way; dropping it stops it.
#[derive(Debug)]
pub struct Run {
    /// Calls as they end.
    pub takes: Receiver<Take>,
    /// About once a second.
    pub progress: Receiver<Progress>,
    stop: Arc<AtomicBool>,
}

impl Run {
    /// Hangs all calls up; what came of them still comes.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Begins a run; it ends by itself, and then its channels do.
///
/// # Errors
/// [`PhoneError`] where there is no address or no port for us, or a human's phone is not
/// registered; nobody has been rung then.
pub async fn begin(plan: Plan) -> Result<Run, PhoneError> {
    let own: IpAddr = match plan.allowed.iter().all(IpAddr::is_loopback) {
        true => [127, 0, 0, 1].into(),
        false => [0, 0, 0, 0].into(),
    };
    let everybody: Vec<String> = plan.allowed.iter().map(IpAddr::to_string).collect();
    let everybody: Vec<&str> = everybody.iter().map(String::as_str).collect();
    let access = Access::new(everybody.iter().copied(), everybody.iter().copied());
    let config = EndpointConfig {
        bind_udp: Some((own, 0).into()),
        access: access.expect("addresses are addresses"),
        user_agent: "Cordboard replay".to_owned(),
        confined: true,
        ..EndpointConfig::default()
    };
    let peer = plan.allowed.first().copied().unwrap_or(own);
    let (ports, codecs) = (plan.ports.clone(), plan.codecs.clone());
    let sound = Sound { ports, codecs, stamps: true };
    let (line, incoming) = PhoneLine::bind(config, peer, sound.clone()).await?;
    let allowed: Arc<[IpAddr]> = plan.allowed.clone().into();
    let humans = match &plan.humans {
        Some(humans) => human::ready(humans, (own, &allowed), &sound).await?,
        None => Vec::new(),
    };
    let (say, takes) = crossbeam_channel::unbounded();
    let (tell, progress) = crossbeam_channel::unbounded();
    let stop = Arc::new(AtomicBool::new(false));
    let desk = Desk {
        allowed,
        humans,
        weather: Arc::new(plan.weather.clone()),
        run: rand::random::<u32>(),
        wall: clock::wall_unix().saturating_sub(clock::monotonic()),
        plan,
        line,
        phases: Default::default(),
        placed: 0,
        over: 0,
        late: Duration::ZERO,
        say,
        tell,
        stop: stop.clone(),
    };
    let runtime = tokio::runtime::Handle::current();
    std::thread::Builder::new()
        .name("replay".to_owned())
        .spawn(move || {
            let _entered = runtime.enter();
            // Whoever rings us is refused as long as it is not dropped.
            let _incoming = incoming;
            desk.run(&runtime);
        })
        .expect("a thread can be had at the begin of a run");
    Ok(Run { takes, progress, stop })
}

struct Desk {
    plan: Plan,
    line: PhoneLine,
    allowed: Arc<[IpAddr]>,
    weather: Arc<Weather>,
    /// Tells this run's callers from those of another.
    run: u32,
    /// How far wall time is ahead of the monotonic clock.
    wall: Duration,
    phases: [Vec<Caller>; PHASES],
    humans: Vec<HumanPhone>,
    placed: usize,
    over: usize,
    late: Duration,
    say: Sender<Take>,
    tell: Sender<Progress>,
    stop: Arc<AtomicBool>,
}

impl Desk {
    fn run(mut self, runtime: &tokio::runtime::Handle) {
        let began = clock::monotonic();
        let (never, silence) = crossbeam_channel::bounded::<()>(0);
        let mut due = began;
        let mut told = began;
        let mut phase = 0;
        while !(self.live() == 0 && self.is_enough(clock::monotonic() - began)) {
            let now = clock::monotonic();
            if now < due {
                let _ = silence.recv_timeout(due - now);
                continue;
            }
            self.late = self.late.max(now - due);
            // Callers speak by the even clock: that a tick comes a little late is the network's
            // jitter to the far end, and does not make a word later.
            self.step(phase, due);
            self.humans.iter_mut().skip(phase).step_by(PHASES).for_each(|it| it.tick(due));
            self.place(phase, due, began);
            phase = (phase + 1) % PHASES;
            // A tick that is lost is skipped: a phone does not send a burst either.
            let behind = clock::monotonic().saturating_sub(due + PHASE);
            due = if behind > PHASE * PHASES as u32 { clock::monotonic() } else { due + PHASE };
            if now - told >= Duration::from_secs(1) {
                told = now;
                self.report(now - began);
            }
        }
        let end = clock::monotonic() + FAREWELL;
        while let Some(left) = end.checked_sub(clock::monotonic()) {
            let tick = if self.humans.is_empty() { left } else { PHASE * PHASES as u32 };
            let _ = silence.recv_timeout(tick.min(left));
            self.humans.iter_mut().for_each(|it| it.tick(clock::monotonic()));
        }
        self.report(clock::monotonic() - began);
        if self.humans.iter().any(HumanPhone::is_busy) {
            self.humans.iter_mut().for_each(HumanPhone::hang_up);
            let _ = silence.recv_timeout(FAREWELL);
        }
        runtime.block_on(human::leave(&self.humans));
        drop(never);
    }

    fn live(&self) -> usize {
        self.phases.iter().map(Vec::len).sum()
    }

    fn is_enough(&self, elapsed: Duration) -> bool {
        self.stop.load(Ordering::Relaxed)
            || self.plan.calls.is_some_and(|calls| self.placed >= calls)
            || self.plan.duration.is_some_and(|duration| elapsed >= duration)
    }

    fn report(&mut self, elapsed: Duration) {
        let live = self.live();
        let late = std::mem::take(&mut self.late);
        let of_phones = self.humans.iter().map(HumanPhone::tally);
        let humans = of_phones.fold(HumanTally::default(), HumanTally::and);
        let (placed, over) = (self.placed, self.over);
        let progress = Progress { elapsed, placed, live, over, late, humans };
        // Whoever follows may have gone.
        let _ = self.tell.send(progress);
    }

    fn step(&mut self, phase: usize, now: Duration) {
        let wall = self.wall;
        let stops = self.stop.load(Ordering::Relaxed);
        let say = &self.say;
        let over = &mut self.over;
        self.phases[phase].retain_mut(|caller| {
            if stops {
                caller.stop(now);
            } else {
                caller.tick(now, wall);
            }
            let Some(take) = caller.finish() else { return true };
            *over += 1;
            let _ = say.send(take);
            false
        });
    }

    /// Places a call where one is due.
    fn place(&mut self, phase: usize, now: Duration, began: Duration) {
        let due = (now - began).as_secs_f64() * self.plan.rate_per_s;
        let has_room = self.live() < self.plan.concurrency;
        if !has_room || self.placed as f64 > due || self.is_enough(now - began) {
            return;
        }
        let number = self.placed;
        self.placed += 1;
        let scenario = self.plan.scenarios[number % self.plan.scenarios.len()].clone();
        let from = format!("sip:replay-{:08x}-{number}@{}", self.run, self.line.host());
        let wall = clock::wall_unix_ms();
        let take = unanswered(number, scenario, from.clone(), wall, Ending::Stopped);
        let human = self.plan.humans.as_ref().map(|it| it.words.clone());
        let take = Take { human, ..take };
        match self.rung(from) {
            Ok(line) => {
                let (allowed, weather) = (self.allowed.clone(), self.weather.clone());
                let of_call = (allowed, self.plan.patience, now);
                self.phases[phase].push(Caller::new(line, take, weather, of_call));
            }
            Err(why) => {
                self.over += 1;
                let _ = self.say.send(Take { ending: Ending::Unplaced(why), ..take });
            }
        }
    }

    fn rung(&self, from: String) -> Result<LineEnd, String> {
        if let Some(target) = &self.plan.whip {
            let whip = Whip::call(target.clone(), self.allowed.clone(), self.line.bound_at());
            return Ok(LineEnd::browser(whip));
        }
        let rung = self.line.ring(self.plan.to.clone(), from);
        let (leg, signals) = rung.map_err(|why| why.to_string())?;
        Ok(LineEnd::Phone { leg: Box::new(leg), signals })
    }
}
