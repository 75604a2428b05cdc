//! Agents whose legs break: the caller is looked after, and keeps the place (F25).

use std::time::Duration;

use cordboard::call::{EndCause, LegEvent};
use cordboard::escalation::{AGENT_LOST, DeskReport, Refusal};
use cordboard::timeline::{LegRole, Outcome, What};

use super::handovers::asking;
use super::office::Habit;
use super::world::{AGENT_HZ, World};

const BROKEN: LegEvent<'static> = LegEvent::Ended { cause: EndCause::Lost };

fn two_agents() -> World {
    asking(vec![("ada", vec![Habit::keys('1'), Habit::keys('1')]), ("bob", vec![Habit::keys('1')])])
}

fn bridged_with(name: &str) -> impl Fn(&What) -> bool {
    let goal = What::Bridged { agent: name.to_owned() };
    move |what| *what == goal
}

fn enqueued(what: &What) -> bool {
    matches!(what, What::Enqueued { .. })
}

#[test]
fn when_the_leg_of_an_agent_breaks_in_the_talk_the_caller_is_at_the_front_of_the_queue_again() {
    let mut world = two_agents();
    world.fault = Some("F25 agent's leg breaks in the talk");
    world.awaits("the bridge", 40_000, bridged_with("ada"));
    world.run(3_000);
    let broke = world.now;
    world.agent_event(BROKEN);
    world.awaits("the queue", 3_000, enqueued);
    assert!(world.now.since(broke) <= Duration::from_secs(3));
    let lost = DeskReport::Lost { agent: "ada".into() };
    assert!(world.office.reports.contains(&lost), "{:?}", world.office.reports);
    world.hears(AGENT_LOST);
    world.awaits("the next agent", 40_000, bridged_with("bob"));
    world.run(200);
    let from = world.now;
    world.agent.speak(world.now, Duration::from_millis(600));
    world.run(400);
    let heard = world.caller.between(from, world.now).any(|t| t.amplitude_of(AGENT_HZ) > 0.2);
    assert!(heard, "the caller hears the next agent");
    world.hangs_up();
    assert_eq!(world.ends(10_000).0, Outcome::HandedOver);
    assert!(world.office.is_idle(world.now));
    assert_eq!(world.office.packets.len(), 2);
    assert_eq!(world.office.packets[0].packet_id, world.office.packets[1].packet_id);
}

#[test]
fn when_the_leg_of_an_agent_breaks_in_the_brief_the_next_agent_is_rung_and_the_place_kept() {
    let brief = Habit::PicksUp { after_ms: 1_000, keys: vec![], leaves_ms: None };
    let mut world = asking(vec![("ada", vec![brief]), ("bob", vec![Habit::keys('1')])]);
    world.fault = Some("F25 agent's leg breaks in the brief");
    world.awaits("the agent", 9_000, |what| matches!(what, What::AgentAnswered { .. }));
    world.run(2_000);
    let broke = world.now;
    world.agent_event(BROKEN);
    let offered = What::AgentOffered { agent: "bob".to_owned() };
    world.awaits("the next agent", 3_000, |what| *what == offered);
    assert!(world.now.since(broke) <= Duration::from_secs(3));
    let why = DeskReport::NoAnswer { agent: "ada".into(), why: Refusal::Lost };
    assert_eq!(world.office.reports, [why]);
    assert_eq!(world.count(enqueued), 1, "the call has never left the queue");
    assert_eq!(world.office.withdrawals, 0);
    world.awaits("the bridge", 40_000, bridged_with("bob"));
}

#[test]
fn when_the_leg_of_an_agent_breaks_as_it_is_joined_the_caller_waits_for_the_next() {
    let mut world = two_agents();
    world.fault = Some("F25 agent's leg breaks at the tone");
    world.awaits("the key", 30_000, |what| matches!(what, What::AgentAccepted { .. }));
    assert!(!world.has(|what| matches!(what, What::Bridged { .. })));
    world.agent_event(BROKEN);
    world.awaits("the queue", 3_000, enqueued);
    world.awaits("the bridge", 60_000, bridged_with("bob"));
}

#[test]
fn where_the_only_agents_phone_is_broken_for_good_the_assistant_takes_a_message() {
    let mut world = asking(vec![("ada", vec![Habit::keys('1'), Habit::Absent])]);
    world.fault = Some("F25 only agent's leg breaks, phone stays dead");
    world.awaits("the bridge", 40_000, bridged_with("ada"));
    world.run(1_000);
    world.agent_event(BROKEN);
    world.awaits("nobody", 90_000, |what| matches!(what, What::NobodyCame { .. }));
    world.hears("Please tell me what it is about.");
    world.run(300);
    world.says("please call me back");
    assert_eq!(world.ends(30_000).0, Outcome::HandedOver);
    assert!(world.office.is_idle(world.now));
}

#[test]
fn a_caller_who_leaves_while_waiting_for_the_next_agent_leaves_nothing_behind() {
    let mut world = asking(vec![("ada", vec![Habit::keys('1')])]);
    world.awaits("the bridge", 40_000, bridged_with("ada"));
    world.agent_event(BROKEN);
    world.run(2_000);
    world.hangs_up();
    assert_eq!(world.ends(0).0, Outcome::HandedOver);
    assert!(world.office.is_idle(world.now));
    assert_eq!(world.office.withdrawals, 1);
    let parted = |what: &What| matches!(what, What::LegParted { role: LegRole::Agent, .. });
    assert_eq!(world.count(parted), 1);
}

#[test]
fn a_desk_that_answers_nothing_is_waited_for_with_music_and_then_a_message_is_taken() {
    let mut world = super::talks::greeted(World::staffed(vec![("ada", vec![])]));
    world.fault = Some("F25 desk answers nothing");
    world.office.dead = true;
    world.run(200);
    world.says("i want to speak to a person");
    world.awaits("nobody", 90_000, |what| matches!(what, What::NobodyCame { .. }));
    world.hears("Please tell me what it is about.");
    world.run(300);
    world.says("please call me back");
    assert_eq!(world.ends(30_000).0, Outcome::MessageTaken);
}

#[test]
fn a_desk_whose_agents_are_all_taken_is_waited_for_with_music_and_then_a_message_is_taken() {
    let mut world = asking(vec![("ada", vec![Habit::Absent]), ("bob", vec![Habit::Absent])]);
    world.fault = Some("F25 desk is full");
    world.awaits("nobody", 90_000, |what| matches!(what, What::NobodyCame { .. }));
    world.hears("Please tell me what it is about.");
}
