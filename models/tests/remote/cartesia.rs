//! The streaming voice against a server that says what it is sent, in the vendor's form.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cordboard_audio::SampleRate;
use cordboard_models::remote::{Cartesia, CartesiaConfig, Scheme};
use cordboard_models::speech::{Speech, SpeechRequest, Synthesizer};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{KEY, Line, Log, Server, key, network, read_request, write};

/// What happens to a text.
#[derive(Clone, Copy)]
enum Way {
    /// Spoken whole, 200 ms a word.
    Speaks,
    /// Stops without a word after so many words.
    Stalls(usize),
    /// Closes after so many words.
    Closes(usize),
    /// An odd number of bytes.
    Odd,
    /// Sound without end.
    Endless,
    /// What is no JSON.
    Garbage,
    /// An error that repeats the key.
    Reports,
    /// An end without sound.
    Empty,
    /// Answers the handshake with a status.
    Refuses(u16),
}

/// How long a server is waited for.
const WITHIN: Duration = Duration::from_secs(20);
/// As long as one may say nothing that says nothing.
const STALL_AFTER: Duration = Duration::from_secs(3);
const WORD_SAMPLES: usize = 1_600;

fn chunk(context: &Value, samples: usize, value: i16) -> String {
    let bytes: Vec<u8> = std::iter::repeat_n(value.to_le_bytes(), samples).flatten().collect();
    json!({"type":"chunk","data":STANDARD.encode(bytes),"done":false,"status_code":206,
           "step_time":1.0,"context_id":context})
    .to_string()
}

async fn speak(way: Way, line: &mut Line, order: &Value) -> bool {
    let context = &order["context_id"];
    let text = order["transcript"].as_str().unwrap_or_default().to_owned();
    for (index, word) in text.split_whitespace().enumerate() {
        match way {
            Way::Stalls(after) if index >= after => return true,
            Way::Closes(after) if index >= after => return false,
            _ => {}
        }
        let start = index as f64 * 0.2;
        let times = json!({"words":[word],"start":[start],"end":[start + 0.19]});
        let times = json!({"type":"timestamps","done":false,"status_code":206,
                           "context_id":context,"word_timestamps":times});
        line.say(times.to_string()).await;
        line.say(chunk(context, WORD_SAMPLES, 1_000)).await;
    }
    line.say(json!({"type":"done","done":true,"status_code":200,"context_id":context}).to_string())
        .await;
    true
}

async fn serve(way: Way, mut stream: TcpStream, log: Log) {
    if let Way::Refuses(status) = way {
        read_request(&mut stream).await;
        write(&mut stream, &format!("HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n")).await;
        return;
    }
    let mut line = Line::accept(stream, &log).await;
    while let Some(message) = line.next().await {
        let Message::Text(text) = message else { continue };
        log.add(text.as_str());
        let order: Value = serde_json::from_str(&text).expect("JSON from the engine");
        if order.get("cancel").is_some() {
            continue;
        }
        let context = &order["context_id"];
        match way {
            Way::Odd => {
                let data = STANDARD.encode([0; 3]);
                let odd = json!({"type":"chunk","data":data,"done":false,"context_id":context});
                line.say(odd.to_string()).await;
            }
            Way::Endless => {
                for _ in 0..70 {
                    line.say(chunk(context, 8_000, 0)).await;
                }
            }
            Way::Garbage => line.say("chunk!").await,
            Way::Reports => {
                let words = format!("no such voice for {KEY}");
                let report = json!({"type":"error","done":true,"title":"Invalid","message":words,
                                    "status_code":400,"context_id":context});
                line.say(report.to_string()).await;
            }
            Way::Empty => {
                let done = json!({"type":"done","done":true,"context_id":context});
                line.say(done.to_string()).await;
            }
            Way::Speaks | Way::Stalls(_) | Way::Closes(_) => {
                if !speak(way, &mut line, &order).await {
                    return;
                }
            }
            Way::Refuses(_) => {}
        }
    }
}

fn voice(way: Way) -> (Server, Cartesia) {
    let server = Server::start(move |_, stream, log| serve(way, stream, log));
    let config = config(way, &server);
    (server, Cartesia::new(network(), config))
}

/// With limits that only a server that says nothing meets, however busy this machine is.
fn config(way: Way, server: &Server) -> CartesiaConfig {
    let mut config = CartesiaConfig::new(server.url(Scheme::WebSocket), key(), "voice-1");
    config.connect_within = WITHIN;
    config.stall_after = if matches!(way, Way::Stalls(_)) { STALL_AFTER } else { WITHIN };
    config
}

fn request(text: &str) -> SpeechRequest {
    SpeechRequest { text: Arc::from(text), rate: SampleRate::NARROW, stretch: 1.0 }
}

const TEXT: &str = "Your parcel is out, and comes by six today. Thank you.";

#[test]
fn pieces_lie_between_words_and_hold_all_of_them_once() {
    let (server, mut voice) = voice(Way::Speaks);
    let mut pieces: Vec<Speech> = Vec::new();
    let mut take = |piece| {
        pieces.push(piece);
        true
    };
    voice.speak_into(&request(TEXT), &mut take).unwrap();
    assert!(pieces.len() > 2, "first audio is out early");
    assert_eq!(pieces[0].samples.len(), 2 * WORD_SAMPLES);
    let words: Vec<_> = pieces.iter().flat_map(|piece| piece.words.iter()).collect();
    let texts: Vec<&str> = words.iter().map(|word| &*word.text).collect();
    assert_eq!(texts, TEXT.split_whitespace().collect::<Vec<_>>());
    let samples: usize = pieces.iter().map(|piece| piece.samples.len()).sum();
    assert_eq!(samples, texts.len() * WORD_SAMPLES);
    for piece in &pieces {
        assert_eq!(piece.samples.len() % WORD_SAMPLES, 0, "cut within a word");
        assert!(piece.words.iter().all(|word| word.end <= piece.duration()));
    }
    let lines = server.lines();
    assert!(lines.contains(&format!("x-api-key: {KEY}")));
    let order: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(order["output_format"]["sample_rate"], 8_000);
    assert_eq!(order["voice"]["id"], "voice-1");
    assert_eq!(order["add_timestamps"], true);
}

#[test]
fn spoken_whole_the_words_times_are_those_of_the_sound() {
    let (_server, mut voice) = voice(Way::Speaks);
    let speech = voice.speak(&request("One two three")).unwrap();
    let begins: Vec<_> = speech.words.iter().map(|word| word.begin.as_millis()).collect();
    assert_eq!(begins, [0, 200, 400]);
    assert_eq!(speech.duration(), Duration::from_millis(600));
    let peak = speech.samples.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    assert!((peak - 1_000.0 / 32_768.0).abs() < 1e-6);
}

#[test]
fn a_text_that_is_not_wanted_any_more_is_cancelled_and_the_next_is_not_mixed_with_it() {
    let (server, mut voice) = voice(Way::Speaks);
    voice.speak_into(&request(TEXT), &mut |_| false).unwrap();
    let speech = voice.speak(&request("One two")).unwrap();
    assert_eq!(speech.samples.len(), 2 * WORD_SAMPLES);
    let cancels = server.lines().iter().filter(|line| line.contains("\"cancel\":true")).count();
    assert_eq!(cancels, 1);
}

#[test]
fn a_stall_within_a_sentence_keeps_the_words_given_so_far() {
    for way in [Way::Stalls(4), Way::Closes(4)] {
        let (_server, mut voice) = voice(way);
        let mut words = 0;
        let mut take = |piece: Speech| {
            words += piece.words.len();
            true
        };
        let fault = voice.speak_into(&request(TEXT), &mut take).unwrap_err();
        assert_eq!(words, 2, "{fault}");
    }
}

#[test]
fn every_way_to_fail_is_told_without_the_key_and_the_next_text_connects_anew() {
    for (way, expected) in [
        (Way::Stalls(0), "sound did not come within 3000 ms"),
        (Way::Odd, "odd number of bytes"),
        (Way::Endless, "seconds of speech"),
        (Way::Garbage, "JSON fails"),
        (Way::Reports, "no such voice"),
        (Way::Empty, "without any sound"),
        (Way::Refuses(402), "status 402"),
        (Way::Refuses(529), "status 529"),
    ] {
        let server = Server::start(move |count, stream, log| {
            serve(if count == 1 { way } else { Way::Speaks }, stream, log)
        });
        let mut voice = Cartesia::new(network(), config(way, &server));
        let fault = voice.speak(&request("One two three")).unwrap_err();
        let told = format!("{fault} {fault:?}");
        assert!(told.contains(expected), "{expected}: {told}");
        assert!(!told.contains(KEY), "{told}");
        let speech = voice.speak(&request("One two three")).unwrap();
        assert_eq!(speech.words.len(), 3, "after {expected}");
    }
}
