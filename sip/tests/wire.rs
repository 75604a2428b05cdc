//! What a telephone sees on the wire, well-behaved or not (RFC 3261, RFC 6026, RFC 3311).

mod support;

use std::time::Duration;

use cordboard_sip::endpoint::{Admission, Endpoint, EndpointConfig, LegSignal, T1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use support::{
    PATIENCE, Phone, call, endpoint, field, next, request, sdp, settled, to_tag,
    without_transactions,
};

#[tokio::test]
async fn a_late_offer_is_ours_and_its_answer_comes_in_the_ack() {
    let (here, mut calls) = endpoint(T1).await;
    let phone = Phone::new(&here).await;
    phone.send(&phone.request("INVITE", "late", 1, "", "")).await;
    let incoming = call(&mut calls).await;
    assert_eq!(incoming.offer, None);
    let mut leg = incoming.leg;
    leg.line.answer(sdp(5000));
    let ok = phone.receive_of("SIP/2.0 200").await;
    assert!(ok.ends_with(&sdp(5000)));
    let tag = to_tag(&ok);
    phone.send(&phone.request("ACK", "late", 1, &tag, &sdp(4000))).await;
    assert_eq!(next(&mut leg).await, Some(LegSignal::Acked { sdp: Some(sdp(4000)) }));
    // The same in a re-INVITE.
    phone.send(&phone.request("INVITE", "late", 2, &tag, "")).await;
    assert_eq!(next(&mut leg).await, Some(LegSignal::Reinvited { sdp: None }));
    leg.line.accept_reinvite(sdp(5002));
    assert!(phone.receive_of("SIP/2.0 200").await.ends_with(&sdp(5002)));
    phone.send(&phone.request("ACK", "late", 2, &tag, &sdp(4002))).await;
    assert_eq!(next(&mut leg).await, Some(LegSignal::Acked { sdp: Some(sdp(4002)) }));
    phone.send(&phone.request("BYE", "late", 3, &tag, "")).await;
    phone.receive_of("SIP/2.0 200").await;
    assert_eq!(next(&mut leg).await, Some(LegSignal::Bye { reason: None }));
    settled(&here).await;
}

#[tokio::test]
async fn an_answer_never_acknowledged_is_repeated_and_then_hung_up() {
    let t1 = Duration::from_millis(50);
    let (here, mut calls) = endpoint(t1).await;
    let phone = Phone::new(&here).await;
    phone.send(&phone.request("INVITE", "deaf", 1, "", &sdp(4000))).await;
    let mut leg = call(&mut calls).await.leg;
    leg.line.answer(sdp(5000));
    for _ in 0..4 {
        phone.receive_of("SIP/2.0 200").await;
    }
    assert_eq!(next(&mut leg).await, Some(LegSignal::NoAck));
    let bye = phone.receive_of("BYE").await;
    assert_eq!(field(&bye, "Call-ID"), Some("deaf"));
    assert_eq!(next(&mut leg).await, None);
    settled(&here).await;
}

#[tokio::test]
async fn hanging_up_waits_for_the_ack() {
    let (here, mut calls) = endpoint(T1).await;
    let phone = Phone::new(&here).await;
    phone.send(&phone.request("INVITE", "early", 1, "", &sdp(4000))).await;
    let leg = call(&mut calls).await.leg;
    leg.line.answer(sdp(5000));
    leg.line.hang_up(None);
    let tag = to_tag(&phone.receive_of("SIP/2.0 200").await);
    phone.send(&phone.request("ACK", "early", 1, &tag, "")).await;
    phone.receive_of("BYE").await;
}

#[tokio::test]
async fn a_repeated_invite_rings_once_and_gets_the_same_answers() {
    let (here, mut calls) = endpoint(T1).await;
    let phone = Phone::new(&here).await;
    let invite = phone.request("INVITE", "again", 1, "", &sdp(4000));
    phone.send(&invite).await;
    let leg = call(&mut calls).await.leg;
    leg.line.ringing();
    let ringing = phone.receive_of("SIP/2.0 180").await;
    phone.send(&invite).await;
    assert_eq!(phone.receive_of("SIP/2.0 180").await, ringing);
    leg.line.answer(sdp(5000));
    let first = phone.receive_of("SIP/2.0 200").await;
    phone.send(&phone.request("ACK", "again", 1, &to_tag(&first), "")).await;
    // The transaction is over; its answer is kept for such as this.
    without_transactions(&here).await;
    phone.send(&invite).await;
    assert_eq!(phone.receive_of("SIP/2.0 200").await, first);
    assert_eq!(here.counters().dialogs, 1);
    assert!(calls.try_recv().is_err());
}

#[tokio::test]
async fn one_tag_for_ringing_answer_and_cancel() {
    let (here, mut calls) = endpoint(T1).await;
    let phone = Phone::new(&here).await;
    phone.send(&phone.request("INVITE", "tags", 1, "", &sdp(4000))).await;
    let mut leg = call(&mut calls).await.leg;
    leg.line.ringing();
    let tag = to_tag(&phone.receive_of("SIP/2.0 180").await);
    phone.send(&phone.request("CANCEL", "tags", 1, "", "")).await;
    phone.receive_of("SIP/2.0 200").await;
    let terminated = phone.receive_of("SIP/2.0 487").await;
    assert_eq!(to_tag(&terminated), tag);
    assert_eq!(next(&mut leg).await, Some(LegSignal::Cancelled));
    settled(&here).await;
}

#[tokio::test]
async fn a_change_that_overtakes_the_ack_is_served_after_it() {
    let (here, mut calls) = endpoint(T1).await;
    let phone = Phone::new(&here).await;
    phone.send(&phone.request("INVITE", "fast", 1, "", &sdp(4000))).await;
    let mut leg = call(&mut calls).await.leg;
    leg.line.answer(sdp(5000));
    let tag = to_tag(&phone.receive_of("SIP/2.0 200").await);
    phone.send(&phone.request("INVITE", "fast", 2, &tag, &sdp(4002))).await;
    phone.send(&phone.request("ACK", "fast", 1, &tag, "")).await;
    assert_eq!(next(&mut leg).await, Some(LegSignal::Acked { sdp: None }));
    assert_eq!(next(&mut leg).await, Some(LegSignal::Reinvited { sdp: Some(sdp(4002)) }));
    // And a change on top of it is asked to wait.
    phone.send(&phone.request("INVITE", "fast", 3, &tag, &sdp(4004))).await;
    let busy = phone.receive_of("SIP/2.0 500").await;
    assert_eq!(field(&busy, "Retry-After"), Some("1"));
    // Which they take back.
    phone.send(&phone.request("CANCEL", "fast", 2, &tag, "")).await;
    phone.receive_of("SIP/2.0 487").await;
    assert_eq!(next(&mut leg).await, Some(LegSignal::ReinviteCancelled));
    phone.send(&phone.request("UPDATE", "fast", 4, &tag, &sdp(4006))).await;
    assert_eq!(next(&mut leg).await, Some(LegSignal::Reinvited { sdp: Some(sdp(4006)) }));
    leg.line.accept_reinvite(sdp(5006));
    assert!(phone.receive_of("SIP/2.0 200").await.ends_with(&sdp(5006)));
}

#[tokio::test]
async fn requests_without_a_call_get_the_status_that_says_so() {
    let (here, mut calls) = endpoint(T1).await;
    let phone = Phone::new(&here).await;
    for (method, tag, status) in [
        ("OPTIONS", "", 200),
        ("BYE", "", 481),
        ("BYE", "nobody", 481),
        ("INVITE", "nobody", 481),
        ("INFO", "nobody", 481),
        ("CANCEL", "", 481),
        ("REGISTER", "", 405),
        ("SUBSCRIBE", "", 405),
        ("FLY", "", 501),
    ] {
        let name = format!("{method}{tag}");
        phone.send(&phone.request(method, &name, 1, tag, "")).await;
        let answer = phone.receive().await;
        assert!(answer.starts_with(&format!("SIP/2.0 {status} ")), "{method}: {answer}");
        assert_eq!(field(&answer, "Call-ID"), Some(name.as_str()));
    }
    phone.send(&phone.request("OPTIONS", "able", 1, "", "")).await;
    let able = phone.receive_of("SIP/2.0 200").await;
    assert_eq!(field(&able, "Accept"), Some("application/sdp"));
    assert!(field(&able, "Allow").is_some_and(|it| it.contains("INVITE") && it.contains("INFO")));
    here.set_admission(Admission::Refuse { code: 503, retry_after_s: 9 });
    phone.send(&phone.request("OPTIONS", "shut", 1, "", "")).await;
    assert_eq!(field(&phone.receive_of("SIP/2.0 503").await, "Retry-After"), Some("9"));
    assert!(calls.try_recv().is_err());
}

#[tokio::test]
async fn invites_that_ask_too_much_are_refused_with_what_would_do() {
    let (here, mut calls) = endpoint(T1).await;
    let phone = Phone::new(&here).await;
    let invite = |name: &str| phone.request("INVITE", name, 1, "", &sdp(4000));
    for (text, status, header, value) in [
        (
            invite("a").replace("Max", "Require: replaces, 100rel\r\nMax"),
            420,
            "Unsupported",
            "replaces",
        ),
        (invite("b").replace("application/sdp", "text/plain"), 415, "Accept", "application/sdp"),
        (invite("c").replace("Contact:", "X-Contact:"), 400, "Call-ID", "c"),
        (invite("d").replace("CSeq: 1 INVITE", "CSeq: 1 BYE"), 400, "call-id", "d"),
        (invite("e").replace(";tag=bo", ""), 400, "call-id", "e"),
    ] {
        phone.send(&text).await;
        let answer = phone.receive().await;
        assert!(answer.starts_with(&format!("SIP/2.0 {status} ")), "{text}\n{answer}");
        assert_eq!(field(&answer, header), Some(value));
    }
    assert!(calls.try_recv().is_err());
    assert_eq!(here.counters().dialogs, 0);
}

#[tokio::test]
async fn strangers_are_refused_and_scanners_hear_nothing() {
    let config =
        EndpointConfig { bind_udp: "127.0.0.1:0".parse().ok(), ..EndpointConfig::default() };
    let (here, mut calls) = Endpoint::bind(config).await.unwrap();
    let phone = Phone::new(&here).await;
    let scan = phone.request("INVITE", "scan", 1, "", &sdp(4000));
    phone.send(&scan.replace("Max-", "User-Agent: friendly-scanner\r\nMax-")).await;
    phone.send(&phone.request("FLY", "fly", 1, "", "")).await;
    phone.send(&phone.request("INVITE", "stranger", 1, "", &sdp(4000))).await;
    let refused = phone.receive().await;
    assert!(refused.starts_with("SIP/2.0 403 "), "{refused}");
    assert_eq!(field(&refused, "Call-ID"), Some("stranger"));
    assert!(calls.try_recv().is_err());
    let counters = here.counters();
    assert_eq!((counters.scanners, counters.untrusted, counters.malformed), (1, 1, 1));
}

#[tokio::test]
async fn garbage_is_counted_and_the_next_call_comes_through() {
    let (here, mut calls) = endpoint(T1).await;
    let phone = Phone::new(&here).await;
    let invite = phone.request("INVITE", "ok", 1, "", &sdp(4000));
    let broken = phone.request("INVITE", "broken", 1, "", &sdp(4000));
    let mut sent = 0_u64;
    for cut in (1..broken.len()).step_by(7) {
        phone.send(&(broken[..cut].to_owned() + &"\u{fffd}".repeat(3))).await;
        sent += 1;
    }
    phone.send(&broken.replace("sip:100@", "sip:\u{0}@")).await;
    phone.send(&invite).await;
    let known = tokio::time::timeout(PATIENCE, async {
        loop {
            let incoming = call(&mut calls).await;
            if incoming.call_id == "ok" && incoming.offer == Some(sdp(4000)) {
                return incoming;
            }
        }
    });
    assert!(known.await.is_ok());
    assert!(here.counters().malformed >= sent / 2, "{:?}", here.counters());
}

#[tokio::test]
async fn a_broken_connection_is_told_and_the_call_goes_on() {
    let (here, mut calls) = endpoint(T1).await;
    let phone = Phone::new(&here).await;
    let mut stream = TcpStream::connect(here.local_tcp().unwrap()).await.unwrap();
    let invite = phone.request("INVITE", "tcp", 1, "", &sdp(4000)).replace("/UDP", "/TCP");
    stream.write_all(invite.as_bytes()).await.unwrap();
    let mut leg = call(&mut calls).await.leg;
    leg.line.answer(sdp(5000));
    let mut answer = String::new();
    while !answer.contains("SIP/2.0 200") || !answer.ends_with(&sdp(5000)) {
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer).await.unwrap();
        answer.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    let ok = &answer[answer.find("SIP/2.0 200").unwrap()..];
    let ack = phone.request("ACK", "tcp", 1, &to_tag(ok), "").replace("/UDP", "/TCP");
    stream.write_all(ack.as_bytes()).await.unwrap();
    assert_eq!(next(&mut leg).await, Some(LegSignal::Acked { sdp: None }));
    drop(stream);
    assert_eq!(next(&mut leg).await, Some(LegSignal::TransportLost));
    // The contact is on UDP: that is where the BYE goes now.
    leg.line.hang_up(None);
    let bye = phone.receive_of("BYE").await;
    assert_eq!(field(&bye, "Call-ID"), Some("tcp"));
}

#[tokio::test]
async fn a_second_branch_that_answers_is_hung_up() {
    let (here, _calls) = endpoint(T1).await;
    let phone = Phone::new(&here).await;
    let at = phone.socket.local_addr().unwrap();
    let mut leg = here.dial(request(format!("sip:fork@{at}"))).unwrap();
    let invite = phone.receive_of("INVITE").await;
    let answer = |tag: &str, mark: u16| {
        let body = sdp(mark);
        let copied = ["Via", "From", "Call-ID", "CSeq"]
            .map(|it| format!("{it}: {}\r\n", field(&invite, it).unwrap()));
        let to = field(&invite, "To").unwrap();
        format!(
            "SIP/2.0 200 OK\r\n{}To: {to};tag={tag}\r\nContact: <sip:{tag}@{at}>\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            copied.concat(),
            body.len(),
        )
    };
    phone.send(&answer("one", 5000)).await;
    phone.receive_of("ACK").await;
    phone.send(&answer("two", 5002)).await;
    let bye = phone.receive_of("BYE").await;
    assert_eq!(to_tag(&bye), "two");
    assert_eq!(next(&mut leg).await, Some(LegSignal::Accepted { sdp: Some(sdp(5000)) }));
    // The first branch lives on.
    assert_eq!(here.counters().dialogs, 1);
    phone.send(&answer("one", 5000)).await;
    let acked = phone.receive_of("ACK").await;
    assert_eq!(to_tag(&acked), "one");
}
