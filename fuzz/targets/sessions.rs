//! Operations on what keeps sessions and registrations going: session timers, provisional
//! responses that must arrive, registrations, bans. Deadlines are kept and lie within the limits.
#![no_main]

use std::net::IpAddr;
use std::time::Duration;

use arbitrary::Arbitrary;
use cordboard_sip::bans::{BanRule, Bans, MOST_SOURCES, Offence};
use cordboard_sip::registration::{Outcome, Registration};
use cordboard_sip::reliable::{Arrival, Arrivals, Beat, Provisionals, RAck};
use cordboard_sip::session_timer::{
    Asked, Due, Expires, LONGEST_S, Limits, MIN_SE_S, Role, SessionTimer,
};
use cordboard_sip::srv::{Server, order};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Act<'a> {
    Wait(u32),
    Asked { expires: Option<&'a str>, min_se_s: Option<u32>, supported: bool },
    Accepted(Option<&'a str>),
    TooSmall(Option<u32>),
    Refresh { refused: Option<u16> },
    Push(u8),
    Acknowledge { rseq: Option<u32>, cseq: u32 },
    Beat,
    Arrives(u32),
    Register(u8, u32),
    Offends(u8, u8),
    Servers(Vec<(u16, u16, u8)>),
}

#[derive(Debug)]
struct Keeping {
    now: Duration,
    timer: SessionTimer,
    provisionals: Provisionals<u8>,
    waiting: Option<u32>,
    arrivals: Arrivals,
    registration: Registration,
    bans: Bans,
}

fuzz_target!(|input: (u32, u32, u32, Vec<Act<'_>>)| {
    let (expires_s, min_se_s, lot, acts) = input;
    // As the settings allow (RFC 4028 §4).
    let min_se_s = min_se_s.clamp(MIN_SE_S, LONGEST_S);
    let mut keeping = Keeping {
        now: Duration::ZERO,
        timer: SessionTimer::new(Limits { expires_s, min_se_s }),
        provisionals: Provisionals::new(7, lot),
        waiting: None,
        arrivals: Arrivals::default(),
        registration: Registration::new(Duration::from_secs(expires_s.into()), lot.into()),
        bans: Bans::new(BanRule::default()),
    };
    acts.into_iter().take(256).for_each(|act| keeping.act(act));
});

impl Keeping {
    fn act(&mut self, act: Act<'_>) {
        match act {
            Act::Wait(ms) => self.now += Duration::from_millis(ms.into()),
            Act::Asked { expires, min_se_s, supported } => {
                // As headers are read: nothing is longer than the longest.
                let min_se_s = min_se_s.map(|it| it.min(LONGEST_S));
                let expires = expires.and_then(Expires::parse);
                let asked = Asked { expires, min_se_s, supported };
                if let Ok(granted) = self.timer.answer(self.now, &asked) {
                    assert!(granted.expires.interval_s <= LONGEST_S);
                    assert!(granted.expires.interval_s >= min_se_s.unwrap_or(0));
                    assert!(granted.expires.refresher.is_some());
                    assert!(!granted.required || granted.expires.refresher == Some(Role::Uac));
                    assert_eq!(self.timer.poll(self.now), None, "it has just begun");
                }
            }
            Act::Accepted(granted) => {
                self.timer.accepted(self.now, granted.and_then(Expires::parse));
                assert_eq!(self.timer.poll(self.now), None, "it has just begun");
            }
            Act::TooSmall(min_se_s) => {
                let before = self.timer.proposal().interval_s;
                let raised = self.timer.raise(min_se_s);
                assert_eq!(raised, self.timer.proposal().interval_s > before, "no vain round");
                assert!(self.timer.proposal().interval_s <= LONGEST_S);
            }
            Act::Refresh { refused } => self.refresh(refused),
            Act::Push(response) => {
                if let Some((rseq, _)) = self.provisionals.push(response) {
                    assert_eq!(self.waiting, None, "one at a time");
                    assert!((1..1 << 31).contains(&rseq));
                    self.waiting = Some(rseq);
                }
            }
            Act::Acknowledge { rseq, cseq } => self.acknowledge(rseq, cseq % 9),
            Act::Beat => match self.provisionals.beat() {
                Beat::Again(rseq, _) => assert_eq!(self.waiting, Some(rseq)),
                Beat::GiveUp => assert!(self.waiting.is_some()),
                Beat::Nothing => {}
            },
            Act::Arrives(rseq) => {
                if self.arrivals.take(rseq) == Arrival::New {
                    assert_eq!(self.arrivals.take(rseq), Arrival::Repeated);
                }
            }
            Act::Register(kind, figure) => self.register(kind, figure),
            Act::Offends(low, times) => self.offend(low, times),
            Act::Servers(servers) => ordered(&servers, self.now.as_secs()),
        }
    }

    fn refresh(&mut self, refused: Option<u16>) {
        match self.timer.poll(self.now) {
            Some(Due::Refresh) => {
                self.timer.refreshing();
                assert_ne!(self.timer.poll(self.now), Some(Due::Refresh), "one at a time");
            }
            Some(Due::HangUp) | None => {}
        }
        if let Some(code) = refused {
            self.timer.refused(self.now, code);
            assert_ne!(self.timer.poll(self.now), Some(Due::Refresh), "not at once again");
        }
    }

    fn acknowledge(&mut self, rseq: Option<u32>, cseq: u32) {
        let Some(rseq) = rseq.or(self.waiting) else { return };
        let fits = self.waiting == Some(rseq) && cseq == 7;
        let taken = self.provisionals.acknowledge(RAck { rseq, cseq });
        assert_eq!(taken.is_some(), fits);
        if fits {
            self.waiting = self.provisionals.advance().map(|(next, _)| next);
            assert_ne!(self.waiting, Some(rseq));
        }
    }

    fn register(&mut self, kind: u8, figure: u32) {
        let Some(expires_s) = self.registration.attempt(self.now) else { return };
        assert!((10..=86_400).contains(&expires_s));
        assert_eq!(self.registration.attempt(self.now), None, "one at a time");
        let outcome = match kind % 4 {
            0 => Outcome::Accepted { expires_s: figure },
            1 => Outcome::TooBrief { min_s: figure },
            2 => Outcome::Refused { retry_after_s: Some(figure) },
            _ => Outcome::Unanswered,
        };
        self.registration.outcome(self.now, outcome);
        assert_eq!(self.registration.attempt(self.now), None, "not at once again");
        let day = self.now + Duration::from_secs(86_401);
        assert!(self.registration.clone().attempt(day).is_some(), "never given up");
    }

    fn offend(&mut self, low: u8, times: u8) {
        let source = IpAddr::from([192, 0, 2, low]);
        for _ in 0..times {
            let offence = self.bans.offended(self.now, source);
            assert_eq!(offence == Offence::Banned, self.bans.is_banned(self.now, source));
        }
        assert!(self.bans.banned(self.now) <= MOST_SOURCES);
    }
}

fn ordered(servers: &[(u16, u16, u8)], seed: u64) {
    let server = |(priority, weight, name): &(u16, u16, u8)| Server {
        target: format!("s{name}"),
        port: 5_060,
        priority: *priority,
        weight: *weight,
    };
    let servers: Vec<Server> = servers.iter().take(64).map(server).collect();
    let sorted = order(servers.clone(), seed);
    assert!(sorted.is_sorted_by_key(|it| it.priority));
    assert!(sorted.len() == servers.len() && servers.iter().all(|it| sorted.contains(it)));
}
