//! `cordboard replay` on a far end whose voice it does not know: its words are recognized.

use tempfile::TempDir;

use crate::replay::{read, replayed, said, scenario};
use crate::support::Serving;

/// Listens to the greeting.
const LISTENS: &str = r#"
scenario: listens
steps:
  - { after: { at: 9s }, hang_up: true }
expect:
  says: ["How can I help you?"]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn words_of_a_voice_that_is_not_here_are_recognized_and_others_are_missed() {
    let folder = TempDir::new().unwrap();
    let service = Serving::start("");
    let json = folder.path().join("run.json");
    let placed = async |text: &str| {
        let mut arguments = vec![scenario(folder.path(), text), "--to".to_owned()];
        arguments.push(service.uri("parcel"));
        arguments.extend(["--far-voice", "recognized", "--json"].map(str::to_owned));
        arguments.push(json.display().to_string());
        replayed(arguments).await
    };
    let output = placed(LISTENS).await;
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("recognized: \"how can i help you\""), "{}", said(&output));
    let told = &read(&json)["calls"][0]["said"];
    assert_eq!(told[0]["recognized"], "how can i help you", "{told:#}");
    let output = placed(&LISTENS.replace("How can I help you?", "What is your name?")).await;
    assert!(!output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("it did not say `What is your name?`"), "{}", said(&output));
    let output = placed(&LISTENS.replace("at: 9s", "says: Hello")).await;
    assert!(said(&output).contains("that is after the call"), "{}", said(&output));
}
