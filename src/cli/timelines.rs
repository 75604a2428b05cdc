//! Reads the timelines of the calls that a run has placed, from the far end's API.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;

use super::Fault;
use crate::replay::calls::{OwnLatency, Report};

/// Pages of the list that are read at most, of [`PAGE`] calls each.
const PAGES: usize = 500;
const PAGE: usize = 200;

/// Holds a run against what the far end wrote of its calls.
pub(super) async fn hold_against(report: &mut Report, base: &str) -> Result<(), Fault> {
    let api = Api::new(base)?;
    let mut wanted: HashSet<String> = report.calls.iter().map(|it| it.from.clone()).collect();
    let mut before = String::new();
    for _ in 0..PAGES {
        let page = api.get(&format!("/v1/calls?limit={PAGE}{before}")).await?;
        for call in page["calls"].as_array().into_iter().flatten() {
            let (Some(id), Some(from)) = (call["id"].as_str(), call["from"].as_str()) else {
                continue;
            };
            if wanted.remove(from) {
                let own = api.latencies(id).await?;
                report.hold_against(from, &own);
            }
        }
        match page["next"].as_str() {
            Some(next) if !wanted.is_empty() => before = format!("&before={next}"),
            _ => break,
        }
    }
    Ok(())
}

struct Api<'a> {
    client: reqwest::Client,
    base: &'a str,
    token: Option<String>,
}

impl<'a> Api<'a> {
    fn new(base: &'a str) -> Result<Self, Fault> {
        // The client wants one, also where nothing is encrypted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build()?;
        let token = std::env::var("CORDBOARD_TOKEN").ok();
        Ok(Self { client, base: base.trim_end_matches('/'), token })
    }

    async fn get(&self, path: &str) -> Result<Value, Fault> {
        let fault = |why: String| {
            format!("the timelines at {} cannot be read: {why}; see --timelines", self.base)
        };
        let mut request = self.client.get(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.map_err(|why| fault(why.to_string()))?;
        let status = answer.status();
        if !status.is_success() {
            return Err(fault(format!("answered {status}")).into());
        }
        Ok(answer.json().await.map_err(|why| fault(why.to_string()))?)
    }

    async fn latencies(&self, id: &str) -> Result<Vec<OwnLatency>, Fault> {
        let page = self.get(&format!("/v1/calls/{id}/timeline?limit=20000")).await?;
        let entries = page["entries"].as_array().into_iter().flatten();
        let own = entries.filter(|entry| entry["what"] == "latency");
        Ok(own.filter_map(|entry| OwnLatency::deserialize(entry).ok()).collect())
    }
}
