//! `cordboard replay` as a process: against our own service, against SIPp and baresip, and against
//! far ends that behave badly.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;
use tokio::net::UdpSocket;

use crate::support::{Baresip, Companion, Serving, free_udp_port, has, run, spoken, write_wav};

/// Asks by voice, keys the number, says no to anything else.
const BY_KEYS: &str = r#"
scenario: by keys
steps:
  - after: { says: "How can I help you?", quiet: 700ms }
    say: where is my order
  - after: { says: "What is your order number? It has six digits.", quiet: 700ms }
    keys: "123456"
  - after: { says: "Is there anything else?", quiet: 700ms, within: 30s }
    say: "no"
expect:
  says:
    - "Order 1 2 3 4 5 6 is out for delivery. It will be with you by six this evening."
    - "Thank you for calling Northline Parcels. Goodbye."
  ends: far
"#;

/// Says one thing and hangs up, whoever is there.
const SAYS_HELLO: &str = r"
scenario: hello
limit: 6s
steps:
  - { after: { at: 1s }, say: hello }
  - { after: { waited: 2s }, hang_up: true }
";

/// Runs it; blocking, so away from the runtime's threads.
pub(crate) async fn replayed(arguments: Vec<String>) -> Output {
    let running = tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run(&[&["replay"], &arguments[..]].concat())
    });
    running.await.unwrap()
}

pub(crate) fn said(output: &Output) -> String {
    let of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", of(&output.stdout), of(&output.stderr))
}

pub(crate) fn scenario(folder: &Path, text: &str) -> String {
    let path = folder.join("scenario.yaml");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

pub(crate) fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_callers_are_scored_as_they_heard_it_and_as_the_timeline_has_it() {
    let folder = TempDir::new().unwrap();
    let (_orders, orders) = Companion::order_service(&folder.path().join("orders.log"));
    let flow = format!("{}/flows/parcel.yaml", env!("CARGO_MANIFEST_DIR"));
    let service = Serving::start(&format!(
        "models = {{ recognizers = 2 }}\n[[route]]\nto = \"parcel\"\nflow = \"{flow}\"\n\
         variables = {{ service = \"http://{orders}\" }}"
    ));
    let (json, page) = (folder.path().join("run.json"), folder.path().join("run.html"));
    let mut arguments = vec![scenario(folder.path(), BY_KEYS), "--to".to_owned()];
    arguments.extend([service.uri("parcel"), "--calls".to_owned(), "2".to_owned()]);
    arguments.extend(["--concurrency", "2", "--far-voice", "slt", "--json"].map(str::to_owned));
    arguments.extend([json.display().to_string(), "--html".to_owned()]);
    arguments.extend([page.display().to_string(), "--timelines".to_owned()]);
    arguments.extend([format!("http://{}", service.api.address()), "--budget".to_owned()]);
    arguments.extend(["passed=100%".to_owned(), "--budget".to_owned()]);
    arguments.push("response.p50=30s".to_owned());
    let output = replayed(arguments).await;
    assert!(output.status.success(), "{}", said(&output));
    let report = read(&json);
    assert_eq!((&report["overall"]["calls"], &report["overall"]["passed"]), (&2.into(), &2.into()));
    for call in report["calls"].as_array().unwrap() {
        let heard = call["said"].as_array().unwrap().iter().all(|said| said["heard"] == true);
        assert!(heard, "{call:#}");
        assert!(call["turns"].as_array().unwrap().len() >= 3, "{call:#}");
    }
    let truth = &report["truth"];
    assert!(truth["turns"].as_u64().unwrap() >= 2, "{truth}");
    eprintln!("our response less the timeline's: {truth}");
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("2 of 2 calls as they should be") && page.contains("data:audio/wav"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_call_is_placed_on_sipps_echo_which_says_all_of_it_back() {
    if !has("sipp", "sip-tester") {
        return;
    }
    let folder = TempDir::new().unwrap();
    let port = free_udp_port();
    let mut echo = std::process::Command::new("sipp");
    echo.args(["-sn", "uas", "-rtp_echo", "-i", "127.0.0.1", "-mi", "127.0.0.1", "-p"]);
    echo.arg(port.to_string()).arg("-nostdin").current_dir(folder.path());
    let _echo = Companion::start(&mut echo, &folder.path().join("sipp.log"));
    // Left a caller who speaks twice, right a far end that says nothing.
    let voice = spoken("rms", &["where is my order".to_owned()]);
    let mut near = vec![0.0; 8_000];
    near.extend_from_slice(&voice);
    near.resize(near.len() + 24_000, 0.0);
    near.extend_from_slice(&voice);
    near.extend([0.0; 4_000]);
    let path = folder.path().join("recorded.wav");
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(&path, spec).unwrap();
    for sample in near {
        wav.write_sample((sample * 32_767.0) as i16).unwrap();
        wav.write_sample(0_i16).unwrap();
    }
    wav.finalize().unwrap();
    let json = folder.path().join("run.json");
    let output = replayed(vec![
        path.display().to_string(),
        "--to".to_owned(),
        format!("sip:echo@127.0.0.1:{port}"),
        "--by-the-clock".to_owned(),
        "--far-voice".to_owned(),
        "none".to_owned(),
        "--json".to_owned(),
        json.display().to_string(),
    ])
    .await;
    assert!(output.status.success(), "{}", said(&output));
    let call = &read(&json)["calls"][0];
    let spoken_ms: u64 = call["turns"].as_array().unwrap().iter().fold(0, |sum, turn| {
        sum + turn["ended_ms"].as_u64().unwrap() - turn["began_ms"].as_u64().unwrap()
    });
    // All of it comes back while it is said: both speak, but for the way and the pauses in words.
    let over_ms = call["talk_over_ms"].as_u64().unwrap();
    assert!(over_ms * 10 >= spoken_ms * 8, "{over_ms} of {spoken_ms} ms: {call:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn baresip_answers_a_scenario_and_what_it_says_is_scored() {
    if !has("baresip", "baresip-core") {
        return;
    }
    let folder = TempDir::new().unwrap();
    let mut says = vec![0.0; 24_000];
    says.extend(spoken("slt", &["Good morning, how can I help you today?".to_owned()]));
    says.resize(says.len() + 160_000, 0.0);
    let baresip = Baresip::start("desk", &says).await;
    let json = folder.path().join("run.json");
    let output = replayed(vec![
        scenario(folder.path(), SAYS_HELLO),
        "--to".to_owned(),
        baresip.uri.clone(),
        "--allow".to_owned(),
        own_address(),
        "--far-voice".to_owned(),
        "none".to_owned(),
        "--json".to_owned(),
        json.display().to_string(),
    ])
    .await;
    assert!(output.status.success(), "{}", said(&output));
    let report = read(&json);
    let call = &report["calls"][0];
    assert_eq!(call["faults"], serde_json::json!([]), "{call:#}");
    assert!(call["packets"].as_u64().unwrap() > 100, "{call:#}");
}

/// The address of this machine that baresip has its sound at.
fn own_address() -> String {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    // Nothing is sent: the system says from where it would be.
    let told = socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr());
    told.map_or_else(|_| "127.0.0.1".to_owned(), |it| it.ip().to_string())
}

/// What a far end does with an INVITE.
#[derive(Clone, Copy, Debug)]
enum Manner {
    Nothing,
    Garbage,
    Refuses,
    Redirects,
    AnswersInSilence,
    AnswersElsewhere,
    PointsElsewhere,
    PointsElsewhereByTcp,
    HangsUpAtOnce,
}

/// A far end on a socket of its own.
async fn far_end(manner: Manner) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 4_096];
        while let Ok((len, from)) = socket.recv_from(&mut buffer).await {
            let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
            for reply in replies(manner, &text, address) {
                socket.send_to(reply.as_bytes(), from).await.unwrap();
            }
        }
    });
    address
}

fn replies(manner: Manner, request: &str, own: SocketAddr) -> Vec<String> {
    let field = |name: &str| {
        let line = request
            .lines()
            .find(|line| line.split(':').next().is_some_and(|it| it.eq_ignore_ascii_case(name)));
        line.map(|it| it.split_once(':').unwrap().1.trim().to_owned()).unwrap_or_default()
    };
    let answer = |status: &str, more: &str, body: &str| {
        let kept = ["Via", "From", "Call-ID", "CSeq"].map(|it| format!("{it}: {}\r\n", field(it)));
        let to = field("To");
        let to = if to.contains("tag=") { to } else { format!("{to};tag=far") };
        format!(
            "SIP/2.0 {status}\r\n{}To: {to}\r\n{more}Content-Length: {}\r\n\r\n{body}",
            kept.concat(),
            body.len()
        )
    };
    let contact = match manner {
        Manner::PointsElsewhere => "Contact: <sip:far@127.0.0.2:40002>\r\n\
                                    Record-Route: <sip:127.0.0.2:40002;lr>\r\n"
            .to_owned(),
        Manner::PointsElsewhereByTcp => {
            "Contact: <sip:far@127.0.0.2:40002;transport=tcp>\r\n".to_owned()
        }
        _ => format!("Contact: <sip:far@{own}>\r\n"),
    };
    let accepts = |host: &str| {
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n\
             m=audio 40000 RTP/AVP 0\r\n"
        );
        vec![answer("200 OK", &format!("{contact}Content-Type: application/sdp\r\n"), &sdp)]
    };
    match (request.split(' ').next().unwrap_or_default(), manner) {
        (_, Manner::Nothing) | ("ACK", Manner::Refuses | Manner::Redirects) => vec![],
        (_, Manner::Garbage) => {
            vec!["\0\u{1}garbage".to_owned(), "SIP/2.0 999 ?\r\n\r\n".to_owned()]
        }
        ("INVITE", Manner::Refuses) => vec![answer("486 Busy Here", "", "")],
        ("INVITE", Manner::Redirects) => {
            vec![answer("302 Moved Temporarily", "Contact: <sip:far@192.0.2.1>\r\n", "")]
        }
        ("INVITE", Manner::AnswersElsewhere) => accepts("127.0.0.2"),
        ("INVITE", _) => accepts("127.0.0.1"),
        ("ACK", Manner::HangsUpAtOnce) => {
            let to = field("From");
            let contact = field("Contact");
            let uri = contact.trim_matches(['<', '>']).to_owned();
            let uri = if uri.is_empty() { "sip:replay@127.0.0.1".to_owned() } else { uri };
            vec![format!(
                "BYE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKbye\r\nFrom: {}\r\nTo: \
                 {to}\r\nCall-ID: {}\r\nCSeq: 9 BYE\r\nMax-Forwards: 70\r\n\
                 Content-Length: 0\r\n\r\n",
                field("To"),
                field("Call-ID"),
            )]
        }
        ("BYE" | "CANCEL", _) => vec![answer("200 OK", "", "")],
        _ => vec![],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn far_ends_that_behave_badly_are_told_by_what_they_did() {
    let folder = TempDir::new().unwrap();
    let scenario = scenario(folder.path(), SAYS_HELLO);
    // Where some of them would have their sound, or what is signalled: nothing may come there, no
    // report either.
    let ports = [40_000, 40_001, 40_002];
    let elsewhere = ports.map(|port| std::net::UdpSocket::bind(("127.0.0.2", port)));
    let by_tcp = std::net::TcpListener::bind(("127.0.0.2", 40_002)).unwrap();
    for (manner, told) in [
        (Manner::Nothing, "nobody answered"),
        (Manner::Garbage, "nobody answered"),
        (Manner::Refuses, "refused with 486"),
        (Manner::Redirects, "redirected with 302"),
        (Manner::AnswersInSilence, "not a packet came"),
        (Manner::AnswersElsewhere, "its sound is at 127.0.0.2, which was not given"),
        (Manner::PointsElsewhere, "not a packet came"),
        (Manner::PointsElsewhereByTcp, "not a packet came"),
        (Manner::HangsUpAtOnce, "things left to do"),
    ] {
        let far_end = far_end(manner).await;
        let output = replayed(vec![
            scenario.clone(),
            "--to".to_owned(),
            format!("sip:far@{far_end}"),
            "--answer-within".to_owned(),
            "2s".to_owned(),
            "--far-voice".to_owned(),
            "none".to_owned(),
        ])
        .await;
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{manner:?}: {said}");
        assert!(said.contains(told), "{manner:?}: {said}");
    }
    for socket in elsewhere {
        let socket = socket.unwrap();
        socket.set_nonblocking(true).unwrap();
        assert!(socket.recv(&mut [0; 2_000]).is_err(), "something was sent elsewhere");
    }
    by_tcp.set_nonblocking(true).unwrap();
    assert!(by_tcp.accept().is_err(), "a connection was made elsewhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_placed_is_told_with_file_line_and_remedy() {
    let folder = TempDir::new().unwrap();
    let broken = scenario(
        folder.path(),
        "scenario: x\nsteps:\n  - say: hello\n    keys: \"1\"\n  - play: nowhere.wav\n",
    );
    let empty = folder.path().join("empty.wav");
    fs::write(&empty, b"").unwrap();
    let mono = folder.path().join("mono.wav");
    write_wav(&mono, &[0.1; 8_000]);
    let to = "sip:x@127.0.0.1:9";
    for (arguments, told) in [
        (vec![broken.as_str(), "--to", to], "scenario.yaml:3:"),
        (vec![empty.to_str().unwrap(), "--to", to], "empty.wav: wav not read"),
        (vec![mono.to_str().unwrap(), "--to", to], "the caller left, the far end right"),
        (vec!["nowhere.yaml", "--to", to], "nowhere.yaml cannot be read"),
        (vec![broken.as_str(), "--to", "sip:x@example.com"], "write sip:user@ADDRESS:PORT"),
        (vec![broken.as_str()], "--to"),
        (vec![broken.as_str(), "--to", to, "--budget", "response=1s"], "response.p50"),
        (vec!["--compare", "a.json", "b.json"], "a.json cannot be read"),
    ] {
        let arguments = arguments.iter().map(|it| (*it).to_owned()).collect();
        let output = replayed(arguments).await;
        let said = said(&output);
        assert!(!output.status.success() && said.contains(told), "{told}: {said}");
    }
}
