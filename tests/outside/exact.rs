//! Calls that rang a real service, played again from what it has kept of them.

use std::fs;
use std::time::Duration;

use crate::support::{Caller, Serving, pass, run, until};

/// What the service keeps.
const KEEPING: &str = "[store]\nkeep_inputs = true\nrecording = true";

#[tokio::test(flavor = "multi_thread")]
async fn recorded_calls_of_a_real_service_are_rebuilt_byte_for_byte() {
    let service = Serving::start(KEEPING);
    let folder = service.folder();
    let config = folder.path().join("c.toml");
    let mut callers = Vec::new();
    for (name, flow) in [("keys", "parcel"), ("hello", "short"), ("brief", "parcel")] {
        callers.push(Caller::ring(&service, flow, name).await);
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
    let calls = service.api.until_ended(3).await;
    let ids: Vec<&str> = calls.iter().map(|call| call["id"].as_str().unwrap()).collect();
    // The service is up still; nothing is taken from it.
    let played = |named: &[&str]| {
        let path = config.to_str().unwrap();
        run(&[&["replay", "-c", path, "--exact"], named].concat())
    };
    let inputs = folder.path().join("data/inputs");
    until("the records are whole", async || {
        let said = String::from_utf8(played(&["all"]).stdout).unwrap();
        (!said.contains("breaks off") && said.contains("identical")).then_some(())
    })
    .await;
    let output = played(&["all"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    eprintln!("{said}");
    assert!(said.ends_with("3 of 3 identical\n"), "{said}");
    ids.iter().for_each(|id| assert!(said.contains(&format!("{id} identical, ")), "{said}"));
    let record = inputs.join(format!("{}.bin", ids[0]));
    let output = played(&[record.to_str().unwrap(), ids[1]]);
    assert!(output.stdout.ends_with(b"2 of 2 identical\n"), "{output:?}");

    let nobody = "01JD0000000000000000000007";
    let output = played(&[nobody]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("no inputs of this call are kept"), "{said}");

    let bytes = fs::read(&record).unwrap();
    fs::write(&record, &bytes[..bytes.len() - 400]).unwrap();
    let output = played(&["all"]);
    assert_eq!(output.status.code(), Some(1));
    let (said, failed) = (String::from_utf8(output.stdout).unwrap(), output.stderr);
    assert!(said.contains(&format!("{} cannot be played: ", ids[0])), "{said}");
    assert!(String::from_utf8(failed).unwrap().contains("2 of 3 identical"), "{said}");
}
