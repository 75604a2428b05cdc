//! Every input in every state, against the table in the module's documentation.

use super::super::timers::Timer;
use super::super::{Input, Rules, Stage};
use super::{Bench, agent, request};

const STAGES: [(&str, Stage); 9] = [
    ("I", Stage::Idle),
    ("Q", Stage::Queued),
    ("R", Stage::Ringing),
    ("B", Stage::Briefing),
    ("K", Stage::AwaitingKey),
    ("J", Stage::Joining),
    ("T", Stage::Bridged),
    ("P", Stage::Parting),
    ("G", Stage::Gone),
];

/// A machine in that state, by the shortest way.
fn at(stage: Stage) -> Bench {
    let mut bench = match stage {
        Stage::Idle | Stage::Gone => Bench::new(),
        Stage::Queued
        | Stage::Ringing
        | Stage::Briefing
        | Stage::AwaitingKey
        | Stage::Joining
        | Stage::Bridged
        | Stage::Parting => Bench::triggered(Rules::default()),
    };
    match stage {
        Stage::Idle | Stage::Queued => &mut bench,
        Stage::Ringing => bench.offered("ada"),
        Stage::Briefing => bench.offered("ada").answered(),
        Stage::AwaitingKey => bench.offered("ada").answered().said(),
        Stage::Joining => bench.offered("ada").answered().keyed('1'),
        Stage::Bridged => bench.offered("ada").answered().keyed('1').give(Input::ToneEnded),
        Stage::Parting => bench.offered("ada").answered().give(Input::CallerLeft),
        Stage::Gone => bench.give(Input::CallerLeft),
    };
    assert_eq!(bench.escalation.stage(), stage);
    bench
}

fn input(bench: &Bench, name: &str) -> Input {
    let dial = bench.dial;
    let packet_id = "p1".to_owned();
    match name {
        "Triggered" => Input::Triggered(Box::new(request("p2"))),
        "Announced" => Input::Announced,
        "Offered" => Input::Offered { packet_id, agent: agent("bea") },
        "AgentRinging" => Input::AgentRinging { dial },
        "AgentAnswered" => Input::AgentAnswered { dial },
        "AgentRefused" => Input::AgentRefused { dial, code: 486 },
        "AgentLeft" => Input::AgentLeft { dial },
        "AgentLost" => Input::AgentLost { dial },
        "BriefEnded" => Input::BriefEnded { speech: bench.speech },
        "ToneEnded" => Input::ToneEnded,
        "AgentKeyed 1" => Input::AgentKeyed { dial, digit: '1' },
        "AgentKeyed 2" => Input::AgentKeyed { dial, digit: '2' },
        "AgentKeyed 3" => Input::AgentKeyed { dial, digit: '3' },
        "AgentKeyed 9" => Input::AgentKeyed { dial, digit: '9' },
        "PacketFetched" => Input::PacketFetched,
        "NobodyCame" => Input::NobodyCame { packet_id },
        "CallerLeft" => Input::CallerLeft,
        other => panic!("the table names {other}, which is no input"),
    }
}

/// One cell: where it leads, or none where it is an error.
fn reached(from: Stage, row: &str) -> Option<Stage> {
    let mut bench = at(from);
    let now = bench.now;
    if let Some(name) = row.strip_prefix("due") {
        let mut timers = Timer::ALL.into_iter();
        let timer = timers.find(|timer| format!("{timer:?}") == name.trim());
        let timer = timer.expect("the table names a timer");
        bench.escalation.timers.stop(timer);
        bench.escalation.step(|escalation, state| escalation.due(now, timer, state));
        return Some(bench.escalation.stage());
    }
    let input = input(&bench, row);
    bench.escalation.handle_input(now, input).ok().map(|()| bench.escalation.stage())
}

fn rows() -> Vec<(String, Vec<String>)> {
    let lines = include_str!("../mod.rs").lines();
    let table = lines.filter_map(|line| line.strip_prefix("//! |")).filter(|l| !l.starts_with('-'));
    let cells = table.map(|line| line.split('|').map(|cell| cell.trim().to_owned()).collect());
    cells
        .map(|mut cells: Vec<String>| {
            cells.retain(|cell| !cell.is_empty());
            (cells.remove(0), cells)
        })
        .collect()
}

#[test]
fn every_input_in_every_state_does_what_the_documentation_says() {
    let rows = rows();
    let (head, cells) = &rows[0];
    assert_eq!(head, "input");
    assert_eq!(cells, &STAGES.map(|(letter, _)| letter.to_owned()));
    assert_eq!(rows.len(), 1 + 17 + Timer::ALL.len(), "a row for each input and each timer");
    for (row, cells) in &rows[1..] {
        assert_eq!(cells.len(), STAGES.len(), "{row}");
        for (&(_, from), cell) in STAGES.iter().zip(cells) {
            let expected = match &**cell {
                "." => Some(from),
                "!" => None,
                letter => {
                    let mut stages = STAGES.iter();
                    Some(stages.find(|(known, _)| *known == letter).expect("a state").1)
                }
            };
            assert_eq!(reached(from, row), expected, "{row} in {from}");
        }
    }
}

#[test]
fn every_state_has_a_deadline_save_where_nothing_is_asked_for() {
    for (_, stage) in STAGES {
        let idle = matches!(stage, Stage::Idle | Stage::Gone);
        assert_eq!(at(stage).deadline.is_none(), idle, "{stage}");
    }
}

#[test]
fn an_input_that_is_an_error_changes_nothing() {
    let mut bench = at(Stage::Briefing);
    let (now, twice) = (bench.now, input(&bench, "Triggered"));
    bench.escalation.handle_input(now, twice).expect_err("triggered twice");
    let offered = input(&bench, "Offered");
    let error = bench.escalation.handle_input(now, offered).expect_err("offered twice");
    assert_eq!(error.to_string(), "desk misbehaved: offered bea while the escalation is briefing");
    bench.drain();
    assert_eq!(bench.out, []);
    assert_eq!(bench.keyed('1').escalation.stage(), Stage::Joining);
}
