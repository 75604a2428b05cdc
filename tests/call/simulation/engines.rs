//! How the engines, the systems and the agents of a simulated call behave, drawn from a seed: in
//! time, late, wrong, silent, or dying in the middle.

use cordboard_models::speech::{AnswerEvent, ToolCall};
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::json;

use super::super::office::Habit;
use super::super::services::{Answer, Ears, Judge, Mouth, ToolLine};

pub(crate) fn habits(dice: &mut StdRng) -> Vec<Habit> {
    let habit = |dice: &mut StdRng| match dice.random_range(0..6) {
        0..3 => Habit::keys('1'),
        3 => Habit::keys('2'),
        4 => Habit::Refuses { after_ms: dice.random_range(250..4_000), code: 486 },
        _ => Habit::Absent,
    };
    (0..dice.random_range(0..3)).map(|_| habit(dice)).collect()
}

pub(crate) fn tool(dice: &mut StdRng) -> ToolLine {
    match dice.random_range(0..8) {
        0..4 => ToolLine::found(dice.random_range(20..7_000)),
        4..6 => ToolLine::fails(dice.random_range(20..7_000)),
        6 => ToolLine::garbage(dice.random_range(20..7_000)),
        _ => ToolLine::never(),
    }
}

pub(crate) fn ears(dice: &mut StdRng) -> Ears {
    match dice.random_range(0..6) {
        0..2 => Ears::Answer { after_ms: dice.random_range(50..1_900) },
        // No verdict of it is in time.
        2 => Ears::Answer { after_ms: dice.random_range(2_200..4_000) },
        3 => Ears::Full,
        4 => Ears::GiveUp { after_ms: 700 },
        _ => Ears::Dead,
    }
}

pub(crate) fn mouth(dice: &mut StdRng) -> Mouth {
    match dice.random_range(0..5) {
        0..2 => Mouth::Speak { after_ms: dice.random_range(20..4_000) },
        2 => Mouth::Refuse { after_ms: 100 },
        3 => Mouth::Break { after_words: 2 },
        _ => Mouth::Dead,
    }
}

pub(crate) fn judge(dice: &mut StdRng) -> Judge {
    let probability = dice.random_range(0.0..1.0);
    match dice.random_range(0..6) {
        0..3 => Judge::Says(probability),
        3 => Judge::Says(if dice.random_bool(0.5) { 1.0 } else { 0.0 }),
        4 => Judge::Late { after_ms: dice.random_range(20..1_500), probability },
        _ => Judge::Silent,
    }
}

/// What a judge by sound says, and after how long: mostly in time to count, and wrong as often as
/// not.
pub(crate) fn sound_judge(dice: &mut StdRng) -> Option<(u64, f32)> {
    dice.random_bool(0.7).then(|| (dice.random_range(60..600), dice.random_range(0.0..1.0)))
}

/// An answer of a language model's.
pub(crate) fn answer(dice: &mut StdRng) -> Answer {
    let mut at_ms = dice.random_range(50..3_000);
    if dice.random_bool(0.15) {
        return vec![];
    }
    let mut answer = vec![];
    for nth in 0..dice.random_range(0..5) {
        answer.push((at_ms, Ok(part(dice, nth))));
        at_ms += dice.random_range(0..2_500);
    }
    match dice.random_range(0..6) {
        0 => answer.push((at_ms, Err("closed the connection before the end".to_owned()))),
        // It never says that this was all.
        1 => {}
        _ => answer.push((at_ms, Ok(AnswerEvent::Ended))),
    }
    answer
}

fn part(dice: &mut StdRng, nth: u32) -> AnswerEvent {
    let number = json!({ "order_number": "123456" });
    let address = json!({ "order_number": "123456", "new_address": "7 Elm Street" });
    let (name, arguments) = match dice.random_range(0..10) {
        0..7 => return AnswerEvent::Sentence(format!("This is part {nth} of what there is.")),
        7 => ("order_lookup", number),
        8 => ("address_change", address),
        _ => ("delete_order", json!({ "why": "because" })),
    };
    let (id, name) = (nth.to_string(), name.to_owned());
    AnswerEvent::Called(ToolCall { id, name, arguments })
}
