//! The office: the real desk, and agents who behave as told when their phones are rung.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use cordboard::call::{EndCause, Input, LegEvent};
use cordboard::desk::{
    self, AgentProfile, Desk, DeskEntry, DeskSettings, Output, PRIORITY_AGAIN, QueueRules, Standing,
};
use cordboard::escalation::{AgentRef, DeskReport};
use cordboard::timeline::{CallId, ContextPacket};
use cordboard_audio::MediaTime;

use super::world::CALL;

/// What an agent does when the phone rings.
#[derive(Clone, Debug)]
pub(crate) enum Habit {
    /// Picks up, presses keys (so long after picking up), and leaves where told so.
    PicksUp { after_ms: u64, keys: Vec<(u64, char)>, leaves_ms: Option<u64> },
    /// The phone answers with this SIP status.
    Refuses { after_ms: u64, code: u16 },
    /// The phone rings and rings.
    Absent,
}

impl Habit {
    /// Picks up and presses a key when the brief is over.
    pub(crate) fn keys(digit: char) -> Self {
        Self::PicksUp { after_ms: 1_500, keys: vec![(3_000, digit)], leaves_ms: None }
    }

    /// What comes of a dial: after how long, what.
    pub(crate) fn events(self) -> Vec<(u64, LegEvent<'static>)> {
        let rings = (200, LegEvent::Offered);
        match self {
            Self::Absent => vec![rings],
            Self::Refuses { after_ms, code } => {
                let cause = EndCause::Refused(code);
                vec![rings, (after_ms, LegEvent::Ended { cause })]
            }
            Self::PicksUp { after_ms, keys, leaves_ms } => {
                let mut events = vec![rings, (after_ms, LegEvent::Answered)];
                let pressed = |digit| LegEvent::Digit { digit, duration_ms: 100 };
                events.extend(keys.into_iter().map(|(at, key)| (after_ms + at, pressed(key))));
                let gone = LegEvent::Ended { cause: EndCause::Bye };
                events.extend(leaves_ms.map(|at| (after_ms + at, gone)));
                events
            }
        }
    }
}

/// The desk and its people.
#[derive(Debug)]
pub(crate) struct Office {
    desk: Desk,
    habits: BTreeMap<String, VecDeque<Habit>>,
    deadline: Option<MediaTime>,
    /// Whether the desk answers nothing any more.
    pub(crate) dead: bool,
    /// Context packets that were enqueued.
    pub(crate) packets: Vec<Arc<ContextPacket>>,
    /// How many of them were enqueued before: their agents were lost.
    pub(crate) again: usize,
    pub(crate) reports: Vec<DeskReport>,
    pub(crate) withdrawals: u32,
    pub(crate) notes: Vec<DeskEntry>,
}

impl Office {
    /// Opens an office of these agents; each deals with one ring after another as told, and is
    /// absent then.
    pub(crate) fn new(staff: Vec<(&str, Vec<Habit>)>) -> Self {
        let profile = |name: &str| AgentProfile {
            agent: AgentRef { name: name.into(), uri: uri(name).into() },
            skills: vec![],
            queues: vec!["service".to_owned()],
        };
        let settings = DeskSettings {
            agents: staff.iter().map(|(name, _)| profile(name)).collect(),
            queues: vec![QueueRules { rounds: 1, ..QueueRules::named("service") }],
            ..DeskSettings::default()
        };
        let habits = staff.into_iter().map(|(name, habits)| (uri(name), habits.into()));
        Self {
            desk: Desk::new(settings).expect("the settings agree"),
            habits: habits.collect(),
            deadline: None,
            dead: false,
            packets: vec![],
            again: 0,
            reports: vec![],
            withdrawals: 0,
            notes: vec![],
        }
    }

    pub(crate) fn enqueue(
        &mut self,
        now: MediaTime,
        queue: String,
        packet: Arc<ContextPacket>,
        again: bool,
    ) -> Vec<Input<'static>> {
        let packet_id = packet.packet_id.clone();
        self.packets.push(packet);
        self.again += usize::from(again);
        let priority = if again { PRIORITY_AGAIN } else { 0 };
        self.tell(now, desk::Input::Enqueued { call: call(), queue, packet_id, priority })
    }

    pub(crate) fn withdraw(&mut self, now: MediaTime) -> Vec<Input<'static>> {
        self.withdrawals += 1;
        self.tell(now, desk::Input::Withdrawn { call: call() })
    }

    pub(crate) fn report(&mut self, now: MediaTime, report: DeskReport) -> Vec<Input<'static>> {
        self.reports.push(report.clone());
        self.tell(now, desk::Input::Reported { call: call(), report })
    }

    /// Lets pass what is due.
    pub(crate) fn tick(&mut self, now: MediaTime) -> Vec<Input<'static>> {
        match self.deadline.is_some_and(|deadline| now >= deadline) {
            true => self.tell(now, desk::Input::Timeout),
            false => vec![],
        }
    }

    /// What the agent with that phone does now.
    pub(crate) fn rung(&mut self, uri: &str) -> Habit {
        let habits = self.habits.get_mut(uri).expect("the desk offers its own agents");
        habits.pop_front().unwrap_or(Habit::Absent)
    }

    /// Whether no agent is held by the call, and it does not wait.
    pub(crate) fn is_idle(&self, now: MediaTime) -> bool {
        let positions = self.desk.positions(now);
        let held = |standing: &Standing| {
            matches!(standing, Standing::Offered { .. } | Standing::Talking { .. })
        };
        positions.agents.iter().all(|agent| !held(&agent.standing))
            && positions.queues.iter().all(|queue| queue.waiting == 0)
    }

    /// How often an agent was given free after having accepted.
    pub(crate) fn releases(&self) -> usize {
        let released = |report: &&DeskReport| {
            matches!(report, DeskReport::Released { .. } | DeskReport::Lost { .. })
        };
        self.reports.iter().filter(released).count()
    }

    fn tell(&mut self, now: MediaTime, input: desk::Input) -> Vec<Input<'static>> {
        let mut answers = vec![];
        if self.dead {
            return answers;
        }
        self.desk.handle_input(now, input).expect("the call keeps the desk's contract");
        loop {
            match self.desk.poll_output() {
                Output::Offer { packet_id, agent, .. } => {
                    answers.push(Input::AgentOffered { packet_id, agent });
                }
                Output::NobodyCame { packet_id, .. } => {
                    answers.push(Input::NobodyCame { packet_id });
                }
                Output::Note(entry) => self.notes.push(entry),
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    return answers;
                }
            }
        }
    }
}

fn call() -> CallId {
    CallId(CALL.to_owned())
}

fn uri(name: &str) -> String {
    format!("sip:{name}@office.example")
}
