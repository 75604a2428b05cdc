//! A caller whom a language model answers: a carrier's call, and servers that speak the model's
//! real protocol; the preferred one fails.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cordboard_audio::level::rms;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::media_stream::{Carrier, SETTINGS};
use crate::support::{Serving, failed_start, settings, spoken};

const FLOW: &str = r#"
name: talk
greeting: "This is the automated assistant."
queues: [service]
menu:
  ask: "Yes?"
  reprompts: ["Please say something.", "Anything at all."]
  help: "Say hello."
intents:
  hello:
    title: "a talk"
    phrases: ["hello", "hello there"]
    steps:
      - answer:
          about: "depots"
          knowledge: "The depot is open from eight to six."
      - say: "That was all."
        end: true
"#;

/// A caller who has not been answered by then says it again.
const AGAIN_AFTER: Duration = Duration::from_secs(15);

/// A language model's host: refuses under `/bad`, answers under `/good`; keeps what it was asked.
struct Host {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl Host {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::default());
        let requests = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&requests)));
            }
        });
        Self { address, asked }
    }

    fn settings(&self) -> String {
        let each = ["bad", "good"].map(|name| {
            format!(
                "[[remote.language]]\nform = \"openai\"\nurl = \"http://{}/{name}\"\n\
                 model = \"m\"\nanswer_first_ms = 2000\n",
                self.address
            )
        });
        each.concat()
    }
}

async fn serve(mut stream: TcpStream, asked: Arc<Mutex<Vec<Value>>>) {
    let mut bytes = Vec::new();
    let (head, body) = loop {
        let mut buffer = [0; 4_096];
        let got = stream.read(&mut buffer).await.unwrap_or(0);
        bytes.extend_from_slice(&buffer[..got]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let whole = text.split_once("\r\n\r\n").and_then(|(head, body)| {
            let body: Value = serde_json::from_str(body).ok()?;
            Some((head.to_owned(), body))
        });
        match whole {
            Some(whole) => break whole,
            None if got == 0 => return,
            None => {}
        }
    };
    let answer = if head.starts_with("POST /bad/") {
        "HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n".to_owned()
    } else {
        let events: String =
            events(&body, &asked).iter().map(|event| format!("data: {event}\n\n")).collect();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close";
        format!("{head}\r\n\r\n{events}data: [DONE]\n\n")
    };
    let _ = stream.write_all(answer.as_bytes()).await;
}

fn events(body: &Value, asked: &Mutex<Vec<Value>>) -> Vec<Value> {
    let text = |text: &str| json!({ "choices": [{ "delta": { "content": text } }] });
    let call = |name: &str, arguments: &str| {
        let function = json!({ "name": name, "arguments": arguments });
        let called = json!([{ "index": 0, "id": "a", "function": function }]);
        json!({ "choices": [{ "delta": { "tool_calls": called } }] })
    };
    let end = |reason: &str| json!({ "choices": [{ "delta": {}, "finish_reason": reason }] });
    if body["tool_choice"]["function"]["name"] == "rank_intents" {
        // Where the recognizer did not catch the phrase.
        let ranking = r#"{"ranking":[{"intent":"hello","probability":0.99}]}"#;
        return vec![call("rank_intents", ranking), end("tool_calls")];
    }
    asked.lock().unwrap().push(body.clone());
    let words = ["The depot is", " open. It ", "closes at six", "."];
    let done = [call("caller_is_done", "{}"), end("tool_calls")];
    words.into_iter().map(text).chain(done).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_answered_by_a_language_model_though_the_first_one_fails() {
    let host = Host::start().await;
    let folder = TempDir::new().unwrap();
    let flow = folder.path().join("talk.yaml");
    std::fs::write(&flow, FLOW).unwrap();
    let service = Serving::start(&format!(
        "{SETTINGS}\n[[route]]\nto = \"talk\"\nflow = \"{}\"\n{}",
        flow.display(),
        host.settings()
    ));
    let mut carrier = Carrier::started(&service, "talk", "sip:asker@carrier").await;
    let quiet =
        |it: &Carrier| it.heard.len() > 4_800 && rms(&it.heard[it.heard.len() - 4_800..]) < 0.005;
    carrier.go_on("the question", |it| it.loudest() > 0.03 && quiet(it)).await;
    let id = service.api.call_of("asker").await["id"].as_str().unwrap().to_owned();
    let api = &service.api;
    let told = |entry: &Value| {
        entry["what"] == "prompt_ended" && entry["heard"].as_str() == Some("That was all.")
    };
    let mut is_told = false;
    for _ in 0..4 {
        // Again, where it was not understood.
        carrier.says = spoken("rms", &["hello there".to_owned()]).into();
        let over = AtomicBool::new(false);
        let wait = async {
            let entry = tokio::time::timeout(AGAIN_AFTER, api.entry(&id, told)).await;
            over.store(true, Ordering::Relaxed);
            entry.is_ok()
        };
        let gone_on = carrier.go_on("the answer", |_| over.load(Ordering::Relaxed));
        (is_told, _) = tokio::join!(wait, gone_on);
        if is_told {
            break;
        }
    }
    assert!(is_told, "{:#?}", api.timeline(&id).await);
    let timeline = api.timeline(&id).await;
    let of = |what: &'static str| timeline.iter().filter(move |entry| entry["what"] == what);
    for sentence in ["The depot is open.", "It closes at six."] {
        assert!(of("prompt_ended").any(|it| it["heard"] == sentence), "{timeline:#?}");
    }
    let failed = of("failed_over").find(|it| it["role"] == "language_model");
    let why = failed.expect("the first one failed")["why"].to_string();
    assert!(why.contains("500"), "{why}");
    for latency in of("latency") {
        let of = |name: &str| latency[name].as_u64().unwrap();
        println!(
            "{} ms from the end of a turn to the first sound",
            of("first_sound_ms") - of("turn_ended_ms")
        );
    }
    let asked = host.asked.lock().unwrap().clone();
    let said = |request: &Value| request["messages"].to_string();
    assert!(said(&asked[0]).contains("The depot is open from eight to six."), "{}", asked[0]);
    assert_eq!(asked[0]["messages"].as_array().unwrap().last().unwrap()["role"], "user");
    let metrics = api.text("/metrics").await;
    let counted = metrics.lines().any(|it| {
        it.starts_with("cordboard_failovers_total{role=\"language_model\"}") && !it.ends_with(" 0")
    });
    assert!(counted, "{metrics}");
    // The flow is at its end, and the call may be too.
    carrier.give(json!({ "event": "stop", "streamSid": "MZ1", "stop": {} })).await;
    carrier.go_on("the end", |_| false).await;
}

#[test]
fn a_flow_that_nobody_can_answer_stops_the_start() {
    let folder = TempDir::new().unwrap();
    let flow = folder.path().join("talk.yaml");
    std::fs::write(&flow, FLOW).unwrap();
    let route = format!("[[route]]\nto = \"talk\"\nflow = \"{}\"", flow.display());
    let output = failed_start(&settings(folder.path(), &route));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("flow talk has a step with `answer`"), "{said}");
    assert!(said.contains("[[remote.language]]"), "{said}");
}
