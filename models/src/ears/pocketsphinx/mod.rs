//! Ears by PocketSphinx (Debian's 0.8+5prealpha): a grammar from the expectation, a phone loop
//! beside it for confidence, and a language model where anything may be said.
//!
//! Weak on open speech, useful under a grammar, needs no download and no GPU. One object is one
//! session and belongs to one inference worker.

mod decoder;
mod ffi;
mod model;
mod verdict;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use cordboard_audio::SampleRate;

use self::decoder::{Decoder, Segment, Span};
pub use self::model::{OpenError, SphinxConfig};
use self::verdict::PhoneLoop;
use super::agreement::Agreement;
use super::confidence::Evidence;
use super::grammar::{self, Net, PHONE_MARK, PHONES};
use super::lexicon::{Lexicon, UnknownWord};
use super::upsample::Upsampler;
use crate::speech::{EngineFault, Expectation, Hypothesis, HypothesisKind, Recognizer, Word};

const ENGINE: &str = "pocketsphinx";

/// Sound between two partials, samples at 8 kHz: 100 ms.
const PARTIAL_EVERY: usize = 800;

/// The longest utterance that is listened to, samples at 8 kHz; what follows is dropped.
const LONGEST: usize = 60 * 8_000;

/// Less speech than this, in frames, is a click or a breath: 120 ms.
const SHORTEST_FRAMES: u32 = 12;

/// The same, in samples at 8 kHz.
const SHORTEST: usize = 960;

/// Arcs of the grammars that stay compiled, together, at 2 to 5 kB each: two dozen questions
/// for digits, or two for names, dates, times, amounts and long numbers at once.
const ARCS_KEPT: usize = 12_000;

/// Below this probability a hypothesis is `Rejected`. Of the trials of
/// [`Calibration`](super::confidence::Calibration), 4 % of those outside the grammar are accepted
/// at it, and of those that were understood rightly 13 % are rejected (phrases 4, yes and no 9,
/// six spliced digits 33).
pub const ACCEPT: f32 = 0.3;

/// Confidence of a partial, of which nothing is known yet.
const UNSETTLED: f32 = 0.5;

/// Confidence of open speech at most: word for word it is right less often than not.
const OPEN_AT_MOST: f32 = 0.5;

/// Ears by PocketSphinx.
#[derive(Debug)]
pub struct PocketSphinx {
    config: SphinxConfig,
    lexicon: Arc<Lexicon>,
    expected: Decoder,
    phones: Decoder,
    open: Option<Decoder>,
    upsampler: Option<Upsampler>,
    /// Compiled grammars, the one used last at the end.
    grammars: VecDeque<Compiled>,
    grammars_made: u64,
    known_words: HashSet<String>,
    utterance: Option<Utterance>,
    evidence: Option<Evidence>,
}

/// A grammar that the engine holds.
#[derive(Debug)]
struct Compiled {
    expectation: Expectation,
    /// Its name in the engine.
    name: String,
    arcs: usize,
}

/// The utterance that is being listened to.
#[derive(Debug, Default)]
struct Utterance {
    by_grammar: bool,
    is_open: bool,
    /// All of it at the model's rate, for the last pass.
    samples: Vec<i16>,
    heard: usize,
    at_last_partial: usize,
    partial: Vec<Word>,
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
            known_words: HashSet::new(),
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
        if let Some(at) = self.grammars.iter().position(|known| known.expectation == *expectation) {
            let found = self.grammars.remove(at).expect("`at` is of `position`");
            let chosen = self.expected.choose(&found.name);
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
        let arcs = net.arcs();
        self.grammars.push_back(Compiled { expectation: expectation.clone(), name, arcs });
        while self.grammars.len() > 1
            && self.grammars.iter().map(|known| known.arcs).sum::<usize>() > ARCS_KEPT
        {
            let oldest = self.grammars.pop_front().expect("nonempty: it has two");
            self.expected.forget(&oldest.name);
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

    fn listening(&mut self) -> &mut Decoder {
        let utterance = self.utterance.as_ref().expect("`begin` and `feed` have one");
        listening(utterance, &mut self.expected, &mut self.open)
    }

    fn partial(&mut self) -> Option<Hypothesis> {
        let words = verdict::unsettled(&self.listening().segments(), UNSETTLED);
        let utterance = self.utterance.as_mut()?;
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        let stable_words = utterance.agreement.stable_words(&texts);
        let before = utterance.partial.iter().map(|word| word.text.as_str());
        let is_news = !before.eq(texts);
        utterance.partial.clone_from(&words);
        let partial = verdict::hypothesis(words, UNSETTLED, HypothesisKind::Partial);
        is_news.then_some(Hypothesis { stable_words, ..partial })
    }
}

impl Recognizer for PocketSphinx {
    fn rate(&self) -> SampleRate {
        SampleRate::NARROW
    }

    fn begin(&mut self, expectation: &Expectation) -> Result<(), EngineFault> {
        self.utterance = None;
        let is_open = grammar::is_open(expectation);
        let by_grammar = self.choose_grammar(expectation)?;
        if !by_grammar && !is_open {
            return Err(EngineFault::Unsupported {
                engine: ENGINE,
                what: "an expectation of nothing".into(),
            });
        }
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
        self.utterance = Some(Utterance { by_grammar, is_open, ..Utterance::default() });
        if self.listening().start() { Ok(()) } else { Err(gave_up("no utterance could begin")) }
    }

    fn feed(&mut self, samples: &[f32]) -> Result<Option<Hypothesis>, EngineFault> {
        let Some(utterance) = &mut self.utterance else { return Err(misused()) };
        let samples = &samples[..samples.len().min(LONGEST - utterance.heard)];
        if samples.is_empty() {
            return Ok(None);
        }
        let from = utterance.samples.len();
        if let Some(upsampler) = &mut self.upsampler {
            let mut wide = Vec::with_capacity(2 * samples.len());
            upsampler.upsample_into(samples, &mut wide);
            utterance.samples.extend(wide.into_iter().map(to_i16));
        } else {
            utterance.samples.extend(samples.iter().copied().map(to_i16));
        }
        self.decode(from, samples.len())
    }

    fn hears_wide(&self) -> bool {
        self.upsampler.is_some()
    }

    fn feed_wide(&mut self, samples: &[f32]) -> Result<Option<Hypothesis>, EngineFault> {
        let Some(utterance) = &mut self.utterance else { return Err(misused()) };
        let samples = &samples[..samples.len().min(2 * (LONGEST - utterance.heard))];
        if samples.is_empty() {
            return Ok(None);
        }
        let from = utterance.samples.len();
        utterance.samples.extend(samples.iter().copied().map(to_i16));
        self.decode(from, samples.len() / 2)
    }

    fn finish(&mut self) -> Result<Hypothesis, EngineFault> {
        self.conclude()
    }
}

impl PocketSphinx {
    /// Gives the decoder what came from `from` on, worth so many samples at 8 kHz.
    fn decode(&mut self, from: usize, heard: usize) -> Result<Option<Hypothesis>, EngineFault> {
        let Some(utterance) = &mut self.utterance else { return Err(misused()) };
        utterance.heard += heard;
        let is_due = utterance.heard - utterance.at_last_partial >= PARTIAL_EVERY;
        if is_due {
            utterance.at_last_partial = utterance.heard;
        }
        let decoder = listening(utterance, &mut self.expected, &mut self.open);
        if !decoder.feed(&utterance.samples[from..], Span::Part) {
            return Err(gave_up("sound was refused"));
        }
        Ok(if is_due { self.partial() } else { None })
    }

    /// The verdict on all that was heard.
    fn conclude(&mut self) -> Result<Hypothesis, EngineFault> {
        let utterance = self.utterance.take().ok_or_else(misused)?;
        self.evidence = None;
        if utterance.heard < SHORTEST {
            return Ok(nothing());
        }
        // Decoded again with the cepstral means of all of it: errors on spliced digits were 24 %
        // so, 27 % with the means known while it was spoken, and the verdict depends on nothing
        // that an earlier caller said.
        let phones = PhoneLoop::new(&whole(&mut self.phones, &utterance.samples)?);
        if phones.speech_frames() < SHORTEST_FRAMES {
            return Ok(nothing());
        }
        if utterance.by_grammar {
            let path = whole(&mut self.expected, &utterance.samples)?;
            let evidence = phones.weigh(&path, self.expected.has_path());
            self.evidence = Some(evidence);
            let confidence = self.config.calibration.probability(&evidence);
            if confidence >= ACCEPT || !utterance.is_open {
                return Ok(self.by_grammar(&utterance, &phones, &path, confidence));
            }
        }
        self.by_language(&utterance, &phones)
    }

    fn by_grammar(
        &self,
        utterance: &Utterance,
        phones: &PhoneLoop,
        path: &[Segment],
        confidence: f32,
    ) -> Hypothesis {
        let mut words = phones.judged(path, &self.config.calibration);
        if words.is_empty() {
            // No path reached the end of the grammar: the last partial is the nearest guess.
            words.clone_from(&utterance.partial);
        }
        let is_accepted = confidence >= ACCEPT && !words.is_empty();
        let kind = if is_accepted { HypothesisKind::Final } else { HypothesisKind::Rejected };
        verdict::hypothesis(words, confidence, kind)
    }

    fn by_language(
        &mut self,
        utterance: &Utterance,
        phones: &PhoneLoop,
    ) -> Result<Hypothesis, EngineFault> {
        let Some(open) = &mut self.open else { return Err(gave_up("no language model")) };
        let path = whole(open, &utterance.samples)?;
        let evidence = phones.weigh(&path, open.has_path());
        self.evidence.get_or_insert(evidence);
        let confidence = OPEN_AT_MOST * self.config.calibration.probability(&evidence);
        let words = phones.judged(&path, &self.config.calibration);
        let kind = if words.is_empty() { HypothesisKind::Rejected } else { HypothesisKind::Final };
        Ok(verdict::hypothesis(words, confidence, kind))
    }
}

/// The decoder that gives the partials of an utterance.
fn listening<'a>(
    utterance: &Utterance,
    expected: &'a mut Decoder,
    open: &'a mut Option<Decoder>,
) -> &'a mut Decoder {
    match open {
        Some(open) if !utterance.by_grammar => open,
        _ => expected,
    }
}

/// Decodes all of an utterance at once.
fn whole(decoder: &mut Decoder, samples: &[i16]) -> Result<Vec<Segment>, EngineFault> {
    let is_done = decoder.start() && decoder.feed(samples, Span::Whole) && decoder.end();
    if is_done { Ok(decoder.segments()) } else { Err(gave_up("the utterance was refused")) }
}

/// The verdict on silence.
fn nothing() -> Hypothesis {
    verdict::hypothesis(Vec::new(), 0.0, HypothesisKind::Rejected)
}

fn to_i16(sample: f32) -> i16 {
    (sample * 32_767.0) as i16
}

fn gave_up(why: &str) -> EngineFault {
    EngineFault::ModelFailed { engine: ENGINE, why: why.to_owned() }
}

fn misused() -> EngineFault {
    EngineFault::ApiMisuse { engine: ENGINE }
}
