//! Opens the engines that the settings name, and says what to do where one does not open.

use std::path::Path;
use std::sync::Arc;
use std::thread::{JoinHandle, ScopedJoinHandle};

use cordboard_audio::SampleRate;
use cordboard_audio::vad::SileroWeights;
use cordboard_models::ears::{PocketSphinx, SphinxConfig};
use cordboard_models::language::Phrasebook;
use cordboard_models::manifest::{self, Manifest};
use cordboard_models::scripted::{Line, ScriptedRecognizer, ScriptedSynthesizer};
use cordboard_models::speech::{EndOfTurn, LanguageModel, Recognizer, SpeechRequest, Synthesizer};
use cordboard_models::turn_end::SmartTurn;
use cordboard_models::voice::{Flite, Piper};

use super::ServeError;
use super::choice::{self, RecognizerChoice, VoiceChoice};
use super::inference::{Answers, Ears, Judges, OpenJudge, VoiceLineup, Voices};
use super::remote::{Remote, remote_engines};
use super::services::PromptCache;
use super::telemetry::Figures;
use crate::conversation::Flow;
use crate::settings::{ModelSettings, RemoteSettings, Settings, TurnJudgeChoice, VadChoice};

/// What "auto" has come down to for want of weights: which setting, what is not there, and what
/// serves in its place. Not a fault, and not to be found out from how a call sounds.
pub(crate) fn fallbacks(settings: &ModelSettings) -> Vec<String> {
    let path = &settings.silero_weights;
    let vad = (settings.vad == VadChoice::Auto && !path.exists()).then(|| {
        let path = path.display();
        format!("models.vad is auto and {path} is not there: earshot tells speech from noise")
    });
    let lesser = [choice::lesser_recognizer(settings), choice::lesser_voice(settings)];
    vad.into_iter().chain(lesser.into_iter().flatten()).collect()
}

/// All engines, running.
#[derive(Debug)]
pub(super) struct Engines {
    pub(super) ears: Ears,
    pub(super) voices: Voices,
    pub(super) judges: Judges,
    pub(super) answers: Answers,
    pub(super) prompts: PromptCache,
    pub(super) silero: Option<Arc<SileroWeights>>,
}

impl Engines {
    /// Opens all, and synthesizes the prompts that are known beforehand.
    pub(super) fn start<'a>(
        settings: &Settings,
        flows: impl Iterator<Item = &'a Arc<Flow>> + Clone,
        own_lines: &[&str],
        (figures, threads): (&Arc<Figures>, &mut Vec<JoinHandle<()>>),
    ) -> Result<Self, ServeError> {
        let (settings, remote) = (&settings.models, &settings.remote);
        let lesser = fallbacks(settings);
        if !lesser.is_empty() {
            tracing::warn!(lesser = lesser.join("; "), "weights are not there: see models list");
        }
        let silero = silero(settings)?;
        let judges = judges(settings)?;
        let share = settings.turn_judge_percent as f32 / 100.0;
        check_answers(remote, flows.clone())?;
        let remote = Remote::start(remote)?;
        let ears = open_ears(settings, settings.recognizers, flows.clone())?;
        let voices = open_voices(settings, settings.synthesizers)?
            .into_iter()
            .map(|voice| (voice, Box::new(Phrasebook::default()) as Box<dyn LanguageModel>))
            .collect();
        let mut voices = remote.voices(voices)?;
        let prompts = prompts(&mut voices, flows, own_lines)?;
        Ok(Self {
            ears: Ears::start(remote.ears(ears)?, threads),
            voices: Voices::start(voices, threads),
            judges: Judges::start(judges, share, figures.clone(), threads),
            answers: Answers::new(remote.answers()?),
            prompts,
            silero,
        })
    }
}

/// Checks that flows can be heard, and synthesizes their prompts, with engines of its own: those
/// that run belong to their threads.
pub(super) fn prepare<'a>(
    settings: &ModelSettings,
    remote: &RemoteSettings,
    flows: impl Iterator<Item = &'a Arc<Flow>> + Clone,
) -> Result<PromptCache, ServeError> {
    check_answers(remote, flows.clone())?;
    open_ears(settings, 1, flows.clone())?;
    let language = Box::new(Phrasebook::default()) as Box<dyn LanguageModel>;
    let mut voices = Remote::start(remote)?.voices(vec![(open_voice(settings)?, language)])?;
    prompts(&mut voices, flows, &[])
}

/// Everything that would keep the engines from starting, or from hearing these flows.
pub(super) fn faults(
    settings: &ModelSettings,
    remote: &RemoteSettings,
    flows: &[Arc<Flow>],
) -> Vec<ServeError> {
    let mut faults: Vec<ServeError> = silero(settings).err().into_iter().collect();
    faults.extend(judges(settings).err());
    faults.extend(check_answers(remote, flows.iter()).err());
    match choice::recognizer(settings) {
        Ok(RecognizerChoice::PocketSphinx) => match PocketSphinx::open(&sphinx(settings)) {
            Ok(ears) => faults.extend(flows.iter().filter_map(|it| check_words(&ears, it).err())),
            Err(error) => faults.push(error.into()),
        },
        Ok(RecognizerChoice::Stub) => {}
        #[cfg(feature = "whisper")]
        Ok(RecognizerChoice::Whisper) => faults.extend(whisper(settings, 1).err()),
        Err(error) => faults.push(error.into()),
    }
    faults.extend(open_voice(settings).err());
    faults.extend(remote_engines(remote).into_iter().filter_map(|it| it.has_key.err()));
    faults
}

fn sphinx(settings: &ModelSettings) -> SphinxConfig {
    SphinxConfig {
        acoustic_model: settings.acoustic_model.clone(),
        dictionary: settings.dictionary.clone(),
        language_model: settings.language_model.clone(),
        ..SphinxConfig::debian()
    }
}

/// Opens the recognizer that is configured, so many times.
pub(crate) fn open_ears<'a>(
    settings: &ModelSettings,
    count: usize,
    flows: impl Iterator<Item = &'a Arc<Flow>>,
) -> Result<Vec<Box<dyn Recognizer>>, ServeError> {
    match choice::recognizer(settings)? {
        RecognizerChoice::PocketSphinx => pocketsphinx(settings, count, flows),
        RecognizerChoice::Stub => Ok(stubs(settings, count)),
        #[cfg(feature = "whisper")]
        RecognizerChoice::Whisper => whisper(settings, count),
    }
}

/// Opens the synthesizer that is configured.
pub(crate) fn open_voice(settings: &ModelSettings) -> Result<Box<dyn Synthesizer>, ServeError> {
    Ok(match choice::voice(settings)? {
        VoiceChoice::Flite => Box::new(Flite::open(&settings.voice)?),
        VoiceChoice::Piper => Box::new(Piper::open(&settings.piper_voice)?),
        VoiceChoice::Stub => Box::new(ScriptedSynthesizer),
    })
}

/// The same so many times; weights are shared.
fn open_voices(
    settings: &ModelSettings,
    count: usize,
) -> Result<Vec<Box<dyn Synthesizer>>, ServeError> {
    Ok(match choice::voice(settings)? {
        VoiceChoice::Flite => {
            let voice = Flite::open(&settings.voice)?;
            (0..count).map(|_| Box::new(voice.clone()) as Box<dyn Synthesizer>).collect()
        }
        VoiceChoice::Piper => {
            let voice = Piper::open(&settings.piper_voice)?;
            (0..count).map(|_| Box::new(voice.another()) as Box<dyn Synthesizer>).collect()
        }
        VoiceChoice::Stub => {
            (0..count).map(|_| Box::new(ScriptedSynthesizer) as Box<dyn Synthesizer>).collect()
        }
    })
}

/// Hears nothing until the utterance is over: what ends a turn is not to be a stub's words.
fn stubs(settings: &ModelSettings, count: usize) -> Vec<Box<dyn Recognizer>> {
    let line = Line::new(&settings.stub_hears, usize::MAX / 2);
    let stub = ScriptedRecognizer::always(line);
    (0..count).map(|_| Box::new(stub.clone()) as Box<dyn Recognizer>).collect()
}

fn pocketsphinx<'a>(
    settings: &ModelSettings,
    count: usize,
    flows: impl Iterator<Item = &'a Arc<Flow>>,
) -> Result<Vec<Box<dyn Recognizer>>, ServeError> {
    let first = PocketSphinx::open(&sphinx(settings))?;
    for flow in flows {
        check_words(&first, flow)?;
    }
    let mut ears: Vec<Box<dyn Recognizer>> = Vec::new();
    for _ in 1..count {
        ears.push(Box::new(first.another()?));
    }
    ears.push(Box::new(first));
    Ok(ears)
}

#[cfg(feature = "whisper")]
fn whisper(settings: &ModelSettings, count: usize) -> Result<Vec<Box<dyn Recognizer>>, ServeError> {
    use cordboard_models::ears::{Whisper, WhisperConfig};
    let first = Whisper::open(&WhisperConfig {
        model: settings.whisper_model.clone(),
        threads: settings.whisper_threads,
        decode_max: std::time::Duration::from_millis(settings.whisper_decode_max_ms),
        clock: crate::clock::monotonic,
    })?;
    let mut ears: Vec<Box<dyn Recognizer>> = Vec::new();
    for _ in 1..count {
        ears.push(Box::new(first.another()?));
    }
    ears.push(Box::new(first));
    Ok(ears)
}

/// A step that nobody answers stops the start, not a caller.
fn check_answers<'a>(
    remote: &RemoteSettings,
    mut flows: impl Iterator<Item = &'a Arc<Flow>>,
) -> Result<(), ServeError> {
    match flows.find(|flow| remote.languages.is_empty() && flow.wants_answers()) {
        Some(flow) => Err(ServeError::NobodyAnswers { flow: flow.name().to_owned() }),
        None => Ok(()),
    }
}

/// A word that the ears cannot know stops the start, not a caller.
fn check_words(ears: &PocketSphinx, flow: &Flow) -> Result<(), ServeError> {
    ears.check_words(&flow.vocabulary())
        .map_err(|unknown| ServeError::UnknownWord { flow: flow.name().to_owned(), unknown })
}

pub(crate) fn silero(settings: &ModelSettings) -> Result<Option<Arc<SileroWeights>>, ServeError> {
    let path: &Path = &settings.silero_weights;
    match settings.vad {
        VadChoice::Earshot => return Ok(None),
        VadChoice::Auto if !path.exists() => return Ok(None),
        VadChoice::Auto | VadChoice::Silero => {}
    }
    let read = std::fs::read(path);
    let bytes = read.map_err(|source| ServeError::Weights { path: path.to_owned(), source })?;
    if let Some(entry) = Manifest::builtin().entry("silero_vad.onnx") {
        let foreign = |source| ServeError::WeightsForeign { path: path.to_owned(), source };
        manifest::check(&bytes, entry).map_err(foreign)?;
    }
    let weights = SileroWeights::from_onnx(&bytes)?;
    Ok(Some(Arc::new(weights)))
}

/// Whether there is a judge of turns by their sound.
pub(crate) fn judges_sound(settings: &ModelSettings) -> bool {
    match settings.turn_judge {
        TurnJudgeChoice::None => false,
        TurnJudgeChoice::Auto => settings.smart_turn_weights.exists(),
        TurnJudgeChoice::SmartTurn => true,
    }
}

/// Opens the judges by sound: one for each core whose time they may use, or for a part of it.
fn judges(settings: &ModelSettings) -> Result<Vec<OpenJudge>, ServeError> {
    if !judges_sound(settings) {
        return Ok(Vec::new());
    }
    let first = SmartTurn::open(&settings.smart_turn_weights)?;
    let judges = (0..settings.turn_judge_percent.div_ceil(100)).map(|_| {
        let first = first.clone();
        Box::new(move || Box::new(first.another()) as Box<dyn EndOfTurn>) as OpenJudge
    });
    Ok(judges.collect())
}

/// Speaks what is known beforehand, by all places at once where there is one engine, as a voice
/// that computes much takes a minute for it; by one place where its next engine may have to take
/// all over, so that all are of one voice.
fn prompts<'a>(
    places: &mut [VoiceLineup],
    flows: impl Iterator<Item = &'a Arc<Flow>>,
    own_lines: &[&str],
) -> Result<PromptCache, ServeError> {
    let cache = PromptCache::default();
    let fixed = flows.flat_map(|flow| flow.fixed_prompts());
    let mut texts: Vec<Arc<str>> = Vec::new();
    for text in fixed.chain(own_lines.iter().map(|line| Arc::from(*line))) {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    let request = |text| SpeechRequest { text, rate: SampleRate::NARROW, stretch: 1.0 };
    let requests: Vec<_> = texts.into_iter().map(request).collect();
    let is_one_engine = places.iter().all(|place| place.voices.len() == 1);
    let places = if is_one_engine { places } else { &mut places[..1] };
    let part = requests.len().div_ceil(places.len()).max(1);
    let spoken: Vec<_> = std::thread::scope(|scope| {
        let parts = places.iter_mut().zip(requests.chunks(part));
        let speaking: Vec<_> =
            parts.map(|(place, part)| scope.spawn(move || place.speak_all(part))).collect();
        speaking.into_iter().map(ScopedJoinHandle::join).collect()
    });
    for speeches in spoken {
        // A voice that panicked panics here, as it would have.
        for speech in speeches.unwrap_or_else(|panic| std::panic::resume_unwind(panic))? {
            cache.keep(speech);
        }
    }
    tracing::info!(prompts = requests.len(), "prompts spoken beforehand");
    Ok(cache)
}
