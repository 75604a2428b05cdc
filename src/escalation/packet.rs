//! The context packet, made from the case, the trigger and the transcript.
//!
//! Its form is `timeline::ContextPacket`; its schema is `schemas/context-packet.v1.json`.
//! Deliberately absent: its token and where it is fetched (`api`), its spoken form (`brief`).

use serde_json::{Value, json};

use super::border::Request;
use crate::timeline::{ContextPacket, PACKET_VERSION};

/// Makes the context packet of a request.
#[must_use]
pub fn build(request: &Request) -> ContextPacket {
    let case = &request.case;
    let mut slots = case.slots.clone();
    for slot in &mut slots {
        slot.confidence = probability(slot.confidence);
    }
    ContextPacket {
        version: PACKET_VERSION,
        packet_id: request.packet_id.clone(),
        call_id: request.call_id.0.clone(),
        caller: request.caller.clone(),
        stated_issue: case.stated_issue.clone(),
        intent: case.intent.clone(),
        confidence: probability(case.confidence),
        slots,
        actions: case.actions.clone(),
        resolved: case.resolved.clone(),
        unresolved: case.unresolved.clone(),
        trigger: request.trigger,
        reason: request.reason.clone(),
        transcript: request.transcript.clone(),
        links: request.links.clone(),
    }
}

/// The JSON Schema of the context packet, version 1.
#[must_use]
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(ContextPacket).to_value();
    schema["$id"] = json!("urn:cordboard:context-packet:v1");
    schema["properties"]["version"]["const"] = json!(PACKET_VERSION);
    schema
}

/// A recognizer's NaN would be `null` in JSON, and no number at all to a reader.
const fn probability(value: f32) -> f32 {
    if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::tests::request;
    use super::*;
    use crate::timeline::{ActionFact, Line, Links, SlotFact, Speaker, Verified};

    fn full() -> Request {
        let mut request = request("p1");
        request.case.intent = Some("order_status".into());
        request.case.confidence = f32::NAN;
        request.case.slots = vec![SlotFact {
            name: "order_number".into(),
            value: "123456".into(),
            verified: Verified::Keyed,
            confidence: 1.5,
        }];
        request.case.actions = vec![ActionFact {
            tool: "order_status".into(),
            arguments: json!({"order_number": "123456"}),
            succeeded: false,
            result: Value::Null,
        }];
        request.transcript =
            vec![Line { speaker: Speaker::Keypad, at_ms: 900, text: "123456".into() }];
        request.links =
            Links { timeline: "/v1/calls/c1/timeline".into(), recording: Some("/r".into()) };
        request
    }

    #[test]
    fn the_published_schema_is_that_of_the_types() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/context-packet.v1.json");
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            let text = serde_json::to_string_pretty(&schema()).expect("a schema is JSON") + "\n";
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("schemas/");
            std::fs::write(&path, text).expect("writable");
        }
        let text = std::fs::read_to_string(&path).expect("schemas/context-packet.v1.json");
        let published: Value = serde_json::from_str(&text).expect("a published schema is JSON");
        assert_eq!(published, schema(), "run with UPDATE_SCHEMAS=1, and see what changed");
    }

    #[test]
    fn a_built_packet_fits_the_schema_and_comes_back_the_same() {
        let packet = build(&full());
        let wire = serde_json::to_value(&packet).expect("serializable");
        let validator = jsonschema::validator_for(&schema()).expect("a valid schema");
        let faults: Vec<String> = validator.iter_errors(&wire).map(|e| e.to_string()).collect();
        assert_eq!(faults, Vec::<String>::new());
        assert_eq!(serde_json::from_value::<ContextPacket>(wire).expect("readable"), packet);
    }

    #[test]
    fn the_schema_refuses_what_is_no_packet_of_version_one() {
        let good = serde_json::to_value(build(&full())).expect("serializable");
        let validator = jsonschema::validator_for(&schema()).expect("a valid schema");
        let change = |path: &str, value: Value| {
            let mut bad = good.clone();
            *bad.pointer_mut(path).expect("the path is there") = value;
            bad
        };
        let table = [
            change("/version", json!(2)),
            change("/trigger", json!("bored")),
            change("/confidence", Value::Null),
            change("/slots/0/verified", json!("guessed")),
            change("/transcript/0/at_ms", json!(-1)),
            change("/links", json!({})),
        ];
        for bad in table {
            assert!(!validator.is_valid(&bad), "{bad}");
        }
    }

    #[test]
    fn all_that_the_issue_names_is_in_the_packet() {
        let wire = serde_json::to_value(build(&full())).expect("serializable");
        for name in [
            "call_id",
            "caller",
            "stated_issue",
            "intent",
            "confidence",
            "slots",
            "actions",
            "resolved",
            "unresolved",
            "trigger",
            "reason",
            "transcript",
            "links",
        ] {
            assert!(wire.get(name).is_some(), "{name}");
        }
        assert_eq!(wire["confidence"], json!(0.0));
        assert_eq!(wire["slots"][0]["confidence"], json!(1.0));
    }
}
