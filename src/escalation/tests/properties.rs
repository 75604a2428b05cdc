//! What holds whatever comes, in whatever order.

use std::time::Duration;

use proptest::prelude::*;

use super::super::{DeskReport, DialId, Input, Output, Rules, SpeechId, Stage};
use super::{Bench, agent, request};
use crate::timeline::What;

/// Timeouts that end anything: 120 s of comfort messages that nobody says were played, a ring, a
/// brief four times over, an instruction, a tone, a bridge.
const TIMEOUTS_MAX: usize = 60;

/// An input, or time that passes; numbers count back from the newest, so that some are late.
#[derive(Clone, Debug)]
enum Act {
    Trigger,
    Announced,
    Offer(bool),
    Ringing(u32),
    Answered(u32),
    Refused(u32),
    Left(u32),
    Lost(u32),
    Said(u32),
    ToneEnded,
    Keyed(u32, char),
    Fetched,
    NobodyCame(bool),
    CallerLeft,
    Pass(u64),
    Deadline,
}

fn act() -> impl Strategy<Value = Act> {
    let back = prop_oneof![9 => Just(0_u32), 1 => 1_u32..3];
    let fresh = prop_oneof![9 => Just(true), 1 => Just(false)];
    let digit = prop_oneof![3 => Just('1'), 1 => Just('2'), 2 => Just('3'), 1 => Just('9')];
    prop_oneof![
        4 => Just(Act::Trigger),
        3 => Just(Act::Announced),
        6 => fresh.clone().prop_map(Act::Offer),
        1 => back.clone().prop_map(Act::Ringing),
        6 => back.clone().prop_map(Act::Answered),
        2 => back.clone().prop_map(Act::Refused),
        2 => back.clone().prop_map(Act::Left),
        1 => back.clone().prop_map(Act::Lost),
        4 => back.clone().prop_map(Act::Said),
        4 => Just(Act::ToneEnded),
        6 => (back, digit).prop_map(|(back, digit)| Act::Keyed(back, digit)),
        1 => Just(Act::Fetched),
        1 => fresh.prop_map(Act::NobodyCame),
        1 => Just(Act::CallerLeft),
        3 => (0_u64..40_000).prop_map(Act::Pass),
        4 => Just(Act::Deadline),
    ]
}

/// How the last `Enqueue` stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Account {
    Closed,
    Open,
    Accepted,
}

/// What the outputs so far add up to.
struct Ledger {
    account: Account,
    packets: u32,
    dialled: Option<DialId>,
    bridged: bool,
    bridges: u32,
    caller_gone: bool,
}

impl Ledger {
    fn count(&mut self, output: &Output) {
        match output {
            Output::Enqueue { .. } => {
                assert_eq!(self.account, Account::Closed, "enqueued twice");
                (self.account, self.bridges) = (Account::Open, 0);
            }
            Output::Withdraw | Output::Note(What::NobodyCame { .. }) => {
                if self.account != Account::Closed {
                    assert_eq!(self.account, Account::Open, "withdrawn after it was accepted");
                    self.account = Account::Closed;
                }
            }
            Output::TellDesk(DeskReport::Accepted { .. }) => {
                assert_eq!(self.account, Account::Open);
                self.account = Account::Accepted;
            }
            Output::TellDesk(DeskReport::Released { .. } | DeskReport::Lost { .. }) => {
                assert_eq!(self.account, Account::Accepted);
                self.account = Account::Closed;
            }
            Output::TellDesk(DeskReport::Declined { .. } | DeskReport::NoAnswer { .. }) => {
                assert_eq!(self.account, Account::Open);
            }
            Output::Dial { dial, .. } => {
                assert_eq!(self.dialled, None, "two dials at a time");
                self.dialled = Some(*dial);
            }
            Output::HangUpAgent { dial } => {
                self.dialled = self.dialled.filter(|dialled| dialled != dial);
            }
            Output::Bridge => {
                assert!(!self.bridged && self.dialled.is_some());
                self.bridged = true;
                self.bridges += 1;
                assert_eq!(self.bridges, 1, "bridged twice in one escalation");
            }
            Output::Unbridge => {
                assert!(self.bridged);
                self.bridged = false;
            }
            Output::Announce { .. }
            | Output::Music(_)
            | Output::Brief { .. }
            | Output::StopBrief
            | Output::Tone
            | Output::TellAgent { .. }
            | Output::TellCaller { .. }
            | Output::BackToAssistant(_)
            | Output::Note(_)
            | Output::Wait(_) => {}
        }
        let frees = matches!(
            output,
            Output::Withdraw
                | Output::HangUpAgent { .. }
                | Output::StopBrief
                | Output::Unbridge
                | Output::TellAgent { .. }
                | Output::TellDesk(DeskReport::Released { .. })
        );
        assert!(frees || !self.caller_gone, "after the caller left: {output:?}");
    }
}

fn input(bench: &mut Bench, ledger: &mut Ledger, act: &Act) -> Input {
    let dial = |back: &u32| DialId(bench.dial.0.saturating_sub(*back));
    let packet = |fresh: &bool| format!("p{}", ledger.packets - u32::from(!*fresh));
    match act {
        Act::Trigger => {
            ledger.packets += u32::from(bench.escalation.stage() == Stage::Idle);
            Input::Triggered(Box::new(request(&format!("p{}", ledger.packets))))
        }
        Act::Announced => Input::Announced,
        Act::Offer(fresh) => Input::Offered { packet_id: packet(fresh), agent: agent("ada") },
        Act::Ringing(back) => Input::AgentRinging { dial: dial(back) },
        Act::Answered(back) => Input::AgentAnswered { dial: dial(back) },
        Act::Refused(back) => Input::AgentRefused { dial: dial(back), code: 486 },
        Act::Left(back) => Input::AgentLeft { dial: dial(back) },
        Act::Lost(back) => Input::AgentLost { dial: dial(back) },
        Act::Said(back) => {
            Input::BriefEnded { speech: SpeechId(bench.speech.0.saturating_sub(*back)) }
        }
        Act::ToneEnded => Input::ToneEnded,
        Act::Keyed(back, digit) => Input::AgentKeyed { dial: dial(back), digit: *digit },
        Act::Fetched => Input::PacketFetched,
        Act::NobodyCame(fresh) => Input::NobodyCame { packet_id: packet(fresh) },
        Act::CallerLeft => Input::CallerLeft,
        Act::Pass(ms) => {
            bench.now = bench.now + Duration::from_millis(*ms);
            Input::Timeout
        }
        Act::Deadline => {
            bench.now = bench.now.max(bench.deadline.unwrap_or(bench.now));
            Input::Timeout
        }
    }
}

fn play(require_accept: bool, acts: &[Act]) -> (Bench, Ledger) {
    let mut bench = Bench::triggered(Rules { require_accept, ..Rules::default() });
    let mut ledger = Ledger {
        account: Account::Closed,
        packets: 1,
        dialled: None,
        bridged: false,
        bridges: 0,
        caller_gone: false,
    };
    bench.out.iter().for_each(|output| ledger.count(output));
    for act in acts {
        let input = input(&mut bench, &mut ledger, act);
        ledger.caller_gone |= matches!(input, Input::CallerLeft);
        // The leg that ends of itself needs no hang-up.
        if let Input::AgentLeft { dial }
        | Input::AgentLost { dial }
        | Input::AgentRefused { dial, .. } = input
        {
            ledger.dialled = ledger.dialled.filter(|dialled| *dialled != dial);
        }
        // Wrong inputs are among them, and change nothing; the outputs are counted all the same.
        let _refused = bench.escalation.handle_input(bench.now, input);
        bench.drain();
        bench.out.iter().for_each(|output| ledger.count(output));
        let idle = matches!(bench.escalation.stage(), Stage::Idle | Stage::Gone);
        assert_eq!(bench.deadline.is_none(), idle, "{:?}", bench.escalation);
        assert!(bench.deadline.is_none_or(|deadline| deadline >= bench.now));
    }
    (bench, ledger)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_keeps_the_accounts_and_ends_within_so_many_timeouts(
        require_accept in any::<bool>(),
        acts in prop::collection::vec(act(), 0..60),
    ) {
        let (mut bench, mut ledger) = play(require_accept, &acts);
        let mut timeouts = 0;
        while bench.deadline.is_some() {
            timeouts += 1;
            prop_assert!(timeouts <= TIMEOUTS_MAX, "{:?}", bench.escalation);
            bench.wait();
            bench.out.iter().for_each(|output| ledger.count(output));
        }
        prop_assert!(matches!(bench.escalation.stage(), Stage::Idle | Stage::Gone));
        prop_assert_eq!(ledger.account, Account::Closed);
        prop_assert_eq!((ledger.dialled, ledger.bridged), (None, false), "an agent is left behind");
    }

    #[test]
    fn the_same_inputs_give_the_same_outputs(acts in prop::collection::vec(act(), 0..40)) {
        let debug = |(bench, _): (Bench, Ledger)| format!("{:?} {:?}", bench.escalation, bench.out);
        prop_assert_eq!(debug(play(true, &acts)), debug(play(true, &acts)));
    }
}
