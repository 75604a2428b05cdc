//! What a caller and an agent can live through.

use std::time::Duration;

use super::super::{Back, DeskReport, DialId, Input, Output, Refusal, Rules, Stage, Wording};
use super::{Bench, request};
use crate::timeline::What;

fn accepted(name: &str) -> Output {
    Output::TellDesk(DeskReport::Accepted { agent: name.into() })
}

fn released(name: &str) -> Output {
    Output::TellDesk(DeskReport::Released { agent: name.into() })
}

fn declined(name: &str, why: Refusal) -> Output {
    Output::TellDesk(DeskReport::Declined { agent: name.into(), why })
}

fn acknowledged(name: &str, acknowledged: &str) -> Output {
    let (agent, acknowledged) = (name.to_owned(), acknowledged.to_owned());
    Output::Note(What::AgentAccepted { agent, acknowledged })
}

fn briefs(bench: &Bench) -> usize {
    bench.out.iter().filter(|output| matches!(output, Output::Brief { .. })).count()
}

#[test]
fn a_call_is_handed_over_and_the_agent_hangs_up_first() {
    let mut bench = Bench::triggered(Rules::default());
    assert!(matches!(&bench.out[..], [
        Output::Note(What::EscalationTriggered { .. }),
        Output::Announce { .. },
        Output::Enqueue { queue, packet, again: false },
        Output::Note(What::Enqueued { .. }),
    ] if queue == "service" && packet.packet_id == "p1"));
    bench.give(Input::Announced);
    assert_eq!(bench.out, [Output::Music(true)]);
    bench.offered("ada");
    assert_eq!(
        bench.out,
        [
            Output::Note(What::AgentOffered { agent: "ada".into() }),
            Output::Dial {
                dial: DialId(1),
                agent: super::agent("ada"),
                display: "2025550100".into(),
                headers: vec![("User-to-User", "7031;encoding=hex".into())],
            },
        ]
    );
    bench.answered();
    assert!(bench.has(&Output::Note(What::AgentAnswered { agent: "ada".into() })));
    assert_eq!(briefs(&bench), 1);
    bench.said().keyed('1');
    assert_eq!(
        bench.out,
        [Output::Music(false), acknowledged("ada", "key"), accepted("ada"), Output::Tone,]
    );
    bench.give(Input::ToneEnded);
    assert_eq!(bench.out, [Output::Bridge, Output::Note(What::Bridged { agent: "ada".into() }),]);
    bench.agent_left();
    assert_eq!(
        bench.out,
        [
            Output::Unbridge,
            released("ada"),
            Output::TellCaller { text: Wording::default().agent_gone },
            Output::BackToAssistant(Back::AgentLeft),
        ]
    );
    assert_eq!((bench.escalation.stage(), bench.deadline), (Stage::Idle, None));
}

#[test]
fn a_caller_who_hangs_up_first_is_reported_to_the_agent() {
    let mut bench = Bench::triggered(Rules::default());
    bench.offered("ada").answered().keyed('1').give(Input::ToneEnded).give(Input::CallerLeft);
    let text = Wording::default().caller_gone;
    let telling = Output::TellAgent { speech: bench.speech, text };
    assert_eq!(bench.out, [Output::Unbridge, telling]);
    bench.said();
    assert_eq!(bench.out, [Output::HangUpAgent { dial: DialId(1) }, released("ada")]);
    assert_eq!(bench.escalation.stage(), Stage::Gone);
}

#[test]
fn a_caller_who_leaves_in_the_brief_frees_the_desk_only_when_the_phone_is_free() {
    let mut bench = Bench::triggered(Rules::default());
    bench.offered("ada").answered().give(Input::CallerLeft);
    assert!(!bench.has(&Output::Withdraw));
    bench.wait();
    assert_eq!(bench.out, [Output::HangUpAgent { dial: DialId(1) }, Output::Withdraw]);
}

#[test]
fn a_phone_that_rings_in_vain_is_cancelled_and_the_next_agent_is_rung() {
    let mut bench = Bench::triggered(Rules::default());
    bench.give(Input::Announced).offered("ada");
    let rang = bench.now;
    while bench.escalation.stage() == Stage::Ringing {
        bench.wait();
    }
    assert_eq!(bench.now.since(rang), Duration::from_secs(20));
    let why = Refusal::NoAnswer;
    let report = Output::TellDesk(DeskReport::NoAnswer { agent: "ada".into(), why });
    assert!(bench.has(&report) && bench.has(&Output::HangUpAgent { dial: DialId(1) }));
    // The 200 that crossed our CANCEL is hung up; ada's late key is nobody's.
    let dial = DialId(1);
    bench.give(Input::AgentAnswered { dial });
    assert_eq!(bench.out, [Output::HangUpAgent { dial }]);
    bench.offered("bea").answered().give(Input::AgentKeyed { dial, digit: '1' });
    assert_eq!((bench.escalation.stage(), bench.out.len()), (Stage::Briefing, 0));
    bench.keyed('1');
    assert!(bench.has(&accepted("bea")));
}

#[test]
fn statuses_are_reported_as_agents_reached_or_not() {
    for (code, why, reached) in [
        (603, Refusal::Declined, true),
        (486, Refusal::Busy, false),
        (480, Refusal::NoAnswer, false),
        (503, Refusal::Status(503), false),
        (302, Refusal::Status(302), false),
    ] {
        let mut bench = Bench::triggered(Rules::default());
        let dial = bench.offered("ada").dial;
        bench.give(Input::AgentRefused { dial, code });
        let agent = "ada".into();
        let report = if reached {
            DeskReport::Declined { agent, why }
        } else {
            DeskReport::NoAnswer { agent, why }
        };
        assert!(bench.has(&Output::TellDesk(report)), "{code}");
        let no_hang_up = !bench.out.iter().any(|o| matches!(o, Output::HangUpAgent { .. }));
        assert!(no_hang_up, "the leg is gone already");
    }
}

#[test]
fn keys_do_what_the_instruction_says() {
    let mut bench = Bench::triggered(Rules::default());
    bench.offered("ada").answered().keyed('3');
    assert!(bench.has(&Output::StopBrief) && briefs(&bench) == 1);
    bench.said().keyed('9');
    assert!(
        matches!(&bench.out[..], [Output::Brief { text, .. }] if text == super::super::INSTRUCTION)
    );
    bench.said().keyed('9');
    assert_eq!(bench.out, [], "the instruction comes once");
    bench.keyed('2');
    assert!(bench.has(&declined("ada", Refusal::Declined)));
    assert!(bench.has(&Output::HangUpAgent { dial: DialId(1) }));
    assert_eq!(bench.escalation.stage(), Stage::Queued);
}

#[test]
fn the_end_of_a_brief_that_was_stopped_does_not_end_the_repeated_one() {
    let mut bench = Bench::triggered(Rules::default());
    let speech = bench.offered("ada").answered().speech;
    bench.keyed('3').give(Input::BriefEnded { speech });
    assert_eq!(bench.escalation.stage(), Stage::Briefing);
    assert_eq!(bench.said().escalation.stage(), Stage::AwaitingKey);
}

#[test]
fn a_brief_is_repeated_no_more_than_three_times() {
    let mut bench = Bench::triggered(Rules::default());
    bench.offered("ada").answered();
    let repeated = (0..6).filter(|_| briefs(bench.keyed('3')) == 1).count();
    assert_eq!(repeated, 3);
}

#[test]
fn no_key_is_taken_for_a_voicemail_where_a_key_is_required() {
    let mut bench = Bench::triggered(Rules::default());
    bench.offered("ada").answered().said();
    let asked = bench.now;
    assert_eq!(briefs(bench.wait()), 1);
    assert_eq!(bench.now.since(asked), Duration::from_secs(5));
    bench.said();
    let asked = bench.now;
    bench.wait();
    assert_eq!(bench.now.since(asked), Duration::from_secs(10));
    assert!(bench.has(&declined("ada", Refusal::NoKey)));
    assert!(bench.has(&Output::HangUpAgent { dial: DialId(1) }));
}

#[test]
fn no_key_bridges_and_says_so_where_none_is_required() {
    let mut bench = Bench::triggered(Rules { require_accept: false, ..Rules::default() });
    bench.offered("ada").answered().said();
    let asked = bench.now;
    bench.wait();
    assert_eq!(bench.now.since(asked), Duration::from_secs(5));
    assert!(bench.has(&acknowledged("ada", "none")) && bench.has(&Output::Tone));
}

#[test]
fn a_fetch_of_the_context_packet_accepts_at_the_end_of_the_brief() {
    for require_accept in [true, false] {
        let mut bench = Bench::triggered(Rules { require_accept, ..Rules::default() });
        bench.offered("ada").answered().give(Input::PacketFetched);
        assert_eq!(bench.out, [Output::Note(What::PacketFetched)]);
        bench.said();
        assert!(bench.has(&acknowledged("ada", "fetch")), "require_accept {require_accept}");
    }
}

#[test]
fn a_fetch_while_the_phone_rings_accepts_nothing() {
    let mut bench = Bench::triggered(Rules::default());
    bench.offered("ada").give(Input::PacketFetched).answered().said();
    assert_eq!(bench.escalation.stage(), Stage::AwaitingKey);
}

#[test]
fn a_waiting_caller_is_comforted_every_twenty_seconds_and_told_when_nobody_came() {
    let mut bench = Bench::triggered(Rules::default());
    let began = bench.now;
    bench.give(Input::Announced);
    let mut comforted_s = Vec::new();
    while bench.escalation.stage() == Stage::Queued {
        bench.wait();
        if bench.has(&Output::Announce { text: Wording::default().comfort }) {
            comforted_s.push(bench.now.since(began).as_secs());
            assert_eq!(bench.out[0], Output::Music(false));
            bench.give(Input::Announced);
            assert_eq!(bench.out, [Output::Music(true)]);
        }
    }
    assert_eq!(comforted_s, [20, 40, 60, 80, 100]);
    assert_eq!(bench.now.since(began), Duration::from_secs(120));
    let queue = "service".to_owned();
    assert_eq!(
        bench.out[bench.out.len() - 4..],
        [
            Output::Withdraw,
            Output::Music(false),
            Output::Note(What::NobodyCame { queue }),
            Output::BackToAssistant(Back::NobodyCame),
        ]
    );
}

#[test]
fn the_limit_lets_an_agent_finish_the_brief() {
    for (key, back) in [('1', false), ('2', true)] {
        let limit = Duration::from_secs(1);
        let mut bench = Bench::triggered(Rules { limit, ..Rules::default() });
        bench.offered("ada").answered().wait();
        assert_eq!(bench.escalation.stage(), Stage::Briefing);
        bench.keyed(key);
        assert_eq!(bench.has(&Output::BackToAssistant(Back::NobodyCame)), back);
        assert_eq!(bench.has(&Output::Withdraw), back);
    }
}

#[test]
fn a_caller_may_ask_again_and_late_words_of_the_desk_do_not_count() {
    let mut bench = Bench::triggered(Rules::default());
    bench.give(Input::NobodyCame { packet_id: "p1".into() });
    assert!(bench.has(&Output::BackToAssistant(Back::NobodyCame)));
    bench.give(Input::Triggered(Box::new(request("p2"))));
    bench.offered("ada").give(Input::NobodyCame { packet_id: "p1".into() });
    assert_eq!((bench.escalation.stage(), bench.out.len()), (Stage::Queued, 0));
}

#[test]
fn an_agent_who_is_lost_at_the_tone_is_released_and_the_assistant_is_back() {
    let mut bench = Bench::triggered(Rules::default());
    bench.offered("ada").answered().keyed('1').agent_left();
    assert!(bench.has(&released("ada")));
    assert!(bench.has(&Output::BackToAssistant(Back::AgentLeft)));
    assert!(!bench.has(&Output::Unbridge));
}

#[test]
fn a_caller_whose_agent_is_lost_goes_to_the_front_again_and_is_told() {
    let wording = Rules::default().wording;
    for joined in [false, true] {
        let mut bench = Bench::triggered(Rules::default());
        bench.offered("ada").answered().keyed('1');
        if joined {
            bench.give(Input::ToneEnded);
        }
        let dial = bench.dial;
        bench.give(Input::AgentLost { dial });
        assert_eq!(bench.has(&Output::Unbridge), joined);
        assert!(bench.has(&Output::TellDesk(DeskReport::Lost { agent: "ada".into() })));
        assert!(bench.has(&Output::TellCaller { text: wording.agent_gone.clone() }));
        assert!(bench.has(&Output::Announce { text: wording.agent_lost.clone() }));
        let again = |output: &Output| {
            matches!(output, Output::Enqueue { queue, packet, again: true }
                if queue == "service" && packet.packet_id == "p1")
        };
        assert_eq!(bench.out.iter().filter(|output| again(output)).count(), 1);
        bench.give(Input::Announced);
        assert_eq!(bench.out, [Output::Music(true)]);
        bench.offered("bea").answered().said().keyed('1');
        assert!(bench.has(&accepted("bea")), "another may take the call");
    }
}
