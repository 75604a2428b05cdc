//! Session timers, reliable provisional responses and UPDATE, as a telephone sees them on the wire
//! (RFC 4028, RFC 3262, RFC 3311). Seconds shrink with T1: 100 ms each here.
#![expect(clippy::unwrap_used, reason = "a telephone that cannot speak has failed the test")]

mod support;

use std::time::Duration;

use cordboard_sip::endpoint::{Endpoint, LegSignal, T1};
use cordboard_sip::session_timer::Limits;

use support::{Phone, call, endpoint, field, next, request, sdp, settled, to_tag};

/// A second of the standard's is 100 ms: a session's third, which is left for a refresh, is longer
/// than a busy machine stands still.
const SHORT_T1: Duration = Duration::from_millis(50);

fn limits(endpoint: &Endpoint, expires_s: u32, min_se_s: u32) {
    endpoint.set_session_timers(Limits { expires_s, min_se_s });
}

/// A message with one more line.
fn with(message: &str, line: &str) -> String {
    message.replacen("Max-Forwards", &format!("{line}\r\nMax-Forwards"), 1)
}

/// The answer of a telephone to what was sent to it.
fn answer(phone: &Phone, to: &str, status: &str, tag: &str, lines: &str, sdp: &str) -> String {
    let copied = ["Via", "From", "Call-ID", "CSeq"]
        .map(|it| format!("{it}: {}\r\n", field(to, it).unwrap()));
    let mut target = field(to, "To").unwrap().to_owned();
    if !target.contains(";tag=") {
        target.push_str(&format!(";tag={tag}"));
    }
    let at = phone.socket.local_addr().unwrap();
    let kind = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "SIP/2.0 {status}\r\n{}To: {target}\r\nContact: <sip:{tag}@{at}>\r\n{lines}{kind}\
         Content-Length: {}\r\n\r\n{sdp}",
        copied.concat(),
        sdp.len(),
    )
}

#[tokio::test]
async fn a_caller_who_vanished_is_hung_up_within_the_session_interval() {
    let (here, mut calls) = endpoint(SHORT_T1).await;
    limits(&here, 30, 15);
    let phone = Phone::new(&here).await;
    let invite = phone.request("INVITE", "gone", 1, "", &sdp(4000));
    phone.send(&with(&invite, "Supported: timer\r\nSession-Expires: 60")).await;
    let mut leg = call(&mut calls).await.leg;
    leg.line.answer(sdp(5000));
    let ok = phone.receive_of("SIP/2.0 200").await;
    assert_eq!(field(&ok, "Session-Expires"), Some("30;refresher=uac"));
    assert_eq!(field(&ok, "Require"), Some("timer"));
    assert!(field(&ok, "Supported").is_some_and(|it| it.contains("timer")));
    let tag = to_tag(&ok);
    phone.send(&phone.request("ACK", "gone", 1, &tag, "")).await;
    assert_eq!(next(&mut leg).await, Some(LegSignal::Acked { sdp: None }));
    // They refresh once, then never again.
    phone.send(&with(&phone.request("UPDATE", "gone", 2, &tag, ""), "Supported: timer")).await;
    let ok = phone.receive_of("SIP/2.0 200").await;
    assert_eq!(field(&ok, "Session-Expires"), Some("30;refresher=uac"));
    assert_eq!(next(&mut leg).await, Some(LegSignal::Expired));
    let bye = phone.receive_of("BYE").await;
    assert!(field(&bye, "Reason").is_some_and(|it| it.contains("Session expired")));
    // Nobody answers that either.
    settled(&here).await;
}

#[tokio::test]
async fn we_refresh_for_those_who_cannot_by_update_or_by_the_same_offer_again() {
    for updates in [true, false] {
        let (here, mut calls) = endpoint(SHORT_T1).await;
        limits(&here, 20, 15);
        let phone = Phone::new(&here).await;
        let mut invite = phone.request("INVITE", "old", 1, "", &sdp(4000));
        if updates {
            invite = with(&invite, "Allow: INVITE, ACK, BYE, UPDATE");
        }
        phone.send(&invite).await;
        let mut leg = call(&mut calls).await.leg;
        leg.line.answer(sdp(5000));
        let ok = phone.receive_of("SIP/2.0 200").await;
        assert_eq!(field(&ok, "Session-Expires"), Some("20;refresher=uas"));
        assert_eq!(field(&ok, "Require"), None);
        phone.send(&phone.request("ACK", "old", 1, &to_tag(&ok), "")).await;
        assert_eq!(next(&mut leg).await, Some(LegSignal::Acked { sdp: None }));
        for port in [4000, 4002, 4002] {
            let refresh = phone.receive_of(if updates { "UPDATE" } else { "INVITE" }).await;
            assert_eq!(field(&refresh, "Session-Expires"), Some("20;refresher=uac"));
            let body = if updates { String::new() } else { sdp(port) };
            assert!(updates || refresh.ends_with(&sdp(5000)), "{refresh}");
            let lines = "Session-Expires: 20;refresher=uac\r\n";
            phone.send(&answer(&phone, &refresh, "200 OK", "bo", lines, &body)).await;
            if !updates {
                // Their sound may have moved with it.
                let told = LegSignal::ReinviteAccepted { sdp: Some(body) };
                assert_eq!(next(&mut leg).await, Some(told));
            }
        }
        let refresh = phone.receive_of(if updates { "UPDATE" } else { "INVITE" }).await;
        phone.send(&answer(&phone, &refresh, "481 Gone", "bo", "", "")).await;
        assert_eq!(next(&mut leg).await, Some(LegSignal::Expired));
        phone.receive_of("BYE").await;
    }
}

#[tokio::test]
async fn too_short_a_session_is_refused_and_we_ask_again_for_a_longer_one() {
    let (here, mut calls) = endpoint(T1).await;
    let phone = Phone::new(&here).await;
    let invite = phone.request("INVITE", "short", 1, "", &sdp(4000));
    phone.send(&with(&invite, "Supported: timer\r\nx: 60")).await;
    let refused = phone.receive_of("SIP/2.0 422").await;
    assert_eq!(field(&refused, "Min-SE"), Some("90"));
    assert!(calls.try_recv().is_err());

    let at = phone.socket.local_addr().unwrap();
    let mut leg = here.dial(request(format!("sip:slow@{at}"))).unwrap();
    let invite = phone.receive_of("INVITE").await;
    assert_eq!(field(&invite, "Session-Expires"), Some("1800"));
    let refused = answer(&phone, &invite, "422 Too Small", "no", "Min-SE: 3600\r\n", "");
    phone.send(&refused).await;
    phone.receive_of("ACK").await;
    let invite = phone.receive_of("INVITE").await;
    assert_eq!(field(&invite, "CSeq"), Some("2 INVITE"));
    assert_eq!(field(&invite, "Session-Expires"), Some("3600"));
    assert_eq!(field(&invite, "Min-SE"), Some("3600"));
    assert!(!field(&invite, "To").unwrap().contains("tag="));
    let lines = "Session-Expires: 3600;refresher=uac\r\nRequire: timer\r\n";
    phone.send(&answer(&phone, &invite, "200 OK", "yes", lines, &sdp(5000))).await;
    let ack = phone.receive_of("ACK").await;
    assert_eq!(field(&ack, "CSeq"), Some("2 ACK"));
    assert_eq!(next(&mut leg).await, Some(LegSignal::Accepted { sdp: Some(sdp(5000)) }));
    leg.line.hang_up(None);
    let bye = phone.receive_of("BYE").await;
    assert_eq!(field(&bye, "CSeq"), Some("3 BYE"));
    phone.send(&answer(&phone, &bye, "200 OK", "yes", "", "")).await;
    settled(&here).await;
}

#[tokio::test]
async fn a_call_given_up_after_a_422_is_cancelled_by_its_second_number() {
    let (here, _calls) = endpoint(T1).await;
    let phone = Phone::new(&here).await;
    let at = phone.socket.local_addr().unwrap();
    let mut leg = here.dial(request(format!("sip:slow@{at}"))).unwrap();
    let invite = phone.receive_of("INVITE").await;
    phone.send(&answer(&phone, &invite, "422 Small", "no", "Min-SE: 3600\r\n", "")).await;
    let invite = phone.receive_of("INVITE").await;
    phone.send(&answer(&phone, &invite, "180 Ringing", "yes", "", "")).await;
    assert_eq!(next(&mut leg).await, Some(LegSignal::Progress { code: 180, sdp: None }));
    leg.line.hang_up(None);
    let cancel = phone.receive_of("CANCEL").await;
    assert_eq!(field(&cancel, "CSeq"), Some("2 CANCEL"));
    assert_eq!(field(&cancel, "Via"), field(&invite, "Via"));
    phone.send(&answer(&phone, &cancel, "200 OK", "yes", "", "")).await;
    phone.send(&answer(&phone, &invite, "487 Terminated", "yes", "", "")).await;
    let refused = next(&mut leg).await;
    assert!(matches!(refused, Some(LegSignal::Refused { code: 487, .. })), "{refused:?}");
    settled(&here).await;
}

#[tokio::test]
async fn who_asks_us_to_ring_somebody_else_is_told_and_refused_and_the_call_goes_on() {
    let (here, mut calls) = endpoint(T1).await;
    let phone = Phone::new(&here).await;
    phone.send(&phone.request("INVITE", "refers", 1, "", &sdp(4000))).await;
    let mut leg = call(&mut calls).await.leg;
    leg.line.answer(sdp(5000));
    let tag = to_tag(&phone.receive_of("SIP/2.0 200").await);
    phone.send(&phone.request("ACK", "refers", 1, &tag, "")).await;
    assert_eq!(next(&mut leg).await, Some(LegSignal::Acked { sdp: None }));
    let refer = phone.request("REFER", "refers", 2, &tag, "");
    phone.send(&with(&refer, "Refer-To: <sip:ada@192.0.2.7>")).await;
    let to = "<sip:ada@192.0.2.7>".to_owned();
    assert_eq!(next(&mut leg).await, Some(LegSignal::Referred { to }));
    phone.receive_of("SIP/2.0 405").await;
    phone.send(&phone.request("BYE", "refers", 3, &tag, "")).await;
    assert_eq!(next(&mut leg).await, Some(LegSignal::Bye { reason: None }));
}

#[tokio::test]
async fn ringing_that_must_arrive_is_repeated_until_it_is_acknowledged() {
    let (here, mut calls) = endpoint(Duration::from_millis(50)).await;
    let phone = Phone::new(&here).await;
    let invite = phone.request("INVITE", "sure", 1, "", &sdp(4000));
    phone.send(&with(&invite, "Require: 100rel")).await;
    let mut leg = call(&mut calls).await.leg;
    leg.line.ringing();
    let ringing = phone.receive_of("SIP/2.0 180").await;
    assert_eq!(field(&ringing, "Require"), Some("100rel"));
    let rseq: u32 = field(&ringing, "RSeq").unwrap().parse().unwrap();
    assert_eq!(phone.receive_of("SIP/2.0 180").await, ringing, "repeated");
    let tag = to_tag(&ringing);
    let prack = |seq, rack: String| {
        with(&phone.request("PRACK", "sure", seq, &tag, ""), &format!("RAck: {rack}"))
    };
    phone.send(&prack(2, format!("{} 1 INVITE", rseq + 1))).await;
    phone.receive_of("SIP/2.0 481").await;
    phone.send(&prack(3, format!("{rseq} 1 INVITE"))).await;
    phone.receive_of("SIP/2.0 200").await;
    phone.send(&prack(4, format!("{rseq} 1 INVITE"))).await;
    phone.receive_of("SIP/2.0 481").await;
    // Sound before the answer: the description is the answer to their offer, once and for all.
    leg.line.progress(sdp(5000));
    let progress = phone.receive_of("SIP/2.0 183").await;
    assert!(progress.ends_with(&sdp(5000)));
    assert_eq!(field(&progress, "RSeq"), Some((rseq + 1).to_string().as_str()));
    leg.line.answer(sdp(5000));
    // The answer waits for this.
    phone.send(&prack(5, format!("{} 1 INVITE", rseq + 1))).await;
    let mut final_answer = String::new();
    while !final_answer.contains("1 INVITE") {
        final_answer = phone.receive_of("SIP/2.0 200").await;
    }
    assert_eq!(field(&final_answer, "Content-Length"), Some("0"), "no second answer");
    phone.send(&phone.request("ACK", "sure", 1, &tag, "")).await;
    assert_eq!(next(&mut leg).await, Some(LegSignal::Acked { sdp: None }));
}

#[tokio::test]
async fn ringing_that_nobody_acknowledges_is_given_up() {
    let (here, mut calls) = endpoint(SHORT_T1).await;
    let phone = Phone::new(&here).await;
    let invite = phone.request("INVITE", "deaf", 1, "", &sdp(4000));
    phone.send(&with(&invite, "Require: 100rel")).await;
    let mut leg = call(&mut calls).await.leg;
    leg.line.ringing();
    phone.receive_of("SIP/2.0 504").await;
    assert_eq!(next(&mut leg).await, Some(LegSignal::NoAck));
    assert_eq!(next(&mut leg).await, None);
    settled(&here).await;
}

#[tokio::test]
async fn we_acknowledge_what_must_arrive_once_and_in_order() {
    let (here, _calls) = endpoint(T1).await;
    let phone = Phone::new(&here).await;
    let at = phone.socket.local_addr().unwrap();
    let mut leg = here.dial(request(format!("sip:early@{at}"))).unwrap();
    let invite = phone.receive_of("INVITE").await;
    assert!(field(&invite, "Supported").is_some_and(|it| it.contains("100rel")));
    let reliable = |rseq: u32, status: &str, body: &str| {
        let lines = format!("Require: 100rel\r\nRSeq: {rseq}\r\n");
        answer(&phone, &invite, status, "one", &lines, body)
    };
    phone.send(&reliable(41, "183 Progress", &sdp(5000))).await;
    let progress = LegSignal::Progress { code: 183, sdp: Some(sdp(5000)) };
    assert_eq!(next(&mut leg).await, Some(progress));
    let prack = phone.receive_of("PRACK").await;
    assert_eq!(field(&prack, "RAck"), Some("41 1 INVITE"));
    assert_eq!((field(&prack, "CSeq"), to_tag(&prack).as_str()), (Some("2 PRACK"), "one"));
    phone.send(&answer(&phone, &prack, "200 OK", "one", "", "")).await;
    // Seen before, and too early: neither is told nor acknowledged.
    phone.send(&reliable(41, "183 Progress", &sdp(5000))).await;
    phone.send(&reliable(43, "182 Queued", "")).await;
    phone.send(&reliable(42, "180 Ringing", "")).await;
    assert_eq!(next(&mut leg).await, Some(LegSignal::Progress { code: 180, sdp: None }));
    let prack = phone.receive_of("PRACK").await;
    assert_eq!(field(&prack, "RAck"), Some("42 1 INVITE"));
    phone.send(&answer(&phone, &prack, "200 OK", "one", "", "")).await;
    // They change the session before they answer.
    let tag = field(&invite, "From").unwrap().split_once("tag=").unwrap().1.to_owned();
    let call_id = field(&invite, "Call-ID").unwrap();
    let update = phone.request("UPDATE", call_id, 7, &tag, &sdp(5002)).replace("tag=bo", "tag=one");
    phone.send(&update).await;
    assert_eq!(next(&mut leg).await, Some(LegSignal::Reinvited { sdp: Some(sdp(5002)) }));
    leg.line.accept_reinvite(sdp(4002));
    assert!(phone.receive_of("SIP/2.0 200").await.ends_with(&sdp(4002)));
    // The answer has no description: it was said before.
    phone.send(&answer(&phone, &invite, "200 OK", "one", "", "")).await;
    phone.receive_of("ACK").await;
    assert_eq!(next(&mut leg).await, Some(LegSignal::Accepted { sdp: Some(sdp(5002)) }));
    leg.line.hang_up(None);
    let bye = phone.receive_of("BYE").await;
    assert_eq!(field(&bye, "CSeq"), Some("4 BYE"));
}

#[tokio::test]
async fn an_update_before_its_time_is_told_when_to_come_again() {
    let (here, mut calls) = endpoint(T1).await;
    let phone = Phone::new(&here).await;
    phone.send(&phone.request("INVITE", "hasty", 1, "", &sdp(4000))).await;
    let mut leg = call(&mut calls).await.leg;
    leg.line.ringing();
    let tag = to_tag(&phone.receive_of("SIP/2.0 180").await);
    let update = |seq, body: &str| phone.request("UPDATE", "hasty", seq, &tag, body);
    phone.send(&update(2, "")).await;
    phone.receive_of("SIP/2.0 200").await;
    phone.send(&update(3, &sdp(4002))).await;
    assert!(field(&phone.receive_of("SIP/2.0 500").await, "Retry-After").is_some());
    leg.line.answer(sdp(5000));
    phone.receive_of("SIP/2.0 200").await;
    phone.send(&phone.request("ACK", "hasty", 1, &tag, "")).await;
    assert_eq!(next(&mut leg).await, Some(LegSignal::Acked { sdp: None }));
    // One change waits for us: another comes too soon. Without a description it is no change.
    phone.send(&update(4, &sdp(4004))).await;
    assert_eq!(next(&mut leg).await, Some(LegSignal::Reinvited { sdp: Some(sdp(4004)) }));
    phone.send(&update(5, &sdp(4006))).await;
    assert!(field(&phone.receive_of("SIP/2.0 500").await, "Retry-After").is_some());
    phone.send(&update(6, "")).await;
    phone.receive_of("SIP/2.0 200").await;
    leg.line.accept_reinvite(sdp(5004));
    assert!(phone.receive_of("SIP/2.0 200").await.ends_with(&sdp(5004)));
    // While ours is on its way, theirs is glare, by either method.
    leg.line.reinvite(sdp(5006));
    let ours = phone.receive_of("INVITE").await;
    phone.send(&update(7, &sdp(4008))).await;
    phone.receive_of("SIP/2.0 491").await;
    phone.send(&phone.request("INVITE", "hasty", 8, &tag, &sdp(4008))).await;
    phone.receive_of("SIP/2.0 491").await;
    phone.send(&answer(&phone, &ours, "491 Pending", "bo", "", "")).await;
    assert_eq!(next(&mut leg).await, Some(LegSignal::ReinviteRefused { code: 491 }));
}

#[tokio::test]
async fn messages_are_told_without_addresses_credentials_and_keys() {
    let (here, mut calls) = endpoint(T1).await;
    here.set_trace(true);
    let phone = Phone::new(&here).await;
    let crypto = format!("{}a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:SECRET\r\n", sdp(4000));
    let invite = phone.request("INVITE", "seen", 1, "", &crypto);
    phone.send(&with(&invite, "Authorization: Digest username=\"SECRET\"")).await;
    let mut leg = call(&mut calls).await.leg;
    leg.line.answer(sdp(5000));
    let tag = to_tag(&phone.receive_of("SIP/2.0 200").await);
    phone.send(&phone.request("ACK", "seen", 1, &tag, "")).await;
    phone.send(&phone.request("BYE", "seen", 2, &tag, "")).await;
    phone.receive_of("SIP/2.0 200").await;
    let mut told = Vec::new();
    while let Some(signal) = next(&mut leg).await {
        if let LegSignal::Trace { sent, summary } = signal {
            told.push(format!("{} {summary}", if sent { ">" } else { "<" }));
        }
    }
    let all = told.join("\n");
    assert!(!all.contains("SECRET") && !all.contains("127.0.0.1"), "{all}");
    assert_eq!(told[0], "< INVITE, 1 INVITE, Content-Type: application/sdp, audio RTP/AVP 0");
    for wanted in ["> 200 OK, 1 INVITE, Session-Expires: 1800", "< ACK, 1 ACK", "< BYE, 2 BYE"] {
        assert!(told.iter().any(|it| it.starts_with(wanted)), "{wanted}\n{all}");
    }
}
