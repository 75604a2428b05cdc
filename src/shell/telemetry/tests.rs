//! What figures and traces are made of timelines, and that nothing of a caller is in them.

use std::sync::Arc;

use serde_json::json;

use super::exposition::Page;
use super::figures::{CallProjection, Figures};
use super::trace::{Attribute, Span, TraceProjection};
use crate::timeline::{
    CallId, Debtor, Entry, LegKind, LegRole, Outcome, RepairCause, ToolVerdict, Trigger, Verified,
    What,
};

const CALL: &str = "01JD0000000000000000000001";
/// What no figure and no span may have; every text of a caller has it here.
const CANARY: &str = "CANARY-7431";

fn canary() -> String {
    format!("say {CANARY} so")
}

/// The begin of a call with everything in it: a prompt, a turn, a tool.
fn first_half() -> Vec<(u64, What)> {
    let text = canary;
    vec![
        (
            0,
            What::Rang {
                from: text(),
                to: text(),
                leg: LegKind::Phone,
                wall_unix_ms: 1_700_000_000_000,
                build: "0.1.0".to_owned(),
                flow: "parcel".to_owned(),
                flow_version: "f00d".to_owned(),
                seed: 1,
            },
        ),
        (100, What::Answered),
        (100, What::LegJoined { role: LegRole::Caller, address: text() }),
        (200, What::PromptBegan { prompt: 1, text: text() }),
        (1_000, What::Interrupted { prompt: 1 }),
        (1_000, What::PromptEnded { prompt: 1, heard: text(), unsaid: text(), uncertainty_ms: 20 }),
        (
            2_600,
            What::CallerSpoke {
                text: text(),
                confidence: 0.75,
                rejected: false,
                began_ms: 1_000,
                ended_ms: 2_000,
            },
        ),
        (2_600, What::Understood { intent: text(), confidence: 0.9 }),
        (2_600, What::SlotFilled { slot: text(), value: text(), verified: Verified::Heard }),
        (
            2_610,
            What::ToolInvoked {
                invocation: 1,
                tool: "order_status".to_owned(),
                key: text(),
                arguments: json!({ "order": text() }),
            },
        ),
        (
            2_700,
            What::ToolAnswered {
                invocation: 1,
                tool: "order_status".to_owned(),
                verdict: ToolVerdict::Status(503),
                result: json!({ "name": text() }),
                took_ms: 90,
            },
        ),
        (
            2_900,
            What::Latency {
                speech_ended_ms: 2_000,
                turn_ended_ms: 2_500,
                recognized_ms: 2_600,
                first_sound_ms: 2_900,
                buffer_ms: 40,
            },
        ),
    ]
}

/// The rest of it: trouble, a hand-over, and the end.
fn second_half() -> Vec<(u64, What)> {
    let text = canary;
    vec![
        (3_000, What::Keyed { role: LegRole::Caller, digit: '7', duration_ms: 100 }),
        (3_100, What::Repaired { cause: RepairCause::NoMatch, count: 1 }),
        (3_200, What::Silence { owed_by: Debtor::Assistant, for_ms: 3_100 }),
        (3_300, What::EngineFailed { role: text(), why: text() }),
        (3_300, What::FailedOver { role: "language_model".to_owned(), engine: 0, why: text() }),
        (3_300, What::ToolDenied { tool: text(), why: text() }),
        (
            4_000,
            What::EscalationTriggered {
                trigger: Trigger::Asked,
                reason: text(),
                queue: "service".to_owned(),
            },
        ),
        (4_100, What::Enqueued { queue: "service".to_owned(), packet: text() }),
        (5_000, What::AgentOffered { agent: text() }),
        (6_000, What::AgentRefused { agent: text(), why: text() }),
        (9_100, What::Bridged { agent: text() }),
        (9_200, What::MessageTaken { text: text() }),
        (
            9_900,
            What::Media {
                role: LegRole::Caller,
                received: 490,
                sent: 495,
                lost: 5,
                late: 2,
                garbage: 3,
                concealed_ms: 140,
                jitter_ms: None,
                rtt_ms: None,
                remote_lost: None,
            },
        ),
        (10_000, What::RecordingEnded { length_ms: 9_900, complete: false }),
        (10_000, What::Ended { outcome: Outcome::HandedOver, cause: text() }),
    ]
}

fn entries() -> impl Iterator<Item = Entry> {
    first_half().into_iter().chain(second_half()).map(|(at_ms, what)| Entry { v: 1, at_ms, what })
}

fn page_of_a_call() -> String {
    let figures = Arc::new(Figures::new(2));
    let mut calls = CallProjection::new(figures.clone());
    let call = CallId(CALL.to_owned());
    entries().for_each(|entry| calls.take(&call, &entry));
    let mut page = Page::default();
    figures.write(&mut page);
    page.finish()
}

fn spans_of_a_call() -> Vec<Span> {
    let mut traces = TraceProjection::default();
    let call = CallId(CALL.to_owned());
    entries().flat_map(|entry| traces.take(&call, &entry)).collect()
}

#[test]
fn a_call_raises_the_figures_that_it_should() {
    let page = page_of_a_call();
    for line in [
        "cordboard_calls_begun_total{leg=\"phone\"} 1",
        "cordboard_calls_answered_total 1",
        "cordboard_calls_total{outcome=\"handed_over\"} 1",
        "cordboard_calls_total{outcome=\"failed\"} 0",
        "cordboard_turn_response_seconds_sum 0.9",
        "cordboard_turn_response_seconds_bucket{le=\"0.8\"} 0",
        "cordboard_turn_response_seconds_bucket{le=\"1\"} 1",
        "cordboard_turn_end_seconds_sum 0.5",
        "cordboard_recognition_seconds_sum 0.1",
        "cordboard_answer_seconds_sum 0.3",
        "cordboard_tools_total{verdict=\"status\"} 1",
        "cordboard_tool_seconds_sum 0.09",
        "cordboard_repairs_total{cause=\"no_match\"} 1",
        "cordboard_interruptions_total 1",
        "cordboard_silences_total{owed_by=\"assistant\"} 1",
        "cordboard_keys_total 1",
        "cordboard_engine_faults_total{role=\"other\"} 1",
        "cordboard_failovers_total{role=\"language_model\"} 1",
        "cordboard_escalations_total{trigger=\"asked\"} 1",
        "cordboard_agent_refusals_total 1",
        "cordboard_bridges_total 1",
        "cordboard_agent_wait_seconds_sum 5",
        "cordboard_rtp_packets_received_total{leg=\"caller\"} 490",
        "cordboard_rtp_packets_lost_total{leg=\"caller\"} 5",
        "cordboard_rtp_packets_late_total{leg=\"caller\"} 2",
        "cordboard_rtp_packets_foreign_total{leg=\"caller\"} 3",
        "cordboard_rtp_concealed_seconds_total{leg=\"caller\"} 0.14",
        "cordboard_recordings_incomplete_total 1",
        "cordboard_media_seats{worker=\"1\"} 0",
    ] {
        assert!(page.lines().any(|it| it == line), "no {line} in\n{page}");
    }
}

#[test]
fn each_kind_of_leg_is_counted_by_its_own_name() {
    let figures = Arc::new(Figures::new(1));
    let mut calls = CallProjection::new(figures.clone());
    let legs = [LegKind::Phone, LegKind::Stream, LegKind::Device, LegKind::Device];
    for kind in legs {
        let mut rang = entries().next().unwrap();
        if let What::Rang { leg, .. } = &mut rang.what {
            *leg = kind;
        }
        calls.take(&CallId(CALL.to_owned()), &rang);
    }
    let mut page = Page::default();
    figures.write(&mut page);
    let page = page.finish();
    for (leg, count) in [("phone", 1), ("stream", 1), ("device", 2)] {
        let line = format!("cordboard_calls_begun_total{{leg=\"{leg}\"}} {count}");
        assert!(page.lines().any(|it| it == line), "no {line} in\n{page}");
    }
}

#[test]
fn figures_and_spans_have_nothing_of_a_caller() {
    let (page, spans) = (page_of_a_call(), format!("{:?}", spans_of_a_call()));
    assert!(!page.contains(CANARY), "{page}");
    assert!(!spans.contains(CANARY), "{spans}");
}

#[test]
fn a_call_is_a_trace_whose_id_is_the_call_s() {
    let spans = spans_of_a_call();
    let trace = ulid::Ulid::from_string(CALL).unwrap().0;
    assert!(spans.iter().all(|span| span.trace == trace));
    let mut ids: Vec<u64> = spans.iter().map(|span| span.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), spans.len(), "every id is one span's");

    let of = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    let ms = |name: &str| {
        let span = of(name);
        let since = |unix_ms| unix_ms - 1_700_000_000_000;
        (since(span.began_unix_ms), since(span.ended_unix_ms))
    };
    let (call, turn) = (of("call"), of("turn"));
    assert_eq!((call.parent, turn.parent), (0, call.id));
    for (name, parent, stretch) in [
        ("call", 0, (0, 10_000)),
        ("prompt", call.id, (200, 1_000)),
        ("turn", call.id, (2_000, 2_900)),
        ("end_of_turn", turn.id, (2_000, 2_500)),
        ("recognition", turn.id, (2_500, 2_600)),
        ("answer", turn.id, (2_600, 2_900)),
        ("tool order_status", turn.id, (2_610, 2_700)),
        ("escalation", call.id, (4_000, 9_100)),
    ] {
        assert_eq!((of(name).parent, ms(name)), (parent, stretch), "{name}");
    }
    assert_eq!(spans.len(), 8);
    assert!(of("tool order_status").is_fault && !call.is_fault);
    let outcome = Attribute::Text("handed_over".to_owned());
    assert!(call.attributes.contains(&("cordboard.outcome", outcome)));
}

#[test]
fn what_is_open_at_the_end_ends_with_the_call_and_nothing_is_kept() {
    let mut traces = TraceProjection::default();
    let call = CallId(CALL.to_owned());
    let spans: Vec<Span> = entries()
        .filter(|entry| {
            !matches!(
                entry.what,
                What::Latency { .. } | What::ToolAnswered { .. } | What::Bridged { .. }
            )
        })
        .flat_map(|entry| traces.take(&call, &entry))
        .collect();
    for name in ["turn", "tool order_status", "escalation", "call"] {
        let span = spans.iter().find(|span| span.name == name).unwrap();
        assert_eq!(span.ended_unix_ms, 1_700_000_010_000, "{name}");
    }
    assert!(format!("{traces:?}").contains("calls: {}"), "{traces:?}");
}
