//! The sounds that callers make: texts in a voice, recordings, coughs.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::resample::resample;
use cordboard_audio::wav::{WavError, read_mono, read_stereo};
use cordboard_models::speech::{EngineFault, SpeechRequest, Synthesizer};
use cordboard_models::voice::{Flite, OpenError};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::super::likeness::{Print, RENDERINGS};
use super::format::duration;

/// The voice of a caller who names none: not the assistant's.
pub(super) const CALLERS_VOICE: &str = "rms";
/// The loudest sample of a text that is spoken.
const PEAK: f32 = 0.5;
const HZ: usize = 8_000;
/// The longest sound that a step may make.
const SOUND_MAX: Duration = Duration::from_secs(300);

/// Why a sound cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SoundFault {
    /// There is no such voice.
    #[error(transparent)]
    Voice(#[from] OpenError),
    /// The voice gave no sound.
    #[error(transparent)]
    Engine(#[from] EngineFault),
    /// The file is not there.
    #[error("cannot be read: {0}")]
    Disk(#[from] std::io::Error),
    /// The file is no sound that is known.
    #[error("{0}")]
    Wav(#[from] WavError),
    /// Nothing is in it.
    #[error("has no sound in it")]
    Empty,
    /// It takes too long.
    #[error("is longer than {} s", SOUND_MAX.as_secs())]
    Long,
}

/// Makes sounds, each once.
#[derive(Default)]
pub struct Studio {
    voices: HashMap<String, Flite>,
    spoken: HashMap<(String, u32, String), Arc<[f32]>>,
    /// The far end's voice, where it is known: what it says sounds so.
    far: Option<Box<dyn Synthesizer>>,
    prints: HashMap<String, Arc<Print>>,
}

impl std::fmt::Debug for Studio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Studio").field("spoken", &self.spoken.len()).finish_non_exhaustive()
    }
}

impl Studio {
    /// One that knows the far end's voice.
    #[must_use]
    pub fn with_far_voice(far: Option<Box<dyn Synthesizer>>) -> Self {
        Self { far, ..Self::default() }
    }

    /// Speaks parts, each a text or a pause (`700ms`); 8 kHz.
    pub(super) fn say(
        &mut self,
        voice: &str,
        stretch: f32,
        parts: &[&str],
    ) -> Result<Arc<[f32]>, SoundFault> {
        let mut sound = Vec::new();
        for part in parts {
            match duration(part) {
                Some(pause) => {
                    let pause = pause.min(SOUND_MAX).as_millis() as usize;
                    sound.resize(sound.len() + pause * HZ / 1_000, 0.0);
                }
                None => sound.extend_from_slice(&self.text(voice, stretch, part)?),
            }
        }
        checked(sound)
    }

    fn text(&mut self, voice: &str, stretch: f32, text: &str) -> Result<Arc<[f32]>, SoundFault> {
        let key = (voice.to_owned(), stretch.to_bits(), text.to_owned());
        if let Some(sound) = self.spoken.get(&key) {
            return Ok(sound.clone());
        }
        if !self.voices.contains_key(voice) {
            self.voices.insert(voice.to_owned(), Flite::open(voice)?);
        }
        let engine = self.voices.get_mut(voice).expect("it was opened just now");
        let rate = cordboard_audio::SampleRate::NARROW;
        let request = SpeechRequest { text: text.into(), rate, stretch };
        let mut sound = engine.speak(&request)?.samples.to_vec();
        let peak = sound.iter().fold(0.01_f32, |peak, sample| peak.max(sample.abs()));
        sound.iter_mut().for_each(|sample| *sample *= PEAK / peak);
        // Engines end with silence, which is no part of the turn.
        let last = sound.iter().rposition(|it| it.abs() > 0.004).map_or(0, |it| it + 1);
        sound.truncate(last);
        let sound: Arc<[f32]> = sound.into();
        self.spoken.insert(key, sound.clone());
        Ok(sound)
    }

    /// How the far end sounds when it says this, or this recording of it (`*.wav`); none where its
    /// voice is not known.
    pub(super) fn far(
        &mut self,
        said: &str,
        base: &Path,
    ) -> Result<Option<Arc<Print>>, SoundFault> {
        if let Some(print) = self.prints.get(said) {
            return Ok(Some(print.clone()));
        }
        let is_file = Path::new(said).extension().is_some_and(|it| it.eq_ignore_ascii_case("wav"));
        let print = if is_file {
            Print::of(&wav(&base.join(said))?)
        } else {
            let Some(voice) = self.far.as_mut() else { return Ok(None) };
            let rate = cordboard_audio::SampleRate::NARROW;
            let request = SpeechRequest { text: said.into(), rate, stretch: 1.0 };
            let spoken: Vec<_> = std::iter::repeat_with(|| voice.speak(&request))
                .take(RENDERINGS)
                .collect::<Result<_, _>>()?;
            Print::of_renderings(&spoken.iter().map(|it| &*it.samples).collect::<Vec<_>>())
        };
        let print = Arc::new(print);
        self.prints.insert(said.to_owned(), print.clone());
        Ok(Some(print))
    }
}

/// A recording with one channel, of any rate, at 8 kHz.
pub(super) fn wav(path: &Path) -> Result<Arc<[f32]>, SoundFault> {
    let (samples, rate) = read_mono(File::open(path)?)?;
    checked(narrowed(samples, rate.hz()))
}

/// A recording with two channels, at 8 kHz: the caller, and whom they rang.
pub(super) fn wav_pair(path: &Path) -> Result<[Vec<f32>; 2], SoundFault> {
    let (channels, rate) = read_stereo(File::open(path)?)?;
    Ok(channels.map(|samples| narrowed(samples, rate.hz())))
}

fn narrowed(samples: Vec<f32>, hz: u32) -> Vec<f32> {
    if hz as usize == HZ { samples } else { resample(&samples, hz, HZ as u32) }
}

fn checked(sound: Vec<f32>) -> Result<Arc<[f32]>, SoundFault> {
    if sound.len() > HZ * SOUND_MAX.as_secs() as usize {
        return Err(SoundFault::Long);
    }
    if sound.iter().all(|sample| sample.abs() < 1e-4) {
        return Err(SoundFault::Empty);
    }
    Ok(sound.into())
}

/// A cough: 300 ms of noise that bursts and dies away, without pitch.
pub(super) fn cough(seed: u64) -> Arc<[f32]> {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut low = 0.0_f32;
    let samples = (0..HZ * 3 / 10).map(|at| {
        let time = at as f32 / HZ as f32;
        let envelope = (time / 0.015).min(1.0) * (-time / 0.08).exp();
        low += 0.45 * (chance.random_range(-1.0..1.0_f32) - low);
        0.8 * envelope * low
    });
    samples.collect()
}
