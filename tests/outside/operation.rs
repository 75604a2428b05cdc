//! What an operator does with a service that runs: looks at it, changes its settings, ends it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use cordboard::clock;
use cordboard::replay::{Act, Phone, Script, Step, When};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::json;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::support::{PATIENCE, Serving, run, settings, spoken, until, until_within};

/// What callers say, key and are called, and what is known of them; nobody else has it.
const NUMBER: &str = "4915550123987";
const NAME: &str = "Quillfeather";
const KEYS: &str = "731946";
const HEADER: &str = "header-58213";
const ANSWER: &str = "half past Thistledown";
const WISHES: [&str; 3] = ["where is my order", "track my parcel", "i am waiting for my parcel"];
/// The longest that a talk may be.
const LIMIT: Duration = Duration::from_secs(120);

async fn phone() -> Phone {
    Phone::bind("127.0.0.1:0".parse().unwrap(), 30_000..=30_999).await.unwrap()
}

/// Serves a router on a free port of this machine; gives its address.
async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// A collector of traces: what it was sent, as it came.
async fn collector() -> (String, Arc<Mutex<Vec<Bytes>>>) {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let kept = bodies.clone();
    let take = async move |body: Bytes| {
        kept.lock().unwrap().push(body);
        StatusCode::OK
    };
    (serve(Router::new().route("/v1/traces", post(take))).await, bodies)
}

fn spans(bodies: &Mutex<Vec<Bytes>>) -> Vec<Span> {
    let bodies = bodies.lock().unwrap();
    let requests = bodies.iter().map(|body| ExportTraceServiceRequest::decode(body.clone()));
    let resources = requests.flat_map(|request| request.unwrap().resource_spans);
    resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
}

fn request(method: &str, to: &str, from: &UdpSocket, number: u32, more: &str) -> String {
    let address = from.local_addr().unwrap();
    format!(
        "{method} {to} SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch=z9hG4bK{HEADER}{number}\r\n\
         Max-Forwards: 70\r\nFrom: \"{NAME}\" <sip:{NUMBER}@{address}>;tag=a{number}\r\n\
         To: <{to}>\r\nCall-ID: {number}-{HEADER}\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:{NUMBER}@{address}>\r\nSubject: {NAME}\r\nX-Account: {HEADER}\r\n{more}\r\n"
    )
}

/// Sends a request and gives the status of its final answer.
async fn ask(socket: &UdpSocket, service: &Serving, text: &str) -> u16 {
    socket.send_to(text.as_bytes(), service.udp).await.unwrap();
    let call_id = text.lines().find(|line| line.starts_with("Call-ID: ")).unwrap();
    let mut buffer = [0; 4_000];
    let answer = async {
        loop {
            let length = socket.recv(&mut buffer).await.unwrap();
            let text = String::from_utf8_lossy(&buffer[..length]);
            let status: u16 = text.split(' ').nth(1).unwrap().parse().unwrap();
            // Others are sent again until they are acknowledged, which they are not.
            if status >= 200 && text.contains(call_id) {
                return status;
            }
        }
    };
    tokio::time::timeout(PATIENCE, answer).await.expect("an answer")
}

/// Requests of all sorts that are refused, each with what must not be told on.
async fn ask_in_vain(service: &Serving) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let garbage = format!("Content-Type: application/sdp\r\nContent-Length: 12\r\n\r\n{HEADER}");
    let empty = "Content-Length: 0\r\n";
    for (number, (method, user, more)) in [
        ("INVITE", NUMBER, empty),
        ("INVITE", "parcel", garbage.as_str()),
        ("INVITE", "parcel", "CSeq: nonsense\r\nContent-Length: 0\r\n"),
        ("OPTIONS", NUMBER, empty),
        ("BYE", NAME, empty),
        ("REGISTER", NUMBER, empty),
    ]
    .into_iter()
    .enumerate()
    {
        let to = service.uri(user);
        let number = u32::try_from(number).unwrap();
        let text = request(method, &to, &socket, number, more);
        socket.send_to(text.as_bytes(), service.udp).await.unwrap();
    }
    let torn = format!("INVITE sip:{NUMBER} SIP/2.0\r\nX: {HEADER}");
    socket.send_to(torn.as_bytes(), service.udp).await.unwrap();
}

/// Says and keys what the assistant asks for, until it tells the order's fate. A recognizer of this
/// size may want to hear it twice.
async fn answer_questions(service: &Serving, id: &str, act: &UnboundedSender<Act>) {
    let mut wishes = WISHES.map(|text| spoken("slt", &[text.to_owned()])).into_iter();
    let (mut seen, mut keyed) = (0, false);
    until_within(LIMIT, "the order's fate", async || {
        let timeline = service.api.timeline(id).await;
        let new = timeline[seen..].iter().filter(|entry| entry["what"] == "prompt_ended");
        let heard: Vec<String> = new.map(|it| it["heard"].as_str().unwrap().to_owned()).collect();
        seen = timeline.len();
        for text in &heard {
            if text.contains("order number") && !keyed {
                keyed = true;
                act.send(Act::Key(KEYS.to_owned())).unwrap();
            } else if text.contains("Is that right?") {
                act.send(Act::Key("1".to_owned())).unwrap();
            } else if ["How can I help", "for example", "You can ask"]
                .iter()
                .any(|asked| text.contains(asked))
            {
                let wish = wishes.next().expect("one of the wishes is understood");
                act.send(Act::Say(wish.into())).unwrap();
            }
        }
        heard.iter().any(|text| text.contains(ANSWER)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_figures_traces_and_a_log_without_anything_of_callers() {
    let (endpoint, bodies) = collector().await;
    let answer = || json!({ "order_number": KEYS, "status": "delayed", "expected": ANSWER });
    let order = async move || Json(answer());
    let orders = serve(Router::new().route("/orders/{number}", get(order))).await;
    let root = env!("CARGO_MANIFEST_DIR");
    let mut service = Serving::start(&format!(
        "[telemetry]\notlp_endpoint = \"{endpoint}\"\n[sip]\nno_ack_s = 5\n\
         [log]\nfilter = \"trace\"\nformat = \"json\"\n\
         [store]\nrecording = true\nkeep_inputs = true\nkeep_timelines_days = 30\n\
         [[route]]\nto = \"*\"\nflow = \"{root}/flows/parcel.yaml\"\n\
         variables = {{ service = \"{orders}\" }}"
    ));
    ask_in_vain(&service).await;
    let phone = phone().await;
    let uri = service.uri(NUMBER);
    let (act, director) = unbounded_channel();
    let talk =
        tokio::spawn(
            async move { phone.ring_directed(&uri, Script::default(), director, LIMIT).await },
        );
    let call = service.api.call_of("caller").await;
    let id = call["id"].as_str().unwrap().to_owned();
    answer_questions(&service, &id, &act).await;
    act.send(Act::HangUp).unwrap();
    talk.await.unwrap().unwrap();
    service.api.until_live(0).await;
    until("the last seat, and the recognizer back", async || {
        let page = service.api.text("/metrics").await;
        let free = "cordboard_recognizers{state=\"free\"} 1\n";
        (page.contains("cordboard_calls_active 0\n") && page.contains(free)).then_some(())
    })
    .await;

    let page = service.api.text("/metrics").await;
    assert_page_is_well_formed(&page);
    for line in [
        "cordboard_calls_active 0",
        "cordboard_tools_total{verdict=\"done\"} 1",
        "cordboard_draining 0",
        "cordboard_settings_version 1",
    ] {
        assert!(page.lines().any(|it| it == line), "no {line} in\n{page}");
    }
    let number = |name: &str| -> f64 {
        let line = page.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name}")).trim().parse().unwrap()
    };
    // Some of the requests sent in vain ring until nobody acknowledges.
    assert!(number("cordboard_calls_begun_total{leg=\"phone\"} ") >= 2.0);
    assert!(number("cordboard_calls_answered_total ") >= 1.0);
    assert!(number("cordboard_turn_response_seconds_count ") >= 1.0);
    assert!(number("cordboard_keys_total ") >= 6.0);
    assert!(number("cordboard_rtp_packets_received_total{leg=\"caller\"} ") > 100.0);
    assert!(number("cordboard_media_tick_lateness_seconds_count ") > 100.0);
    assert!(number("process_resident_memory_bytes ") > 1e6);
    assert!(number("process_open_fds ") > 5.0);

    service.signal("TERM");
    assert_eq!(service.exit().await.code(), Some(0));
    assert_spans(&spans(&bodies), &id);

    let log = service.log();
    assert!(log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    assert!(log.contains("stopped"), "{log}");
    let sent: Vec<u8> = bodies.lock().unwrap().iter().flat_map(|it| it.to_vec()).collect();
    let sent = String::from_utf8_lossy(&sent);
    for canary in [NUMBER, NAME, KEYS, HEADER, ANSWER].into_iter().chain(WISHES) {
        for (place, text) in [("log", log.as_str()), ("metrics", &page), ("traces", &sent)] {
            let found = text.lines().find(|line| line.contains(canary));
            assert_eq!(found, None, "{canary} in the {place}");
        }
    }
}

/// The trace of the call: its own span, turns with their parts, and the tool.
fn assert_spans(spans: &[Span], id: &str) {
    let trace = ulid::Ulid::from_string(id).unwrap().to_bytes();
    let of = |name: &'static str| {
        spans.iter().filter(move |span| span.trace_id == trace && span.name == name)
    };
    let call = of("call").next().expect("a span of the call");
    assert!(call.parent_span_id.is_empty() || call.parent_span_id.iter().all(|byte| *byte == 0));
    let turn = of("turn").next().expect("a turn");
    assert_eq!(turn.parent_span_id, call.span_id);
    for part in ["end_of_turn", "recognition", "answer"] {
        let parts: Vec<_> = of(part).filter(|it| it.parent_span_id == turn.span_id).collect();
        assert_eq!(parts.len(), 1, "{part}");
        assert!(parts[0].start_time_unix_nano >= turn.start_time_unix_nano, "{part}");
        assert!(parts[0].end_time_unix_nano <= turn.end_time_unix_nano, "{part}");
    }
    assert_eq!(of("tool order_lookup").count(), 1);
}

/// As promtool checks: names, types before samples, labels, numbers, histograms that grow.
fn assert_page_is_well_formed(page: &str) {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let (mut family, mut kind, mut seen) = (String::new(), "", std::collections::HashSet::new());
    let mut below = 0.0;
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(is_name(name) && !help.is_empty(), "{line}");
            assert!(seen.insert(format!("# {name}")), "{name} twice");
            family = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, its_kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, family, "{line}");
            assert!(["counter", "gauge", "histogram"].contains(&its_kind), "{line}");
            assert_eq!(its_kind == "counter", name.ends_with("_total"), "{line}");
            kind = its_kind;
            below = 0.0;
        } else {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
            assert!(value >= 0.0 && value.is_finite(), "{line}");
            let name = sample.split('{').next().unwrap();
            let suffix = name.strip_prefix(&family).unwrap_or_else(|| panic!("{line}"));
            let allowed: &[&str] =
                if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            assert!(allowed.contains(&suffix), "{line}");
            if suffix == "_bucket" {
                assert!(value >= below, "{line}");
                below = value;
            }
            assert!(seen.insert(sample.to_owned()), "{sample} twice");
        }
    }
    assert!(seen.len() > 100, "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_costs_calls_nothing_and_the_loss_is_counted() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let service = Serving::start(&format!("[telemetry]\notlp_endpoint = \"http://{gone}\""));
    let hang_up = Step { when: When::Answered(Duration::from_secs(2)), act: Act::HangUp };
    let talk = phone().await.ring(&service.uri("short"), Script::new([hang_up]), PATIENCE).await;
    assert!(talk.unwrap().far.len() > 8_000, "the call is as any");
    until("spans given up", async || {
        let page = service.api.text("/metrics").await;
        let name = "cordboard_trace_spans_dropped_total ";
        let dropped = page.lines().find_map(|line| line.strip_prefix(name))?;
        (dropped != "0").then_some(())
    })
    .await;
    assert!(service.log().contains("takes no traces"));
}

/// Settings that are refused, each for another reason, behind something that would change.
fn wrong_settings(sales: &str) -> [String; 4] {
    [
        format!("{sales}[sip]\ncalls_max = 0"),
        format!("{sales}[[route]]\nto = \"*\"\nflow = \"/nowhere.yaml\""),
        format!("{sales}[log]\nfilter = \"cordboard=loud\""),
        format!(
            "{sales}[sip]\ntrusted = []\n\
             [[agent]]\nname = \"a\"\nuri = \"sip:a@127.0.0.1\"\nqueues = [\"x\"]"
        ),
    ]
}

/// The desk hears of new agents a moment after the settings were taken.
async fn until_ada_is_free(service: &Serving) {
    until("the new agent", async || {
        let page = service.api.text("/metrics").await;
        let agents = service.api.get("/v1/agents").await;
        let free = page.contains("cordboard_agents{state=\"free\"} 1\n");
        (free && agents[0]["name"] == "ada").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_takes_new_settings_whole_or_not_at_all() {
    let manager = tempfile::TempDir::new().unwrap();
    let path = manager.path().join("notify");
    let words = tokio::net::UnixDatagram::bind(&path).unwrap();
    let mut service = Serving::start_with("", &[("NOTIFY_SOCKET", path.to_str().unwrap())]);
    let told = async |expected: &str| {
        let mut word = [0; 64];
        let length = tokio::time::timeout(PATIENCE, words.recv(&mut word)).await.unwrap().unwrap();
        assert_eq!(String::from_utf8_lossy(&word[..length]), expected);
    };
    told("READY=1").await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let root = env!("CARGO_MANIFEST_DIR");
    let sales = format!("[[route]]\nto = \"sales\"\nflow = \"{root}/tests/outside/short.yaml\"\n");
    let reload = async |changes: &str| {
        settings(service.folder().path(), changes);
        service.signal("HUP");
        told("RELOADING=1").await;
        told("READY=1").await;
    };
    let invite = async |user: &str, number| {
        let text = request("INVITE", &service.uri(user), &socket, number, "Content-Length: 0\r\n");
        ask(&socket, &service, &text).await
    };
    assert_eq!(service.status("/readyz").await, 200);

    // Whatever is wrong, nothing of it is taken.
    for wrong in wrong_settings(&sales) {
        reload(&wrong).await;
        let page = service.api.text("/metrics").await;
        assert!(page.contains("cordboard_settings_version 1\n"), "{wrong}");
    }
    assert_eq!(invite("sales", 1).await, 404);
    let log = service.log();
    assert_eq!(log.matches("the old ones serve on").count(), 4, "{log}");
    for part in ["sip.calls_max", "/nowhere.yaml", "cordboard=loud", "agent.0.queues"] {
        assert!(log.contains(part), "no {part} in {log}");
    }

    // A call under way keeps its flow while others meet the new one.
    let parcel = service.uri("parcel");
    let hang_up = Step { when: When::Quiet(Duration::from_secs(60)), act: Act::HangUp };
    let (stop, director) = unbounded_channel();
    let phone = phone().await;
    let talk = tokio::spawn(async move {
        phone.ring_directed(&parcel, Script::new([hang_up]), director, PATIENCE).await
    });
    service.api.until_live(1).await;
    let agent = "[[queue]]\nname = \"service\"\n[[agent]]\nname = \"ada\"\n\
                 uri = \"sip:ada@127.0.0.1:9\"\nqueues = [\"service\"]\n";
    reload(&format!("{sales}{agent}[sip]\nlisten_udp = \"127.0.0.1:1\"\ncalls_max = 1")).await;
    let page = service.api.text("/metrics").await;
    assert!(page.contains("cordboard_settings_version 2\n"), "{page}");
    assert!(page.contains("cordboard_reloads_total{result=\"refused\"} 4\n"), "{page}");
    until_ada_is_free(&service).await;
    assert_eq!(invite("parcel", 2).await, 404, "the route is gone");
    assert_eq!(invite("sales", 3).await, 503, "the one call that may be is there");
    stop.send(Act::Key("9".to_owned())).unwrap();
    stop.send(Act::HangUp).unwrap();
    assert!(!talk.await.unwrap().unwrap().ended_by_far);
    let call = service.api.ended_call_of("caller").await;
    assert_eq!((&call["flow"], &call["cause"]), (&"parcel".into(), &"bye".into()), "{call}");
    let log = service.log();
    assert!(log.contains("sip.listen_udp") && log.contains("wait for a restart"), "{log}");

    // Media is secured from now on, which without TLS nobody's can be.
    reload("[sip]\nsrtp = \"require\"").await;
    assert_eq!(invite("parcel", 4).await, 488);

    // Nobody is trusted any more.
    reload("[sip]\ntrusted = []").await;
    assert_eq!(invite("parcel", 5).await, 403);
    service.signal("TERM");
    told("STOPPING=1").await;
    assert_eq!(service.exit().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn options_and_readiness_send_calls_elsewhere_from_sigterm_on() {
    let mut service = Serving::start("[shutdown]\ndrain_s = 1");
    let phone = phone().await;
    let uri = service.uri("parcel");
    let talk = tokio::spawn(async move { phone.ring(&uri, Script::default(), PATIENCE).await });
    service.api.until_live(1).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let options = async |number| {
        let to = service.uri("any");
        ask(&socket, &service, &request("OPTIONS", &to, &socket, number, "Content-Length: 0\r\n"))
            .await
    };
    assert_eq!((options(0).await, service.status("/readyz").await), (200, 200));
    service.signal("TERM");
    let began = clock::monotonic();
    let mut number = 0;
    while options(number + 1).await != 503 {
        number += 1;
        assert!(clock::monotonic() - began < PATIENCE, "OPTIONS is still answered 200");
    }
    let took_ms = (clock::monotonic() - began).as_millis();
    eprintln!("OPTIONS is answered 503 {took_ms} ms after SIGTERM, the {number} before it 200");
    assert_eq!((service.status("/readyz").await, service.status("/healthz").await), (503, 200));
    assert!(talk.await.unwrap().unwrap().ended_by_far, "told goodbye after the drain time");
    assert_eq!(service.exit().await.code(), Some(0));
}

#[test]
fn check_tells_every_fault_at_once_and_disturbs_nobody() {
    let folder = tempfile::TempDir::new().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let broken = folder.path().join("broken.yaml");
    std::fs::write(&broken, "name: broken\nmenu: 5\n").unwrap();
    let config = settings(
        folder.path(),
        &format!(
            "[sip]\ncalls_max = 0\nlisten_tcp = \"{address}\"\nlisten_upd = \"off\"\n\
             [models]\nvoice = \"nobody\"\nsilero_weights = \"/nowhere.onnx\"\nvad = \"silero\"\n\
             [[remote.voice]]\nform = \"cartesia\"\nurl = \"wss://voice.example/\"\n\
             speaker = \"a\"\nkey_env = \"CORDBOARD_NO_SUCH_KEY\"\n\
             [[route]]\nto = \"a\"\nflow = \"{}\"\n\
             [[route]]\nto = \"b\"\nflow = \"/nowhere.yaml\"\n\
             [[queue]]\nname = \"q\"\n\
             [[agent]]\nname = \"ada\"\nuri = \"sip:ada@192.0.2.7\"\nqueues = [\"q\"]",
            broken.display()
        ),
    );
    let output = run(&["check", config.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout);
    for part in [
        "sip.calls_max",
        "listen_upd",
        "sip.listen_tcp",
        "broken.yaml:2",
        "/nowhere.yaml",
        "/nowhere.onnx",
        "nobody",
        "remote.voice.0.key_env names CORDBOARD_NO_SUCH_KEY",
        "ada cannot be rung: 192.0.2.7",
    ] {
        let line = said.lines().find(|line| line.starts_with("fault: ") && line.contains(part));
        assert!(line.is_some(), "no fault with {part} in\n{said}");
    }
    let output = run(&["check", config.to_str().unwrap(), "--json"]);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["ok"], false);
    assert!(told["faults"].as_array().unwrap().len() >= 8, "{told}");
    assert!(!folder.path().join("data").exists(), "a check leaves nothing behind");

    let service = Serving::start("");
    let config = service.folder().path().join("c.toml");
    let output = run(&["check", config.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("a service runs") && said.contains("no faults"), "{said}");
}
