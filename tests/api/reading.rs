//! What can be read, and how it looks.

use cordboard::timeline::What;
use serde_json::{Value, json};

use crate::support::{Running, TOKEN, answered, call, ended, packet, rang};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_come_newest_first_and_in_pages() {
    let running = Running::start(Some(TOKEN)).await;
    for number in 0..5 {
        running.store.append(&call(number), &rang(number));
    }
    running.store.append(&call(4), &ended(1_500));
    running.caught_up().await;

    let page = running.ask("/v1/calls?limit=2").await.json();
    assert_eq!(
        page["calls"][0],
        json!({
            "id": call(4).0,
            "from": "sip:4@127.0.0.1",
            "to": "sip:parcel@127.0.0.1",
            "leg": "phone",
            "started": "2023-11-14T22:13:20Z",
            "ended": "2023-11-14T22:13:21.5Z",
            "outcome": "handed_over",
        })
    );
    assert_eq!(page["calls"][1]["ended"], Value::Null);
    let (mut ids, mut next) = (Vec::new(), String::new());
    loop {
        let page = running.ask(&format!("/v1/calls?limit=2{next}")).await.json();
        let calls = page["calls"].as_array().unwrap();
        ids.extend(calls.iter().map(|call| call["id"].as_str().unwrap().to_owned()));
        let Some(before) = page["next"].as_str() else { break };
        next = format!("&before={before}");
    }
    let expected: Vec<_> = (0..5).rev().map(|number| call(number).0).collect();
    assert_eq!(ids, expected);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_call_and_its_timeline_can_be_followed_to_the_end() {
    let running = Running::start(Some(TOKEN)).await;
    let id = call(1);
    running.store.append(&id, &rang(1));
    running.store.append(&id, &answered(250));
    running.caught_up().await;

    let detail = running.ask(&format!("/v1/calls/{id}")).await.json();
    assert_eq!(detail["answered"], "2023-11-14T22:13:20.25Z");
    assert_eq!(detail["flow"], "parcel");
    assert_eq!(detail["links"]["timeline"], format!("/v1/calls/{id}/timeline"));
    assert_eq!(detail["links"]["context"], Value::Null);
    assert_eq!(detail["links"]["recording"], Value::Null);

    let first = running.ask(&format!("/v1/calls/{id}/timeline")).await.json();
    assert_eq!(first["ended"], false);
    assert_eq!(first["entries"][0]["what"], "rang");
    assert_eq!(first["entries"][1]["what"], "answered");
    assert_eq!(first["entries"][1]["at"], "2023-11-14T22:13:20.25Z");
    assert_eq!(first["entries"][1]["at_ms"], 250);

    running.store.append(&id, &ended(900));
    running.caught_up().await;
    let next = &first["next"];
    let rest = running.ask(&format!("/v1/calls/{id}/timeline?after={next}")).await.json();
    assert_eq!(rest["entries"].as_array().unwrap().len(), 1);
    assert_eq!(rest["entries"][0]["what"], "ended");
    assert_eq!((&rest["ended"], &rest["next"]), (&json!(true), &Value::Null));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_can_be_had_while_the_call_runs_and_says_whether_it_is_whole() {
    let running = Running::start(Some(TOKEN)).await;
    let id = call(1);
    running.store.append(&id, &rang(1));
    let target = format!("/v1/calls/{id}/recording");
    assert_eq!(running.ask(&target).await.error_code(), "no_recording");

    let mut recorder = running.store.recorder(&id).unwrap();
    for frame in 0..20_i16 {
        recorder.write(&[frame; 160], &[-frame; 160]);
    }
    running.caught_up().await;
    let live = running.ask(&target).await;
    assert_eq!(live.status, 200);
    assert!(live.head.contains("content-type: audio/wav"));
    assert!(live.head.contains("x-recording-complete: false"));
    assert_eq!(hound::WavReader::new(live.body.as_slice()).unwrap().duration(), 20 * 160);

    recorder.write(&[99; 160], &[-99; 160]);
    assert!(recorder.finish().complete);
    running.caught_up().await;
    let whole = running.ask(&target).await;
    assert!(whole.head.contains("x-recording-complete: true"));
    let samples: Vec<i16> = hound::WavReader::new(whole.body.as_slice())
        .unwrap()
        .into_samples()
        .map(Result::unwrap)
        .collect();
    assert_eq!(samples.len(), 21 * 320);
    assert_eq!(samples[20 * 320..20 * 320 + 2], [99, -99]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_agents_and_queues_are_told() {
    let running = Running::start(Some(TOKEN)).await;
    running.store.append(&call(1), &rang(1));
    running.caught_up().await;
    let health = running.ask("/healthz").await.json();
    assert_eq!(health["status"], "ok");
    assert_eq!(health["calls_live"], 1);
    assert_eq!(health["spool_lag_bytes"], 0);
    assert_eq!(health["store_ok"], true);
    assert_eq!(running.ask("/v1/agents").await.json()[0]["name"], "alice");
    assert_eq!(running.ask("/v1/queues").await.json()[0]["name"], "service");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_packet_is_there_without_the_database_and_stays_after_the_call() {
    let running = Running::start(Some(TOKEN)).await;
    let id = call(1);
    let target = format!("/v1/calls/{id}/context");
    running.store.append(&id, &rang(1));
    assert_eq!(running.ask(&target).await.error_code(), "no_packet");
    // At once, not when the spool has been read.
    running.store.keep_packet(&id, &packet(&id), "secret");
    let live = running.ask(&target).await.json();
    assert_eq!(live["stated_issue"], "where is my parcel");

    let what = What::PacketFetched;
    running.store.append(&id, &cordboard::timeline::Entry { v: 1, at_ms: 5, what });
    running.store.append(&id, &ended(900));
    running.caught_up().await;
    assert!(running.store.live_packet(&id).is_none(), "memory lets go of it");
    assert_eq!(running.ask(&target).await.json(), live);
    let detail = running.ask(&format!("/v1/calls/{id}")).await.json();
    assert_eq!(detail["links"]["context"], target);
    running.stop().await;
}
