//! Answers against the OpenAPI document that describes them, and how the service says it is.

use std::sync::atomic::Ordering::Relaxed;

use cordboard::api::openapi;
use serde_json::{Value, json};

use crate::support::{Answer, Running, TOKEN, answered, call, ended, packet, rang};

/// The schema of an answer, with the document around it, so that its references lead somewhere.
fn schema(path: &str, status: &str) -> Value {
    let document = openapi();
    let place = format!("/paths/{}/get/responses/{status}", path.replace('/', "~1"));
    let response = document.pointer(&place).unwrap_or_else(|| panic!("{place}"));
    let schema = response.pointer("/content/application~1json/schema").expect("a schema").clone();
    let mut whole = document;
    whole["allOf"] = json!([schema]);
    whole
}

fn assert_fits(path: &str, answer: &Answer) {
    let schema = schema(path, &answer.status.to_string());
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let body = answer.json();
    let faults: Vec<String> = validator.iter_errors(&body).map(|it| it.to_string()).collect();
    assert!(faults.is_empty(), "{path}: {faults:?} in {body:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_fits_its_schema_and_a_wrong_one_does_not() {
    let running = Running::start(Some(TOKEN)).await;
    for number in 1..3 {
        running.store.append(&call(number), &rang(number));
    }
    running.store.append(&call(1), &answered(250));
    running.store.keep_packet(&call(1), &packet(&call(1)), "secret");
    running.store.append(&call(1), &ended(900));
    running.caught_up().await;
    for (path, target) in [
        ("/v1/calls", "/v1/calls?limit=1".to_owned()),
        ("/v1/calls", "/v1/calls?limit=0".to_owned()),
        ("/v1/calls/{id}", format!("/v1/calls/{}", call(1))),
        ("/v1/calls/{id}", format!("/v1/calls/{}", call(2))),
        ("/v1/calls/{id}", format!("/v1/calls/{}", call(77))),
        ("/v1/calls/{id}/timeline", format!("/v1/calls/{}/timeline", call(1))),
        ("/v1/calls/{id}/context", format!("/v1/calls/{}/context", call(1))),
        ("/v1/agents", "/v1/agents".to_owned()),
        ("/v1/queues", "/v1/queues".to_owned()),
        ("/healthz", "/healthz".to_owned()),
        ("/readyz", "/readyz".to_owned()),
    ] {
        let answer = running.ask(&target).await;
        assert_fits(path, &answer);
    }
    let strangers = running.send("GET", "/v1/agents", &[]).await;
    assert_eq!(strangers.status, 401);
    assert_fits("/v1/agents", &strangers);

    let schema = schema("/v1/calls", "200");
    let wrong = json!({ "calls": [{ "id": 7 }], "next": null });
    assert!(!jsonschema::draft202012::is_valid(&schema, &wrong), "the schema says something");
    let shown = running.send("GET", "/v1/openapi.json", &[]).await;
    assert_eq!(shown.json(), openapi());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_ends_with_the_drain_and_health_does_not() {
    let running = Running::start(None).await;
    let ready = running.send("GET", "/readyz", &[]).await;
    assert_eq!((ready.status, ready.json()), (200, json!({ "ready": true, "why": null })));
    running.strained.store(true, Relaxed);
    let strained = running.send("GET", "/readyz", &[]).await;
    assert_eq!(strained.status, 503);
    assert_eq!(strained.json(), json!({ "ready": false, "why": "no time for more calls" }));
    assert_fits("/readyz", &strained);
    running.draining.store(true, Relaxed);
    let draining = running.send("GET", "/readyz", &[]).await;
    assert_eq!(draining.status, 503);
    assert_eq!(draining.json(), json!({ "ready": false, "why": "draining" }));
    assert_fits("/readyz", &draining);
    assert_eq!(running.send("GET", "/healthz", &[]).await.status, 200);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_are_text_of_the_form_that_prometheus_reads() {
    let running = Running::start(Some(TOKEN)).await;
    let page = running.ask("/metrics").await;
    assert!(page.head.contains("content-type: text/plain; version=0.0.4"), "{}", page.head);
    assert_eq!(page.body, b"# TYPE up gauge\nup 1\n");
    running.stop().await;
}
