//! Calls that a carrier brings over a WebSocket, the carrier played by a client of ours.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
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

pub(crate) const TOKEN: &str = "a-carriers-long-secret";
pub(crate) const SETTINGS: &str = "[media_streams]\ntoken = \"a-carriers-long-secret\"";

/// A caller who has not been answered by then says it again.
const AGAIN_AFTER: Duration = Duration::from_secs(6);

/// A carrier's end of one call: plays what comes at its pace, gives marks back, says a sound.
pub(crate) struct Carrier {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    decoder: Decoder,
    encoder: Encoder,
    /// What is said next.
    pub(crate) says: VecDeque<f32>,
    /// All that came.
    pub(crate) heard: Vec<f32>,
    clears: usize,
    marks: usize,
    /// Marks are given back so much later.
    holds: Duration,
    closed: Option<(u16, String)>,
}

impl Carrier {
    async fn connect(service: &Serving, route: &str) -> Self {
        let url = format!("ws://{}/v1/media-streams/{route}", service.api.address());
        let (socket, _) = connect_async(url).await.unwrap();
        Self {
            socket,
            decoder: Decoder::new(Codec::Pcmu),
            encoder: Encoder::new(Codec::Pcmu),
            says: VecDeque::new(),
            heard: Vec::new(),
            clears: 0,
            marks: 0,
            holds: Duration::ZERO,
            closed: None,
        }
    }

    pub(crate) async fn started(service: &Serving, route: &str, from: &str) -> Self {
        let mut carrier = Self::connect(service, route).await;
        let hello = json!({ "event": "connected", "protocol": "Call", "version": "1.0.0" });
        carrier.send(hello).await;
        carrier.send(start(TOKEN, from)).await;
        carrier
    }

    pub(crate) async fn send(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn key(&mut self, digit: char) {
        let dtmf = json!({ "track": "inbound_track", "digit": digit.to_string() });
        self.send(json!({ "event": "dtmf", "streamSid": "MZ1", "dtmf": dtmf })).await;
    }

    /// Lets the call go on, 20 ms of sound at a time, until something is so or we are hung up on.
    pub(crate) async fn go_on(&mut self, what: &str, until: impl Fn(&Self) -> bool) {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        let mut clock = tick.tick().await;
        let mut due: VecDeque<(tokio::time::Instant, Value)> = VecDeque::new();
        let wait = async {
            while self.closed.is_none() && !until(self) {
                tokio::select! {
                    now = tick.tick() => {
                        clock = now;
                        while due.front().is_some_and(|(at, _)| *at <= now) {
                            let (_, mark) = due.pop_front().unwrap();
                            self.give(mark).await;
                        }
                        self.say().await;
                    }
                    message = self.socket.next() => match message {
                        Some(Ok(Message::Text(text))) => {
                            let message: Value = serde_json::from_str(&text).unwrap();
                            assert_eq!(message["streamSid"], "MZ1", "{message}");
                            match message["event"].as_str().unwrap() {
                                "media" => self.hear(&message["media"]["payload"]),
                                "mark" => {
                                    self.marks += 1;
                                    due.push_back((clock + self.holds, message));
                                }
                                "clear" => self.clears += 1,
                                other => panic!("{other}"),
                            }
                        }
                        Some(Ok(Message::Close(frame))) => {
                            let frame = frame.map(|it| (it.code.into(), it.reason.to_string()));
                            self.closed = Some(frame.unwrap_or_default());
                        }
                        Some(Ok(_)) => {}
                        None | Some(Err(_)) => self.closed = Some((1_006, String::new())),
                    },
                }
            }
        };
        let passed = tokio::time::timeout(PATIENCE, wait).await;
        passed.unwrap_or_else(|_| panic!("waited in vain: {what}"));
    }

    async fn say(&mut self) {
        let frame: Vec<f32> = (0..160).map(|_| self.says.pop_front().unwrap_or(0.0)).collect();
        let mut payload = [0; 320];
        let len = self.encoder.encode_into(&frame, &mut payload);
        let payload = STANDARD.encode(&payload[..len]);
        let media = json!({ "track": "inbound", "payload": payload });
        self.give(json!({ "event": "media", "streamSid": "MZ1", "media": media })).await;
    }

    /// Sends what the far end may not take: where it has hung up, what it said on the way is still
    /// to be read.
    pub(crate) async fn give(&mut self, message: Value) {
        drop(self.socket.send(Message::text(message.to_string())).await);
    }

    fn hear(&mut self, payload: &Value) {
        let payload = STANDARD.decode(payload.as_str().unwrap()).unwrap();
        assert_eq!(payload.len(), 160);
        let mut samples = [0.0; 320];
        let count = self.decoder.decode_into(&payload, &mut samples);
        self.heard.extend_from_slice(&samples[..count]);
    }

    /// Loudest tenth of a second so far.
    pub(crate) fn loudest(&self) -> f32 {
        self.heard.chunks(800).map(rms).fold(0.0, f32::max)
    }
}

pub(crate) fn start(token: &str, from: &str) -> Value {
    json!({
        "event": "start", "sequenceNumber": "1", "streamSid": "MZ1",
        "start": {
            "streamSid": "MZ1", "accountSid": "AC1", "callSid": "CA1", "tracks": ["inbound"],
            "customParameters": { "token": token, "from": from },
            "mediaFormat": { "encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1 },
        },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_a_carrier_is_spoken_to_heard_interrupted_and_ended() {
    let service = Serving::start(&format!("{SETTINGS}\n[turn]\nno_input_ms = 4000"));
    let mut carrier = Carrier::started(&service, "short", "sip:streamer@carrier").await;
    carrier.holds = Duration::from_millis(300);
    carrier.go_on("a greeting", |it| it.loudest() > 0.03 && it.marks > 4).await;
    // A key while the assistant speaks stops it, and the carrier is told to throw the rest away.
    carrier.key('5').await;
    carrier.go_on("a clear", |it| it.clears > 0).await;
    let call = service.api.call_of("streamer").await;
    assert_eq!(call["leg"], "stream", "{call}");
    let id = call["id"].as_str().unwrap().to_owned();
    let mut is_greeted = false;
    for _ in 0..4 {
        // Again, where it was not understood.
        carrier.says = spoken("rms", &["hello there".to_owned()]).into();
        let over = AtomicBool::new(false);
        let wait = async {
            let greeted = service.api.entry(&id, |entry| entry["text"] == "Hello to you.");
            let greeted = tokio::time::timeout(AGAIN_AFTER, greeted).await;
            over.store(true, Ordering::Relaxed);
            greeted.is_ok()
        };
        let gone_on = carrier.go_on("an answer", |_| over.load(Ordering::Relaxed));
        (is_greeted, _) = tokio::join!(wait, gone_on);
        if is_greeted {
            break;
        }
    }
    assert!(is_greeted, "{:#?}", service.api.timeline(&id).await);
    carrier.go_on("the goodbye and the end", |_| false).await;
    assert_eq!(carrier.closed, Some((1_000, String::new())));
    let call = service.api.ended_call_of("streamer").await;
    let timeline = service.api.timeline(&id).await;
    let keys: Vec<_> = timeline.iter().filter(|it| it["what"] == "keyed").collect();
    assert_eq!(keys.len(), 1, "{timeline:#?}");
    // What the carrier had not played when it was told to clear is not taken for heard.
    let pressed_ms = keys[0]["at_ms"].as_u64();
    let cut = timeline
        .iter()
        .find(|it| it["what"] == "prompt_ended" && it["at_ms"].as_u64() >= pressed_ms)
        .unwrap();
    assert!(cut["unsaid"].as_str().is_some_and(|it| !it.is_empty()), "{cut}");
    println!("{call}; loudest {:.3}, {} clears", carrier.loudest(), carrier.clears);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_of_the_carrier_ends_the_call() {
    let service = Serving::start(SETTINGS);
    let mut carrier = Carrier::started(&service, "parcel", "sip:stopper@carrier").await;
    carrier.go_on("a greeting", |it| it.loudest() > 0.03).await;
    carrier.send(json!({ "event": "stop", "streamSid": "MZ1", "stop": {} })).await;
    carrier.go_on("the end", |_| false).await;
    let call = service.api.ended_call_of("stopper").await;
    assert_eq!(call["cause"], "bye", "{call}");
    service.api.until_live(0).await;
    counted(&service, "carrier", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_the_form_is_closed_with_a_reason_and_others_go_on() {
    let service = Serving::start(SETTINGS);
    let mut other = Carrier::started(&service, "parcel", "sip:other@carrier").await;
    other.go_on("a greeting", |it| it.loudest() > 0.03).await;
    let good = start(TOKEN, "sip:bad@carrier").to_string();
    let media = |payload: &str| json!({ "event": "media", "media": { "payload": payload } });
    let mut wide = start(TOKEN, "sip:bad@carrier");
    wide["start"]["mediaFormat"]["sampleRate"] = json!(16_000);
    let table = [
        (vec!["{".to_owned()], 1_007),
        (vec![media("AAAA").to_string()], 1_008),
        (vec![start("wrong-wrong-wrong-wrong", "x").to_string()], 1_008),
        (vec![wide.to_string()], 1_008),
        (vec![good.clone(), good.clone()], 1_008),
        (vec![good.clone(), media("%%%").to_string()], 1_007),
        (vec![good, "{\"event\": 7}".to_owned()], 1_007),
    ];
    for (messages, code) in table {
        let mut bad = Carrier::connect(&service, "parcel").await;
        for message in &messages {
            bad.socket.send(Message::text(message.clone())).await.unwrap();
        }
        bad.go_on("a close", |_| false).await;
        let (closed, reason) = bad.closed.unwrap();
        assert_eq!(closed, code, "{messages:?}: {reason}");
        assert!(!reason.is_empty(), "{messages:?}");
    }
    let mut nowhere = Carrier::started(&service, "no-such-route-but-parcel-is", "x").await;
    nowhere.go_on("a close", |_| false).await;
    assert_eq!(nowhere.closed.unwrap().0, 1_008);
    let heard = other.heard.len();
    other.go_on("a second more", |it| it.heard.len() > heard + 8_000).await;
    assert_eq!(other.closed, None);
    counted(&service, "refused", 5).await;
    counted(&service, "fault", 3).await;
}

/// Waits until so many streams are over for this reason.
async fn counted(service: &Serving, why: &str, count: u32) {
    let line = format!("cordboard_media_streams_closed_total{{why=\"{why}\"}} {count}\n");
    until(&line, async || service.api.text("/metrics").await.contains(&line).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_document_leads_here_for_who_shows_the_token() {
    let service = Serving::start(SETTINGS);
    let url = format!("http://{}/v1/media-streams/parcel/answer", service.api.address());
    let client = reqwest::Client::new();
    let stranger = client.post(&url).send().await.unwrap();
    assert_eq!(stranger.status().as_u16(), 401);
    let asked = client.post(&url).basic_auth("carrier", Some(TOKEN));
    let answer = asked.body("CallSid=CA1&From=%2B491701&To=%22x%3C").send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/xml");
    let text = answer.text().await.unwrap();
    let stream = format!("<Stream url=\"ws://{}/v1/media-streams/parcel\">", service.api.address());
    assert!(text.contains(&stream), "{text}");
    assert!(text.contains("name=\"from\" value=\"+491701\""), "{text}");
    assert!(text.contains("name=\"to\" value=\"&quot;x&lt;\""), "{text}");
    let off = Serving::start("");
    assert_eq!(off.status("/v1/media-streams/parcel/answer").await, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carriers_call_and_an_agents_phone_hear_each_other() {
    if !has("baresip", "baresip-core") {
        return;
    }
    let mut baresip = Baresip::start("ada", &digits("rms", 100)).await;
    let service = Serving::start(&format!(
        "{SETTINGS}\n[[queue]]\nname = \"service\"\n\
         [[agent]]\nname = \"ada\"\nuri = \"{}\"\nqueues = [\"service\"]",
        baresip.uri,
    ));
    let mut carrier = Carrier::started(&service, "parcel", "sip:bridged@carrier").await;
    let quiet =
        |it: &Carrier| it.heard.len() > 4_800 && rms(&it.heard[it.heard.len() - 4_800..]) < 0.005;
    carrier.go_on("the question", |it| it.loudest() > 0.03 && quiet(it)).await;
    carrier.key('0').await;
    carrier.says = digits("slt", 500).into();
    let over = AtomicBool::new(false);
    let agent = async {
        let id = service.api.call_of("bridged").await["id"].as_str().unwrap().to_owned();
        service.api.entry(&id, |entry| entry["what"] == "agent_answered").await;
        pass(Duration::from_secs(2)).await;
        baresip.command("sndcode", "1").await;
        service.api.entry(&id, |entry| entry["what"] == "bridged").await;
        pass(Duration::from_secs(5)).await;
        over.store(true, Ordering::Relaxed);
        id
    };
    let (id, ()) = tokio::join!(agent, carrier.go_on("5 s", |_| over.load(Ordering::Relaxed)));
    carrier.send(json!({ "event": "stop", "streamSid": "MZ1" })).await;
    carrier.go_on("the end", |_| false).await;
    let call = service.api.ended_call_of("bridged").await;
    assert_eq!((&call["outcome"], &call["agent"]), (&"handed_over".into(), &"ada".into()), "{id}");
    // The last seconds are the bridge's: each side has in it what the other said.
    let last = |samples: &[f32]| samples.len() - 4 * 8_000..samples.len() - 2 * 8_000;
    let (_, of_agent) = loudest_second(&carrier.heard, last(&carrier.heard));
    let from_agent = find(of_agent, &baresip.recording("enc"));
    let heard_by_agent = baresip.recording("dec");
    let (_, of_caller) = loudest_second(&heard_by_agent, last(&heard_by_agent));
    let from_caller = find(of_caller, &digits("slt", 500));
    println!("agent at carrier {from_agent:?}, caller at agent {from_caller:?}");
    assert!(from_agent.fit > 0.9 && from_caller.fit > 0.9, "{from_agent:?} {from_caller:?}");
}

/// A signature in Twilio's form.
fn signed(url: &str, form: &[(&str, &str)]) -> String {
    let mut form = form.to_vec();
    form.sort_unstable();
    let text = form.iter().fold(url.to_owned(), |text, (name, value)| text + name + value);
    let key = ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY;
    let key = ring::hmac::Key::new(key, b"a-carriers-signing-key");
    STANDARD.encode(ring::hmac::sign(&key, text.as_bytes()))
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_a_key_only_what_is_signed_is_taken() {
    let service = Serving::start(&format!("{SETTINGS}\nsigning_key = \"a-carriers-signing-key\""));
    let host = service.api.address();
    let url = format!("http://{host}/v1/media-streams/parcel/answer");
    let good = signed(&url, &[("From", "+49 1701"), ("CallSid", "CA1")]);
    let client = reqwest::Client::new();
    for (body, signature, status) in [
        ("CallSid=CA1&From=%2B49+1701", Some(good.as_str()), 200),
        ("CallSid=CA2&From=%2B49+1701", Some(good.as_str()), 401),
        ("CallSid=CA1&From=%2B49+1701", Some("AAAA"), 401),
        ("CallSid=CA1&From=%2B49+1701", None, 401),
    ] {
        let mut asking = client.post(&url).basic_auth("carrier", Some(TOKEN)).body(body);
        if let Some(signature) = signature {
            asking = asking.header("X-Twilio-Signature", signature);
        }
        assert_eq!(asking.send().await.unwrap().status().as_u16(), status, "{body} {signature:?}");
    }
    let url = format!("ws://{host}/v1/media-streams/parcel");
    for (signature, taken) in
        [(signed(&url, &[]), true), (signed(&(url.clone() + "x"), &[]), false)]
    {
        let mut request = url.as_str().into_client_request().unwrap();
        request.headers_mut().insert("X-Twilio-Signature", signature.parse().unwrap());
        assert_eq!(connect_async(request).await.is_ok(), taken);
    }
    assert!(connect_async(&url).await.is_err());
}
