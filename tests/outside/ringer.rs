//! The independent caller of `../shared`, which scores what a caller's ear hears.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Companion, PATIENCE, Serving, has};

/// Longest wait that is allowed, by the issue.
const LONGEST_WAIT_MS: f64 = 3_000.0;

fn ringer() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let shared = std::env::var_os("CORDBOARD_SHARED").map_or_else(beside, PathBuf::from);
    let ringer = shared.join("tools/ringer.py");
    let there = ringer.exists();
    if !there {
        eprintln!("skipped: no {}; set CORDBOARD_SHARED", ringer.display());
    }
    there.then_some(ringer)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ringer_keys_an_order_number_and_hears_its_status_in_time() {
    let Some(ringer) = ringer().filter(|_| has("flite", "flite")) else { return };
    let folder = TempDir::new().unwrap();
    let (_orders, orders) = Companion::order_service(&folder.path().join("orders.log"));
    let flow = format!("{}/flows/parcel.yaml", env!("CARGO_MANIFEST_DIR"));
    let service = Serving::start(&format!(
        "[[route]]\nto = \"parcel\"\nflow = \"{flow}\"\n\
         variables = {{ service = \"http://{orders}\" }}"
    ));
    let question = folder.path().join("question.wav");
    let mut voice = tokio::process::Command::new("flite");
    voice.args(["-voice", "awb", "-t", "Where is my parcel?", "-o"]).arg(&question);
    assert!(voice.status().await.unwrap().success());
    let running = tokio::process::Command::new("python3")
        .arg(ringer)
        .arg(service.uri("parcel"))
        .args(["--say", &format!("q0.8={}", question.display())])
        .args(["--dtmf", "q0.8=123456", "--for", "45", "--json"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE * 2, running).await.expect("it ends").unwrap();
    assert!(output.status.success(), "{output:?}");
    let score: Value = serde_json::from_slice(&output.stdout).unwrap();
    eprintln!("ringer: {score}");
    let call = service.api.ended_call_of("ringer").await;
    let timeline = service.api.timeline(call["id"].as_str().unwrap()).await;
    let told = timeline.iter().any(|entry| {
        entry["what"] == "prompt_began"
            && entry["text"].as_str().is_some_and(|it| it.contains("is out for delivery"))
    });
    assert!(told, "{timeline:#?}");
    // Where the machine stood still, nobody could have made a sound.
    let hole_ms = score["rtp_gap_ms_p50_p99_max"][2].as_f64().unwrap();
    let wait_ms = score["longest_wait_ms"].as_f64().unwrap();
    assert!(wait_ms <= LONGEST_WAIT_MS + hole_ms, "{score}");
}
