//! The desk's task: the one desk machine, driven by what calls say and by its own deadline.
//!
//! Where the machine panics a new one takes its place: who waits keeps waiting, in the old order,
//! and an agent who rings or talks is the call's as before. The new machine takes such an agent for
//! free; another call offered to that phone finds it busy.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cordboard_audio::MediaTime;
use serde_json::json;
use tokio::sync::{mpsc, watch};

use super::mailbox::ReplyTo;
use super::services::ToDesk;
use crate::call::Input as CallInput;
use crate::clock;
use crate::desk::{
    Desk, DeskSettings, Input, Output, PRIORITY_AGAIN, Positions, SettingsError, Standing,
};
use crate::escalation::DeskReport;
use crate::shell::telemetry::Figures;
use crate::store::Store;
use crate::timeline::{CallId, ContextPacket};

/// A call at the desk.
struct Waiting {
    reply: ReplyTo,
    packet: Arc<ContextPacket>,
    queue: String,
    priority: u8,
    /// Its number among those that came to the desk.
    arrival: u64,
    place: Place,
}

impl Waiting {
    fn nobody_comes(&self) {
        let packet_id = self.packet.packet_id.clone();
        self.reply.give(CallInput::NobodyCame { packet_id });
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the queue, or not at the desk any more.
    Queued,
    /// An agent rings or talks.
    Offered,
    /// The same, and the desk that chose the agent is gone.
    Orphaned,
}

/// What wakes the desk.
enum Word {
    Begin,
    Told(ToDesk),
    Timeout,
}

/// Drives the desk.
pub(crate) struct DeskTask {
    desk: Desk,
    /// What the desk was made with, or was last told.
    settings: DeskSettings,
    words: mpsc::UnboundedReceiver<ToDesk>,
    store: Store,
    /// Agents' secrets, by agent, with which they fetch packets that they were offered.
    tokens: HashMap<String, String>,
    calls: HashMap<CallId, Waiting>,
    arrivals: u64,
    positions: watch::Sender<serde_json::Value>,
    figures: Arc<Figures>,
}

impl DeskTask {
    /// Makes the task; `positions` shows the desk to whoever asks.
    ///
    /// # Errors
    /// Settings that make no desk.
    pub(crate) fn new(
        settings: DeskSettings,
        tokens: HashMap<String, String>,
        words: mpsc::UnboundedReceiver<ToDesk>,
        store: Store,
        positions: watch::Sender<serde_json::Value>,
        figures: Arc<Figures>,
    ) -> Result<Self, SettingsError> {
        let desk = Desk::new(settings.clone())?;
        let (calls, arrivals) = (HashMap::new(), 0);
        Ok(Self { desk, settings, words, store, tokens, calls, arrivals, positions, figures })
    }

    /// Works until every call is gone.
    pub(crate) async fn run(mut self) {
        let mut word = Word::Begin;
        loop {
            let deadline = self.step(word);
            let told = match deadline {
                None => Ok(self.words.recv().await),
                Some(deadline) => {
                    tokio::time::timeout(deadline.since(now()), self.words.recv()).await
                }
            };
            word = match told {
                Ok(Some(told)) => Word::Told(told),
                Ok(None) => return,
                Err(_) => Word::Timeout,
            };
        }
    }

    /// Takes a word and does what the desk wants; gives its next deadline.
    fn step(&mut self, word: Word) -> Option<MediaTime> {
        let spoke = match &word {
            Word::Told(told) => told.call().cloned(),
            Word::Begin | Word::Timeout => None,
        };
        let stepped = catch_unwind(AssertUnwindSafe(|| {
            match word {
                Word::Begin => {}
                Word::Told(told) => self.take(told),
                Word::Timeout => drop(self.tell(Input::Timeout)),
            }
            self.drain()
        }));
        let Err(_) = stepped else { return stepped.unwrap_or_default() };
        self.figures.desk_panics.count();
        tracing::error!(calls = self.calls.len(), "the desk panicked; a new one takes its place");
        // The call whose word it was would bring down the next one too; an agent who rings or talks
        // stays with it.
        let queued =
            |call: &CallId| self.calls.get(call).is_some_and(|it| it.place == Place::Queued);
        let spoke = spoke.filter(queued).and_then(|call| self.calls.remove(&call));
        spoke.iter().for_each(Waiting::nobody_comes);
        let renewed = catch_unwind(AssertUnwindSafe(|| self.renew()));
        renewed.unwrap_or_else(|_| {
            // What is wrong is in what was kept: nobody may wait for a desk that knows nothing.
            self.give_up();
            None
        })
    }

    /// Another desk, at which those who wait for an agent wait on.
    fn renew(&mut self) -> Option<MediaTime> {
        self.desk = Desk::new(self.settings.clone()).ok()?;
        let mut queued = Vec::new();
        for (call, waiting) in &mut self.calls {
            match waiting.place {
                Place::Queued => queued.push((waiting.arrival, call.clone())),
                Place::Offered | Place::Orphaned => waiting.place = Place::Orphaned,
            }
        }
        queued.sort_unstable();
        for (_, call) in queued {
            self.enqueue(call);
        }
        self.drain()
    }

    /// Tells every call in a queue that nobody comes; another desk for those who come later.
    fn give_up(&mut self) {
        self.calls.retain(|_, waiting| {
            let orphaned = waiting.place == Place::Orphaned;
            if !orphaned {
                waiting.nobody_comes();
            }
            orphaned
        });
        if let Ok(desk) = Desk::new(self.settings.clone()) {
            self.desk = desk;
        }
    }

    /// Puts a call in its queue.
    fn enqueue(&mut self, call: CallId) {
        let Some(waiting) = self.calls.get_mut(&call) else { return };
        waiting.place = Place::Queued;
        let packet_id = waiting.packet.packet_id.clone();
        let (queue, priority) = (waiting.queue.clone(), waiting.priority);
        self.tell(Input::Enqueued { call, queue, packet_id, priority });
    }

    /// What became of an offer of the desk before this one.
    fn orphan_reported(&mut self, call: CallId, report: &DeskReport) {
        let declined = matches!(report, DeskReport::Declined { .. } | DeskReport::NoAnswer { .. });
        if let Some(waiting) = self.calls.get_mut(&call).filter(|_| declined) {
            waiting.priority = PRIORITY_AGAIN;
            self.enqueue(call);
        }
    }

    fn take(&mut self, word: ToDesk) {
        match word {
            ToDesk::Enqueue { call, queue, packet, again, reply } => {
                let priority = if again { PRIORITY_AGAIN } else { 0 };
                self.arrivals += 1;
                let (arrival, place) = (self.arrivals, Place::Queued);
                // From here on it can be read by who may read calls; an agent's token opens it
                // once it is offered to them, and this one nobody knows.
                self.store.keep_packet(&call, &packet, &unknown_token());
                let waiting = Waiting { reply, packet, queue, priority, arrival, place };
                self.calls.insert(call.clone(), waiting);
                self.enqueue(call);
            }
            ToDesk::Withdraw { call } => {
                self.calls.remove(&call);
                self.tell(Input::Withdrawn { call });
            }
            ToDesk::Report { call, report } => {
                let orphaned = |it: &Waiting| it.place == Place::Orphaned;
                if self.calls.get(&call).is_some_and(orphaned) {
                    self.orphan_reported(call, &report);
                } else {
                    self.note_report(&call, &report);
                    self.tell(Input::Reported { call, report });
                }
            }
            ToDesk::PacketFetched { call } => {
                if let Some(waiting) = self.calls.get(&call) {
                    waiting.reply.give(CallInput::PacketFetched);
                }
            }
            ToDesk::CallOver { call } => {
                if self.calls.remove(&call).is_some() {
                    self.tell(Input::Withdrawn { call });
                }
            }
            ToDesk::Reconfigured { settings, tokens } => {
                self.tokens = tokens;
                if self.tell(Input::Reconfigured(settings.clone())) {
                    self.settings = settings;
                }
            }
        }
    }

    /// A call that was declined is in its queue again.
    fn note_report(&mut self, call: &CallId, report: &DeskReport) {
        if let (Some(waiting), DeskReport::Declined { .. } | DeskReport::NoAnswer { .. }) =
            (self.calls.get_mut(call), report)
        {
            waiting.place = Place::Queued;
        }
    }

    /// Tells the desk; whether it took it.
    fn tell(&mut self, input: Input) -> bool {
        trip(&input);
        let told = self.desk.handle_input(now(), input);
        if let Err(error) = &told {
            tracing::warn!(%error, "the desk did not take a word");
        }
        told.is_ok()
    }

    fn drain(&mut self) -> Option<MediaTime> {
        loop {
            match self.desk.poll_output() {
                Output::Offer { call, packet_id, agent } => {
                    if let Some(waiting) = self.calls.get_mut(&call) {
                        waiting.place = Place::Offered;
                        if let Some(token) = self.tokens.get(&*agent.name) {
                            self.store.keep_packet(&call, &waiting.packet, token);
                        }
                        waiting.reply.give(CallInput::AgentOffered { packet_id, agent });
                    }
                }
                Output::NobodyCame { call, packet_id } => {
                    if let Some(waiting) = self.calls.remove(&call) {
                        waiting.reply.give(CallInput::NobodyCame { packet_id });
                    }
                }
                Output::Note(note) => tracing::info!(?note, "desk"),
                Output::Wait(deadline) => {
                    self.positions.send_replace(shown(&self.desk.positions(now())));
                    return deadline;
                }
            }
        }
    }
}

/// Panics where the tests want it.
/// A token that nobody has been given.
fn unknown_token() -> String {
    format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>())
}

#[cfg(test)]
fn trip(input: &Input) {
    let trips = match input {
        Input::Enqueued { queue, .. } => queue == tests::TRIPPING,
        Input::Reported { report: DeskReport::Accepted { agent }, .. } => {
            &**agent == tests::TRIPPING
        }
        _ => false,
    };
    assert!(!trips, "a panic on trial");
}

#[cfg(not(test))]
const fn trip(_: &Input) {}

fn now() -> MediaTime {
    MediaTime::ZERO + clock::monotonic()
}

/// The desk as the API shows it.
fn shown(positions: &Positions) -> serde_json::Value {
    let agents = positions.agents.iter().map(|agent| {
        let (state, call) = match &agent.standing {
            Standing::Free { .. } => ("free", None),
            Standing::Offered { call } => ("offered", Some(call)),
            Standing::Talking { call, .. } => ("talking", Some(call)),
            Standing::Resting => ("resting", None),
        };
        json!({
            "name": &*agent.name,
            "queues": agent.queues,
            "state": state,
            "call": call,
            "paused": agent.paused,
        })
    });
    let queues = positions.queues.iter().map(
        |queue| json!({ "name": queue.name, "waiting": queue.waiting, "offered": queue.offered }),
    );
    json!({ "agents": agents.collect::<Vec<_>>(), "queues": queues.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crossbeam_channel::{Receiver, unbounded};

    use super::*;
    use crate::desk::{AgentProfile, QueueRules};
    use crate::escalation::{AgentRef, Refusal};
    use crate::shell::mailbox::{SeatId, ToWorker};
    use crate::store::StoreOptions;
    use crate::timeline::{Links, PACKET_VERSION, Trigger};

    /// The queue and the agent at which the desk panics.
    pub(super) const TRIPPING: &str = "tripping";

    struct Room {
        task: DeskTask,
        worker: crossbeam_channel::Sender<ToWorker>,
        letters: Receiver<ToWorker>,
        _folder: tempfile::TempDir,
    }

    async fn room() -> Room {
        let folder = tempfile::TempDir::new().unwrap();
        let options = StoreOptions {
            folder: folder.path().to_owned(),
            recording: false,
            keep_inputs: false,
            retain_segments: 1,
        };
        let store = Store::open(options).await.unwrap();
        let agent = AgentRef { name: "ada".into(), uri: "sip:ada@127.0.0.1".into() };
        let queues = ["service", TRIPPING].map(QueueRules::named);
        let served = vec!["service".to_owned()];
        let settings = DeskSettings {
            agents: vec![AgentProfile { agent, skills: Vec::new(), queues: served }],
            queues: queues.to_vec(),
            rest: Duration::ZERO,
            ..DeskSettings::default()
        };
        let (show, _) = watch::channel(serde_json::Value::Null);
        let (_, words) = mpsc::unbounded_channel();
        let figures = Arc::new(Figures::new(1));
        let task = DeskTask::new(settings, HashMap::new(), words, store, show, figures).unwrap();
        let (worker, letters) = unbounded();
        Room { task, worker, letters, _folder: folder }
    }

    fn packet(number: u64) -> ContextPacket {
        ContextPacket {
            version: PACKET_VERSION,
            packet_id: format!("packet {number}"),
            call_id: call(number).0,
            caller: "sip:1@127.0.0.1".into(),
            stated_issue: String::new(),
            intent: None,
            confidence: 0.0,
            slots: Vec::new(),
            actions: Vec::new(),
            resolved: Vec::new(),
            unresolved: Vec::new(),
            trigger: Trigger::Asked,
            reason: String::new(),
            transcript: Vec::new(),
            links: Links::default(),
        }
    }

    fn call(number: u64) -> CallId {
        CallId(format!("call {number}"))
    }

    impl Room {
        fn enqueue(&mut self, number: u64, queue: &str) {
            let reply = ReplyTo { worker: self.worker.clone().into(), seat: SeatId(number) };
            let (call, packet) = (call(number), Arc::new(packet(number)));
            let queue = queue.to_owned();
            self.step(ToDesk::Enqueue { call, queue, packet, again: false, reply });
        }

        fn step(&mut self, word: ToDesk) {
            self.task.step(Word::Told(word));
        }

        fn report(&mut self, number: u64, report: DeskReport) {
            self.step(ToDesk::Report { call: call(number), report });
        }

        /// Which call the desk told what.
        fn told(&self) -> Vec<(u64, &'static str)> {
            let what = |letter| match letter {
                ToWorker::Give(SeatId(seat), CallInput::AgentOffered { .. }) => (seat, "offered"),
                ToWorker::Give(SeatId(seat), CallInput::NobodyCame { .. }) => (seat, "nobody"),
                other => panic!("{other:?}"),
            };
            self.letters.try_iter().map(what).collect()
        }
    }

    #[tokio::test]
    async fn where_the_desk_panics_who_waits_waits_on_and_who_rings_rings_on() {
        let mut room = room().await;
        for number in [1, 2, 3] {
            room.enqueue(number, "service");
        }
        assert_eq!(room.told(), [(1, "offered")]);
        room.enqueue(4, TRIPPING);
        assert_eq!(room.told(), [(4, "nobody"), (2, "offered")], "the desk works on");
        let agent: Arc<str> = "ada".into();
        let (declined, why) = (agent.clone(), Refusal::Busy);
        room.report(1, DeskReport::Declined { agent: declined, why });
        room.report(2, DeskReport::NoAnswer { agent, why });
        assert_eq!(room.told(), [(1, "offered")], "who was rung for is before who waits");
    }

    #[tokio::test]
    async fn a_call_that_talks_to_its_agent_is_left_to_it_where_its_word_makes_the_desk_panic() {
        let mut room = room().await;
        room.enqueue(1, "service");
        room.enqueue(2, "service");
        assert_eq!(room.told(), [(1, "offered")]);
        room.report(1, DeskReport::Accepted { agent: TRIPPING.into() });
        assert_eq!(room.told(), [(2, "offered")], "nobody tells who talks that nobody comes");
        room.report(1, DeskReport::Released { agent: "ada".into() });
        assert_eq!(room.told(), []);
    }

    #[tokio::test]
    async fn where_the_next_desk_panics_too_nobody_waits_in_vain() {
        let mut room = room().await;
        for number in [1, 2] {
            room.enqueue(number, "service");
        }
        assert_eq!(room.told(), [(1, "offered")]);
        room.task.calls.get_mut(&call(2)).unwrap().queue = TRIPPING.to_owned();
        room.enqueue(3, TRIPPING);
        let mut told = room.told();
        told.sort_unstable();
        assert_eq!(told, [(2, "nobody"), (3, "nobody")]);
        room.enqueue(4, "service");
        assert_eq!(room.told(), [(4, "offered")]);
    }
}
