//! Tables from RFC 3264 and from telephones that do not read it.

use std::io::Cursor;

use proptest::prelude::*;

use super::*;

fn offer(tail: &str) -> String {
    format!("v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n{tail}")
}

fn ours() -> Negotiation {
    Negotiation::new("192.0.2.1:4000".parse().unwrap(), 77)
}

#[test]
fn the_first_codec_in_common_of_the_offer_is_taken() {
    use AudioCodec::{G722, Pcma, Pcmu};
    for (formats, maps, expected) in [
        ("0 8", "", Some((Pcmu, 0, None))),
        ("8 0 101", "a=rtpmap:101 telephone-event/8000\r\n", Some((Pcma, 8, Some(101)))),
        (
            "111 96 97",
            "a=rtpmap:96 pcma/8000\r\na=rtpmap:97 Telephone-Event/8000\r\n",
            Some((Pcma, 96, Some(97))),
        ),
        ("0 101", "a=rtpmap:101 telephone-event/48000\r\n", Some((Pcmu, 0, None))),
        ("9 18", "", Some((G722, 9, None))),
        ("18 4", "", None),
        ("96", "a=rtpmap:96 PCMU/16000\r\n", None),
        ("0", "a=rtpmap:0 L16/8000\r\n", None),
    ] {
        let text = offer(&format!("m=audio 5000 RTP/AVP {formats}\r\n{maps}"));
        let got = ours().answer(&text);
        let got = got.map(|(it, _)| (it.codec, it.payload_type, it.telephone_event));
        assert_eq!(got, expected.ok_or(Refusal::NoCommonCodec), "{formats}");
    }
}

#[test]
fn refusals_say_why_and_with_which_status() {
    let too_many = "m=audio 5000 RTP/AVP 0\r\n".repeat(40);
    for (text, refusal, status) in [
        (offer("m=audio 5000 RTP/SAVP 0\r\n"), Refusal::Profile, 488),
        (offer("m=audio 5000 UDP/TLS/RTP/SAVPF 0\r\n"), Refusal::Profile, 488),
        (offer("m=audio 0 RTP/AVP 0\r\n"), Refusal::NoAudio, 488),
        (offer("m=video 5000 RTP/AVP 31\r\n"), Refusal::NoAudio, 488),
        (offer(""), Refusal::NoAudio, 488),
        (offer("m=audio 5000 RTP/AVP 3\r\n"), Refusal::NoCommonCodec, 488),
        (offer("m=audio 5000 RTP/AVP 0\r\nc=IN IP4 224.0.0.1\r\n"), Refusal::Address, 488),
        (offer("m=audio 5000 RTP/AVP 0\r\nc=IN IP4 169.254.169.254\r\n"), Refusal::Address, 488),
        (offer("m=audio 5000 RTP/AVP 0\r\nc=IN IP4 host.example.com\r\n"), Refusal::Address, 488),
        ("nonsense".to_owned(), SdpError::Malformed { line: 1 }.into(), 400),
        (offer(&too_many), SdpError::TooLarge { what: "media sections", limit: 32 }.into(), 413),
    ] {
        let refused = ours().answer(&text).unwrap_err();
        assert_eq!((refused, refused.status()), (refusal, status), "{text}");
    }
}

#[test]
fn directions_are_mirrored_and_holds_are_seen() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    for (line, direction, held) in [
        ("", SendRecv, false),
        ("a=sendrecv", SendRecv, false),
        ("a=sendonly", RecvOnly, true),
        ("a=recvonly", SendOnly, false),
        ("a=inactive", Inactive, true),
        ("c=IN IP4 0.0.0.0", RecvOnly, true),
    ] {
        let text = offer(&format!("m=audio 5000 RTP/AVP 0\r\n{line}\r\n"));
        let (agreed, answer) = ours().answer(&text).unwrap();
        assert_eq!((agreed.direction, agreed.is_held()), (direction, held), "{line}");
        assert!(answer.contains(&format!("a={}\r\n", direction.name())), "{answer}");
    }
}

#[test]
fn packet_times_stay_between_ten_and_sixty() {
    for (lines, expected) in [
        ("", 20),
        ("a=ptime:10", 10),
        ("a=ptime:30", 30),
        ("a=ptime:60", 60),
        ("a=ptime:25", 20),
        ("a=ptime:0", 20),
        ("a=ptime:4000000000", 20),
        ("a=ptime:99999999999999", 20),
        ("a=ptime:60\r\na=maxptime:40", 40),
        ("a=maxptime:5", 20),
    ] {
        let text = offer(&format!("m=audio 5000 RTP/AVP 0\r\n{lines}\r\n"));
        assert_eq!(ours().answer(&text).unwrap().0.ptime_ms, expected, "{lines}");
    }
}

#[test]
fn other_sections_are_refused_in_their_places() {
    let text = offer(
        "m=video 51372 RTP/AVP 31 32\r\nm=audio 5000 RTP/AVP 0\r\nm=image 6000 udptl t38\r\n\
         m=audio 5002 RTP/AVP 8\r\n",
    );
    let (_, answer) = ours().answer(&text).unwrap();
    let media: Vec<&str> = answer.lines().filter(|it| it.starts_with("m=")).collect();
    let expected = [
        "m=video 0 RTP/AVP 31",
        "m=audio 4000 RTP/AVP 0",
        "m=image 0 udptl t38",
        "m=audio 0 RTP/AVP 8",
    ];
    assert_eq!(media, expected);
}

#[test]
fn the_version_goes_up_only_with_a_change() {
    let version = |text: &str| {
        let origin = text.lines().find(|it| it.starts_with("o=")).unwrap().to_owned();
        let fields: Vec<u64> = origin.split(' ').filter_map(|it| it.parse().ok()).collect();
        (fields[0], fields[1])
    };
    let mut ours = ours();
    let plain = offer("m=audio 5000 RTP/AVP 0\r\n");
    let held = offer("m=audio 5000 RTP/AVP 0\r\na=sendonly\r\n");
    let texts = [&plain, &plain, &held, &held, &plain].map(|it| ours.answer(it).unwrap().1);
    let versions: Vec<(u64, u64)> = texts.iter().map(|it| version(it)).collect();
    assert_eq!(versions, [(77, 77), (77, 77), (77, 78), (77, 78), (77, 79)]);
}

#[test]
fn offer_and_answer_meet() {
    let mut caller = ours();
    let mut callee = Negotiation::new("[2001:db8::2]:6000".parse().unwrap(), 5);
    let (theirs, answer) = callee.answer(&caller.offer()).unwrap();
    let mine = caller.accept_answer(&answer).unwrap();
    assert_eq!(theirs.remote, "192.0.2.1:4000".parse().unwrap());
    assert_eq!(mine.remote, "[2001:db8::2]:6000".parse().unwrap());
    assert_eq!((mine.telephone_event, theirs.telephone_event), (Some(110), Some(110)));
    assert_eq!(caller.accept_answer(&answer), Err(Refusal::NothingOffered));
}

#[test]
fn our_own_hold_is_offered_and_taken_back() {
    let (mut caller, mut callee) = (ours(), Negotiation::new(([127, 0, 0, 1], 1).into(), 5));
    let (_, answer) = callee.answer(&caller.offer()).unwrap();
    caller.accept_answer(&answer).unwrap();
    for (ours, theirs) in [
        (Direction::SendOnly, Direction::RecvOnly),
        (Direction::Inactive, Direction::Inactive),
        (Direction::SendRecv, Direction::SendRecv),
    ] {
        let (agreed, answer) = callee.answer(&caller.offer_with(ours)).unwrap();
        assert_eq!(agreed.direction, theirs);
        assert_eq!(caller.accept_answer(&answer).unwrap().direction, ours);
    }
}

#[test]
fn an_answer_with_other_sections_is_refused() {
    let mut caller = ours();
    let _ = caller.offer();
    let answer = offer("m=audio 5000 RTP/AVP 0\r\nm=video 0 RTP/AVP 31\r\n");
    let refused = Refusal::SectionsDiffer { expected: 1, got: 2 };
    assert_eq!(caller.accept_answer(&answer), Err(refused));
    let declined = offer("m=audio 0 RTP/AVP 0\r\n");
    assert_eq!(caller.accept_answer(&declined), Err(Refusal::NoAudio));
}

#[test]
fn an_answer_may_renumber_the_keys() {
    let mut caller = ours();
    let _ = caller.offer();
    let answer = offer("m=audio 5000 RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/8000\r\n");
    let agreed = caller.accept_answer(&answer).unwrap();
    assert_eq!((agreed.telephone_event, agreed.telephone_event_received), (Some(96), Some(101)));
    assert!(caller.offer().contains(" 101 110\r\n"));
}

proptest! {
    #[test]
    fn what_we_write_another_reader_understands(
        port in 1_u16.., direction in 0_usize..4, sections in 0_usize..4, session_id: u64,
    ) {
        let others = "m=video 9 RTP/AVP 31\r\n".repeat(sections);
        let line = ["sendrecv", "sendonly", "recvonly", "inactive"][direction];
        let text = offer(&format!("{others}m=audio {port} RTP/AVP 8 0\r\na={line}\r\n"));
        let mut ours = Negotiation::new("192.0.2.1:4000".parse().unwrap(), session_id);
        let (agreed, answer) = ours.answer(&text).unwrap();
        prop_assert_eq!(agreed.remote.port(), port);
        let mut cursor = Cursor::new(answer.as_bytes());
        let read = rtc_sdp::SessionDescription::unmarshal(&mut cursor).unwrap();
        prop_assert_eq!(read.media_descriptions.len(), sections + 1);
        prop_assert_eq!(read.media_descriptions[sections].media_name.port.value, 4000);
        prop_assert_eq!(read.origin.session_id, session_id);
    }
}

const ALL_FOUR: &str = "m=audio 5000 RTP/AVP 96 9 0 8 13 97 98\r\na=rtpmap:96 OPUS/48000/2\r\n\
    a=fmtp:96 useinbandfec=1\r\na=rtpmap:97 telephone-event/48000\r\n\
    a=rtpmap:98 telephone-event/8000\r\n";

#[test]
fn opus_is_taken_with_the_offered_number_and_keys_of_its_clock() {
    use AudioCodec::{G722, Opus, Pcma, Pcmu};
    let (agreed, answer) = ours().answer(&offer(ALL_FOUR)).unwrap();
    assert_eq!((agreed.codec, agreed.payload_type), (Opus, 96));
    assert_eq!((agreed.telephone_event, agreed.telephone_event_hz), (Some(97), 48_000));
    assert_eq!(agreed.comfort_noise, None, "Opus says itself that it is silent");
    assert!(answer.contains("m=audio 4000 RTP/AVP 96 97\r\na=rtpmap:96 opus/48000/2\r\n"));
    assert!(answer.contains("useinbandfec=1;usedtx=1"), "{answer}");
    // What was offered may come, whatever was answered with.
    let received = [96, 9, 0, 8, 111].map(|it| agreed.received.codec(it));
    assert_eq!(received, [Some(Opus), Some(G722), Some(Pcmu), Some(Pcma), None]);
}

#[test]
fn what_is_configured_is_what_is_spoken() {
    let mut narrow = ours().with_codecs(&[AudioCodec::Pcma, AudioCodec::G722]);
    let (agreed, answer) = narrow.answer(&offer(ALL_FOUR)).unwrap();
    assert_eq!((agreed.codec, agreed.comfort_noise), (AudioCodec::G722, Some(13)));
    assert_eq!((agreed.telephone_event, agreed.telephone_event_hz), (Some(98), 8_000));
    assert!(answer.contains("a=rtpmap:9 G722/8000\r\na=rtpmap:13 CN/8000\r\n"), "{answer}");
    let first = ours().with_codecs(&[AudioCodec::Pcma, AudioCodec::G722]).offer();
    assert!(first.contains("m=audio 4000 RTP/AVP 8 9 13 101\r\n"), "{first}");
    let only = offer("m=audio 5000 RTP/AVP 96\r\na=rtpmap:96 opus/48000/2\r\n");
    assert_eq!(narrow.answer(&only).unwrap_err(), Refusal::NoCommonCodec);
    let mono = offer("m=audio 5000 RTP/AVP 96\r\na=rtpmap:96 opus/48000\r\n");
    assert_eq!(ours().answer(&mono).unwrap_err(), Refusal::NoCommonCodec);
}

#[test]
fn both_numbers_of_an_answer_that_renumbers_opus_hold() {
    let mut caller = ours();
    assert!(caller.offer().contains("m=audio 4000 RTP/AVP 111 9 0 8 13 110 101\r\n"));
    let answer = offer(
        "m=audio 5000 RTP/AVP 120 121\r\na=rtpmap:120 opus/48000/2\r\n\
         a=rtpmap:121 telephone-event/48000\r\n",
    );
    let agreed = caller.accept_answer(&answer).unwrap();
    assert_eq!((agreed.payload_type, agreed.received.of(AudioCodec::Opus)), (120, Some(111)));
    assert_eq!((agreed.telephone_event, agreed.telephone_event_received), (Some(121), Some(110)));
    assert_eq!(agreed.telephone_event_hz, 48_000);
}

#[test]
fn keys_of_the_old_clock_go_with_opus_where_no_others_are_offered() {
    let text = offer(
        "m=audio 5000 RTP/AVP 96 101\r\na=rtpmap:96 opus/48000/2\r\n\
         a=rtpmap:101 telephone-event/8000\r\n",
    );
    let (agreed, answer) = ours().answer(&text).unwrap();
    assert_eq!((agreed.telephone_event, agreed.telephone_event_hz), (Some(101), 8_000));
    assert!(answer.contains("a=rtpmap:101 telephone-event/8000\r\n"));
}

#[test]
fn a_later_offer_keeps_the_peer_s_numbers_and_gives_none_twice() {
    let mut ours = ours();
    let text = offer(
        "m=audio 5000 RTP/AVP 110 101 0\r\na=rtpmap:110 opus/48000/2\r\n\
         a=rtpmap:101 telephone-event/48000\r\n",
    );
    ours.answer(&text).unwrap();
    let later = ours.offer();
    assert!(later.contains("m=audio 4000 RTP/AVP 110 9 0 8 13 101 96\r\n"), "{later}");
    assert!(later.contains("a=rtpmap:101 telephone-event/48000\r\n"), "{later}");
    assert!(later.contains("a=rtpmap:96 telephone-event/8000\r\n"), "{later}");
}

#[test]
fn a_description_that_is_offered_again_may_be_answered_again() {
    let mut caller = Negotiation::new("192.0.2.1:4000".parse().unwrap(), 1);
    let mut callee = Negotiation::new("192.0.2.2:5000".parse().unwrap(), 2);
    let (_, answer) = callee.answer(&caller.offer()).unwrap();
    caller.accept_answer(&answer).unwrap();
    let moved = answer.replace(" 5000 ", " 6000 ");
    assert_eq!(caller.accept_answer(&moved), Err(Refusal::NothingOffered));
    // Ours was the offer on one side and the answer on the other.
    caller.offered_again();
    assert_eq!(caller.accept_answer(&moved).unwrap().remote, "192.0.2.2:6000".parse().unwrap());
    callee.offered_again();
    let (_, theirs) =
        Negotiation::new("192.0.2.1:4002".parse().unwrap(), 3).answer(&answer).unwrap();
    assert_eq!(callee.accept_answer(&theirs).unwrap().remote, "192.0.2.1:4002".parse().unwrap());
}
