//! The floor and the owner of silence, frame by frame.

use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::MediaTime;
use cordboard_models::speech::{Expectation, SlotKind};
use proptest::prelude::*;

use super::*;
use crate::timeline::Debtor;

const FRAME: Duration = Duration::from_millis(20);

struct Room {
    floor: Floor,
    now: MediaTime,
    events: Vec<(u64, FloorEvent)>,
}

impl Room {
    fn new(expectation: Expectation) -> Self {
        let mut floor = Floor::new(TurnSettings::default());
        floor.expect(Arc::new(expectation));
        Self { floor, now: MediaTime::ZERO, events: Vec::new() }
    }

    fn hear(&mut self, lasting_ms: u64, probability: f32, assistant_yields: bool) -> &mut Self {
        for _ in 0..lasting_ms / 20 {
            self.now = self.now + FRAME;
            let at_ms = self.now.as_millis();
            let events = self.floor.voice(self.now, probability, assistant_yields);
            self.events.extend(events.into_iter().flatten().map(|event| (at_ms, event)));
        }
        self
    }

    fn voice(&mut self, lasting_ms: u64) -> &mut Self {
        self.hear(lasting_ms, 0.9, false)
    }

    fn silence(&mut self, lasting_ms: u64) -> &mut Self {
        self.hear(lasting_ms, 0.02, false)
    }

    fn yields(&self) -> Vec<u64> {
        let is_end = |event: &FloorEvent| matches!(event, FloorEvent::Yielded { .. });
        self.events.iter().filter(|(_, event)| is_end(event)).map(|(at, _)| *at).collect()
    }
}

fn digits() -> Expectation {
    Expectation { kinds: vec![SlotKind::Digits { min: 6, max: 6 }], ..Expectation::default() }
}

fn yes_no() -> Expectation {
    Expectation { kinds: vec![SlotKind::YesNo], ..Expectation::default() }
}

#[test]
fn a_click_is_dropped_and_takes_no_floor() {
    let mut room = Room::new(yes_no());
    room.silence(200).voice(60).silence(1_000);
    let kinds: Vec<_> = room.events.iter().map(|(_, event)| *event).collect();
    assert_eq!(kinds, [FloorEvent::Onset, FloorEvent::Dropped]);
    assert!(!room.floor.caller_holds());
}

#[test]
fn a_yes_ends_sooner_than_digits_do() {
    let ends = [yes_no(), Expectation::default(), digits()].map(|expectation| {
        let mut room = Room::new(expectation);
        room.voice(500).silence(3_000);
        room.yields()[0]
    });
    assert!(ends[0] < ends[1] && ends[1] < ends[2], "{ends:?}");
}

#[test]
fn digits_with_a_pause_of_a_second_are_one_turn() {
    let mut room = Room::new(digits());
    room.voice(900).silence(1_000).voice(900).silence(2_000);
    assert_eq!(room.yields().len(), 1);
}

#[test]
fn a_sure_judge_shortens_the_pause_and_an_unsure_one_does_not() {
    let mut unsure = Room::new(digits());
    unsure.voice(900);
    unsure.floor.judged(0.0);
    unsure.silence(3_000);
    let mut sure = Room::new(digits());
    sure.voice(900);
    sure.floor.judged(1.0);
    sure.silence(3_000);
    assert!(sure.yields()[0] + 500 < unsure.yields()[0]);
}

#[test]
fn the_judge_is_asked_in_every_pause_and_never_while_the_caller_speaks() {
    let mut room = Room::new(digits());
    room.voice(900).silence(600).voice(400);
    let asked: Vec<_> = room
        .events
        .iter()
        .filter(|(_, event)| matches!(event, FloorEvent::Pausing { .. }))
        .map(|(at, _)| *at)
        .collect();
    assert_eq!(asked.len(), 6, "{asked:?}");
    assert!(asked.iter().all(|at| (900..=1_500).contains(at)));
}

#[test]
fn speech_over_a_yielding_assistant_stops_it_once_and_within_a_syllable() {
    let mut room = Room::new(yes_no());
    room.silence(200).hear(800, 0.9, true);
    let stops: Vec<_> = room
        .events
        .iter()
        .filter(|(_, event)| *event == FloorEvent::Interrupting)
        .map(|(at, _)| *at)
        .collect();
    assert_eq!(stops.len(), 1);
    assert!(stops[0] - 200 <= 200, "stopped after {} ms", stops[0] - 200);
}

#[test]
fn speech_over_legal_text_is_a_turn_and_stops_nothing() {
    let mut room = Room::new(yes_no());
    room.hear(600, 0.9, false).silence(1_000);
    assert!(!room.events.iter().any(|(_, event)| *event == FloorEvent::Interrupting));
    assert_eq!(room.yields().len(), 1);
}

#[test]
fn endless_noise_ends_in_turns_of_bounded_length() {
    let mut room = Room::new(Expectation::default());
    room.voice(65_000);
    assert_eq!(room.yields().len(), 2);
}

#[test]
fn a_waiting_caller_gets_a_word_and_then_a_tone_before_three_seconds() {
    let mut watch = SilenceWatch::new(Duration::from_secs(6));
    let mut heard = Vec::new();
    for tick in 0..250 {
        let now = MediaTime::from_millis(tick * 20);
        watch.quiet(now, now, Debtor::Assistant);
        heard.extend(watch.due(now).map(|due| (now.as_millis(), due)));
    }
    assert!(matches!(heard[0], (1_600, Due::Filler(_))), "{heard:?}");
    assert!(matches!(heard[1], (2_500, Due::Tone(_))), "{heard:?}");
    let gaps = heard.windows(2).map(|pair| pair[1].0 - pair[0].0);
    assert!(gaps.max().unwrap() < 3_000);
}

#[test]
fn a_silent_caller_is_asked_again_only_after_the_patience_is_over() {
    let mut watch = SilenceWatch::new(Duration::from_secs(6));
    let mut asked = Vec::new();
    for tick in 0..1_000 {
        let now = MediaTime::from_millis(tick * 20);
        watch.quiet(now, now, Debtor::Caller);
        asked.extend(watch.due(now).map(|_| now.as_millis()));
    }
    assert_eq!(asked, [6_000, 12_000, 18_000]);
}

#[test]
fn sound_pays_every_debt() {
    let mut watch = SilenceWatch::new(Duration::from_secs(6));
    watch.quiet(MediaTime::ZERO, MediaTime::ZERO, Debtor::Assistant);
    watch.sounding();
    assert_eq!(watch.due(MediaTime::from_millis(9_000)), None);
    let later = MediaTime::from_millis(9_000);
    watch.quiet(later, later, Debtor::Assistant);
    assert_eq!(watch.due(MediaTime::from_millis(9_100)), None);
}

#[test]
fn a_cough_over_the_assistant_stops_nothing_even_when_its_turn_has_not_ended() {
    for cough_ms in [100, 120, 140] {
        let mut room = Room::new(Expectation::default());
        room.silence(200).hear(cough_ms, 0.9, true).hear(1_000, 0.02, true);
        assert!(!room.events.iter().any(|(_, event)| *event == FloorEvent::Interrupting));
    }
}

#[test]
fn a_deferred_filler_is_due_as_soon_as_there_is_something_to_explain() {
    let mut watch = SilenceWatch::new(Duration::from_secs(6));
    watch.quiet(MediaTime::ZERO, MediaTime::ZERO, Debtor::Assistant);
    for ms in [1_600, 1_800, 2_000] {
        let due = watch.due(MediaTime::from_millis(ms));
        assert!(matches!(due, Some(Due::Filler(_))));
        watch.defer();
    }
    assert!(matches!(watch.due(MediaTime::from_millis(2_020)), Some(Due::Filler(_))));
    assert_eq!(watch.due(MediaTime::from_millis(2_040)), None);
}

#[test]
fn a_debt_that_changes_hands_begins_anew() {
    let mut watch = SilenceWatch::new(Duration::from_secs(6));
    watch.quiet(MediaTime::ZERO, MediaTime::ZERO, Debtor::Caller);
    let later = MediaTime::from_millis(5_000);
    watch.quiet(later, MediaTime::ZERO, Debtor::Assistant);
    assert_eq!(watch.due(later), None);
    let overdue = later + Duration::from_millis(1_600);
    assert!(matches!(watch.due(overdue), Some(Due::Filler(_))));
}

proptest! {
    #[test]
    fn turns_begin_before_they_end_and_never_overlap(
        stretches in prop::collection::vec((0u64..1_500, 0.0f32..1.0, any::<bool>()), 1..40),
    ) {
        let mut room = Room::new(digits());
        for (lasting_ms, probability, yields) in stretches {
            room.hear(lasting_ms, probability, yields);
        }
        room.silence(5_000);
        let mut open = false;
        let mut last_end = MediaTime::ZERO;
        for (_, event) in &room.events {
            match event {
                FloorEvent::Began { at } => {
                    prop_assert!(!open && *at >= last_end);
                    open = true;
                }
                FloorEvent::Yielded { began, ended } => {
                    prop_assert!(open && began <= ended);
                    last_end = *ended;
                    open = false;
                }
                FloorEvent::Interrupting | FloorEvent::Pausing { .. } => prop_assert!(open),
                FloorEvent::Onset | FloorEvent::Dropped => prop_assert!(!open),
            }
        }
        prop_assert!(!open && !room.floor.caller_holds());
    }
}
