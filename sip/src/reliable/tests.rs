//! Provisional responses over a line that loses them, in virtual time.

use proptest::prelude::*;

use super::*;

#[test]
fn an_unacknowledged_response_is_repeated_and_then_given_up() {
    let mut sender = Provisionals::new(7, 9);
    assert_eq!(sender.push("180"), Some((4, &"180")));
    let mut repeated = Vec::new();
    for beat in 1..64 {
        match sender.beat() {
            Beat::Again(4, &"180") => repeated.push(beat),
            Beat::Nothing => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(repeated, [1, 3, 7, 15, 31, 63]);
    assert_eq!(sender.beat(), Beat::GiveUp);
}

#[test]
fn the_next_waits_for_the_one_before_it() {
    let mut sender = Provisionals::new(1, 0);
    assert_eq!(sender.push("180"), Some((1, &"180")));
    assert_eq!(sender.push("183"), None);
    assert_eq!(sender.advance(), None);
    for stray in ["2 1 INVITE", "1 2 INVITE"] {
        assert_eq!(sender.acknowledge(RAck::parse(stray).unwrap()), None);
    }
    assert_eq!(sender.acknowledge(RAck { rseq: 1, cseq: 1 }), Some("180"));
    assert_eq!(sender.acknowledge(RAck { rseq: 1, cseq: 1 }), None, "twice");
    assert_eq!(sender.advance(), Some((2, &"183")));
    assert_eq!(sender.waiting(), Some(&"183"));
}

#[test]
fn what_is_no_rack_is_none() {
    let known = RAck { rseq: 776_656, cseq: 1 };
    assert_eq!(RAck::parse("776656 1 INVITE"), Some(known));
    assert_eq!(RAck::parse(&known.to_string()), Some(known));
    for text in ["", "1", "1 1", "1 1 BYE", "x 1 INVITE", "1 1 INVITE 1", "-1 1 INVITE"] {
        assert_eq!(RAck::parse(text), None, "{text}");
    }
}

#[test]
fn numbers_stay_below_two_to_the_31() {
    let mut sender = Provisionals::new(1, u32::MAX);
    let (first, _) = sender.push(()).unwrap();
    assert_eq!(first, (1 << 31) - 1);
    sender.acknowledge(RAck { rseq: first, cseq: 1 }).unwrap();
    assert_eq!(sender.push(()), Some((1, &())));
}

proptest! {
    /// Over a line that loses either way, all arrive in order and once, or the call is given up.
    #[test]
    fn all_arrive_in_order_or_the_call_is_given_up(
        lot: u32, count in 1_u32..5, fates in proptest::collection::vec(any::<(bool, bool)>(), 40),
    ) {
        let (mut sender, mut receiver) = (Provisionals::new(1, lot), Arrivals::default());
        let mut fates = fates.into_iter();
        let mut heard = Vec::new();
        let mut on_the_line: Vec<(u32, u32)> = Vec::new();
        for number in 0..count {
            on_the_line.extend(sender.push(number).map(|(rseq, it)| (rseq, *it)));
        }
        for _ in 0..2_000 {
            while let Some((rseq, number)) = on_the_line.pop() {
                let (arrives, acknowledged) = fates.next().unwrap_or((true, true));
                if !arrives {
                    continue;
                }
                let arrival = receiver.take(rseq);
                prop_assert!(arrival != Arrival::TooEarly);
                if arrival == Arrival::New {
                    heard.push(number);
                }
                // PRACK is a transaction of its own and repeats itself.
                if acknowledged {
                    sender.acknowledge(RAck { rseq, cseq: 1 });
                }
            }
            on_the_line.extend(sender.advance().map(|(rseq, it)| (rseq, *it)));
            match sender.beat() {
                Beat::Again(rseq, it) => on_the_line.push((rseq, *it)),
                Beat::Nothing => {}
                Beat::GiveUp => return Ok(()),
            }
        }
        prop_assert_eq!(heard, (0..count).collect::<Vec<_>>());
    }
}
