//! Engines and tools that stop in the middle, lie or die: the caller hears words or a tone, and a
//! person where words are not to be had (F01 to F04).

use cordboard::timeline::{Outcome, Trigger, What};

use super::services::{Ears, Mouth, ToolLine};
use super::talks::{greeted, read_back};
use super::world::World;

fn escalated(trigger: Trigger) -> impl Fn(&What) -> bool {
    move |what| matches!(what, What::EscalationTriggered { trigger: it, .. } if *it == trigger)
}

#[test]
fn a_language_model_that_says_nothing_is_not_waited_for_longer_than_for_a_filler() {
    let mut world = greeted(World::ringing());
    world.fault = Some("F01 language model silent");
    world.ranks_ms = None;
    world.run(300);
    world.says("the weather is fine today");
    let ended = world.now;
    world.hears_begin("I'm sorry, I did not get that.");
    let words = world.time_of(|what| matches!(what, What::Repaired { .. }));
    assert!(words.since(ended).as_millis() <= 4_000, "{}", world.story());
    world.run(5_000);
    world.says("the weather is fine today");
    world.run(8_000);
    world.says("the weather is fine today");
    world.awaits("a person", 20_000, escalated(Trigger::Repairs));
}

#[test]
fn a_voice_that_dies_in_the_middle_of_a_line_says_the_question_again_and_then_brings_a_person() {
    let mut world = greeted(World::staffed(vec![("ada", vec![])]));
    world.fault = Some("F04 synthesizer stops mid-sentence");
    world.mouth = Mouth::Break { after_words: 3 };
    world.run(300);
    world.says("where is my order");
    world.awaits("a person", 60_000, escalated(Trigger::Rule));
    let asked = world.count(|what| {
        matches!(what, What::PromptBegan { text, .. } if text.contains("What is your order number"))
    });
    assert_eq!(asked, 3, "{}", world.story());
    // It can be interrupted all the while, and keys are taken.
    world.run(12_000);
    let from = world.now;
    world.run(1_000);
    let music = world.caller.between(from, world.now).filter(|tick| tick.sounds()).count();
    assert!(music > 45, "{music} of 50 ticks");
}

#[test]
fn a_voice_that_dies_and_comes_back_asks_what_nobody_heard() {
    let mut world = greeted(World::ringing());
    world.fault = Some("F04 synthesizer dead for one question");
    world.mouth = Mouth::Refuse { after_ms: 200 };
    world.run(300);
    world.says("where is my order");
    world.awaits("the fault", 5_000, |what| matches!(what, What::EngineFailed { .. }));
    world.mouth = Mouth::Speak { after_ms: 120 };
    world.hears("What is your order number?");
    assert!(!world.has(|what| matches!(what, What::Repaired { .. })), "{}", world.story());
    world.run(300);
    world.says("one two three four five six");
    world.hears("Is that right?");
}

#[test]
fn a_voice_that_is_dead_for_good_leaves_tones_and_a_person() {
    for (mouth, fault) in [
        (Mouth::Dead, "F04 synthesizer never answers"),
        (Mouth::Refuse { after_ms: 0 }, "F04 synthesizer refuses"),
        (Mouth::Refuse { after_ms: 900 }, "F04 synthesizer refuses late"),
    ] {
        let mut world = greeted(World::staffed(vec![("ada", vec![])]));
        world.fault = Some(fault);
        world.mouth = mouth;
        world.run(300);
        world.says("where is my order");
        world.awaits("a person", 40_000, escalated(Trigger::Rule));
        world.run(10_000);
    }
}

#[test]
fn a_voice_that_is_dead_where_nobody_comes_ends_the_call_in_bounded_time() {
    let mut world = greeted(World::ringing());
    world.fault = Some("F04 synthesizer refuses, nobody at the desk");
    world.mouth = Mouth::Refuse { after_ms: 100 };
    world.run(300);
    world.says("where is my order");
    assert_eq!(world.ends(120_000).0, Outcome::Abandoned);
}

#[test]
fn a_tool_that_answers_garbage_brings_a_person() {
    let mut world = World::ringing();
    world.tools.extend([ToolLine::garbage(300), ToolLine::garbage(300)]);
    let mut world = read_back(world);
    world.fault = Some("F02 tool answers garbage");
    world.says("yes");
    world.awaits("a person", 10_000, escalated(Trigger::ToolFailed));
}

#[test]
fn everything_that_fails_at_once_still_leaves_no_silence() {
    let mut world = greeted(World::ringing());
    world.fault = Some("F03 F04 F01 all engines dead");
    (world.ears, world.mouth, world.ranks_ms) = (Ears::Dead, Mouth::Dead, None);
    world.run(300);
    for _ in 0..4 {
        world.says("where is my order");
        world.run(8_000);
    }
    world.until("the end", 150_000, |world| world.over.is_some());
}
