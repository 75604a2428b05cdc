//! Ears by whisper.cpp: any ggml Whisper model, for open speech better than a grammar can be.
//!
//! Whisper hears whole utterances, so partials are decodes of all that was said so far, spaced by
//! what the last one took. The expectation is a prompt and a soft bias on the next token; words
//! that it does not have are heard too, and rejected where nothing else is welcome. One set of
//! weights serves all sessions. One object belongs to one inference worker. Cargo feature
//! `whisper`.

mod bias;
mod ffi;
mod verdict;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cordboard_audio::SampleRate;
use whisper_rs::{
    FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters, WhisperError,
    WhisperState,
};

use self::bias::{Bias, Tokens};
use self::ffi::Watch;
pub use self::verdict::Certainty;
use self::verdict::Token;
use super::agreement::Agreement;
use super::ggml::{self, GgmlFault, WhisperHeader};
use super::grammar::{self, Net};
use super::upsample::Upsampler;
use super::written::Figures;
use crate::speech::{
    EngineFault, Expectation, Hypothesis, HypothesisKind, PhrasePart, Recognizer, SlotKind, Word,
};

const ENGINE: &str = "whisper";

/// Sound between two partials at least, samples at 8 kHz: 500 ms.
const PARTIAL_EVERY: usize = 4_000;
/// Less speech than this is a click or a breath, samples at 8 kHz: 120 ms.
const SHORTEST: usize = 960;
/// What Whisper hears at once, samples at 8 kHz: 30 s; what follows is dropped.
const LONGEST: usize = 30 * 8_000;
/// Tokens of a second of speech at most: fast speakers need 6, and a model that repeats itself
/// is stopped.
const TOKENS_A_SECOND: usize = 10;
/// Positions past the end of what was said, and the fewest: with less silence after it Whisper
/// repeats itself.
const POSITIONS_BESIDE: u32 = 128;
const POSITIONS_MIN: u32 = 384;
/// Added to the logit of a token that is expected.
const BONUS: f32 = 4.0;
/// Below this probability a hypothesis is `Rejected` where nothing but the expected is welcome.
pub const ACCEPT: f32 = 0.3;
/// Confidence of a partial, of which nothing is known yet.
const UNSETTLED: f32 = 0.5;

/// Which model, and what it may cost.
#[derive(Clone, Debug)]
pub struct WhisperConfig {
    /// A ggml file, as whisper.cpp's converters make them.
    pub model: PathBuf,
    /// Threads of one decode.
    pub threads: usize,
    /// A decode that takes longer is given up. Looked at after the encoder and after each token.
    pub decode_max: Duration,
    /// A monotonic clock.
    pub clock: fn() -> Duration,
}

/// Why a session could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WhisperOpenError {
    /// The file is not a whole Whisper model.
    #[error(transparent)]
    File(#[from] GgmlFault),
    /// The processor lacks what whisper.cpp was compiled for, and would stop the process.
    #[error(
        "this processor has no {missing}, which the build of whisper.cpp needs; \
         set models.recognizer to \"pocketsphinx\", or build with GGML_AVX2=OFF and the like"
    )]
    Processor {
        /// The instructions.
        missing: &'static str,
    },
    /// whisper.cpp did not take the file, or there is not enough memory.
    #[error(
        "whisper.cpp refuses {} ({why}); name another model, or one that fits into memory",
        path.display()
    )]
    Refused {
        /// Which.
        path: PathBuf,
        /// What it said.
        why: WhisperError,
    },
}

/// Ears by whisper.cpp.
#[derive(Debug)]
pub struct Whisper {
    config: WhisperConfig,
    header: WhisperHeader,
    context: Arc<WhisperContext>,
    tokens: Arc<Tokens>,
    state: WhisperState,
    cancelled: Arc<AtomicBool>,
    utterance: Option<Utterance>,
    certainty: Option<Certainty>,
}

/// What one utterance is listened to with.
#[derive(Debug)]
struct Utterance {
    expectation: Expectation,
    net: Option<Net>,
    bias: Option<Bias>,
    prompt: Vec<i32>,
    figures: Figures,
    upsampler: Upsampler,
    /// All of it at 16 kHz.
    samples: Vec<f32>,
    /// Samples heard, at 8 kHz.
    heard: usize,
    /// When the next partial is due, samples at 8 kHz.
    partial_at: usize,
    partial: Vec<Word>,
    agreement: Agreement,
}

impl Whisper {
    /// Checks and loads a model, and opens a session of it.
    ///
    /// # Errors
    /// [`WhisperOpenError`], whose text says what to do.
    pub fn open(config: &WhisperConfig) -> Result<Self, WhisperOpenError> {
        processor()?;
        let header = ggml::check(&config.model)?;
        whisper_rs::install_logging_hooks();
        let refused = |why| WhisperOpenError::Refused { path: config.model.clone(), why };
        let mut parameters = WhisperContextParameters::default();
        parameters.use_gpu(false);
        let context = WhisperContext::new_with_params(&config.model, parameters);
        let context = context.map_err(refused)?;
        let text = 0..context.token_eot();
        let tokens =
            Tokens::new(text.map(|id| context.token_to_bytes(id).unwrap_or_default().to_vec()));
        Self::session(config, header, Arc::new(context), Arc::new(tokens))
    }

    /// Opens one more session, which shares this one's weights.
    ///
    /// # Errors
    /// `Refused` where there is not enough memory.
    pub fn another(&self) -> Result<Self, WhisperOpenError> {
        let (context, tokens) = (Arc::clone(&self.context), Arc::clone(&self.tokens));
        Self::session(&self.config, self.header, context, tokens)
    }

    fn session(
        config: &WhisperConfig,
        header: WhisperHeader,
        context: Arc<WhisperContext>,
        tokens: Arc<Tokens>,
    ) -> Result<Self, WhisperOpenError> {
        let refused = |why| WhisperOpenError::Refused { path: config.model.clone(), why };
        let state = context.create_state().map_err(refused)?;
        Ok(Self {
            config: config.clone(),
            header,
            context,
            tokens,
            state,
            cancelled: Arc::new(AtomicBool::new(false)),
            utterance: None,
            certainty: None,
        })
    }

    /// What the file says of itself.
    #[must_use]
    pub fn header(&self) -> WhisperHeader {
        self.header
    }

    /// What spoke for and against the last verdict; `None` before the first.
    #[must_use]
    pub fn certainty(&self) -> Option<Certainty> {
        self.certainty
    }

    /// Decodes all that was said so far; none where it was stopped.
    fn decode(&mut self) -> Result<Option<Vec<Token>>, EngineFault> {
        let utterance = self.utterance.as_ref().ok_or_else(misused)?;
        let mut params = FullParams::new(SamplingStrategy::Greedy { best_of: 1 });
        params.set_n_threads(i32::try_from(self.config.threads).unwrap_or(1).max(1));
        params.set_no_context(true);
        params.set_temperature(0.0);
        // Second tries at higher temperatures cost as much again, and make words up.
        params.set_temperature_inc(0.0);
        params.set_single_segment(true);
        params.set_token_timestamps(true);
        params.set_suppress_blank(true);
        params.set_suppress_nst(true);
        params.set_print_progress(false);
        params.set_print_realtime(false);
        params.set_print_timestamps(false);
        params.set_print_special(false);
        let seconds = utterance.heard.div_ceil(8_000) + 1;
        params.set_max_tokens(i32::try_from(seconds * TOKENS_A_SECOND).unwrap_or(i32::MAX));
        params.set_audio_ctx(positions(utterance.heard, self.header.audio_positions));
        params.set_tokens(&utterance.prompt);
        let watch = Watch {
            clock: self.config.clock,
            until: (self.config.clock)() + self.config.decode_max,
            cancelled: &self.cancelled,
            bias: utterance.bias.as_ref(),
            tokens: &self.tokens,
            vocabulary: self.header.vocabulary as usize,
            bonus: BONUS,
        };
        match ffi::decode(&mut self.state, params, &watch, &utterance.samples) {
            Ok(()) => Ok(Some(self.said())),
            // The encoder and the decoder report a stop so.
            Err(WhisperError::GenericError(-6 | -8)) => {
                if self.cancelled.load(Ordering::Relaxed) {
                    return Ok(None);
                }
                let most = self.config.decode_max;
                Err(gave_up(&format!("a decode was not done within {most:?}")))
            }
            Err(why) => Err(gave_up(&why.to_string())),
        }
    }

    fn said(&self) -> Vec<Token> {
        let text = self.tokens.len();
        let mut said = Vec::new();
        for segment in self.state.as_iter() {
            for at in 0..segment.n_tokens() {
                let Some(token) = segment.get_token(at) else { continue };
                let data = token.token_data();
                let id = usize::try_from(data.id).unwrap_or(text);
                if id < text {
                    said.push(Token {
                        text: self.tokens.text(id).to_vec(),
                        begin_cs: data.t0,
                        end_cs: data.t1,
                        probability: data.p,
                    });
                }
            }
        }
        said
    }

    fn partial(&mut self) -> Result<Option<Hypothesis>, EngineFault> {
        let began = (self.config.clock)();
        let Some(tokens) = self.decode()? else { return Ok(None) };
        let took = (self.config.clock)().saturating_sub(began);
        let utterance = self.utterance.as_mut().ok_or_else(misused)?;
        // Half of the time is left for the sound that waits meanwhile.
        let pause = (took.as_secs_f64() * 2.0 * 8_000.0) as usize;
        utterance.partial_at = utterance.heard + pause.max(PARTIAL_EVERY);
        let words = verdict::words(&tokens, utterance.figures);
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        let stable_words = utterance.agreement.stable_words(&texts);
        let is_news = !utterance.partial.iter().map(|word| word.text.as_str()).eq(texts);
        utterance.partial.clone_from(&words);
        let partial = hypothesis(words, UNSETTLED, HypothesisKind::Partial);
        Ok(is_news.then_some(Hypothesis { stable_words, ..partial }))
    }
}

impl Recognizer for Whisper {
    fn rate(&self) -> SampleRate {
        SampleRate::NARROW
    }

    fn begin(&mut self, expectation: &Expectation) -> Result<(), EngineFault> {
        self.cancelled.store(false, Ordering::Relaxed);
        let net = grammar::rule(expectation).as_ref().map(Net::new);
        let is_open = grammar::is_open(expectation);
        if net.is_none() && !is_open {
            let what = "an expectation of nothing".to_owned();
            return Err(EngineFault::Unsupported { engine: ENGINE, what });
        }
        let prompt = prompt(expectation);
        // Any text has at most a token for each byte; whisper-rs trusts the count.
        let prompt = self.context.tokenize(&prompt, prompt.len() + 1);
        let prompt = prompt.map_err(|why| gave_up(&why.to_string()))?;
        let is_code = |kind: &SlotKind| matches!(kind, SlotKind::Digits { .. });
        let figures =
            if kinds(expectation).any(is_code) { Figures::OneByOne } else { Figures::Cardinal };
        self.utterance = Some(Utterance {
            expectation: expectation.clone(),
            bias: if is_open { None } else { net.as_ref().and_then(Bias::new) },
            net,
            prompt,
            figures,
            upsampler: Upsampler::new(),
            samples: Vec::new(),
            heard: 0,
            partial_at: 2 * PARTIAL_EVERY,
            partial: Vec::new(),
            agreement: Agreement::default(),
        });
        Ok(())
    }

    fn feed(&mut self, samples: &[f32]) -> Result<Option<Hypothesis>, EngineFault> {
        let utterance = self.utterance.as_mut().ok_or_else(misused)?;
        let samples = &samples[..samples.len().min(LONGEST - utterance.heard)];
        utterance.upsampler.upsample_into(samples, &mut utterance.samples);
        utterance.heard += samples.len();
        if samples.is_empty() || utterance.heard < utterance.partial_at {
            return Ok(None);
        }
        self.partial()
    }

    fn hears_wide(&self) -> bool {
        true
    }

    fn feed_wide(&mut self, samples: &[f32]) -> Result<Option<Hypothesis>, EngineFault> {
        let utterance = self.utterance.as_mut().ok_or_else(misused)?;
        let samples = &samples[..samples.len().min(2 * (LONGEST - utterance.heard))];
        utterance.samples.extend_from_slice(samples);
        utterance.heard += samples.len() / 2;
        if samples.is_empty() || utterance.heard < utterance.partial_at {
            return Ok(None);
        }
        self.partial()
    }

    fn finish(&mut self) -> Result<Hypothesis, EngineFault> {
        self.certainty = None;
        let heard = self.utterance.as_ref().ok_or_else(misused)?.heard;
        let tokens = if heard < SHORTEST { Some(Vec::new()) } else { self.decode()? };
        let utterance = self.utterance.take().ok_or_else(misused)?;
        let Some(tokens) = tokens else {
            return Ok(hypothesis(utterance.partial, 0.0, HypothesisKind::Rejected));
        };
        let certainty = Certainty::of(&tokens);
        self.certainty = Some(certainty);
        Ok(utterance.verdict(&tokens, certainty.probability()))
    }

    fn stopper(&self) -> Option<Arc<AtomicBool>> {
        Some(Arc::clone(&self.cancelled))
    }
}

impl Utterance {
    /// What was said, read such that it fits what was expected, if it can be.
    fn verdict(&self, tokens: &[Token], confidence: f32) -> Hypothesis {
        let mut words = verdict::words(tokens, self.figures);
        let is_expected = self.net.as_ref().is_some_and(|net| {
            let other = match self.figures {
                Figures::OneByOne => Figures::Cardinal,
                Figures::Cardinal => Figures::OneByOne,
            };
            if net.accepts(&text(&words)) {
                return true;
            }
            let others = verdict::words(tokens, other);
            let is_other = net.accepts(&text(&others));
            if is_other {
                words = others;
            }
            is_other
        });
        let is_welcome =
            grammar::is_open(&self.expectation) || (is_expected && confidence >= ACCEPT);
        let is_final = is_welcome && !words.is_empty();
        let kind = if is_final { HypothesisKind::Final } else { HypothesisKind::Rejected };
        let confidence = if words.is_empty() { 0.0 } else { confidence };
        hypothesis(words, confidence, kind)
    }
}

/// With GGML_NATIVE off, ggml is compiled for processors of 2013 and later.
#[cfg(target_arch = "x86_64")]
fn processor() -> Result<(), WhisperOpenError> {
    let needed = [
        (std::arch::is_x86_feature_detected!("avx2"), "AVX2"),
        (std::arch::is_x86_feature_detected!("fma"), "FMA"),
        (std::arch::is_x86_feature_detected!("f16c"), "F16C"),
        (std::arch::is_x86_feature_detected!("bmi2"), "BMI2"),
    ];
    match needed.into_iter().find(|(is_there, _)| !is_there) {
        Some((_, missing)) => Err(WhisperOpenError::Processor { missing }),
        None => Ok(()),
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn processor() -> Result<(), WhisperOpenError> {
    Ok(())
}

/// How much of its 30 s the encoder looks at: what was said and a margin, at 50 positions a second.
fn positions(heard: usize, most: u32) -> i32 {
    let needed = u32::try_from(heard * 50 / 8_000).unwrap_or(most) + POSITIONS_BESIDE;
    i32::try_from(needed.max(POSITIONS_MIN).min(most)).unwrap_or(0)
}

/// All kinds of values that may be said, alone or in a phrase.
fn kinds(expectation: &Expectation) -> impl Iterator<Item = &SlotKind> {
    let parts = expectation.phrases.iter().flat_map(|phrase| &phrase.parts);
    let in_phrases = parts.filter_map(|part| match part {
        PhrasePart::Slot { kind, .. } => Some(kind),
        PhrasePart::Words(_) => None,
    });
    expectation.kinds.iter().chain(in_phrases)
}

/// Words of what is expected, as text that came before: Whisper goes on in its style.
fn prompt(expectation: &Expectation) -> String {
    /// Whisper takes 223 tokens at most; more text than this is not better.
    const LONGEST_BYTES: usize = 400;
    let mut text = String::new();
    for kind in kinds(expectation) {
        let example = match kind {
            SlotKind::Digits { .. } => " 4 0 7 1 9 2.",
            SlotKind::YesNo => " Yes. No.",
            SlotKind::Time => " Half past six p.m.",
            SlotKind::Choice(wordings) => {
                text.extend(wordings.iter().flat_map(|wording| [" ", wording, "."]));
                continue;
            }
            SlotKind::Number
            | SlotKind::Date
            | SlotKind::Amount
            | SlotKind::Name
            | SlotKind::Open => continue,
        };
        if !text.contains(example) {
            text.push_str(example);
        }
    }
    for phrase in &expectation.phrases {
        for part in &phrase.parts {
            if let PhrasePart::Words(words) = part {
                text.push(' ');
                text.push_str(words);
            }
        }
        text.push('.');
    }
    text.retain(|c| c != '\0');
    let end = text.floor_char_boundary(LONGEST_BYTES.min(text.len()));
    text.truncate(end);
    text
}

fn hypothesis(words: Vec<Word>, confidence: f32, kind: HypothesisKind) -> Hypothesis {
    Hypothesis { text: text(&words), stable_words: words.len(), words, confidence, kind }
}

fn text(words: &[Word]) -> String {
    words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
}

fn gave_up(why: &str) -> EngineFault {
    EngineFault::ModelFailed { engine: ENGINE, why: why.to_owned() }
}

fn misused() -> EngineFault {
    EngineFault::ApiMisuse { engine: ENGINE }
}
