//! Calls that are refused, each with its status.

use std::time::Duration;

use cordboard::replay::{Phone, Script};

use crate::support::{PATIENCE, Serving, Sipp, has, until};

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_served_is_refused_with_its_status() {
    if !has("sipp", "sip-tester") {
        return;
    }
    let service = Serving::start("");
    let before = service.udp_ports();
    let key = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 \
               inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\n";
    for (user, profile, formats, attributes, status) in [
        ("nobody", "RTP/AVP", "0 8", "", "404"),
        ("parcel", "RTP/AVP", "3 4 18", "", "488"),
        ("parcel", "RTP/AVP", "97", "a=rtpmap:97 speex/8000\n", "488"),
        ("parcel", "RTP/SAVP", "0 8", key, "488"),
    ] {
        eprintln!("{user} {profile} {formats}: {status}");
        let changes = [
            ("@@PROFILE@@", profile),
            ("@@FORMATS@@", formats),
            ("@@ATTRIBUTES@@", attributes),
            ("@@STATUS@@", status),
        ];
        let sipp = Sipp::scenario(service.udp, user, "refused", &changes);
        sipp.with(&["-key", "caller", "refused"]).run().await;
    }
    // A refused call keeps no port.
    until("all ports given back", async || (service.udp_ports() == before).then_some(())).await;
    assert_eq!(service.api.calls_live().await, 0);
    let page = service.api.get("/v1/calls").await;
    assert_eq!(page["calls"].as_array().unwrap().len(), 0, "a refused call is no call");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_above_the_limit_is_told_when_to_try_again() {
    if !has("sipp", "sip-tester") {
        return;
    }
    let service = Serving::start("[sip]\ncalls_max = 1");
    let phone = Phone::bind("127.0.0.1:0".parse().unwrap(), 30_000..=30_999).await.unwrap();
    let uri = service.uri("parcel");
    let mut talk = Box::pin(phone.ring(&uri, Script::default(), PATIENCE));
    let refused = async {
        service.api.until_live(1).await;
        let sipp = Sipp::scenario(service.udp, "parcel", "full", &[]);
        sipp.with(&["-key", "caller", "late"]).run().await;
    };
    tokio::select! {
        played = &mut talk => panic!("the first call ended early: {played:?}"),
        () = refused => {}
    }
    drop(talk);
    service.api.until_live(0).await;
    // There is room again.
    let calls = ["-m", "1", "-d", "500"];
    let again = Sipp::caller(service.udp, "parcel").with(&calls).run();
    tokio::time::timeout(Duration::from_secs(30), again).await.expect("in time");
}
