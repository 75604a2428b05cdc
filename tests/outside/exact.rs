//! Calls that rang a real service, played again from what it has kept of them.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Caller, Serving, pass, run, until};

/// What the service keeps.
const KEEPING: &str = "[store]\nkeep_inputs = true\nrecording = true";

/// `cordboard replay --exact` with the settings in a folder.
fn played(folder: &Path, named: &[&str]) -> Output {
    let config = folder.join("c.toml");
    run(&[&["replay", "-c", config.to_str().unwrap(), "--exact"], named].concat())
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// One who keys, one who says nothing, one who hangs up at once.
async fn three_calls(service: &Serving) -> Vec<Value> {
    let mut callers = Vec::new();
    for (name, flow) in [("keys", "parcel"), ("hello", "short"), ("brief", "parcel")] {
        callers.push(Caller::ring(service, flow, name).await);
    }
    callers[2].hang_up().await;
    for digit in "1234560".chars() {
        callers[0].key(digit).await;
        pass(Duration::from_millis(300)).await;
    }
    until("some speech", async || {
        (callers[0].packets().iter().filter(|it| it.is_loud).count() > 200).then_some(())
    })
    .await;
    for caller in &mut callers {
        caller.hang_up().await;
    }
    service.api.until_ended(3).await
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_calls_of_a_real_service_are_rebuilt_byte_for_byte() {
    let service = Serving::start(KEEPING);
    let kept = service.folder();
    let folder = kept.path();
    let calls = three_calls(&service).await;
    let ids: Vec<&str> = calls.iter().map(|call| call["id"].as_str().unwrap()).collect();
    // The service is up still; nothing is taken from it.
    until("the records are whole", async || {
        let said = said(&played(folder, &["all"]));
        (!said.contains("breaks off") && said.contains("identical")).then_some(())
    })
    .await;
    let output = played(folder, &["all"]);
    let told = said(&output);
    assert!(output.status.success(), "{told}");
    eprintln!("{told}");
    assert!(told.ends_with("3 of 3 identical\n"), "{told}");
    ids.iter().for_each(|id| assert!(told.contains(&format!("{id} identical, ")), "{told}"));
    let record = folder.join("data/inputs").join(format!("{}.bin", ids[0]));
    let output = played(folder, &[record.to_str().unwrap(), ids[1]]);
    assert!(said(&output).ends_with("2 of 2 identical\n"), "{output:?}");

    let keyed = calls.iter().find(|call| call["from"].as_str().unwrap().contains("keys"));
    what_would_have_happened_is_told(folder, keyed.unwrap()["id"].as_str().unwrap());

    let nobody = refused(&played(folder, &["01JD0000000000000000000007"]));
    assert!(nobody.contains("no inputs of this call are kept"), "{nobody}");
    let bytes = fs::read(&record).unwrap();
    fs::write(&record, &bytes[..bytes.len() - 400]).unwrap();
    let output = played(folder, &["all"]);
    assert!(refused(&output).contains("2 of 3 identical"), "{output:?}");
    assert!(said(&output).contains(&format!("{} cannot be played: ", ids[0])), "{output:?}");
}

fn what_would_have_happened_is_told(folder: &Path, call: &str) {
    let flow = folder.join("other.yaml");
    let text = include_str!("../../flows/parcel.yaml").replace("Hello, this is", "Hi, here is");
    fs::write(&flow, text).unwrap();
    let changes = ["--with-flow", flow.to_str().unwrap(), "--with", "turn.eager=false"];
    let output = played(folder, &[&[call], &changes[..]].concat());
    let told = said(&output);
    assert!(output.status.success(), "{output:?}");
    eprintln!("{told}");
    for line in [
        "with turn.eager=false, the flow ",
        "\n  assumed: the caller speaks, keys and hangs up as recorded",
        "was never spoken: the local voice speaks it",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    let is_new = |line: &str| line.starts_with("  said + ") && line.contains("\"Hi, here is");
    assert!(told.lines().any(is_new), "{told}");
    let fault = refused(&played(folder, &[call, "--with", "turn.sure_pause_ms=5"]));
    assert!(fault.contains("turn.sure_pause_ms is 5 (--with); allowed: a whole"), "{fault}");
}
