//! What every media worker shares: engines, store, endpoint, and the way to the control runtime.
//!
//! All of it takes work without waiting.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};

use cordboard_audio::vad::{SileroWeights, SpeechMeter};
use cordboard_models::speech::{Speech, SpeechRequest};
use cordboard_sip::endpoint::{DialRequest, Endpoint, LegSignal, Route};
use cordboard_sip::negotiation::AudioCodec;
use cordboard_sip::srtp::SrtpPolicy;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::addresses::elsewhere;
use super::inference::{Answers, Ears, Judges, Voices};
use super::load::Loads;
use super::mailbox::{Post, ReplyTo, SeatId, ToWorker};
use super::seat::LineId;
use super::telemetry::Figures;
use super::tools::Tools;
use crate::call::DialPlan;
use crate::conversation::{Flow, Invocation};
use crate::desk::DeskSettings;
use crate::escalation::DeskReport;
use crate::leg::{MediaSettings, PhoneLeg, PhoneRefusal};
use crate::store::Store;
use crate::timeline::{CallId, ContextPacket, Entry};

/// What calls tell the desk.
#[derive(Debug)]
pub(crate) enum ToDesk {
    /// A call wants an agent.
    Enqueue {
        /// The call.
        call: CallId,
        /// The queue.
        queue: String,
        /// What the agent will be given.
        packet: Arc<ContextPacket>,
        /// Whether it was at the front before, and goes there again.
        again: bool,
        /// Where the desk's answers go.
        reply: ReplyTo,
    },
    /// A call wants none any more.
    Withdraw {
        /// The call.
        call: CallId,
    },
    /// What became of the offered agent.
    Report {
        /// The call.
        call: CallId,
        /// What.
        report: DeskReport,
    },
    /// Somebody fetched the call's packet with its token.
    PacketFetched {
        /// The call.
        call: CallId,
    },
    /// The call is over: nothing of it may stay at the desk.
    CallOver {
        /// The call.
        call: CallId,
    },
    /// Other agents and queues from now on.
    Reconfigured {
        /// Which.
        settings: DeskSettings,
        /// Agents' secrets, by agent.
        tokens: HashMap<String, String>,
    },
}

impl ToDesk {
    /// The call whose word it is.
    pub(crate) const fn call(&self) -> Option<&CallId> {
        match self {
            Self::Enqueue { call, .. }
            | Self::Withdraw { call }
            | Self::Report { call, .. }
            | Self::PacketFetched { call }
            | Self::CallOver { call } => Some(call),
            Self::Reconfigured { .. } => None,
        }
    }
}

/// Prompts synthesized at start and at every reload; those that are not used any more are kept,
/// for calls under way.
#[derive(Debug, Default)]
pub(crate) struct PromptCache(RwLock<HashMap<Arc<str>, Speech>>);

impl PromptCache {
    /// Keeps a prompt at its normal length.
    pub(crate) fn keep(&self, speech: Speech) {
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        kept.insert(speech.text.clone(), speech);
    }

    /// Keeps all of another's.
    pub(crate) fn extend(&self, other: Self) {
        for (_, speech) in other.0.into_inner().unwrap_or_else(PoisonError::into_inner) {
            self.keep(speech);
        }
    }

    /// The prompt, where it is kept in this form.
    ///
    /// # Real-time
    /// The lock is held for other than reading at a reload alone, for the length of one insertion.
    pub(crate) fn find(&self, request: &SpeechRequest) -> Option<Speech> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let speech = kept.get(&request.text)?;
        let fits = speech.rate == request.rate && (request.stretch - 1.0).abs() < 1e-3;
        fits.then(|| speech.clone())
    }
}

/// How legs speak: what of their media can change while others go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manner {
    /// What is spoken, the preferred first.
    pub(crate) codecs: Vec<AudioCodec>,
    /// Whether it is secured.
    pub(crate) srtp: SrtpPolicy,
    /// Whether keys may stand in signalling that is not encrypted.
    pub(crate) keys_may_travel: bool,
}

/// What every media worker shares.
#[derive(Debug)]
pub(crate) struct Services {
    /// The recognizers.
    pub(crate) ears: Ears,
    /// The synthesizers.
    pub(crate) voices: Voices,
    /// The judges of turns by their sound.
    pub(crate) judges: Judges,
    /// The language models that answer.
    pub(crate) answers: Answers,
    /// The prompts known beforehand.
    pub(crate) prompts: PromptCache,
    /// Weights of the voice activity detector; earshot where there are none.
    pub(crate) silero: Option<Arc<SileroWeights>>,
    /// Where timelines go.
    pub(crate) store: Store,
    /// The telephone side.
    pub(crate) endpoint: Endpoint,
    /// Where media lives, and how legs that begin from now on speak.
    pub(crate) media: RwLock<MediaSettings>,
    /// The company's systems.
    pub(crate) tools: Tools,
    /// The desk's mailbox.
    pub(crate) desk: mpsc::UnboundedSender<ToDesk>,
    /// The control runtime.
    pub(crate) control: Handle,
    /// What is counted.
    pub(crate) figures: Arc<Figures>,
    /// How the media workers keep up.
    pub(crate) loads: Loads,
    /// The workers' mailboxes.
    pub(crate) workers: Vec<Post>,
}

impl Services {
    /// A voice activity detector for one call.
    pub(super) fn vad(&self) -> SpeechMeter {
        match &self.silero {
            Some(weights) => SpeechMeter::silero(weights.clone()),
            None => SpeechMeter::earshot(),
        }
    }

    /// The mailbox of the worker that has a seat.
    pub(crate) fn worker_of(&self, seat: SeatId) -> Post {
        let count = self.workers.len() as u64;
        let index = usize::try_from(seat.0 % count).expect("below the number of workers");
        self.workers[index].clone()
    }

    /// Tells the desk something.
    pub(crate) fn desk(&self, word: ToDesk) {
        // The desk ends after the workers.
        drop(self.desk.send(word));
    }

    /// Sends an invocation to the company's system.
    pub(super) fn invoke(
        &self,
        flow: Arc<Flow>,
        call: CallId,
        invocation: Invocation,
        reply: ReplyTo,
    ) {
        let (tools, store) = (self.tools.clone(), self.store.clone());
        self.control
            .spawn(async move { tools.invoke(&store, &flow, &call, invocation, reply).await });
    }

    /// Where media is bound.
    pub(crate) fn media_bind(&self) -> IpAddr {
        self.media.read().unwrap_or_else(PoisonError::into_inner).bind
    }

    /// Lets legs that begin from now on speak so; where they live stays.
    pub(crate) fn set_manner(&self, manner: Manner) {
        let mut media = self.media.write().unwrap_or_else(PoisonError::into_inner);
        let Manner { codecs, srtp, keys_may_travel } = manner;
        *media = MediaSettings { codecs, srtp, keys_may_travel, ..media.clone() };
    }

    /// Where the media of a call lives: at the address of ours that its peer reaches us at. `srtp`
    /// is its trunk's word, which goes before the word for all.
    pub(crate) fn media_towards(
        &self,
        peer: Option<IpAddr>,
        srtp: Option<SrtpPolicy>,
        secure_signalling: bool,
    ) -> MediaSettings {
        let advertised = self.address_towards(peer);
        let media = self.media.read().unwrap_or_else(PoisonError::into_inner);
        let policy = srtp.unwrap_or(media.srtp);
        MediaSettings { advertised, ..media.towards(policy, secure_signalling) }
    }

    /// Who we say that we are in the From of a call that goes this way.
    pub(crate) fn identity(&self, route: Option<&Route>) -> String {
        let said = route.and_then(|it| it.from.clone());
        said.unwrap_or_else(|| {
            let address = self.address_towards(route.and_then(|it| it.peer));
            let endpoint = &self.endpoint;
            let bound = endpoint.local_udp().or_else(|| endpoint.local_tcp());
            let port = bound.or_else(|| endpoint.local_tls()).map_or(0, |it| it.port());
            format!("sip:cordboard@{}", SocketAddr::new(address, port))
        })
    }

    /// The address of ours that a peer is told; one that is not known yet is elsewhere.
    fn address_towards(&self, peer: Option<IpAddr>) -> IpAddr {
        let peer = peer.unwrap_or_else(|| elsewhere(self.media_bind()));
        self.endpoint.address_towards(peer.to_canonical())
    }

    /// Dials for a call, secured as its trunk wants it or as all calls are; the leg's signals come
    /// to its seat. `plain`: the peer has refused keys.
    pub(super) fn dial(
        &self,
        seat: SeatId,
        line: LineId,
        plan: &DialPlan,
        plain: bool,
    ) -> Result<PhoneLeg, PhoneRefusal> {
        let seed = rand::random();
        let route = self.endpoint.route(&plan.uri)?;
        let policy = route.trunk.is_some().then_some(route.srtp);
        let media = self.media_towards(route.peer, policy, route.secure);
        PhoneLeg::outbound(&media, seed, plain, |sdp| {
            let leg = self.endpoint.dial(DialRequest {
                to: plan.uri.clone(),
                from: self.identity(Some(&route)),
                display: Some(plan.display.clone()),
                sdp,
                headers: plan.headers.clone(),
            })?;
            self.forward(seat, line, leg.events);
            Ok(leg.line)
        })
    }

    /// Brings a leg's signals to the call's seat for as long as there are any.
    pub(crate) fn forward(
        &self,
        seat: SeatId,
        line: LineId,
        mut signals: mpsc::UnboundedReceiver<LegSignal>,
    ) {
        let worker = self.worker_of(seat);
        self.control.spawn(async move {
            while let Some(signal) = signals.recv().await {
                if worker.send(ToWorker::Signal(seat, line, signal)).is_err() {
                    return;
                }
            }
        });
    }

    /// Puts an entry on a call's timeline.
    pub(super) fn append(&self, call: &CallId, entry: &Entry) {
        self.store.append(call, entry);
    }
}
