//! Two sides with session timers in virtual time.

use proptest::prelude::*;

use super::*;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn limits(expires_s: u32, min_se_s: u32) -> Limits {
    Limits { expires_s, min_se_s }
}

fn asked(value: &str, min_se_s: Option<u32>, supported: bool) -> Asked {
    Asked { expires: Expires::parse(value), min_se_s, supported }
}

#[test]
fn values_are_read_as_they_are_written_in_the_field() {
    let both = |interval_s, refresher| Some(Expires { interval_s, refresher });
    for (value, expected) in [
        ("1800", both(1800, None)),
        (" 90 ; refresher = UAS ", both(90, Some(Role::Uas))),
        ("4000;foo=bar;Refresher=uac", both(4000, Some(Role::Uac))),
        ("4000;refresher=both", both(4000, None)),
        ("99999999999999999999", both(LONGEST_S, None)),
        ("0", both(0, None)),
        ("-1", None),
        ("", None),
        (";refresher=uac", None),
        ("ninety", None),
    ] {
        assert_eq!(Expires::parse(value), expected, "{value}");
        if let Some(read) = expected {
            assert_eq!(Expires::parse(&read.to_string()), Some(read));
        }
    }
}

#[test]
fn requests_are_granted_by_the_table_of_the_standard() {
    for (request, expected, required) in [
        (asked("1800", None, true), "1800;refresher=uac", true),
        (asked("1800;refresher=uas", None, true), "1800;refresher=uas", false),
        (asked("1800;refresher=uac", None, true), "1800;refresher=uac", true),
        (asked("7200", None, true), "1800;refresher=uac", true),
        (asked("7200", Some(3600), true), "3600;refresher=uac", true),
        (asked("", None, true), "1800;refresher=uac", true),
        (asked("", None, false), "1800;refresher=uas", false),
        (asked("300", None, false), "300;refresher=uas", false),
        // A proxy asked for less than we bear, for one who knows no timers.
        (asked("10", None, false), "90;refresher=uas", false),
    ] {
        let granted = SessionTimer::new(Limits::default()).answer(at(0), &request).unwrap();
        assert_eq!((granted.expires.to_string().as_str(), granted.required), (expected, required));
    }
    let refused = SessionTimer::new(Limits::default()).answer(at(0), &asked("89", None, true));
    assert_eq!(refused, Err(TooSmall { min_se_s: 90 }));
}

#[test]
fn who_asked_for_too_little_asks_again_with_enough_and_not_for_ever() {
    let mut timer = SessionTimer::new(limits(120, 90));
    assert!(timer.raise(Some(600)));
    assert_eq!(timer.proposal().to_string(), "600");
    assert_eq!(timer.min_se_s(), 600);
    assert!(!timer.raise(Some(600)), "the same again");
    assert!(!timer.raise(Some(100)), "less than was asked for");
    assert!(!timer.raise(Some(LONGEST_S + 1)), "absurd");
    assert!(!timer.raise(None), "a 422 without Min-SE");
}

#[test]
fn a_far_end_that_vanished_is_hung_up_before_the_interval_ends() {
    for (interval_s, end_s) in [(1800_u32, 1768_u64), (90, 60), (96, 64), (97, 65)] {
        let mut timer = SessionTimer::new(Limits::default());
        let value = format!("{interval_s};refresher=uac");
        timer.answer(at(0), &asked(&value, None, true)).unwrap();
        assert_eq!(timer.poll(at(end_s - 1)), None);
        assert_eq!(timer.poll(at(end_s)), Some(Due::HangUp));
    }
}

#[test]
fn a_refused_refresh_is_tried_again_unless_the_call_is_gone() {
    let mut timer = SessionTimer::new(Limits::default());
    timer.answer(at(0), &Asked::default()).unwrap();
    assert_eq!(timer.poll(at(900)), Some(Due::Refresh));
    timer.refreshing();
    assert_eq!(timer.poll(at(901)), None);
    assert!(!timer.refused(at(902), 500));
    assert_eq!(timer.poll(at(1334)), None);
    assert_eq!(timer.poll(at(1335)), Some(Due::Refresh));
    timer.refreshing();
    assert!(timer.refused(at(1340), 481) && timer.refused(at(1340), 408));
    assert_eq!(timer.poll(at(1768)), Some(Due::HangUp));
}

#[test]
fn an_answer_without_an_interval_ends_the_timing() {
    let mut timer = SessionTimer::new(Limits::default());
    timer.accepted(at(0), Expires::parse("90;refresher=uas"));
    assert_eq!(timer.poll(at(60)), Some(Due::HangUp));
    timer.accepted(at(30), None);
    assert_eq!(timer.poll(at(100_000)), None);
}

proptest! {
    /// Whatever both sides want, exactly one of them refreshes, and no call outlives the interval
    /// after either side vanishes.
    #[test]
    fn one_side_refreshes_and_neither_outlives_the_other(
        caller_s in 90_u32..4000, caller_min_s in 90_u32..1000,
        callee_s in 90_u32..4000, callee_min_s in 90_u32..1000,
        supported: bool, role in 0..3_usize, vanished_s in 0_u64..8000, caller_vanishes: bool,
    ) {
        let mut caller = SessionTimer::new(limits(caller_s, caller_min_s));
        let mut callee = SessionTimer::new(limits(callee_s, callee_min_s));
        let refresher = [None, Some(Role::Uac), Some(Role::Uas)][role];
        let mut tries = 0;
        let granted = loop {
            tries += 1;
            prop_assert!(tries <= 2);
            let expires = Expires { refresher, ..caller.proposal() };
            let min_se_s = Some(caller.min_se_s());
            let request = Asked { expires: Some(expires), min_se_s, supported };
            match callee.answer(at(0), &request) {
                Ok(granted) => break granted,
                Err(TooSmall { min_se_s }) => prop_assert!(caller.raise(Some(min_se_s))),
            }
        };
        caller.accepted(at(0), Some(granted.expires));
        let interval_s = u64::from(granted.expires.interval_s);
        prop_assert!(interval_s >= 90);
        prop_assert!(supported || granted.expires.refresher == Some(Role::Uas));
        let mut refreshed_s = 0;
        for now_s in 0..=vanished_s + interval_s {
            let alive = |vanishes: bool| !vanishes || now_s < vanished_s;
            let (caller_is, callee_is) = (alive(caller_vanishes), alive(!caller_vanishes));
            let caller_due = caller.poll(at(now_s)).filter(|_| caller_is);
            let callee_due = callee.poll(at(now_s)).filter(|_| callee_is);
            if caller_is && callee_is {
                prop_assert!(caller_due.is_none() || callee_due.is_none());
                prop_assert!(caller_due != Some(Due::HangUp) && callee_due != Some(Due::HangUp));
            }
            let over = [caller_due, callee_due].contains(&Some(Due::HangUp));
            if over {
                prop_assert!(now_s >= vanished_s && now_s - refreshed_s <= interval_s);
                return Ok(());
            }
            let (from, to, other_is) = match (caller_due, callee_due) {
                (Some(_), _) => (&mut caller, &mut callee, callee_is),
                (_, Some(_)) => (&mut callee, &mut caller, caller_is),
                (None, None) => continue,
            };
            from.refreshing();
            let (expires, min_se_s) = (Some(from.proposal()), Some(from.min_se_s()));
            if other_is {
                let request = Asked { expires, min_se_s, supported: true };
                let granted = to.answer(at(now_s), &request).unwrap();
                from.accepted(at(now_s), Some(granted.expires));
                prop_assert_eq!(u64::from(granted.expires.interval_s), interval_s);
                refreshed_s = now_s;
            } else if from.refused(at(now_s), 408) {
                return Ok(());
            }
        }
        prop_assert!(false, "somebody talks to nobody");
    }

    #[test]
    fn any_header_is_survived(value: String) {
        if let Some(read) = Expires::parse(&value) {
            prop_assert!(read.interval_s <= LONGEST_S);
        }
    }
}
