//! Calls that the assistant settles itself: spoken, keyed, interrupted.

use std::time::Duration;

use cordboard::timeline::{Outcome, Trigger, Verified, What};

use super::services::ToolLine;
use super::world::World;

/// A call whose caller has been greeted and asked.
pub(crate) fn greeted(mut world: World) -> World {
    world.connect();
    world.hears("How can I help you?");
    world
}

/// A call in which the order has been read back, and the caller's yes is next.
pub(crate) fn read_back(world: World) -> World {
    let mut world = greeted(world);
    world.run(400);
    world.says("where is my order");
    world.hears("What is your order number?");
    world.run(300);
    world.says("one two three four five six");
    world.hears("Is that right?");
    world.run(300);
    world
}

#[test]
fn an_order_is_asked_for_read_back_looked_up_and_told() {
    let mut world = read_back(World::ringing());
    assert!(world.heard().contains("automated assistant"), "{}", world.heard());
    assert!(world.heard().contains("Order 1 2 3 4 5 6. Is that right?"));
    assert!(world.invocations.is_empty(), "nothing is looked up before the yes");
    world.says("yes");
    world.hears("out for delivery");
    world.hears("anything else");
    world.run(300);
    world.says("no thank you");
    assert_eq!(world.ends(20_000), (Outcome::Resolved, "goodbye".to_owned()));
    assert!(world.heard().contains("Goodbye."), "the goodbye is heard whole");
    assert!(world.hung_up.is_some());
    let confirmed = What::SlotFilled {
        slot: "order_number".to_owned(),
        value: "123456".to_owned(),
        verified: Verified::Confirmed,
    };
    assert!(world.has(|what| *what == confirmed));
    assert_eq!(world.invocations.len(), 1);
    let trouble = |what: &What| matches!(what, What::Repaired { .. } | What::Silence { .. });
    assert!(!world.has(trouble), "{}", world.story());
    assert!(world.caller.dead_air().1 < Duration::from_secs(3), "{:?}", world.caller.dead_air());
    let keeps_silent_after = world.caller.last_sound(world.now).expect("it spoke");
    assert!(world.now.since(keeps_silent_after) < Duration::from_secs(1));
}

#[test]
fn a_number_that_is_keyed_is_not_read_back() {
    let mut world = greeted(World::ringing());
    world.says("where is my order");
    world.hears_begin("What is your order number?");
    world.run(400);
    world.keys("123456");
    world.hears("out for delivery");
    assert!(world.has(|what| matches!(what, What::Interrupted { .. })), "a key stops the question");
    assert!(!world.heard().contains("Is that right?"));
    let keyed = |what: &What| {
        matches!(what, What::SlotFilled { verified: Verified::Keyed, value, .. }
            if value == "123456")
    };
    assert!(world.has(keyed), "{}", world.story());
}

#[test]
fn the_latency_on_the_timeline_is_that_of_the_sound() {
    let world = read_back(World::ringing());
    let mut checked = 0;
    for entry in &world.entries {
        if let What::Latency {
            speech_ended_ms, turn_ended_ms, recognized_ms, first_sound_ms, ..
        } = entry.what
        {
            assert!(speech_ended_ms <= turn_ended_ms, "{}", world.story());
            assert!(turn_ended_ms <= recognized_ms && recognized_ms <= first_sound_ms);
            let spoke = world.caller.ticks.iter().filter(|tick| tick.spoke);
            let spoke = spoke.map(|tick| tick.at.as_millis() + 20);
            let ended = spoke.filter(|at| *at <= turn_ended_ms).max().expect("the caller spoke");
            let sounds = world.caller.ticks.iter().filter(|tick| tick.sounds());
            let sounds = sounds.map(|tick| tick.at.as_millis());
            let answered = sounds.filter(|at| *at > ended).min().expect("an answer came");
            assert!(ended.abs_diff(speech_ended_ms) <= 80, "{ended} {speech_ended_ms}");
            assert!(answered.abs_diff(first_sound_ms) <= 20, "{answered} {first_sound_ms}");
            checked += 1;
        }
    }
    assert_eq!(checked, 2);
}

#[test]
fn speech_over_a_prompt_lowers_it_at_once_and_stops_it_within_a_syllable() {
    for into_ms in [200, 700, 1_300, 2_100] {
        let mut world = World::ringing();
        world.connect();
        world.hears_begin("Hello, this is the automated assistant");
        world.run(into_ms);
        let onset = world.now;
        world.says("where is my order");
        let interrupted = world.time_of(|what| matches!(what, What::Interrupted { .. }));
        let lowered = world.time_of(|what| matches!(what, What::Ducked { .. }));
        let last = world.caller.last_sound(world.now).expect("it spoke");
        assert!(lowered.since(onset) <= Duration::from_millis(120));
        assert!(last.since(onset) <= Duration::from_millis(320), "{:?}", last.since(onset));
        assert!(interrupted.since(onset) <= Duration::from_millis(320));
        world.hears("What is your order number?");
    }
}

#[test]
fn what_was_heard_and_what_was_not_make_up_each_prompt() {
    for into_ms in [100, 500, 1_000, 1_700, 2_500, 3_300] {
        let mut world = World::ringing();
        world.connect();
        world.hears_begin("Hello, this is the automated assistant");
        world.run(into_ms);
        world.says("where is my order");
        world.hears("What is your order number?");
        let mut texts = vec![];
        let mut cut = 0;
        for entry in &world.entries {
            match &entry.what {
                What::PromptBegan { prompt, text } => texts.push((*prompt, text.clone())),
                What::PromptEnded { prompt, heard, unsaid, uncertainty_ms } => {
                    let whole = [heard.as_str(), unsaid.as_str()];
                    let whole = whole.iter().filter(|part| !part.is_empty());
                    let whole = whole.copied().collect::<Vec<_>>().join(" ");
                    if let Some((_, text)) = texts.iter().find(|(id, _)| id == prompt) {
                        assert_eq!(whole, *text);
                        assert_eq!(*uncertainty_ms > 0, !unsaid.is_empty(), "{}", world.story());
                    } else {
                        assert!(heard.is_empty(), "what never began was not heard");
                        assert!(!unsaid.is_empty());
                    }
                    cut += usize::from(!unsaid.is_empty());
                }
                _ => {}
            }
        }
        assert!(cut > 0, "{}", world.story());
    }
}

#[test]
fn words_that_were_heard_were_sent_and_words_that_were_not_were_not() {
    // A letter takes 60 ms and a pause between words 40: what was sent says which words it held.
    let mut world = World::ringing();
    world.connect();
    world.hears_begin("Hello, this is the automated assistant");
    let began = world.now;
    world.run(1_500);
    world.says("where is my order");
    let cut = |what: &What| matches!(what, What::PromptEnded { unsaid, .. } if !unsaid.is_empty());
    let heard = world.awaits("the cut", 3_000, cut);
    let What::PromptEnded { heard, .. } = heard else { unreachable!("awaited") };
    let words = heard.split(' ').map(|word| 60 * word.chars().count() as u64 + 40);
    let heard_ms: u64 = words.sum();
    let last = world.caller.last_sound(world.now).expect("it spoke");
    let sent_ms = last.since(began).as_millis() as u64;
    assert!(heard_ms <= sent_ms + 60 && sent_ms <= heard_ms + 800, "{heard} {sent_ms}");
}

#[test]
fn the_disclosure_is_not_stopped_by_speech_or_keys() {
    let mut world = World::ringing();
    world.connect();
    world.hears_begin("This call may be recorded.");
    world.run(100);
    world.caller.speak(world.now, Duration::from_millis(900));
    world.run(300);
    world.keys("5");
    world.hears("This call may be recorded.");
    let whole = |what: &What| {
        matches!(what, What::PromptEnded { heard, unsaid, .. }
            if heard == "This call may be recorded." && unsaid.is_empty())
    };
    assert!(world.has(whole), "{}", world.story());
}

#[test]
fn a_cough_does_not_stop_the_assistant() {
    let mut world = World::ringing();
    world.connect();
    world.hears_begin("Hello, this is the automated assistant");
    world.run(500);
    world.utters(120);
    world.hears("Northline Parcels.");
    assert!(!world.has(|what| matches!(what, What::Interrupted { .. })), "{}", world.story());
}

#[test]
fn a_word_over_the_disclosure_does_not_stop_the_greeting_that_follows_it() {
    let mut world = World::ringing();
    world.connect();
    world.hears_begin("This call may be recorded.");
    // The word is over when the greeting begins; the turn is not yet.
    world.until("the last word of it", 5_000, |world| {
        let began = world.time_of(|what| matches!(what, What::PromptBegan { .. }));
        world.now.since(began) >= Duration::from_millis(1_250)
    });
    world.utters(300);
    world.hears("Hello, this is the automated assistant of Northline Parcels.");
}

#[test]
fn a_tool_that_fails_twice_brings_a_person() {
    let mut world = World::ringing();
    world.tools.extend([ToolLine::fails(600), ToolLine::fails(600)]);
    let mut world = read_back(world);
    world.fault = Some("F02 tool fails twice");
    world.says("yes");
    let triggered = |what: &What| {
        matches!(what, What::EscalationTriggered { trigger: Trigger::ToolFailed, .. })
    };
    world.awaits("a person", 10_000, triggered);
    let keys: Vec<_> = world.invocations.iter().map(|invocation| &invocation.key).collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1], "what is tried again is the same act");
    let packet = world.office.packets.last().expect("it was enqueued");
    assert_eq!(packet.trigger, Trigger::ToolFailed);
    assert!(packet.actions.iter().all(|action| !action.succeeded));
    assert_eq!(packet.stated_issue, "where is my order");
}

#[test]
fn words_that_signal_an_emergency_bring_a_person_at_once() {
    let mut world = World::ringing();
    world.connect();
    world.hears_begin("Hello, this is the automated assistant");
    world.says("there is a fire in the depot");
    let triggered =
        |what: &What| matches!(what, What::EscalationTriggered { trigger: Trigger::Emergency, .. });
    world.awaits("a person", 5_000, triggered);
    world.hears("Stay on the line.");
    assert_eq!(world.office.packets.len(), 1);
}
