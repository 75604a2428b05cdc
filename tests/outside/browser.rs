//! Calls from browsers, the browser played by a client of ours; Chromium's are in `web/tests`.

use std::path::Path;
use std::time::Duration;

use cordboard::replay::calls::{Came, Line, LineFault, WhipCall, WhipTarget};
use cordboard_audio::codec::{Codec, Decoder, Encoder};
use cordboard_audio::level::rms;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::{
    Baresip, PATIENCE, Serving, digits, find, has, loudest_second, pass, spoken, until,
};

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Samples of 20 ms at Opus' 16 kHz.
const FRAME: usize = 320;

pub(crate) fn base(service: &Serving) -> String {
    format!("http://{}", service.api.address())
}

pub(crate) async fn token(
    service: &Serving,
    flow: &str,
    origin: Option<&str>,
) -> reqwest::Response {
    let asking = reqwest::Client::new().post(format!("{}/v1/tokens", base(service)));
    let asking = asking.json(&json!({ "flow": flow }));
    let asking = match origin {
        Some(origin) => asking.header("origin", origin),
        None => asking,
    };
    asking.send().await.unwrap()
}

pub(crate) async fn given_token(service: &Serving) -> String {
    let given: Value = token(service, "parcel", None).await.json().await.unwrap();
    given["token"].as_str().unwrap().to_owned()
}

pub(crate) async fn connect(service: &Serving) -> Socket {
    connect_async(format!("ws://{}/v1/browser-calls", service.api.address())).await.unwrap().0
}

pub(crate) async fn say(socket: &mut Socket, message: Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

/// The next message of this kind.
pub(crate) async fn awaits(socket: &mut Socket, kind: &str) -> Value {
    let found = async {
        loop {
            let message = socket.next().await.expect("an open connection").unwrap();
            let Message::Text(text) = message else { continue };
            let message: Value = serde_json::from_str(&text).unwrap();
            if message["type"] == kind {
                return message;
            }
        }
    };
    let found = tokio::time::timeout(PATIENCE, found).await;
    found.unwrap_or_else(|_| panic!("waited in vain for `{kind}`"))
}

/// The code of the refusal, and the close's.
pub(crate) async fn refused(mut socket: Socket) -> (String, u16) {
    let error = awaits(&mut socket, "error").await;
    assert!(!error["message"].as_str().unwrap().is_empty(), "{error}");
    assert!(!error["remedy"].as_str().unwrap().is_empty(), "{error}");
    let closed = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap();
    let Some(Ok(Message::Close(Some(frame)))) = closed else { panic!("{closed:?}") };
    (error["code"].as_str().unwrap().to_owned(), frame.code.into())
}

/// A browser's connection, and its offer.
pub(crate) async fn offer() -> Result<(Line, String), LineFault> {
    Line::offer([127, 0, 0, 1].into()).await
}

/// What has come since it was asked last.
pub(crate) fn came(line: &Line) -> Vec<Came> {
    line.came().try_iter().collect()
}

/// Begins a call by the page's WebSocket.
async fn begin(service: &Serving) -> (Socket, Line, Value) {
    let (line, offer) = offer().await.unwrap();
    begin_with(service, line, offer).await
}

async fn begin_with(service: &Serving, mut line: Line, offer: String) -> (Socket, Line, Value) {
    let mut socket = connect(service).await;
    let token = given_token(service).await;
    say(&mut socket, json!({ "type": "begin", "token": token, "sdp": offer })).await;
    let answer = awaits(&mut socket, "answer").await;
    // This client has no trickle: the candidate is put into the answer.
    let candidate = awaits(&mut socket, "candidate").await;
    let candidate = candidate["candidate"]["candidate"].as_str().unwrap();
    let sdp = format!("{}a={candidate}\r\n", answer["sdp"].as_str().unwrap());
    line.accept(sdp).await.unwrap();
    (socket, line, answer)
}

pub(crate) fn decoded(came: &[Came]) -> Vec<f32> {
    let mut decoder = Decoder::new(Codec::Opus);
    let mut heard = Vec::new();
    for packet in came {
        let mut samples = [0.0; 3 * FRAME];
        let made = decoder.decode_into(&packet.payload, &mut samples);
        heard.extend_from_slice(&samples[..made]);
    }
    heard
}

/// Sends so many frames of a sound at 8 kHz, and silence behind it.
pub(crate) async fn speak(line: &mut Line, encoder: &mut Encoder, narrow: &[f32], frames: usize) {
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    for n in 0..frames {
        tick.tick().await;
        let at = |sample: usize| narrow.get(n * FRAME / 2 + sample / 2).copied().unwrap_or(0.0);
        let frame: [f32; FRAME] = std::array::from_fn(at);
        let mut payload = [0; FRAME];
        let len = encoder.encode_into(&frame, &mut payload);
        line.send(&payload[..len]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_from_a_page_is_greeted_captioned_keyed_and_ended() {
    let service = Serving::start("");
    let (mut socket, mut line, answer) = begin(&service).await;
    let id = answer["call"].as_str().unwrap().to_owned();
    let mut encoder = Encoder::new(Codec::Opus);
    // Silence, so that somebody is there.
    speak(&mut line, &mut encoder, &[], 150).await;
    let line_begun = awaits(&mut socket, "assistant").await;
    assert!(line_begun["text"].as_str().unwrap().len() > 5, "{line_begun}");
    let words = |it: &Value, of: &str| it[of].as_str().unwrap().split(' ').count();
    assert!(words(&line_begun, "heard") <= words(&line_begun, "text"));
    let heard = decoded(&came(&line));
    let loudest = heard.chunks(1_600).map(rms).fold(0.0, f32::max);
    assert!(loudest > 0.02, "the greeting is heard: {loudest}");
    say(&mut socket, json!({ "type": "key", "digit": "7" })).await;
    service.api.entry(&id, |entry| entry["what"] == "keyed" && entry["digit"] == "7").await;
    say(&mut socket, json!({ "type": "bye" })).await;
    let ended = awaits(&mut socket, "ended").await;
    assert_eq!(ended["cause"], "bye", "{ended}");
    let call = service.api.ended_call_of("browser:").await;
    assert_eq!((&call["leg"], &call["cause"]), (&json!("browser"), &json!("bye")), "{call}");
    let keys = service.api.timeline(&id).await;
    let keys = keys.iter().filter(|entry| entry["what"] == "keyed").count();
    assert_eq!(keys, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_whose_websocket_breaks_takes_its_call_up_again_and_nobody_else_does() {
    let service = Serving::start("");
    let (socket, mut line, answer) = begin(&service).await;
    let (call, secret) = (answer["call"].clone(), answer["resume"].clone());
    let mut encoder = Encoder::new(Codec::Opus);
    speak(&mut line, &mut encoder, &[], 25).await;
    drop(socket);
    // Meanwhile something is said to its end.
    speak(&mut line, &mut encoder, &[], 200).await;
    let offer = line.offer_anew().await.unwrap();
    for (call, secret) in [(call.clone(), json!("wrong")), (json!("01NOSUCHCALL"), secret.clone())]
    {
        let mut stranger = connect(&service).await;
        let resume = json!({ "type": "resume", "call": call, "resume": secret, "sdp": offer });
        say(&mut stranger, resume).await;
        assert_eq!(refused(stranger).await, ("no_such_call".to_owned(), 4_000));
    }
    let mut socket = connect(&service).await;
    say(&mut socket, json!({ "type": "resume", "call": call, "resume": secret, "sdp": offer }))
        .await;
    let answer = awaits(&mut socket, "answer").await;
    assert_eq!(answer["call"], call);
    let missed = awaits(&mut socket, "assistant").await;
    assert_eq!(missed["done"], true, "what was said meanwhile is shown: {missed}");
    let state = awaits(&mut socket, "state").await;
    assert!(state["state"].is_string(), "it is shown how things stand: {state}");
    assert_eq!(service.api.calls_live().await, 1);
    say(&mut socket, json!({ "type": "bye" })).await;
    awaits(&mut socket, "ended").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_away_for_too_long_is_hung_up_on_and_the_call_says_why() {
    let service = Serving::start("[browser]\naway_s = 5");
    // As a tab that is killed: no goodbye of any kind.
    let browser = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (line, offer) = browser.spawn(offer()).await.unwrap().unwrap();
    let (_socket, _line, answer) = begin_with(&service, line, offer).await;
    let id = answer["call"].as_str().unwrap().to_owned();
    browser.shutdown_background();
    service.api.entry(&id, |entry| entry["what"] == "held").await;
    let call = service.api.ended_call_of("browser:").await;
    assert_eq!(call["outcome"], "failed", "{call}");
    assert_eq!(call["cause"], "signalling lost", "{call}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_one_call_of_its_flow_for_a_while() {
    let service = Serving::start("[browser]\ntoken_s = 5");
    let (_, offer) = offer().await.unwrap();
    let opens = async |token: &str| {
        let mut socket = connect(&service).await;
        say(&mut socket, json!({ "type": "begin", "token": token, "sdp": offer })).await;
        socket
    };
    assert_eq!(refused(opens("nonsense").await).await.0, "token_unknown");
    let token = given_token(&service).await;
    let mut first = opens(&token).await;
    awaits(&mut first, "answer").await;
    assert_eq!(refused(opens(&token).await).await.0, "token_spent");
    let old = given_token(&service).await;
    pass(Duration::from_secs(6)).await;
    assert_eq!(refused(opens(&old).await).await.0, "token_expired");
    let other = given_token(&service).await;
    let posting = reqwest::Client::new().post(format!("{}/v1/whip/short", base(&service)));
    let posting = posting.bearer_auth(&other).header("content-type", "application/sdp").body(offer);
    let answer = posting.send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 401, "a token of another flow");
    let why: Value = answer.json().await.unwrap();
    assert_eq!(why["error"]["code"], "call_token_unfit", "{why}");
    let nobody = super::browser::token(&service, "nobody", None).await;
    assert_eq!(nobody.status().as_u16(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_are_refused_and_named_ones_may_call() {
    let service =
        Serving::start("[browser]\norigins = [\"https://shop.example\"]\ntokens_a_minute = 3");
    let own = base(&service);
    for (origin, status) in [
        ("https://evil.example", 403),
        ("null", 403),
        ("https://shop.example", 201),
        (own.as_str(), 201),
        (own.as_str(), 201),
        // The fourth of this address within the minute.
        (own.as_str(), 429),
    ] {
        let answer = token(&service, "parcel", Some(origin)).await;
        assert_eq!(answer.status().as_u16(), status, "{origin}");
        let allowed = answer.headers().get("access-control-allow-origin").cloned();
        // A foreign page may read why it is refused.
        assert_eq!(allowed, Some(origin.parse().unwrap()), "{origin}");
        assert!(!answer.headers().contains_key("access-control-allow-credentials"), "{origin}");
        assert_eq!(answer.headers().contains_key("retry-after"), status == 429);
        let told: Value = answer.json().await.unwrap();
        let code = &told["error"]["code"];
        assert_eq!(*code == "foreign_origin", status == 403, "{origin}: {told}");
        assert_eq!(told["token"].is_string(), status == 201, "{origin}: {told}");
    }
    // The question that a browser asks before, of any page: what is asked then is refused.
    let asking =
        reqwest::Client::new().request(reqwest::Method::OPTIONS, format!("{own}/v1/tokens"));
    let allows = asking.header("origin", "https://evil.example").send().await.unwrap();
    assert_eq!(allows.headers()["access-control-allow-origin"], "https://evil.example");
    assert_eq!(allows.headers()["access-control-allow-headers"], "Content-Type");
    let url = format!("ws://{}/v1/browser-calls", service.api.address());
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("origin", "https://evil.example".parse().unwrap());
    let refused = connect_async(request).await;
    let told = format!("{:?}", refused.expect_err("a foreign page does not connect"));
    assert!(told.contains("403"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_api_token_programs_must_show_it_and_pages_may_be_kept_out() {
    let service =
        Serving::start("[api]\ntoken = \"0123456789abcdef0123\"\n[browser]\nanyone = false");
    let own = base(&service);
    assert_eq!(token(&service, "parcel", None).await.status().as_u16(), 401);
    assert_eq!(token(&service, "parcel", Some(&own)).await.status().as_u16(), 401);
    let asking = reqwest::Client::new().post(format!("{own}/v1/tokens"));
    let asking = asking.bearer_auth("0123456789abcdef0123").json(&json!({ "flow": "parcel" }));
    assert_eq!(asking.send().await.unwrap().status().as_u16(), 201);
}

/// What breaks a parser of descriptions, where it is there.
fn hostile() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/sip");
    let files = ["sdp-bombs", "media-attacks"].into_iter().flat_map(|name| {
        let entries = std::fs::read_dir(folder.join(name)).into_iter().flatten();
        entries.filter_map(|entry| std::fs::read(entry.ok()?.path()).ok())
    });
    let mut texts: Vec<String> =
        files.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
    texts.extend(["", "v=0", "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"].map(str::to_owned));
    texts.push("a=".repeat(20_000));
    texts
}

#[tokio::test(flavor = "multi_thread")]
async fn descriptions_candidates_and_messages_that_make_no_sense_are_refused_and_others_go_on() {
    let service = Serving::start("[browser]\ntokens_a_minute = 1000");
    let (mut other, mut line, answer) = begin(&service).await;
    let mut encoder = Encoder::new(Codec::Opus);
    let mut tried = 0;
    for text in hostile() {
        let mut socket = connect(&service).await;
        let begin = json!({ "type": "begin", "token": given_token(&service).await, "sdp": text });
        socket.send(Message::text(begin.to_string())).await.unwrap();
        let first = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap();
        // What is too long for a message is not read at all.
        if let Some(Ok(Message::Text(told))) = first {
            assert!(told.contains("\"code\":\"malformed\""), "{told}");
        }
        tried += 1;
        speak(&mut line, &mut encoder, &[], 2).await;
    }
    for message in ["", "{", "[]", "{\"type\":\"no\"}", "{\"type\":\"key\",\"digit\":\"5\"}"] {
        let mut socket = connect(&service).await;
        socket.send(Message::text(message)).await.unwrap();
        assert_eq!(refused(socket).await, ("malformed".to_owned(), 4_000), "{message}");
    }
    for candidate in
        [json!({}), json!({ "candidate": "candidate:" }), json!({ "candidate": "x y" })]
    {
        say(&mut other, json!({ "type": "candidate", "candidate": candidate })).await;
    }
    came(&line);
    speak(&mut line, &mut encoder, &[], 50).await;
    assert!(came(&line).len() > 20, "the call before goes on");
    let id = answer["call"].as_str().unwrap();
    assert_eq!(service.api.get(&format!("/v1/calls/{id}")).await["ended"], Value::Null);
    assert!(!service.log().contains("panicked"), "{}", service.log());
    println!("{tried} descriptions refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_its_own_calls_by_whip_is_spoken_to_and_hangs_up() {
    let service = Serving::start("");
    let url = format!("{}/v1/whip/parcel", base(&service));
    let target = WhipTarget { url, token: None };
    let here = [127, 0, 0, 1].into();
    let call = WhipCall::ring(&target, &[here], here).await.unwrap();
    let place = call.place().unwrap().to_owned();
    let mut line = call.line;
    let mut encoder = Encoder::new(Codec::Opus);
    speak(&mut line, &mut encoder, &[], 120).await;
    let heard = decoded(&came(&line));
    assert!(heard.chunks(1_600).map(rms).fold(0.0, f32::max) > 0.02);
    let client = reqwest::Client::new();
    let fragment = "a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n";
    let patch = client.patch(&place).header("content-type", "application/trickle-ice-sdpfrag");
    let patch = patch.header("if-match", "*").body(fragment);
    assert_eq!(patch.send().await.unwrap().status().as_u16(), 204);
    let wrong = format!("{}x", place);
    assert_eq!(client.delete(&wrong).send().await.unwrap().status().as_u16(), 404);
    assert_eq!(client.delete(&place).send().await.unwrap().status().as_u16(), 200);
    let call = service.api.ended_call_of("browser:").await;
    assert_eq!(call["cause"], "bye", "{call}");
    until("an end", async || line.is_over().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_in_a_browser_and_an_agents_phone_hear_each_other() {
    if !has("baresip", "baresip-core") {
        return;
    }
    let mut baresip = Baresip::start("ada", &digits("rms", 100)).await;
    let service = Serving::start(&format!(
        "[[queue]]\nname = \"service\"\n\
         [[agent]]\nname = \"ada\"\nuri = \"{}\"\nqueues = [\"service\"]",
        baresip.uri,
    ));
    let (mut socket, mut line, answer) = begin(&service).await;
    let id = answer["call"].as_str().unwrap().to_owned();
    let mut encoder = Encoder::new(Codec::Opus);
    speak(&mut line, &mut encoder, &[], 50).await;
    say(&mut socket, json!({ "type": "person" })).await;
    let says = digits("slt", 500);
    let agent = async {
        service.api.entry(&id, |entry| entry["what"] == "agent_answered").await;
        pass(Duration::from_secs(2)).await;
        baresip.command("sndcode", "1").await;
        service.api.entry(&id, |entry| entry["what"] == "bridged").await;
        pass(Duration::from_secs(6)).await;
    };
    let speaking = async {
        loop {
            speak(&mut line, &mut encoder, &says, says.len() / 160).await;
        }
    };
    tokio::select! {
        () = agent => {}
        () = speaking => {}
    }
    let with_ada = async {
        loop {
            let state = awaits(&mut socket, "state").await;
            if state["agent"] == "ada" {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, with_ada).await.expect("the page says with whom");
    let came = came(&line);
    say(&mut socket, json!({ "type": "bye" })).await;
    let call = service.api.ended_call_of("browser:").await;
    assert_eq!(
        (&call["outcome"], &call["agent"]),
        (&"handed_over".into(), &"ada".into()),
        "{call}"
    );
    let wide = decoded(&came);
    let narrow: Vec<f32> = wide.as_chunks::<2>().0.iter().map(|[a, b]| (a + b) / 2.0).collect();
    let last = |samples: &[f32]| samples.len() - 4 * 8_000..samples.len() - 2 * 8_000;
    let (_, of_agent) = loudest_second(&narrow, last(&narrow));
    let from_agent = find(of_agent, &baresip.recording("enc"));
    let heard_by_agent = baresip.recording("dec");
    let (_, of_caller) = loudest_second(&heard_by_agent, last(&heard_by_agent));
    let from_caller = find(of_caller, &says);
    println!("agent at caller {from_agent:?}, caller at agent {from_caller:?}");
    assert!(from_agent.fit > 0.8 && from_caller.fit > 0.8, "{from_agent:?} {from_caller:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn words_said_into_a_browser_are_understood_and_shown() {
    let service = Serving::start("");
    let (mut socket, mut line, answer) = begin(&service).await;
    let id = answer["call"].as_str().unwrap().to_owned();
    let mut encoder = Encoder::new(Codec::Opus);
    let asks = spoken("rms", &["where is my order".to_owned()]);
    let understood = async {
        loop {
            let said = awaits(&mut socket, "caller").await;
            if said["final"] == true && said["text"].as_str().is_some_and(|it| it.contains("order"))
            {
                return said;
            }
        }
    };
    let speaking = async {
        speak(&mut line, &mut encoder, &[], 400).await;
        loop {
            speak(&mut line, &mut encoder, &asks, asks.len() / 160 + 300).await;
        }
    };
    tokio::select! {
        said = understood => println!("{said}"),
        () = speaking => {}
    }
    service.api.entry(&id, |entry| entry["what"] == "understood").await;
}
