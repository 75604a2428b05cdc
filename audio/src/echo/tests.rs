//! Echo cancelling against a room that is computed: what is left of the echo, and of the caller.

use std::path::Path;

use super::*;

/// Seconds of 16 kHz.
const SECOND: usize = 16_000;
/// The loudspeaker's buffer, the way through the air, the microphone's buffer.
const ROOM_DELAY_SAMPLES: usize = 1_300;

/// Noise of -1 to 1, the same for the same seed (xorshift).
fn noise(seed: u32) -> impl FnMut() -> f32 {
    let mut state = seed;
    move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as f32 / u32::MAX as f32 * 2.0 - 1.0
    }
}

/// Something like speech: syllables of a buzz with two resonances, and breath; pauses between.
fn speech(seed: u32, pitch_hz: f32, samples: usize) -> Vec<f32> {
    let mut draw = noise(seed);
    let (mut phase, mut pitch, mut formants) = (0.0_f32, pitch_hz, [700.0_f32, 1_800.0]);
    let mut memory = [[0.0_f32; 2]; 2];
    let mut loud = 0.0_f32;
    let mut goal = 1.0_f32;
    let mut out = Vec::with_capacity(samples);
    for n in 0..samples {
        if n % 2_400 == 0 {
            pitch = pitch_hz * (1.0 + 0.2 * draw());
            formants = [550.0 + 250.0 * draw(), 1_700.0 + 600.0 * draw()];
            goal = if draw() > -0.5 { 0.6 + 0.4 * draw() } else { 0.0 };
        }
        loud += (goal - loud) * 0.003;
        phase = (phase + pitch / 16_000.0).fract();
        let source = (if phase < 0.1 { 1.0 } else { -0.1 }) + 0.1 * draw();
        let mut sum = 0.0;
        for (memory, hz) in memory.iter_mut().zip(formants) {
            let angle = std::f32::consts::TAU * hz / 16_000.0;
            let sound = source + 2.0 * 0.97 * angle.cos() * memory[0] - 0.97 * 0.97 * memory[1];
            *memory = [sound, memory[0]];
            sum += sound;
        }
        out.push(sum * loud * 0.02);
    }
    out
}

/// A room's answer to a click, 100 ms: the direct way, and noise that dies away.
fn room(seed: u32) -> Vec<f32> {
    let mut draw = noise(seed);
    (0..1_600)
        .map(|n| if n == 0 { 0.4 } else { 0.06 * draw() * (-(n as f32) / 300.0).exp() })
        .collect()
}

/// What the microphone has of what is played.
fn echo_of(played: &[f32], room: &[f32]) -> Vec<f32> {
    let at = |n: usize| -> f32 {
        let Some(newest) = n.checked_sub(ROOM_DELAY_SAMPLES) else { return 0.0 };
        room.iter().zip(played[..=newest].iter().rev()).map(|(a, b)| a * b).sum()
    };
    (0..played.len()).map(at).collect()
}

fn cancelled(played: &[f32], heard: &[f32]) -> Vec<f32> {
    let mut canceller = EchoCanceller::new(SampleRate::WIDE);
    let mut out = Vec::with_capacity(heard.len());
    for (played, heard) in played.chunks_exact(160).zip(heard.chunks_exact(160)) {
        canceller.hear_played(played);
        let mut block: [f32; 160] = heard.try_into().expect("10 ms");
        canceller.cancel(&mut block);
        out.extend(block);
    }
    out
}

/// What of the caller alone comes out: later, and without what lies below the voice.
fn alone(near: &[f32]) -> Vec<f32> {
    cancelled(&vec![0.0; near.len()], near)
}

/// The echo and the caller, whose voice begins when the echo has been heard for 4 s.
fn together(echo: &[f32], voice: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let mut near = vec![0.0; 4 * SECOND];
    near.extend(voice);
    (echo.iter().zip(&near).map(|(echo, near)| echo + near).collect(), near)
}

/// Correlation of two sounds, -1 to 1.
fn likeness(a: &[f32], b: &[f32]) -> f64 {
    let product: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum();
    product / a.len() as f64 / (power(a) * power(b)).sqrt()
}

fn power(samples: &[f32]) -> f64 {
    samples.iter().map(|it| f64::from(*it).powi(2)).sum::<f64>() / samples.len() as f64
}

fn db(ratio: f64) -> f64 {
    10.0 * ratio.log10()
}

#[test]
fn two_seconds_in_the_echo_is_down_by_twenty_db() {
    for seed in [3, 17, 91] {
        let played = speech(seed, 120.0, 8 * SECOND);
        let heard = echo_of(&played, &room(seed + 1));
        let left = cancelled(&played, &heard);
        let erle = db(power(&heard[2 * SECOND..]) / power(&left[2 * SECOND..]));
        println!("room {seed}: ERLE {erle:.1} dB");
        assert!(erle >= 20.0, "room {seed}: {erle:.1} dB");
    }
}

#[test]
fn a_caller_who_speaks_over_the_echo_is_kept() {
    for seed in [5, 23, 77] {
        let played = speech(seed, 120.0, 10 * SECOND);
        let echo = echo_of(&played, &room(6));
        let (heard, near) = together(&echo, &speech(seed + 1, 210.0, 6 * SECOND));
        let (left, goal) = (cancelled(&played, &heard), alone(&near));
        let both = 4 * SECOND..10 * SECOND;
        let alike = likeness(&left[both.clone()], &goal[both.clone()]);
        let kept = db(power(&left[both.clone()]) / power(&goal[both.clone()]));
        let echo_db = db(power(&echo[both.clone()]) / power(&near[both]));
        println!("echo {echo_db:.1} dB: caller kept with correlation {alike:.3}, {kept:.1} dB");
        assert!(alike >= 0.75 && kept > -4.0, "seed {seed}: {alike:.3}, {kept:.1} dB");
    }
}

#[test]
fn recorded_voices_in_measured_rooms_are_kept_and_their_echo_goes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/audio");
    let sound = |name: &str| {
        let file = std::fs::File::open(folder.join(name)).ok()?;
        Some(crate::read_mono(file).expect("a recording of 16 kHz").0)
    };
    let (Some(mut played), Some(mut voice)) =
        (sound("asr16k/two_cities_16k.wav"), sound("asr16k/jfk.wav"))
    else {
        println!("skipped: no ../shared/data/audio");
        return;
    };
    played.truncate(10 * SECOND);
    voice.truncate(6 * SECOND);
    for room in ["rir/rir2.wav", "rir/rir3.wav", "rir/rir4.wav"] {
        let mut answer = sound(room).expect("a room beside the voices");
        let loudest =
            (0..answer.len()).max_by(|a, b| answer[*a].abs().total_cmp(&answer[*b].abs()));
        // From the direct sound on, a quarter of a second.
        let answer: Vec<f32> = answer.drain(loudest.unwrap_or(0)..).take(SECOND / 4).collect();
        let mut echo = echo_of(&played, &answer);
        // The loudspeaker is 10 dB softer at the microphone than the caller.
        let gain = 0.3 * (power(&voice) / power(&echo)).sqrt() as f32;
        echo.iter_mut().for_each(|it| *it *= gain);
        let left = cancelled(&played, &echo);
        let erle = db(power(&echo[2 * SECOND..]) / power(&left[2 * SECOND..]));
        let (heard, near) = together(&echo, &voice);
        let (left, goal) = (cancelled(&played, &heard), alone(&near));
        let alike = likeness(&left[4 * SECOND..], &goal[4 * SECOND..]);
        println!("{room}: ERLE {erle:.1} dB, caller kept with correlation {alike:.3}");
        assert!(erle >= 20.0 && alike >= 0.93, "{room}: {erle:.1} dB, {alike:.3}");
    }
}

#[test]
fn without_an_echo_the_caller_passes_through() {
    let near = speech(9, 180.0, 6 * SECOND);
    let mut goal = vec![near.clone()];
    sonora::high_pass_filter::HighPassFilter::new(16_000, 1).process_channels(&mut goal);
    let goal = &goal[0][SECOND..6 * SECOND - DELAY_SAMPLES];
    let snr_db = |played: &[f32]| {
        let passed = cancelled(played, &near);
        let passed = &passed[SECOND + DELAY_SAMPLES..];
        let off: Vec<f32> = passed.iter().zip(goal).map(|(a, b)| a - b).collect();
        db(power(goal) / power(&off))
    };
    let (silent, headphones) =
        (snr_db(&vec![0.0; 6 * SECOND]), snr_db(&speech(5, 120.0, 6 * SECOND)));
    println!("SNR {silent:.0} dB with nothing played, {headphones:.1} dB with headphones");
    assert!(silent >= 60.0 && headphones >= 9.0, "{silent:.1} dB, {headphones:.1} dB");
}
