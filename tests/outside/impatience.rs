//! Callers who do not go on: no ACK, no media.

use serde_json::Value;

use crate::support::{Serving, Sipp, has, until};

fn asked(entry: &Value) -> bool {
    entry["text"].as_str().is_some_and(|it| it.starts_with("I can't hear anything"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_never_acknowledged_ends() {
    if !has("sipp", "sip-tester") {
        return;
    }
    let service = Serving::start("[sip]\nno_ack_s = 2");
    let before = service.udp_ports();
    let sipp = Sipp::scenario(service.udp, "parcel", "no_ack", &[]);
    sipp.with(&["-key", "caller", "mute"]).run().await;
    let call = service.api.ended_call_of("mute").await;
    assert_eq!((&call["outcome"], &call["cause"]), (&"failed".into(), &"no ack".into()), "{call}");
    let ended = service.api.entry(call["id"].as_str().unwrap(), |it| it["what"] == "ended").await;
    let at_ms = ended["at_ms"].as_u64().unwrap();
    assert!((1_900..10_000).contains(&at_ms), "{at_ms}");
    service.api.until_live(0).await;
    until("all ports given back", async || (service.udp_ports() == before).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_media_is_asked_about_and_then_ended() {
    if !has("sipp", "sip-tester") {
        return;
    }
    let service = Serving::start("[sip]\nno_media_ask_s = 1\nno_media_end_s = 7");
    let sipp = Sipp::scenario(service.udp, "short", "no_media", &[]);
    sipp.with(&["-key", "caller", "silent"]).run().await;
    let call = service.api.ended_call_of("silent").await;
    assert_eq!(call["cause"], "no media", "{call}");
    let timeline = service.api.timeline(call["id"].as_str().unwrap()).await;
    let questions: Vec<_> = timeline.iter().filter(|entry| asked(entry)).collect();
    assert_eq!(questions.len(), 1, "{timeline:#?}");
    // All of it is counted from the answer, for which a busy machine takes its time.
    let at_ms = |entry: &Value| entry["at_ms"].as_u64().unwrap();
    let answered = timeline.iter().find(|it| it["what"] == "answered").expect("an answer");
    let after_ms = |entry: &Value| at_ms(entry) - at_ms(answered);
    assert!((1_000..7_000).contains(&after_ms(questions[0])), "{}", questions[0]);
    let one_way: Vec<_> = timeline.iter().filter(|it| it["what"] == "one_way").collect();
    assert_eq!(one_way.len(), 1, "{timeline:#?}");
    assert_eq!((&one_way[0]["role"], &one_way[0]["cause"]), (&"caller".into(), &"nothing".into()));
    assert!((4_500..7_000).contains(&after_ms(one_way[0])), "{}", one_way[0]);
    // The offer that followed, and all else that was signalled, is there to be read; what was not
    // answered soon enough was sent again.
    let sip = |direction: &str, begin: &str| {
        let begins = |it: &&Value| it["summary"].as_str().is_some_and(|it| it.starts_with(begin));
        let signalled = timeline.iter().filter(|it| it["what"] == "sip");
        signalled.filter(|it| it["direction"] == direction).filter(begins).count()
    };
    assert!(sip("received", "INVITE, 1 INVITE") >= 1, "{timeline:#?}");
    assert!(sip("sent", "200 OK, 1 INVITE, Session-Expires: 1800;refresher=uas") >= 1);
    assert!(sip("sent", "INVITE, 1 INVITE") >= 1, "{timeline:#?}");
    assert!(sip("sent", "ACK, 1 ACK") >= 1, "{timeline:#?}");
    let end = after_ms(timeline.last().unwrap());
    assert!((7_000..12_000).contains(&end), "{end}");
}
