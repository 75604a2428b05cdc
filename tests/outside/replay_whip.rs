//! `cordboard replay` by WHIP: keys as telephone events, and an endpoint that takes none.

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use tempfile::TempDir;

use crate::replay::{replayed, said, scenario};
use crate::support::Serving;

/// Presses keys, each once, whatever the far end says meanwhile.
const KEYS: &str = r#"
scenario: keys
steps:
  - { after: { at: 1s }, keys: "147*369#258" }
  - { after: { waited: 1s }, hang_up: true }
"#;

/// Presses the keys at a WHIP endpoint; gives the run's end and what it said.
async fn press(endpoint: &str) -> (Option<i32>, String) {
    let folder = TempDir::new().unwrap();
    let output = replayed(vec![
        scenario(folder.path(), KEYS),
        "--to".to_owned(),
        format!("http://{endpoint}/v1/whip/parcel"),
        "--far-voice".to_owned(),
        "none".to_owned(),
    ])
    .await;
    (output.status.code(), said(&output))
}

/// The keys that a service was pressed, with how long each.
async fn keyed(service: &Serving) -> Vec<(String, u64)> {
    let call = service.api.ended_call_of("browser:").await;
    let timeline = service.api.timeline(call["id"].as_str().unwrap()).await;
    let keyed = timeline.iter().filter(|entry| entry["what"] == "keyed");
    let told = |entry: &serde_json::Value| {
        let digit = entry["digit"].as_str().unwrap().to_owned();
        (digit, entry["duration_ms"].as_u64().unwrap())
    };
    keyed.map(told).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_pressed_by_whip_arrive_once_each_at_either_clock() {
    for without in [&[][..], &["110"]] {
        let service = Serving::start("");
        let (code, said) = press(&before(&service, without).await).await;
        assert_eq!(code, Some(0), "{said}");
        let keyed = keyed(&service).await;
        let digits: String = keyed.iter().map(|(digit, _)| digit.as_str()).collect();
        assert_eq!(digits, "147*369#258", "without {without:?}");
        // Of 120 ms; the first packets of a press may be lost on a full machine.
        let lasted = keyed.iter().all(|(_, ms)| (100..=120).contains(ms));
        assert!(lasted, "without {without:?}: {keyed:?}");
    }
}

/// An endpoint before a service that takes these payload types out of what it is offered.
async fn before(service: &Serving, without: &'static [&'static str]) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let state = (service.api.address().to_string(), without);
    let router = Router::new().fallback(pass_on).with_state(state);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address.to_string()
}

async fn pass_on(
    State((service, without)): State<(String, &'static [&'static str])>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let offer = String::from_utf8_lossy(&body);
    let is_kept = |line: &&str| {
        let of = |number: &&str| {
            let attributes = ["rtpmap", "fmtp", "rtcp-fb"];
            attributes.iter().any(|it| line.starts_with(&format!("a={it}:{number} ")))
        };
        !without.iter().any(of)
    };
    let media = |line: &str| match line.starts_with("m=audio ") {
        true => {
            without.iter().fold(line.to_owned(), |line, it| line.replace(&format!(" {it}"), ""))
        }
        false => line.to_owned(),
    };
    let offer: String = offer.split_inclusive('\n').filter(is_kept).map(media).collect();
    let url = format!("http://{service}{}", parts.uri.path());
    let mut asking = reqwest::Client::new().request(parts.method, url).body(offer);
    for name in ["authorization", "content-type"] {
        if let Some(value) = parts.headers.get(name) {
            asking = asking.header(name, value);
        }
    }
    let told = asking.send().await.unwrap();
    let mut answer = Response::builder().status(told.status());
    if let Some(location) = told.headers().get("location") {
        answer = answer.header("location", location);
    }
    answer.body(told.bytes().await.unwrap().into()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_for_an_endpoint_that_takes_none_fail_the_call_and_it_is_told_why() {
    let service = Serving::start("");
    let (code, said) = press(&before(&service, &["110", "126"]).await).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("it takes no keys: its answer has no telephone-event"), "{said}");
    assert_eq!(keyed(&service).await, [], "none was pressed, and it was hung up on");
}
