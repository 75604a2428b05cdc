//! Who may read, and what is refused.

use std::sync::atomic::Ordering::Relaxed;

use cordboard::api::PacketFetched;

use crate::support::{Running, STARTED_UNIX_MS, TOKEN, call, ended, packet, rang};

/// Everything that needs the bearer token.
fn guarded() -> Vec<String> {
    let id = call(1);
    let of_call = ["", "/timeline", "/context", "/recording"];
    let of_call = of_call.iter().map(|what| format!("/v1/calls/{id}{what}"));
    ["/v1/calls", "/v1/agents", "/v1/queues", "/metrics"]
        .map(str::to_owned)
        .into_iter()
        .chain(of_call)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_shown_without_the_right_token() {
    let running = Running::start(Some(TOKEN)).await;
    running.store.append(&call(1), &rang(1));
    running.store.keep_packet(&call(1), &packet(&call(1)), "secret");
    running.caught_up().await;
    let prefix = &TOKEN[..TOKEN.len() - 1];
    let wrong = [
        None,
        Some(String::new()),
        Some("Bearer".to_owned()),
        Some("Bearer wrong".to_owned()),
        Some(format!("Bearer {prefix}")),
        Some(format!("Bearer {TOKEN}x")),
        Some(format!("Basic {TOKEN}")),
        Some(TOKEN.to_owned()),
    ];
    for target in guarded() {
        for authorization in &wrong {
            let headers: Vec<_> =
                authorization.iter().map(|value| ("Authorization", value.as_str())).collect();
            let answer = running.send("GET", &target, &headers).await;
            assert_eq!(answer.status, 401, "{target} with {authorization:?}");
            assert_eq!(answer.error_code(), "unauthorized");
            assert!(answer.head.contains("www-authenticate: bearer"));
        }
        let shown = running.ask(&target).await.status;
        assert!(shown == 200 || target.ends_with("recording"), "{target}: {shown}");
    }
    let health = running.send("GET", "/healthz", &[]).await.json();
    assert_eq!(health, serde_json::json!({ "status": "ok" }));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_loopback_without_a_token_only_own_hosts_are_answered() {
    let running = Running::start(None).await;
    for (host, expected) in
        [("127.0.0.1:8080", 200), ("localhost", 200), ("rebound.example:8080", 403)]
    {
        let answer = running.send("GET", "/v1/calls", &[("Host", host)]).await;
        assert_eq!(answer.status, expected, "{host}");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_packet_opens_with_its_own_token_and_the_call_is_told() {
    let mut running = Running::start(Some(TOKEN)).await;
    let id = call(1);
    running.store.append(&id, &rang(1));
    running.store.keep_packet(&id, &packet(&id), "secret");
    let target = format!("/v1/calls/{id}/context");

    for wrong in ["", "Secret", "secre", "secret1"] {
        let by_address = running.send("GET", &format!("{target}?token={wrong}"), &[]).await;
        let by_header = running.send("GET", &target, &[("X-Packet-Token", wrong)]).await;
        assert_eq!((by_address.status, by_header.status), (401, 401), "{wrong:?}");
    }
    let bearer = running.ask(&target).await;
    assert_eq!(bearer.status, 200);
    let head = running.send("HEAD", &format!("{target}?token=secret"), &[]).await;
    assert_eq!(head.status, 200);
    assert!(running.fetched.try_recv().is_err(), "none of these is the agent's fetch");

    let told = PacketFetched { call: id.clone(), packet_id: "packet-1".into() };
    let by_address = running.send("GET", &format!("{target}?token=secret"), &[]).await;
    assert_eq!(by_address.json()["packet_id"], "packet-1");
    assert_eq!(running.fetched.try_recv().unwrap(), told);
    let by_header = running.send("GET", &target, &[("X-Packet-Token", "secret")]).await;
    assert_eq!(by_header.status, 200);
    assert_eq!(running.fetched.try_recv().unwrap(), told);

    // A packet's token opens its packet and nothing else.
    let other = format!("/v1/calls/{id}/timeline?token=secret");
    assert_eq!(running.send("GET", &other, &[]).await.status, 401);
    let of_nobody = format!("/v1/calls/{}/context?token=secret", call(2));
    assert_eq!(running.send("GET", &of_nobody, &[]).await.status, 401);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_packet_s_token_opens_until_a_quarter_of_an_hour_after_the_call() {
    let running = Running::start(Some(TOKEN)).await;
    let id = call(1);
    running.store.append(&id, &rang(1));
    running.store.keep_packet(&id, &packet(&id), "secret");
    running.store.append(&id, &ended(60_000));
    running.caught_up().await;
    let target = format!("/v1/calls/{id}/context?token=secret");
    let last_unix_ms = STARTED_UNIX_MS + 60_000 + 15 * 60_000;
    for (now_unix_ms, expected) in [(last_unix_ms, 200), (last_unix_ms + 1, 401)] {
        running.now_unix_ms.store(now_unix_ms, Relaxed);
        assert_eq!(running.send("GET", &target, &[]).await.status, expected, "{now_unix_ms}");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_are_no_ulid_never_become_a_path() {
    let running = Running::start(Some(TOKEN)).await;
    let names = [
        "..",
        "../../etc/passwd",
        "..%2F..%2Fetc%2Fpasswd",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "..%252f..%252fetc%252fpasswd",
        "%00",
        "%ff%fe",
        "01JD0000000000000000000001%00",
        "01JD0000000000000000000001%2F..",
        "01jd0000000000000000000001",
        "'%20OR%201=1--",
        "C:%5Cwindows",
        "spool%5C..",
    ];
    for name in names {
        for what in ["", "/timeline", "/context", "/context?token=x", "/recording"] {
            let answer = running.ask(&format!("/v1/calls/{name}{what}")).await;
            assert!(matches!(answer.status, 400 | 404), "{name}{what}: {}", answer.status);
            let code = answer.error_code();
            assert!(matches!(code.as_str(), "bad_call_id" | "not_found"), "{name}{what}: {code}");
        }
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_refusal_says_what_and_what_to_do() {
    let running = Running::start(Some(TOKEN)).await;
    let unknown = call(77);
    let table = [
        ("GET", "/".to_owned(), 404, "not_found"),
        ("GET", "/v1/nothing".to_owned(), 404, "not_found"),
        ("POST", "/v1/calls".to_owned(), 405, "method_not_allowed"),
        ("GET", format!("/v1/calls/{unknown}"), 404, "no_such_call"),
        ("GET", format!("/v1/calls/{unknown}/timeline"), 404, "no_such_call"),
        ("GET", format!("/v1/calls/{unknown}/context"), 404, "no_packet"),
        ("GET", format!("/v1/calls/{unknown}/recording"), 404, "no_recording"),
        ("GET", "/v1/calls?limit=0".to_owned(), 400, "bad_parameter"),
        ("GET", "/v1/calls?limit=201".to_owned(), 400, "bad_parameter"),
        ("GET", "/v1/calls?limit=-1".to_owned(), 400, "bad_parameter"),
        ("GET", "/v1/calls?limit=many".to_owned(), 400, "bad_parameter"),
        ("GET", "/v1/calls?before=yesterday".to_owned(), 400, "bad_parameter"),
        ("GET", format!("/v1/calls/{unknown}/timeline?after=x"), 400, "bad_parameter"),
    ];
    let bearer = format!("Bearer {TOKEN}");
    for (method, target, expected, code) in table {
        let answer = running.send(method, &target, &[("Authorization", &bearer)]).await;
        assert_eq!((answer.status, answer.error_code().as_str()), (expected, code), "{target}");
        let error = &answer.json()["error"];
        assert!(!error["message"].as_str().unwrap().is_empty());
        assert!(!error["remedy"].as_str().unwrap().is_empty());
        for header in ["cache-control: no-store", "x-content-type-options: nosniff"] {
            assert!(answer.head.contains(header), "{target}: {}", answer.head);
        }
    }
    running.stop().await;
}
