//! Two endpoints ring each other over UDP and TCP (RFC 3261, RFC 3264 §8.4, RFC 7433).

mod support;

use std::time::Duration;

use cordboard_sip::endpoint::{Admission, DialError, DialRequest, LegSignal};

use support::{
    call, endpoint, established, next, request, sdp, settled, tcp_uri, two, udp_uri, until,
};

#[tokio::test]
async fn a_call_rings_is_answered_and_hung_up_by_either_side_on_either_transport() {
    for tcp in [false, true] {
        for caller_hangs_up in [false, true] {
            let (here, mut there) = two().await;
            let uri = if tcp { tcp_uri(&there.0) } else { udp_uri(&there.0) };
            let mut caller = here.0.dial(request(uri)).unwrap();
            let incoming = call(&mut there.1).await;
            assert_eq!(incoming.from_user, "4471");
            assert_eq!(incoming.to_user, "desk");
            assert_eq!(incoming.from_display.as_deref(), Some("Anna \"A\" Bell"));
            assert_eq!(incoming.header("user-to-user"), Some("70617463683d31;encoding=hex"));
            assert_eq!(incoming.offer, Some(sdp(4000)));
            let mut callee = incoming.leg;
            callee.line.ringing();
            let progress = LegSignal::Progress { code: 180, sdp: None };
            assert_eq!(next(&mut caller).await, Some(progress));
            callee.line.answer(sdp(5000));
            let accepted = LegSignal::Accepted { sdp: Some(sdp(5000)) };
            assert_eq!(next(&mut caller).await, Some(accepted));
            assert_eq!(next(&mut callee).await, Some(LegSignal::Acked { sdp: None }));

            let (one, other) = if caller_hangs_up { (caller, callee) } else { (callee, caller) };
            let (mut one, mut other) = (one, other);
            let reason = Some("Q.850;cause=16".to_owned());
            one.line.hang_up(reason.clone());
            assert_eq!(next(&mut other).await, Some(LegSignal::Bye { reason }));
            assert_eq!(next(&mut other).await, None);
            assert_eq!(next(&mut one).await, None);
            settled(&here.0).await;
            settled(&there.0).await;
        }
    }
}

#[tokio::test]
async fn either_side_holds_and_resumes_and_may_refuse() {
    for tcp in [false, true] {
        let (here, mut there) = two().await;
        let uri = if tcp { tcp_uri(&there.0) } else { udp_uri(&there.0) };
        let (mut caller, mut callee) = established(&mut there.1, &here.0, uri).await;
        for turn in 0..6_u16 {
            let (one, other) =
                if turn % 2 == 0 { (&mut caller, &mut callee) } else { (&mut callee, &mut caller) };
            one.line.reinvite(sdp(6000 + turn));
            let reinvited = LegSignal::Reinvited { sdp: Some(sdp(6000 + turn)) };
            assert_eq!(next(other).await, Some(reinvited));
            if turn < 4 {
                other.line.accept_reinvite(sdp(7000 + turn));
                let accepted = LegSignal::ReinviteAccepted { sdp: Some(sdp(7000 + turn)) };
                assert_eq!(next(one).await, Some(accepted));
                assert_eq!(next(other).await, Some(LegSignal::Acked { sdp: None }));
            } else {
                other.line.refuse_reinvite(488);
                assert_eq!(next(one).await, Some(LegSignal::ReinviteRefused { code: 488 }));
            }
        }
        callee.line.hang_up(None);
        assert_eq!(next(&mut caller).await, Some(LegSignal::Bye { reason: None }));
    }
}

#[tokio::test]
async fn both_changing_at_once_are_told_so() {
    let (here, mut there) = two().await;
    let (mut caller, mut callee) = established(&mut there.1, &here.0, udp_uri(&there.0)).await;
    caller.line.reinvite(sdp(6000));
    callee.line.reinvite(sdp(6001));
    let glare = Some(LegSignal::ReinviteRefused { code: 491 });
    // Whoever was told of the other's first refuses by itself; no order is promised.
    let (one, other) = (next(&mut caller).await, next(&mut callee).await);
    assert!(one == glare || other == glare, "{one:?} {other:?}");
}

#[tokio::test]
async fn info_is_told_and_answered() {
    let (here, mut there) = two().await;
    let (mut caller, mut callee) = established(&mut there.1, &here.0, udp_uri(&there.0)).await;
    let relay = b"Signal=5\r\nDuration=160".to_vec();
    let info =
        LegSignal::Info { content_type: "application/dtmf-relay".to_owned(), body: relay.clone() };
    caller.line.info("application/dtmf-relay", relay.clone());
    assert_eq!(next(&mut callee).await, Some(info.clone()));
    callee.line.info("application/dtmf-relay", relay);
    assert_eq!(next(&mut caller).await, Some(info));
}

#[tokio::test]
async fn refusals_reach_the_caller_with_status_and_retry_after() {
    let (here, mut there) = two().await;
    for (code, reason, retry_after_s) in [
        (404, "Not Found", None),
        (486, "Busy Here", None),
        (488, "Not Acceptable Here", None),
        (503, "Service Unavailable", Some(30)),
        (603, "Decline", None),
    ] {
        let mut caller = here.0.dial(request(udp_uri(&there.0))).unwrap();
        let callee = call(&mut there.1).await.leg;
        callee.line.refuse(code, retry_after_s);
        let reason = reason.to_owned();
        let refused = LegSignal::Refused { code, reason, retry_after_s };
        assert_eq!(next(&mut caller).await, Some(refused));
        assert_eq!(next(&mut caller).await, None);
    }
    settled(&there.0).await;
}

#[tokio::test]
async fn a_call_given_up_is_cancelled_on_either_transport() {
    for tcp in [false, true] {
        let (here, mut there) = two().await;
        let uri = if tcp { tcp_uri(&there.0) } else { udp_uri(&there.0) };
        let mut caller = here.0.dial(request(uri)).unwrap();
        let mut callee = call(&mut there.1).await.leg;
        callee.line.ringing();
        next(&mut caller).await;
        caller.line.hang_up(None);
        assert_eq!(next(&mut callee).await, Some(LegSignal::Cancelled));
        let refused = next(&mut caller).await;
        assert!(matches!(refused, Some(LegSignal::Refused { code: 487, .. })), "{refused:?}");
        settled(&here.0).await;
        settled(&there.0).await;
    }
}

#[tokio::test]
async fn a_call_given_up_at_once_does_not_ring_on() {
    let (here, mut there) = two().await;
    for _ in 0..10 {
        let mut caller = here.0.dial(request(udp_uri(&there.0))).unwrap();
        caller.line.hang_up(None);
        let mut callee = call(&mut there.1).await.leg;
        assert_eq!(next(&mut callee).await, Some(LegSignal::Cancelled));
        while next(&mut caller).await.is_some() {}
    }
    settled(&here.0).await;
}

#[tokio::test]
async fn nothing_is_left_of_many_calls() {
    // 64·T1, for which answers are kept, is 640 ms here.
    let t1 = Duration::from_millis(10);
    let (here, mut there) = (endpoint(t1).await, endpoint(t1).await);
    let mut legs = Vec::new();
    for index in 0..100 {
        let uri = if index % 2 == 0 { udp_uri(&there.0) } else { tcp_uri(&there.0) };
        legs.push(established(&mut there.1, &here.0, uri).await);
    }
    assert_eq!((here.0.counters().dialogs, there.0.counters().dialogs), (100, 100));
    for (caller, callee) in legs {
        caller.line.hang_up(None);
        drop(callee);
    }
    for side in [&here.0, &there.0] {
        until(side, |it| {
            let left = it.dialogs + it.transactions + it.finished_transactions + it.waiting_ack;
            left == 0
        })
        .await;
    }
}

#[tokio::test]
async fn an_answer_that_crosses_the_cancel_is_hung_up() {
    let (here, mut there) = two().await;
    // Which of both comes first is not ours to say; whichever does, nothing is left.
    for _ in 0..20 {
        let mut caller = here.0.dial(request(udp_uri(&there.0))).unwrap();
        let mut callee = call(&mut there.1).await.leg;
        callee.line.ringing();
        next(&mut caller).await;
        caller.line.hang_up(None);
        callee.line.answer(sdp(5000));
        while next(&mut caller).await.is_some() {}
        while next(&mut callee).await.is_some() {}
    }
    settled(&here.0).await;
    settled(&there.0).await;
}

#[tokio::test]
async fn a_leg_let_go_is_hung_up() {
    let (here, mut there) = two().await;
    let mut caller = here.0.dial(request(udp_uri(&there.0))).unwrap();
    drop(call(&mut there.1).await);
    let refused = next(&mut caller).await;
    assert!(matches!(refused, Some(LegSignal::Refused { code: 480, .. })), "{refused:?}");
    let (caller, mut callee) = established(&mut there.1, &here.0, udp_uri(&there.0)).await;
    drop(caller);
    assert_eq!(next(&mut callee).await, Some(LegSignal::Bye { reason: None }));
    settled(&here.0).await;
}

#[tokio::test]
async fn a_shut_door_refuses_calls_and_opens_again() {
    let (here, mut there) = two().await;
    let (_caller, _callee) = established(&mut there.1, &here.0, udp_uri(&there.0)).await;
    there.0.set_admission(Admission::Refuse { code: 503, retry_after_s: 7 });
    let mut caller = here.0.dial(request(udp_uri(&there.0))).unwrap();
    let refused = next(&mut caller).await;
    let expected = LegSignal::Refused {
        code: 503,
        reason: "Service Unavailable".to_owned(),
        retry_after_s: Some(7),
    };
    assert_eq!(refused, Some(expected));
    assert_eq!((there.0.counters().refused, there.0.counters().dialogs), (1, 1));
    there.0.set_admission(Admission::Open);
    let (_caller, _callee) = established(&mut there.1, &here.0, udp_uri(&there.0)).await;
}

#[tokio::test]
async fn what_must_not_or_cannot_be_rung_is_not() {
    let (here, _there) = two().await;
    let dial = |change: &dyn Fn(&mut DialRequest)| {
        let mut request = request("sip:x@127.0.0.1:9".to_owned());
        change(&mut request);
        here.0.dial(request).err()
    };
    let uri = |uri: &str| Some(DialError::Uri { uri: uri.to_owned() });
    let elsewhere = Some(DialError::NotAllowed { host: "192.0.2.1".to_owned() });
    assert_eq!(dial(&|it| it.to = "sip:x@192.0.2.1".to_owned()), elsewhere);
    assert_eq!(dial(&|it| it.to = "http:x@127.0.0.1".to_owned()), uri("http:x@127.0.0.1"));
    let number = Some(DialError::Number { number: "+441".to_owned() });
    assert_eq!(dial(&|it| it.to = "tel:+441".to_owned()), number);
    let split = "sip:x@127.0.0.1\r\nEvil: 1";
    assert_eq!(dial(&|it| it.to = split.to_owned()), uri(split));
    let field = |name: &str| Some(DialError::Field { name: name.to_owned() });
    let add = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(dial(&|it| it.headers.push(add("X-A", "1\r\nVia: x"))), field("X-A"));
    assert_eq!(dial(&|it| it.headers.push(add("via", "x"))), field("via"));
    assert_eq!(dial(&|it| it.display = Some("a\nb".to_owned())), field("From"));
    settled(&here.0).await;
}

#[tokio::test]
async fn nobody_there_is_told_at_once_over_tcp() {
    let (here, _) = two().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut caller = here.0.dial(request(format!("sip:x@{closed};transport=tcp"))).unwrap();
    let refused = next(&mut caller).await;
    assert!(matches!(refused, Some(LegSignal::Refused { code: 503, .. })), "{refused:?}");
}

#[tokio::test]
async fn any_thread_may_dial() {
    let (here, mut there) = two().await;
    let (dialling, uri) = (here.0.clone(), udp_uri(&there.0));
    let dialled = std::thread::spawn(move || dialling.dial(request(uri)));
    let mut caller = dialled.join().unwrap().unwrap();
    call(&mut there.1).await.leg.line.refuse(486, None);
    let refused = next(&mut caller).await;
    assert!(matches!(refused, Some(LegSignal::Refused { code: 486, .. })), "{refused:?}");
}

#[tokio::test]
async fn names_are_resolved_and_checked() {
    let (here, mut there) = two().await;
    let port = there.0.local_udp().unwrap().port();
    let (_a, _b) = established(&mut there.1, &here.0, format!("sip:x@localhost:{port}")).await;
    let mut caller = here.0.dial(request("sip:x@no-such-host.invalid".to_owned())).unwrap();
    let refused = next(&mut caller).await;
    assert!(matches!(refused, Some(LegSignal::Refused { code: 404, .. })), "{refused:?}");
}
