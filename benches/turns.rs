//! What it costs to follow a turn: the ear and the floor for a frame, the judge of words for a
//! pause, the judge of sound for a turn of 4 s. The last is an inference worker's work, and only
//! measured where the weights of Smart Turn are.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cordboard::turn::{Ear, Floor, Meanwhile, TurnSettings};
use cordboard_audio::MediaTime;
use cordboard_models::speech::{
    EndOfTurn, Expectation, Hypothesis, HypothesisKind, SlotKind, TurnSoFar,
};
use cordboard_models::turn_end::{SmartTurn, TextJudge};
use criterion::{Criterion, criterion_group, criterion_main};

const WEIGHTS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/models/weights/smart-turn-v3.2-cpu.onnx");

/// A voice of one note.
fn tone(samples: usize) -> Vec<f32> {
    (0..samples).map(|n| 0.3 * (n as f32 * 0.2).sin()).collect()
}

fn frame(bench: &mut Criterion) {
    let (sound, quiet) = (tone(160), [0.0; 160]);
    let mut group = bench.benchmark_group("frame");
    for (name, uplink, probability) in [("silent", &quiet[..], 0.0), ("spoken", &sound, 0.9)] {
        let (mut ear, mut floor) = (Ear::default(), Floor::new(TurnSettings::default()));
        let mut now = MediaTime::ZERO;
        group.bench_function(name, |it| {
            it.iter(|| {
                now = now + Duration::from_millis(20);
                let heard = ear.hear(black_box(uplink), &sound, probability);
                floor.hear(now, &heard, Meanwhile::Yields)
            });
        });
    }
    group.finish();
}

fn words(bench: &mut Criterion) {
    let kinds = vec![SlotKind::Digits { min: 6, max: 6 }, SlotKind::Open];
    let expectation = Arc::new(Expectation { kinds, ..Expectation::default() });
    let hypothesis = Hypothesis {
        text: "one two three four five".to_owned(),
        words: Vec::new(),
        stable_words: 5,
        confidence: 0.9,
        kind: HypothesisKind::Partial,
    };
    let turn = TurnSoFar {
        hypothesis: Some(&hypothesis),
        expectation: &expectation,
        silence: Duration::from_millis(300),
        samples: &[],
    };
    bench.bench_function("judge/words", |it| it.iter(|| TextJudge.judge(black_box(&turn))));
}

fn sound(bench: &mut Criterion) {
    let Ok(judge) = SmartTurn::open(Path::new(WEIGHTS)) else {
        eprintln!("judge/sound is not measured: {WEIGHTS} is not there");
        return;
    };
    let turn = tone(32_000);
    bench.bench_function("judge/sound_4s", |it| it.iter(|| judge.probability(black_box(&turn))));
}

criterion_group! {
    name = turns;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2));
    targets = frame, words, sound
}
criterion_main!(turns);
