//! Every input for an agent in every activity, against the table in the module's documentation.

use std::time::Duration;

use super::super::{DeskSettings, Input, Standing};
use super::{Bench, call, settings};

const HEAD: [&str; 4] = ["Free", "Offered", "Talking", "Resting"];

fn name(standing: &Standing) -> &'static str {
    match standing {
        Standing::Free { .. } => "Free",
        Standing::Offered { .. } => "Offered",
        Standing::Talking { .. } => "Talking",
        Standing::Resting => "Resting",
    }
}

fn standing(bench: &Bench) -> &'static str {
    name(&bench.desk.positions(bench.now).agents[0].standing)
}

/// A desk whose only agent is at that, with call c1.
fn at(activity: &str) -> Bench {
    let wrap_up = Duration::from_secs(3);
    let mut bench = Bench::new(DeskSettings { wrap_up, ..settings(&["ada"]) });
    match activity {
        "Free" => &mut bench,
        "Offered" => bench.enqueue("c1"),
        "Talking" => bench.enqueue("c1").accepted("c1", "ada"),
        "Resting" => bench.enqueue("c1").accepted("c1", "ada").released("c1", "ada"),
        other => panic!("the table names {other}, which is no activity"),
    };
    assert_eq!(standing(&bench), activity);
    bench
}

fn apply(bench: &mut Bench, row: &str) {
    match row {
        "Enqueued" => bench.enqueue("c2"),
        "Declined" => bench.declined("c1", "ada"),
        "NoAnswer" => bench.no_answer("c1", "ada"),
        "Accepted" => bench.accepted("c1", "ada"),
        "Released" => bench.released("c1", "ada"),
        "Lost" => bench.lost("c1", "ada"),
        "Withdrawn" => bench.give(Input::Withdrawn { call: call("c1") }),
        "AgentPaused" => bench.give(Input::AgentPaused("ada".into())),
        "AgentResumed" => bench.give(Input::AgentResumed("ada".into())),
        "Timeout" if bench.deadline.is_none() => bench.pass(1_000_000),
        "Timeout" => bench.wait(),
        other => panic!("the table names {other}, which is no input"),
    };
}

#[test]
fn every_input_in_every_activity_does_what_the_documentation_says() {
    let lines = include_str!("../mod.rs").lines();
    let table = lines.filter_map(|line| line.strip_prefix("//! |")).filter(|l| !l.starts_with('-'));
    let rows: Vec<Vec<&str>> = table
        .map(|line| line.split('|').map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect();
    assert_eq!(rows[0][1..], HEAD);
    assert_eq!(rows.len(), 11, "a row for each input and each report");
    for row in &rows[1..] {
        assert_eq!(row.len(), 1 + HEAD.len(), "{row:?}");
        for (from, cell) in HEAD.into_iter().zip(&row[1..]) {
            let mut bench = at(from);
            apply(&mut bench, row[0]);
            let expected = if *cell == "." { from } else { *cell };
            assert_eq!(standing(&bench), expected, "{} while {from}", row[0]);
        }
    }
}
