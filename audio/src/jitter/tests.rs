//! The buffer against orders, wraps, holes, pauses, jumps and garbage.

use proptest::prelude::*;

use super::*;

const PAYLOAD: [u8; 160] = [0x55; 160];

fn ms(ms: i64) -> MediaTime {
    MediaTime::from_millis(ms as u64)
}

/// The n-th packet of 20 ms of a stream whose numbers begin anywhere.
fn packet(n: i64, base: (u16, u32), arrived: MediaTime) -> Packet<'static> {
    Packet {
        sequence: base.0.wrapping_add(n as u16),
        timestamp: base.1.wrapping_add(160 * n as u32),
        marker: n == 0,
        payload: &PAYLOAD,
        arrived,
    }
}

/// Pops one 20 ms tick; returns the timestamps played and the ticks lost.
fn tick(buffer: &mut JitterBuffer, now: MediaTime) -> (Vec<i64>, usize) {
    let (mut played, mut lost, mut got) = (Vec::new(), 0, 0);
    while got < 160 {
        match buffer.pop(now) {
            Popped::Packet { timestamp, payload, .. } => {
                played.push(timestamp);
                got += payload.len();
            }
            Popped::Lost { ticks, .. } => {
                assert!(ticks > 0);
                lost += ticks;
                got += ticks;
            }
            Popped::Dry | Popped::Resting => break,
        }
    }
    (played, lost)
}

fn accounted(buffer: &JitterBuffer) -> bool {
    let c = buffer.counters();
    let gone = c.played + c.late + c.duplicate + c.refused + c.discarded;
    c.received == gone + buffer.held() as u64
}

/// Plays a stream whose packets arrive in this order of (number, arrival in ms), a tick each 20 ms.
fn play(arrivals: &[(i64, i64)], base: (u16, u32)) -> (JitterBuffer, Vec<i64>, usize) {
    let mut buffer = JitterBuffer::new(Codec::Pcmu);
    let (mut played, mut lost) = (Vec::new(), 0);
    let end = arrivals.iter().map(|(_, at)| *at).max().unwrap_or(0) + 400;
    let mut rest = arrivals.to_vec();
    rest.sort_by_key(|(_, at)| *at);
    let mut rest = rest.into_iter().peekable();
    for now in (0..end).step_by(20) {
        while let Some((n, at)) = rest.next_if(|(_, at)| *at <= now) {
            buffer.insert(packet(n, base, ms(at)));
        }
        let (timestamps, ticks) = tick(&mut buffer, ms(now));
        played.extend(timestamps);
        lost += ticks;
        assert!(accounted(&buffer), "{:?}", buffer.counters());
    }
    (buffer, played, lost)
}

#[test]
fn a_steady_stream_is_played_whole_after_forty_ms() {
    let mut buffer = JitterBuffer::new(Codec::Pcma);
    let mut first = None;
    for n in 0..100 {
        buffer.insert(packet(n, (0, 0), ms(20 * n)));
        let (played, _) = tick(&mut buffer, ms(20 * n));
        if first.is_none() && !played.is_empty() {
            first = Some(n * 20);
        }
    }
    assert_eq!(first, Some(40));
    assert_eq!(buffer.counters().lost, 0);
    assert_eq!(buffer.depth(), Duration::from_millis(40));
}

#[test]
fn every_ptime_is_played_at_its_pace() {
    for ptime in [10_i64, 20, 30, 40, 60] {
        let mut buffer = JitterBuffer::new(Codec::Pcmu);
        let payload = vec![0; 8 * ptime as usize];
        let (mut next, mut owed, mut lost) = (0, 0_i64, 0);
        for now in (0..6_000).step_by(20) {
            while next * ptime + ptime <= now {
                let (sequence, timestamp) = (next as u16, (next * 8 * ptime) as u32);
                let (marker, arrived) = (false, ms(next * ptime + ptime));
                buffer.insert(Packet { sequence, timestamp, marker, payload: &payload, arrived });
                next += 1;
            }
            owed += 160;
            while owed > 0 {
                match buffer.pop(ms(now)) {
                    Popped::Packet { payload, .. } => owed -= payload.len() as i64,
                    Popped::Lost { ticks, .. } => lost += ticks,
                    Popped::Dry | Popped::Resting => owed = 0,
                }
            }
        }
        let counters = buffer.counters();
        assert_eq!((counters.lost, counters.late, lost), (0, 0, 0), "ptime {ptime}");
        assert!(counters.played as i64 * ptime > 5_800, "ptime {ptime}: {counters:?}");
    }
}

#[test]
fn a_hole_is_lost_and_the_next_packet_keeps_its_time() {
    let arrivals: Vec<_> =
        (0..50).filter(|n| ![10, 20, 21].contains(n)).map(|n| (n, 20 * n)).collect();
    let (buffer, played, lost) = play(&arrivals, (0, 0));
    assert_eq!(played.len(), 47);
    assert_eq!(lost, 3 * 160);
    assert_eq!(buffer.counters().lost, 3);
}

#[test]
fn a_packet_after_its_time_is_late_and_not_lost() {
    let mut arrivals: Vec<_> = (0..50).map(|n| (n, 20 * n)).collect();
    arrivals[10].1 += 100;
    let (buffer, played, lost) = play(&arrivals, (0, 0));
    assert_eq!(played.len(), 49);
    assert_eq!(lost, 160);
    let counters = buffer.counters();
    assert_eq!((counters.late, counters.lost), (1, 0));
}

#[test]
fn a_duplicate_is_one_whether_its_twin_waits_or_was_played() {
    let mut arrivals: Vec<_> = (0..50).map(|n| (n, 20 * n)).collect();
    arrivals.extend([(10, 205), (20, 520)]);
    let (buffer, played, _) = play(&arrivals, (0, 0));
    assert_eq!(played.len(), 50);
    assert_eq!(buffer.counters().duplicate, 2);
}

#[test]
fn silence_of_the_sender_is_no_loss_and_the_next_spurt_waits_its_time() {
    let spurt = (0..20).map(|n| (n, 20 * n));
    let mut buffer = JitterBuffer::new(Codec::Pcmu);
    let mut arrivals: Vec<(u16, u32, i64)> =
        spurt.map(|(n, at)| (n as u16, 160 * n as u32, at)).collect();
    // Three seconds of silence: the sequence goes on by one, the timestamp by all of it.
    arrivals
        .extend((0..20).map(|n| (20 + n, 160 * (170 + u32::from(n)), 3_400 + 20 * i64::from(n))));
    let mut played = Vec::new();
    for now in (0..4_400_i64).step_by(20) {
        for (sequence, timestamp, at) in arrivals.iter().filter(|(_, _, at)| *at == now) {
            let marker = *sequence == 20;
            let (sequence, timestamp, arrived) = (*sequence, *timestamp, ms(*at));
            buffer.insert(Packet { sequence, timestamp, marker, payload: &PAYLOAD, arrived });
        }
        let (timestamps, lost) = tick(&mut buffer, ms(now));
        assert_eq!(lost, 0);
        played.extend(timestamps.into_iter().map(|timestamp| (timestamp, now)));
    }
    let counters = buffer.counters();
    assert_eq!((counters.played, counters.lost, counters.resyncs), (40, 0, 0));
    let (_, begun) = played.iter().find(|(timestamp, _)| *timestamp == 160 * 170).unwrap();
    assert!((3_420..=3_460).contains(begun), "spurt begun at {begun}");
}

#[test]
fn a_short_pause_of_the_sender_keeps_its_length() {
    let mut buffer = JitterBuffer::new(Codec::Pcmu);
    let mut at = Vec::new();
    for n in 0..60_i64 {
        // Two of twenty packets' times pass without a packet; the sequence goes on.
        let (sent, silent) = (n - 2 * (n / 20), n % 20 < 2 && n >= 20);
        if !silent {
            let packet = packet(n, (0, 0), ms(20 * n));
            buffer.insert(Packet { sequence: sent as u16, ..packet });
        }
        let (played, lost) = tick(&mut buffer, ms(20 * n));
        assert_eq!(lost, 0);
        at.extend(played.into_iter().map(|timestamp| 20 * n - timestamp / 8));
    }
    assert!(at.len() > 50 && at.iter().all(|delay| *delay == at[0]), "{at:?}");
}

#[test]
fn a_packet_lost_before_a_silence_is_made_up_once() {
    let mut buffer = JitterBuffer::new(Codec::Pcmu);
    let mut lost = 0;
    for n in 0..80_i64 {
        // Packet 20 is lost; the sender is silent for the times of 21 to 29.
        if !(20..30).contains(&n) {
            let sequence = if n < 20 { n } else { n - 9 } as u16;
            buffer.insert(Packet {
                sequence,
                ..packet(n, (0, 0), ms(20 * n - 20 * (n / 30).min(1)))
            });
        }
        lost += tick(&mut buffer, ms(20 * n)).1;
    }
    assert_eq!(buffer.counters().lost, 1);
    assert!(lost <= 160, "{lost} ticks");
}

#[test]
fn a_late_network_delays_speech_and_loses_none() {
    let arrivals: Vec<_> =
        (0..100).map(|n| (n, if (30..36).contains(&n) { 720 } else { 20 * n })).collect();
    let (buffer, played, _) = play(&arrivals, (0, 0));
    assert_eq!(played.len(), 100);
    assert_eq!(buffer.counters().lost, 0);
}

#[test]
fn an_outage_is_lost_and_the_delay_stays_bounded() {
    let mut arrivals: Vec<_> = (0..50).map(|n| (n, 20 * n)).collect();
    arrivals.extend((100..150).map(|n| (n, 20 * n)));
    arrivals.extend((150..190).map(|n| (n, 3_800))); // 800 ms come at once.
    arrivals.extend((190..250).map(|n| (n, 20 * n)));
    let (buffer, played, _) = play(&arrivals, (65_500, u32::MAX - 9_000));
    let counters = buffer.counters();
    assert_eq!(counters.lost, 50);
    assert!(counters.discarded >= 3, "{counters:?}");
    assert!(played.len() as u64 == counters.played && counters.played > 150);
    assert!(buffer.depth() <= Duration::from_millis(760));
}

#[test]
fn a_new_clock_resyncs_at_once_where_the_sequence_goes_on() {
    let mut buffer = JitterBuffer::new(Codec::Pcmu);
    for n in 0..10 {
        buffer.insert(packet(n, (0, 0), ms(20 * n)));
        tick(&mut buffer, ms(20 * n));
    }
    let far = Packet { timestamp: 900_000_000, ..packet(10, (0, 0), ms(200)) };
    assert_eq!(buffer.insert(far), Inserted::Resynced);
    assert_eq!(tick(&mut buffer, ms(240)).0, [900_000_000]);
    assert_eq!(buffer.counters().resyncs, 1);
    assert!(accounted(&buffer));
}

#[test]
fn a_stranger_is_believed_by_its_marker_or_its_second_packet() {
    let begun = || {
        let mut buffer = JitterBuffer::new(Codec::Pcmu);
        buffer.insert(packet(0, (100, 0), ms(0)));
        buffer
    };
    let far = |n| Packet { marker: false, ..packet(n, (40_000, 5), ms(20)) };
    let mut buffer = begun();
    assert_eq!(buffer.insert(far(0)), Inserted::Refused);
    assert_eq!(buffer.insert(packet(1, (100, 0), ms(20))), Inserted::Kept);
    assert_eq!(buffer.insert(far(9)), Inserted::Refused);
    assert_eq!(buffer.insert(far(10)), Inserted::Resynced);
    let marked = Packet { marker: true, ..far(0) };
    assert_eq!(begun().insert(marked), Inserted::Resynced);
}

#[test]
fn empty_and_oversized_payloads_are_refused() {
    let mut buffer = JitterBuffer::new(Codec::Pcmu);
    for payload in [&[][..], &[0; 481]] {
        let refused = Packet { payload, ..packet(0, (0, 0), ms(0)) };
        assert_eq!(buffer.insert(refused), Inserted::Refused);
    }
    assert!(accounted(&buffer));
}

#[test]
fn events_between_the_sound_are_no_loss() {
    let mut buffer = JitterBuffer::new(Codec::Pcmu);
    for n in 0..60 {
        if (20..30).contains(&n) {
            buffer.pass(n as u16);
        } else {
            buffer.insert(packet(n, (0, 0), ms(20 * n)));
        }
        assert_eq!(tick(&mut buffer, ms(20 * n)).1, 0, "tick {n}");
        if (24..30).contains(&n) {
            assert_eq!(buffer.pop(ms(20 * n)), Popped::Resting, "tick {n} is no late network");
        }
    }
    assert_eq!(buffer.counters().lost, 0);
    assert_eq!(buffer.counters().played + buffer.held() as u64, 50);
}

#[test]
fn reset_throws_away_what_waits_and_begins_anew() {
    let mut buffer = JitterBuffer::new(Codec::Pcmu);
    buffer.insert(packet(0, (0, 0), ms(0)));
    buffer.reset();
    assert_eq!(buffer.pop(ms(500)), Popped::Resting);
    assert_eq!(buffer.insert(packet(0, (9, 9), ms(500))), Inserted::Kept);
    assert_eq!(buffer.counters().discarded, 1);
}

#[derive(Clone, Debug)]
enum Operation {
    Insert { sequence: u16, timestamp: u32, marker: bool, len: usize },
    Pass(u16),
    Tick,
    Wait(u16),
    Reset,
}

fn operation() -> impl Strategy<Value = Operation> {
    let near = (0_u16..200, 0_i32..3_000).prop_map(|(n, off)| {
        let timestamp = 160 * u32::from(n) + off as u32;
        (n.wrapping_sub(50), timestamp.wrapping_sub(8_000))
    });
    let numbers = prop_oneof![9 => near, 1 => any::<(u16, u32)>()];
    prop_oneof![
        12 => (numbers, prop::bool::weighted(0.1), 0_usize..500).prop_map(
            |((sequence, timestamp), marker, len)| {
                Operation::Insert { sequence, timestamp, marker, len }
            }
        ),
        1 => (0_u16..200).prop_map(Operation::Pass),
        6 => Just(Operation::Tick),
        1 => (0_u16..5_000).prop_map(Operation::Wait),
        1 => Just(Operation::Reset),
    ]
}

proptest! {
    #[test]
    fn reordering_within_the_delay_loses_nothing(
        delays in prop::collection::vec(0_i64..38, 20..300),
        sequence in any::<u16>(),
        timestamp in any::<u32>(),
    ) {
        // The first packet is the fastest: it sets the clock.
        let arrivals: Vec<_> = delays
            .iter()
            .enumerate()
            .map(|(n, delay)| (n as i64, 20 * n as i64 + if n == 0 { 0 } else { *delay }))
            .collect();
        let (buffer, played, lost) = play(&arrivals, (sequence, timestamp));
        let goal: Vec<_> =
            (0..delays.len() as i64).map(|n| i64::from(timestamp) + 160 * n).collect();
        prop_assert_eq!(played, goal);
        prop_assert_eq!(lost, 0);
        let counters = buffer.counters();
        prop_assert_eq!((counters.lost, counters.late), (0, 0));
    }

    #[test]
    fn loss_delay_and_copies_give_rising_times_and_never_more_than_came(
        fates in prop::collection::vec((0_i64..300, 0_u8..10, 0_u8..10), 20..300),
        sequence in any::<u16>(),
        timestamp in any::<u32>(),
    ) {
        let mut arrivals = Vec::new();
        for (n, (delay, lost, twice)) in fates.iter().enumerate() {
            let at = 20 * n as i64 + delay / if *lost > 5 { 1 } else { 8 };
            if *lost > 0 {
                arrivals.push((n as i64, at));
            }
            if *twice == 0 {
                arrivals.push((n as i64, at + 7));
            }
        }
        let mut came: Vec<_> = arrivals.iter().map(|(n, _)| *n).collect();
        came.sort_unstable();
        came.dedup();
        let (_, played, _) = play(&arrivals, (sequence, timestamp));
        prop_assert!(played.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert!(played.len() <= came.len());
    }

    #[test]
    fn whatever_comes_every_packet_is_accounted_for(
        operations in prop::collection::vec(operation(), 1..400),
    ) {
        let mut buffer = JitterBuffer::new(Codec::Pcmu);
        let mut now = MediaTime::ZERO;
        for operation in operations {
            match operation {
                Operation::Insert { sequence, timestamp, marker, len } => {
                    let payload = &[0x11; 500][..len];
                    let arrived = now;
                    buffer.insert(Packet { sequence, timestamp, marker, payload, arrived });
                }
                Operation::Pass(sequence) => buffer.pass(sequence),
                Operation::Tick => {
                    tick(&mut buffer, now);
                    now = now + Duration::from_millis(20);
                }
                Operation::Wait(ms) => now = now + Duration::from_millis(ms.into()),
                Operation::Reset => buffer.reset(),
            }
            prop_assert!(accounted(&buffer), "{:?} held {}", buffer.counters(), buffer.held());
            prop_assert!(buffer.held() <= SLOTS);
            prop_assert!(buffer.target() <= Duration::from_millis(700));
        }
    }
}
