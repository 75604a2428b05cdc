//! Callers who hang up, in every phase: the timeline ends, the desk is given back what it lent,
//! tools are still heard, and nothing is sent any more (the world checks that at every command).

use std::time::Duration;

use cordboard::timeline::{LegRole, Outcome, ToolVerdict, What};

use super::handovers::{asking, bridged};
use super::office::Habit;
use super::services::{Ears, Mouth, ToolLine};
use super::talks::{greeted, read_back};
use super::world::World;

/// Ends the call that the caller has just left, and checks what holds of every such call.
fn left(world: &mut World, within_ms: u64) -> Outcome {
    world.hangs_up();
    let (outcome, cause) = world.ends(within_ms);
    assert_eq!(cause, "bye");
    let parted = |what: &What| matches!(what, What::LegParted { role: LegRole::Caller, .. });
    assert_eq!(world.count(parted), 1);
    assert!(world.hung_up.is_none(), "who is gone is not hung up on");
    assert!(world.agent_line.is_none());
    assert!(world.office.is_idle(world.now), "{:?}", world.office.notes);
    let began = |what: &What| matches!(what, What::PromptBegan { .. });
    let ended = |what: &What| matches!(what, What::PromptEnded { .. });
    assert!(world.count(ended) >= world.count(began), "every prompt has its end");
    // Whatever comes afterwards changes nothing; the world would see an output.
    world.run(40_000);
    outcome
}

#[test]
fn in_the_greeting() {
    let mut world = World::ringing();
    world.connect();
    world.hears_begin("Hello, this is the automated assistant");
    world.run(400);
    assert_eq!(left(&mut world, 0), Outcome::Abandoned);
    let cut = |what: &What| {
        matches!(what, What::PromptEnded { heard, unsaid, .. }
            if !heard.is_empty() && !unsaid.is_empty())
    };
    assert_eq!(world.count(cut), 1, "{}", world.story());
}

#[test]
fn while_speaking() {
    let mut world = greeted(World::ringing());
    world.caller.speak(world.now, Duration::from_secs(2));
    world.run(1_000);
    assert_eq!(left(&mut world, 0), Outcome::Abandoned);
}

#[test]
fn while_the_words_are_with_the_recognizer() {
    let mut world = greeted(World::ringing());
    world.ears = Ears::Answer { after_ms: 1_500 };
    world.says("where is my order");
    world.run(1_100);
    assert_eq!(left(&mut world, 0), Outcome::Abandoned);
    assert!(!world.has(|what| matches!(what, What::CallerSpoke { .. })));
}

#[test]
fn while_the_voice_is_being_made() {
    let mut world = greeted(World::ringing());
    world.mouth = Mouth::Speak { after_ms: 2_000 };
    world.says("where is my order");
    world.run(1_700);
    assert_eq!(left(&mut world, 0), Outcome::Abandoned);
}

#[test]
fn while_a_tool_works_and_its_answer_is_still_entered() {
    for line in [ToolLine::found(3_000), ToolLine::fails(3_000)] {
        let verdict = line.outcome.verdict.clone();
        let mut world = World::ringing();
        world.tools.extend([line, ToolLine::fails(100)]);
        let mut world = read_back(world);
        world.says("yes");
        world.awaits("the tool", 5_000, |what| matches!(what, What::ToolInvoked { .. }));
        world.run(500);
        assert_eq!(left(&mut world, 4_000), Outcome::Abandoned);
        let answers = world.entries.iter().filter_map(|entry| match &entry.what {
            What::ToolAnswered { verdict, .. } => Some(verdict.clone()),
            _ => None,
        });
        assert_eq!(answers.collect::<Vec<ToolVerdict>>(), [verdict]);
        assert_eq!(world.invocations.len(), 1, "nothing is begun for a caller who is gone");
        assert!(!world.has(|what| matches!(what, What::EscalationTriggered { .. })));
    }
}

#[test]
fn while_a_tool_works_that_never_answers() {
    let mut world = World::ringing();
    world.tools.push_back(ToolLine::never());
    let mut world = read_back(world);
    world.says("yes");
    world.awaits("the tool", 5_000, |what| matches!(what, What::ToolInvoked { .. }));
    assert_eq!(left(&mut world, 31_000), Outcome::Abandoned);
}

#[test]
fn while_the_transfer_is_announced() {
    let mut world = asking(vec![("ada", vec![Habit::keys('1')])]);
    assert_eq!(left(&mut world, 0), Outcome::Abandoned);
    assert_eq!(world.office.withdrawals, 1);
}

#[test]
fn in_a_queue_where_nobody_is_free() {
    let refuses = Habit::Refuses { after_ms: 300, code: 486 };
    let mut world = asking(vec![("ada", vec![refuses]), ("bob", vec![Habit::Absent])]);
    world.run(6_000);
    assert_eq!(left(&mut world, 0), Outcome::Abandoned);
    assert_eq!(world.office.withdrawals, 1);
}

#[test]
fn while_the_agents_phone_rings() {
    let mut world = asking(vec![("ada", vec![Habit::Absent])]);
    world.run(5_000);
    assert!(world.agent_line.is_some());
    assert_eq!(left(&mut world, 0), Outcome::Abandoned);
    assert_eq!(world.office.withdrawals, 1);
    assert!(world.office.reports.is_empty());
}

#[test]
fn while_the_agent_hears_the_brief() {
    let habit = Habit::PicksUp { after_ms: 1_000, keys: vec![], leaves_ms: None };
    let mut world = asking(vec![("ada", vec![habit])]);
    world.awaits("the agent", 9_000, |what| matches!(what, What::AgentAnswered { .. }));
    world.run(2_000);
    let gone = world.now;
    world.hangs_up();
    world.run(1_000);
    let told = world.agent.between(gone, world.now).filter(|tick| tick.sounds()).count();
    assert!(told > 20, "the agent is told");
    assert_eq!(world.ends(8_000).0, Outcome::Abandoned);
    assert_eq!(world.office.withdrawals, 1);
    assert!(world.office.is_idle(world.now));
    assert!(!world.has(|what| matches!(what, What::Bridged { .. })));
}

#[test]
fn as_the_agent_accepts() {
    let mut world = asking(vec![("ada", vec![Habit::keys('1')])]);
    world.awaits("the key", 30_000, |what| matches!(what, What::AgentAccepted { .. }));
    assert!(!world.has(|what| matches!(what, What::Bridged { .. })));
    assert_eq!(left(&mut world, 8_000), Outcome::Abandoned);
    assert_eq!(world.office.releases(), 1);
}

#[test]
fn while_speaking_with_the_agent() {
    let mut world = bridged();
    world.run(5_000);
    assert_eq!(left(&mut world, 8_000), Outcome::HandedOver);
    assert_eq!(world.office.releases(), 1);
    assert_eq!(world.office.withdrawals, 0);
}

#[test]
fn and_the_agent_hangs_up_before_having_been_told() {
    let mut world = bridged();
    world.hangs_up();
    world.run(200);
    world.agent_event(cordboard::call::LegEvent::Ended { cause: cordboard::call::EndCause::Bye });
    assert_eq!(world.ends(0).0, Outcome::HandedOver);
    assert_eq!(world.office.releases(), 1);
}

#[test]
fn and_the_service_stops_while_the_agent_is_being_told() {
    let mut world = bridged();
    world.hangs_up();
    world.run(200);
    world.give(cordboard::call::Input::Stop);
    assert_eq!(world.ends(0).0, Outcome::HandedOver);
    assert_eq!(world.office.releases(), 1);
    assert!(world.office.is_idle(world.now));
}

#[test]
fn in_the_goodbye() {
    let mut world = greeted(World::ringing());
    world.says("when are you open");
    world.hears("anything else");
    world.run(200);
    world.says("no");
    world.hears_begin("Goodbye");
    world.run(500);
    assert_eq!(left(&mut world, 0), Outcome::Resolved);
}

#[test]
fn after_a_message_was_left() {
    let mut world = asking(vec![("ada", vec![Habit::keys('2')])]);
    world.hears("Please tell me what it is about.");
    world.run(300);
    world.says("please call me back");
    world.awaits("the message", 5_000, |what| matches!(what, What::MessageTaken { .. }));
    assert_eq!(left(&mut world, 0), Outcome::MessageTaken);
}
