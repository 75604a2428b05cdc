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

/// A fault put into the good flow.
struct Bad {
    /// What is replaced...
    from: &'static str,
    /// ... by what.
    to: &'static str,
    /// Where the fault is then.
    needle: &'static str,
    problem: &'static str,
    remedy: &'static str,
}

const fn bad(texts: [&'static str; 5]) -> Bad {
    let [from, to, needle, problem, remedy] = texts;
    Bad { from, to, needle, problem, remedy }
}

const TABLE: [Bad; 22] = [
    bad(["disclosure:", "disclosur:", "disclosur:", "unknown field `disclosur`", "`disclosure`"]),
    bad(["type: yes_no", "type: yesno", "type: yesno", "\"yesno\"", "`yes_no`"]),
    bad(["length: 6", "length: 0", "length: 0", "0 to 0 digits", "1 to 24"]),
    bad(["length: 6", "length: many", "length: many", "many", "schema"]),
    bad(["- ask: new_address", "- ask: new_adress", "ask: new_adr", "unknown slot", "new_address"]),
    bad(["invoke: address_c", "invoke: adress_c", "invoke: adr", "unknown tool", "address_change"]),
    bad(["escalate: service", "escalate: servise", "escalate: s", "unknown queue", "`service`"]),
    bad(["goto: number\n", "goto: nmber\n", "goto: nmber", "unknown step", "`number`"]),
    bad([
        "\"where is order {order_number}\"",
        "\"where is order {order_nummer}\"",
        "\"where is order {order_nummer}\"",
        "unknown slot",
        "order_number",
    ]),
    bad(["\"track my order\"", "\"track my 1st order\"", "\"track my 1st", "`1st`", "lower-case"]),
    bad([
        "by {{ order.expected }}",
        "by {{ ordr.expected }}",
        "say: \"Order {{ order_number | digits }} is out",
        "nothing fills `ordr`",
        "`order`",
    ]),
    bad(["\"!change_it\"", "\"!(change_it\"", "when: \"!(", "bad condition", "CEL"]),
    bad(["'order.status == \"d", "'odrer.status == \"d", "when: 'odr", "`odrer`", "`order`"]),
    bad([
        "      required: [changed]",
        "      required: 5",
        "result:\n      type: object\n      required: 5",
        "bad JSON Schema",
        "draft 2020-12",
    ]),
    bad([
        "    timeout_ms: 5000\n    idempotent: true",
        "    timeout_ms: 5000\n    retries: 2",
        "retries: 2",
        "not idempotent",
        "idempotent: true",
    ]),
    bad([
        "          not_found: unknown\n      - when",
        "          failed: unknown\n      - when",
        "invoke: order_lookup",
        "outcome `not_found`",
        "under `on`",
    ]),
    bad([
        "automated assistant of Northline",
        "voice of Northline",
        "greeting:",
        "automated assistant",
        "greeting",
    ]),
    bad(["saturday: \"00:00-24:00\"", "saturday: \"9 to 5\"", "saturday:", "cannot", "09:00"]),
    bad([
        "- say: \"Order {{ order_number | digits }} has been delivered.\"",
        "- end: true\n      - say: \"Order {{ order_number | digits }} has been delivered.\"",
        "say: \"Order {{ order_number | digits }} has been delivered",
        "never reached",
        "goto",
    ]),
    bad([
        "      - ask: complaint\n",
        "      - ask: complaint\n        end: true\n",
        "ask: complaint\n        end",
        "2 of",
        "one thing",
    ]),
    bad([
        "{{ order_number | digits }} is delayed",
        "{{ order_number | digits is delayed",
        "say: \"Order {{ order_number | digits is",
        "bad template",
        "{{ name }}",
    ]),
    bad([
        "    phrases:\n      - \"opening hours\"",
        "    phrases:\n      - \"order status\"",
        "\"order status\"\n      - \"the",
        "also stands for",
        "one of the two",
    ]),
];

#[test]
fn each_fault_is_named_where_it_stands() {
    for Bad { from, to, needle, problem, remedy } in TABLE {
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
    let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
    for problem in ["unknown field `quues`", "66 to 66 digits", "unknown step `numbr`"] {
        assert!(all.iter().any(|fault| fault.contains(problem)), "{problem}: {all:#?}");
    }
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
