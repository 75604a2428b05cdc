//! Ears by PocketSphinx (Debian's 0.8+5prealpha): a grammar from the expectation, a phone loop
//! beside it for confidence, and a language model where anything may be said.
//!
//! Weak on open speech, useful under a grammar, needs no download and no GPU. One object is one
//! session and belongs to one inference worker.

mod decoder;
mod ffi;
mod model;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::SampleRate;

use self::decoder::{Decoder, Segment, Span};
pub use self::model::{OpenError, SphinxConfig};
use super::agreement::Agreement;
use super::confidence::{Calibration, Evidence};
use super::grammar::{self, HESITATIONS, Net, PHONE_MARK, PHONES};
use super::lexicon::{Lexicon, UnknownWord};
use super::upsample::Upsampler;
use crate::speech::{EngineFault, Expectation, Hypothesis, HypothesisKind, Recognizer, Word};

const ENGINE: &str = "pocketsphinx";

/// Frames of the engine, 10 ms.
const FRAME: Duration = Duration::from_millis(10);

/// Sound between two partials, samples at 8 kHz: 100 ms.
const PARTIAL_EVERY: usize = 800;

/// The longest utterance that is listened to, samples at 8 kHz; what follows is dropped.
const LONGEST: usize = 60 * 8_000;

/// Less speech than this, in frames, is a click or a breath: 120 ms.
const SHORTEST_FRAMES: u32 = 12;

/// Grammars that stay compiled; a flow has about as many questions.
const GRAMMARS_KEPT: usize = 24;

/// Below this probability a hypothesis is `Rejected`.
pub const ACCEPT: f32 = 0.3;

/// Ears by PocketSphinx.
#[derive(Debug)]
pub struct PocketSphinx {
    config: SphinxConfig,
    lexicon: Arc<Lexicon>,
    expected: Decoder,
    phones: Decoder,
    open: Option<Decoder>,
    upsampler: Option<Upsampler>,
    grammars: VecDeque<(Expectation, String)>,
    grammars_made: u64,
    known_words: std::collections::HashSet<String>,
    utterance: Option<Utterance>,
    evidence: Option<Evidence>,
}

/// The utterance that is being listened to.
#[derive(Debug, Default)]
struct Utterance {
    expects_grammar: bool,
    is_open: bool,
    /// All of it at the model's rate, for the last pass.
    samples: Vec<i16>,
    heard: usize,
    at_last_partial: usize,
    partial: Vec<String>,
    agreement: Agreement,
}

impl PocketSphinx {
    /// Opens a session: reads the dictionary and loads the acoustic model.
    ///
    /// # Errors
    /// Names the file that is missing or refused, and what to install.
    pub fn open(config: &SphinxConfig) -> Result<Self, OpenError> {
        let lexicon = Arc::new(model::lexicon(config)?);
        Self::with_lexicon(config, lexicon)
    }

    /// Opens one more session, which shares this one's dictionary.
    ///
    /// # Errors
    /// As [`PocketSphinx::open`].
    pub fn another(&self) -> Result<Self, OpenError> {
        Self::with_lexicon(&self.config, Arc::clone(&self.lexicon))
    }

    fn with_lexicon(config: &SphinxConfig, lexicon: Arc<Lexicon>) -> Result<Self, OpenError> {
        let rate = model::rate(config)?;
        Ok(Self {
            expected: model::grammar_decoder(config)?,
            phones: model::phone_decoder(config)?,
            open: None,
            upsampler: (rate == SampleRate::WIDE).then(Upsampler::new),
            config: config.clone(),
            lexicon,
            grammars: VecDeque::new(),
            grammars_made: 0,
            known_words: std::collections::HashSet::new(),
            utterance: None,
            evidence: None,
        })
    }

    /// Checks that all words of an expectation can be listened for.
    ///
    /// # Errors
    /// The first word that has no pronunciation.
    pub fn check_words(&self, expectation: &Expectation) -> Result<(), UnknownWord> {
        let Some(rule) = grammar::rule(expectation) else { return Ok(()) };
        Net::new(&rule).words().try_for_each(|word| self.lexicon.pronunciations(word).map(drop))
    }

    /// What spoke for and against the last verdict; `None` before the first.
    #[must_use]
    pub fn evidence(&self) -> Option<&Evidence> {
        self.evidence.as_ref()
    }

    /// Makes the grammar of an expectation the one that runs.
    fn choose_grammar(&mut self, expectation: &Expectation) -> Result<bool, EngineFault> {
        if let Some(at) = self.grammars.iter().position(|(known, _)| known == expectation) {
            let found = self.grammars.remove(at).expect("`at` is of `position`");
            let chosen = self.expected.choose(&found.1);
            self.grammars.push_back(found);
            return if chosen { Ok(true) } else { Err(gave_up("a grammar was lost")) };
        }
        let Some(rule) = grammar::rule(expectation) else { return Ok(false) };
        let net = Net::new(&rule);
        self.learn(&net)?;
        self.grammars_made += 1;
        let name = format!("g{}", self.grammars_made);
        if !self.expected.add_grammar(&name, &net.to_fsg()) || !self.expected.choose(&name) {
            return Err(gave_up("the grammar was refused"));
        }
        self.grammars.push_back((expectation.clone(), name));
        if self.grammars.len() > GRAMMARS_KEPT {
            let (_, oldest) = self.grammars.pop_front().expect("nonempty: pushed above");
            self.expected.forget(&oldest);
        }
        Ok(true)
    }

    /// Tells the engine the pronunciations of the words that it has not met.
    fn learn(&mut self, net: &Net) -> Result<(), EngineFault> {
        for word in net.words() {
            if self.known_words.contains(word) {
                continue;
            }
            let said = self.lexicon.pronunciations(word).map_err(|unknown| {
                EngineFault::Unsupported { engine: ENGINE, what: unknown.to_string() }
            })?;
            for (at, phones) in said.iter().enumerate() {
                let name = if at == 0 { word.to_owned() } else { format!("{word}({})", at + 1) };
                if !self.expected.add_word(&name, phones) && at == 0 {
                    return Err(gave_up("a pronunciation was refused"));
                }
            }
            self.known_words.insert(word.to_owned());
        }
        if net.has_phones() && self.known_words.insert(PHONE_MARK.to_string()) {
            for phone in PHONES {
                self.expected.add_word(&format!("{PHONE_MARK}{}", phone.to_lowercase()), phone);
            }
        }
        Ok(())
    }

    /// The decoder that gives the partials of this utterance.
    fn listening(&mut self) -> &mut Decoder {
        let by_grammar = self.utterance.as_ref().is_none_or(|utterance| utterance.expects_grammar);
        match &mut self.open {
            Some(open) if !by_grammar => open,
            _ => &mut self.expected,
        }
    }

    fn partial(&mut self) -> Option<Hypothesis> {
        let segments = self.listening().segments();
        let words = spoken(&segments);
        let utterance = self.utterance.as_mut()?;
        let texts: Vec<String> = words.iter().map(|word| word.text.clone()).collect();
        let stable_words = utterance.agreement.stable_words(&texts);
        if texts == utterance.partial {
            return None;
        }
        utterance.partial.clone_from(&texts);
        Some(Hypothesis {
            text: texts.join(" "),
            words,
            stable_words,
            confidence: UNSETTLED,
            kind: HypothesisKind::Partial,
        })
    }

    /// Decodes all of an utterance at once with one decoder.
    fn whole(decoder: &mut Decoder, samples: &[i16]) -> Result<Vec<Segment>, EngineFault> {
        let done = decoder.start() && decoder.feed(samples, Span::Whole) && decoder.end();
        if done { Ok(decoder.segments()) } else { Err(gave_up("the utterance was refused")) }
    }
}

/// Confidence of a partial, of which nothing is known yet.
const UNSETTLED: f32 = 0.5;

impl Recognizer for PocketSphinx {
    fn rate(&self) -> SampleRate {
        SampleRate::NARROW
    }

    fn begin(&mut self, expectation: &Expectation) -> Result<(), EngineFault> {
        self.utterance = None;
        let is_open = grammar::is_open(expectation);
        let expects_grammar = self.choose_grammar(expectation)?;
        if is_open && self.open.is_none() {
            let open = model::open_decoder(&self.config);
            self.open = Some(open.map_err(|why| EngineFault::Unsupported {
                engine: ENGINE,
                what: why.to_string(),
            })?);
        }
        if let Some(upsampler) = &mut self.upsampler {
            *upsampler = Upsampler::new();
        }
        self.utterance = Some(Utterance { expects_grammar, is_open, ..Utterance::default() });
        if !expects_grammar && !is_open {
            return Ok(());
        }
        if self.listening().start() { Ok(()) } else { Err(gave_up("no utterance could begin")) }
    }

    fn feed(&mut self, samples: &[f32]) -> Result<Option<Hypothesis>, EngineFault> {
        let Some(utterance) = &mut self.utterance else { return Err(misused()) };
        let samples = &samples[..samples.len().min(LONGEST - utterance.heard)];
        let from = utterance.samples.len();
        match &mut self.upsampler {
            Some(upsampler) => {
                let mut wide = Vec::with_capacity(2 * samples.len());
                upsampler.upsample_into(samples, &mut wide);
                utterance.samples.extend(wide.iter().copied().map(to_i16));
            }
            None => utterance.samples.extend(samples.iter().copied().map(to_i16)),
        }
        utterance.heard += samples.len();
        let due = utterance.heard - utterance.at_last_partial >= PARTIAL_EVERY;
        if due {
            utterance.at_last_partial = utterance.heard;
        }
        if !utterance.expects_grammar && !utterance.is_open {
            return Ok(None);
        }
        let news = utterance.samples[from..].to_vec();
        if !news.is_empty() && !self.listening().feed(&news, Span::Part) {
            return Err(gave_up("sound was refused"));
        }
        Ok(if due { self.partial() } else { None })
    }

    fn finish(&mut self) -> Result<Hypothesis, EngineFault> {
        let Some(utterance) = self.utterance.take() else { return Err(misused()) };
        self.evidence = None;
        self.verdict(&utterance)
    }
}

impl PocketSphinx {
    fn verdict(&mut self, utterance: &Utterance) -> Result<Hypothesis, EngineFault> {
        let min_samples = 400;
        if utterance.samples.len() < min_samples {
            return Ok(nothing());
        }
        let live = std::env::var("CB_PASS").is_ok_and(|v| v == "live");
        let segments = if live {
            self.expected.end();
            self.expected.segments()
        } else {
            Self::whole(&mut self.expected, &utterance.samples)?
        };
        let whole = self.expected.has_path();
        let phones = Self::whole(&mut self.phones, &utterance.samples)?;
        let evidence = weigh(&segments, &phones, whole);
        self.evidence = Some(evidence);
        let words = spoken(&segments);
        let confidence = CALIBRATION.probability(&evidence);
        Ok(Hypothesis {
            text: words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" "),
            stable_words: words.len(),
            words,
            confidence,
            kind: if confidence >= ACCEPT {
                HypothesisKind::Final
            } else {
                HypothesisKind::Rejected
            },
        })
    }
}

const CALIBRATION: Calibration =
    Calibration { bias: 0.0, per_frame: 0.01, worst_word: 0.0, log_frames: 0.0, uncovered: 0.0 };

/// Compares the words with the phone loop.
fn weigh(segments: &[Segment], phones: &[Segment], whole: bool) -> Evidence {
    // Acoustic score of the loop by frame, summed up, so that any stretch can be looked up.
    let mut summed = vec![0.0_f64];
    for phone in phones {
        let frames = f64::from(phone.last.saturating_sub(phone.first) + 1);
        while summed.len() <= phone.last as usize + 1 {
            let so_far = summed[summed.len() - 1];
            summed.push(so_far + phone.acoustic as f64 / frames);
        }
    }
    let loop_score = |segment: &Segment| {
        let at = |frame: u32| summed[(frame as usize).min(summed.len() - 1)];
        at(segment.last + 1) - at(segment.first)
    };
    let (mut total, mut speech_frames, mut words, mut worst_word) = (0.0, 0, 0, 0.0_f64);
    for segment in segments.iter().filter(|segment| is_word(&segment.word)) {
        let frames = segment.last.saturating_sub(segment.first) + 1;
        let difference = segment.acoustic as f64 - loop_score(segment);
        total += difference;
        speech_frames += frames;
        words += 1;
        worst_word = worst_word.min(difference / f64::from(frames));
    }
    let loop_frames = phones
        .iter()
        .filter(|phone| PHONES.contains(&phone.word.as_str()))
        .map(|phone| phone.last.saturating_sub(phone.first) + 1)
        .sum();
    Evidence {
        per_frame: (total / f64::from(speech_frames.max(1))) as f32,
        worst_word: worst_word as f32,
        speech_frames,
        loop_frames,
        words,
        whole,
    }
}

/// The words of a path, without silence, hesitations and the stand-ins of unknown words.
fn spoken(segments: &[Segment]) -> Vec<Word> {
    segments
        .iter()
        .filter(|segment| is_word(&segment.word))
        .filter_map(|segment| {
            let text = segment.word.split('(').next().unwrap_or_default().to_owned();
            let means_something = !HESITATIONS.contains(&text.as_str());
            (means_something && !text.starts_with(PHONE_MARK)).then(|| Word {
                text,
                begin: FRAME * segment.first,
                end: FRAME * (segment.last + 1),
                confidence: UNSETTLED,
            })
        })
        .collect()
}

/// Whether a segment is a word, and no silence, noise or mark of the engine ("<sil>", "[NOISE]").
fn is_word(word: &str) -> bool {
    !word.starts_with(['<', '[', '+', '(']) && !word.is_empty()
}

/// The verdict on silence.
fn nothing() -> Hypothesis {
    Hypothesis {
        text: String::new(),
        words: Vec::new(),
        stable_words: 0,
        confidence: 0.0,
        kind: HypothesisKind::Rejected,
    }
}

fn to_i16(sample: f32) -> i16 {
    (sample * 32_767.0).clamp(-32_768.0, 32_767.0) as i16
}

fn gave_up(why: &str) -> EngineFault {
    EngineFault::ModelFailed { engine: ENGINE, why: why.to_owned() }
}

fn misused() -> EngineFault {
    EngineFault::ApiMisuse { engine: ENGINE }
}
