//! The language model against a server that streams what the test says, whole and broken.

use std::sync::Arc;
use std::time::Duration;

use cordboard_models::remote::{
    Chat, ChatConfig, ChatEvent, ChatLimits, ChatMessage, ChatRequest, ChatRole, FinishReason,
    RemoteFault, RemoteRanking, Scheme, ToolChoice, Usage,
};
use cordboard_models::speech::{EngineFault, Intent, LanguageModel};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::support::{KEY, Log, Server, key, network, read_request, write};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

/// How long a server is waited for.
const WITHIN: Duration = Duration::from_secs(20);

/// What happens to a request.
#[derive(Clone)]
enum Way {
    /// These events, then the end of the stream.
    Says(Vec<String>),
    /// These events, then nothing for ever.
    Stalls(Vec<String>),
    /// These events, then the connection is broken off, as by a host that dies; where there are
    /// none, before the answer has begun.
    Resets(Vec<String>),
    /// Tokens without end.
    Endless,
    /// A status, and a header.
    Refuses(u16, &'static str),
}

async fn serve(way: Way, mut stream: TcpStream, log: Log) {
    log.add(read_request(&mut stream).await);
    match way {
        Way::Says(events) => {
            write(&mut stream, HEAD).await;
            for event in events {
                write(&mut stream, &format!("data: {event}\n\n")).await;
            }
        }
        Way::Stalls(events) => {
            write(&mut stream, HEAD).await;
            for event in events {
                write(&mut stream, &format!("data: {event}\n\n")).await;
            }
            std::future::pending::<()>().await;
        }
        Way::Resets(events) => {
            for (index, event) in events.iter().enumerate() {
                let head = if index == 0 { HEAD } else { "" };
                write(&mut stream, &format!("{head}data: {event}\n\n")).await;
            }
            stream.set_zero_linger().expect("a socket");
        }
        Way::Endless => {
            write(&mut stream, HEAD).await;
            for _ in 0..2_000 {
                let token = text(&"word ".repeat(20));
                write(&mut stream, &format!("data: {token}\n\n")).await;
            }
        }
        Way::Refuses(status, header) => {
            let body = format!("{{\"error\":\"Incorrect API key provided: {KEY}\"}}");
            let length = body.len();
            let head = format!("HTTP/1.1 {status} No\r\n{header}content-length: {length}\r\n\r\n");
            write(&mut stream, &(head + &body)).await;
        }
    }
}

fn text(text: &str) -> String {
    json!({"id":"c","object":"chat.completion.chunk","choices":[
        {"index":0,"delta":{"content":text},"finish_reason":null}]})
    .to_string()
}

fn end(reason: &str) -> String {
    json!({"choices":[{"index":0,"delta":{},"finish_reason":reason}]}).to_string()
}

fn call(index: u32, id: &str, name: &str, arguments: &str) -> String {
    let function = json!({"name":name,"arguments":arguments});
    let call = json!({"index":index,"id":id,"type":"function","function":function});
    json!({"choices":[{"index":0,"delta":{"tool_calls":[call]}}]}).to_string()
}

/// Limits that no server here meets, however busy this machine is.
fn roomy() -> ChatLimits {
    ChatLimits {
        connect: WITHIN,
        first: WITHIN,
        between: WITHIN,
        whole: WITHIN,
        ..ChatLimits::default()
    }
}

fn chat(server: &Server, limits: ChatLimits) -> Chat {
    let address = server.url(Scheme::Http);
    let headers = vec![("x-team".to_owned(), "voice".to_owned())];
    let model = "gpt-test".to_owned();
    Chat::new(ChatConfig { address, key: key(), model, headers, limits }).expect("a client")
}

fn ask(way: Way) -> (Result<(), RemoteFault>, Vec<ChatEvent>, Vec<String>) {
    let _network = network();
    // Only the limit that a server is to break is short.
    let limits = match &way {
        Way::Stalls(events) if events.is_empty() => {
            ChatLimits { first: Duration::from_millis(400), ..roomy() }
        }
        Way::Stalls(_) => ChatLimits { between: Duration::from_millis(300), ..roomy() },
        _ => roomy(),
    };
    let server = Server::start(move |_, stream, log| serve(way.clone(), stream, log));
    let request = ChatRequest {
        messages: vec![ChatMessage { role: ChatRole::User, content: "hello".into() }],
        tools: Vec::new(),
        choice: ToolChoice::Auto,
        tokens_max: 50,
    };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut events = Vec::new();
    let chat = chat(&server, limits);
    let ended = runtime.block_on(chat.answer(&request, |event| events.push(event)));
    (ended, events, server.lines())
}

#[test]
fn text_comes_in_pieces_and_the_end_with_its_reason_and_cost() {
    let usage = json!({"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}});
    let events = vec![text("Good "), text("day."), end("stop"), usage.to_string(), "[DONE]".into()];
    let (ended, events, lines) = ask(Way::Says(events));
    assert_eq!(ended, Ok(()));
    let usage = Some(Usage { prompt_tokens: 9, completion_tokens: 2 });
    let expected = [
        ChatEvent::Text("Good ".into()),
        ChatEvent::Text("day.".into()),
        ChatEvent::Ended { reason: FinishReason::Stop, usage },
    ];
    assert_eq!(events, expected);
    let (head, body) = lines[0].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/chat/completions "), "{head}");
    assert!(head.contains(&format!("authorization: Bearer {KEY}")), "{head}");
    assert!(head.contains("x-team: voice"), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!((&body["stream"], &body["model"]), (&json!(true), &json!("gpt-test")));
}

#[test]
fn every_way_to_fail_has_its_own_name_and_none_repeats_the_key() {
    let half = vec![text("Your parcel")];
    let late = |what: &'static str, within_ms| RemoteFault::Late { what, within_ms };
    for (way, expected) in [
        (Way::Stalls(Vec::new()), late("a first token", 400)),
        (Way::Stalls(half.clone()), late("the next token", 300)),
        (Way::Says(half.clone()), RemoteFault::Closed),
        (Way::Says(Vec::new()), RemoteFault::Closed),
        (Way::Resets(half), RemoteFault::Closed),
        (Way::Resets(Vec::new()), RemoteFault::Closed),
        (Way::Endless, RemoteFault::Excess { limit: 16_384, unit: "bytes of text" }),
        (Way::Refuses(500, ""), RemoteFault::Refused { status: 500, retry_after: None }),
        (Way::Refuses(529, ""), RemoteFault::Refused { status: 529, retry_after: None }),
        (
            Way::Refuses(429, "retry-after: 3\r\n"),
            RemoteFault::Refused { status: 429, retry_after: Some(Duration::from_secs(3)) },
        ),
        (
            Way::Refuses(302, "location: http://127.0.0.1:1/\r\n"),
            RemoteFault::Refused { status: 302, retry_after: None },
        ),
    ] {
        let (ended, _, _) = ask(way);
        let fault = ended.unwrap_err();
        assert_eq!(fault, expected);
        assert!(!format!("{fault} {fault:?}").contains(KEY), "{fault:?}");
    }
    let (ended, _, _) = ask(Way::Says(vec!["{\"choices\":[".into()]));
    assert!(matches!(ended, Err(RemoteFault::Malformed { .. })), "{ended:?}");
}

#[test]
fn slow_tokens_end_at_the_limit_of_the_whole() {
    let server = Server::start(move |_, mut stream, _| async move {
        read_request(&mut stream).await;
        write(&mut stream, HEAD).await;
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        for _ in 0..100 {
            tick.tick().await;
            write(&mut stream, &format!("data: {}\n\n", text("a "))).await;
        }
    });
    let _network = network();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let request = ChatRequest {
        messages: Vec::new(),
        tools: Vec::new(),
        choice: ToolChoice::Auto,
        tokens_max: 50,
    };
    let limits = ChatLimits { whole: Duration::from_millis(1_500), ..roomy() };
    let ended = runtime.block_on(chat(&server, limits).answer(&request, |_| {}));
    assert_eq!(ended, Err(RemoteFault::Late { what: "the whole answer", within_ms: 1_500 }));
}

fn intents() -> [Intent; 2] {
    let intent = |name: &str, example: &str| Intent {
        name: Arc::from(name),
        examples: vec![example.to_owned()],
    };
    [intent("hours", "when are you open"), intent("status", "where is my parcel")]
}

#[test]
fn intents_are_ranked_by_a_tool_call_that_is_forced() {
    let arguments = r#"{"ranking":[{"intent":"status","probability":0.8}]}"#;
    let (first, second) = arguments.split_at(20);
    let events = vec![
        call(0, "c1", "rank_intents", first),
        call(0, "", "", second),
        end("tool_calls"),
        "[DONE]".into(),
    ];
    let way = Way::Says(events);
    let server = Server::start(move |_, stream, log| serve(way.clone(), stream, log));
    let network = network();
    let mut model = RemoteRanking::new(network, chat(&server, roomy()));
    let ranked = model.rank("it should be here by now", &intents()).unwrap();
    assert_eq!((&*ranked[0].name, ranked[0].probability), ("status", 0.8));
    assert!((ranked[1].probability).abs() < 1e-6);
    let body = server.lines()[0].split_once("\r\n\r\n").unwrap().1.to_owned();
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["tool_choice"]["function"]["name"], "rank_intents");
}

#[test]
fn a_model_that_is_refused_or_talks_instead_gives_a_fault_for_the_next_in_line() {
    let talk = Way::Says(vec![text("status"), end("stop")]);
    for (way, busy) in [(talk, false), (Way::Refuses(429, "retry-after: 3\r\n"), true)] {
        let server = Server::start(move |_, stream, log| serve(way.clone(), stream, log));
        let network = network();
        let mut model = RemoteRanking::new(network, chat(&server, roomy()));
        let fault = model.rank("hello", &intents()).unwrap_err();
        assert_eq!(matches!(fault, EngineFault::Busy { .. }), busy, "{fault}");
    }
}
