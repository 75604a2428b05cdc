//! A service without time for more calls: it says so to everybody, and leaves those under way be.

use std::sync::Arc;
use std::time::Duration;

use cordboard::replay::{Act, Phone, Script, Step, When};
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::media_stream::{SETTINGS, TOKEN, start};
use crate::support::{PATIENCE, Serving, Sipp, has, spoken, until};

/// One call is too many for a worker that may be busy a hundredth of its time.
const STRAINED: &str = "[admission]\non = true\nbusy_percent = 1\nlate_percent = 100\n\
                        resume_percent = 100\ncalm_s = 1";

async fn until_ready(service: &Serving, ready: bool) {
    until("readiness", async || {
        let answer = service.api.answer("/readyz").await;
        let as_wanted = (answer.status() == 200) == ready;
        let why = answer.json::<serde_json::Value>().await.ok()?;
        assert!(ready || why["why"] == "no time for more calls" || !as_wanted, "{why}");
        as_wanted.then_some(())
    })
    .await;
}

/// The code with which a carrier's stream is closed.
async fn stream_is_closed_with(service: &Serving) -> u16 {
    let url = format!("ws://{}/v1/media-streams/parcel", service.api.address());
    let (mut socket, _) = connect_async(url).await.unwrap();
    let hello = json!({ "event": "connected", "protocol": "Call", "version": "1.0.0" });
    for word in [hello, start(TOKEN, "sip:late@carrier")] {
        socket.send(Message::text(word.to_string())).await.unwrap();
    }
    let closed = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
                Some(Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, closed).await.expect("in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_time_refuses_new_calls_and_takes_them_again_when_it_has_some() {
    if !has("sipp", "sip-tester") {
        return;
    }
    let service = Serving::start(&format!("{SETTINGS}\n{STRAINED}"));
    until_ready(&service, true).await;
    let phone = Phone::bind("127.0.0.1:0".parse().unwrap(), 30_000..=30_999).await.unwrap();
    let uri = service.uri("parcel");
    let mut talk = Box::pin(phone.ring(&uri, Script::default(), PATIENCE));
    let refused = async {
        service.api.until_live(1).await;
        until_ready(&service, false).await;
        let sipp = Sipp::scenario(service.udp, "parcel", "full", &[]);
        sipp.with(&["-key", "caller", "late"]).run().await;
        assert_eq!(stream_is_closed_with(&service).await, 1_013, "try again later");
        let figures = service.api.text("/metrics").await;
        for line in [
            "cordboard_admission_shut 1",
            "cordboard_calls_refused_total{why=\"strained\"} 1",
            "cordboard_sip_requests_refused_total{why=\"no_room\"} 1",
        ] {
            assert!(figures.lines().any(|it| it == line), "{line}\n{figures}");
        }
        // A machine that is busy itself may shut for being late as well, and more than once.
        let shut = figures.lines().filter_map(|it| {
            it.strip_prefix("cordboard_admission_shut_total{")?
                .split(' ')
                .nth(1)?
                .parse::<u64>()
                .ok()
        });
        assert!(shut.sum::<u64>() >= 1, "{figures}");
        assert_eq!(service.api.calls_live().await, 1, "the call under way goes on");
    };
    tokio::select! {
        played = &mut talk => panic!("the call under way ended: {played:?}"),
        () = refused => {}
    }
    drop(talk);
    service.api.until_live(0).await;
    until_ready(&service, true).await;
    let calls = ["-m", "1", "-d", "300"];
    let again = Sipp::caller(service.udp, "parcel").with(&calls).run();
    tokio::time::timeout(Duration::from_secs(30), again).await.expect("in time");
}

/// One recognizer, and nothing but its want shuts the door, for as long as the test lasts.
const ONE_RECOGNIZER: &str = "[admission]\non = true\nbusy_percent = 100\nlate_percent = 100\n\
                              strained_ms = 60000\nno_engine_s = 600\n\
                              [models]\nrecognizer = \"stub\"\nrecognizers = 1";

#[tokio::test(flavor = "multi_thread")]
async fn where_somebody_speaks_and_no_recognizer_is_free_new_calls_are_refused() {
    let service = Serving::start(ONE_RECOGNIZER);
    let phones = [
        Phone::bind("127.0.0.1:0".parse().unwrap(), 30_000..=30_999).await.unwrap(),
        Phone::bind("127.0.0.1:0".parse().unwrap(), 31_000..=31_999).await.unwrap(),
    ];
    let uri = service.uri("short");
    // Long enough that each speaks while the other does.
    let speech: Arc<[f32]> = spoken("slt", &["hello ".repeat(30)]).into();
    let script = || {
        let say = |after| Step {
            when: When::Answered(Duration::from_secs(after)),
            act: Act::Say(speech.clone()),
        };
        Script::new([say(2), say(20)])
    };
    let mut talks = Box::pin(async {
        let [first, second] = &phones;
        let (one, other) = (script(), script());
        tokio::join!(first.ring(&uri, one, PATIENCE), second.ring(&uri, other, PATIENCE))
    });
    let refused = async {
        until_ready(&service, false).await;
        let figures = service.api.text("/metrics").await;
        let line = "cordboard_admission_shut_total{why=\"no_recognizer\"} 1";
        assert!(figures.lines().any(|it| it == line), "{figures}");
        assert_eq!(service.api.calls_live().await, 2, "the calls under way go on");
    };
    tokio::select! {
        played = &mut talks => panic!("both calls ended: {played:?}"),
        () = refused => {}
    }
}
