//! Who is answered with keys, who with 488, and what becomes of keys later.

use super::*;
use crate::negotiation::{Negotiation, without_keys};
use crate::srtp::Opener;

const KEY: &str = "inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
const OTHER: &str = "inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj";
const SUITE: &str = "AES_CM_128_HMAC_SHA1_80";

fn offer(tail: &str) -> String {
    format!("v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n{tail}")
}

fn secure(lines: &[&str]) -> String {
    let lines: String = lines.iter().map(|it| format!("a=crypto:{it}\r\n")).collect();
    offer(&format!("m=audio 5000 RTP/SAVP 0\r\n{lines}"))
}

fn ours(policy: SrtpPolicy, secure_signalling: bool) -> Negotiation {
    let plain = Negotiation::new(([192, 0, 2, 1], 4000).into(), 77);
    plain.secured(policy, secure_signalling, [7; 32])
}

fn outcome(policy: SrtpPolicy, secure_signalling: bool, text: &str) -> Result<bool, Refusal> {
    let mut ours = ours(policy, secure_signalling);
    ours.answer(text).map(|(_, answer)| {
        assert_eq!(answer.contains("a=crypto"), ours.keys().is_some());
        ours.keys().is_some()
    })
}

#[test]
fn the_policy_of_the_trunk_decides() {
    use SrtpPolicy::{None, Prefer, Require};
    let plain = offer("m=audio 5000 RTP/AVP 0\r\n");
    let secured = secure(&[&format!("1 {SUITE} {KEY}")]);
    let both = format!("{plain}m=audio 5002 RTP/SAVP 0\r\na=crypto:1 {SUITE} {KEY}\r\n");
    let beside = offer(&format!("m=audio 5000 RTP/AVP 0\r\na=crypto:1 {SUITE} {KEY}\r\n"));
    let keyless = secure(&[]);
    for (policy, tls, text, expected) in [
        (None, true, &plain, Ok(false)),
        (Prefer, true, &plain, Ok(false)),
        (Prefer, false, &plain, Ok(false)),
        (Require, true, &plain, Err(Refusal::Plain)),
        (None, true, &secured, Err(Refusal::Profile)),
        (Prefer, true, &secured, Ok(true)),
        (Require, true, &secured, Ok(true)),
        (Prefer, false, &secured, Err(Refusal::KeysInTheClear)),
        (Require, false, &secured, Err(Refusal::KeysInTheClear)),
        (None, true, &both, Ok(false)),
        (Prefer, true, &both, Ok(true)),
        (Require, true, &both, Ok(true)),
        (None, true, &beside, Err(Refusal::Downgrade)),
        (Prefer, true, &beside, Err(Refusal::Downgrade)),
        (Require, true, &beside, Err(Refusal::Downgrade)),
        (Prefer, true, &keyless, Err(Refusal::NoCommonSuite)),
    ] {
        let got = outcome(policy, tls, text);
        assert_eq!(got, expected, "{policy:?} {tls} {text}");
        assert!(got.is_ok() || got.is_err_and(|it| it.status() == 488));
    }
}

#[test]
fn lines_that_weaken_are_refused_and_strange_ones_passed_over() {
    let good = format!("2 {SUITE} {KEY}");
    let downgrade = Err(Refusal::Downgrade);
    for (line, expected) in [
        (format!("1 NULL_HMAC_SHA1_80 {KEY}"), downgrade),
        (format!("1 {SUITE} {KEY} UNENCRYPTED_SRTP"), downgrade),
        (format!("1 {SUITE} {KEY} UNENCRYPTED_SRTCP"), downgrade),
        (format!("1 {SUITE} {KEY} UNAUTHENTICATED_SRTP"), downgrade),
        (format!("1 {SUITE} {KEY}|2^20|1:4 WSH=128 -NEW=1"), Ok(1)),
        (format!("1 {SUITE} {KEY}|1:128"), Ok(1)),
        (format!("1 {SUITE} {KEY}|1000000"), Ok(1)),
        (format!("1 {SUITE} {KEY}|2^49"), Ok(2)),
        (format!("1 {SUITE} {KEY}|0"), Ok(2)),
        (format!("1 {SUITE} {KEY}|1:129"), Ok(2)),
        (format!("1 {SUITE} {KEY};{OTHER}"), Ok(2)),
        (format!("1 {SUITE} {KEY} KDR=1"), Ok(2)),
        (format!("1 {SUITE} {KEY} NEW=1"), Ok(2)),
        (format!("1 F8_128_HMAC_SHA1_80 {KEY}"), Ok(2)),
        (format!("1 {SUITE} inline:AAAA"), Ok(2)),
        (format!("99999999999 {SUITE} {KEY}"), Ok(2)),
        (format!("1 {SUITE}"), Ok(2)),
        (String::new(), Ok(2)),
    ] {
        let mut ours = ours(SrtpPolicy::Require, true);
        let got = ours.answer(&secure(&[&line, &good]));
        let tag = |answer: &str| {
            let at = answer.find("a=crypto:").expect("an answer with a key") + 9;
            u32::from(answer.as_bytes()[at] - b'0')
        };
        assert_eq!(got.map(|(_, answer)| tag(&answer)), expected, "{line}");
    }
}

#[test]
fn both_ends_of_a_secured_call_hold_the_same_keys_in_every_suite() {
    for suite in Suite::OFFERED {
        let mut caller = ours(SrtpPolicy::Require, true);
        let offered = caller.offer();
        assert_eq!(offered.matches("a=crypto:").count(), Suite::OFFERED.len());
        let keep = |line: &&str| !line.starts_with("a=crypto:") || line.contains(suite.name());
        let only: Vec<&str> = offered.lines().filter(keep).collect();
        let mut callee = Negotiation::new(([192, 0, 2, 2], 5000).into(), 5);
        callee = callee.secured(SrtpPolicy::Prefer, true, [9; 32]);
        let (_, answer) = callee.answer(&only.join("\r\n")).unwrap();
        caller.accept_answer(&answer).unwrap();
        let (near, far) = (caller.keys().unwrap(), callee.keys().unwrap());
        assert_eq!((near.ours, near.theirs), (far.theirs, far.ours));
        assert_eq!(near.ours.suite(), suite);
        assert_ne!(near.ours, near.theirs);
        assert!(Opener::new(&near.theirs).is_ok());
    }
}

#[test]
fn a_later_offer_keeps_the_keys_renews_them_or_is_refused() {
    let mut ours = ours(SrtpPolicy::Prefer, true);
    let first = secure(&[&format!("1 {SUITE} {KEY}")]);
    ours.answer(&first).unwrap();
    let keys = ours.keys().unwrap();
    ours.answer(&first).unwrap();
    assert_eq!(ours.keys(), Some(keys), "the same key goes on");
    let refused = ours.answer(&offer("m=audio 5000 RTP/AVP 0\r\n"));
    assert_eq!(refused, Err(Refusal::Downgrade));
    assert_eq!(ours.keys(), Some(keys), "a refusal changes nothing");
    ours.answer(&secure(&[&format!("1 {SUITE} {OTHER}")])).unwrap();
    let renewed = ours.keys().unwrap();
    assert!(renewed.theirs != keys.theirs && renewed.ours != keys.ours);
    let again = ours.offer();
    assert!(again.contains(&renewed.ours.to_base64()) && again.matches("a=crypto").count() == 1);
}

#[test]
fn an_answer_must_secure_what_was_offered_secured() {
    let good = format!("m=audio 5000 RTP/SAVP 0\r\na=crypto:1 {SUITE} {KEY}\r\n");
    let beside = format!("m=audio 5000 RTP/AVP 0\r\na=crypto:1 {SUITE} {KEY}\r\n");
    for (tail, expected) in [
        (good.clone(), Ok(())),
        (good.replace("crypto:1", "crypto:9"), Err(Refusal::NoCommonSuite)),
        (good.replace("_80", "_32"), Err(Refusal::NoCommonSuite)),
        ("m=audio 5000 RTP/SAVP 0\r\n".to_owned(), Err(Refusal::NoCommonSuite)),
        ("m=audio 5000 RTP/AVP 0\r\n".to_owned(), Err(Refusal::Downgrade)),
        (beside.clone(), Err(Refusal::Downgrade)),
    ] {
        let mut ours = ours(SrtpPolicy::Prefer, true);
        let _ = ours.offer();
        assert_eq!(ours.accept_answer(&offer(&tail)).map(drop), expected, "{tail}");
        assert_eq!(ours.keys().is_some(), expected.is_ok());
    }
    let mut plain = ours(SrtpPolicy::None, true);
    let _ = plain.offer();
    assert_eq!(plain.accept_answer(&offer(&good)), Err(Refusal::Profile));
    assert_eq!(plain.accept_answer(&offer(&beside)), Err(Refusal::Downgrade));
}

#[test]
fn what_is_offered_follows_policy_signalling_and_a_refusal() {
    use SrtpPolicy::{None, Prefer, Require};
    for (policy, tls, secured) in
        [(None, true, false), (Prefer, true, true), (Prefer, false, false), (Require, true, true)]
    {
        let mut ours = ours(policy, tls);
        assert_eq!(ours.may_offer(), Ok(()));
        assert_eq!(ours.offer().contains("RTP/SAVP"), secured, "{policy:?} {tls}");
        ours.offer_plain();
        assert_eq!(ours.offer().contains("RTP/SAVP"), policy == Require, "{policy:?} {tls}");
    }
    assert_eq!(ours(Require, false).may_offer(), Err(Refusal::KeysInTheClear));
}

#[test]
fn no_key_is_shown_for_debugging() {
    let mut ours = ours(SrtpPolicy::Require, true);
    let (_, answer) = ours.answer(&secure(&[&format!("1 {SUITE} {KEY}")])).unwrap();
    let shown = format!("{ours:?} {}", without_keys(&answer));
    let keys = ours.keys().unwrap();
    for key in [keys.ours, keys.theirs] {
        assert!(answer.len() > 100 && !shown.contains(&key.to_base64()), "{shown}");
    }
}

#[test]
fn reports_go_where_they_are_wanted() {
    let mut ours = Negotiation::new(([192, 0, 2, 1], 4000).into(), 77);
    for (lines, port, mux) in [
        ("", 5001, false),
        ("a=rtcp:6001\r\n", 6001, false),
        ("a=rtcp:6001 IN IP4 192.0.2.9\r\n", 6001, false),
        ("a=rtcp:6001 IN IP4 203.0.113.1\r\n", 5001, false),
        ("a=rtcp-mux\r\n", 5001, true),
    ] {
        let text = offer(&format!("m=audio 5000 RTP/AVP 0\r\n{lines}"));
        let (agreed, answer) = ours.answer(&text).unwrap();
        assert_eq!(agreed.rtcp, ([192, 0, 2, 9], port).into(), "{lines}");
        assert_eq!((agreed.rtcp_mux, answer.contains("a=rtcp-mux")), (mux, mux));
    }
}
