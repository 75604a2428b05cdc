//! What is read, and what is refused and how.

use std::path::PathBuf;

use super::*;

const EXAMPLE: &str = include_str!("../../cordboard.example.toml");

fn load(toml: &str, variables: &[(&str, &str)]) -> Result<Settings, SettingsFault> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), toml).unwrap();
    let variables = variables.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    Settings::load(Some(file.path()), variables)
}

#[test]
fn defaults_are_there_without_a_file_and_are_on_loopback() {
    let settings = Settings::load(None, []).unwrap();
    assert_eq!(settings, Settings::default());
    assert!(settings.sip.listen_udp.unwrap().ip().is_loopback());
    assert!(settings.api.listen.ip().is_loopback());
    assert!(settings.sip.destinations.is_empty());
    assert!(!settings.store.recording && !settings.store.keep_inputs);
    assert_eq!(settings.api.link_base(), "http://127.0.0.1:8080");
}

#[test]
fn the_example_has_the_defaults_where_it_says_so() {
    let example = load(EXAMPLE, &[]).unwrap();
    let default = Settings::default();
    assert_eq!(example.models, default.models);
    assert_eq!(example.remote, default.remote);
    assert_eq!(example.turn, default.turn);
    assert_eq!(example.media, default.media);
    assert_eq!(example.media_streams, default.media_streams);
    assert_eq!(example.browser, default.browser);
    assert_eq!(example.store, default.store);
    assert_eq!(example.admission, default.admission);
    assert_eq!(example.api, default.api);
    assert_eq!(example.shutdown, default.shutdown);
    assert_eq!(example.log, default.log);
    assert_eq!(example.telemetry, default.telemetry);
    let sip = SipSettings { destinations: Vec::new(), ..example.sip };
    assert_eq!(sip, default.sip);
    assert_eq!(example.routes[0].variables["service"], "http://127.0.0.1:8090");
}

#[test]
fn the_example_has_every_setting() {
    // A name that does not exist makes serde tell all that do.
    for (section, nested) in [
        ("sip", ""),
        ("sip.bans", ""),
        ("route", "to = \"*\"\nflow = \"f\""),
        ("trunk", "name = \"t\"\nhosts = [\"a\"]"),
        ("agent", "name = \"a\"\nuri = \"sip:a\"\nqueues = []"),
        ("queue", "name = \"q\""),
        ("media", ""),
        ("admission", ""),
        ("media_streams", ""),
        ("browser", ""),
        ("browser.ice_servers", "urls = []"),
        ("models", ""),
        ("remote.recognizer", "form = \"deepgram\"\nurl = \"wss://host/\""),
        ("remote.voice", "form = \"cartesia\"\nurl = \"wss://host/\"\nspeaker = \"a\""),
        ("remote.language", "form = \"openai\"\nurl = \"https://host/\"\nmodel = \"m\""),
        ("turn", ""),
        ("store", ""),
        ("api", ""),
        ("shutdown", ""),
        ("log", ""),
        ("telemetry", ""),
    ] {
        let header =
            if nested.is_empty() { format!("[{section}]") } else { format!("[[{section}]]") };
        let toml = format!("{header}\n{nested}\nno_such_setting_at_all = 1\n");
        let Err(SettingsFault::UnknownName { remedy, .. }) = load(&toml, &[]) else {
            panic!("{section} takes unknown names");
        };
        for name in remedy.split('"').skip(1).step_by(2) {
            let is_there = EXAMPLE
                .lines()
                .any(|line| line.trim_start_matches("# ").starts_with(&format!("{name} = ")))
                || EXAMPLE.contains(&format!("\n[{section}.{name}]\n"));
            assert!(is_there, "{section}.{name} is not in the example");
        }
    }
}

#[test]
fn the_environment_overrides_the_file() {
    let settings = load(
        "[sip]\nlisten_udp = \"127.0.0.1:5070\"\ncalls_max = 10\n",
        &[
            ("CORDBOARD_SIP__LISTEN_UDP", "127.0.0.1:5080"),
            ("CORDBOARD_SIP__LISTEN_TCP", "off"),
            ("CORDBOARD_SIP__TRUSTED", "[\"10.0.0.0/8\", \"127.0.0.0/8\"]"),
            ("CORDBOARD_TURN__SPEECH_ON", "0.75"),
            ("CORDBOARD_STORE__RECORDING", "true"),
            ("CORDBOARD_API__TOKEN", "0123456789012345678"),
            ("CORDBOARD_SHARED", "/somewhere"),
            ("PATH", "/bin"),
        ],
    )
    .unwrap();
    assert_eq!(settings.sip.listen_udp.unwrap().port(), 5080);
    assert_eq!(settings.sip.listen_tcp, None);
    assert_eq!(settings.sip.trusted.len(), 2);
    assert_eq!(settings.sip.calls_max, 10);
    assert!((settings.turn.speech_on - 0.75).abs() < 1e-6);
    assert!(settings.store.recording);
    assert_eq!(settings.api.token.unwrap().expose(), "0123456789012345678");
}

#[test]
fn a_bad_value_is_refused_with_its_name_its_value_and_what_is_allowed() {
    let table = [
        ("[sip]\nlisten_udp = \"localhost\"", "sip.listen_udp", "\"localhost\"", "127.0.0.1:5060"),
        ("[sip]\nrtp_ports = \"9-5\"", "sip.rtp_ports", "\"9-5\"", "20000-21999"),
        ("[sip]\nsrtp = \"maybe\"", "sip.srtp", "\"maybe\"", "\"require\""),
        ("[sip]\ncalls_max = 0", "sip.calls_max", "0", "from 1 to 30000"),
        ("[admission]\nbusy_percent = 0", "admission.busy_percent", "0", "from 1 to 100"),
        ("[admission]\nlate_ms = 1001", "admission.late_ms", "1001", "from 1 to 1000"),
        ("[sip]\ncalls_max = -4", "sip.calls_max", "-4", "from 1 to 30000"),
        ("[sip]\ncalls_max = 1001", "sip.calls_max", "1001", "at most 1000"),
        ("[sip]\ncalls_max = \"many\"", "sip.calls_max", "\"many\"", "from 1 to 30000"),
        ("[sip]\ntrusted = [\"x\"]", "sip.trusted.0", "\"x\"", "10.0.0.0/8"),
        ("[sip]\ndestinations = [\"a\", \"*\"]", "sip.destinations.1", "\"*\"", "*.example.com"),
        ("[sip.bans]\nrequests = 0", "sip.bans.requests", "0", "from 1 to 1000000"),
        ("[sip.bans]\nban_s = 0.5", "sip.bans.ban_s", "0.5", "from 1 to 604800"),
        ("[sip]\nsession_expires_s = 60", "sip.session_expires_s", "60", "from 90 to 86400"),
        ("[sip]\nmin_se_s = 3600", "sip.session_expires_s", "1800", "at least sip.min_se_s"),
        ("[sip]\nmin_se_s = 0", "sip.min_se_s", "0", "from 90 to 86400"),
        ("[sip]\nhold_end_s = 5", "sip.hold_end_s", "5", "from 10 to 86400"),
        ("[sip]\ntrace = \"some\"", "sip.trace", "\"some\"", "bool"),
        ("[media]\ncodecs = [\"g729\"]", "media.codecs.0", "\"g729\"", "\"opus\""),
        (
            "[media]\ncodecs = [\"pcmu\", \"PCMU\"]",
            "media.codecs",
            "[\"pcmu\", \"PCMU\"]",
            "each once",
        ),
        ("[media]\ncodecs = []", "media.codecs", "[]", "one or more"),
        ("[turn]\nspeech_on = 1.5", "turn.speech_on", "1.5", "from 0 to 1"),
        ("[turn]\nspeech_off = 0.9", "turn.speech_off", "0.9", "at most turn.speech_on"),
        ("[models]\nvad = \"best\"", "models.vad", "\"best\"", "\"silero\""),
        ("[models]\nwhisper_threads = 0", "models.whisper_threads", "0", "from 1 to 64"),
        (
            "[models]\nwhisper_decode_max_ms = 5",
            "models.whisper_decode_max_ms",
            "5",
            "from 100 to 60000",
        ),
        (
            "[[remote.recognizer]]\nform = \"deepgram\"\nurl = \"ws://example.com/\"",
            "remote.recognizer.0.url",
            "\"ws://example.com/\"",
            "wss://host/path",
        ),
        (
            "[[remote.language]]\nform = \"openai\"\nurl = \"wss://host/\"\nmodel = \"m\"",
            "remote.language.0.url",
            "\"wss://host/\"",
            "https://host/path",
        ),
        (
            "[[remote.language]]\nform = \"openai\"\nurl = \"https://host/\"\nmodel = \"m\"\n\
             answer_first_ms = 5",
            "remote.language.0.answer_first_ms",
            "5",
            "from 100 to 2000",
        ),
        (
            "[[remote.voice]]\nform = \"cartesian\"\nurl = \"wss://h/\"\nspeaker = \"a\"",
            "remote.voice.0.form",
            "\"cartesian\"",
            "\"cartesia\"",
        ),
    ];
    assert_refused(&table);
}

#[test]
fn bad_values_of_the_service_around_the_calls_are_refused_alike() {
    let table = [
        ("[store]\nrecording = \"maybe\"", "store.recording", "\"maybe\"", "bool"),
        ("[api]\nlisten = \"0.0.0.0:8080\"", "api.token", "not set", "not loopback"),
        ("[log]\nformat = \"xml\"", "log.format", "\"xml\"", "\"json\""),
        ("[store]\nkeep_inputs_days = -1", "store.keep_inputs_days", "-1", "from 0 to 36500"),
        ("[telemetry]\nmetrics_listen = \"all\"", "telemetry.metrics_listen", "\"all\"", "off"),
        ("[telemetry]\notlp_endpoint = \"x\"", "telemetry.otlp_endpoint", "\"x\"", "http://"),
        (
            "[telemetry]\nmetrics_listen = \"0.0.0.0:9464\"",
            "telemetry.metrics_listen",
            "0.0.0.0:9464",
            "api.token",
        ),
        ("[api]\npublic_url = \"calls\"", "api.public_url", "\"calls\"", "https://"),
        ("[api]\ntoken = \"short\"", "api.token", "not shown", "16 characters"),
        (
            "[[agent]]\nname = \"a\"\nuri = \"alice\"\nqueues = []",
            "agent.0.uri",
            "\"alice\"",
            "sip:alice@",
        ),
        (
            "[[queue]]\nname = \"service\"\n\
             [[agent]]\nname = \"a\"\nuri = \"sip:a\"\nqueues = [\"servce\"]",
            "agent.0.queues",
            "servce",
            "did you mean \"service\"?",
        ),
        ("[[queue]]\nname = \"a\"\n[[queue]]\nname = \"a\"", "queue.1.name", "a", "no other"),
    ];
    assert_refused(&table);
}

#[test]
fn trunks_and_certificates_that_make_no_sense_are_refused() {
    let table = [
        ("[sip]\nlisten_tls = \"127.0.0.1:0\"", "sip.tls_certificate", "not set", "PEM"),
        ("[sip]\ntls_certificate = \"c\"", "sip.tls_key", "not set", "the key of"),
        (
            "[[trunk]]\nname = \"t\"\nhosts = [\"a\"]\ntransport = \"tls\"",
            "sip.listen_tls",
            "off",
            "trunk \"t\"",
        ),
        ("[[trunk]]\nname = \"t\"\nhosts = []", "trunk.0.hosts", "[]", "sip.example.com"),
        (
            "[[trunk]]\nname = \"t\"\nhosts = [\"a\"]\nnumbers = [\"+\"]",
            "trunk.0.numbers",
            "[\"+\"]",
            "\"+4930\"",
        ),
        (
            "[[trunk]]\nname = \"t\"\nhosts = [\"a\"]\nregister = true",
            "trunk.0.password_file",
            "not set",
            "since register is on",
        ),
        (
            "[[trunk]]\nname = \"t\"\nhosts = [\"a\"]\nregister = true\n\
             username = \"u\"\npassword = \"p\"",
            "trunk.0.from",
            "empty",
            "since register is on",
        ),
        (
            "[[trunk]]\nname = \"t\"\nhosts = [\"a\"]\nfrom_uri = \"tel:+4930123\"",
            "trunk.0.from_uri",
            "\"tel:+4930123\"",
            "\"sip:+4930123456@pbx.example.com\"",
        ),
        (
            "[[trunk]]\nname = \"t\"\nhosts = [\"a\"]\npassword = \"\"",
            "trunk.0.password",
            "not shown",
            "not empty",
        ),
        (
            "[[trunk]]\nname = \"t\"\nhosts = [\"a\"]\nsrtp = \"maybe\"",
            "trunk.0.srtp",
            "\"maybe\"",
            "\"require\"",
        ),
    ];
    assert_refused(&table);
}

/// TOML, name, value, and a part of what is allowed.
fn assert_refused(table: &[(&str, &str, &str, &str)]) {
    for &(toml, expected_name, expected_value, expected_allowed) in table {
        match load(toml, &[]) {
            Err(SettingsFault::Value { name, value, allowed, .. }) => {
                assert_eq!(name, expected_name, "{toml}");
                assert_eq!(value, expected_value, "{toml}");
                assert!(allowed.contains(expected_allowed), "{toml}: {allowed}");
            }
            other => panic!("{toml}: {other:?}"),
        }
    }
}

#[test]
fn a_bad_variable_is_named_as_such() {
    let fault = load("", &[("CORDBOARD_SIP__CALLS_MAX", "lots")]).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "sip.calls_max is \"lots\" (environment CORDBOARD_SIP__CALLS_MAX); \
         allowed: a whole number from 1 to 30000"
    );
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest_known_one() {
    let table = [
        ("[sip]\nlisten_upd = \"off\"", "sip.listen_upd", "\"listen_udp\""),
        ("[stroe]\nfolder = \"x\"", "stroe", "\"store\""),
        ("[[queue]]\nname = \"a\"\nwaits = 5", "queue.0.waits", "\"wait_s\""),
    ];
    for (toml, expected_name, expected) in table {
        match load(toml, &[]) {
            Err(SettingsFault::UnknownName { name, remedy, .. }) => {
                assert_eq!(name, expected_name);
                assert_eq!(remedy, format!("did you mean {expected}?"));
            }
            other => panic!("{toml}: {other:?}"),
        }
    }
    let fault = load("", &[("CORDBOARD_API__LISTN", "x")]).unwrap_err();
    assert!(fault.to_string().contains("environment CORDBOARD_API__LISTN"), "{fault}");
}

#[test]
fn a_missing_value_and_a_broken_file_are_named() {
    let missing = load("[[route]]\nto = \"*\"", &[]).unwrap_err();
    assert!(matches!(&missing, SettingsFault::Missing { name, .. } if name == "route.0.flow"));
    assert!(matches!(load("[sip", &[]), Err(SettingsFault::Malformed { .. })));
    let nowhere = PathBuf::from("/nowhere/cordboard.toml");
    let unreadable = Settings::load(Some(&nowhere), []);
    assert!(matches!(unreadable, Err(SettingsFault::Unreadable { .. })));
}

#[test]
fn a_token_is_never_printed() {
    let settings = load("[api]\ntoken = \"0123456789abcdefXYZ\"", &[]).unwrap();
    assert!(!format!("{settings:?}").contains("XYZ"));
    let fault = load("[api]\ntoken = \"secretXYZ\"", &[]).unwrap_err();
    assert!(!format!("{fault} {fault:?}").contains("secretXYZ"), "{fault:?}");
    let trunk = "[[trunk]]\nname = \"t\"\nhosts = [\"a\"]\nusername = \"u\"\n";
    let settings = load(&format!("{trunk}password = \"XYZ\""), &[]).unwrap();
    assert_eq!(settings.trunks[0].password.as_ref().unwrap().expose(), "XYZ");
    assert!(!format!("{settings:?}").contains("XYZ"));
}

#[test]
fn every_fault_is_told_at_its_place_and_not_only_the_first() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let toml = "[sip]\nlisten_upd = \"off\"\ncalls_max = 0\ntrusted = [\"x\", \"::1\", \"y\"]\n\
                [turn]\nspeech_off = 0.9\n[api]\nlisten = \"0.0.0.0:1\"\n\
                [[queue]]\nname = \"q\"\n\
                [[agent]]\nname = \"a\"\nuri = \"alice\"\nqueues = []\n\
                [[agent]]\nname = \"b\"\nuri = \"sip:b\"\nqueues = [\"q\"]\n\
                [[agent]]\nname = \"c\"\nqueues = []\n\
                [[agent]]\nname = \"d\"\nuri = \"sip:d\"\nqueues = [\"r\"]\n";
    std::fs::write(file.path(), toml).unwrap();
    let (_, faults) = Settings::load_all(Some(file.path()), []);
    let mut names: Vec<_> = faults.iter().filter_map(SettingsFault::name).collect();
    names.sort_unstable();
    let expected = [
        "agent.0.uri",
        "agent.2.uri",
        "agent.3.queues",
        "api.token",
        "sip.calls_max",
        "sip.listen_upd",
        "sip.trusted.0",
        "sip.trusted.2",
        "turn.speech_off",
    ];
    assert_eq!(names, expected, "{faults:#?}");

    std::fs::write(file.path(), EXAMPLE).unwrap();
    let (settings, faults) = Settings::load_all(Some(file.path()), []);
    assert!(faults.is_empty(), "{faults:?}");
    assert_eq!(settings.unwrap(), load(EXAMPLE, &[]).unwrap());
}
