//! Answers that are begun while the caller pauses, and called off where the caller goes on.

use cordboard::timeline::What;
use serde_json::json;

use super::answers::{about_to_ask_under, call, end, sentence, waits_ms};
use super::services::{Answer, Mouth};
use super::talks::{greeted, read_back};
use super::world::{World, settings};

/// A caller who is about to ask the model, whose answer takes its time.
fn asking(eager: bool, answers: Vec<Answer>) -> World {
    let mut settings = settings();
    settings.turn.eager = eager;
    let mut world = about_to_ask_under(settings, answers);
    world.partial_words = usize::MAX;
    world
}

fn foreseen(what: &What) -> bool {
    matches!(what, What::Foreseen { .. })
}

/// What was said and done, without when.
fn course(world: &World) -> Vec<What> {
    let timeless = |what: &What| {
        matches!(
            what,
            What::PromptBegan { .. }
                | What::ToolInvoked { .. }
                | What::SlotFilled { .. }
                | What::Understood { .. }
                | What::Repaired { .. }
        )
    };
    world.entries.iter().map(|entry| entry.what.clone()).filter(timeless).collect()
}

#[test]
fn an_answer_begun_in_the_pause_is_heard_sooner_by_what_the_pause_and_the_verdict_took() {
    let wait = |eager| {
        let answer =
            vec![sentence(500, "Seven days."), sentence(700, "Then it goes back."), end(710)];
        let mut world = asking(eager, vec![answer]);
        world.says("how long do you keep a parcel");
        world.hears("Seven days.");
        world.hears("Then it goes back.");
        assert_eq!(world.asked_model.len(), 1, "asked once");
        assert_eq!(world.has(foreseen), eager, "{}", world.story());
        waits_ms(&world, "Seven days.").1
    };
    let (eager, plain) = (wait(true), wait(false));
    // The verdict takes 250 ms, model and voice 620, of which the pause covers what it can.
    assert!(eager <= 280, "{eager} ms, {plain} without");
    assert!(plain >= 850, "{plain}");
}

#[test]
fn who_goes_on_after_a_pause_calls_off_what_was_begun_and_no_tool_has_been_called() {
    let number = json!({ "order_number": "123456" });
    let reading = vec![call(10, "order_lookup", number), end(20)];
    let mut world = asking(true, vec![reading, vec![sentence(200, "It comes today."), end(210)]]);
    world.script.push("where is my order one two three four five six", 0.95);
    world.utters(900);
    world.run(200);
    assert_eq!(world.asked_model.len(), 1, "begun in the pause\n{}", world.story());
    assert!(world.invocations.is_empty(), "a tool is no work that can be called off");
    world.utters(600);
    assert!(world.invocations.is_empty());
    assert!(
        !world.has(
            |what| matches!(what, What::PromptBegan { text, .. } if text.contains("It comes"))
        )
    );
    assert!(!world.has(foreseen));
}

#[test]
fn a_line_whose_sound_was_made_early_is_said_once_and_follows_the_verdict_at_once() {
    let wait = |eager| {
        let mut settings = settings();
        settings.turn.eager = eager;
        let mut world = World::set_up(vec![], settings);
        world.partial_words = usize::MAX;
        world.mouth = Mouth::Speak { after_ms: 400 };
        let mut world = read_back(world);
        world.says("yes");
        world.hears("anything else");
        let begun = world.entries.windows(2).filter(|two| foreseen(&two[1].what)).count();
        assert_eq!(begun > 0, eager);
        (course(&world), waits_ms(&world, "anything else").0)
    };
    let (eager, plain) = (wait(true), wait(false));
    assert_eq!(eager.0, plain.0, "nothing else is said or done");
    assert!(eager.1 + 100 < plain.1, "{} and {} ms", eager.1, plain.1);
}

#[test]
fn a_wrong_guess_changes_no_word_and_is_called_off() {
    let said = |eager, words| {
        let mut settings = settings();
        settings.turn.eager = eager;
        let mut world = World::set_up(vec![], settings);
        world.partial_words = words;
        let mut world = greeted(world);
        world.run(400);
        // Heard so far: "where's", which comes to nothing.
        world.says("where's my order");
        world.hears("What is your order number?");
        (course(&world), world.cancelled.len())
    };
    let (guessed, off) = said(true, 1);
    assert_eq!(guessed, said(false, 1).0);
    assert_eq!(guessed, said(true, usize::MAX).0);
    assert!(off > 0, "what was begun for the wrong guess was called off");
}

#[test]
fn a_voice_that_refuses_early_work_is_asked_again_and_nobody_is_told() {
    let mut world = World::ringing();
    world.partial_words = usize::MAX;
    let mut world = greeted(world);
    world.run(400);
    world.mouth = Mouth::RefuseOnly { what: "order number" };
    world.script.push("where's my order", 0.95);
    world.utters(750);
    world.run(100);
    world.mouth = Mouth::Speak { after_ms: 120 };
    world.hears("What is your order number?");
    assert!(!world.has(|what| matches!(what, What::EngineFailed { .. })), "{}", world.story());
}

#[test]
fn a_model_that_is_at_an_answer_is_not_asked_beside_it_on_a_guess() {
    let slow = vec![sentence(2_500, "Seven days."), end(2_600)];
    let mut world = asking(true, vec![slow, vec![sentence(200, "Letters too."), end(210)]]);
    world.says("how long do you keep a parcel");
    world.awaits("a verdict", 4_000, |what| matches!(what, What::CallerSpoke { .. }));
    let asked = world.asked_model.len();
    world.script.push("and what about letters", 0.95);
    world.utters(900);
    world.run(160);
    assert_eq!(world.asked_model.len(), asked, "{}", world.story());
}
