//! Each setting is taken by a reload, or named as waiting for a restart.

use std::collections::BTreeSet;

use super::*;
use crate::settings::SettingsFault;

fn load(toml: &str) -> Result<Settings, SettingsFault> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), toml).unwrap();
    Settings::load(Some(file.path()), [])
}

#[test]
fn what_a_restart_alone_changes_is_named_and_nothing_else() {
    let running = Settings::default();
    let mut wanted = running.clone();
    wanted.sip.calls_max = 7;
    wanted.sip.trusted = Vec::new();
    wanted.sip.trace = false;
    wanted.turn.no_input_ms = 9_000;
    wanted.log.filter = "debug".to_owned();
    assert_eq!(differing(&running, &wanted), [""; 0]);
    wanted.sip.listen_udp = None;
    wanted.sip.bans.ban_s = 1;
    wanted.store.recording = true;
    wanted.sip.tls_key = Some("another.key".into());
    let named = ["sip.listen_udp", "sip.tls_*", "sip.bans", "store"];
    assert_eq!(differing(&running, &wanted), named);
}

/// A section, the keys that it needs, and another value than the default's for each of the rest.
type Section = (&'static str, &'static str, &'static [&'static str]);

const SECTIONS: &[Section] = &[
    (
        "sip",
        "",
        &[
            "listen_udp = \"127.0.0.1:1\"",
            "listen_tcp = \"off\"",
            "listen_tls = \"127.0.0.1:1\"\ntls_certificate = \"c\"\ntls_key = \"k\"",
            "tls_certificate = \"c\"\ntls_key = \"k\"",
            "tls_key = \"k\"",
            "tls_ca = \"a\"",
            "tls_client_ca = \"a\"",
            "name_servers = [\"192.0.2.53:53\"]",
            "advertised = \"192.0.2.1\"",
            "trusted = []",
            "destinations = [\"192.0.2.1\"]",
            "rtp_ports = \"30000-31999\"",
            "srtp = \"prefer\"",
            "srtp_without_tls = true",
            "ring_timeout_s = 9",
            "no_ack_s = 9",
            "no_media_ask_s = 9",
            "no_media_end_s = 99",
            "hold_end_s = 99",
            "session_expires_s = 999",
            "min_se_s = 99",
            "trace = false",
            "calls_max = 9",
            "bans.requests = 9",
        ],
    ),
    ("sip.bans", "", &["requests = 9", "window_s = 9", "ban_s = 9"]),
    ("media", "", &["codecs = [\"pcma\"]"]),
    ("media_streams", "", &["token = \"0123456789abcdef\"", "signing_key = \"0123456789abcdef\""]),
    ("agent", "name = \"a\"\nuri = \"sip:a@b\"\nqueues = []", &["token = \"0123456789abcdef\""]),
    ("queue", "name = \"q\"", &["wait_s = 9", "require_accept = false", "rounds = 9"]),
    (
        "admission",
        "",
        &[
            "on = false",
            "busy_percent = 9",
            "late_percent = 9",
            "late_ms = 9",
            "strained_ms = 9",
            "resume_percent = 9",
            "calm_s = 9",
            "no_engine_s = 9",
        ],
    ),
    (
        "turn",
        "",
        &[
            "least_pause_ms = 99",
            "sure_pause_ms = 999",
            "begun_pause_ms = 999",
            "digits_pause_ms = 999",
            "yes_no_pause_ms = 999",
            "phrase_pause_ms = 999",
            "open_pause_ms = 999",
            "no_input_ms = 999",
            "speech_on = 0.9",
            "speech_off = 0.1",
            "min_speech_ms = 99",
            "pause_ms = 999",
            "barge_in = \"cut\"",
            "duck_ms = 99",
            "eager = false",
            "cancel_echo = false",
            "barge_in = \"cut\"\ncut_ms = 99",
        ],
    ),
];

/// Taken, or named as a whole: flows are read anew with their routes, `log.filter` is the
/// command's, and `turn.cut_ms` is tried where everything cuts.
const ELSEWHERE: &[&str] = &["log.filter", "turn.cut_ms"];
const WHOLE: &[&str] = &[
    "browser",
    "trunk",
    "route",
    "models",
    "remote",
    "store",
    "api",
    "shutdown",
    "log",
    "telemetry",
];

#[test]
fn every_setting_is_taken_or_waits_for_a_restart_by_its_name() {
    for (section, needed, changes) in SECTIONS {
        let is_list = !needed.is_empty();
        let header = if is_list { format!("[[{section}]]") } else { format!("[{section}]") };
        // Where there is no queue, nobody is rung.
        let queue = if *section == "queue" { "" } else { "[[queue]]\nname = \"always\"\n" };
        let header = format!("{queue}{header}");
        let running = load(&format!("{header}\n{needed}")).unwrap();
        let taken = |it: &Settings| format!("{:?}", Taken::of(it, HashMap::new(), 1).unwrap());
        for change in *changes {
            let wanted = load(&format!("{header}\n{needed}\n{change}")).unwrap();
            assert_ne!(running, wanted, "{section}: {change} is no change");
            let is_named = !differing(&running, &wanted).is_empty();
            let is_taken = taken(&running) != taken(&wanted);
            assert!(is_named || is_taken, "{section}: {change} is neither taken nor named");
        }
        // A name that does not exist makes serde tell all that do.
        let unknown = load(&format!("{header}\n{needed}\nno_such_setting_at_all = 1\n"));
        let Err(SettingsFault::UnknownName { remedy, .. }) = unknown else {
            panic!("{section} takes unknown names");
        };
        let all = remedy.split('"').skip(1).step_by(2);
        let tried: BTreeSet<&str> =
            needed.lines().chain(changes.iter().copied()).filter_map(key).collect();
        for name in all.filter(|it| !ELSEWHERE.contains(&format!("{section}.{it}").as_str())) {
            assert!(tried.contains(name), "{section}.{name}: nothing is tried with it");
        }
    }
    let Err(SettingsFault::UnknownName { remedy, .. }) = load("[no_such_setting_at_all]\n") else {
        panic!("there are no unknown sections");
    };
    for name in remedy.split('"').skip(1).step_by(2) {
        let is_tried = SECTIONS.iter().any(|(section, ..)| *section == name);
        assert!(is_tried || WHOLE.contains(&name), "[{name}]: nothing is tried with it");
    }
}

fn key(line: &str) -> Option<&str> {
    line.split([' ', '.']).next()
}
