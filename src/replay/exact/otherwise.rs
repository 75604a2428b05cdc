//! What would have happened: a recorded call in virtual time under other settings, or with another
//! flow, in a world that is made of its record.
//!
//! The caller does what the record says, at its time. What is asked is answered by what the record
//! has for the same question, as long after it as then (`answers`). What the record does not have
//! is supplied, and named as an assumption. Nothing changed, nothing differs: every answer then
//! comes at its own time and in its own place among the inputs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::MediaTime;
use cordboard_models::speech::Synthesizer;
use cordboard_models::turn_end::TextJudge;

use super::Recorded;
use super::asked::{Asked, Reply, TICK_NS};
use super::ears::Ears;
use super::supplied::Silent;
use crate::call::{
    Call, CallFacts, CallSettings, EndCause, Input, JobId, LegCommand, LegEvent, Output,
};
use crate::replay::record;
use crate::timeline::{Entry, LegRole};

/// A caller who is still there when the record is over waits so long, and hangs up.
const WAITS: Duration = Duration::from_secs(120);
/// A call that is not over so long after that is left as it is.
const LEFT_AFTER: Duration = Duration::from_secs(60);
/// Numbers of what is supplied, behind all places in a record.
const SUPPLIED: u64 = 1 << 32;

/// What would have happened.
#[derive(Clone, Debug)]
pub struct Otherwise {
    /// The timeline.
    pub entries: Vec<Entry>,
    /// What it stands on beside the record.
    pub assumptions: Vec<String>,
    /// Whether the call came to an end.
    pub is_over: bool,
}

/// Plays a recorded call with other facts and settings; `voice` speaks what was never spoken.
#[must_use]
pub fn otherwise(
    recorded: &Recorded,
    facts: CallFacts,
    settings: CallSettings,
    voice: Option<&mut (dyn Synthesizer + 'static)>,
) -> Otherwise {
    let mut world = World::new(recorded, facts, settings, voice);
    world.plays();
    let World { entries, assumptions, over, .. } = world;
    Otherwise { entries, assumptions, is_over: over }
}

/// Something that will happen.
#[derive(Debug)]
pub(super) enum Due {
    /// An input of the record that answers nothing.
    Outside(Reply),
    /// An event of the leg of that dial; without a place in the record, nobody picks up.
    Agent { dial: usize, lag: u64, number: Option<usize> },
    /// Something that was asked for comes back.
    Answer(Answer),
    /// So many ticks after the record.
    After(u64),
}

/// An answer on its way.
#[derive(Debug)]
pub(super) struct Answer {
    /// For which job, where it is one's.
    pub(super) job: Option<JobId>,
    /// How far its time falls behind its key.
    pub(super) lag: u64,
    /// Whether it is a guess that ends with the sound.
    pub(super) is_guess: bool,
    pub(super) input: Input<'static>,
}

/// A recognition that is being given sound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listening {
    pub(super) job: JobId,
    /// The recorded one that began with the same voice.
    pub(super) same: Option<usize>,
    pub(super) begin: u64,
    pub(super) end: u64,
}

/// A call and the world that is made of a record.
pub(super) struct World<'r> {
    pub(super) recorded: &'r Recorded,
    pub(super) asked: Asked,
    pub(super) ears: Ears,
    pub(super) judge: TextJudge,
    pub(super) voice: Option<&'r mut (dyn Synthesizer + 'static)>,
    /// Lines that are spoken at start.
    pub(super) fixed: BTreeSet<Arc<str>>,
    call: Call,
    /// The key of what happens.
    pub(super) now: u64,
    /// Place of the tick that happens.
    pub(super) tick: Option<usize>,
    /// By key, place in the record, and number.
    agenda: BTreeMap<(u64, u64, u64), Due>,
    next: u64,
    pub(super) at_once: VecDeque<Input<'static>>,
    pub(super) listening: Vec<Listening>,
    pub(super) probability: f32,
    /// The dial whose leg is up.
    pub(super) dial: Option<usize>,
    pub(super) dials: usize,
    /// The context packet that was enqueued last.
    pub(super) packet: String,
    silent: Option<Silent>,
    caller_gone: bool,
    outside_left: usize,
    over: bool,
    entries: Vec<Entry>,
    assumptions: Vec<String>,
}

impl<'r> World<'r> {
    fn new(
        recorded: &'r Recorded,
        facts: CallFacts,
        settings: CallSettings,
        voice: Option<&'r mut (dyn Synthesizer + 'static)>,
    ) -> Self {
        let asked = Asked::in_call(recorded);
        let fixed = facts.flow.fixed_prompts().into_iter().collect();
        let mut world = Self {
            recorded,
            ears: Ears::of(recorded, &asked),
            judge: TextJudge,
            voice,
            fixed,
            call: Call::new(facts, settings),
            now: 0,
            tick: None,
            agenda: BTreeMap::new(),
            next: 0,
            at_once: VecDeque::new(),
            listening: Vec::new(),
            probability: 0.0,
            dial: None,
            dials: 0,
            packet: String::new(),
            silent: None,
            caller_gone: false,
            outside_left: asked.outside.len(),
            over: false,
            entries: Vec::new(),
            assumptions: vec![
                "the caller speaks, keys and hangs up as recorded, whatever is said".to_owned(),
            ],
            asked,
        };
        for reply in world.asked.outside.clone() {
            world.plan(reply.key, reply.number as u64, Due::Outside(reply));
        }
        world
    }

    fn plays(&mut self) {
        self.drain();
        while !self.over
            && let Some(((key, _, _), due)) = self.agenda.pop_first()
        {
            self.now = key;
            self.tick = None;
            self.happens(due);
        }
    }

    fn happens(&mut self, due: Due) {
        let recorded = self.recorded;
        match due {
            Due::Outside(reply) => {
                let input = &recorded.inputs[reply.number];
                if let Ok(decoded) = record::decode(input.kind, &input.bytes) {
                    self.outside(reply.number, input.at, decoded);
                }
                self.outside_left -= 1;
                if self.outside_left == 0 {
                    self.plan(self.now + TICK_NS, SUPPLIED, Due::After(1));
                }
            }
            Due::Agent { dial, lag, number } if self.dial == Some(dial) => self.agent(lag, number),
            Due::Agent { .. } => {}
            Due::Answer(Answer { lag, input, .. }) => self.give(self.now - lag, input),
            Due::After(ticks) => self.after(ticks),
        }
    }

    fn outside(&mut self, number: usize, at: MediaTime, input: Input<'_>) {
        match &input {
            Input::Leg(..) if self.caller_gone => return,
            Input::Leg(_, LegEvent::Packet(packet)) => self.silent = Some(Silent::after(packet)),
            Input::Leg(_, LegEvent::Ended { .. }) => self.caller_gone = true,
            Input::Tick if !self.call.is_ticking() => return,
            Input::Tick => self.tick = Some(number),
            _ => {}
        }
        self.give(at.as_nanos(), input);
    }

    fn agent(&mut self, lag: u64, number: Option<usize>) {
        let cause = EndCause::Refused(480);
        let recorded = self.recorded;
        let input = match number.map(|number| &recorded.inputs[number]) {
            Some(input) => record::decode(input.kind, &input.bytes).ok(),
            None => Some(Input::Leg(LegRole::Agent, LegEvent::Ended { cause })),
        };
        let Some(input) = input else { return };
        if matches!(input, Input::Leg(_, LegEvent::Ended { .. })) {
            self.dial = None;
        }
        self.give(self.now - lag, input);
    }

    /// A tick after the record: the caller says nothing, and hangs up at last.
    fn after(&mut self, ticks: u64) {
        let since = Duration::from_nanos(ticks * TICK_NS);
        if ticks == 1 && !self.caller_gone {
            self.assume("after the end of the record the caller is silent, and waits");
        }
        if since >= WAITS && !self.caller_gone {
            self.assume("the caller hangs up 120 s after the end of the record");
            self.caller_gone = true;
            let ended = LegEvent::Ended { cause: EndCause::Bye };
            self.give(self.now, Input::Leg(LegRole::Caller, ended));
        }
        if !self.caller_gone
            && let Some(mut silent) = self.silent.take()
        {
            self.give(self.now, Input::Leg(LegRole::Caller, silent.packet()));
            self.silent = Some(silent);
        }
        if self.call.is_ticking() {
            self.probability = 0.0;
            self.give(self.now, Input::Tick);
        }
        if since < WAITS + LEFT_AFTER {
            self.plan(self.now + TICK_NS, SUPPLIED, Due::After(ticks + 1));
        }
    }

    fn give(&mut self, at_ns: u64, input: Input<'_>) {
        // What the shell logs as a broken contract is none of the call's end.
        drop(self.call.handle_input(MediaTime::from_nanos(at_ns), input));
        self.drain();
        while let Some(answer) = self.at_once.pop_front() {
            drop(self.call.handle_input(MediaTime::from_nanos(at_ns), answer));
            self.drain();
        }
    }

    fn drain(&mut self) {
        loop {
            match self.call.poll_output() {
                Output::Wait(_) => return,
                Output::Over => {
                    self.over = true;
                    return;
                }
                Output::Entry(entry) => self.entries.push(entry),
                Output::Leg(LegRole::Caller, LegCommand::Hangup) => self.caller_gone = true,
                output => self.carry_out(output),
            }
        }
    }

    pub(super) fn plan(&mut self, key: u64, order: u64, due: Due) {
        self.next += 1;
        self.agenda.insert((key, order, self.next), due);
    }

    /// Lets something supplied come back after so long.
    pub(super) fn supply(&mut self, after_ns: u64, job: Option<JobId>, input: Input<'static>) {
        let answer = Answer { job, lag: 0, is_guess: false, input };
        self.plan(self.now + after_ns, SUPPLIED, Due::Answer(answer));
    }

    /// Lets what is on its way for a job not come, or only the guesses of it.
    pub(super) fn call_off(&mut self, of: JobId, only_guesses: bool) {
        self.agenda.retain(|_, due| match due {
            Due::Answer(Answer { job, is_guess, .. }) => {
                *job != Some(of) || (only_guesses && !*is_guess)
            }
            Due::Outside(_) | Due::Agent { .. } | Due::After(_) => true,
        });
    }

    /// Names an assumption, once.
    pub(super) fn assume(&mut self, what: &str) {
        if !self.assumptions.iter().any(|known| known == what) {
            self.assumptions.push(what.to_owned());
        }
    }
}
