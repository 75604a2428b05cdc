//! Other settings while calls go on: all of them are taken, or none.
//!
//! Everything that can fail is made before anything is changed: the flows are read and checked,
//! what they expect to hear is known, their prompts are spoken, the desk's settings make sense, the
//! files of TLS can be read. Calls under way keep the flow and the settings that they began with;
//! a leg that they dial afterwards speaks as the new ones want it.
//! Absent: what needs another socket, folder or engine, and the trunks, which stay those of the
//! start with their registrations; it is named, and waits for a restart.

use std::collections::HashMap;
use std::sync::Arc;

use cordboard_sip::access::Access;
use cordboard_sip::session_timer::Limits;

use super::intake::Reception;
use super::services::{Manner, PromptCache, ToDesk};
use super::{
    ServeError, Service, access, agent_tokens, desk_settings, engines, load_routes, manner,
    reception, session_timers, trunks,
};
use crate::conversation::Flow;
use crate::desk::DeskSettings;
use crate::settings::{LogSettings, Settings, SipSettings};

/// What a reload did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// Which settings calls meet now, from 1 at the start.
    pub version: u64,
    /// The flows that calls meet now: address, name and version.
    pub flows: Vec<(String, String, String)>,
    /// What differs in the file and waits for a restart.
    pub needs_restart: Vec<String>,
}

impl Service {
    /// Takes other settings, or leaves all as it was.
    ///
    /// # Errors
    /// [`ServeError`], whose text says what to do; the old settings serve on.
    pub async fn reload(&mut self, settings: Settings) -> Result<Reloaded, ServeError> {
        let prepared = self.prepare(&settings).await;
        let result = if prepared.is_ok() { "taken" } else { "refused" };
        self.services.figures.reloads.count(result);
        let (taken, prompts) = prepared?;

        let Taken { access, timers, trace, manner, desk, tokens, reception } = taken;
        let (version, flows) = (reception.version, flows_of(&reception.routes));
        self.services.prompts.extend(prompts);
        self.services.endpoint.set_access(&access);
        self.services.endpoint.set_session_timers(timers);
        self.services.endpoint.set_trace(trace);
        self.services.set_manner(manner);
        self.services.desk(ToDesk::Reconfigured { settings: desk, tokens });
        self.intake.set_reception(reception);
        let needs_restart = differing(&self.settings, &settings);
        Ok(Reloaded { version, flows, needs_restart })
    }

    /// Counts a reload whose settings could not even be read.
    pub fn note_refused_reload(&self) {
        self.services.figures.reloads.count("refused");
    }

    async fn prepare(&self, settings: &Settings) -> Result<(Taken, PromptCache), ServeError> {
        let routes = load_routes(&settings.routes)?;
        desk_settings(settings).check()?;
        let version = self.intake.reception().version + 1;
        let taken = Taken::of(settings, routes.clone(), version)?;
        // The engines that run are those of the start.
        let (models, remote) = (self.settings.models.clone(), self.settings.remote.clone());
        let prepare = move || engines::prepare(&models, &remote, routes.values());
        let prompts = tokio::task::spawn_blocking(prepare).await;
        let prompts = prompts.unwrap_or(Err(ServeError::Preparation))?;
        // The last that can fail: what it has read serves at once.
        self.services.endpoint.reload_tls()?;
        Ok((taken, prompts))
    }
}

fn flows_of(routes: &HashMap<String, Arc<Flow>>) -> Vec<(String, String, String)> {
    let flows = routes
        .iter()
        .map(|(to, flow)| (to.clone(), flow.name().to_owned(), flow.version().to_owned()));
    let mut flows: Vec<_> = flows.collect();
    flows.sort();
    flows
}

/// What is taken while calls go on; all of it is made of the settings before any of it is taken.
#[derive(Debug)]
struct Taken {
    access: Access,
    timers: Limits,
    trace: bool,
    manner: Manner,
    desk: DeskSettings,
    tokens: HashMap<String, String>,
    reception: Reception,
}

impl Taken {
    fn of(
        settings: &Settings,
        routes: HashMap<String, Arc<Flow>>,
        version: u64,
    ) -> Result<Self, ServeError> {
        Ok(Self {
            access: access(settings)?,
            timers: session_timers(settings),
            trace: settings.sip.trace,
            manner: manner(settings),
            desk: desk_settings(settings),
            tokens: agent_tokens(settings),
            reception: reception(routes, settings, version),
        })
    }
}

/// Names what a restart alone changes. Every setting is named here, so that none is forgotten: one
/// that is taken ([`Taken`]) by `_`.
fn differing(running: &Settings, wanted: &Settings) -> Vec<String> {
    let Settings {
        sip,
        media: _,
        trunks,
        media_streams,
        browser,
        routes: _,
        agents: _,
        queues: _,
        models,
        remote,
        turn: _,
        store,
        admission: _,
        api,
        shutdown,
        log: LogSettings { filter: _, format },
        telemetry,
    } = running;
    let mut named = differing_sip(sip, &wanted.sip);
    named.extend([
        ("trunk", *trunks != wanted.trunks),
        ("media_streams", *media_streams != wanted.media_streams),
        ("browser", *browser != wanted.browser),
        ("models", *models != wanted.models),
        ("remote", *remote != wanted.remote),
        ("store", *store != wanted.store),
        ("api", *api != wanted.api),
        ("shutdown", *shutdown != wanted.shutdown),
        ("log.format", *format != wanted.log.format),
        ("telemetry", *telemetry != wanted.telemetry),
    ]);
    named.iter().filter(|(_, differs)| *differs).map(|(name, _)| (*name).to_owned()).collect()
}

fn differing_sip(now: &SipSettings, then: &SipSettings) -> Vec<(&'static str, bool)> {
    let SipSettings {
        listen_udp,
        listen_tcp,
        listen_tls,
        tls_certificate: _,
        tls_key: _,
        tls_ca: _,
        tls_client_ca: _,
        name_servers,
        advertised,
        trusted: _,
        destinations: _,
        rtp_ports,
        srtp: _,
        srtp_without_tls: _,
        ring_timeout_s: _,
        no_ack_s,
        no_media_ask_s: _,
        no_media_end_s: _,
        hold_end_s: _,
        session_expires_s: _,
        min_se_s: _,
        trace: _,
        calls_max: _,
        bans,
    } = now;
    vec![
        ("sip.listen_udp", *listen_udp != then.listen_udp),
        ("sip.listen_tcp", *listen_tcp != then.listen_tcp),
        ("sip.listen_tls", *listen_tls != then.listen_tls),
        ("sip.tls_*", trunks::tls(now) != trunks::tls(then)),
        ("sip.name_servers", *name_servers != then.name_servers),
        ("sip.advertised", *advertised != then.advertised),
        ("sip.rtp_ports", *rtp_ports != then.rtp_ports),
        ("sip.no_ack_s", *no_ack_s != then.no_ack_s),
        // The door has kept its rule, and whom it has banned by it, since the start.
        ("sip.bans", *bans != then.bans),
    ]
}

#[cfg(test)]
mod tests;
