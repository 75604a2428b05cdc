//! Calls that go as they should: by UDP and TCP, early and late offers, holding, keys by INFO.

use std::collections::BTreeSet;

use serde_json::Value;
use tokio::net::UdpSocket;

use crate::support::{PATIENCE, Serving, Sipp, has, until};

/// Keys of a call's timeline.
async fn keys(service: &Serving, call: &Value) -> String {
    let timeline = service.api.timeline(call["id"].as_str().unwrap()).await;
    let keyed = timeline.iter().filter(|entry| entry["what"] == "keyed");
    keyed.map(|entry| entry["digit"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_calls_of_sipp_are_served_and_leave_nothing_behind() {
    if !has("sipp", "sip-tester") {
        return;
    }
    let service = Serving::start("");
    let before = service.udp_ports();
    assert!(before.contains(&service.udp.port()), "{before:?}");
    let calls = ["-m", "100", "-r", "25", "-d", "1500"];
    let sipp = tokio::spawn(Sipp::caller(service.udp, "parcel").with(&calls).run());
    until("media ports in use", async || {
        (service.udp_ports().len() >= before.len() + 20).then_some(())
    })
    .await;
    sipp.await.unwrap();
    service.api.until_live(0).await;
    until("all ports given back", async || (service.udp_ports() == before).then_some(())).await;

    let calls = service.api.until_ended(100).await;
    assert_eq!(calls.len(), 100);
    for call in &calls {
        let names: BTreeSet<&str> = call.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(names.is_superset(&["id", "from", "to", "leg", "started"].into()), "{call}");
        assert_eq!(call["outcome"], "abandoned", "{call}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_over_tcp_is_served() {
    if !has("sipp", "sip-tester") {
        return;
    }
    let service = Serving::start("");
    let calls = ["-t", "t1", "-m", "5", "-r", "5", "-d", "1000"];
    Sipp::caller(service.tcp, "parcel").with(&calls).run().await;
    service.api.until_live(0).await;
    assert_eq!(service.api.until_ended(5).await.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_offer_is_answered_and_spoken_to() {
    if !has("sipp", "sip-tester") {
        return;
    }
    let service = Serving::shared();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    let changes = [("@@PORT@@", port.as_str())];
    let sipp = Sipp::scenario(service.udp, "parcel", "late_offer", &changes);
    let mut packets = Vec::new();
    let listen = async {
        let mut buffer = [0; 1_500];
        while let Ok((len, from)) = socket.recv_from(&mut buffer).await {
            packets.push(buffer[..len].to_vec());
            // Silence goes back, or the media would be offered anew after 4.5 s.
            buffer[len.min(12)..len].fill(0xff);
            drop(socket.send_to(&buffer[..len], from).await);
        }
    };
    tokio::select! {
        () = listen => panic!("the socket is gone"),
        () = sipp.with(&["-key", "caller", "late"]).run() => {}
    }
    assert!(packets.len() >= 100, "2 s of RTP within 8 s: {}", packets.len());
    assert!(packets.iter().all(|it| it.len() == 172 && it[0] == 0x80 && it[1] & 0x7f == 0));
    // 0xff and 0x7f are silence in PCMU.
    let loud = |packet: &&Vec<u8>| packet[12..].iter().any(|it| it & 0x7f < 0x60);
    assert!(packets.iter().filter(loud).count() > 30, "a greeting is heard");
    let call = service.api.ended_call_of("late").await;
    assert!(!call["answered"].is_null(), "{call}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_moves_by_the_ack_of_a_change_without_offer_is_followed() {
    if !has("sipp", "sip-tester") {
        return;
    }
    let service = Serving::shared();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    let sipp = Sipp::scenario(service.udp, "parcel", "late_move", &[("@@PORT@@", &port)]);
    let sipp = tokio::spawn(sipp.with(&["-key", "caller", "mover"]).run());
    let mut buffer = [0; 1_500];
    for _ in 0..50 {
        let packet = tokio::time::timeout(PATIENCE, socket.recv(&mut buffer));
        assert_eq!(packet.await.expect("RTP where it is wanted now").unwrap(), 172);
    }
    sipp.await.unwrap();
    let call = service.api.ended_call_of("mover").await;
    let timeline = service.api.timeline(call["id"].as_str().unwrap()).await;
    assert_eq!(timeline.iter().filter(|entry| entry["what"] == "answered").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_on_hold_is_not_asked_about_and_silence_after_it_is() {
    if !has("sipp", "sip-tester") {
        return;
    }
    let service = Serving::start("[sip]\nno_media_ask_s = 1\nno_media_end_s = 4");
    let changes = [("@@HELD_MS@@", "6000")];
    let sipp = Sipp::scenario(service.udp, "short", "hold", &changes);
    sipp.with(&["-key", "caller", "holder"]).run().await;
    let call = service.api.ended_call_of("holder").await;
    assert_eq!(call["cause"], "no media", "{call}");
    let timeline = service.api.timeline(call["id"].as_str().unwrap()).await;
    let at = |fits: &dyn Fn(&Value) -> bool| {
        let found = timeline.iter().find(|entry| fits(entry));
        found.unwrap_or_else(|| panic!("{timeline:#?}"))["at_ms"].as_u64().unwrap()
    };
    let held = at(&|entry| entry["what"] == "held" && entry["role"] == "caller");
    let resumed = at(&|entry| entry["what"] == "resumed" && entry["role"] == "caller");
    let asked = at(&|entry| {
        entry["text"].as_str().is_some_and(|it| it.starts_with("I can't hear anything"))
    });
    assert!(resumed >= held + 5_500, "{held} {resumed}");
    assert!(asked >= resumed + 1_000, "{resumed} {asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digit_by_info_counts_where_telephone_event_was_not_offered() {
    if !has("sipp", "sip-tester") {
        return;
    }
    let service = Serving::shared();
    for (scenario, caller, expected) in
        [("info_digit", "info", "5"), ("info_ignored", "no-info", "")]
    {
        let sipp = Sipp::scenario(service.udp, "parcel", scenario, &[]);
        sipp.with(&["-key", "caller", caller]).run().await;
        let call = service.api.ended_call_of(caller).await;
        assert_eq!(keys(&service, &call).await, expected, "{scenario}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_interval_is_agreed_on_and_refreshed_by_update() {
    if !has("sipp", "sip-tester") {
        return;
    }
    let service = Serving::shared();
    let sipp = Sipp::scenario(service.udp, "parcel", "timer", &[]);
    sipp.with(&["-key", "caller", "timed"]).run().await;
    let call = service.api.ended_call_of("timed").await;
    assert_eq!(call["cause"], "bye", "{call}");
}

#[tokio::test(flavor = "multi_thread")]
async fn options_are_answered_with_what_we_can_do() {
    if !has("sipp", "sip-tester") {
        return;
    }
    let service = Serving::shared();
    let udp = Sipp::scenario(service.udp, "parcel", "options", &[]);
    udp.with(&["-key", "caller", "asker"]).run().await;
    let tcp = Sipp::scenario(service.tcp, "parcel", "options", &[]);
    tcp.with(&["-key", "caller", "asker", "-t", "t1"]).run().await;
}

/// A call that is cancelled in the same moment: whichever of CANCEL and answer wins.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_cancelled_at_once_ends_whichever_comes_first() {
    let service = Serving::start("");
    let before = service.udp_ports();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (ours, theirs) = (socket.local_addr().unwrap(), service.udp);
    let request = |method: &str, number: u32, to_tag: &str, branch: &str, body: &str| {
        format!(
            "{method} sip:parcel@{theirs} SIP/2.0\r\nVia: SIP/2.0/UDP {ours};branch={branch}\r\n\
             From: <sip:hasty@{ours}>;tag=h\r\nTo: <sip:parcel@{theirs}>{to_tag}\r\n\
             Call-ID: hasty\r\nCSeq: {number} {}\r\nContact: <sip:hasty@{ours}>\r\n\
             Max-Forwards: 70\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{body}",
            method,
            body.len(),
        )
    };
    let offer = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                 m=audio 40000 RTP/AVP 0\r\n";
    let invite = request("INVITE", 1, "", "z9hG4bKone", offer);
    socket.send_to(invite.as_bytes(), theirs).await.unwrap();
    let cancel = request("CANCEL", 1, "", "z9hG4bKone", "");
    socket.send_to(cancel.as_bytes(), theirs).await.unwrap();

    let (mut cancelled, mut invited) = (None, None);
    let answers = async {
        while cancelled.is_none() || invited.is_none() {
            let mut buffer = [0; 4_096];
            let len = socket.recv(&mut buffer).await.unwrap();
            let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
            let code: u16 = text[8..11].parse().unwrap();
            let field = |name: &str| {
                let mut lines = text.lines();
                let line = lines.find(|it| it.to_lowercase().starts_with(name)).unwrap();
                line.to_owned()
            };
            if field("cseq").contains("CANCEL") {
                cancelled = Some(code);
            } else if code >= 200 {
                let to = field("to:");
                invited = Some((code, to[to.find(";tag").unwrap()..].to_owned()));
            }
        }
    };
    tokio::time::timeout(PATIENCE, answers).await.expect("both are answered");
    assert_eq!(cancelled, Some(200));
    let (code, tag) = invited.unwrap();
    eprintln!("a CANCEL right behind its INVITE: {code}");
    assert!(code == 200 || code == 487, "{code}");
    let branch = if code == 200 { "z9hG4bKtwo" } else { "z9hG4bKone" };
    let ack = request("ACK", 1, &tag, branch, "");
    socket.send_to(ack.as_bytes(), theirs).await.unwrap();
    if code == 200 {
        let bye = request("BYE", 2, &tag, "z9hG4bKthree", "");
        socket.send_to(bye.as_bytes(), theirs).await.unwrap();
    }
    service.api.until_live(0).await;
    until("all ports given back", async || (service.udp_ports() == before).then_some(())).await;
    let call = service.api.ended_call_of("hasty").await;
    let cause = if code == 200 { "bye" } else { "cancelled" };
    assert_eq!(call["cause"], cause, "{call}");
}
