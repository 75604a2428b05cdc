//! Sound of tests, 8 kHz mono: spoken at test time, kept in WAV files, found again.

use std::path::Path;

use cordboard_audio::SampleRate;
use cordboard_models::speech::{SpeechRequest, Synthesizer};
use cordboard_models::voice::Flite;

const HZ: u32 = 8_000;
/// The coarse search runs at 1 kHz.
const COARSE: usize = 8;
/// Samples by which a part may lie elsewhere than the whole: 30 ms.
const APART: usize = 240;

/// Speaks every text, with half a second of silence after each.
pub(crate) fn spoken(voice: &str, texts: &[String]) -> Vec<f32> {
    let mut voice = Flite::open(voice).unwrap();
    let mut samples = Vec::new();
    for text in texts {
        let text = text.as_str().into();
        let request = SpeechRequest { text, rate: SampleRate::NARROW, stretch: 1.0 };
        samples.extend_from_slice(&voice.speak(&request).unwrap().samples);
        samples.resize(samples.len() + HZ as usize / 2, 0.0);
    }
    samples
}

/// Speaks digits for two minutes, others for each seed. They follow one another at random, so
/// that no second of them comes twice and a stretch is found in one place alone.
pub(crate) fn digits(voice: &str, mut seed: u32) -> Vec<f32> {
    let mut digit = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (b'0' + u8::try_from((seed >> 16) % 10).unwrap()) as char
    };
    let mut text = || (0..6).map(|_| format!("{} ", digit())).collect::<String>();
    spoken(voice, &(0..40).map(|_| text()).collect::<Vec<_>>())
}

/// Writes 16 bits.
pub(crate) fn write_wav(path: &Path, samples: &[f32]) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: HZ,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(path, spec).unwrap();
    for sample in samples {
        #[expect(clippy::cast_possible_truncation, reason = "clamped to the range of i16")]
        wav.write_sample((sample.clamp(-1.0, 1.0) * 32_767.0) as i16).unwrap();
    }
    wav.finalize().unwrap();
}

/// Reads 16 bits of one channel.
pub(crate) fn read_wav(path: &Path) -> Vec<f32> {
    let mut wav = hound::WavReader::open(path).unwrap();
    let spec = wav.spec();
    assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, HZ, 16), "{path:?}");
    wav.samples::<i16>().map(|it| f32::from(it.unwrap()) / 32_768.0).collect()
}

/// Where something lies in a recording, and how well it fits there, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) at: usize,
    pub(crate) fit: f32,
}

/// Finds a stretch of sound in another recording by cross-correlation.
///
/// How well it fits is the median over its tenths, each looked for within 30 ms of its place: where
/// a receiver leaves out or repeats a period to keep its delay, the whole does not lie over itself.
pub(crate) fn find(stretch: &[f32], within: &[f32]) -> Found {
    let (coarse_stretch, coarse_within) = (coarse(stretch), coarse(within));
    let rough = best(&coarse_stretch, &coarse_within, 0..coarse_within.len());
    let near = rough.at * COARSE;
    let found = best(stretch, within, near.saturating_sub(2 * COARSE)..near + 2 * COARSE);
    let tenth = stretch.len() / 10;
    let mut fits: Vec<f32> = (0..10)
        .map(|n| {
            let (piece, at) = (&stretch[n * tenth..(n + 1) * tenth], found.at + n * tenth);
            best(piece, within, at.saturating_sub(APART)..at + APART).fit
        })
        .collect();
    fits.sort_by(f32::total_cmp);
    Found { at: found.at, fit: fits[5] }
}

fn coarse(samples: &[f32]) -> Vec<f32> {
    let mean = |of: &[f32]| of.iter().sum::<f32>() / COARSE as f32;
    samples.chunks_exact(COARSE).map(mean).collect()
}

fn best(stretch: &[f32], within: &[f32], places: std::ops::Range<usize>) -> Found {
    let energy = |of: &[f32]| of.iter().map(|it| it * it).sum::<f32>();
    let wanted = energy(stretch);
    let last = within.len().saturating_sub(stretch.len());
    let fits = (places.start..places.end.min(last + 1)).map(|at| {
        let there = &within[at..at + stretch.len()];
        let product: f32 = stretch.iter().zip(there).map(|(a, b)| a * b).sum();
        Found { at, fit: product / (wanted * energy(there)).sqrt().max(1e-6) }
    });
    fits.max_by(|a, b| a.fit.total_cmp(&b.fit)).expect("a place to look at")
}

/// The loudest second among those that begin in a range, every 50 ms: where, and the sound.
pub(crate) fn loudest_second(samples: &[f32], begins: std::ops::Range<usize>) -> (usize, &[f32]) {
    let second = |at: usize| &samples[at..at + HZ as usize];
    let energy = |at: &usize| second(*at).iter().map(|it| it * it).sum::<f32>();
    let places = begins.step_by(400).filter(|at| at + HZ as usize <= samples.len());
    let at = places.max_by(|a, b| energy(a).total_cmp(&energy(b))).expect("a second of sound");
    (at, second(at))
}

#[test]
fn a_stretch_is_found_where_it_is() {
    let mut seed = 1_u32;
    let noise: Vec<f32> = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 16) as f32 / 65_536.0 - 0.5
    })
    .take(20_000)
    .collect();
    let found = find(&noise[9_123..12_123], &noise);
    assert_eq!(found.at, 9_123);
    assert!(found.fit > 0.999, "{found:?}");
    let elsewhere = find(&noise[15_000..18_000], &noise[..14_000]);
    assert!(elsewhere.fit < 0.3, "{elsewhere:?}");
}

#[test]
fn a_stretch_of_speech_is_told_from_other_speech_and_known_with_a_period_left_out() {
    let texts = |from: u32| -> Vec<String> {
        (from..from + 8).map(|n| format!("This is number {n}.")).collect()
    };
    let (said, other) = (spoken("slt", &texts(500)), spoken("rms", &texts(100)));
    let (_, stretch) = loudest_second(&said, 0..4 * HZ as usize);
    let mut spliced = said.clone();
    let middle = find(stretch, &said).at + 4_000;
    spliced.drain(middle..middle + 48);
    let (whole, spliced, elsewhere) =
        (find(stretch, &said), find(stretch, &spliced), find(stretch, &other));
    eprintln!("{whole:?} {spliced:?} {elsewhere:?}");
    assert!(whole.fit > 0.99 && spliced.fit > 0.9 && elsewhere.fit < 0.8);
}
