//! The page at `/metrics`: the figures, and how things stand at the moment of asking.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tokio::sync::watch;

use super::exposition::Page;
use super::figures::Figures;
use super::process;
use crate::clock;
use crate::shell::intake::Intake;
use crate::shell::services::Services;
use crate::store::StoreHealth;

/// What is asked when the page is.
pub(crate) struct Scrape {
    pub(crate) figures: Arc<Figures>,
    pub(crate) services: Arc<Services>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) live: Arc<AtomicUsize>,
    pub(crate) positions: watch::Receiver<Value>,
    pub(crate) began_unix_ms: u64,
}

impl Scrape {
    /// The page.
    pub(crate) fn page(&self) -> String {
        let mut page = Page::default();
        self.write_service(&mut page);
        self.figures.write(&mut page);
        self.write_sip(&mut page);
        self.write_trunks(&mut page);
        self.write_desk(&mut page);
        write_store(&mut page, &self.services.store.health());
        self.write_inference(&mut page);
        process::write(&mut page);
        page.finish()
    }

    fn write_service(&self, page: &mut Page) {
        let name = "cordboard_build_info";
        page.family(name, "gauge", "The version that runs.");
        page.sample(name, &[("version", env!("CARGO_PKG_VERSION"))], 1);
        let began_s = self.began_unix_ms as f64 / 1e3;
        page.gauge("process_start_time_seconds", "When it began, since 1970 UTC.", began_s);
        let now_s = clock::wall_unix_ms() as f64 / 1e3;
        page.gauge("cordboard_wall_time_seconds", "The service's own wall time.", now_s);
        let live = self.live.load(Ordering::Acquire);
        page.gauge("cordboard_calls_active", "Calls at present.", live);
        let reception = self.intake.reception();
        let most = reception.calls_max;
        page.gauge("cordboard_calls_max", "Calls that may be at a time.", most);
        let draining = u8::from(self.intake.is_draining());
        page.gauge("cordboard_draining", "1 where no new calls are taken.", draining);
        let stranded = u8::from(self.intake.is_stranded());
        let help = "1 where an address that callers are told is not this machine's any more.";
        page.gauge("cordboard_address_lost", help, stranded);
        let strained = u8::from(self.intake.strain().is_some());
        let help = "1 where no new calls are taken for want of time or engines.";
        page.gauge("cordboard_admission_shut", help, strained);
        let version = reception.version;
        page.gauge("cordboard_settings_version", "How often settings were taken.", version);
    }

    fn write_sip(&self, page: &mut Page) {
        let sip = self.services.endpoint.counters();
        let now = [
            ("cordboard_sip_dialogs", "Legs that ring, talk or are ending.", sip.dialogs),
            ("cordboard_sip_transactions", "Transactions under way.", sip.transactions),
            (
                "cordboard_sip_finished_transactions",
                "Transactions kept for retransmissions.",
                sip.finished_transactions,
            ),
            ("cordboard_sip_waiting_ack", "Answers that wait for their ACK.", sip.waiting_ack),
            ("cordboard_sip_connections", "Connections.", sip.connections),
        ];
        for (name, help, value) in now {
            page.gauge(name, help, value);
        }
        let name = "cordboard_sip_requests_refused_total";
        page.family(name, "counter", "What was turned away, by why.");
        for (why, value) in [
            ("untrusted", sip.untrusted),
            ("scanner", sip.scanners),
            ("malformed", sip.malformed),
            ("no_room", sip.refused),
            ("banned", sip.banned),
            ("shed", sip.shed),
        ] {
            page.sample(name, &[("why", why)], value);
        }
        let help = "Sources that are banned at present.";
        page.gauge("cordboard_sip_banned_sources", help, sip.bans);
    }

    fn write_trunks(&self, page: &mut Page) {
        let trunks = self.services.endpoint.trunks();
        let up = "cordboard_trunk_up";
        page.family(up, "gauge", "1 where a place of the trunk answers, and knows us if it shall.");
        for trunk in &trunks {
            page.sample(up, &[("trunk", &trunk.name)], u8::from(trunk.is_up()));
        }
        let calls = "cordboard_trunk_calls";
        page.family(calls, "gauge", "Calls at present, by trunk.");
        for trunk in &trunks {
            page.sample(calls, &[("trunk", &trunk.name)], trunk.calls);
        }
        let full = "cordboard_trunk_full_total";
        page.family(full, "counter", "Calls that found no room on the trunk (calls_max).");
        for trunk in &trunks {
            page.sample(full, &[("trunk", &trunk.name)], trunk.full);
        }
        if let Some(expiry) = self.services.endpoint.certificate_expiry_unix_s() {
            let name = "cordboard_certificate_expiry_seconds";
            page.gauge(name, "When our certificate for SIP over TLS ends, since 1970 UTC.", expiry);
        }
    }

    fn write_desk(&self, page: &mut Page) {
        let positions = self.positions.borrow().clone();
        let list = |key: &str| positions[key].as_array().cloned().unwrap_or_default();
        let name = "cordboard_agents";
        page.family(name, "gauge", "Agents, by what they do.");
        let agents = list("agents");
        for state in ["free", "offered", "talking", "resting"] {
            let count = agents.iter().filter(|agent| agent["state"] == state).count();
            page.sample(name, &[("state", state)], count);
        }
        let paused = agents.iter().filter(|agent| agent["paused"] == true).count();
        page.gauge("cordboard_agents_paused", "Agents that take no calls for a while.", paused);
        let name = "cordboard_queue_calls";
        page.family(name, "gauge", "Calls that wait for an agent, by queue.");
        for queue in list("queues") {
            let queue_name = queue["name"].as_str().unwrap_or_default();
            let waiting = queue["waiting"].as_u64().unwrap_or_default();
            page.sample(name, &[("queue", queue_name)], waiting);
        }
    }

    fn write_inference(&self, page: &mut Page) {
        let (busy, all) = self.services.ears.busy();
        let name = "cordboard_recognizers";
        page.family(name, "gauge", "Recognizers, by whether they are taken.");
        page.sample(name, &[("state", "busy")], busy);
        page.sample(name, &[("state", "free")], all - busy);
        let waiting = self.services.voices.waiting();
        page.gauge("cordboard_synthesis_queue", "Prompts and questions that wait.", waiting);
        let under_way = self.services.answers.under_way();
        page.gauge("cordboard_answers", "Answers that language models are at.", under_way);
    }
}

fn write_store(page: &mut Page, store: &StoreHealth) {
    let failing = u8::from(store.disk_failing);
    page.gauge("cordboard_store_disk_failing", "1 where the disk takes no entries.", failing);
    let failing = u8::from(store.media_failing);
    let help = "1 where recordings and inputs cannot be written.";
    page.gauge("cordboard_store_media_failing", help, failing);
    let away = u8::from(store.database_fault.is_some());
    page.gauge("cordboard_store_database_failing", "1 where the database takes none.", away);
    let lag = store.lag_bytes;
    page.gauge("cordboard_store_spool_lag_bytes", "Spool that the database does not have.", lag);
    page.gauge("cordboard_store_queue", "Messages that wait for the writing thread.", store.queued);
    let bytes = store.unwritten_bytes;
    page.gauge("cordboard_store_unwritten_bytes", "Bytes that wait for the disk.", bytes);
    for (name, help, value) in [
        ("disk_failures", "Writes and syncs that went wrong.", store.disk_failures),
        ("entries_dropped", "Entries that were lost.", store.entries_dropped),
        (
            "media_failures",
            "Recordings and inputs that could not be written.",
            store.media_failures,
        ),
        ("damaged", "Damaged stretches of the spool.", store.damaged),
        ("unknown", "Records of an unknown form.", store.unknown),
    ] {
        page.total(&format!("cordboard_store_{name}_total"), help, value);
    }
    let broken_off = store.broken_off;
    let help = "Calls that the last process left in the middle.";
    page.gauge("cordboard_calls_broken_off", help, broken_off);
}
