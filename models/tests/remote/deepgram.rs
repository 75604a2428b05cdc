//! The streaming recognizer against a server that hears what the test says it hears.

use std::time::{Duration, Instant};

use cordboard_models::remote::{Deepgram, DeepgramConfig, Scheme};
use cordboard_models::speech::{
    EngineFault, Expectation, Hypothesis, HypothesisKind, Phrase, PhrasePart, Recognizer,
};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{KEY, Line, Log, Server, key, network, read_request, write};

/// What a connection does.
#[derive(Clone, Copy)]
enum Way {
    /// Hears a word of the script for every 200 ms of sound, tells each 100 ms.
    Hears(&'static [&'static str]),
    /// As `Hears`, but confirms no `Finalize`, as the reference allows.
    Unconfirmed(&'static [&'static str]),
    /// Takes sound and says nothing.
    Mute,
    /// Closes after 300 ms of sound.
    Closes,
    /// Breaks the connection off after 300 ms of sound, as a host that dies does.
    Resets,
    /// Sends what is no JSON.
    Garbage,
    /// Reports an error that repeats the key.
    Reports,
    /// Answers the handshake with a status.
    Refuses(u16),
}

/// How long a server or an engine is waited for.
const WITHIN: Duration = Duration::from_secs(20);
/// As long as one may say nothing that says nothing.
const MUTE_AFTER: Duration = Duration::from_secs(3);
const FRAME: [f32; 160] = [0.25; 160];
const WORD_S: f64 = 0.2;

async fn serve(way: Way, mut stream: TcpStream, log: Log) {
    if let Way::Refuses(status) = way {
        read_request(&mut stream).await;
        let head = format!("HTTP/1.1 {status} No\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n");
        write(&mut stream, &head).await;
        return;
    }
    let mut line = Line::accept(stream, &log).await;
    let (mut samples, mut segment) = (0_usize, 0_usize);
    while let Some(message) = line.next().await {
        match message {
            Message::Binary(sound) => {
                samples += sound.len() / 2;
                let told = samples / 800 != (samples - sound.len() / 2) / 800;
                match way {
                    Way::Hears(script) | Way::Unconfirmed(script) if told => {
                        line.say(results(script, segment, samples, false, false)).await;
                    }
                    Way::Closes if samples > 2_400 => return,
                    Way::Resets if samples > 2_400 => return line.reset(),
                    Way::Garbage if told => line.say("{\"type\":\"Results\",").await,
                    Way::Reports if told => {
                        let words = format!("NET-0000 for {KEY}");
                        line.say(json!({"type":"Error","description":words}).to_string()).await;
                    }
                    _ => {}
                }
            }
            Message::Text(text) => {
                log.add(text.as_str());
                if let (Way::Hears(script) | Way::Unconfirmed(script), true) =
                    (way, text.contains("Finalize"))
                {
                    let confirms = matches!(way, Way::Hears(_));
                    line.say(results(script, segment, samples, true, confirms)).await;
                    segment = samples;
                }
            }
            _ => {}
        }
    }
}

/// The words that lie between two samples of the stream.
fn results(script: &[&str], from: usize, upto: usize, last: bool, confirms: bool) -> String {
    let (start, end) = (from as f64 / 8_000.0, upto as f64 / 8_000.0);
    let words: Vec<_> = script
        .iter()
        .enumerate()
        .map(|(n, word)| (n as f64 * WORD_S, word))
        .filter(|(at, _)| *at >= start && at + WORD_S <= end + 1e-6)
        .map(|(at, word)| json!({"word":word,"start":at,"end":at + WORD_S,"confidence":0.9}))
        .collect();
    json!({
        "type": "Results", "channel_index": [0, 1], "start": start, "duration": end - start,
        "is_final": last, "speech_final": false, "from_finalize": confirms,
        "channel": {"alternatives": [{"transcript": "", "confidence": 0.9, "words": words}]},
    })
    .to_string()
}

fn ears(way: Way) -> (Server, Deepgram) {
    let server = Server::start(move |_, stream, log| serve(way, stream, log));
    let config = config(way, &server);
    (server, Deepgram::new(network(), config))
}

/// With limits that only a server that says nothing meets, however busy this machine is.
fn config(way: Way, server: &Server) -> DeepgramConfig {
    let mut config = DeepgramConfig::new(server.url(Scheme::WebSocket), key());
    config.connect_within = WITHIN;
    let within = if matches!(way, Way::Mute) { MUTE_AFTER } else { WITHIN };
    (config.stall_after, config.verdict_within) = (within, within);
    config
}

/// Feeds frames; the partials.
fn feed(ears: &mut Deepgram, frames: usize) -> Result<Vec<Hypothesis>, EngineFault> {
    let mut partials = Vec::new();
    for _ in 0..frames {
        partials.extend(ears.feed(&FRAME)?);
    }
    Ok(partials)
}

/// Feeds until a partial comes or the engine gives up: the server answers when it likes.
fn feed_until_told(ears: &mut Deepgram) -> Result<Hypothesis, EngineFault> {
    #[expect(clippy::disallowed_methods, reason = "a deadline of a test")]
    let began = Instant::now();
    loop {
        // Without sound: it only looks.
        if let Some(partial) = ears.feed(&[])? {
            return Ok(partial);
        }
        assert!(began.elapsed() < WITHIN, "nothing came");
        std::thread::yield_now();
    }
}

#[test]
fn words_come_as_partials_and_the_verdict_after_finalize() {
    let (server, mut ears) = ears(Way::Hears(&["Where", "is", "order", "42"]));
    let expectation = Expectation {
        phrases: vec![Phrase {
            tag: "status".into(),
            parts: vec![PhrasePart::Words("where is my parcel".into())],
        }],
        ..Expectation::default()
    };
    ears.begin(&expectation).unwrap();
    feed(&mut ears, 20).unwrap();
    let partial = feed_until_told(&mut ears).unwrap();
    assert_eq!(partial.kind, HypothesisKind::Partial);
    assert!(partial.text.starts_with("where"), "{}", partial.text);
    feed(&mut ears, 20).unwrap();
    let verdict = ears.finish().unwrap();
    assert_eq!(verdict.text, "where is order four two");
    assert_eq!(verdict.kind, HypothesisKind::Final);
    assert!((verdict.confidence - 0.9).abs() < 1e-6);
    let lines = server.lines();
    let query = &lines[0];
    for part in ["encoding=linear16", "sample_rate=8000", "keyterm=where+is+my+parcel"] {
        assert!(query.contains(part), "{query}");
    }
    assert!(!query.contains(KEY), "the key is in the URL");
    assert!(lines.contains(&format!("authorization: Token {KEY}")), "{lines:?}");
}

#[test]
fn one_connection_serves_utterances_one_after_the_other_each_with_its_own_words() {
    let (server, mut ears) = ears(Way::Hears(&["one", "two", "three", "four"]));
    for expected in ["one two", "three four"] {
        ears.begin(&Expectation::default()).unwrap();
        feed(&mut ears, 20).unwrap();
        let verdict = ears.finish().unwrap();
        assert_eq!(verdict.text, expected);
        assert_eq!(verdict.words[0].begin, Duration::ZERO);
        ears.rest();
    }
    let connections = server.lines().iter().filter(|line| line.contains("model=nova-3")).count();
    assert_eq!(connections, 1);
}

#[test]
fn a_dropped_utterances_words_do_not_come_up_in_the_next() {
    let (_server, mut ears) = ears(Way::Hears(&["no", "no", "yes"]));
    ears.begin(&Expectation::default()).unwrap();
    feed(&mut ears, 20).unwrap();
    ears.begin(&Expectation::default()).unwrap();
    feed(&mut ears, 10).unwrap();
    assert_eq!(ears.finish().unwrap().text, "yes");
}

#[test]
fn a_verdict_without_a_confirmation_is_taken_where_it_covers_the_utterance() {
    let (_server, mut ears) = ears(Way::Unconfirmed(&["yes"]));
    ears.begin(&Expectation::default()).unwrap();
    feed(&mut ears, 20).unwrap();
    assert_eq!(ears.finish().unwrap().text, "yes");
}

#[test]
fn sound_without_words_is_rejected() {
    let (_server, mut ears) = ears(Way::Hears(&[]));
    ears.begin(&Expectation::default()).unwrap();
    feed(&mut ears, 20).unwrap();
    let verdict = ears.finish().unwrap();
    assert_eq!((verdict.kind, verdict.text.as_str()), (HypothesisKind::Rejected, ""));
}

#[test]
fn every_way_to_fail_is_told_without_the_key_and_the_next_utterance_connects_anew() {
    for (way, expected) in [
        (Way::Mute, "did not come"),
        (Way::Closes, "closed the connection"),
        (Way::Resets, "closed the connection"),
        (Way::Garbage, "JSON fails"),
        (Way::Reports, "NET-0000"),
        (Way::Refuses(401), "check the key"),
        (Way::Refuses(500), "status 500"),
    ] {
        let server = Server::start(move |count, stream, log| {
            serve(if count == 1 { way } else { Way::Hears(&["yes"]) }, stream, log)
        });
        let mut ears = Deepgram::new(network(), config(way, &server));
        ears.begin(&Expectation::default()).unwrap();
        let fault = match feed(&mut ears, 20) {
            Ok(_) => feed_until_told(&mut ears).expect_err("a fault"),
            Err(fault) => fault,
        };
        let told = format!("{fault} {fault:?}");
        assert!(told.contains(expected), "{expected}: {told}");
        assert!(!told.contains(KEY), "{told}");
        ears.begin(&Expectation::default()).unwrap();
        feed(&mut ears, 20).unwrap();
        assert_eq!(ears.finish().unwrap().text, "yes", "after {expected}");
    }
}

#[test]
fn a_host_that_asks_for_patience_is_left_alone_for_as_long() {
    let (_server, mut ears) = ears(Way::Refuses(429));
    ears.begin(&Expectation::default()).unwrap();
    let fault = match feed(&mut ears, 20) {
        Ok(_) => feed_until_told(&mut ears).expect_err("a fault"),
        Err(fault) => fault,
    };
    let patience = Duration::from_secs(7);
    assert!(matches!(fault, EngineFault::Busy { retry_after, .. } if retry_after == patience));
}

#[test]
fn a_host_that_takes_sound_and_gives_no_verdict_costs_the_limit_and_no_more() {
    let (_server, mut ears) = ears(Way::Mute);
    ears.begin(&Expectation::default()).unwrap();
    feed(&mut ears, 5).unwrap();
    let fault = ears.finish().unwrap_err();
    assert!(fault.to_string().contains("did not come within"), "{fault}");
}
