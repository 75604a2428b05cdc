//! The world around one call, in virtual time: a tick every 20 ms, and everything that the shell
//! would do, by script. The test is the caller: it speaks, keys and hangs up, and lets time pass.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use cordboard::call::{
    Call, CallFacts, CallSettings, EndCause, Input, JobId, LegEvent, RecordedTick, Shown, Tones,
};
use cordboard::conversation::{Flow, Invocation};
use cordboard::escalation::Rules;
use cordboard::timeline::{CallId, Entry, LegKind, LegRole, Links, Outcome, What};
use cordboard::turn::TurnSettings;
use cordboard_audio::{MediaTime, SampleRate, tone};
use cordboard_models::speech::AnswerRequest;

use super::detector::Detector;
use super::handset::{Debt, Handset};
use super::network::Line;
use super::office::{Habit, Office};
use super::services::{Ears, Judge, Model, Mouth, Script, ToolLine};
use super::silence;
use super::simulation::Broken;

#[path = "carrying.rs"]
mod carrying;

/// The name of the call.
pub(crate) const CALL: &str = "01CALLINVIRTUALTIME";
/// Pitch of the caller's speech.
pub(crate) const CALLER_HZ: f32 = 450.0;
/// Pitch of the agents' speech.
pub(crate) const AGENT_HZ: f32 = 1_250.0;

const TICK: Duration = Duration::from_millis(20);

/// Something that will happen.
#[derive(Debug)]
enum Due {
    Input(Input<'static>),
    /// On the agent's leg of that dial.
    Agent(u32, LegEvent<'static>),
}

/// The leg to an agent.
#[derive(Debug)]
pub(crate) struct AgentLine {
    dial: u32,
    pub(crate) answered: bool,
    pub(crate) uri: String,
    pub(crate) headers: Vec<(String, String)>,
}

/// One call and all that is around it.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) call: Call,
    pub(crate) now: MediaTime,
    pub(crate) entries: Vec<Entry>,
    /// What the call made of each input.
    pub(crate) costs: Vec<super::allocations::Cost>,
    pub(crate) caller: Handset,
    /// The agent's phone; kept from one agent to the next.
    pub(crate) agent: Handset,
    pub(crate) agent_line: Option<AgentLine>,
    pub(crate) office: Office,
    pub(crate) ears: Ears,
    /// Who says what of the caller is speech.
    pub(crate) detector: Detector,
    /// Who says whether a turn is over.
    pub(crate) judge: Judge,
    pub(crate) mouth: Mouth,
    pub(crate) script: Script,
    /// Words of a turn that are guessed while it is spoken.
    pub(crate) partial_words: usize,
    /// What the caller's page was shown.
    pub(crate) shown: Vec<Shown>,
    /// Work that was called off.
    pub(crate) cancelled: BTreeSet<JobId>,
    pub(crate) model: Model,
    /// What the language model was asked.
    pub(crate) asked_model: Vec<Arc<AnswerRequest>>,
    /// What the tools answer, invocation by invocation; the order is found where none is left.
    pub(crate) tools: VecDeque<ToolLine>,
    pub(crate) invocations: Vec<Invocation>,
    /// Lines that the voice was asked for, neither spoken nor called off.
    pub(crate) unspoken: BTreeSet<JobId>,
    /// Inputs as they would stand on the call's record.
    pub(crate) tape: Vec<(MediaTime, u8, Vec<u8>)>,
    pub(crate) answered: bool,
    pub(crate) hung_up: Option<MediaTime>,
    /// How often a leg was asked to agree anew.
    pub(crate) renegotiated: u32,
    pub(crate) over: Option<MediaTime>,
    /// Ticks that were recorded.
    pub(crate) recorded: Vec<RecordedTick>,
    /// The way from the caller's phone; a perfect one where there is none.
    pub(crate) line: Option<Line>,
    /// After how long the language model answers; none for never.
    pub(crate) ranks_ms: Option<u64>,
    /// What a judge by sound says, and after how long; none is there without it.
    pub(crate) sound_judge: Option<(u64, f32)>,
    /// The fault that the scenario injects; a line tells what the caller then heard.
    pub(crate) fault: Option<&'static str>,
    /// What is broken on purpose, so that it is seen whether anybody notices.
    pub(crate) broken: Option<Broken>,
    /// What was known of the call at its ring, and its settings: it can be run again.
    pub(crate) rung: (CallFacts, CallSettings),
    agenda: BTreeMap<(MediaTime, u64), Due>,
    at_once: VecDeque<Input<'static>>,
    next: u64,
    dials: u32,
    caller_gone: bool,
    pending: u32,
    /// Tools that nobody waits for any more: a person was called for instead.
    given_up: u32,
    queued: bool,
    accepted: bool,
    bridged: bool,
    held: bool,
    fed: HashMap<JobId, u32>,
    read: usize,
}

/// What is known of the call at its ring.
pub(crate) fn facts() -> CallFacts {
    static FLOW: LazyLock<Arc<Flow>> = LazyLock::new(|| {
        let text = include_str!("../../flows/parcel.yaml");
        let flow = Flow::parse(text, "flows/parcel.yaml", &BTreeMap::new());
        Arc::new(flow.expect("the example is good"))
    });
    CallFacts {
        id: CallId(CALL.to_owned()),
        from: "sip:+12025550100@example.org".to_owned(),
        to: "sip:service@example.org".to_owned(),
        leg: LegKind::Phone,
        outbound: None,
        wall_unix_ms: 1_795_000_000_000,
        local: jiff::civil::date(2026, 11, 21).at(12, 0, 0, 0),
        seed: 7,
        flow: Arc::clone(&FLOW),
        links: Links { timeline: format!("/calls/{CALL}"), recording: None },
    }
}

/// The settings of the call.
pub(crate) fn settings() -> CallSettings {
    static MUSIC: LazyLock<Arc<[f32]>> = LazyLock::new(|| tone::hold_music(SampleRate::NARROW, 1));
    let rules = Rules { limit: Duration::from_secs(60), ..Rules::default() };
    CallSettings {
        turn: TurnSettings { judges_sound: true, ..TurnSettings::default() },
        queues: Arc::new(HashMap::from([("service".to_owned(), Arc::new(rules))])),
        no_media_ask: Duration::from_secs(10),
        no_media_end: Duration::from_secs(30),
        hold_end: Duration::from_secs(900),
        record: false,
        music: Arc::clone(&MUSIC),
        tones: Tones {
            accept: tone::beep(SampleRate::NARROW),
            waiting: tone::tick(SampleRate::NARROW),
            sorry: tone::beep(SampleRate::NARROW),
        },
    }
}

impl World {
    /// A call that rings at an office without people.
    pub(crate) fn ringing() -> Self {
        Self::staffed(vec![])
    }

    /// A call that rings at an office with these agents.
    pub(crate) fn staffed(staff: Vec<(&str, Vec<Habit>)>) -> Self {
        Self::set_up(staff, settings())
    }

    /// A call that rings at such an office, under other settings than usual.
    pub(crate) fn set_up(staff: Vec<(&str, Vec<Habit>)>, settings: CallSettings) -> Self {
        Self::of(facts(), staff, settings)
    }

    /// A call of which other things are known than usual.
    pub(crate) fn of(
        facts: CallFacts,
        staff: Vec<(&str, Vec<Habit>)>,
        settings: CallSettings,
    ) -> Self {
        let mut world = Self {
            rung: (facts.clone(), settings.clone()),
            call: Call::new(facts, settings),
            now: MediaTime::ZERO,
            entries: vec![],
            costs: vec![],
            caller: Handset::new(CALLER_HZ),
            agent: Handset::new(AGENT_HZ),
            agent_line: None,
            office: Office::new(staff),
            ears: Ears::Answer { after_ms: 250 },
            detector: Detector::Level,
            judge: Judge::Says(0.5),
            mouth: Mouth::Speak { after_ms: 120 },
            script: Script::default(),
            partial_words: 1,
            shown: vec![],
            cancelled: BTreeSet::new(),
            model: Model::default(),
            asked_model: vec![],
            tools: VecDeque::new(),
            invocations: vec![],
            unspoken: BTreeSet::new(),
            tape: vec![],
            answered: false,
            hung_up: None,
            renegotiated: 0,
            over: None,
            recorded: vec![],
            line: None,
            ranks_ms: Some(400),
            sound_judge: None,
            fault: None,
            broken: None,
            agenda: BTreeMap::new(),
            at_once: VecDeque::new(),
            next: 0,
            dials: 0,
            caller_gone: false,
            pending: 0,
            given_up: 0,
            queued: false,
            accepted: false,
            bridged: false,
            held: false,
            fed: HashMap::new(),
            read: 0,
        };
        world.drain();
        world
    }

    /// Puts another call in the place of the one that rings.
    pub(crate) fn replaced(&mut self, call: Call) {
        self.call = call;
        self.entries.clear();
        self.drain();
    }

    /// Offers the call and acknowledges its answer.
    pub(crate) fn connect(&mut self) {
        self.caller_event(LegEvent::Offered);
        assert!(self.answered, "the call is answered");
        self.run(100);
        self.caller_event(LegEvent::Answered);
    }

    /// Lets so much time pass.
    pub(crate) fn run(&mut self, ms: u64) {
        for _ in 0..ms.div_ceil(20) {
            self.step();
        }
    }

    /// Lets time pass until something is so; fails after so long.
    pub(crate) fn until(&mut self, what: &str, ms: u64, is_so: impl Fn(&Self) -> bool) {
        let limit = self.now + Duration::from_millis(ms);
        while !is_so(self) {
            assert!(self.now < limit, "waited {ms} ms for: {what}\n{}", self.story());
            self.step();
        }
    }

    /// Waits for the next entry of this kind, after those waited for before.
    pub(crate) fn awaits(&mut self, what: &str, ms: u64, is_it: impl Fn(&What) -> bool) -> What {
        let from = self.read;
        let find = |world: &Self| {
            let rest = world.entries.iter().skip(from);
            rest.into_iter().position(|entry| is_it(&entry.what))
        };
        self.until(what, ms, |world| find(world).is_some());
        let place = find(self).expect("waited for");
        self.read = from + place + 1;
        self.entries[from + place].what.clone()
    }

    /// Waits until the caller has been told something, to its end.
    pub(crate) fn hears(&mut self, text: &str) {
        self.awaits(
            text,
            30_000,
            |what| matches!(what, What::PromptEnded { heard, .. } if heard.contains(text)),
        );
    }

    /// Waits until something begins to be said to the caller.
    pub(crate) fn hears_begin(&mut self, words: &str) {
        self.awaits(
            words,
            30_000,
            |what| matches!(what, What::PromptBegan { text, .. } if text.contains(words)),
        );
    }

    /// The caller says something, to its end; it will be recognized as this.
    pub(crate) fn says(&mut self, text: &str) {
        self.says_unsure(text, 0.95);
    }

    pub(crate) fn says_unsure(&mut self, text: &str, confidence: f32) {
        self.script.push(text, confidence);
        self.utters(250 * text.split_whitespace().count().max(2) as u64);
    }

    /// The caller makes a sound of this length.
    pub(crate) fn utters(&mut self, ms: u64) {
        self.caller.speak(self.now + TICK, Duration::from_millis(ms));
        self.run(ms);
    }

    pub(crate) fn keys(&mut self, digits: &str) {
        for digit in digits.chars() {
            if let Some(tick) = self.caller.ticks.last_mut() {
                tick.keyed = true;
            }
            self.caller_event(LegEvent::Digit { digit, duration_ms: 100 });
            self.run(200);
        }
    }

    /// Whether the caller has hung up, or was hung up on.
    pub(crate) const fn has_left(&self) -> bool {
        self.caller_gone
    }

    pub(crate) fn hangs_up(&mut self) {
        self.leaves(EndCause::Bye);
    }

    pub(crate) fn leaves(&mut self, cause: EndCause) {
        self.caller_gone = true;
        if self.broken != Some(Broken::Hangup) {
            self.caller_event(LegEvent::Ended { cause });
        }
    }

    pub(crate) fn agent_event(&mut self, event: LegEvent<'static>) {
        let line = self.agent_line.as_mut().expect("an agent was dialled");
        line.answered |= matches!(event, LegEvent::Answered);
        if matches!(event, LegEvent::Ended { .. }) {
            self.agent_line = None;
        }
        self.give(Input::Leg(LegRole::Agent, event));
    }

    /// Waits until the call is over, and says what came of it.
    pub(crate) fn ends(&mut self, within_ms: u64) -> (Outcome, String) {
        self.until("the end", within_ms, |world| world.over.is_some());
        let ends = |entry: &&Entry| matches!(entry.what, What::Ended { .. });
        assert_eq!(self.entries.iter().filter(ends).count(), 1, "{}", self.story());
        match &self.entries.last().expect("a call has entries").what {
            What::Ended { outcome, cause } => (*outcome, cause.clone()),
            other => panic!("the last entry is {other:?}"),
        }
    }

    /// Whether such an entry has been written.
    pub(crate) fn has(&self, is_it: impl Fn(&What) -> bool) -> bool {
        self.count(is_it) > 0
    }

    pub(crate) fn count(&self, is_it: impl Fn(&What) -> bool) -> usize {
        self.entries.iter().filter(|entry| is_it(&entry.what)).count()
    }

    /// When the first such entry was written.
    pub(crate) fn time_of(&self, is_it: impl Fn(&What) -> bool) -> MediaTime {
        let found = self.entries.iter().find(|entry| is_it(&entry.what));
        let at_ms = found.unwrap_or_else(|| panic!("no such entry\n{}", self.story())).at_ms;
        MediaTime::from_millis(at_ms)
    }

    /// All that the caller has been told, whole or in part.
    pub(crate) fn heard(&self) -> String {
        let heard = self.entries.iter().filter_map(|entry| match &entry.what {
            What::PromptEnded { heard, .. } => Some(heard.as_str()),
            _ => None,
        });
        heard.collect::<Vec<_>>().join(" | ")
    }

    /// The last lines that the caller began to hear, in few words, and what else there was.
    fn heard_briefly(&self) -> String {
        let began = |entry: &Entry| match &entry.what {
            What::PromptBegan { text, .. } => Some(text.clone()),
            _ => None,
        };
        let lines: Vec<String> = self.entries.iter().filter_map(began).collect();
        let last = lines[lines.len().saturating_sub(3)..].iter();
        let short = last.map(|line| line.split(' ').take(7).collect::<Vec<_>>().join(" "));
        let (tones, music_s) = silence::wordless(&self.entries, &self.caller.ticks);
        let lines = short.collect::<Vec<_>>().join(" / ");
        format!("{lines} ({tones} tones, {music_s} s of music)")
    }

    /// The timeline, to be read by whom a test failed.
    pub(crate) fn story(&self) -> String {
        let line = |entry: &Entry| format!("{:>7} {:?}", entry.at_ms, entry.what);
        self.entries.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// 20 ms pass.
    pub(crate) fn step(&mut self) {
        self.now = self.now + TICK;
        let debt = self.debt();
        let up = self.call.is_ticking() && !self.caller_gone;
        let packet = if up { self.caller.begin_tick(self.now, debt) } else { None };
        let agent_up = self.agent_line.as_ref().is_some_and(|line| line.answered);
        let agent_packet =
            if agent_up { self.agent.begin_tick(self.now, Debt::Never) } else { None };
        self.happen();
        if let (Some(payload), true) = (&packet, self.line.is_some() && !self.caller_gone) {
            self.send_over_line(payload);
        } else if let (Some(payload), false) = (packet, self.caller_gone) {
            let event = LegEvent::Packet(self.caller.packet(&payload));
            self.give(Input::Leg(LegRole::Caller, event));
        }
        if let (Some(payload), true) = (agent_packet, self.agent_line.is_some()) {
            let event = LegEvent::Packet(self.agent.packet(&payload));
            self.give(Input::Leg(LegRole::Agent, event));
        }
        if self.call.is_ticking() {
            self.give(Input::Tick);
        }
        let answers = self.office.tick(self.now);
        self.give_all(answers);
    }

    pub(crate) fn caller_event(&mut self, event: LegEvent<'static>) {
        self.give(Input::Leg(LegRole::Caller, event));
    }

    pub(crate) fn give(&mut self, input: Input<'_>) {
        self.take(input);
        while let Some(answer) = self.at_once.pop_front() {
            self.take(answer);
        }
    }

    fn give_all(&mut self, inputs: Vec<Input<'static>>) {
        for input in inputs {
            self.give(input);
        }
    }

    fn happen(&mut self) {
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 > self.now {
                return;
            }
            match entry.remove() {
                Due::Input(input) => {
                    self.pending -= u32::from(matches!(input, Input::ToolAnswered { .. }));
                    self.given_up = self.given_up.min(self.pending);
                    self.give(input);
                }
                Due::Agent(dial, event) => {
                    if self.agent_line.as_ref().is_some_and(|line| line.dial == dial) {
                        self.agent_event(event);
                    }
                }
            }
        }
    }

    /// Whose a silence would be now.
    const fn debt(&self) -> Debt {
        if self.bridged || self.held {
            Debt::Never
        } else if self.pending > self.given_up || self.queued {
            Debt::Always
        } else {
            Debt::Turn
        }
    }

    fn enter(&mut self, entry: Entry) {
        match entry.what {
            What::EscalationTriggered { .. } => (self.queued, self.given_up) = (true, self.pending),
            What::Bridged { .. } => (self.queued, self.bridged) = (false, true),
            What::NobodyCame { .. } => self.queued = false,
            What::AgentAccepted { .. } => self.accepted = true,
            What::LegParted { role: LegRole::Agent, .. } => {
                // Who has accepted is no longer waited for.
                self.queued &= !std::mem::take(&mut self.accepted);
                self.bridged = false;
            }
            What::Held { role: LegRole::Caller } => self.held = true,
            What::Resumed { role: LegRole::Caller } => self.held = false,
            _ => {}
        }
        self.entries.push(entry);
    }
}

/// Whatever a scenario is about: no caller waited in unexplained silence.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let longest = silence::longest(&self.entries, &self.caller.ticks);
        if let Some(fault) = self.fault {
            let test = std::thread::current().name().unwrap_or_default().to_owned();
            let (heard, ms) = (self.heard_briefly(), longest.lasting.as_millis());
            println!("fault | {fault} | {test} | {heard} | {ms}");
        }
        let story = self.story();
        assert!(longest.lasting <= silence::LONGEST, "{longest:?} of silence\n{story}");
    }
}
