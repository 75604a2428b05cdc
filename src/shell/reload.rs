//! Other settings while calls go on: all of them are taken, or none.
//!
//! Everything that can fail is made before anything is changed: the flows are read and checked,
//! what they expect to hear is known, their prompts are spoken, the desk's settings make sense, the
//! files of TLS can be read. Calls under way keep the flow and the settings that they began with.
//! Absent: what needs another socket, folder or engine, and the trunks, which stay those of the
//! start with their registrations; it is named, and waits for a restart.

use std::collections::HashMap;
use std::sync::Arc;

use cordboard_sip::access::Access;

use super::services::ToDesk;
use super::{
    ServeError, Service, agent_tokens, desk_settings, engines, load_routes, reception, trunks,
};
use crate::conversation::Flow;
use crate::settings::Settings;

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
        let (routes, prompts, access) = prepared?;

        let version = self.intake.reception().version + 1;
        let flows = flows_of(&routes);
        self.services.prompts.extend(prompts);
        self.services.endpoint.set_access(&access);
        self.services.desk(ToDesk::Reconfigured {
            settings: desk_settings(&settings),
            tokens: agent_tokens(&settings),
        });
        self.intake.set_reception(reception(routes, &settings, version));
        let needs_restart = differing(&self.settings, &settings);
        Ok(Reloaded { version, flows, needs_restart })
    }

    /// Counts a reload whose settings could not even be read.
    pub fn note_refused_reload(&self) {
        self.services.figures.reloads.count("refused");
    }

    async fn prepare(
        &self,
        settings: &Settings,
    ) -> Result<(HashMap<String, Arc<Flow>>, super::services::PromptCache, Access), ServeError>
    {
        let routes = load_routes(&settings.routes)?;
        desk_settings(settings).check()?;
        let access = super::access(settings)?;
        // The engines that run are those of the start.
        let (models, remote) = (self.settings.models.clone(), self.settings.remote.clone());
        let flows = routes.clone();
        let prepare = move || engines::prepare(&models, &remote, flows.values());
        let prompts = tokio::task::spawn_blocking(prepare).await;
        let prompts = prompts.unwrap_or(Err(ServeError::Preparation))?;
        // The last that can fail: what it has read serves at once.
        self.services.endpoint.reload_tls()?;
        Ok((routes, prompts, access))
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

/// Names what a restart alone changes.
fn differing(running: &Settings, wanted: &Settings) -> Vec<String> {
    let (now, then) = (&running.sip, &wanted.sip);
    let named = [
        ("sip.listen_udp", now.listen_udp != then.listen_udp),
        ("sip.listen_tcp", now.listen_tcp != then.listen_tcp),
        ("sip.listen_tls", now.listen_tls != then.listen_tls),
        ("sip.tls_*", trunks::tls(now) != trunks::tls(then)),
        ("sip.name_servers", now.name_servers != then.name_servers),
        ("trunk", running.trunks != wanted.trunks),
        ("sip.advertised", now.advertised != then.advertised),
        ("sip.rtp_ports", now.rtp_ports != then.rtp_ports),
        ("sip.no_ack_s", now.no_ack_s != then.no_ack_s),
        ("models", running.models != wanted.models),
        ("store", running.store != wanted.store),
        ("api", running.api != wanted.api),
        ("shutdown", running.shutdown != wanted.shutdown),
        ("log.format", running.log.format != wanted.log.format),
        ("telemetry", running.telemetry != wanted.telemetry),
    ];
    named.iter().filter(|(_, differs)| *differs).map(|(name, _)| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_restart_alone_changes_is_named_and_nothing_else() {
        let running = Settings::default();
        let mut wanted = running.clone();
        wanted.sip.calls_max = 7;
        wanted.sip.trusted = Vec::new();
        wanted.turn.no_input_ms = 9_000;
        wanted.log.filter = "debug".to_owned();
        assert_eq!(differing(&running, &wanted), [""; 0]);
        wanted.sip.listen_udp = None;
        wanted.store.recording = true;
        wanted.sip.tls_key = Some("another.key".into());
        assert_eq!(differing(&running, &wanted), ["sip.listen_udp", "sip.tls_*", "store"]);
    }
}
