//! The leg without a connection: packets, keys and words that come to it.

use super::*;
use rtc::media_stream::MediaStreamTrack;
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;

fn leg() -> (BrowserLeg, BrowserEnd, mpsc::Receiver<Shown>) {
    let name = || "a".to_owned();
    let track = MediaStreamTrack::new(name(), name(), name(), RtpCodecKind::Audio, vec![]);
    let (leg, end, shown) = ends(Arc::new(TrackLocalStaticRTP::new(track)), 7, 1);
    end.agreed(111, Some((110, CLOCK_HZ)));
    (leg, end, shown)
}

fn packet(payload_type: u8, sequence_number: u16, payload: &[u8]) -> rtc::rtp::Packet {
    let header = Header { version: 2, payload_type, sequence_number, ..Header::default() };
    rtc::rtp::Packet { header, payload: Bytes::copy_from_slice(payload) }
}

fn next(leg: &mut BrowserLeg, buffer: &mut [u8; 1_500]) -> Option<LegEvent<'static>> {
    leg.refill();
    leg.poll(MediaTime::ZERO, buffer).map(|event| match event {
        LegEvent::Packet(it) => LegEvent::Passed { sequence: it.sequence + 1_000 },
        LegEvent::Passed { sequence } => LegEvent::Passed { sequence },
        LegEvent::Digit { digit, duration_ms } => LegEvent::Digit { digit, duration_ms },
        LegEvent::Answered => LegEvent::Answered,
        LegEvent::WantsPerson => LegEvent::WantsPerson,
        other => panic!("{other:?}"),
    })
}

#[test]
fn a_call_is_answered_when_it_is_taken_and_sound_may_flow() {
    let (mut leg, end, _shown) = leg();
    let mut buffer = [0; 1_500];
    assert!(next(&mut leg, &mut buffer).is_none());
    leg.command(&LegCommand::Answer);
    assert!(next(&mut leg, &mut buffer).is_none(), "nothing flows yet");
    assert!(end.tell(Word::Connected));
    assert!(matches!(next(&mut leg, &mut buffer), Some(LegEvent::Answered)));
    assert!(end.tell(Word::Connected), "it was away and is back");
    assert!(next(&mut leg, &mut buffer).is_none(), "once");
}

#[test]
fn sound_is_passed_on_keys_are_told_once_and_what_was_not_agreed_on_is_garbage() {
    let (mut leg, end, _shown) = leg();
    let mut buffer = [0; 1_500];
    end.give(packet(111, 1, &[1, 2, 3]));
    end.give(packet(96, 2, &[0; 40]));
    for sequence in 3..6 {
        // "5", ended, three times, as browsers send it.
        end.give(packet(110, sequence, &[5, 0x8a, 0x12, 0xc0]));
    }
    let mut told = Vec::new();
    for _ in 0..12 {
        told.extend(next(&mut leg, &mut buffer).map(|event| format!("{event:?}")));
    }
    let keys = told.iter().filter(|event| event.contains("digit: '5'")).count();
    assert_eq!((keys, leg.garbage()), (1, 1), "{told:?}");
    assert!(told[0].contains("1001"), "{told:?}");
    assert_eq!(told.iter().filter(|event| event.starts_with("Passed")).count(), 4);
}

#[test]
fn a_worker_that_lags_loses_the_oldest_and_it_is_counted() {
    let (mut leg, end, _shown) = leg();
    for sequence in 0..u16::try_from(WAITING).expect("few") + 7 {
        end.give(packet(111, sequence, &[0]));
    }
    assert_eq!(leg.garbage(), 7);
    let first = next(&mut leg, &mut [0; 1_500]);
    assert!(matches!(first, Some(LegEvent::Passed { sequence: 1_007 })), "{first:?}");
}

#[test]
fn a_page_that_does_not_keep_up_holds_nobody_up() {
    let (mut leg, _end, mut shown) = leg();
    let caption = |turn| Shown::Caller { turn, text: "a".to_owned(), is_final: false };
    for turn in 0..SHOWN as u32 + 50 {
        leg.command(&LegCommand::Show(Box::new(caption(turn))));
    }
    assert_eq!(shown.try_recv().ok(), Some(caption(0)));
}

#[test]
fn a_hang_up_ends_the_connections_end_too() {
    let (mut leg, end, _shown) = leg();
    assert!(!end.over.is_cancelled());
    leg.command(&LegCommand::Hangup);
    assert!(end.over.is_cancelled());
}
