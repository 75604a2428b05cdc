//! Recorded callers and a real detector: six digits of several speakers, as the telephone brings
//! them. Skipped, with a line, where the shared recordings are not beside the workspace.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use cordboard::timeline::{Outcome, What};
use cordboard_audio::vad::SpeechMeter;
use cordboard_audio::{SampleRate, read_mono};

use super::detector::Detector;
use super::talks::greeted;
use super::world::World;

const SPEAKERS: [&str; 4] = ["george", "jackson", "lucas", "theo"];
/// Between two digits.
const GAP: usize = 8 * 250;

/// The digits as that speaker says them; none where there are no recordings.
fn digits(speaker: &str, digits: &str) -> Option<Vec<f32>> {
    let root = std::env::var_os("CORDBOARD_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let mut samples = vec![];
    for digit in digits.chars() {
        let path = root.join(format!("data/audio/fsdd8k/{digit}_{speaker}_0.wav"));
        let Ok(file) = File::open(&path) else {
            eprintln!("skipped: no {}", path.display());
            return None;
        };
        let (sound, rate) = read_mono(file).expect("the recordings are good");
        assert_eq!(rate, SampleRate::NARROW);
        let peak = sound.iter().fold(0.01_f32, |peak, sample| peak.max(sample.abs()));
        samples.extend(sound.iter().map(|sample| sample * 0.5 / peak));
        samples.extend(std::iter::repeat_n(0.0, GAP));
    }
    samples.truncate(samples.len() - GAP);
    Some(samples)
}

fn world() -> World {
    let mut world = World::ringing();
    world.detector = Detector::Real(SpeechMeter::earshot());
    greeted(world)
}

fn speaks(world: &mut World, samples: &[f32], text: &str) {
    world.script.push(text, 0.95);
    world.caller.speak_recorded(samples);
    world.run(samples.len() as u64 / 8);
}

#[test]
fn six_digits_with_pauses_between_them_are_one_turn_for_a_real_detector() {
    for speaker in SPEAKERS {
        let Some(number) = digits(speaker, "123456") else { return };
        let mut world = world();
        speaks(&mut world, &number[..8 * 1_500], "where is my order");
        world.hears("What is your order number?");
        world.run(400);
        speaks(&mut world, &number, "one two three four five six");
        world.hears("Order 1 2 3 4 5 6. Is that right?");
        let turns = world.count(|what| matches!(what, What::CallerSpoke { .. }));
        assert_eq!(turns, 2, "{speaker}\n{}", world.story());
        let dead = world.caller.dead_air();
        assert!(dead.1 <= Duration::from_secs(3), "{speaker}: {dead:?}");
    }
}

#[test]
fn a_real_detector_lets_a_voice_lower_a_prompt_at_once_and_stop_it_soon() {
    for speaker in SPEAKERS {
        let Some(number) = digits(speaker, "123456") else { return };
        let mut world = World::ringing();
        world.detector = Detector::Real(SpeechMeter::earshot());
        world.connect();
        world.hears_begin("Hello, this is the automated assistant");
        world.run(600);
        let onset = world.now;
        speaks(&mut world, &number, "where is my order one two three four five six");
        let stopped = world.time_of(|what| matches!(what, What::Interrupted { .. }));
        let lowered = world.time_of(|what| matches!(what, What::Ducked { .. }));
        assert!(lowered.since(onset) <= Duration::from_millis(400), "{speaker} {lowered:?}");
        // Digits one by one are each as short as an acknowledgement.
        assert!(stopped.since(onset) <= Duration::from_millis(1_500), "{speaker} {stopped:?}");
        world.hears("Is that right?");
        world.hangs_up();
        assert_eq!(world.ends(0).0, Outcome::Abandoned);
    }
}
