//! Hand-overs to a person: the queue, the brief, the bridge, and what there is instead.

use std::time::Duration;

use cordboard::call::{EndCause, LegEvent};
use cordboard::escalation::DeskReport;
use cordboard::timeline::{LegRole, Outcome, Trigger, What};
use cordboard_audio::MediaTime;

use super::office::Habit;
use super::services::Mouth;
use super::talks::greeted;
use super::world::{AGENT_HZ, CALLER_HZ, World};

/// A call whose caller has asked for a person.
pub(crate) fn asking(staff: Vec<(&str, Vec<Habit>)>) -> World {
    asking_in(World::staffed(staff))
}

/// The same, in a world that has been set up.
pub(crate) fn asking_in(world: World) -> World {
    let mut world = greeted(world);
    world.run(200);
    world.says("i want to speak to a person");
    world.awaits("the queue", 10_000, |what| matches!(what, What::Enqueued { .. }));
    world
}

/// A call in which caller and agent hear each other.
pub(crate) fn bridged() -> World {
    let mut world = asking(vec![("ada", vec![Habit::keys('1')])]);
    world.awaits("the bridge", 40_000, |what| matches!(what, What::Bridged { .. }));
    world.run(100);
    world
}

fn refused(agent: &str, why: &str) -> impl Fn(&What) -> bool {
    let goal = What::AgentRefused { agent: agent.to_owned(), why: why.to_owned() };
    move |what| *what == goal
}

#[test]
fn who_asks_for_a_person_hears_music_and_then_the_person() {
    let habit = Habit::PicksUp { after_ms: 8_000, keys: vec![(3_000, '1')], leaves_ms: None };
    let mut world = asking(vec![("ada", vec![habit])]);
    world.hears("Please stay on the line.");
    world.run(600);
    let music = world.caller.between(world.now - Duration::from_millis(300), world.now);
    assert!(music.into_iter().all(|tick| tick.sounds()), "music");
    world.awaits("the bridge", 40_000, |what| matches!(what, What::Bridged { .. }));
    let triggered = What::EscalationTriggered {
        trigger: Trigger::Asked,
        reason: "the caller asked for a person".to_owned(),
        queue: "service".to_owned(),
    };
    assert!(world.has(|what| *what == triggered));
    let accepted = What::AgentAccepted { agent: "ada".to_owned(), acknowledged: "key".to_owned() };
    assert!(world.has(|what| *what == accepted));
    let line = world.agent_line.as_ref().expect("the agent is there");
    assert_eq!(line.uri, "sip:ada@office.example");
    assert_eq!(line.headers[0].0, "User-to-User");
    assert!(world.agent.ticks.iter().any(|tick| tick.sounds()), "the brief");
    let accepted_at = world.time_of(|what| matches!(what, What::AgentAccepted { .. }));
    let heard_tone = |phone: &super::handset::Handset| {
        phone.between(accepted_at, world.now).any(|tick| tick.amplitude_of(784.0) > 0.1)
    };
    assert!(heard_tone(&world.caller) && heard_tone(&world.agent), "both hear the tone");
    assert!(world.caller.dead_air().1 < Duration::from_secs(3), "{:?}", world.caller.dead_air());
    let packet = world.office.packets.last().expect("enqueued");
    assert_eq!(packet.stated_issue, "i want to speak to a person");
    assert!(packet.transcript.iter().any(|line| line.text.contains("automated assistant")));
}

#[test]
fn caller_and_agent_hear_each_other_and_nobody_else_did_before() {
    let mut world = bridged();
    let joined = world.time_of(|what| matches!(what, What::Bridged { .. }));
    let before = |tick: &super::handset::Tick| tick.at < joined;
    let early = world.agent.ticks.iter().filter(|tick| before(tick));
    assert!(early.into_iter().all(|tick| tick.packets == 1));

    let from = world.now;
    world.caller.speak(world.now, Duration::from_millis(600));
    world.run(400);
    let heard = world.agent.between(from, world.now).filter(|t| t.amplitude_of(CALLER_HZ) > 0.2);
    assert!(heard.count() >= 15, "the agent hears the caller");
    world.run(600);

    let from = world.now;
    world.agent.speak(world.now, Duration::from_millis(600));
    world.run(400);
    let heard = world.caller.between(from, world.now).filter(|t| t.amplitude_of(AGENT_HZ) > 0.2);
    assert!(heard.count() >= 15, "the caller hears the agent");
    let echo = world.agent.between(from, world.now).any(|t| t.amplitude_of(AGENT_HZ) > 0.02);
    assert!(!echo, "nobody hears themselves");
    world.run(2_000);
    assert!(!world.has(|what| matches!(what, What::CallerBegan { .. })
        && world.time_of(|what| matches!(what, What::CallerBegan { .. })) > joined));
}

#[test]
fn keys_are_pressed_anew_at_the_other_side_of_a_bridge_and_those_for_the_brief_are_not() {
    let mut world = bridged();
    assert!(world.caller.digits.is_empty(), "the accepting key stays here");
    world.keys("4#");
    assert_eq!(world.agent.digits, ['4', '#']);
    world.agent_event(LegEvent::Digit { digit: '7', duration_ms: 80 });
    assert_eq!(world.caller.digits, ['7']);
}

#[test]
fn when_the_caller_leaves_the_agent_is_told_and_then_hung_up_on() {
    let mut world = bridged();
    let left = world.now;
    world.hangs_up();
    world.run(900);
    assert!(world.agent_line.is_some(), "not before the sentence is over");
    let told = world.agent.between(left, world.now).filter(|tick| tick.sounds()).count();
    assert!(told > 30, "{told} ticks");
    assert_eq!(world.office.releases(), 0, "no new call while this one sounds");
    assert_eq!(world.ends(8_000), (Outcome::HandedOver, "bye".to_owned()));
    assert!(world.agent_line.is_none());
    assert_eq!(world.office.releases(), 1);
    assert!(world.office.is_idle(world.now));
}

#[test]
fn when_the_agent_leaves_the_caller_is_told_and_the_assistant_is_back() {
    let mut world = bridged();
    world.agent_event(LegEvent::Ended { cause: EndCause::Bye });
    world.hears("Your agent has been disconnected.");
    world.hears("Is there anything else?");
    assert_eq!(world.office.releases(), 1);
    world.run(300);
    world.says("goodbye");
    assert_eq!(world.ends(20_000).0, Outcome::HandedOver);
    assert!(world.caller.dead_air().1 < Duration::from_secs(3), "{:?}", world.caller.dead_air());
}

#[test]
fn an_agent_who_holds_the_caller_plays_our_music() {
    let mut world = bridged();
    world.agent_event(LegEvent::Held);
    world.agent.muted = true;
    world.run(400);
    let from = world.now;
    world.run(35_000);
    let music = world.caller.between(from, world.now).filter(|tick| tick.sounds()).count();
    assert!(music > 1_700, "{music} of 1750 ticks");
    world.agent.muted = false;
    world.agent_event(LegEvent::Resumed);
    world.run(200);
    let from = world.now;
    world.run(1_000);
    assert!(!world.caller.between(from, world.now).any(|tick| tick.sounds()), "no music");
    world.agent.speak(world.now, Duration::from_millis(600));
    world.run(400);
    let heard = world.caller.between(from, world.now).any(|t| t.amplitude_of(AGENT_HZ) > 0.2);
    assert!(heard, "the bridge stands");
}

#[test]
fn when_one_agent_declines_the_next_is_rung() {
    let staff = vec![("ada", vec![Habit::keys('2')]), ("bob", vec![Habit::keys('1')])];
    let mut world = asking(staff);
    world.awaits("the no", 40_000, refused("ada", "declined"));
    let bridged = What::Bridged { agent: "bob".to_owned() };
    world.awaits("the bridge", 40_000, |what| *what == bridged);
    assert!(matches!(world.office.reports[0], DeskReport::Declined { .. }));
    assert!(matches!(world.office.reports[1], DeskReport::Accepted { .. }));
    assert!(world.caller.dead_air().1 < Duration::from_secs(3), "{:?}", world.caller.dead_air());
}

#[test]
fn the_brief_is_said_again_at_the_key_three() {
    let keys = vec![(1_000, '3'), (4_000, '1')];
    let habit = Habit::PicksUp { after_ms: 1_000, keys, leaves_ms: None };
    let mut world = asking(vec![("ada", vec![habit])]);
    world.awaits("the bridge", 60_000, |what| matches!(what, What::Bridged { .. }));
    assert_eq!(world.office.reports.len(), 1);
}

#[test]
fn where_nobody_comes_a_message_is_taken() {
    let mut world = asking(vec![("ada", vec![Habit::keys('2')])]);
    world.awaits("nobody", 120_000, |what| matches!(what, What::NobodyCame { .. }));
    world.hears("Please tell me what it is about.");
    world.run(300);
    world.says("please call me back about my parcel");
    let taken = What::MessageTaken { text: "please call me back about my parcel".to_owned() };
    world.awaits("the message", 5_000, |what| *what == taken);
    assert_eq!(world.ends(30_000), (Outcome::MessageTaken, "goodbye".to_owned()));
    assert!(world.caller.dead_air().1 < Duration::from_secs(3), "{:?}", world.caller.dead_air());
    assert!(world.office.is_idle(world.now));
}

#[test]
fn an_agent_who_is_not_to_be_had_is_named_as_such() {
    let cases = [
        (Habit::Refuses { after_ms: 900, code: 486 }, "busy"),
        (Habit::Refuses { after_ms: 900, code: 603 }, "declined"),
        (Habit::Refuses { after_ms: 5_000, code: 480 }, "no answer"),
        (Habit::Absent, "no answer"),
        (Habit::PicksUp { after_ms: 900, keys: vec![], leaves_ms: None }, "no key"),
        (Habit::PicksUp { after_ms: 900, keys: vec![], leaves_ms: Some(2_000) }, "hung up"),
    ];
    for (habit, why) in cases {
        let mut world = asking(vec![("ada", vec![habit])]);
        world.fault = Some("F25 agent not to be had");
        world.awaits(why, 90_000, refused("ada", why));
        world.awaits("nobody", 30_000, |what| matches!(what, What::NobodyCame { .. }));
        world.hears("Please tell me what it is about.");
        assert!(world.agent_line.is_none(), "{why}: the phone is left alone");
        assert!(world.office.is_idle(world.now), "{why}");
        assert_eq!(world.office.reports.len(), 1, "{why}");
        let longest = world.caller.dead_air();
        assert!(longest.1 < Duration::from_secs(3), "{why}: {longest:?}");
    }
}

#[test]
fn a_brief_that_cannot_be_spoken_does_not_end_the_callers_music() {
    let habit = Habit::PicksUp { after_ms: 9_000, keys: vec![(4_000, '1')], leaves_ms: None };
    let mut world = asking(vec![("ada", vec![habit])]);
    world.mouth = Mouth::RefuseOnly { what: "Press 1 to accept" };
    world.awaits("the fault", 20_000, |what| matches!(what, What::EngineFailed { .. }));
    let from = world.now;
    world.run(2_500);
    let quiet = world.caller.between(from, world.now).filter(|tick| !tick.sounds()).count();
    assert!(quiet < 5, "{quiet} ticks without music");
    let told = world.agent.between(from, world.now).any(|tick| tick.sounds());
    assert!(told, "the agent at least hears a tone");
    world.awaits("the bridge", 20_000, |what| matches!(what, What::Bridged { .. }));
}

#[test]
fn a_caller_whose_media_stops_in_the_queue_does_not_lose_the_music() {
    let mut world = asking(vec![("ada", vec![Habit::Absent]), ("bob", vec![Habit::Absent])]);
    world.hears("Please stay on the line.");
    world.caller.muted = true;
    world.run(12_000);
    world.caller.muted = false;
    world.run(3_000);
    let dead = world.caller.dead_air();
    assert!(dead.1 < Duration::from_secs(3), "{dead:?}\n{}", world.story());
    world.run(2_000);
    let second = world.caller.between(world.now - Duration::from_secs(1), world.now);
    assert!(second.filter(|tick| tick.sounds()).count() > 45);
}

#[test]
fn an_agent_from_whom_nothing_comes_is_given_up() {
    let mut world = bridged();
    world.fault = Some("F25 agent's RTP stops");
    world.agent.muted = true;
    world.run(25_000);
    world.hears("Your agent has been disconnected.");
    let parted = What::LegParted { role: LegRole::Agent, cause: "no media".to_owned() };
    assert!(world.has(|what| *what == parted));
    assert_eq!(world.office.releases(), 1);
    assert!(world.agent_line.is_none());
    assert!(world.now > MediaTime::from_millis(30_000));
}

#[test]
fn the_context_packet_holds_what_the_caller_heard_and_not_what_was_written() {
    let mut world = World::staffed(vec![("ada", vec![Habit::keys('1')])]);
    world.connect();
    world.hears_begin("Hello, this is the automated assistant");
    world.run(900);
    world.says("i want to speak to a person");
    world.awaits("the queue", 10_000, |what| matches!(what, What::Enqueued { .. }));
    let cut = world.entries.iter().find_map(|entry| match &entry.what {
        What::PromptEnded { heard, unsaid, .. } if !unsaid.is_empty() => Some(heard.clone()),
        _ => None,
    });
    let cut = cut.expect("the greeting was stopped");
    assert!(cut.starts_with("Hello,") && !cut.contains("Northline"), "{cut}");
    let transcript = &world.office.packets[0].transcript;
    let texts: Vec<&str> = transcript.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(texts, ["This call may be recorded.", &cut, "i want to speak to a person"]);
}

/// A call whose caller asks for a person with a voice that takes 4 s for each line.
fn asking_slowly(habit: Habit) -> World {
    let mut world = greeted(World::staffed(vec![("ada", vec![habit])]));
    world.run(200);
    world.mouth = Mouth::Speak { after_ms: 4_000 };
    world.says("i want to speak to a person");
    world.awaits("the queue", 10_000, |what| matches!(what, What::Enqueued { .. }));
    world.mouth = Mouth::Speak { after_ms: 120 };
    world
}

#[test]
fn what_a_slow_voice_still_owes_is_not_said_into_the_talk_of_two_people() {
    let keys = vec![(2_500, '1')];
    let mut world = asking_slowly(Habit::PicksUp { after_ms: 300, keys, leaves_ms: None });
    let began = |what: &What| matches!(what, What::PromptBegan { .. });
    world.awaits("the bridge", 4_000, |what| matches!(what, What::Bridged { .. }));
    let before = world.count(began);
    world.run(12_000);
    assert_eq!(world.count(began), before, "{}", world.story());
    assert!(world.unspoken.is_empty());
}
