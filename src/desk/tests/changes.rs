//! Other agents and queues, while calls wait and agents talk.

use super::super::{DeskSettings, GaveUp, Input, QueueRules, Standing};
use super::{Bench, call, profile, settings};

fn names(bench: &Bench) -> Vec<String> {
    let positions = bench.desk.positions(bench.now);
    positions.agents.iter().map(|agent| agent.name.to_string()).collect()
}

#[test]
fn a_waiting_call_is_offered_to_an_agent_who_comes_with_the_new_settings() {
    let mut bench = Bench::new(settings(&["ada"]));
    bench.enqueue("c1").accepted("c1", "ada").enqueue("c2");
    assert!(bench.offers().is_empty());
    bench.give(Input::Reconfigured(settings(&["bob", "ada"])));
    assert_eq!(bench.offers(), [("c2", "bob")]);
    bench.accepted("c2", "bob").released("c1", "ada").enqueue("c3");
    assert_eq!(bench.offers(), [("c3", "ada")], "who moved down the list is still known");
}

#[test]
fn an_agent_who_is_gone_keeps_the_call_that_they_have_and_gets_no_other() {
    let mut bench = Bench::new(settings(&["ada", "bob"]));
    bench.enqueue("c1").accepted("c1", "ada").enqueue("c2");
    assert_eq!(bench.offers(), [("c2", "bob")]);
    bench.give(Input::Reconfigured(settings(&["eve"])));
    assert_eq!(names(&bench), ["eve", "ada", "bob"]);
    bench.declined("c2", "bob");
    assert_eq!(bench.offers(), [("c2", "eve")]);
    bench.released("c1", "ada").enqueue("c3");
    assert!(bench.offers().is_empty(), "ada is free, and gone");
    bench.give(Input::Reconfigured(settings(&["eve"])));
    assert_eq!(names(&bench), ["eve"]);
}

#[test]
fn a_queue_that_is_gone_goes_on_for_the_calls_in_it_and_takes_no_more() {
    let mut bench = Bench::new(settings(&["ada"]));
    bench.enqueue("c1").accepted("c1", "ada").enqueue("c2");
    let other = DeskSettings {
        agents: vec![profile("ada", &["sales"])],
        queues: vec![QueueRules::named("sales")],
        ..DeskSettings::default()
    };
    bench.give(Input::Reconfigured(other.clone()));
    bench.released("c1", "ada");
    assert_eq!(bench.offers(), [("c2", "ada")]);
    bench.accepted("c2", "ada").give(Input::Reconfigured(other));
    bench.enqueue("c3");
    assert_eq!(bench.given_up(), [("c3", GaveUp::UnknownQueue)]);
    assert!(matches!(
        &bench.desk.positions(bench.now).agents[0].standing,
        Standing::Talking { call: talking, .. } if *talking == call("c2")
    ));
}

#[test]
fn settings_that_make_no_desk_change_nothing() {
    let mut bench = Bench::new(settings(&["ada"]));
    let twice = settings(&["bob", "bob"]);
    let refused = bench.desk.handle_input(bench.now, Input::Reconfigured(twice)).unwrap_err();
    assert_eq!(refused.to_string(), "api misuse: two agents are named bob");
    assert_eq!(names(&bench), ["ada"]);
}
