//! What calls and agents can live through at a desk.

use std::time::Duration;

use super::super::{
    AgentProfile, Desk, DeskEntry, DeskSettings, Error, GaveUp, Input, Order, Output,
    PRIORITY_AGAIN, QueueRules, SettingsError,
};
use super::{Bench, call, profile, settings};

#[test]
fn agents_are_asked_one_after_another_in_the_configured_order() {
    let mut bench = Bench::new(settings(&["ada", "bea", "cy"]));
    assert_eq!(bench.enqueue("c1").offers(), [("c1", "ada")]);
    assert_eq!(bench.declined("c1", "ada").offers(), [("c1", "bea")]);
    assert_eq!(bench.no_answer("c1", "bea").offers(), [("c1", "cy")]);
    assert_eq!(bench.accepted("c1", "cy").offers(), []);
}

#[test]
fn the_agent_who_has_been_free_longest_is_asked_first_where_the_queue_says_so() {
    for (order, second) in [(Order::Configured, "ada"), (Order::LongestIdle, "bea")] {
        let mut settings = settings(&["ada", "bea"]);
        settings.queues[0].order = order;
        let mut bench = Bench::new(settings);
        bench.enqueue("c1").accepted("c1", "ada").pass(60).released("c1", "ada");
        assert_eq!(bench.enqueue("c2").offers(), [("c2", second)], "{order:?}");
    }
}

#[test]
fn a_second_round_follows_after_ten_seconds_and_then_nobody_came() {
    let mut bench = Bench::new(settings(&["ada", "bea"]));
    bench.enqueue("c1").declined("c1", "ada").declined("c1", "bea");
    assert_eq!((bench.offers(), bench.given_up()), (vec![], vec![]));
    let asked = bench.now;
    assert_eq!(bench.wait().offers(), [("c1", "ada")]);
    assert_eq!(bench.now.since(asked), Duration::from_secs(10));
    bench.declined("c1", "ada").declined("c1", "bea");
    assert_eq!(bench.given_up(), [("c1", GaveUp::AllRefused)]);
    let (call, packet_id) = (call("c1"), "p-c1".to_owned());
    assert!(bench.out.contains(&Output::NobodyCame { call, packet_id }));
    assert_eq!(bench.deadline, None, "the desk has forgotten the call");
}

#[test]
fn one_round_is_enough_where_the_queue_says_so() {
    let mut settings = settings(&["ada"]);
    settings.queues[0].rounds = 1;
    let mut bench = Bench::new(settings);
    bench.enqueue("c1").declined("c1", "ada");
    assert_eq!(bench.given_up(), [("c1", GaveUp::AllRefused)]);
}

#[test]
fn an_agent_who_was_not_reached_is_left_alone_for_five_seconds() {
    let mut bench = Bench::new(settings(&["ada"]));
    bench.enqueue("c1").enqueue("c2");
    assert_eq!(bench.no_answer("c1", "ada").offers(), []);
    let rang = bench.now;
    assert_eq!(bench.wait().offers(), [("c2", "ada")]);
    assert_eq!(bench.now.since(rang), Duration::from_secs(5));
}

#[test]
fn an_agent_who_declined_one_call_is_offered_the_next_at_once() {
    let mut bench = Bench::new(settings(&["ada"]));
    bench.enqueue("c1").enqueue("c2");
    assert_eq!(bench.declined("c1", "ada").offers(), [("c2", "ada")]);
}

#[test]
fn a_wrap_up_keeps_the_agent_for_a_while_after_a_call() {
    for wrap_up in [Duration::ZERO, Duration::from_secs(7)] {
        let mut bench = Bench::new(DeskSettings { wrap_up, ..settings(&["ada"]) });
        bench.enqueue("c1").accepted("c1", "ada").enqueue("c2").released("c1", "ada");
        let over = bench.now;
        while bench.offers().is_empty() {
            bench.wait();
        }
        assert_eq!((bench.now.since(over), bench.offers()), (wrap_up, vec![("c2", "ada")]));
    }
}

#[test]
fn a_call_waits_for_a_busy_agent_until_the_limit_of_its_queue() {
    let mut bench = Bench::new(settings(&["ada"]));
    bench.enqueue("c1").accepted("c1", "ada").enqueue("c2");
    let enqueued = bench.now;
    assert_eq!(bench.wait().given_up(), [("c2", GaveUp::Limit)]);
    assert_eq!(bench.now.since(enqueued), Duration::from_secs(120));
}

#[test]
fn the_limit_waits_for_an_agent_who_is_being_asked() {
    let mut bench = Bench::new(settings(&["ada", "bea"]));
    bench.enqueue("c1").pass(130);
    assert_eq!(bench.given_up(), []);
    assert_eq!(bench.declined("c1", "ada").given_up(), [("c1", GaveUp::Limit)]);
}

#[test]
fn higher_priority_goes_first_and_equal_priority_by_arrival() {
    let mut bench = Bench::new(settings(&["ada"]));
    bench.enqueue("c0").accepted("c0", "ada");
    bench.enqueue("c1").enqueue("c2").enqueue_into("c3", "service", 1);
    bench.enqueue_into("c4", "service", 1);
    let mut served = vec!["c0".to_owned()];
    for _ in 0..4 {
        let last = served[served.len() - 1].clone();
        let next = bench.released(&last, "ada").offers()[0].0.to_owned();
        bench.accepted(&next, "ada");
        served.push(next);
    }
    assert_eq!(served, ["c0", "c3", "c4", "c1", "c2"]);
}

#[test]
fn a_queue_gets_only_the_agents_who_serve_it_and_have_the_skills() {
    let mut german = QueueRules::named("german");
    german.needs = vec!["german".into()];
    let skilled = AgentProfile { skills: vec!["german".into()], ..profile("cy", &["german"]) };
    let agents =
        vec![profile("ada", &["service"]), profile("bea", &["german", "service"]), skilled];
    let queues = vec![QueueRules::named("service"), german];
    let mut bench = Bench::new(DeskSettings { agents, queues, ..DeskSettings::default() });
    assert_eq!(bench.enqueue_into("c1", "german", 0).offers(), [("c1", "cy")]);
    bench.enqueue_into("c2", "german", 0);
    assert_eq!((bench.offers(), bench.given_up()), (vec![], vec![]));
    let positions = bench.desk.positions(bench.now);
    let german = &positions.queues[1];
    assert_eq!((german.waiting, german.offered, german.agents_free), (2, 1, 0));
    assert_eq!(positions.queues[0].agents_free, 2);
}

#[test]
fn nobody_came_at_once_where_the_queue_is_unknown_or_nobody_is_on_duty() {
    let mut bench = Bench::new(settings(&["ada"]));
    bench.enqueue_into("c1", "sales", 0);
    assert_eq!(bench.given_up(), [("c1", GaveUp::UnknownQueue)]);
    bench.give(Input::AgentPaused("ada".into())).enqueue("c2");
    assert_eq!(bench.given_up(), [("c2", GaveUp::NobodyOnDuty)]);
    bench.give(Input::AgentResumed("ada".into()));
    assert_eq!(bench.enqueue("c3").offers(), [("c3", "ada")]);
}

#[test]
fn all_who_wait_are_told_at_once_when_the_last_agent_goes_off_duty() {
    let mut bench = Bench::new(settings(&["ada"]));
    bench.enqueue("c1").accepted("c1", "ada").enqueue("c2").enqueue("c3").enqueue("c4");
    bench.give(Input::AgentPaused("ada".into()));
    assert_eq!(bench.given_up(), ["c2", "c3", "c4"].map(|name| (name, GaveUp::NobodyOnDuty)));
}

#[test]
fn a_pause_never_interrupts_an_offer() {
    let mut bench = Bench::new(settings(&["ada", "bea"]));
    bench.enqueue("c1").give(Input::AgentPaused("ada".into())).accepted("c1", "ada");
    bench.released("c1", "ada");
    assert_eq!(bench.enqueue("c2").offers(), [("c2", "bea")]);
}

#[test]
fn a_withdrawn_offer_costs_the_agent_no_place_among_the_idle() {
    let mut settings = settings(&["ada", "bea"]);
    settings.queues[0].order = Order::LongestIdle;
    let mut bench = Bench::new(settings);
    bench.enqueue("c1").pass(10).give(Input::Withdrawn { call: call("c1") });
    assert_eq!(bench.enqueue("c2").offers(), [("c2", "ada")]);
}

#[test]
fn an_offer_of_which_nothing_is_heard_is_taken_back() {
    let mut bench = Bench::new(settings(&["ada"]));
    bench.enqueue("c1").wait();
    assert_eq!(bench.given_up(), [("c1", GaveUp::OfferLost)]);
    assert_eq!(bench.wait().enqueue("c2").offers(), [("c2", "ada")]);
}

#[test]
fn an_acceptance_that_crossed_the_desks_own_nobody_came_still_counts() {
    let mut bench = Bench::new(settings(&["ada"]));
    bench.enqueue("c1").wait();
    bench.accepted("c1", "ada").wait();
    assert!(matches!(&bench.out[..], [Output::Note(DeskEntry::TalkLost { .. })]));
}

#[test]
fn wrong_inputs_are_named_and_change_nothing() {
    let mut bench = Bench::new(settings(&["ada"]));
    bench.enqueue("c1");
    let queue = "service".to_owned();
    let twice = Input::Enqueued { call: call("c1"), queue, packet_id: "p2".into(), priority: 0 };
    let error = bench.desk.handle_input(bench.now, twice).expect_err("enqueued twice");
    assert_eq!(error, Error::CallMisbehaved { call: call("c1") });
    let unknown = Input::AgentPaused("zoe".into());
    let error = bench.desk.handle_input(bench.now, unknown).expect_err("an unknown agent");
    assert_eq!(error.to_string(), "api misuse: no agent is named zoe");
    bench.declined("c1", "bea").accepted("c9", "zoe").released("c1", "ada");
    assert_eq!(bench.out, [], "reports of nobody's offers");
}

#[test]
fn settings_that_contradict_themselves_are_refused_by_name() {
    let good = || settings(&["ada"]);
    let mut no_rounds = good();
    no_rounds.queues[0].rounds = 0;
    let mut queue_twice = good();
    queue_twice.queues.push(QueueRules::named("service"));
    let mut lost = good();
    lost.agents[0].queues.push("sales".into());
    let queue = "service".to_owned();
    for (settings, error) in [
        (no_rounds, SettingsError::NoRounds { queue: queue.clone() }),
        (queue_twice, SettingsError::QueueTwice { name: queue }),
        (settings(&["ada", "ada"]), SettingsError::AgentTwice { name: "ada".into() }),
        (lost, SettingsError::NoSuchQueue { agent: "ada".into(), queue: "sales".into() }),
    ] {
        assert_eq!(Desk::new(settings).expect_err("a contradiction"), error);
    }
}

#[test]
fn a_call_that_lost_its_agent_goes_before_those_that_came_meanwhile() {
    let mut bench = Bench::new(settings(&["ada", "bea"]));
    bench.enqueue("c1").accepted("c1", "ada");
    bench.enqueue("c2").accepted("c2", "bea");
    bench.enqueue("c3").enqueue("c4");
    assert_eq!(bench.lost("c1", "ada").offers(), [], "a phone that broke is not rung at once");
    bench.enqueue_into("c1", "service", PRIORITY_AGAIN);
    assert_eq!(bench.released("c2", "bea").offers(), [("c1", "bea")]);
    assert_eq!(bench.pass(5).offers(), [("c3", "ada")]);
}
