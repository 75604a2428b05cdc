//! Settings: one TOML file, overridden by the environment, read into types or refused.
//!
//! A bad value stops the start with its name, its value and what is allowed; a name that does not
//! exist is refused too. Everything is on loopback and nothing is called unless the settings say
//! so. `cordboard.example.toml` explains each. Absent: whether files that are named are there (the
//! rooms say, when they open them).

mod admission;
mod browser;
mod environment;
mod every;
mod fault;
mod parse;
mod reach;
mod remote;
mod sections;
mod telemetry;
mod trunk;

use std::path::Path;

use figment::Figment;
use figment::providers::{Format, Toml};
use serde::Deserialize;

pub use admission::AdmissionSettings;
pub use browser::{BrowserSettings, IceServer};
use environment::Environment;
pub use fault::SettingsFault;
pub use reach::{PortRange, Token};
pub use remote::{
    LanguageForm, RecognizerForm, RemoteLanguage, RemoteRecognizer, RemoteSettings, RemoteVoice,
    VoiceForm,
};
pub use sections::{
    AgentSettings, ApiSettings, BanSettings, BargeInChoice, LogFormat, LogSettings, MediaSettings,
    MediaStreamSettings, ModelSettings, QueueSettings, RouteSettings, ShutdownSettings,
    SipSettings, StoreSettings, TurnJudgeChoice, TurnSettings, VadChoice,
};
pub use telemetry::TelemetrySettings;
pub use trunk::{Secret, SrtpChoice, TransportChoice, TrunkSettings};

/// All settings.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The telephone side.
    pub sip: SipSettings,
    /// Sound on the wire.
    pub media: MediaSettings,
    /// The carriers, the preferred first.
    #[serde(rename = "trunk")]
    pub trunks: Vec<TrunkSettings>,
    /// Calls that carriers bring over WebSockets.
    pub media_streams: MediaStreamSettings,
    /// Callers in browsers.
    pub browser: BrowserSettings,
    /// Which flow answers which address; the first that fits counts.
    #[serde(rename = "route")]
    pub routes: Vec<RouteSettings>,
    /// The human agents.
    #[serde(rename = "agent")]
    pub agents: Vec<AgentSettings>,
    /// The queues in which calls wait for agents.
    #[serde(rename = "queue")]
    pub queues: Vec<QueueSettings>,
    /// Ears and voice.
    pub models: ModelSettings,
    /// Engines over the network, before those of this machine.
    pub remote: RemoteSettings,
    /// The floor.
    pub turn: TurnSettings,
    /// What is kept.
    pub store: StoreSettings,
    /// When new calls are refused.
    pub admission: AdmissionSettings,
    /// The HTTP side.
    pub api: ApiSettings,
    /// The end.
    pub shutdown: ShutdownSettings,
    /// What is logged.
    pub log: LogSettings,
    /// Where figures and traces go.
    pub telemetry: TelemetrySettings,
}

impl Settings {
    /// Reads the file, if any, and what of `variables` begins with `CORDBOARD_`.
    ///
    /// # Errors
    /// See [`SettingsFault`].
    pub fn load(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsFault> {
        Self::checked(&sources(file, variables)?)
    }

    /// Reads a text in TOML, and what of `variables` begins with `CORDBOARD_`; a fault of its form
    /// is told as one of the file `name`.
    ///
    /// # Errors
    /// See [`SettingsFault`].
    pub fn from_text(
        text: &str,
        name: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsFault> {
        let figment = Figment::new().merge(Toml::string(text));
        figment.extract::<figment::value::Value>().map_err(|error| SettingsFault::Malformed {
            path: name.into(),
            why: error.kind.to_string(),
        })?;
        Self::checked(&figment.merge(Environment::new(variables)))
    }

    fn checked(figment: &Figment) -> Result<Self, SettingsFault> {
        let settings = Self::extract(figment)?;
        match settings.faults().into_iter().next() {
            Some(fault) => Err(fault),
            None => Ok(settings),
        }
    }

    fn extract(figment: &Figment) -> Result<Self, SettingsFault> {
        figment.extract().map_err(|error| fault::from_figment(&error, figment))
    }

    /// What one value alone cannot tell; the first fault of each kind.
    fn faults(&self) -> Vec<SettingsFault> {
        let checks = [
            self.check_floor(),
            self.check_reach(),
            self.check_tls(),
            self.check_trunks(),
            self.check_names(),
        ];
        checks.into_iter().filter_map(Result::err).collect()
    }

    fn check_floor(&self) -> Result<(), SettingsFault> {
        let TurnSettings { speech_on, speech_off, .. } = self.turn;
        refuse(
            speech_off > speech_on,
            "turn.speech_off",
            &speech_off,
            format!("at most turn.speech_on, which is {speech_on}"),
        )?;
        let SipSettings { no_media_ask_s, no_media_end_s, .. } = self.sip;
        refuse(
            no_media_end_s <= no_media_ask_s,
            "sip.no_media_end_s",
            &no_media_end_s,
            format!("more than sip.no_media_ask_s, which is {no_media_ask_s}"),
        )?;
        let SipSettings { session_expires_s, min_se_s, .. } = self.sip;
        refuse(
            session_expires_s < min_se_s,
            "sip.session_expires_s",
            &session_expires_s,
            format!("at least sip.min_se_s, which is {min_se_s}"),
        )
    }

    fn check_reach(&self) -> Result<(), SettingsFault> {
        let pairs = self.sip.rtp_ports.pairs();
        refuse(
            self.sip.calls_max > pairs,
            "sip.calls_max",
            &self.sip.calls_max,
            format!("at most {pairs}, the pairs of ports in sip.rtp_ports"),
        )?;
        let listen = self.api.listen;
        refuse(
            !listen.ip().is_loopback() && self.api.token.is_none(),
            "api.token",
            &"not set",
            format!("a token of 16 or more characters, since api.listen is {listen}, not loopback"),
        )?;
        if let Some(listen) = self.telemetry.metrics_listen {
            refuse(
                !listen.ip().is_loopback() && self.api.token.is_none(),
                "telemetry.metrics_listen",
                &listen,
                "a loopback address, or any where api.token is set".to_owned(),
            )?;
        }
        refuse(
            self.sip.listen_udp.is_none()
                && self.sip.listen_tcp.is_none()
                && self.sip.listen_tls.is_none(),
            "sip.listen_tcp",
            &"off",
            "an address, since sip.listen_udp and sip.listen_tls are off".to_owned(),
        )
    }

    fn check_tls(&self) -> Result<(), SettingsFault> {
        let SipSettings { listen_tls, tls_certificate, tls_key, .. } = &self.sip;
        let file = "a file in PEM".to_owned();
        refuse(
            listen_tls.is_some() && tls_certificate.is_none(),
            "sip.tls_certificate",
            &"not set",
            format!("{file}, since sip.listen_tls is on"),
        )?;
        refuse(
            tls_certificate.is_some() && tls_key.is_none(),
            "sip.tls_key",
            &"not set",
            format!("{file}, the key of sip.tls_certificate"),
        )
    }

    fn check_trunks(&self) -> Result<(), SettingsFault> {
        for (index, trunk) in self.trunks.iter().enumerate() {
            let setting = |name: &str| format!("trunk.{index}.{name}");
            let unset = &"not set";
            let has_secret = trunk.password.is_some() || trunk.password_file.is_some();
            refuse(
                self.trunks[..index].iter().any(|it| it.name == trunk.name),
                &setting("name"),
                &trunk.name,
                "a name that no other [[trunk]] has".to_owned(),
            )?;
            refuse(
                trunk.transport == TransportChoice::Tls && self.sip.listen_tls.is_none(),
                "sip.listen_tls",
                &"off",
                format!("an address, since trunk {:?} is spoken to over tls", trunk.name),
            )?;
            refuse(
                has_secret && trunk.username.is_none(),
                &setting("username"),
                unset,
                "the name that the password belongs to".to_owned(),
            )?;
            refuse(
                trunk.register && !has_secret,
                &setting("password_file"),
                unset,
                "a file with the password, since register is on".to_owned(),
            )?;
            refuse(
                trunk.register && trunk.from.is_empty(),
                &setting("from"),
                &"empty",
                "the networks that the trunk's calls come from, since register is on".to_owned(),
            )?;
        }
        Ok(())
    }

    fn check_names(&self) -> Result<(), SettingsFault> {
        let queues: Vec<_> = self.queues.iter().map(|queue| queue.name.as_str()).collect();
        let agents: Vec<_> = self.agents.iter().map(|agent| agent.name.as_str()).collect();
        for (section, names) in [("queue", &queues), ("agent", &agents)] {
            for (index, name) in names.iter().enumerate() {
                let setting = format!("{section}.{index}.name");
                let allowed = format!("a name that no other [[{section}]] has");
                refuse(names[..index].contains(name), &setting, name, allowed)?;
            }
        }
        for (index, agent) in self.agents.iter().enumerate() {
            for queue in &agent.queues {
                let setting = format!("agent.{index}.queues");
                let allowed = match queues.as_slice() {
                    [] => format!("the name of a [[queue]]; add one with name = {queue:?}"),
                    queues => format!("the name of a [[queue]]; {}", fault::remedy(queue, queues)),
                };
                refuse(!queues.contains(&queue.as_str()), &setting, queue, allowed)?;
            }
        }
        Ok(())
    }
}

/// The file, if any, and what of `variables` begins with `CORDBOARD_`.
fn sources(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Figment, SettingsFault> {
    let mut figment = Figment::new();
    if let Some(path) = file {
        let unreadable = |source| SettingsFault::Unreadable { path: path.to_owned(), source };
        std::fs::read_to_string(path).map_err(unreadable)?;
        figment = figment.merge(Toml::file_exact(path));
        // Read alone first, so that a syntax error is not taken for a bad value.
        figment.extract::<figment::value::Value>().map_err(|error| SettingsFault::Malformed {
            path: path.to_owned(),
            why: error.kind.to_string(),
        })?;
    }
    Ok(figment.merge(Environment::new(variables)))
}

fn refuse(
    is_bad: bool,
    name: &str,
    value: &impl std::fmt::Display,
    allowed: String,
) -> Result<(), SettingsFault> {
    if !is_bad {
        return Ok(());
    }
    let (name, value) = (name.to_owned(), value.to_string());
    Err(SettingsFault::Value { name, value, place: "all sources together".to_owned(), allowed })
}

#[cfg(test)]
mod tests;
