//! The threads: media workers, inference workers, the control runtime, and the shutdown.
//!
//! No decision about a call lives here; this room moves inputs and outputs between the pure rooms
//! and the world.

mod addresses;
mod admission;
mod choice;
mod desk;
mod engines;
mod failover;
mod http;
mod inference;
mod intake;
mod load;
mod mailbox;
mod media;
mod notify;
mod reload;
mod remote;
mod seat;
mod services;
mod sound;
mod sweep;
mod telemetry;
mod tools;
mod trunks;
mod watchdog;

use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use cordboard_models::turn_end::TextJudge;
use cordboard_sip::access::{Access, AccessError};
use cordboard_sip::bans::BanRule;
use cordboard_sip::endpoint::{BindError, Endpoint, EndpointConfig, Incoming, TlsError};
use cordboard_sip::ports::{Ports, PortsError};
use cordboard_sip::session_timer::Limits;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::call::{CallSettings, RESCUED, STILL_THERE, STOPPING, Tones, usual_music};
use crate::clock;
use crate::conversation::{Flow, FlowFault};
use crate::desk::{AgentProfile, DeskSettings, QueueRules};
use crate::escalation::{AGENT_GONE, AGENT_LOST, AgentRef, Rules, Wording};
use crate::leg::MediaSettings;
use crate::settings::{AdmissionSettings, BargeInChoice, RouteSettings, Settings};
use crate::store::{Store, StoreFault, StoreOptions};
use crate::timeline::CallId;
use crate::turn::{BargeIn, Pauses, TurnSettings};
use addresses::Addresses;
pub(crate) use addresses::told;
use desk::DeskTask;
use engines::Engines;
pub(crate) use engines::{fallbacks, open_ears, open_voice, silero};
use intake::{Intake, Reception};
use load::Loads;
use mailbox::{Mailbox, Post, ToWorker};
use media::MediaWorker;
pub use notify::Supervisor;
pub use reload::Reloaded;
pub(crate) use remote::{RemoteEngine, remote_engines};
use services::{Manner, Services, ToDesk};
pub use telemetry::{ExportError, FilterError, Log};
use telemetry::{Figures, Scrape};
use tools::Tools;
pub use trunks::SecretUnreadable;
pub use watchdog::{Pulse, keep_watchdog, watchdog_period};

/// How long the last calls have to say goodbye once the drain time is over.
const GOODBYE: Duration = Duration::from_secs(12);

/// How long the far ends have to answer the last BYEs: some retransmissions (RFC 3261 §17.1.2.2).
const PARTING: Duration = Duration::from_secs(4);

/// Said to a caller who waits for a person; the conversation has said why.
const ANNOUNCEMENT: &str = "Please stay on the line.";

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// A flow's file cannot be read.
    #[error("flow {path} cannot be read: {source}; set [[route]] flow to a file that exists")]
    FlowUnreadable {
        /// Which.
        path: PathBuf,
        /// What the disk said.
        source: std::io::Error,
    },
    /// A flow has faults.
    #[error("flow {path} is refused:\n{}", lines(faults))]
    FlowFaulty {
        /// Which.
        path: PathBuf,
        /// All that is wrong with it.
        faults: Vec<FlowFault>,
    },
    /// An engine of that name does not exist, or is not built in.
    #[error(transparent)]
    Choice(#[from] choice::ChoiceFault),
    /// A flow expects a word that the recognizer has no pronunciation for.
    #[error("flow {flow} expects what cannot be heard: {unknown}")]
    UnknownWord {
        /// The flow.
        flow: String,
        /// The word, and what to do.
        unknown: cordboard_models::ears::lexicon::UnknownWord,
    },
    /// A flow lets a language model answer, and there is none that can.
    #[error(
        "flow {flow} has a step with `answer`, and no language model is named that answers; add \
         [[remote.language]], or take the step out"
    )]
    NobodyAnswers {
        /// The flow.
        flow: String,
    },
    /// A file of weights cannot be read.
    #[error("weights {path} cannot be read: {source}; run make weights, or set models.vad")]
    Weights {
        /// Which.
        path: PathBuf,
        /// What the disk said.
        source: std::io::Error,
    },
    /// A file of weights is not what the manifest says.
    #[error("weights {path} are refused: {source}")]
    WeightsForeign {
        /// Which.
        path: PathBuf,
        /// What differs, and the remedy.
        source: cordboard_models::manifest::WeightsFault,
    },
    /// A file of weights does not hold the network.
    #[error("the Silero weights do not fit: {0}; run make weights")]
    WeightsUnfit(#[from] cordboard_audio::vad::WeightsError),
    /// The judge of turns by their sound does not open.
    #[error("{0}; or set models.turn_judge to \"none\"")]
    TurnJudge(#[from] cordboard_models::turn_end::SmartTurnError),
    /// The recognizer does not open.
    #[error(transparent)]
    Ears(#[from] cordboard_models::ears::OpenError),
    /// Whisper does not open.
    #[cfg(feature = "whisper")]
    #[error(transparent)]
    Whisper(#[from] cordboard_models::ears::WhisperOpenError),
    /// The voice does not open.
    #[error(transparent)]
    Voice(#[from] cordboard_models::voice::OpenError),
    /// The Piper voice does not open.
    #[error(transparent)]
    Piper(#[from] cordboard_models::voice::PiperError),
    /// A prompt that is known beforehand cannot be spoken.
    #[error("a prompt cannot be spoken: {0}")]
    Prompt(#[from] cordboard_models::speech::EngineFault),
    /// The thread for engines over the network does not start.
    #[error("the network's thread does not start: {0}")]
    Network(std::io::Error),
    /// The key of an engine over the network is not there.
    #[error("{name} {why}")]
    RemoteKey {
        /// The setting.
        name: String,
        /// What is wrong, and what to do.
        why: String,
    },
    /// An engine over the network cannot be asked.
    #[error("{name} does not start: {source}")]
    Remote {
        /// The setting.
        name: String,
        /// What is wrong.
        source: cordboard_models::remote::RemoteFault,
    },
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The HTTP address cannot be listened on.
    #[error("api.listen {address} cannot be listened on: {source}; set api.listen to another")]
    Api {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The range of media ports makes no sense.
    #[error(transparent)]
    Ports(#[from] PortsError),
    /// A network or destination makes no sense.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// A trunk's secret cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretUnreadable),
    /// Files of TLS make no sense.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Agents or queues make no sense.
    #[error(transparent)]
    Desk(#[from] crate::desk::SettingsError),
    /// The address for figures cannot be listened on.
    #[error(
        "telemetry.metrics_listen {address} cannot be listened on: {source}; \
         set telemetry.metrics_listen to another, or \"off\""
    )]
    Metrics {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Traces cannot be sent.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The new flows could not be prepared.
    #[error("the new flows could not be prepared: the attempt panicked; see the log")]
    Preparation,
    /// The HTTP client does not start.
    #[error("the HTTP client does not start: {0}")]
    Client(#[from] reqwest::Error),
}

/// Everything that would keep the engines of these settings from starting, or from hearing what
/// callers may say in these flows. Takes a second, and no lasting memory.
#[must_use]
pub fn engine_faults(settings: &Settings, flows: &[Arc<Flow>]) -> Vec<ServeError> {
    engines::faults(&settings.models, &settings.remote, flows)
}

/// What keeps the trunks and the certificates of these settings from being used; and when our
/// certificate expires, in seconds since 1970.
#[must_use]
pub fn trunk_faults(settings: &Settings) -> (Vec<ServeError>, Option<i64>) {
    let one = |it| trunks::trunks(std::slice::from_ref(it)).err().map(ServeError::from);
    let mut faults: Vec<ServeError> = settings.trunks.iter().filter_map(one).collect();
    let expiry = trunks::tls(&settings.sip).check();
    let expiry_unix_s = expiry.unwrap_or_else(|error| {
        faults.push(error.into());
        None
    });
    (faults, expiry_unix_s)
}

fn lines(faults: &[FlowFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A running service.
#[derive(Debug)]
pub struct Service {
    services: Arc<Services>,
    intake: Arc<Intake>,
    live: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
    stop: CancellationToken,
    projector: tokio::task::JoinHandle<()>,
    /// The task that sends traces, where they are sent.
    export: Option<tokio::task::JoinHandle<()>>,
    api: SocketAddr,
    metrics: Option<SocketAddr>,
    /// Those of the start.
    settings: Settings,
}

impl Service {
    /// Starts everything; on return calls are taken.
    ///
    /// # Errors
    /// [`ServeError`], whose text says what to do.
    pub async fn start(settings: Settings) -> Result<Self, ServeError> {
        // One provider for all who speak TLS; a second start finds the first one's.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let routes = load_routes(&settings.routes)?;
        let mut threads = Vec::new();
        let figures = Arc::new(Figures::new(workers()));
        let engines = Engines::start(
            &settings,
            routes.values(),
            &[STILL_THERE, STOPPING, RESCUED, ANNOUNCEMENT, AGENT_GONE, AGENT_LOST],
            (&figures, &mut threads),
        )?;
        let store = Store::open(store_options(&settings)).await?;
        let stop = CancellationToken::new();
        let (endpoint, calls) = open_endpoint(&settings, &stop).await?;
        let listeners = http::Listeners::open(&settings).await?;
        let (api, metrics) = listeners.addresses(&settings);
        let export = telemetry::follow(&store, &settings.telemetry, &figures, stop.clone())?;

        let live = Arc::new(AtomicUsize::new(0));
        let (desk_words, words) = mpsc::unbounded_channel();
        let mailboxes = mailboxes();
        let services = Arc::new(Services {
            ears: engines.ears,
            voices: engines.voices,
            judges: engines.judges,
            answers: engines.answers,
            prompts: engines.prompts,
            silero: engines.silero,
            store: store.clone(),
            media: media_settings(&settings, &endpoint)?.into(),
            endpoint,
            tools: Tools::new()?,
            desk: desk_words,
            control: tokio::runtime::Handle::current(),
            figures,
            loads: Loads::new(workers()),
            workers: mailboxes.iter().map(|(sender, _)| sender.clone()).collect(),
        });
        spawn_workers(mailboxes, &services, &live, &mut threads);
        let projector = tokio::spawn(store.clone().project(stop.clone()));
        let positions = spawn_desk(&settings, words, &services)?;
        let reception = reception(routes, &settings, 1);
        let base = link_base(&settings, api);
        let intake: Arc<_> =
            Intake::new(services.clone(), reception, base.clone(), live.clone()).into();
        let scrape = Scrape {
            figures: services.figures.clone(),
            services: services.clone(),
            intake: intake.clone(),
            live: live.clone(),
            positions: positions.clone(),
            began_unix_ms: clock::wall_unix_ms(),
        };
        let state = http::state(&settings, &positions, scrape, &base);
        listeners.spawn(state, &stop);
        let (keep, figures) = (sweep::retention(&settings), services.figures.clone());
        tokio::spawn(sweep::hourly(store, keep, figures, stop.clone()));
        open_door(&services, &intake, calls, (settings.sip.advertised, &stop));
        Ok(Self {
            services,
            intake,
            live,
            threads,
            stop,
            projector,
            export,
            api,
            metrics,
            settings,
        })
    }

    /// Whether the media workers work, for whoever watches us.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        Pulse::new(self.services.clone())
    }

    /// UDP address that calls come in on.
    #[must_use]
    pub fn sip_udp(&self) -> Option<SocketAddr> {
        self.services.endpoint.local_udp()
    }

    /// TCP address that calls come in on.
    #[must_use]
    pub fn sip_tcp(&self) -> Option<SocketAddr> {
        self.services.endpoint.local_tcp()
    }

    /// TLS address that calls come in on.
    #[must_use]
    pub fn sip_tls(&self) -> Option<SocketAddr> {
        self.services.endpoint.local_tls()
    }

    /// Address of the HTTP side.
    #[must_use]
    pub const fn api(&self) -> SocketAddr {
        self.api
    }

    /// Address of the figures, where they have one of their own.
    #[must_use]
    pub const fn metrics(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// Where its calls are kept; outlives it.
    #[must_use]
    pub fn store(&self) -> Store {
        self.services.store.clone()
    }

    /// Calls at present.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.live.load(Ordering::Acquire)
    }

    /// Places a call that meets the flow of a route; gives its name where there is room.
    #[must_use]
    pub fn place(&self, to: &str, route: &str) -> Option<CallId> {
        self.intake.place(to, route)
    }

    /// Lets the person at this machine's sound card meet the flow of a route; gives the call's name
    /// where there is room.
    #[cfg(feature = "device")]
    pub(crate) fn talk(&self, leg: crate::leg::device::DeviceLeg, route: &str) -> Option<CallId> {
        self.intake.take_device(leg, route)
    }

    /// Refuses new calls, lets the present ones finish for as long as the settings say or until
    /// `hurry`, says goodbye to the rest, and stops.
    pub async fn shut_down(self, hurry: impl Future<Output = ()>) {
        self.intake.drain();
        self.services.endpoint.leave_trunks().await;
        let drain = Duration::from_secs(self.settings.shutdown.drain_s);
        tracing::info!(calls = self.calls(), "draining");
        tokio::select! {
            () = self.all_calls_over(drain) => {}
            () = hurry => {}
        }
        for worker in &self.services.workers {
            drop(worker.send(ToWorker::Stop));
        }
        self.all_calls_over(GOODBYE).await;
        self.all_legs_over().await;
        // First the disk, then the database, which takes what is on the disk and ends.
        let store = self.services.store.clone();
        let flushed = tokio::task::spawn_blocking(move || store.flush(GOODBYE)).await;
        if !matches!(flushed, Ok(true)) {
            tracing::error!("the last entries did not reach the disk in time");
        }
        self.stop.cancel();
        if self.projector.await.is_err() {
            tracing::error!("the projection ended by a panic");
        }
        if let Some(export) = self.export
            && export.await.is_err()
        {
            tracing::error!("the sending of traces ended by a panic");
        }
        tracing::info!(threads = self.threads.len(), "stopped");
    }

    async fn all_calls_over(&self, within: Duration) {
        let mut look = tokio::time::interval(Duration::from_millis(50));
        let over = async {
            while self.calls() > 0 {
                look.tick().await;
            }
        };
        if tokio::time::timeout(within, over).await.is_err() {
            tracing::warn!(calls = self.calls(), "calls are left");
        }
    }

    /// Waits for the answers to the last BYEs: without a BYE a phone hangs in a dead call.
    async fn all_legs_over(&self) {
        let endpoint = &self.services.endpoint;
        let mut look = tokio::time::interval(Duration::from_millis(20));
        let over = async {
            while endpoint.counters().dialogs > 0 {
                look.tick().await;
            }
        };
        if tokio::time::timeout(PARTING, over).await.is_err() {
            tracing::warn!(legs = endpoint.counters().dialogs, "legs did not answer a BYE");
        }
    }
}

/// Takes calls from now on, as long as the addresses that callers are told are this machine's.
fn open_door(
    services: &Services,
    intake: &Arc<Intake>,
    calls: mpsc::Receiver<Incoming>,
    (advertised, stop): (Option<IpAddr>, &CancellationToken),
) {
    let told = told_addresses(services, advertised);
    let watched = Addresses::new(told, Box::new(addresses::is_ours));
    tokio::spawn(addresses::watch(watched, intake.clone(), stop.clone()));
    tokio::spawn(intake.clone().mind_load(stop.clone()));
    tokio::spawn(take_calls(intake.clone(), calls));
}

async fn take_calls(intake: Arc<Intake>, mut calls: mpsc::Receiver<Incoming>) {
    while let Some(incoming) = calls.recv().await {
        intake.take(incoming);
    }
}

fn store_options(settings: &Settings) -> StoreOptions {
    StoreOptions {
        folder: settings.store.folder.clone(),
        recording: settings.store.recording,
        keep_inputs: settings.store.keep_inputs,
        retain_segments: settings.store.retain_segments,
    }
}

fn spawn_workers(
    mailboxes: Vec<(Post, Mailbox)>,
    services: &Arc<Services>,
    live: &Arc<AtomicUsize>,
    threads: &mut Vec<JoinHandle<()>>,
) {
    for (index, (_, mailbox)) in mailboxes.into_iter().enumerate() {
        let judge = Box::new(TextJudge);
        let worker = MediaWorker::new(index, mailbox, services.clone(), judge, live.clone());
        let thread = std::thread::Builder::new().name(format!("media-{index}"));
        threads.push(thread.spawn(move || worker.run()).expect("a thread at start"));
    }
}

fn reception(routes: HashMap<String, Arc<Flow>>, settings: &Settings, version: u64) -> Reception {
    let calls_max = settings.sip.calls_max;
    let admission = admission_rules(&settings.admission);
    let named = settings.routes.iter().map(|route| route.to.clone()).filter(|to| to != "*");
    let order = named.collect();
    let settings = call_settings(settings);
    Reception { routes, order, settings, calls_max, admission, version }
}

fn admission_rules(settings: &AdmissionSettings) -> admission::Rules {
    let share = |percent: u64| percent as f32 / 100.0;
    admission::Rules {
        on: settings.on,
        busy: share(settings.busy_percent),
        late: share(settings.late_percent),
        late_after: Duration::from_millis(settings.late_ms),
        lasting: Duration::from_millis(settings.strained_ms),
        resume: share(settings.resume_percent),
        calm: Duration::from_secs(settings.calm_s),
        no_engine: (settings.no_engine_s > 0).then(|| Duration::from_secs(settings.no_engine_s)),
    }
}

fn spawn_desk(
    settings: &Settings,
    words: mpsc::UnboundedReceiver<ToDesk>,
    services: &Services,
) -> Result<watch::Receiver<serde_json::Value>, ServeError> {
    let (show, positions) = watch::channel(serde_json::Value::Null);
    let (store, figures) = (services.store.clone(), services.figures.clone());
    let (desk, tokens) = (desk_settings(settings), agent_tokens(settings));
    tokio::spawn(DeskTask::new(desk, tokens, words, store, show, figures)?.run());
    Ok(positions)
}

/// Agents' secrets, by agent.
fn agent_tokens(settings: &Settings) -> HashMap<String, String> {
    let tokens = settings
        .agents
        .iter()
        .filter_map(|agent| Some((agent.name.clone(), agent.token.as_ref()?.expose().to_owned())));
    tokens.collect()
}

fn desk_settings(settings: &Settings) -> DeskSettings {
    let agents = settings.agents.iter().map(|agent| AgentProfile {
        agent: AgentRef { name: agent.name.as_str().into(), uri: agent.uri.as_str().into() },
        skills: Vec::new(),
        queues: agent.queues.clone(),
    });
    let queues = settings.queues.iter().map(|queue| QueueRules {
        limit: Duration::from_secs(queue.wait_s),
        rounds: u32::try_from(queue.rounds).unwrap_or(u32::MAX),
        ..QueueRules::named(&queue.name)
    });
    DeskSettings { agents: agents.collect(), queues: queues.collect(), ..DeskSettings::default() }
}

/// Reads and checks every flow that a route names; the first route of a name counts.
fn load_routes(routes: &[RouteSettings]) -> Result<HashMap<String, Arc<Flow>>, ServeError> {
    let mut loaded = HashMap::new();
    for route in routes {
        let path = route.flow.clone();
        let text = std::fs::read_to_string(&path)
            .map_err(|source| ServeError::FlowUnreadable { path: path.clone(), source })?;
        let flow = Flow::parse(&text, &path.to_string_lossy(), &route.variables)
            .map_err(|faults| ServeError::FlowFaulty { path, faults })?;
        loaded.entry(route.to.clone()).or_insert_with(|| Arc::new(flow));
    }
    Ok(loaded)
}

fn endpoint_config(settings: &Settings) -> Result<EndpointConfig, ServeError> {
    let sip = &settings.sip;
    Ok(EndpointConfig {
        bind_udp: sip.listen_udp,
        bind_tcp: sip.listen_tcp,
        bind_tls: sip.listen_tls,
        tls: trunks::tls(sip),
        trunks: trunks::trunks(&settings.trunks)?,
        name_servers: sip.name_servers.clone(),
        advertised: sip.advertised,
        access: access(settings)?,
        confined: false,
        user_agent: concat!("Cordboard/", env!("CARGO_PKG_VERSION")).to_owned(),
        // RFC 3261 §13.3.1.4: the ACK is waited for 64·T1.
        t1: Duration::from_secs(sip.no_ack_s) / 64,
    })
}

/// Opens the telephone side.
async fn open_endpoint(
    settings: &Settings,
    stop: &CancellationToken,
) -> Result<(Endpoint, mpsc::Receiver<Incoming>), ServeError> {
    let (endpoint, calls) = Endpoint::bind(endpoint_config(settings)?).await?;
    endpoint.set_session_timers(session_timers(settings));
    endpoint.set_trace(settings.sip.trace);
    trunks::watch_certificate(endpoint.clone(), stop.clone());
    Ok((endpoint, calls))
}

fn session_timers(settings: &Settings) -> Limits {
    let seconds = |setting: u64| u32::try_from(setting).unwrap_or(u32::MAX);
    Limits {
        expires_s: seconds(settings.sip.session_expires_s),
        min_se_s: seconds(settings.sip.min_se_s),
    }
}

fn access(settings: &Settings) -> Result<Access, AccessError> {
    let sip = &settings.sip;
    let trusted: Vec<String> = sip.trusted.iter().map(ToString::to_string).collect();
    let destinations = sip.destinations.iter().map(String::as_str);
    let bans = BanRule {
        offences: u32::try_from(sip.bans.requests).unwrap_or(u32::MAX),
        window: Duration::from_secs(sip.bans.window_s),
        ban: Duration::from_secs(sip.bans.ban_s),
    };
    Ok(Access::new(trusted.iter().map(String::as_str), destinations)?.with_bans(bans))
}

fn media_settings(settings: &Settings, endpoint: &Endpoint) -> Result<MediaSettings, ServeError> {
    let sip = &settings.sip;
    let listen = sip.listen_udp.or(sip.listen_tcp).or(sip.listen_tls).map(|it| it.ip());
    let bind = listen.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let range = sip.rtp_ports.first..=sip.rtp_ports.last;
    let Manner { codecs, srtp, keys_may_travel } = manner(settings);
    Ok(MediaSettings {
        bind,
        // What a peer is told depends on the peer: `Services::media_towards`.
        advertised: endpoint.address_towards(addresses::elsewhere(bind)),
        ports: Ports::new(range, rand::random())?,
        codecs,
        srtp,
        keys_may_travel,
        stamps: false,
    })
}

fn manner(settings: &Settings) -> Manner {
    Manner {
        codecs: settings.media.codecs.clone(),
        srtp: settings.sip.srtp,
        keys_may_travel: settings.sip.srtp_without_tls,
    }
}

/// The addresses that are listened on, and the one that callers are told where it is the same for
/// all: where it is not, each call is told one that is there.
fn told_addresses(services: &Services, advertised: Option<IpAddr>) -> Vec<IpAddr> {
    let endpoint = &services.endpoint;
    let listening = [endpoint.local_udp(), endpoint.local_tcp(), endpoint.local_tls()];
    let listening = listening.into_iter().flatten().map(|address| address.ip());
    listening.chain([services.media_bind()]).chain(advertised).collect()
}

fn link_base(settings: &Settings, bound: SocketAddr) -> String {
    let public = settings.api.public_url.clone();
    public.unwrap_or_else(|| format!("http://{bound}"))
}

/// A mailbox for each media worker.
fn mailboxes() -> Vec<(Post, Mailbox)> {
    (0..workers()).map(|_| mailbox::mailbox()).collect()
}

fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub(crate) fn call_settings(settings: &Settings) -> CallSettings {
    let turn = &settings.turn;
    let ms = Duration::from_millis;
    let queues = settings.queues.iter().map(|queue| {
        let rules = Rules {
            ring: Duration::from_secs(settings.sip.ring_timeout_s),
            limit: Duration::from_secs(queue.wait_s),
            require_accept: queue.require_accept,
            wording: Wording { announcement: ANNOUNCEMENT.into(), ..Wording::default() },
            ..Rules::default()
        };
        (queue.name.clone(), Arc::new(rules))
    });
    CallSettings {
        turn: TurnSettings {
            voice_on: turn.speech_on,
            voice_off: turn.speech_off,
            speech_min: ms(turn.min_speech_ms),
            pause: Pauses {
                least: ms(turn.least_pause_ms),
                sure: ms(turn.sure_pause_ms),
                begun: ms(turn.begun_pause_ms),
                yes_no: ms(turn.yes_no_pause_ms),
                phrase: ms(turn.phrase_pause_ms),
                digits: ms(turn.digits_pause_ms),
                open: ms(turn.open_pause_ms),
                other: ms(turn.pause_ms),
                ..Pauses::default()
            },
            barge_in: match turn.barge_in {
                BargeInChoice::Decide => BargeIn::Decide { duck: ms(turn.duck_ms) },
                BargeInChoice::Cut => BargeIn::Cut { after: ms(turn.cut_ms) },
            },
            no_input: ms(turn.no_input_ms),
            judges_sound: engines::judges_sound(&settings.models),
            eager: turn.eager,
            cancels_echo: turn.cancel_echo,
            ..TurnSettings::default()
        },
        queues: Arc::new(queues.collect()),
        no_media_ask: Duration::from_secs(settings.sip.no_media_ask_s),
        no_media_end: Duration::from_secs(settings.sip.no_media_end_s),
        hold_end: Duration::from_secs(settings.sip.hold_end_s),
        record: settings.store.recording,
        music: usual_music(),
        tones: Tones::usual(),
    }
}
