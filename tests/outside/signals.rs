//! The end of the process: killed in the middle of a call, and asked to stop.

use std::time::Duration;

use cordboard::clock;
use cordboard::replay::{Act, Phone, Script, Step, When};
use tokio::sync::mpsc::unbounded_channel;

use crate::support::{PATIENCE, Serving, Sipp, has, pass};

async fn phone() -> Phone {
    Phone::bind("127.0.0.1:0".parse().unwrap(), 30_000..=30_999).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_service_has_the_timeline_up_to_the_last_second() {
    let mut service = Serving::start("");
    let phone = phone().await;
    let keys = (1..200).map(|number| Step {
        when: When::Answered(Duration::from_millis(300 * number)),
        act: Act::Key("#".to_owned()),
    });
    let uri = service.uri("parcel");
    let mut talk = Box::pin(phone.ring(&uri, Script::new(keys), PATIENCE));
    let middle = async {
        let call = service.api.call_of("caller").await;
        let id = call["id"].as_str().unwrap().to_owned();
        service.api.entry(&id, |entry| entry["what"] == "keyed").await;
        pass(Duration::from_secs(3)).await;
        (id.clone(), service.api.timeline(&id).await)
    };
    let (id, seen) = tokio::select! {
        played = &mut talk => panic!("the call ended early: {played:?}"),
        seen = middle => seen,
    };
    let killed_ms = clock::wall_unix_ms();
    service.kill();
    drop(talk);

    let folder = service.folder();
    drop(service);
    let service = Serving::start_in(folder, "");
    let call = service.api.ended_call_of("caller").await;
    assert_eq!(call["id"], id);
    assert_eq!(call["outcome"], "broken_off", "{call}");
    let kept = service.api.timeline(&id).await;
    assert_eq!(kept[..seen.len()], seen, "nothing that was seen is lost");
    assert_eq!(kept[0]["what"], "rang");
    let rang_ms = kept[0]["wall_unix_ms"].as_u64().unwrap();
    let keyed = kept.iter().filter(|entry| entry["what"] == "keyed");
    let keyed_ms: Vec<u64> = keyed.map(|entry| entry["at_ms"].as_u64().unwrap()).collect();
    let lost_ms = killed_ms.saturating_sub(rang_ms + keyed_ms.last().unwrap());
    // Keys come every 300 ms, or as a busy phone presses them.
    let spacing_ms = keyed_ms.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    eprintln!("killed {lost_ms} ms after the last key of its timeline, keys {spacing_ms} ms apart");
    assert!(lost_ms < 1_000 + spacing_ms + 500, "{lost_ms}");
    assert_eq!(service.api.get("/healthz").await["broken_off"], 1);
    assert_eq!(service.api.calls_live().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_lets_the_present_call_finish_and_refuses_new_ones() {
    if !has("sipp", "sip-tester") {
        return;
    }
    let mut service = Serving::start("");
    let phone = phone().await;
    let uri = service.uri("parcel");
    let key = Step { when: When::Answered(Duration::from_secs(3)), act: Act::Key("5".to_owned()) };
    let (act, director) = unbounded_channel();
    let talk = phone.ring_directed(&uri, Script::new([key]), director, PATIENCE);
    let meanwhile = async {
        service.api.until_live(1).await;
        service.signal("TERM");
        // Until the signal has arrived a call may still come in.
        let call = service.api.call_of("caller").await;
        let id = call["id"].as_str().unwrap().to_owned();
        service.api.entry(&id, |entry| entry["what"] == "keyed").await;
        let sipp = Sipp::scenario(service.udp, "parcel", "full", &[]);
        sipp.with(&["-key", "caller", "late"]).run().await;
        // Who talks goes on for as long as before.
        pass(Duration::from_secs(7)).await;
        act.send(Act::HangUp).unwrap();
        id
    };
    let (played, id) = tokio::join!(talk, meanwhile);
    let played = played.unwrap();
    assert!(!played.ended_by_far, "the call was left to its end");
    assert!(played.far.len() > 8 * 8_000);
    let status = service.exit().await;
    assert_eq!(status.code(), Some(0), "{status}");

    let folder = service.folder();
    drop(service);
    let service = Serving::start_in(folder, "");
    let call = service.api.ended_call_of("caller").await;
    assert_eq!((&call["id"], &call["cause"]), (&id.into(), &"bye".into()), "{call}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_outlasts_the_drain_time_is_told_goodbye() {
    let mut service = Serving::start("[shutdown]\ndrain_s = 1");
    let phone = phone().await;
    let uri = service.uri("parcel");
    let talk = phone.ring(&uri, Script::default(), PATIENCE);
    let stop = async {
        let call = service.api.call_of("caller").await;
        let id = call["id"].as_str().unwrap().to_owned();
        service.api.entry(&id, |entry| entry["what"] == "prompt_began").await;
        service.signal("TERM");
        id
    };
    let (played, id) = tokio::join!(talk, stop);
    assert!(played.unwrap().ended_by_far);
    assert_eq!(service.exit().await.code(), Some(0));

    let folder = service.folder();
    drop(service);
    let service = Serving::start_in(folder, "");
    let goodbye = service
        .api
        .entry(&id, |entry| {
            entry["text"].as_str().is_some_and(|it| it.contains("I have to end this call now"))
        })
        .await;
    let whole = service
        .api
        .entry(&id, |entry| entry["what"] == "prompt_ended" && entry["prompt"] == goodbye["prompt"])
        .await;
    assert_eq!(whole["unsaid"], "", "{whole}");
}
