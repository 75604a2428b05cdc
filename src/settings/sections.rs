//! The sections of the settings, each with its defaults.
//!
//! Each room is given what is its own; nobody gets all of them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use cordboard_sip::negotiation::AudioCodec;
use cordboard_sip::srtp::SrtpPolicy;
use ipnet::{IpNet, Ipv4Net};
use serde::Deserialize;

use super::parse;
use super::reach::{PortRange, Token};

const SIP_PORT: u16 = 5060;
const HTTP_PORT: u16 = 8080;

/// `[sip]`: the telephone side.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SipSettings {
    /// Where UDP is listened on; none is off.
    #[serde(deserialize_with = "parse::listen")]
    pub listen_udp: Option<SocketAddr>,
    /// Where TCP is listened on; none is off.
    #[serde(deserialize_with = "parse::listen")]
    pub listen_tcp: Option<SocketAddr>,
    /// Where TLS is listened on; none is off.
    #[serde(deserialize_with = "parse::listen")]
    pub listen_tls: Option<SocketAddr>,
    /// Our certificate, with those between it and its root, in PEM.
    pub tls_certificate: Option<PathBuf>,
    /// Its key, in PEM.
    pub tls_key: Option<PathBuf>,
    /// Roots that are believed beside those of the web, in PEM.
    pub tls_ca: Option<PathBuf>,
    /// Roots of the certificates that callers must show, in PEM; none is asked for by default.
    pub tls_client_ca: Option<PathBuf>,
    /// Name servers that are asked for trunks; none is those of the system.
    pub name_servers: Vec<SocketAddr>,
    /// The address that others shall use, behind NAT.
    pub advertised: Option<IpAddr>,
    /// Networks that may call in.
    #[serde(deserialize_with = "parse::networks")]
    pub trusted: Vec<IpNet>,
    /// Places that may be called; none by default.
    #[serde(deserialize_with = "parse::destinations")]
    pub destinations: Vec<String>,
    /// Ports of the media.
    pub rtp_ports: PortRange,
    /// Whether media is secured.
    #[serde(deserialize_with = "parse::srtp")]
    pub srtp: SrtpPolicy,
    /// Whether keys may travel in signalling that is not encrypted.
    pub srtp_without_tls: bool,
    /// How long an agent's phone rings.
    #[serde(deserialize_with = "parse::within::<_, 1, 300>")]
    pub ring_timeout_s: u64,
    /// Without an ACK for so long, a call ends (RFC 3261 §13.3.1.4: 64 T1).
    #[serde(deserialize_with = "parse::within::<_, 1, 300>")]
    pub no_ack_s: u64,
    /// Without media for so long, the caller is asked.
    #[serde(deserialize_with = "parse::within::<_, 1, 3600>")]
    pub no_media_ask_s: u64,
    /// Without media for so long, the call ends.
    #[serde(deserialize_with = "parse::within::<_, 2, 7200>")]
    pub no_media_end_s: u64,
    /// A far end that holds us for so long is hung up, and one that has announced its silence and
    /// from which nothing has come since.
    #[serde(deserialize_with = "parse::within::<_, 10, 86_400>")]
    pub hold_end_s: u64,
    /// The session interval that is proposed, and the longest granted (RFC 4028).
    #[serde(deserialize_with = "parse::within::<_, 90, 86_400>")]
    pub session_expires_s: u64,
    /// The shortest session interval that is granted.
    #[serde(deserialize_with = "parse::within::<_, 90, 86_400>")]
    pub min_se_s: u64,
    /// Whether timelines show the signalling messages.
    pub trace: bool,
    /// Calls at a time; one more is answered 503.
    #[serde(deserialize_with = "parse::count::<_, 1, 30_000>")]
    pub calls_max: usize,
    /// When strangers are no longer listened to.
    pub bans: BanSettings,
}

/// `[sip.bans]`: who sends so many requests that are refused in so short a time is banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BanSettings {
    /// Refused requests of one source.
    #[serde(deserialize_with = "parse::within::<_, 1, 1_000_000>")]
    pub requests: u64,
    /// In this time.
    #[serde(deserialize_with = "parse::within::<_, 1, 3600>")]
    pub window_s: u64,
    /// How long it is banned.
    #[serde(deserialize_with = "parse::within::<_, 1, 604_800>")]
    pub ban_s: u64,
}

impl Default for BanSettings {
    fn default() -> Self {
        Self { requests: 100, window_s: 2, ban_s: 300 }
    }
}

impl Default for SipSettings {
    fn default() -> Self {
        let listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, SIP_PORT)));
        Self {
            listen_udp: listen,
            listen_tcp: listen,
            listen_tls: None,
            tls_certificate: None,
            tls_key: None,
            tls_ca: None,
            tls_client_ca: None,
            name_servers: Vec::new(),
            advertised: None,
            trusted: vec![Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8).into()],
            destinations: Vec::new(),
            rtp_ports: PortRange { first: 20_000, last: 21_999 },
            srtp: SrtpPolicy::None,
            srtp_without_tls: false,
            ring_timeout_s: 20,
            no_ack_s: 32,
            no_media_ask_s: 10,
            no_media_end_s: 30,
            hold_end_s: 900,
            session_expires_s: 1_800,
            min_se_s: 90,
            trace: true,
            calls_max: 500,
            bans: BanSettings::default(),
        }
    }
}

/// `[media]`: sound on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MediaSettings {
    /// Codecs that are spoken, in the order in which they are offered.
    #[serde(deserialize_with = "parse::codecs")]
    pub codecs: Vec<AudioCodec>,
}

impl Default for MediaSettings {
    fn default() -> Self {
        Self { codecs: AudioCodec::ALL.to_vec() }
    }
}

/// `[media_streams]`: calls that carriers bring over WebSockets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MediaStreamSettings {
    /// What a carrier must show; without it no stream is taken.
    pub token: Option<Token>,
    /// What a carrier must have signed its requests with as well, where it is set.
    pub signing_key: Option<Token>,
}

/// `[[route]]`: which flow answers an address.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteSettings {
    /// User part of the dialled address, or `*`.
    #[serde(deserialize_with = "parse::name")]
    pub to: String,
    /// File of the flow.
    pub flow: PathBuf,
    /// Values that the flow's templates may use.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
}

/// `[[agent]]`: a human with a phone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentSettings {
    /// The agent's name.
    #[serde(deserialize_with = "parse::name")]
    pub name: String,
    /// The phone.
    #[serde(deserialize_with = "parse::sip_uri")]
    pub uri: String,
    /// What the agent's software shows to fetch the context packets offered to this agent.
    #[serde(default)]
    pub token: Option<Token>,
    /// Queues that the agent takes calls from.
    pub queues: Vec<String>,
}

/// `[[queue]]`: where calls wait for agents.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueSettings {
    /// Its name, as flows have it.
    #[serde(deserialize_with = "parse::name")]
    pub name: String,
    /// How long a call waits at most.
    #[serde(default = "QueueSettings::wait_s", deserialize_with = "parse::within::<_, 1, 86_400>")]
    pub wait_s: u64,
    /// Whether the agent must accept by a key after the brief.
    #[serde(default = "QueueSettings::require_accept")]
    pub require_accept: bool,
    /// How often all agents are tried.
    #[serde(default = "QueueSettings::rounds", deserialize_with = "parse::count::<_, 1, 100>")]
    pub rounds: usize,
}

impl QueueSettings {
    const fn wait_s() -> u64 {
        120
    }

    const fn require_accept() -> bool {
        true
    }

    const fn rounds() -> usize {
        2
    }
}

/// Which judge of speech is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VadChoice {
    /// Silero where its weights are, else earshot.
    #[default]
    Auto,
    /// Silero; no start without its weights.
    Silero,
    /// Earshot.
    Earshot,
}

/// Which judge hears whether a turn is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnJudgeChoice {
    /// Smart Turn where its weights are, else none.
    #[default]
    Auto,
    /// Smart Turn; no start without its weights.
    SmartTurn,
    /// None: the words and the pause decide.
    None,
}

/// `[models]`: ears and voice.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelSettings {
    /// Which judge of speech.
    pub vad: VadChoice,
    /// Silero's weights.
    pub silero_weights: PathBuf,
    /// Which recognizer: "auto" (the best whose weights are there), "pocketsphinx", "whisper", or
    /// "stub", which measures everything but recognition.
    #[serde(deserialize_with = "parse::name")]
    pub recognizer: String,
    /// What "stub" hears in whatever is said.
    #[serde(deserialize_with = "parse::name")]
    pub stub_hears: String,
    /// Whisper's model, a ggml file.
    pub whisper_model: PathBuf,
    /// Threads of one of Whisper's decodes.
    #[serde(deserialize_with = "parse::count::<_, 1, 64>")]
    pub whisper_threads: usize,
    /// A decode of Whisper's that takes longer is given up.
    #[serde(deserialize_with = "parse::within::<_, 100, 60_000>")]
    pub whisper_decode_max_ms: u64,
    /// Which judge hears whether a turn is over.
    pub turn_judge: TurnJudgeChoice,
    /// How much of one core's time it may use, on the average.
    #[serde(deserialize_with = "parse::within::<_, 1, 6_400>")]
    pub turn_judge_percent: u64,
    /// Smart Turn's weights.
    pub smart_turn_weights: PathBuf,
    /// PocketSphinx's acoustic model.
    pub acoustic_model: PathBuf,
    /// PocketSphinx's dictionary.
    pub dictionary: PathBuf,
    /// PocketSphinx's language model, for open speech.
    pub language_model: PathBuf,
    /// Which synthesizer: "auto" (the best whose files are there), "flite", "piper", or "stub",
    /// which measures everything but the voice.
    #[serde(deserialize_with = "parse::name")]
    pub voice_engine: String,
    /// Which of flite's voices.
    #[serde(deserialize_with = "parse::name")]
    pub voice: String,
    /// A Piper voice's model, an ONNX file with its description beside it.
    pub piper_voice: PathBuf,
    /// Recognizers that work at a time.
    #[serde(deserialize_with = "parse::count::<_, 1, 1024>")]
    pub recognizers: usize,
    /// Synthesizers that work at a time.
    #[serde(deserialize_with = "parse::count::<_, 1, 256>")]
    pub synthesizers: usize,
}

impl Default for ModelSettings {
    fn default() -> Self {
        let folder = PathBuf::from("/usr/share/pocketsphinx/model/en-us");
        Self {
            vad: VadChoice::Auto,
            silero_weights: PathBuf::from("models/weights/silero_vad.onnx"),
            recognizer: "auto".to_owned(),
            stub_hears: "help".to_owned(),
            whisper_model: PathBuf::from("models/weights/ggml-tiny.en.bin"),
            whisper_threads: 1,
            whisper_decode_max_ms: 3_000,
            turn_judge: TurnJudgeChoice::Auto,
            turn_judge_percent: 25,
            smart_turn_weights: PathBuf::from("models/weights/smart-turn-v3.2-cpu.onnx"),
            acoustic_model: folder.join("en-us"),
            dictionary: folder.join("cmudict-en-us.dict"),
            language_model: folder.join("en-us.lm.bin"),
            voice_engine: "auto".to_owned(),
            voice: "slt".to_owned(),
            piper_voice: PathBuf::from("models/weights/en_US-joe-medium.onnx"),
            recognizers: 4,
            synthesizers: 2,
        }
    }
}

/// `[turn]`: the floor.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TurnSettings {
    /// Pause that ends a turn which sounds as if it were over.
    #[serde(deserialize_with = "parse::within::<_, 60, 10_000>")]
    pub least_pause_ms: u64,
    /// Pause that ends a turn whose words are enough.
    #[serde(deserialize_with = "parse::within::<_, 60, 10_000>")]
    pub sure_pause_ms: u64,
    /// Pause that ends a turn whose words are not: the longest.
    #[serde(deserialize_with = "parse::within::<_, 100, 10_000>")]
    pub begun_pause_ms: u64,
    /// Pause that ends a turn where nothing particular is expected.
    #[serde(deserialize_with = "parse::within::<_, 100, 10_000>")]
    pub pause_ms: u64,
    /// Pause that ends a turn of digits.
    #[serde(deserialize_with = "parse::within::<_, 100, 10_000>")]
    pub digits_pause_ms: u64,
    /// Pause that ends a turn of yes or no.
    #[serde(deserialize_with = "parse::within::<_, 100, 10_000>")]
    pub yes_no_pause_ms: u64,
    /// Pause that ends a turn of a known phrase.
    #[serde(deserialize_with = "parse::within::<_, 100, 10_000>")]
    pub phrase_pause_ms: u64,
    /// Pause that ends a turn of open speech.
    #[serde(deserialize_with = "parse::within::<_, 100, 10_000>")]
    pub open_pause_ms: u64,
    /// Silence after a question from which the caller owes an answer.
    #[serde(deserialize_with = "parse::within::<_, 500, 60_000>")]
    pub no_input_ms: u64,
    /// Probability of speech from which it has begun.
    #[serde(deserialize_with = "parse::share")]
    pub speech_on: f32,
    /// Probability of speech below which it has paused.
    #[serde(deserialize_with = "parse::share")]
    pub speech_off: f32,
    /// Sound shorter than this is no speech.
    #[serde(deserialize_with = "parse::within::<_, 0, 2_000>")]
    pub min_speech_ms: u64,
    /// What speech over the assistant does.
    pub barge_in: BargeInChoice,
    /// Speech over the assistant after which its voice is lowered, where it is decided what it is.
    #[serde(deserialize_with = "parse::within::<_, 20, 2_000>")]
    pub duck_ms: u64,
    /// Speech over the assistant after which it stops, where nothing is decided.
    #[serde(deserialize_with = "parse::within::<_, 20, 2_000>")]
    pub cut_ms: u64,
    /// Whether the answer is begun while the end of the caller's turn is only likely.
    pub eager: bool,
    /// Whether the assistant's own voice is taken out where it comes back from the caller's side.
    pub cancel_echo: bool,
}

/// What speech over the assistant does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BargeInChoice {
    /// It lowers the assistant's voice, and stops it where it wants the floor.
    #[default]
    Decide,
    /// It stops the assistant, whatever it is.
    Cut,
}

impl Default for TurnSettings {
    fn default() -> Self {
        Self {
            least_pause_ms: 120,
            sure_pause_ms: 300,
            begun_pause_ms: 2_500,
            pause_ms: 700,
            digits_pause_ms: 1_200,
            yes_no_pause_ms: 350,
            phrase_pause_ms: 600,
            open_pause_ms: 900,
            no_input_ms: 5_000,
            speech_on: 0.5,
            speech_off: 0.35,
            min_speech_ms: 100,
            barge_in: BargeInChoice::Decide,
            duck_ms: 40,
            cut_ms: 20,
            eager: true,
            cancel_echo: true,
        }
    }
}

/// `[store]`: what is kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    /// The folder of everything that is kept.
    pub folder: PathBuf,
    /// Whether calls are recorded; the flow announces it.
    pub recording: bool,
    /// Whether the inputs of calls are kept for exact replay.
    pub keep_inputs: bool,
    /// How many segments of the spool (64 MiB each) are kept after their projection.
    #[serde(deserialize_with = "parse::count::<_, 0, 100_000>")]
    pub retain_segments: usize,
    /// After how many days the timelines of calls are deleted; 0 is never.
    #[serde(deserialize_with = "parse::within::<_, 0, 36_500>")]
    pub keep_timelines_days: u64,
    /// After how many days recordings are deleted; 0 is never.
    #[serde(deserialize_with = "parse::within::<_, 0, 36_500>")]
    pub keep_recordings_days: u64,
    /// After how many days the inputs of calls are deleted; 0 is never.
    #[serde(deserialize_with = "parse::within::<_, 0, 36_500>")]
    pub keep_inputs_days: u64,
}

impl Default for StoreSettings {
    fn default() -> Self {
        let folder = PathBuf::from("data");
        Self {
            folder,
            recording: false,
            keep_inputs: false,
            retain_segments: 16,
            keep_timelines_days: 0,
            keep_recordings_days: 0,
            keep_inputs_days: 0,
        }
    }
}

/// `[api]`: the HTTP side.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What an asker must show; required unless `listen` is loopback.
    pub token: Option<Token>,
    /// How others reach it, for links; none is `listen`.
    #[serde(deserialize_with = "parse::http_url")]
    pub public_url: Option<String>,
}

impl ApiSettings {
    /// The begin of every link, without a slash at its end.
    #[must_use]
    pub fn link_base(&self) -> String {
        self.public_url.clone().unwrap_or_else(|| format!("http://{}", self.listen))
    }
}

impl Default for ApiSettings {
    fn default() -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, HTTP_PORT));
        Self { listen, token: None, public_url: None }
    }
}

/// `[shutdown]`: the end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShutdownSettings {
    /// How long calls may go on after SIGTERM.
    #[serde(deserialize_with = "parse::within::<_, 0, 86_400>")]
    pub drain_s: u64,
}

impl Default for ShutdownSettings {
    fn default() -> Self {
        Self { drain_s: 3_600 }
    }
}

/// `[log]`: what is logged.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// Directives as in `RUST_LOG`: "info,cordboard=debug".
    #[serde(deserialize_with = "parse::text")]
    pub filter: String,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For humans.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: LogFormat::Text }
    }
}
