//! What happens as it happens, for the pages of calls.

use serde_json::json;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::support::{Running, TOKEN, answered, call, ended, rang};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_watches_a_call_is_told_each_entry_once_and_in_order_from_where_they_are() {
    let running = Running::start(Some(TOKEN)).await;
    running.store.append(&call(1), &rang(1));
    running.store.append(&call(1), &answered(100));
    running.caught_up().await;
    let known = running.ask(&format!("/v1/calls/{}/timeline", call(1).0)).await.json();
    let after = &known["entries"][0]["seq"];
    let watch = json!({ "type": "watch", "token": TOKEN, "call": call(1).0, "after": after });
    let mut watching = running.watches(&watch, None).await;
    let first = watching.next().await.unwrap();
    assert_eq!((&first["type"], &first["entry"]["what"]), (&"entry".into(), &"answered".into()));
    running.store.append(&call(2), &rang(2));
    running.store.append(&call(1), &ended(5_000));
    let second = watching.next().await.unwrap();
    assert_eq!(second["entry"]["what"], "ended", "{second}");
    let seq = |it: &serde_json::Value| it["entry"]["seq"].as_i64();
    assert!(seq(&second) > seq(&first), "{second}");
    assert_eq!(second["call"], call(1).0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_watches_the_list_is_told_of_calls_that_begin_and_end() {
    let running = Running::start(Some(TOKEN)).await;
    running.store.append(&call(1), &rang(1));
    running.caught_up().await;
    let watch = json!({ "type": "watch", "token": TOKEN, "call": null, "after": null });
    let mut watching = running.watches(&watch, None).await;
    // What is there already comes first: it may have begun since the page was loaded.
    assert_eq!(watching.next().await.unwrap()["call"]["id"], call(1).0);
    running.store.append(&call(2), &rang(2));
    let mut told = watching.next().await.unwrap();
    assert_eq!(told["call"]["id"], call(2).0, "{told}");
    running.store.append(&call(2), &ended(2_000));
    while told["call"]["ended"].is_null() {
        told = watching.next().await.unwrap();
        assert_eq!(told["call"]["id"], call(2).0, "{told}");
    }
    assert_eq!(told["call"]["outcome"], "handed_over");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_and_pages_of_other_origins_watch_nothing() {
    let running = Running::start(Some(TOKEN)).await;
    let none = json!(null);
    for (token, id, code) in [
        (&json!("wrong"), &none, "unauthorized"),
        (&none, &none, "unauthorized"),
        (&json!(TOKEN), &json!("../etc"), "bad_call_id"),
    ] {
        let watch = json!({ "type": "watch", "token": token, "call": id, "after": null });
        let mut watching = running.watches(&watch, None).await;
        let refusal = watching.next().await.unwrap();
        assert_eq!((&refusal["type"], &refusal["code"]), (&"error".into(), &code.into()));
        assert_eq!(watching.next().await, None, "it is closed");
    }
    let mut watching = running.watches(&json!("nonsense"), None).await;
    assert_eq!(watching.next().await.unwrap()["code"], "malformed");
    let mut request = format!("ws://{}/v1/live", running.address).into_client_request().unwrap();
    request.headers_mut().insert("origin", "https://evil.example".parse().unwrap());
    assert!(connect_async(request).await.is_err());
    running.stop().await;
}
