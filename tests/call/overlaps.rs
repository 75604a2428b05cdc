//! Speech over the assistant: what lowers it, what stops it, what it goes on after, and that nobody
//! is left without a word by any of it.

use std::time::Duration;

use cordboard::call::{CallSettings, Input};
use cordboard::timeline::{AsideKind, What};
use cordboard::turn::{BargeIn, TurnSettings};
use cordboard_audio::MediaTime;
use cordboard_audio::level::rms;

use super::detector::{Detector, Voicing};
use super::services::ToolLine;
use super::talks::{greeted, read_back};
use super::world::{World, settings};

/// The line that most of it happens over.
const GREETING: &str = "Hello, this is the automated assistant";

/// How loud a murmur is: -22 dBov.
const MURMUR_AMPLITUDE: f32 = 0.11;

/// A call so far into its greeting.
fn into_greeting(into_ms: u64) -> World {
    let mut world = World::ringing();
    world.connect();
    world.hears_begin(GREETING);
    world.run(into_ms);
    world
}

/// The caller makes a sound of this length, heard as this.
fn utters(world: &mut World, text: &str, ms: u64) {
    if !text.is_empty() {
        world.script.push(text, 0.9);
    }
    world.utters(ms);
}

/// What the caller says next is a murmur, as of who only listens: not so clear that the detector is
/// sure of it.
fn is_a_murmur(world: &mut World, ms: u64) {
    let mut voicing = Voicing::new(1);
    voicing.say(world.now, (0..ms / 20).map(|_| 0.6).collect());
    world.detector = Detector::Scripted(Box::new(voicing));
    world.caller.amplitude = MURMUR_AMPLITUDE;
}

fn asides(world: &World) -> Vec<AsideKind> {
    let kind = |what: &What| match what {
        What::SpokeAside { kind, .. } => Some(*kind),
        _ => None,
    };
    world.entries.iter().filter_map(|entry| kind(&entry.what)).collect()
}

fn stops(world: &World) -> usize {
    world.count(|what| matches!(what, What::Interrupted { .. }))
}

/// What the caller was played between two times, tick by tick.
fn levels(world: &World, from: MediaTime, to: MediaTime) -> Vec<f32> {
    let ticks = world.caller.ticks.iter().filter(|tick| (from..to).contains(&tick.at));
    ticks.map(|tick| rms(&tick.sound)).collect()
}

fn nothing_was_asked_again(world: &World) {
    let asked = |what: &What| matches!(what, What::Repaired { .. } | What::CallerSpoke { .. });
    assert!(!world.has(asked), "{}", world.story());
}

#[test]
fn an_acknowledgement_lowers_the_assistant_which_goes_on_and_answers_nothing() {
    for text in ["mm-hm", "okay", "yeah", "right"] {
        let mut world = into_greeting(600);
        let begun = world.now;
        is_a_murmur(&mut world, 200);
        utters(&mut world, text, 200);
        let loud = levels(&world, MediaTime::ZERO, begun).into_iter().fold(0.0, f32::max);
        let lowered = levels(&world, begun + Duration::from_millis(140), world.now);
        assert!(lowered.iter().all(|level| *level < loud / 7.9), "18 dB: {lowered:?} of {loud}");
        world.hears("How can I help you?");
        assert_eq!((stops(&world), asides(&world)), (0, vec![AsideKind::Acknowledgement]));
        assert!(world.has(|what| matches!(what, What::Ducked { .. })));
        assert!(world.heard().contains(GREETING));
        nothing_was_asked_again(&world);
    }
}

#[test]
fn a_cough_lowers_it_for_a_moment_and_the_level_returns() {
    let mut world = into_greeting(600);
    utters(&mut world, "", 120);
    let coughed = world.now;
    world.run(800);
    let after = levels(&world, coughed + Duration::from_millis(360), world.now);
    assert!(after.iter().copied().fold(0.0, f32::max) > 0.02, "{after:?}");
    world.hears("How can I help you?");
    assert_eq!((stops(&world), asides(&world)), (0, vec![AsideKind::Noise]));
    nothing_was_asked_again(&world);
}

#[test]
fn a_stop_for_nothing_is_taken_back_and_the_line_goes_on_at_the_word() {
    for (text, ms) in [("", 700), ("okay", 900)] {
        let mut world = into_greeting(900);
        utters(&mut world, text, ms);
        world.awaits("going on", 5_000, |what| matches!(what, What::WentOn { .. }));
        world.hears("How can I help you?");
        assert_eq!(stops(&world), 1, "{}", world.story());
        let whole = |what: &What| {
            matches!(what, What::PromptEnded { heard, unsaid, uncertainty_ms: 0, .. }
                if heard.starts_with(GREETING) && unsaid.is_empty())
        };
        assert!(world.has(whole), "every word once, in order\n{}", world.story());
        nothing_was_asked_again(&world);
    }
}

#[test]
fn a_real_word_stops_it_and_what_was_not_heard_stays_unsaid() {
    let mut world = into_greeting(900);
    let begun = world.now;
    world.says("where is my order");
    world.hears("What is your order number?");
    let stopped = world.time_of(|what| matches!(what, What::Interrupted { .. }));
    assert!(stopped.since(begun) <= Duration::from_millis(300));
    let cut = |what: &What| {
        matches!(what, What::PromptEnded { heard, unsaid, uncertainty_ms, .. }
            if GREETING.starts_with(heard.as_str()) && !unsaid.is_empty() && *uncertainty_ms > 0)
    };
    assert!(world.has(cut), "{}", world.story());
    assert!(!world.has(|what| matches!(what, What::WentOn { .. })));
}

#[test]
fn after_a_stop_nothing_of_the_line_is_played() {
    let mut world = into_greeting(900);
    world.says("where is my order");
    let stopped = world.time_of(|what| matches!(what, What::Interrupted { .. }));
    // The tick after it has the last of the fade.
    let after = levels(&world, stopped + Duration::from_millis(40), world.now);
    assert!(after.iter().all(|level| *level < 0.001), "{after:?}");
}

#[test]
fn what_was_lowered_for_a_caller_when_the_call_ends_was_not_heard() {
    for stops_it in [true, false] {
        let mut world = into_greeting(620);
        is_a_murmur(&mut world, 400);
        world.caller.speak(world.now, Duration::from_millis(400));
        world.awaits("lowered", 200, |what| matches!(what, What::Ducked { .. }));
        world.run(120);
        assert_eq!(stops(&world), 0, "{}", world.story());
        match stops_it {
            true => world.give(Input::Stop),
            false => world.hangs_up(),
        }
        let heard =
            |what: &What| matches!(what, What::PromptEnded { heard, .. } if heard == "Hello, this");
        assert!(world.has(heard), "{}", world.story());
        world.ends(20_000);
    }
}

#[test]
fn a_short_yes_over_the_end_of_its_question_is_its_answer() {
    let mut world = greeted(World::ringing());
    world.run(400);
    world.says("where is my order");
    world.hears("What is your order number?");
    world.run(300);
    world.says("one two three four five six");
    world.hears_begin("Is that right?");
    world.run(1_200);
    utters(&mut world, "yes", 200);
    world.hears("out for delivery");
    assert!(asides(&world).is_empty(), "{}", world.story());
    assert_eq!(world.invocations.len(), 1);
}

#[test]
fn a_protest_too_short_to_stop_anything_by_its_sound_does_so_by_its_words() {
    let mut world = into_greeting(600);
    utters(&mut world, "agent", 200);
    world.awaits("a person", 5_000, |what| matches!(what, What::EscalationTriggered { .. }));
    assert!(!world.heard().contains("How can I help you?"), "{}", world.story());
}

#[test]
fn a_key_stops_what_was_stopped_for_good() {
    let mut world = greeted(World::ringing());
    world.says("where is my order");
    world.hears_begin("What is your order number?");
    world.run(600);
    world.caller.speak(world.now, Duration::from_millis(600));
    world.run(400);
    assert_eq!(stops(&world), 1);
    world.keys("123456");
    world.hears("out for delivery");
    assert!(!world.has(|what| matches!(what, What::WentOn { .. })), "{}", world.story());
}

#[test]
fn a_noise_over_the_last_word_of_a_question_leaves_the_answer_to_the_caller() {
    let mut world = read_back(World::ringing());
    utters(&mut world, "", 0);
    world.says("yes");
    world.hears_begin("anything else");
    world.run(600);
    utters(&mut world, "", 160);
    world.run(3_000);
    nothing_owed(&world);
    world.says("no thank you");
    world.hears("Goodbye");
}

#[test]
fn an_mm_hm_or_a_noise_that_outlasts_its_question_is_not_left_in_silence() {
    for (text, into_ms) in ["mm-hm", ""].iter().flat_map(|text| [840, 860].map(|ms| (text, ms))) {
        let mut world = World::ringing();
        world.connect();
        world.hears_begin("How can I help you?");
        world.run(into_ms);
        utters(&mut world, text, 200);
        world.run(8_000);
        let (from, lasting) = world.caller.dead_air();
        let case = format!("{text:?} {into_ms} ms into it, {from:?}");
        assert!(lasting <= Duration::from_secs(3), "{case}: {lasting:?}\n{}", world.story());
        assert!(world.has(|what| matches!(what, What::SpokeAside { .. })), "{}", world.story());
    }
}

#[test]
fn what_a_tool_answers_while_the_caller_interrupts_is_said_after_it() {
    let mut world = World::ringing();
    world.tools.push_back(ToolLine::found(500));
    let mut world = read_back(world);
    world.says("yes");
    world.hears_begin("Let me look that up");
    world.run(100);
    utters(&mut world, "the weather is fine today", 1_000);
    assert_eq!(stops(&world), 1, "{}", world.story());
    world.hears("out for delivery");
}

/// Nobody was asked again, and nobody had to explain a silence.
fn nothing_owed(world: &World) {
    let trouble = |what: &What| matches!(what, What::Repaired { .. } | What::Silence { .. });
    assert!(!world.has(trouble), "{}", world.story());
}

#[test]
fn where_everything_cuts_a_click_stops_it_at_once_and_it_goes_on() {
    let barge_in = BargeIn::Cut { after: Duration::from_millis(60) };
    let turn = TurnSettings { barge_in, ..TurnSettings::default() };
    let mut world = World::set_up(vec![], CallSettings { turn, ..settings() });
    world.connect();
    world.hears_begin(GREETING);
    world.run(600);
    let begun = world.now;
    utters(&mut world, "", 80);
    let stopped = world.time_of(|what| matches!(what, What::Interrupted { .. }));
    assert!(stopped.since(begun) <= Duration::from_millis(120));
    world.hears("How can I help you?");
    assert!(world.has(|what| matches!(what, What::WentOn { .. })), "{}", world.story());
    nothing_was_asked_again(&world);
}
