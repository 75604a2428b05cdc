//! Hand-overs that `cordboard replay` scores: humans' phones of its own, waiting and registered.

use std::fs;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use cordboard_sip::digest::{Challenge, Credentials};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::UdpSocket;

use crate::replay::{read, replayed, said, scenario};
use crate::support::{Serving, free_udp_port};

/// Keys 0 over the greeting, and is owed a human.
const WANTS_A_HUMAN: &str = r#"
scenario: wants a human
limit: 90s
steps:
  - after: { speaking: 2s }
    keys: "0"
expect:
  says: ["One moment, I will get a colleague for you."]
  human: 80s
  ends: caller
"#;

fn arguments(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|it| (*it).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_human_is_heard_by_who_asked_for_one_and_it_is_said_when() {
    let folder = TempDir::new().unwrap();
    let at = format!("127.0.0.1:{}", free_udp_port());
    let service = Serving::start(&format!(
        "[[queue]]\nname = \"service\"\n\
         [[agent]]\nname = \"ada\"\nuri = \"sip:ada@{at}\"\nqueues = [\"service\"]"
    ));
    let (json, page) = (folder.path().join("run.json"), folder.path().join("run.html"));
    let (scenario, to) = (scenario(folder.path(), WANTS_A_HUMAN), service.uri("parcel"));
    let (json_path, page_path) = (json.display().to_string(), page.display().to_string());
    let with_human = arguments(&[
        &scenario,
        "--to",
        &to,
        "--far-voice",
        "slt",
        "--human-at",
        &at,
        "--human-keys",
        "1",
        "--budget",
        "human.max=80s",
        "--budget",
        "passed=100%",
        "--json",
        &json_path,
        "--html",
        &page_path,
    ]);
    let output = replayed(with_human).await;
    let told = said(&output);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("a human was heard in 1 calls"), "{told}");
    let report = read(&json);
    let call = &report["calls"][0];
    let heard = &call["human"]["heard"];
    // As the timeline has it: not before the two were joined, and soon after.
    let kept = service.api.ended_call_of(call["from"].as_str().unwrap()).await;
    let timeline = service.api.timeline(kept["id"].as_str().unwrap()).await;
    let at_ms = |what: &str| {
        let found = timeline.iter().find(|it| it["what"] == what);
        found.unwrap_or_else(|| panic!("no {what}: {timeline:#?}"))["at_ms"].as_f64().unwrap()
    };
    let bridged_ms = at_ms("bridged") - at_ms("answered");
    let (human_ms, wait_ms) = (heard["at_ms"].as_f64().unwrap(), heard["wait_ms"].as_f64());
    eprintln!("bridged after {bridged_ms} ms, the human heard after {human_ms} ms");
    assert!(human_ms >= bridged_ms - 100.0, "{human_ms}, bridged {bridged_ms}");
    assert!(human_ms <= bridged_ms + 15_000.0, "{human_ms}, bridged {bridged_ms}");
    assert!(wait_ms.is_some_and(|it| it > 0.0 && it < human_ms), "{heard}");
    assert_eq!(report["humans"], json!({ "rung": 1, "answered": 1, "busy": 0 }));
    assert_eq!(report["overall"]["figures"]["human"]["count"], 1);
    assert!(fs::read_to_string(page).unwrap().contains("A human was heard in 1 calls"));

    // Without a phone of a human it is told that nobody could tell.
    let without = arguments(&[&scenario, "--to", &to, "--far-voice", "none"]);
    let told = said(&replayed(without).await);
    assert!(told.contains("a human is owed in 1 calls, which is not scored"), "{told}");
    assert!(!told.contains("no human was heard"), "{told}");
}

/// A registrar by hand, that knows ada's password; what was sent to it is kept.
async fn registrar() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&kept);
    tokio::spawn(async move {
        let mut buffer = [0; 4_096];
        while let Ok((len, from)) = socket.recv_from(&mut buffer).await {
            let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
            if let Some(answer) = registered(&text) {
                socket.send_to(answer.as_bytes(), from).await.unwrap();
            }
            keep.lock().unwrap().push(text);
        }
    });
    (address, kept)
}

/// The answer to a REGISTER, and to an INVITE that nobody is there.
fn registered(request: &str) -> Option<String> {
    const CHALLENGE: &str = "Digest realm=\"a PBX\", nonce=\"n1\"";
    let field =
        |name: &str| request.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let method = request.split(' ').next()?;
    let given = field("Authorization").map(|given| {
        let uri = given.split_once("uri=\"").unwrap().1.split('"').next().unwrap();
        let challenge = Challenge::parse(CHALLENGE).unwrap();
        let right = challenge.answer(&Credentials::new("ada", "sesame"), (method, uri), 1, "");
        right == given
    });
    let (status, more) = match (method, given) {
        ("REGISTER", None) => ("401 Unauthorized", format!("WWW-Authenticate: {CHALLENGE}\r\n")),
        ("REGISTER", Some(false)) => ("403 Forbidden", String::new()),
        ("REGISTER", Some(true)) => {
            ("200 OK", format!("Contact: {};expires=60\r\n", field("Contact")?))
        }
        ("INVITE", _) => ("404 Not Found", String::new()),
        _ => return None,
    };
    let kept = ["Via", "From", "Call-ID", "CSeq"]
        .map(|it| format!("{it}: {}\r\n", field(it).unwrap_or_default()));
    let to = field("To")?;
    Some(format!(
        "SIP/2.0 {status}\r\n{}To: {to};tag=far\r\n{more}Content-Length: 0\r\n\r\n",
        kept.concat()
    ))
}

/// Runs it with a password, in the environment of the process alone.
async fn with_password(password: &'static str, arguments: Vec<String>) -> std::process::Output {
    let running = tokio::task::spawn_blocking(move || {
        std::process::Command::new(env!("CARGO_BIN_EXE_cordboard"))
            .arg("replay")
            .args(arguments)
            .env("HUMAN_PASSWORD", password)
            .stdin(std::process::Stdio::null())
            .output()
    });
    running.await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_humans_phone_registers_before_anybody_is_rung_and_leaves_at_the_end() {
    let folder = TempDir::new().unwrap();
    let scenario = scenario(folder.path(), WANTS_A_HUMAN);
    for (password, registers) in [("sesame", true), ("open", false)] {
        let (at, kept) = registrar().await;
        let (human, to) = (format!("sip:ada@{at}"), format!("sip:desk@{at}"));
        let line = ["--far-voice", "none", "--to", &to, "--human", &human, &scenario];
        let output = with_password(password, arguments(&line)).await;
        let told = said(&output);
        assert!(!output.status.success(), "{told}");
        let kept = kept.lock().unwrap();
        let first_of = |method: &str| kept.iter().position(|it| it.starts_with(method));
        if registers {
            assert!(told.contains("refused with 404"), "{told}");
            let granted = kept.iter().position(|it| it.contains("Authorization: ")).unwrap();
            assert!(first_of("INVITE").unwrap() > granted, "{kept:#?}");
            let left = kept.iter().any(|it| it.contains("Expires: 0\r\n"));
            assert!(left, "{kept:#?}");
        } else {
            assert!(told.contains("is refused its registration with 403"), "{told}");
            assert!(told.contains("HUMAN_PASSWORD"), "{told}");
            assert_eq!(first_of("INVITE"), None, "{kept:#?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_human_who_makes_no_sense_is_told_before_anybody_is_rung() {
    let folder = TempDir::new().unwrap();
    let scenario = scenario(folder.path(), WANTS_A_HUMAN);
    let elsewhere = std::net::UdpSocket::bind("127.0.0.2:0").unwrap();
    let strange = format!("sip:ada@{}", elsewhere.local_addr().unwrap());
    let taken = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let taken = taken.local_addr().unwrap();
    let taken_at = taken.to_string();
    for (more, told) in [
        (vec!["--human", strange.as_str()], "127.0.0.2 was not given"),
        (vec!["--human", "sip:ada@pbx.example"], "is nowhere to register"),
        (vec!["--human", "ada"], "is nowhere to register"),
        (vec!["--human-at", &taken_at], "cannot listen on udp"),
        (vec!["--human-at", &taken_at, "--human-keys", "x"], "are keys"),
        (vec!["--human-keys", "1"], "needs a human"),
    ] {
        let to = "sip:x@127.0.0.1:9";
        let line = [&[scenario.as_str(), "--to", to, "--far-voice", "none"], &more[..]].concat();
        let output = replayed(arguments(&line)).await;
        let said = said(&output);
        assert!(!output.status.success() && said.contains(told), "{more:?}: {said}");
    }
    elsewhere.set_nonblocking(true).unwrap();
    assert!(elsewhere.recv(&mut [0; 2_000]).is_err(), "something was sent elsewhere");
}
