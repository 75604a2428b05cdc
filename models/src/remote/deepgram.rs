//! A streaming recognizer over WebSocket in Deepgram's wire form (`wss …/v1/listen`).
//!
//! One connection serves many utterances, kept alive between them. An utterance ends by
//! `Finalize`; what comes of the sound before an utterance's first sample is of an earlier one and
//! is dropped. The expectation's wordings are key terms, which a connection takes at its begin: it
//! is made anew where new ones come up. Deliberately absent: grammar, which the form has not.

use std::time::Duration;

use cordboard_audio::SampleRate;

use super::deepgram_wire::{Message, Results, add_terms, key_terms};
use super::fault::place_of;
use super::socket::{self, Event, Limits, Socket, SocketPlan};
use super::{Address, Network, RemoteFault, Secret};
use crate::speech::{EngineFault, Expectation, Hypothesis, HypothesisKind, Recognizer, Word};

const ENGINE: &str = "deepgram";
/// The server closes after 10 s without a message (NET-0001).
const KEEP_ALIVE_AFTER: Duration = Duration::from_secs(4);
/// A verdict covers the utterance where no more than this of its end is missing, s.
const UNCOVERED_S: f64 = 0.1;
/// An utterance has not more words than this.
const WORDS_MAX: usize = 2_000;

/// How the recognizer is reached.
#[derive(Clone, Debug)]
pub struct DeepgramConfig {
    /// The endpoint, "wss://api.deepgram.com/v1/listen".
    pub address: Address,
    /// The key; none where the host wants none.
    pub key: Option<Secret>,
    /// The model, "nova-3".
    pub model: String,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// Longest that connecting may take.
    pub connect_within: Duration,
    /// Longest that no message may come while the caller speaks.
    pub stall_after: Duration,
    /// Longest from the utterance's end to the verdict.
    pub verdict_within: Duration,
}

impl DeepgramConfig {
    /// The vendor's own host, with limits that leave time for another engine.
    #[must_use]
    pub fn new(address: Address, key: Option<Secret>) -> Self {
        Self {
            address,
            key,
            model: "nova-3".to_owned(),
            headers: Vec::new(),
            connect_within: Duration::from_millis(1_000),
            stall_after: Duration::from_millis(1_500),
            verdict_within: Duration::from_millis(700),
        }
    }
}

/// Hears by a server that speaks Deepgram's form. Takes 8 kHz; sends it as 16 bit linear PCM.
#[derive(Debug)]
pub struct Deepgram {
    config: DeepgramConfig,
    network: Network,
    line: Option<Line>,
    terms: Vec<String>,
    utterance: Option<Utterance>,
}

/// A connection and how much sound went over it.
#[derive(Debug)]
struct Line {
    socket: Socket,
    sent_samples: u64,
}

#[derive(Debug, Default)]
struct Utterance {
    /// Its first sample, counted over the connection.
    first_sample: u64,
    finals: Vec<Word>,
    interim: Vec<Word>,
    told: String,
    /// How far the final results reach, s from the connection's first sample.
    covered_s: f64,
    finalized: bool,
}

impl Deepgram {
    /// Makes the recognizer; it connects with the first `rest` or `begin`.
    #[must_use]
    pub const fn new(network: Network, config: DeepgramConfig) -> Self {
        Self { config, network, line: None, terms: Vec::new(), utterance: None }
    }

    fn connect(&self) -> Line {
        let mut url = self.config.address.url().clone();
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("model", &self.config.model);
            query.append_pair("encoding", "linear16");
            query.append_pair("sample_rate", &self.rate().hz().to_string());
            query.append_pair("channels", "1");
            query.append_pair("interim_results", "true");
            query.append_pair("punctuate", "false");
            query.append_pair("smart_format", "false");
            for term in &self.terms {
                query.append_pair("keyterm", term);
            }
        }
        let mut headers = self.config.headers.clone();
        if let Some(key) = &self.config.key {
            headers.push(("Authorization".to_owned(), format!("Token {}", key.expose())));
        }
        let plan = SocketPlan {
            url: url.into(),
            headers,
            connect_within: self.config.connect_within,
            keep_alive: Some((socket::Message::text(r#"{"type":"KeepAlive"}"#), KEEP_ALIVE_AFTER)),
        };
        Line { socket: Socket::open(&self.network, plan), sent_samples: 0 }
    }

    /// Drops the connection after a fault: nothing of it can be trusted.
    fn give_up(&mut self, fault: RemoteFault) -> EngineFault {
        self.line = None;
        self.utterance = None;
        fault.of(ENGINE)
    }

    /// Takes what has come; the partial where it changed.
    fn take(&mut self) -> Result<Option<Hypothesis>, RemoteFault> {
        let (Some(line), Some(utterance)) = (&self.line, self.utterance.as_mut()) else {
            return Ok(None);
        };
        while let Some(event) = line.socket.poll() {
            utterance.event(event, self.config.key.as_ref(), &self.config)?;
        }
        Ok(utterance.partial())
    }

    fn verdict(&mut self) -> Result<Hypothesis, RemoteFault> {
        let (Some(line), Some(mut utterance)) = (self.line.as_ref(), self.utterance.take()) else {
            return Err(RemoteFault::Closed);
        };
        let end_s = seconds(line.sent_samples);
        line.socket.text(r#"{"type":"Finalize"}"#)?;
        line.socket.limit(Limits { gap: None, whole: Some(self.config.verdict_within) })?;
        while !utterance.finalized && utterance.covered_s + 0.001 < end_s {
            let event = line.socket.wait();
            if event == Event::Overdue {
                // The confirmation may be left out where little sound was buffered.
                let covered = utterance.covered_s > seconds(utterance.first_sample);
                if covered && utterance.covered_s + UNCOVERED_S >= end_s {
                    break;
                }
                let within_ms = self.config.verdict_within.as_millis();
                let within_ms = u64::try_from(within_ms).unwrap_or(u64::MAX);
                return Err(RemoteFault::Late { what: "a verdict", within_ms });
            }
            utterance.event(event, self.config.key.as_ref(), &self.config)?;
        }
        line.socket.limit(Limits::default())?;
        Ok(utterance.verdict())
    }
}

impl Recognizer for Deepgram {
    fn rate(&self) -> SampleRate {
        SampleRate::NARROW
    }

    fn begin(&mut self, expectation: &Expectation) -> Result<(), EngineFault> {
        if add_terms(&mut self.terms, key_terms(expectation)) {
            self.line = None;
        }
        if let (Some(line), Some(_)) = (&self.line, self.utterance.take()) {
            // Cuts the dropped utterance's last stretch off from the new one's first.
            if line.socket.text(r#"{"type":"Finalize"}"#).is_err() {
                self.line = None;
            }
        }
        self.rest();
        let limits = Limits { gap: Some(self.config.stall_after), whole: None };
        let limited = self.line.as_ref().map(|line| line.socket.limit(limits));
        if let Some(Err(fault)) = limited {
            return Err(self.give_up(fault));
        }
        let first_sample = self.line.as_ref().map_or(0, |line| line.sent_samples);
        self.utterance = Some(Utterance { first_sample, ..Utterance::default() });
        Ok(())
    }

    fn feed(&mut self, samples: &[f32]) -> Result<Option<Hypothesis>, EngineFault> {
        if self.utterance.is_none() {
            return Err(EngineFault::ApiMisuse { engine: ENGINE });
        }
        // An empty message would end the stream.
        if let Some(line) = self.line.as_mut().filter(|_| !samples.is_empty()) {
            let sent = line.socket.binary(linear16(samples));
            line.sent_samples += samples.len() as u64;
            if let Err(fault) = sent {
                return Err(self.give_up(fault));
            }
        }
        self.take().map_err(|fault| self.give_up(fault))
    }

    fn finish(&mut self) -> Result<Hypothesis, EngineFault> {
        if self.utterance.is_none() {
            return Err(EngineFault::ApiMisuse { engine: ENGINE });
        }
        self.verdict().map_err(|fault| self.give_up(fault))
    }

    fn rest(&mut self) {
        // Outside an utterance nothing that comes matters, but that the connection is gone does.
        while let Some(event) = self.line.as_ref().and_then(|line| line.socket.poll()) {
            if matches!(event, Event::Failed(_)) {
                self.line = None;
            }
        }
        if self.line.is_none() {
            self.line = Some(self.connect());
        }
    }
}

impl Utterance {
    fn event(
        &mut self,
        event: Event,
        key: Option<&Secret>,
        config: &DeepgramConfig,
    ) -> Result<(), RemoteFault> {
        match event {
            Event::Failed(fault) => Err(fault),
            Event::Quiet => {
                let within_ms = u64::try_from(config.stall_after.as_millis()).unwrap_or(u64::MAX);
                Err(RemoteFault::Late { what: "a result", within_ms })
            }
            Event::Overdue => Ok(()),
            Event::Text(text) => match serde_json::from_str(&text) {
                Ok(Message::Results(results)) => self.results(&results),
                Ok(Message::Error { description, message }) => {
                    let words = description.or(message).unwrap_or_default();
                    Err(RemoteFault::Reported { words: Secret::blank_out(key, &words) })
                }
                Ok(Message::Other) => Ok(()),
                Err(error) => Err(RemoteFault::Malformed { why: place_of(&error) }),
            },
        }
    }

    fn results(&mut self, results: &Results) -> Result<(), RemoteFault> {
        let origin_s = seconds(self.first_sample);
        if !results.start.is_finite() || results.end_s() <= origin_s + 1e-3 {
            return Ok(());
        }
        let words = results.words(origin_s);
        if self.finals.len() + words.len() > WORDS_MAX {
            return Err(RemoteFault::Excess { limit: WORDS_MAX, unit: "words" });
        }
        if results.is_final {
            self.finals.extend(words);
            self.interim.clear();
            self.covered_s = self.covered_s.max(results.end_s());
            self.finalized |= results.from_finalize;
        } else {
            self.interim = words;
        }
        Ok(())
    }

    fn partial(&mut self) -> Option<Hypothesis> {
        let partial = self.hypothesis(HypothesisKind::Partial);
        let changed = partial.text != self.told;
        changed.then(|| {
            self.told.clone_from(&partial.text);
            partial
        })
    }

    fn verdict(&self) -> Hypothesis {
        let nothing = self.finals.is_empty() && self.interim.is_empty();
        let kind = if nothing { HypothesisKind::Rejected } else { HypothesisKind::Final };
        self.hypothesis(kind)
    }

    /// Confidence is the mean of the words', which is the vendor's own.
    fn hypothesis(&self, kind: HypothesisKind) -> Hypothesis {
        let words: Vec<Word> = self.finals.iter().chain(&self.interim).cloned().collect();
        let text = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
        let sum: f32 = words.iter().map(|word| word.confidence).sum();
        let confidence = if words.is_empty() { 0.0 } else { sum / words.len() as f32 };
        Hypothesis { text, words, stable_words: self.finals.len(), confidence, kind }
    }
}

fn seconds(samples: u64) -> f64 {
    samples as f64 / f64::from(SampleRate::NARROW.hz())
}

fn linear16(samples: &[f32]) -> Vec<u8> {
    let quantize = |sample: &f32| ((sample.clamp(-1.0, 1.0) * 32_767.0) as i16).to_le_bytes();
    samples.iter().flat_map(quantize).collect()
}
