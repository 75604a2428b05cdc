//! The rings and what the leg makes of them, with a card that is computed.

use std::collections::VecDeque;

use cordboard_audio::Encoder;

use super::*;

const RATES: CardRates = CardRates { microphone_hz: 48_000, loudspeaker_hz: 44_100 };
/// Samples of 20 ms at these rates.
const HEARD: usize = 960;
const SPOKEN: usize = 882;

fn ends() -> Ends {
    device(RATES, 7).expect("rates of whole frames")
}

/// The packets of one tick: sequence number, and the sound.
fn tick(it: &mut Ends, decoder: &mut Decoder) -> Vec<(u16, Vec<f32>)> {
    it.ears.step();
    let leg = &mut it.leg;
    let mut packets = Vec::new();
    let mut buffer = [0; 1_500];
    leg.refill();
    while let Some(event) = leg.poll(&mut buffer) {
        if let LegEvent::Packet(packet) = event {
            assert_eq!(packet.timestamp, u32::from(packet.sequence) * 160);
            let mut sound = vec![0.0; FRAME_SAMPLES];
            assert_eq!(decoder.decode_into(packet.payload, &mut sound), FRAME_SAMPLES);
            packets.push((packet.sequence, sound));
        }
    }
    packets
}

fn sequences(it: &mut Ends) -> Vec<u16> {
    let packets = tick(it, &mut Decoder::new(CODEC));
    packets.into_iter().map(|(sequence, _)| sequence).collect()
}

/// 20 ms of a loud tone, or of nothing.
fn frame(encoder: &mut Encoder, is_loud: bool) -> LegCommand {
    let level = if is_loud { 0.5 } else { 0.0 };
    let sound: [f32; FRAME_SAMPLES] = std::array::from_fn(|n| level * (n as f32 * 0.2).sin());
    let mut frame = EncodedFrame { len: 0, payload: [0; 320] };
    frame.len = encoder.encode_into(&sound, &mut frame.payload);
    LegCommand::Send(frame)
}

fn play(loudspeaker: &mut Loudspeaker, samples: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(samples);
    loudspeaker.play(samples, Duration::from_millis(30), |sample| out.push(sample));
    assert_eq!(out.len(), samples);
    out
}

fn power(samples: &[f32]) -> f32 {
    samples.iter().map(|it| it * it).sum::<f32>() / samples.len() as f32
}

#[test]
fn what_the_microphone_brings_in_pieces_becomes_frames_in_order() {
    let mut it = ends();
    for piece in [100, 860, 1, 1_919] {
        it.microphone.hear(std::iter::repeat_n(0.1, piece));
    }
    assert_eq!(sequences(&mut it), [0, 1, 2]);
    assert!(sequences(&mut it).is_empty());
    assert_eq!(it.leg.garbage(), 0);
}

#[test]
fn a_worker_that_lags_hears_the_newest_and_the_rest_is_missing() {
    let mut it = ends();
    it.microphone.hear(std::iter::repeat_n(0.1, (WAITING + 2) * HEARD));
    assert_eq!(sequences(&mut it), [2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(sequences(&mut it), [10, 11]);
    assert_eq!(it.leg.garbage(), 2);
    // A ring that is full takes no more.
    it.microphone.hear(std::iter::repeat_n(0.1, RING_FRAMES * HEARD + 3 * SPOKEN));
    assert_eq!(it.leg.garbage(), 5);
}

#[test]
fn a_flush_takes_back_what_was_given_before_it_and_nothing_after() {
    let (mut it, mut encoder) = (ends(), Encoder::new(CODEC));
    for _ in 0..6 {
        it.leg.command(&frame(&mut encoder, true));
    }
    it.leg.command(&LegCommand::Flush);
    for _ in 0..5 {
        it.leg.command(&frame(&mut encoder, false));
    }
    // The filters' tail aside, nothing of the six is played.
    let played = play(&mut it.loudspeaker, 2 * SPOKEN);
    assert!(power(&played[SPOKEN..]) < 1e-5, "{}", power(&played[SPOKEN..]));
    assert!(!it.handset.is_played_out());
    play(&mut it.loudspeaker, 4 * SPOKEN);
    assert!(it.handset.is_played_out());
}

#[test]
fn the_loudspeaker_begins_when_there_is_enough_to_go_on() {
    let (mut it, mut encoder) = (ends(), Encoder::new(CODEC));
    it.leg.command(&frame(&mut encoder, true));
    assert_eq!(power(&play(&mut it.loudspeaker, SPOKEN)), 0.0);
    for _ in 0..3 {
        it.leg.command(&frame(&mut encoder, true));
    }
    assert!(power(&play(&mut it.loudspeaker, SPOKEN)) > 0.0);
}

#[test]
fn a_loudspeaker_that_lags_is_spared_silence_and_never_sound() {
    let (mut it, mut encoder) = (ends(), Encoder::new(CODEC));
    for _ in 0..20 {
        it.leg.command(&frame(&mut encoder, false));
    }
    assert_eq!(it.leg.loudspeaker.occupied_len(), LAGGING * SPOKEN);
    for _ in 0..4 {
        it.leg.command(&frame(&mut encoder, true));
    }
    // The first may be a silent one still: the filter is late.
    assert!(it.leg.loudspeaker.occupied_len() >= (LAGGING + 3) * SPOKEN);
    assert_eq!(it.leg.garbage(), 0);
}

#[test]
fn what_the_card_holds_is_told_once_it_is_known() {
    let (mut it, mut encoder) = (ends(), Encoder::new(CODEC));
    let mut told = Vec::new();
    for _ in 0..3 * LOOK_EVERY {
        it.leg.command(&frame(&mut encoder, true));
        play(&mut it.loudspeaker, SPOKEN);
        it.leg.refill();
        let mut buffer = [0; 1_500];
        while let Some(event) = it.leg.poll(&mut buffer) {
            if let LegEvent::FarBuffer(held) = event {
                told.push(held);
            }
        }
    }
    // 30 ms in the card, and what waits in the ring.
    let [held] = told[..] else { panic!("{told:?}") };
    assert!((30..=110).contains(&held.as_millis()), "{held:?}");
}

#[test]
fn keys_the_hang_up_and_a_card_that_is_gone_are_events() {
    let mut it = ends();
    let mut buffer = [0; 1_500];
    it.leg.command(&LegCommand::Answer);
    it.handset.press('7');
    it.handset.hang_up();
    it.loudspeaker.sign_of_loss().raise();
    it.leg.refill();
    assert!(matches!(it.leg.poll(&mut buffer), Some(LegEvent::Answered)));
    let key = it.leg.poll(&mut buffer);
    assert!(matches!(key, Some(LegEvent::Digit { digit: '7', .. })), "{key:?}");
    let cause = |event: Option<LegEvent<'_>>| match event {
        Some(LegEvent::Ended { cause }) => cause,
        other => panic!("{other:?}"),
    };
    assert_eq!(cause(it.leg.poll(&mut buffer)), EndCause::Bye);
    assert_eq!(cause(it.leg.poll(&mut buffer)), EndCause::Lost);
    assert!(it.leg.poll(&mut buffer).is_none());
    assert!(!it.leg.over.is_cancelled());
    it.leg.command(&LegCommand::Hangup);
    assert!(it.leg.over.is_cancelled());
    // With the call its thread ends.
    it.ears.run();
}

#[test]
fn what_the_loudspeaker_plays_does_not_come_back_by_the_microphone() {
    let mut it = device(CardRates { microphone_hz: 48_000, loudspeaker_hz: 48_000 }, 7)
        .expect("rates of whole frames");
    let (mut encoder, mut decoder) = (Encoder::new(CODEC), Decoder::new(CODEC));
    // The card and the air: 70 ms, and 8 dB softer.
    let mut air: VecDeque<f32> = std::iter::repeat_n(0.0, 3_360).collect();
    let (mut came, mut left) = (Vec::new(), Vec::new());
    let mut state = 1_u32;
    for n in 0..300 {
        let mut sound = [0.0; FRAME_SAMPLES];
        for sample in &mut sound {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample = (state >> 8) as f32 / (1 << 24) as f32 * 0.4 - 0.2;
        }
        let mut frame = EncodedFrame { len: 0, payload: [0; 320] };
        frame.len = encoder.encode_into(&sound, &mut frame.payload);
        it.leg.command(&LegCommand::Send(frame));
        air.extend(play(&mut it.loudspeaker, HEARD).iter().map(|it| it * 0.4));
        let echo: Vec<f32> = air.drain(..HEARD).collect();
        it.microphone.hear(echo.iter().copied());
        for (_, sound) in tick(&mut it, &mut decoder) {
            if n >= 100 {
                came.extend_from_slice(&echo);
                left.extend(sound);
            }
        }
    }
    let erle = 10.0 * (power(&came) / power(&left)).log10();
    println!("ERLE {erle:.1} dB");
    assert!(erle >= 20.0, "{erle:.1} dB");
}
