//! The desk's task: the one desk machine, driven by what calls say and by its own deadline.

use std::collections::HashMap;
use std::sync::Arc;

use cordboard_audio::MediaTime;
use serde_json::json;
use tokio::sync::{mpsc, watch};

use super::mailbox::ReplyTo;
use super::services::ToDesk;
use crate::call::Input as CallInput;
use crate::clock;
use crate::desk::{Desk, Input, Output, PRIORITY_AGAIN, Positions, Standing};
use crate::store::Store;
use crate::timeline::{CallId, ContextPacket};

/// A call at the desk.
struct Waiting {
    reply: ReplyTo,
    packet: Arc<ContextPacket>,
}

/// Drives the desk.
pub(crate) struct DeskTask {
    desk: Desk,
    words: mpsc::UnboundedReceiver<ToDesk>,
    store: Store,
    /// Agents' secrets, by agent, with which they fetch packets that they were offered.
    tokens: HashMap<String, String>,
    calls: HashMap<CallId, Waiting>,
    positions: watch::Sender<serde_json::Value>,
}

impl DeskTask {
    /// Makes the task; `positions` shows the desk to whoever asks.
    pub(crate) fn new(
        desk: Desk,
        words: mpsc::UnboundedReceiver<ToDesk>,
        store: Store,
        tokens: HashMap<String, String>,
        positions: watch::Sender<serde_json::Value>,
    ) -> Self {
        Self { desk, words, store, tokens, calls: HashMap::new(), positions }
    }

    /// Works until every call is gone.
    pub(crate) async fn run(mut self) {
        loop {
            let deadline = self.drain();
            let word = match deadline {
                None => self.words.recv().await,
                Some(deadline) => {
                    let wait = deadline.since(now());
                    match tokio::time::timeout(wait, self.words.recv()).await {
                        Ok(word) => word,
                        Err(_) => {
                            self.tell(Input::Timeout);
                            continue;
                        }
                    }
                }
            };
            match word {
                Some(word) => self.take(word),
                None => return,
            }
        }
    }

    fn take(&mut self, word: ToDesk) {
        match word {
            ToDesk::Enqueue { call, queue, packet, again, reply } => {
                let packet_id = packet.packet_id.clone();
                self.calls.insert(call.clone(), Waiting { reply, packet });
                let priority = if again { PRIORITY_AGAIN } else { 0 };
                self.tell(Input::Enqueued { call, queue, packet_id, priority });
            }
            ToDesk::Withdraw { call } => {
                self.calls.remove(&call);
                self.tell(Input::Withdrawn { call });
            }
            ToDesk::Report { call, report } => self.tell(Input::Reported { call, report }),
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
                self.tell(Input::Reconfigured(settings));
            }
        }
    }

    fn tell(&mut self, input: Input) {
        if let Err(error) = self.desk.handle_input(now(), input) {
            tracing::warn!(%error, "the desk did not take a word");
        }
    }

    fn drain(&mut self) -> Option<MediaTime> {
        loop {
            match self.desk.poll_output() {
                Output::Offer { call, packet_id, agent } => {
                    if let Some(waiting) = self.calls.get(&call) {
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
