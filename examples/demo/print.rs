//! Follows the call on its timeline and prints it, turn by turn.

use std::io::Write;
use std::time::Duration;

use cordboard::timeline::Entry;
use serde_json::Value;

use super::Fault;
use super::caller::Caller;

/// What of the call has been seen, to be judged at its end.
#[derive(Debug, Default)]
pub(super) struct Seen {
    status_told: bool,
    packet_shown: bool,
    bridged: bool,
    outcome: String,
    latencies_ms: Vec<u64>,
}

impl Seen {
    /// Whether the call went as it should.
    pub(super) fn judge(mut self) -> Result<(), Fault> {
        self.latencies_ms.sort_unstable();
        if let Some(worst) = self.latencies_ms.last() {
            let median = self.latencies_ms[self.latencies_ms.len() / 2];
            say(&format!(
                "{} answers; from the end of the caller's speech to the first sound: \
                 median {median} ms, worst {worst} ms.",
                self.latencies_ms.len()
            ));
        }
        for (fine, what) in [
            (self.status_told, "the order's status was not told"),
            (self.packet_shown, "the context packet was not delivered"),
            (self.bridged, "caller and agent were not connected"),
            (self.outcome == "handed_over", "the outcome was not handed_over"),
        ] {
            if !fine {
                return Err(what.into());
            }
        }
        say("The call went as it should.");
        Ok(())
    }
}

/// Name of the newest call of earlier runs; empty where there is none.
pub(super) async fn newest(api: &str) -> Result<String, Fault> {
    let calls = fetch(&reqwest::Client::new(), &format!("http://{api}/v1/calls?limit=1")).await?;
    Ok(calls["calls"][0]["id"].as_str().unwrap_or_default().to_owned())
}

/// Follows the first call after `before` until its end.
pub(super) async fn follow(
    api: &str,
    before: &str,
    token: &str,
    caller: Caller,
) -> Result<Seen, Fault> {
    let http = reqwest::Client::new();
    let mut look = tokio::time::interval(Duration::from_millis(60));
    let mut seen = Seen::default();
    let (mut call, mut after) = (String::new(), 0);
    let mut agent_talks_until: Option<u64> = None;
    loop {
        look.tick().await;
        if call.is_empty() {
            let newest = newest(api).await?;
            if newest != before {
                call = newest;
            }
            continue;
        }
        let address = format!("http://{api}/v1/calls/{call}");
        let page = fetch(&http, &format!("{address}/timeline?after={after}")).await?;
        for entry in page["entries"].as_array().into_iter().flatten() {
            after = entry["seq"].as_i64().unwrap_or(after);
            print(entry);
            note(&mut seen, entry, &caller);
            match entry["what"].as_str().unwrap_or_default() {
                "agent_answered" => {
                    let packet = format!("{address}/context?token={token}");
                    let packet = fetch(&http, &packet).await?;
                    seen.packet_shown = packet["packet_id"].is_string();
                    say("          the context packet, as Ada's software fetches it:");
                    say(&serde_json::to_string_pretty(&packet)?);
                }
                "bridged" => agent_talks_until = Some(170),
                "ended" => return Ok(seen),
                _ => {}
            }
        }
        // Ada greets for 9 s; then the caller answers, and hangs up.
        agent_talks_until = match agent_talks_until {
            Some(0) => {
                caller.hang_up();
                None
            }
            Some(left) => {
                if left == 85 {
                    caller.thank();
                }
                Some(left - 1)
            }
            None => None,
        };
    }
}

fn note(seen: &mut Seen, entry: &Value, caller: &Caller) {
    match entry["what"].as_str().unwrap_or_default() {
        "prompt_ended" => {
            let heard = entry["heard"].as_str().unwrap_or_default();
            seen.status_told |= heard.contains("out for delivery");
            caller.heard(heard);
        }
        "latency" => {
            let at = |key: &str| entry[key].as_u64().unwrap_or(0);
            seen.latencies_ms.push(at("first_sound_ms").saturating_sub(at("speech_ended_ms")));
        }
        "bridged" => seen.bridged = true,
        "ended" => seen.outcome = entry["outcome"].as_str().unwrap_or_default().to_owned(),
        _ => {}
    }
}

fn print(entry: &Value) {
    if let Ok(entry) = serde_json::from_value::<Entry>(entry.clone())
        && let Some(line) = entry.told()
    {
        say(&line);
    }
}

async fn fetch(http: &reqwest::Client, address: &str) -> Result<Value, Fault> {
    Ok(http.get(address).send().await?.json().await?)
}

/// Prints a line.
pub(super) fn say(line: &str) {
    // Whoever reads may have gone; the demo goes on.
    drop(writeln!(std::io::stdout(), "{line}"));
}
