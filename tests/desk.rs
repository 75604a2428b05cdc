//! Many escalations at one desk: the two rooms together, with messages between them that take
//! their time and cross, agents of every habit and callers who leave when they like.
//!
//! The world here does what the call core does: it turns dials, briefs and tones into events that
//! come back. Deliberately absent: SIP, sound, threads.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use cordboard::conversation::Case;
use cordboard::desk::{self, AgentProfile, Desk, DeskSettings, Order, QueueRules, Standing};
use cordboard::escalation::{
    AgentRef, Back, DialId, Escalation, Input, Output, Request, Rules, SpeechId, Stage, spoken_ms,
};
use cordboard::timeline::{CallId, Links, Trigger, What};
use cordboard_audio::MediaTime;
use proptest::prelude::*;

/// What an agent does with a call.
#[derive(Clone, Copy, Debug)]
enum Habit {
    AcceptsEarly,
    Accepts,
    AsksAgain,
    Declines,
    NeverAnswers,
    IsBusy,
    IsVoicemail,
    HangsUpInTheBrief,
}

#[derive(Clone, Debug)]
struct Caller {
    arrives_ms: u64,
    leaves_after_ms: Option<u64>,
    talks_ms: u64,
    /// Of the agents that are dialled for this caller, one after another, and again.
    habits: Vec<Habit>,
}

/// One call and what is known of it outside.
struct Call {
    escalation: Escalation,
    caller: Caller,
    dials: u32,
    deadline: Option<MediaTime>,
    bridged: Option<MediaTime>,
    back: Option<Back>,
}

#[derive(Debug)]
enum Event {
    ToCall(usize, Input),
    ToDesk(desk::Input),
}

struct World {
    now: MediaTime,
    desk: Desk,
    desk_deadline: Option<MediaTime>,
    calls: Vec<Call>,
    /// What is on its way, by time and number.
    events: BTreeMap<(MediaTime, u64), Event>,
    numbered: u64,
    /// By agent: the leg that the phone is on.
    phones: HashMap<Arc<str>, (usize, DialId)>,
    notes: Vec<What>,
}

/// How long a message takes between a call's worker and the control runtime.
const CROSSING: Duration = Duration::from_millis(30);

impl World {
    fn new(order: Order, callers: &[Caller]) -> Self {
        let agents = ["ada", "bea"].map(|name| AgentProfile {
            agent: AgentRef { name: name.into(), uri: format!("sip:{name}@127.0.0.1").into() },
            skills: Vec::new(),
            queues: vec!["service".into()],
        });
        let queue = QueueRules { order, ..QueueRules::named("service") };
        let settings =
            DeskSettings { agents: agents.into(), queues: vec![queue], ..DeskSettings::default() };
        let mut world = Self {
            now: MediaTime::ZERO,
            desk: Desk::new(settings).expect("settings that fit"),
            desk_deadline: None,
            calls: Vec::new(),
            events: BTreeMap::new(),
            numbered: 0,
            phones: HashMap::new(),
            notes: Vec::new(),
        };
        for (index, caller) in callers.iter().enumerate() {
            world.arrive(index, caller);
        }
        world
    }

    fn arrive(&mut self, index: usize, caller: &Caller) {
        let request = Request {
            trigger: Trigger::Asked,
            reason: "the caller asked".into(),
            queue: "service".into(),
            case: Case::default(),
            transcript: Vec::new(),
            caller: format!("sip:{index}@127.0.0.1"),
            call_id: CallId(index.to_string()),
            packet_id: format!("p{index}"),
            links: Links::default(),
            rules: Arc::new(Rules::default()),
        };
        self.tell(caller.arrives_ms, index, Input::Triggered(Box::new(request)));
        if let Some(after_ms) = caller.leaves_after_ms {
            self.tell(caller.arrives_ms + after_ms, index, Input::CallerLeft);
        }
        self.calls.push(Call {
            escalation: Escalation::new(),
            caller: caller.clone(),
            dials: 0,
            deadline: None,
            bridged: None,
            back: None,
        });
    }

    fn send(&mut self, after: Duration, event: Event) {
        self.numbered += 1;
        self.events.insert((self.now + after, self.numbered), event);
    }

    fn tell(&mut self, after_ms: u64, call: usize, input: Input) {
        self.send(Duration::from_millis(after_ms), Event::ToCall(call, input));
    }

    fn tell_desk(&mut self, input: desk::Input) {
        self.send(CROSSING, Event::ToDesk(input));
    }

    /// Lets the next thing happen; false where nothing ever will.
    fn step(&mut self) -> bool {
        let calls = self.calls.iter().enumerate();
        let due = calls.filter_map(|(index, call)| Some((call.deadline?, Some(index))));
        let due = due.chain(self.desk_deadline.map(|at| (at, None))).min();
        let coming = self.events.first_key_value().map(|(&(at, _), _)| at);
        let due_first = due.filter(|&(at, _)| coming.is_none_or(|coming| at < coming));
        if let Some((at, whose)) = due_first {
            self.now = at;
            match whose {
                Some(index) => self.call_takes(index, Input::Timeout),
                None => self.desk_takes(desk::Input::Timeout),
            }
        } else {
            let Some(((at, _), event)) = self.events.pop_first() else { return false };
            self.now = at;
            match event {
                Event::ToDesk(input) => self.desk_takes(input),
                Event::ToCall(index, input) => self.call_takes(index, input),
            }
        }
        true
    }

    fn desk_takes(&mut self, input: desk::Input) {
        self.desk.handle_input(self.now, input).expect("calls keep the contract");
        loop {
            let (call, input) = match self.desk.poll_output() {
                desk::Output::Offer { call, packet_id, agent } => {
                    (call, Input::Offered { packet_id, agent })
                }
                desk::Output::NobodyCame { call, packet_id } => {
                    (call, Input::NobodyCame { packet_id })
                }
                desk::Output::Note(_) => continue,
                desk::Output::Wait(deadline) => break self.desk_deadline = deadline,
            };
            let index = call.0.parse().expect("calls are named by number");
            self.send(CROSSING, Event::ToCall(index, input));
        }
    }

    fn call_takes(&mut self, index: usize, input: Input) {
        if let Input::AgentLeft { dial } | Input::AgentRefused { dial, .. } = input {
            self.phones.retain(|_, leg| *leg != (index, dial));
        }
        let escalation = &mut self.calls[index].escalation;
        escalation.handle_input(self.now, input).expect("the desk keeps the contract");
        loop {
            match self.calls[index].escalation.poll_output() {
                Output::Wait(deadline) => break self.calls[index].deadline = deadline,
                output => self.play(index, output),
            }
        }
    }

    fn play(&mut self, index: usize, output: Output) {
        let call = CallId(index.to_string());
        match output {
            Output::Enqueue { queue, packet, again } => {
                let packet_id = packet.packet_id.clone();
                let priority = if again { desk::PRIORITY_AGAIN } else { 0 };
                self.tell_desk(desk::Input::Enqueued { call, queue, packet_id, priority });
            }
            Output::Withdraw => self.tell_desk(desk::Input::Withdrawn { call }),
            Output::TellDesk(report) => self.tell_desk(desk::Input::Reported { call, report }),
            Output::Dial { dial, agent, .. } => self.ring(index, dial, &agent),
            Output::HangUpAgent { dial } => {
                self.phones.retain(|_, leg| *leg != (index, dial));
                self.tell(5, index, Input::AgentLeft { dial });
            }
            Output::Brief { speech, text } => self.brief(index, speech, &text),
            Output::TellAgent { speech, text } => {
                self.tell(u64::from(spoken_ms(&text)), index, Input::BriefEnded { speech });
            }
            Output::Announce { text } => {
                self.tell(u64::from(spoken_ms(&text)), index, Input::Announced);
            }
            Output::Tone => self.tell(400, index, Input::ToneEnded),
            Output::Bridge => {
                let call = &mut self.calls[index];
                call.bridged = Some(self.now);
                let (dial, talks_ms) = (DialId(call.dials), call.caller.talks_ms);
                self.tell(talks_ms, index, Input::AgentLeft { dial });
            }
            Output::BackToAssistant(back) => self.calls[index].back = Some(back),
            Output::Note(what) => self.notes.push(what),
            Output::Music(_)
            | Output::StopBrief
            | Output::Unbridge
            | Output::TellCaller { .. }
            | Output::Wait(_) => {}
        }
    }

    fn habit(&self, index: usize) -> Habit {
        let call = &self.calls[index];
        let mut habits = call.caller.habits.iter().cycle().skip(call.dials as usize - 1);
        *habits.next().expect("a cycle of one or more")
    }

    fn ring(&mut self, index: usize, dial: DialId, agent: &AgentRef) {
        let leg = self.phones.insert(Arc::clone(&agent.name), (index, dial));
        assert_eq!(leg, None, "{} is on a call, and is rung", agent.name);
        self.calls[index].dials += 1;
        match self.habit(index) {
            Habit::NeverAnswers => self.tell(200, index, Input::AgentRinging { dial }),
            Habit::IsBusy => self.tell(100, index, Input::AgentRefused { dial, code: 486 }),
            Habit::AcceptsEarly
            | Habit::Accepts
            | Habit::AsksAgain
            | Habit::Declines
            | Habit::IsVoicemail
            | Habit::HangsUpInTheBrief => {
                // 20 s is our own limit: every third answers just as the CANCEL leaves.
                let after_ms = if dial.0.is_multiple_of(3) { 20_000 } else { 4_000 };
                self.tell(after_ms, index, Input::AgentAnswered { dial });
            }
        }
    }

    fn brief(&mut self, index: usize, speech: SpeechId, text: &str) {
        let dial = DialId(self.calls[index].dials);
        let whole_ms = u64::from(spoken_ms(text));
        self.tell(whole_ms, index, Input::BriefEnded { speech });
        let key = |digit| Input::AgentKeyed { dial, digit };
        match self.habit(index) {
            Habit::AcceptsEarly => self.tell(1_000, index, key('1')),
            Habit::Accepts => self.tell(whole_ms + 900, index, key('1')),
            Habit::AsksAgain => self.tell(whole_ms + 900, index, key('3')),
            Habit::Declines => self.tell(2_000, index, key('2')),
            Habit::HangsUpInTheBrief => self.tell(1_500, index, Input::AgentLeft { dial }),
            Habit::IsVoicemail | Habit::NeverAnswers | Habit::IsBusy => {}
        }
    }
}

fn play(order: Order, callers: &[Caller]) -> World {
    let mut world = World::new(order, callers);
    let mut steps = 0;
    while world.step() {
        steps += 1;
        assert!(steps < 2_000 * callers.len(), "it never ends");
    }
    world
}

fn caller(habit: Habit) -> Caller {
    Caller { arrives_ms: 0, leaves_after_ms: None, talks_ms: 30_000, habits: vec![habit] }
}

#[test]
fn every_habit_of_an_agent_leads_where_it_should() {
    for (habit, refused) in [
        (Habit::AcceptsEarly, None),
        (Habit::Accepts, None),
        (Habit::AsksAgain, Some("no key")),
        (Habit::Declines, Some("declined")),
        (Habit::NeverAnswers, Some("no answer")),
        (Habit::IsBusy, Some("busy")),
        (Habit::IsVoicemail, Some("no key")),
        (Habit::HangsUpInTheBrief, Some("hung up")),
    ] {
        let world = play(Order::Configured, &[caller(habit)]);
        let call = &world.calls[0];
        let whys = world.notes.iter().filter_map(|note| match note {
            What::AgentRefused { why, .. } => Some(&**why),
            _ => None,
        });
        // The first two dials: the third comes late on purpose.
        let whys: Vec<&str> = whys.take(2).collect();
        assert_eq!(whys, Vec::from_iter(refused.into_iter().flat_map(|why| [why; 2])), "{habit:?}");
        assert_eq!(call.bridged.is_some(), refused.is_none(), "{habit:?}");
        let back = if refused.is_none() { Back::AgentLeft } else { Back::NobodyCame };
        assert_eq!(call.back, Some(back), "{habit:?}");
    }
}

#[test]
fn two_agents_serve_five_callers_in_the_order_of_their_coming() {
    let callers: Vec<Caller> = (0..5)
        .map(|index| Caller { arrives_ms: 1_000 * index, ..caller(Habit::AcceptsEarly) })
        .collect();
    let world = play(Order::LongestIdle, &callers);
    let bridged: Vec<MediaTime> = world.calls.iter().filter_map(|call| call.bridged).collect();
    assert_eq!(bridged.len(), 5);
    assert!(bridged.is_sorted(), "{bridged:?}");
}

fn habit() -> impl Strategy<Value = Habit> {
    prop_oneof![
        Just(Habit::AcceptsEarly),
        Just(Habit::Accepts),
        Just(Habit::AsksAgain),
        Just(Habit::Declines),
        Just(Habit::NeverAnswers),
        Just(Habit::IsBusy),
        Just(Habit::IsVoicemail),
        Just(Habit::HangsUpInTheBrief),
    ]
}

prop_compose! {
    fn any_caller()(
        arrives_ms in 0_u64..60_000,
        leaves_after_ms in proptest::option::of(0_u64..150_000),
        talks_ms in 0_u64..90_000,
        habits in prop::collection::vec(habit(), 1..6),
    ) -> Caller {
        Caller { arrives_ms, leaves_after_ms, talks_ms, habits }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_phone_is_rung_twice_and_every_caller_is_answered(
        longest_idle in any::<bool>(),
        callers in prop::collection::vec(any_caller(), 1..12),
    ) {
        let order = if longest_idle { Order::LongestIdle } else { Order::Configured };
        let world = play(order, &callers);
        for call in &world.calls {
            let stage = call.escalation.stage();
            prop_assert!(matches!(stage, Stage::Idle | Stage::Gone), "{}", stage);
            prop_assert!(stage == Stage::Gone || call.back.is_some());
        }
        prop_assert!(world.phones.is_empty(), "left off the hook: {:?}", world.phones);
        let positions = world.desk.positions(world.now);
        prop_assert_eq!(positions.queues[0].waiting, 0);
        for agent in positions.agents {
            prop_assert!(matches!(agent.standing, Standing::Free { .. }), "{:?}", agent);
        }
    }
}
