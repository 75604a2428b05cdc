//! Who owes the next sound: silent callers, slow tools, slow ears and voices. No caller waits more
//! than three seconds in a silence that is ours.

use std::time::Duration;

use cordboard::timeline::{Debtor, Outcome, RepairCause, What};

use super::services::{Ears, Mouth, ToolLine};
use super::talks::{greeted, read_back};
use super::world::World;

const LONGEST: Duration = Duration::from_secs(3);

#[test]
fn a_caller_who_says_nothing_is_asked_twice_and_then_let_go() {
    let mut world = World::ringing();
    world.connect();
    assert_eq!(world.ends(90_000).0, Outcome::NoInput);
    let asked_again =
        |what: &What| matches!(what, What::Repaired { cause: RepairCause::NoInput, .. });
    assert_eq!(world.count(asked_again), 3, "{}", world.story());
    assert!(world.heard().contains("Please tell me what you are calling about"));
    assert!(world.heard().contains("I can't hear you, so I will hang up now. Goodbye."));
    let by_caller = |what: &What| {
        matches!(what, What::Silence { owed_by: Debtor::Caller, for_ms }
            if *for_ms >= 6_000)
    };
    assert_eq!(world.count(by_caller), 3);
}

#[test]
fn a_tool_that_takes_five_seconds_is_waited_for_with_words() {
    let mut world = World::ringing();
    world.tools.push_back(ToolLine::found(5_000));
    let mut world = read_back(world);
    world.fault = Some("F02 tool takes 5 s");
    world.says("yes");
    world.hears("out for delivery");
    let filler = |what: &What| {
        matches!(what, What::PromptBegan { text, .. } if text.contains("one moment")
            || text.contains("longer than usual") || text.contains("One more moment"))
    };
    assert!(world.has(filler), "{}", world.story());
    assert!(world.caller.dead_air().1 <= LONGEST, "{:?}", world.caller.dead_air());
}

#[test]
fn keys_pressed_into_a_wait_do_not_lengthen_it() {
    let mut world = World::ringing();
    world.tools.push_back(ToolLine::found(6_500));
    world.ears = Ears::Answer { after_ms: 100 };
    let mut world = read_back(world);
    world.says("yes");
    world.hears("Let me look that up.");
    world.mouth = Mouth::Speak { after_ms: 4_000 };
    world.run(100);
    let from = world.now;
    for _ in 0..4 {
        world.run(700);
        world.keys("5");
    }
    assert!(world.caller.between(from, world.now).any(|tick| tick.sounds()), "{}", world.story());
    world.hears("out for delivery");
}

#[test]
fn a_tool_that_never_answers_ends_with_a_person() {
    let mut world = World::ringing();
    world.tools.push_back(ToolLine::never());
    let mut world = read_back(world);
    world.fault = Some("F02 tool never answers");
    world.says("yes");
    world.awaits("a person", 40_000, |what| matches!(what, What::Enqueued { .. }));
    assert_eq!(world.invocations.len(), 1, "it still runs, so it is not tried again");
    assert!(world.caller.dead_air().1 <= LONGEST, "{:?}", world.caller.dead_air());
}

#[test]
fn a_recognizer_that_says_nothing_makes_the_caller_be_asked_again() {
    for (ears, fault) in [
        (Ears::Dead, "F03 recognizer says nothing"),
        (Ears::Full, "F03 recognizer refuses"),
        (Ears::GiveUp { after_ms: 20 }, "F03 recognizer dies"),
        (Ears::GiveUp { after_ms: 1_900 }, "F03 recognizer dies late"),
        (Ears::Answer { after_ms: 10_000 }, "F03 recognizer takes 10 s"),
    ] {
        let mut world = World::ringing();
        world.ears = ears;
        let mut world = greeted(world);
        world.fault = Some(fault);
        world.run(300);
        world.says("where is my order");
        let ended = world.now;
        world.awaits("its failure", 5_000, |what| matches!(what, What::EngineFailed { .. }));
        world.hears_begin("I'm sorry, I did not get that.");
        let asked_after = world.now.since(ended);
        // The pause that ends an open turn is a second; then three at most.
        assert!(asked_after <= Duration::from_secs(4), "{ears:?}: {asked_after:?}");
        assert!(world.caller.dead_air().1 <= LONGEST, "{ears:?}: {:?}", world.caller.dead_air());
        world.keys("0");
        world.awaits("a person", 10_000, |what| matches!(what, What::Enqueued { .. }));
    }
}

#[test]
fn a_long_wait_for_a_verdict_is_not_one_tone_after_the_other() {
    let mut world = World::ringing();
    world.ears = Ears::Dead;
    let mut world = greeted(world);
    world.says("where is my order");
    world.mouth = Mouth::Speak { after_ms: 4_000 };
    world.hears_begin("I'm sorry, I did not get that.");
    let tones = world.count(|what| matches!(what, What::Silence { .. }));
    assert!((1..=4).contains(&tones), "{tones}\n{}", world.story());
    assert!(world.caller.dead_air().1 <= LONGEST, "{:?}", world.caller.dead_air());
}

#[test]
fn a_slow_answer_of_the_language_model_is_waited_for_with_words() {
    // The verdict comes late enough for the filler to be due before it.
    let mut world = World::ringing();
    world.ears = Ears::Answer { after_ms: 900 };
    world.tools.push_back(ToolLine::found(7_000));
    let mut world = read_back(world);
    world.ears = Ears::Answer { after_ms: 1_900 };
    world.says("yes");
    world.hears("out for delivery");
    assert!(world.caller.dead_air().1 <= LONGEST, "{:?}", world.caller.dead_air());
}

#[test]
fn a_synthesizer_that_refuses_leaves_a_tone_and_no_silence() {
    for mouth in [Mouth::Refuse { after_ms: 0 }, Mouth::Refuse { after_ms: 900 }] {
        let mut world = greeted(World::ringing());
        world.mouth = mouth;
        world.run(300);
        world.says("where is my order");
        let ended = world.now;
        world.awaits(
            "the fault",
            5_000,
            |what| matches!(what, What::EngineFailed { role, .. } if role == "synthesizer"),
        );
        world.run(1_500);
        let sounded = world.caller.between(ended, world.now).any(|tick| tick.sounds());
        assert!(sounded, "{}", world.story());
        world.keys("123456");
        world.run(6_000);
        assert!(world.caller.dead_air().1 <= LONGEST, "{:?}", world.caller.dead_air());
    }
}

#[test]
fn a_slow_synthesizer_leaves_no_long_silence_anywhere() {
    let mut world = World::ringing();
    world.mouth = Mouth::Speak { after_ms: 3_600 };
    let mut world = read_back(world);
    world.fault = Some("F04 synthesizer takes 3.6 s a line");
    world.says("yes");
    world.hears("anything else");
    world.run(300);
    world.says("no");
    assert_eq!(world.ends(40_000).0, Outcome::Resolved);
    assert!(world.caller.dead_air().1 <= LONGEST, "{:?}", world.caller.dead_air());
}

#[test]
fn a_caller_who_speaks_into_the_goodbye_does_not_silence_it() {
    let mut world = greeted(World::ringing());
    world.says("when are you open");
    world.hears("anything else");
    world.run(300);
    world.says("no thank you");
    world.mouth = Mouth::Speak { after_ms: 4_500 };
    // The verdict on the no falls into these words.
    world.run(500);
    world.utters(700);
    assert_eq!(world.ends(30_000).0, Outcome::Resolved);
    assert!(world.caller.dead_air().1 <= LONGEST, "{:?}", world.caller.dead_air());
}

#[test]
fn a_synthesizer_that_never_answers_does_not_mute_the_rest_of_the_call() {
    let mut world = greeted(World::ringing());
    world.fault = Some("F04 synthesizer dead for one line");
    world.mouth = Mouth::Dead;
    world.run(300);
    world.says("where is my order");
    world.run(1_500);
    world.mouth = Mouth::Speak { after_ms: 120 };
    world.run(12_000);
    world.says("one two three four five six");
    world.hears("Is that right?");
    assert!(world.caller.dead_air().1 <= LONGEST, "{:?}", world.caller.dead_air());
}

#[test]
fn where_no_voice_asks_after_a_mute_phone_the_question_before_is_asked_again() {
    let mut world = World::ringing();
    world.connect();
    world.caller.muted = true;
    world.hears("How can I help you?");
    world.mouth = Mouth::Dead;
    world.awaits("its failure", 13_000, |what| matches!(what, What::EngineFailed { .. }));
    world.mouth = Mouth::Speak { after_ms: 120 };
    world.hears("I did not hear anything.");
}
