//! Word error of a recognizer on recordings that came through a codec and a lossy line.
//!
//! `cargo run --release -p cordboard-models [--features whisper] --example word_error --
//! DATA [LIMIT] [MODEL]` where DATA is a folder with `REFS.tsv`, `fsdd8k/` and recordings, LIMIT
//! how many utterances of each set are heard (20), and MODEL a ggml file for Whisper or a folder
//! with an acoustic model of PocketSphinx (Debian's by default).
//!
//! Packets of 20 ms are lost independently, by a seed; what comes goes through the product's own
//! receiver: jitter buffer, in-band repair where the codec has it, concealment.

#![expect(clippy::print_stdout, reason = "a command line tool")]
#![expect(clippy::disallowed_methods, reason = "measures")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cordboard_audio::{
    Codec, Encoder, Frame, MediaTime, Packet, Receiver, SampleRate, read_mono, resample,
};
use cordboard_models::ears::{PocketSphinx, SphinxConfig};
use cordboard_models::speech::{Expectation, Recognizer, SlotKind};

/// The codecs that are heard, and whether at 16 kHz.
const CODECS: [(Codec, bool); 3] =
    [(Codec::Pcmu, false), (Codec::Opus, false), (Codec::Opus, true)];
/// Shares of packets that are lost.
const LOSSES: [f64; 4] = [0.0, 0.05, 0.10, 0.20];
/// Frames after the last packet, in which the jitter buffer empties.
const TAIL_FRAMES: usize = 15;
/// Silence between spliced digits, s.
const BETWEEN_S: f64 = 0.08;

/// A recording and what is said in it.
struct Utterance {
    /// At 48 kHz, so that each codec takes it at its own rate.
    sound: Vec<f32>,
    said: String,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let data = PathBuf::from(arguments.next().expect("name the folder of recordings"));
    let limit = arguments.next().map_or(20, |limit| limit.parse().expect("a number"));
    let mut ears = open(arguments.next().map(PathBuf::from));
    let digits =
        Expectation { kinds: vec![SlotKind::Digits { min: 6, max: 6 }], ..Expectation::default() };
    let open = Expectation { open: true, ..Expectation::default() };
    let sets = [
        ("six digits, spliced", digits, spliced_digits(&data, limit)),
        ("open speech", open, references(&data, limit)),
    ];
    println!("set                  codec     loss   utterances  words  errors  WER    real-time");
    for (name, expectation, utterances) in &sets {
        for (codec, wide) in CODECS {
            if wide && !ears.hears_wide() {
                continue;
            }
            for loss in LOSSES {
                let (mut words, mut errors) = (0, 0);
                let (mut took, mut sounded) = (Duration::ZERO, 0.0);
                for (seed, utterance) in (1..).zip(utterances) {
                    let heard = through(&utterance.sound, (codec, wide), loss, seed);
                    let rate = if wide { SampleRate::WIDE } else { SampleRate::NARROW };
                    sounded += heard.len() as f64 / f64::from(rate.hz());
                    let began = Instant::now();
                    let text = recognize(ears.as_mut(), expectation, (&heard, wide));
                    took += began.elapsed();
                    let said: Vec<_> = utterance.said.split(' ').collect();
                    words += said.len();
                    errors += distance(&said, &text.split_whitespace().collect::<Vec<_>>());
                }
                println!(
                    "{name:<20} {:<9} {:>3.0} %  {:>10}  {words:>5}  {errors:>6}  {:>4.1} %  {:.3}",
                    format!("{}{}", codec.name(), if wide { " wide" } else { "" }),
                    loss * 100.0,
                    utterances.len(),
                    100.0 * errors as f64 / words.max(1) as f64,
                    took.as_secs_f64() / sounded,
                );
            }
        }
    }
}

fn open(model: Option<PathBuf>) -> Box<dyn Recognizer> {
    #[cfg(feature = "whisper")]
    if let Some(model) = model.as_ref().filter(|model| model.is_file()) {
        use cordboard_models::ears::{Whisper, WhisperConfig};
        let config = WhisperConfig {
            model: model.clone(),
            threads: 1,
            decode_max: Duration::from_secs(60),
            // A clock that stands: partials are as frequent as they can be made, and not measured.
            clock: || Duration::ZERO,
        };
        return Box::new(Whisper::open(&config).expect("the model opens"));
    }
    let config = model.map_or_else(SphinxConfig::debian, SphinxConfig::telephone);
    Box::new(PocketSphinx::open(&config).expect("the model opens"))
}

/// The whole utterance at once: what is measured is the verdict, and its cost.
fn recognize(
    ears: &mut dyn Recognizer,
    expectation: &Expectation,
    (sound, wide): (&[f32], bool),
) -> String {
    ears.begin(expectation).expect("it can be listened for");
    if wide {
        ears.feed_wide(sound).expect("it is taken");
    } else {
        ears.feed(sound).expect("it is taken");
    }
    ears.finish().expect("there is a verdict").text
}

/// What the far end hears, at 8 kHz or wide.
fn through(sound: &[f32], (codec, wide): (Codec, bool), loss: f64, seed: u64) -> Vec<f32> {
    let rate_hz = codec.rate().hz();
    let sound = resample(sound, 48_000, rate_hz);
    let samples = rate_hz as usize / 50;
    let mut encoder = Encoder::new(codec);
    let mut receiver = Receiver::new(codec);
    let mut random = Random(seed);
    let mut payload = [0; 1_500];
    let mut heard = Vec::new();
    let frames = sound.len().div_ceil(samples);
    for n in 0..frames + TAIL_FRAMES {
        let now = MediaTime::from_millis(20 * n as u64);
        if n < frames {
            let mut frame = sound[n * samples..((n + 1) * samples).min(sound.len())].to_vec();
            frame.resize(samples, 0.0);
            let bytes = encoder.encode_into(&frame, &mut payload);
            if random.share() >= loss {
                receiver.insert(Packet {
                    sequence: n as u16,
                    timestamp: (n * codec.clock_hz() as usize / 50) as u32,
                    marker: n == 0,
                    payload: &payload[..bytes],
                    arrived: now,
                });
            }
        }
        let mut frame = Frame::silence(now, codec.rate());
        receiver.pull_into(now, &mut frame);
        heard.extend_from_slice(frame.samples());
    }
    if wide { heard } else { resample(&heard, rate_hz, SampleRate::NARROW.hz()) }
}

/// Six digits of one speaker, one after the other.
fn spliced_digits(data: &Path, limit: usize) -> Vec<Utterance> {
    let speakers = ["george", "jackson", "lucas", "theo"];
    let names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    let mut random = Random(6);
    let pause = vec![0.0; (48_000.0 * BETWEEN_S) as usize];
    (0..limit)
        .map(|n| {
            let speaker = speakers[n % speakers.len()];
            let mut parts = Vec::new();
            let mut said = Vec::new();
            for _ in 0..6 {
                let digit = (random.share() * 10.0) as usize;
                let take = (random.share() * 8.0) as usize;
                let name = format!("fsdd8k/{digit}_{speaker}_{take}.wav");
                parts.push(read(&data.join(name)));
                said.push(names[digit]);
            }
            Utterance { sound: parts.join(&pause[..]), said: said.join(" ") }
        })
        .collect()
}

/// WAV files whose words are known.
fn references(data: &Path, limit: usize) -> Vec<Utterance> {
    let text = std::fs::read_to_string(data.join("REFS.tsv")).expect("REFS.tsv is readable");
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let mut fields = line.split('\t');
            let (path, said) = (data.join(fields.next()?), fields.next()?);
            let is_wav = path.extension().is_some_and(|extension| extension == "wav");
            (is_wav && !said.is_empty())
                .then(|| Utterance { sound: read(&path), said: said.to_owned() })
        })
        .filter(|utterance| (24_000..29 * 48_000).contains(&utterance.sound.len()))
        .take(limit)
        .collect()
}

fn read(path: &Path) -> Vec<f32> {
    let file = std::fs::File::open(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let (samples, rate) = read_mono(file).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    resample(&samples, rate.hz(), 48_000)
}

/// Words to be put in, left out or changed (Levenshtein 1966).
fn distance(said: &[&str], heard: &[&str]) -> usize {
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (i, a) in said.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in heard.iter().enumerate() {
            // "oh" and "zero" are one digit.
            let is_same = a == b || matches!((*a, *b), ("oh", "zero") | ("zero", "oh"));
            let changed = diagonal + usize::from(!is_same);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[heard.len()]
}

/// Steele's SplitMix64: the same losses in every run.
struct Random(u64);

impl Random {
    /// From 0 to 1.
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
