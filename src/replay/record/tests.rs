//! What is written is read back; what is not, is refused.

use cordboard_models::speech::HypothesisKind;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn round_trip(input: &Input<'_>) {
    let (kind, bytes) = encode(input);
    let back = decode(kind, &bytes).expect("what was written can be read");
    assert_eq!(encode(&back), (kind, bytes.clone()));
    assert_eq!(format!("{back:?}"), format!("{input:?}"));
}

fn hypothesis() -> Hypothesis {
    let word = Word {
        text: "order".into(),
        begin: Duration::from_millis(120),
        end: Duration::from_millis(400),
        confidence: 0.8,
    };
    Hypothesis {
        text: "order".into(),
        words: vec![word],
        stable_words: 1,
        confidence: 0.7,
        kind: HypothesisKind::Final,
    }
}

fn packet(payload: &[u8]) -> Input<'_> {
    let packet = MediaPacket {
        sequence: 65_535,
        timestamp: u32::MAX,
        marker: true,
        ssrc: 7,
        codec: Codec::Pcma,
        payload,
    };
    Input::Leg(LegRole::Agent, LegEvent::Packet(packet))
}

#[test]
fn every_kind_of_input_comes_back_as_it_was() {
    let agent = AgentRef { name: "ada".into(), uri: "sip:ada@127.0.0.1".into() };
    let verdict = ToolVerdict::Status(404);
    let outcome = ToolOutcome { verdict, result: json!({"a": [1, null]}), took_ms: 5_000 };
    let speech = Speech {
        text: "Hello.".into(),
        rate: SampleRate::NARROW,
        samples: vec![0.25, -1.0, 0.0].into(),
        words: vec![].into(),
    };
    let ranked = vec![Ranked { name: "order".into(), probability: 0.5 }];
    let (job, packet_id) = (JobId(300), "p1".to_owned());
    let network = Network {
        jitter_ms: 7,
        rtt_ms: Some(u32::MAX),
        remote_lost: None,
        remote_loss_percent: Some(100),
        from_far_end: true,
    };
    let (id, name) = ("call_1".to_owned(), "order_lookup".to_owned());
    let call = ToolCall { id, name, arguments: json!({"order_number": "123456"}) };
    let digit = LegEvent::Digit { digit: '#', duration_ms: 120 };
    let ended = LegEvent::Ended { cause: EndCause::Refused(486) };
    for input in [
        packet(&[1, 2, 3]),
        Input::Leg(LegRole::Caller, digit),
        Input::Leg(LegRole::Caller, ended),
        Input::Leg(LegRole::Caller, LegEvent::Renegotiated(Codec::Pcmu)),
        Input::Leg(LegRole::Caller, LegEvent::Renegotiated(Codec::G722)),
        Input::Leg(LegRole::Agent, LegEvent::Renegotiated(Codec::Opus)),
        Input::Leg(LegRole::Caller, LegEvent::Comfort { sequence: 9, payload: &[40, 127] }),
        Input::Leg(LegRole::Caller, LegEvent::KeysInSound(true)),
        Input::Leg(LegRole::Caller, LegEvent::WantsPerson),
        Input::Leg(LegRole::Caller, LegEvent::FarBuffer(Duration::from_millis(140))),
        Input::Leg(LegRole::Caller, LegEvent::Garbage { total: 1 << 40 }),
        Input::Leg(LegRole::Agent, LegEvent::Network(network)),
        Input::Tick,
        Input::Voice { probability: 0.123 },
        Input::Judged { probability: 1.0 },
        Input::SoundJudged { job: JobId(9), probability: 0.75 },
        Input::Recognized { job, hypothesis: hypothesis() },
        Input::Spoken { job, speech, last: true },
        Input::Ranked { request: 2, ranked },
        Input::Refused { job, why: "no ears are free".into() },
        Input::ToolAnswered { invocation: 1, outcome },
        Input::AgentOffered { packet_id: packet_id.clone(), agent },
        Input::NobodyCame { packet_id },
        Input::PacketFetched,
        Input::Stop,
        Input::Answered { job, event: AnswerEvent::Sentence("It is open.".to_owned()) },
        Input::Answered { job, event: AnswerEvent::Called(call) },
        Input::Answered { job, event: AnswerEvent::Ended },
        Input::FailedOver { role: EngineRole::LanguageModel, engine: 1, why: "late".into() },
    ] {
        round_trip(&input);
    }
}

#[test]
fn a_record_cut_anywhere_is_refused_and_not_guessed() {
    let (kind, bytes) = encode(&Input::Recognized { job: JobId(1), hypothesis: hypothesis() });
    for len in 0..bytes.len() {
        assert!(decode(kind, &bytes[..len]).is_err(), "{len} of {} bytes", bytes.len());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(
        kind in 0u8..24,
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        if let Ok(input) = decode(kind, &bytes) {
            let (again, written) = encode(&input);
            prop_assert_eq!(again, kind);
            prop_assert!(decode(again, &written).is_ok());
        }
    }
}
