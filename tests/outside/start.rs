//! Starts that are refused: exit code 1, the name of what is wrong and what to do about it.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::support::{failed_start, settings};

/// Each: changes to the settings, and what standard error must have.
fn assert_refused(folder: &Path, changes: &str, wanted: &[&str]) {
    let output = failed_start(&settings(folder, changes));
    let said = String::from_utf8_lossy(&output.stderr);
    for part in wanted {
        assert!(said.contains(part), "{changes}: no {part:?} in\n{said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn a_value_that_is_not_allowed_stops_the_start_by_its_name() {
    let folder = TempDir::new().unwrap();
    for (changes, wanted) in [
        ("[sip]\nno_ack_s = 0", ["sip.no_ack_s", "0", "1"]),
        ("[sip]\nrtp_ports = \"20001-30000\"", ["sip.rtp_ports", "20001-30000", "even"]),
        ("[sip]\nlisten_udp = \"everywhere\"", ["sip.listen_udp", "everywhere", "127.0.0.1:5060"]),
        ("[sip]\nlisten = \"127.0.0.1:1\"", ["sip.listen", "listen_udp", "listen_tcp"]),
        ("[models]\nvad = \"best\"", ["models.vad", "best", "earshot"]),
        ("[models]\nrecognizer = \"parrot\"", ["models.recognizer", "parrot", "pocketsphinx"]),
        ("[turn]\nspeech_on = 2.0", ["turn.speech_on", "2", "1"]),
    ] {
        assert_refused(folder.path(), changes, &wanted);
    }
}

#[test]
fn a_file_that_is_no_toml_stops_the_start_with_its_place() {
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("broken.toml");
    fs::write(&config, "[sip]\nlisten_udp = 127.0.0.1:0\n").unwrap();
    let output = failed_start(&config);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("broken.toml") && said.contains('2'), "{said}");
    let output = failed_start(&folder.path().join("absent.toml"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("absent.toml"), "{said}");
}

#[test]
fn a_broken_flow_stops_the_start_with_file_and_line() {
    let folder = TempDir::new().unwrap();
    let flow = folder.path().join("broken.yaml");
    let good = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outside/short.yaml");
    let text = fs::read_to_string(good).unwrap();
    let line = 1 + text.lines().position(|line| line.contains("phrases:")).unwrap();
    fs::write(&flow, text.replace("phrases:", "phrasen:")).unwrap();
    let route = |file: &Path| format!("[[route]]\nto = \"*\"\nflow = \"{}\"", file.display());
    let place = format!("broken.yaml:{line}");
    assert_refused(folder.path(), &route(&flow), &[&place, "phrasen"]);
    assert_refused(folder.path(), &route(&folder.path().join("absent.yaml")), &["absent.yaml"]);
}

#[test]
fn weights_that_are_absent_or_cut_short_stop_the_start() {
    let folder = TempDir::new().unwrap();
    let weights = folder.path().join("silero_vad.onnx");
    let changes = format!("[models]\nvad = \"silero\"\nsilero_weights = \"{}\"", weights.display());
    let name = weights.display().to_string();
    assert_refused(folder.path(), &changes, &[&name, "make weights"]);
    fs::write(&weights, [8, 6, 18, 7, b'p', b'y', b't', b'o', b'r', b'c', b'h']).unwrap();
    assert_refused(folder.path(), &changes, &[&name, "truncated", "make weights"]);
    let automatic = changes.replace("\"silero\"", "\"auto\"");
    assert_refused(folder.path(), &automatic, &[&name, "truncated", "make weights"]);
}

#[test]
fn an_http_address_for_others_needs_a_token() {
    let folder = TempDir::new().unwrap();
    let open = "[api]\nlisten = \"0.0.0.0:0\"";
    assert_refused(folder.path(), open, &["api.token", "api.listen"]);
    let short = format!("{open}\ntoken = \"short\"");
    assert_refused(folder.path(), &short, &["api.token", "16 characters"]);
    let said = failed_start(&settings(folder.path(), &short));
    assert!(!String::from_utf8_lossy(&said.stderr).contains("\"short\""), "a secret is printed");
}

#[test]
fn an_address_that_is_taken_stops_the_start_by_its_name() {
    let folder = TempDir::new().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let changes = format!("[sip]\nlisten_tcp = \"{address}\"");
    assert_refused(folder.path(), &changes, &[&address.to_string(), "tcp"]);
}
