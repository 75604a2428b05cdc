//! Flows with faults: each is named with its line, its column and what to do.

use std::path::PathBuf;

use cordboard::conversation::flow::{self, FaultKind, FlowFault};

const GOOD: &str = include_str!("../../flows/parcel.yaml");

fn faults_of(text: &str) -> Vec<FlowFault> {
    flow::check(text, "bad.yaml").expect_err("the flow has a fault")
}

/// Line and column of `needle` in `text`, counted from 1.
fn place_of(text: &str, needle: &str) -> (u64, u64) {
    let at = text.find(needle).expect("the needle is there");
    let line = text[..at].matches('\n').count() + 1;
    let column = at - text[..at].rfind('\n').map_or(0, |newline| newline + 1) + 1;
    (line as u64, column as u64)
}

#[test]
fn the_example_flow_has_no_faults() {
    let summary = flow::check(GOOD, "parcel.yaml").unwrap();
    assert_eq!(summary.name, "parcel");
    assert_eq!(summary.queues, ["service"]);
    assert_eq!(summary.version.len(), 12);
    assert!(summary.fixed_prompts > 30);
}

#[test]
fn each_fault_is_named_where_it_stands() {
    // What is replaced by what, where the fault is then, what it says, what the remedy says.
    let table = [
        ("disclosure:", "disclosur:", "disclosur:", "unknown field `disclosur`", "`disclosure`"),
        (
            "type: open\n    ask: \"What",
            "type: opne\n    ask: \"What",
            "type: opne",
            "opne",
            "`open`",
        ),
        ("length: 6", "length: 0", "length: 0", "0 to 0 digits", "1 to 24"),
        ("length: 6", "length: many", "length: many", "many", ""),
        (
            "- ask: new_address",
            "- ask: new_adress",
            "ask: new_adress",
            "unknown slot",
            "new_address",
        ),
        (
            "invoke: address_change",
            "invoke: adress_change",
            "invoke: adress",
            "unknown tool",
            "address_change",
        ),
        ("escalate: service", "escalate: servise", "escalate: servise", "unknown queue", "service"),
        (
            "goto: number\n\n  change",
            "goto: nmber\n\n  change",
            "goto: nmber",
            "unknown step",
            "number",
        ),
        (
            "\"where is order {order_number}\"",
            "\"where is order {order}\"",
            "\"where is order {order}\"",
            "unknown slot",
            "order_number",
        ),
        ("\"track my order\"", "\"track my 1st order\"", "\"track my 1st", "`1st`", "lower-case"),
        (
            "by {{ order.expected }}",
            "by {{ ordr.expected }}",
            "say: \"Order {{ order_number | digits }} is out",
            "nothing fills `ordr`",
            "`order`",
        ),
        ("\"!change_it\"", "\"!(change_it\"", "when: \"!(", "bad condition", "CEL"),
        (
            "'order.status == \"delayed\"'",
            "'odrer.status == \"delayed\"'",
            "when: 'odrer",
            "nothing fills `odrer`",
            "order",
        ),
        (
            "      required: [changed]",
            "      required: 5",
            "result:\n      type: object\n      required: 5",
            "bad JSON Schema",
            "",
        ),
        (
            "    idempotent: true\n    outcomes:\n      \"404\": not_found\n    result:\n      type: object\n      required: [changed]",
            "    retries: 2\n    outcomes:\n      \"404\": not_found\n    result:\n      type: object\n      required: [changed]",
            "retries: 2",
            "not idempotent",
            "idempotent: true",
        ),
        (
            "          not_found: unknown\n      - when: 'order.status == \"out",
            "          failed: unknown\n      - when: 'order.status == \"out",
            "invoke: order_lookup",
            "outcome `not_found`",
            "under `on`",
        ),
        (
            "automated assistant of Northline",
            "voice of Northline",
            "greeting:",
            "automated assistant",
            "greeting",
        ),
        (
            "saturday: \"00:00-24:00\"",
            "saturday: \"nine to five\"",
            "saturday:",
            "cannot be read",
            "09:00-17:30",
        ),
        (
            "        end: true\n      - id: unknown\n        say: \"I cannot find an order {{ order_number | digits }}.\"\n        forget: [order_number]\n",
            "        end: true\n      - id: lost\n        say: \"I cannot find an order {{ order_number | digits }}.\"\n        forget: [order_number]\n",
            "- id: lost",
            "never reached",
            "goto",
        ),
        (
            "      - ask: complaint\n",
            "      - ask: complaint\n        end: true\n",
            "ask: complaint\n        end",
            "2 of",
            "one thing",
        ),
        (
            "{{ order_number | digits }} is delayed",
            "{{ order_number | digits is delayed",
            "say: \"Order {{ order_number | digits is",
            "bad template",
            "{{ name }}",
        ),
        (
            "    phrases:\n      - \"opening hours\"",
            "    phrases:\n      - \"order status\"",
            "- \"order status\"",
            "also stands for",
            "one of the two",
        ),
    ];
    for (from, to, needle, problem, remedy) in table {
        assert!(GOOD.contains(from), "the example still has: {from}");
        let text = GOOD.replacen(from, to, 1);
        let faults = faults_of(&text);
        let (line, column) = place_of(&text, needle);
        // A list item's own place is after its dash.
        let near = |fault: &&FlowFault| fault.place.line == line;
        let fault = faults.iter().find(|fault| near(fault) && fault.to_string().contains(problem));
        let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let fault = fault.unwrap_or_else(|| panic!("{line}:{column} {problem}: {all:#?}"));
        assert!(fault.remedy.contains(remedy), "{fault}");
        assert!(fault.to_string().starts_with(&format!("bad.yaml:{line}:")), "{fault}");
        assert!(fault.place.column.abs_diff(column) <= 2, "{fault}, not {column}");
    }
}

#[test]
fn several_faults_are_found_at_once_and_in_order() {
    let text = GOOD
        .replacen("length: 6", "length: 66", 1)
        .replacen("goto: number", "goto: numbr", 1)
        .replacen("queues: [service]", "queues: [service]\nquues: [x]", 1);
    let faults = faults_of(&text);
    let kinds: Vec<&FaultKind> = faults.iter().map(|fault| &fault.kind).collect();
    assert!(
        matches!(kinds.as_slice(), [FaultKind::UnknownField { .. }]) || kinds.len() >= 3,
        "{faults:#?}"
    );
    assert!(faults.is_sorted_by_key(|fault| fault.place));
}

#[test]
fn a_missing_prompt_is_named() {
    let text = GOOD.replacen("    ask: \"What is your order number? It has six digits.\"\n", "", 1);
    let faults = faults_of(&text);
    assert!(
        faults
            .iter()
            .any(|fault| { fault.kind == FaultKind::MissingField { name: "ask".to_owned() } }),
        "{faults:#?}"
    );
}

#[test]
fn text_that_is_no_yaml_is_a_fault_with_a_place() {
    for text in ["", "name: [", "\t- x", "a: b: c", "- 1\n- 2\n", "\u{0}"] {
        let faults = faults_of(text);
        assert!(faults[0].place.line >= 1, "{faults:?}");
    }
}

#[test]
fn the_published_schema_is_the_one_in_force() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas/flow.v1.json");
    let mut text = serde_json::to_string_pretty(&flow::schema()).unwrap();
    text.push('\n');
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(published == text, "run this test with UPDATE_SCHEMAS=1 and commit {}", path.display());
}
