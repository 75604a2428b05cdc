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

    fn hear(&mut self, lasting_ms: u64, probability: f32, meanwhile: Meanwhile) -> &mut Self {
        self.hear_sound(lasting_ms, &|_| speech(probability), meanwhile)
    }

    /// Frame by frame, what such a sound is like.
    fn hear_sound(
        &mut self,
        lasting_ms: u64,
        sound: &dyn Fn(u64) -> Heard,
        meanwhile: Meanwhile,
    ) -> &mut Self {
        for frame in 0..lasting_ms / 20 {
            self.now = self.now + FRAME;
            let at_ms = self.now.as_millis();
            let events = self.floor.hear(self.now, &sound(frame), meanwhile);
            self.events.extend(events.into_iter().flatten().map(|event| (at_ms, event)));
        }
        self
    }

    fn times(&self, wanted: FloorEvent) -> Vec<u64> {
        self.events.iter().filter(|(_, event)| *event == wanted).map(|(at, _)| *at).collect()
    }

    fn voice(&mut self, lasting_ms: u64) -> &mut Self {
        self.hear(lasting_ms, 0.9, Meanwhile::Listens)
    }

    fn silence(&mut self, lasting_ms: u64) -> &mut Self {
        self.hear(lasting_ms, 0.02, Meanwhile::Listens)
    }

    fn yields(&self) -> Vec<u64> {
        let is_end = |event: &FloorEvent| matches!(event, FloorEvent::Yielded { .. });
        self.events.iter().filter(|(_, event)| is_end(event)).map(|(at, _)| *at).collect()
    }
}

/// A frame of talk, of such a probability.
fn speech(probability: f32) -> Heard {
    Heard {
        probability,
        level_dbov: -26.0,
        tilt_db: -6.0,
        played_dbov: -20.0,
        echoless: false,
        hushed: false,
        heard: if probability >= 0.35 { FRAME } else { Duration::ZERO },
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
fn a_sure_judge_shortens_the_pause_and_one_that_waits_for_more_lengthens_it() {
    let pauses = [Some(1.0), None, Some(0.6), Some(0.1)].map(|over| {
        let mut room = Room::new(digits());
        room.voice(900);
        if let Some(over) = over {
            room.floor.judged(over);
        }
        room.silence(3_000);
        room.yields()[0] - 900
    });
    assert_eq!(pauses, [300, 1_400, 1_400, 2_500]);
}

#[test]
fn a_turn_that_sounds_over_ends_soon_and_in_open_talk_once_its_words_are_known() {
    let open = || Expectation { open: true, ..Expectation::default() };
    for (expectation, words, sound, pause) in [
        (Expectation::default(), None, 0.99, 120),
        (Expectation::default(), None, 0.4, 700),
        (Expectation::default(), Some(0.1), 0.99, 1_400),
        (Expectation::default(), Some(0.1), 0.6, 2_500),
        (open(), None, 0.99, 1_000),
        (open(), Some(0.5), 0.99, 700),
        (open(), Some(0.5), 0.1, 1_400),
        (open(), Some(0.7), 0.1, 700),
    ] {
        let mut room = Room::new(expectation);
        room.voice(900).silence(80);
        if let Some(words) = words {
            room.floor.judged(words);
        }
        let events = room.floor.sound_judged(room.now, sound);
        assert_eq!(events, FloorEvents::default(), "80 ms are no pause");
        room.silence(4_000);
        assert_eq!(room.yields()[0] - 900, pause, "{words:?} {sound}");
    }
}

#[test]
fn a_late_judgement_by_sound_ends_the_turn_at_once() {
    let mut room = Room::new(Expectation::default());
    room.voice(900).silence(300);
    let [None, Some(FloorEvent::Yielded { ended, .. }), None] =
        room.floor.sound_judged(room.now, 0.99)
    else {
        panic!("the turn is not over");
    };
    assert_eq!(ended.as_millis(), 900);
    assert!(!room.floor.caller_holds());
}

#[test]
fn who_has_just_interrupted_is_not_done_after_the_shortest_pause() {
    for (spoken, pause) in [(500, 300), (1_000, 120)] {
        let mut room = Room::new(Expectation::default());
        room.hear(spoken, 0.9, Meanwhile::Yields);
        assert_eq!(room.times(FloorEvent::Interrupting).len(), 1, "{spoken}");
        room.silence(80);
        room.floor.sound_judged(room.now, 0.99);
        room.silence(2_000);
        assert_eq!(room.yields()[0] - spoken, pause);
    }
}

#[test]
fn what_was_heard_of_one_pause_says_nothing_of_the_next() {
    let mut room = Room::new(Expectation::default());
    room.voice(900).silence(80);
    room.floor.sound_judged(room.now, 0.99);
    room.voice(400).silence(2_000);
    assert_eq!(room.yields(), [900 + 80 + 400 + 700]);
}

#[test]
fn who_has_paused_for_long_is_given_longer_and_so_is_who_was_cut_off() {
    let mut room = Room::new(Expectation::default());
    room.voice(900).silence(640).voice(400).silence(2_000);
    // 1.2 of 640 ms.
    assert_eq!(room.yields(), [900 + 640 + 400 + 780]);
    let mut room = Room::new(Expectation::default());
    room.voice(900).silence(1_000).voice(900).silence(3_000);
    let ends = room.yields();
    assert_eq!(ends[0], 900 + 700);
    // 1.2 of 1,000 ms, and of the frame with which the voice begins.
    let second = 900 + 1_000 + 900 + 1_200;
    assert!((second..=second + 40).contains(&ends[1]), "{ends:?}");
}

#[test]
fn who_speaks_into_a_wait_or_pauses_between_digits_is_made_to_wait_no_longer() {
    let mut room = Room::new(Expectation::default());
    room.voice(900).silence(700 + 1_200).voice(900).silence(3_000);
    assert_eq!(room.yields()[1], 900 + 1_900 + 900 + 700, "a tool took its time");
    let mut room = Room::new(digits());
    room.voice(900).silence(1_200).voice(900).silence(1_400);
    room.floor.expect(Expectation::default().into());
    room.hear(400, 0.02, Meanwhile::Yields).voice(900).silence(3_000);
    assert_eq!(room.yields()[1], 900 + 1_200 + 900 + 1_400 + 400 + 900 + 700);
}

#[test]
fn who_answers_the_assistant_was_not_cut_off() {
    let mut room = Room::new(Expectation::default());
    room.voice(900).silence(800);
    let quiet = |_| Heard { played_dbov: -20.0, ..Heard::default() };
    room.hear_sound(400, &quiet, Meanwhile::Yields);
    room.silence(100).voice(900).silence(3_000);
    assert_eq!(room.yields()[1], 900 + 800 + 400 + 100 + 900 + 700);
}

#[test]
fn a_click_in_a_pause_does_not_hold_the_turn_open() {
    let mut room = Room::new(Expectation::default());
    room.voice(900).silence(400).voice(40).silence(2_000);
    assert_eq!(room.yields(), [900 + 700]);
    let mut room = Room::new(Expectation::default());
    room.voice(900).silence(680).voice(40).silence(2_000);
    assert_eq!(room.yields(), [900 + 740], "whoever makes a sound may be going on");
}

#[test]
fn the_judge_is_asked_in_every_pause_and_never_while_the_caller_speaks() {
    let mut room = Room::new(digits());
    room.voice(900).silence(600).voice(400);
    let asked: Vec<_> = room
        .events
        .iter()
        .filter(|(_, event)| matches!(event, FloorEvent::Pausing))
        .map(|(at, _)| *at)
        .collect();
    assert_eq!(asked.len(), 6, "{asked:?}");
    assert!(asked.iter().all(|at| (900..=1_500).contains(at)));
}

#[test]
fn speech_over_a_yielding_assistant_lowers_it_at_once_and_stops_it_once() {
    let mut room = Room::new(yes_no());
    room.silence(200).hear(800, 0.9, Meanwhile::Yields);
    let (ducks, stops) = (room.times(FloorEvent::Ducking), room.times(FloorEvent::Interrupting));
    assert_eq!((ducks.len(), stops.len()), (1, 1));
    assert!(ducks[0] - 200 <= 80, "ducked after {} ms", ducks[0] - 200);
    assert!(stops[0] - 200 <= 300, "stopped after {} ms", stops[0] - 200);
}

#[test]
fn the_surer_and_the_louder_speech_is_the_sooner_it_stops_the_assistant() {
    let stop = |probability: f32, level_dbov: f32, tilt_db: f32| {
        let mut room = Room::new(yes_no());
        let sound = move |_| Heard { level_dbov, tilt_db, ..speech(probability) };
        room.silence(200).hear_sound(800, &sound, Meanwhile::Yields);
        room.times(FloorEvent::Interrupting)[0] - 200
    };
    assert_eq!(stop(0.99, -20.0, -6.0), 160, "no sooner");
    assert_eq!(stop(0.97, -26.0, -6.0), 160);
    assert_eq!(stop(0.88, -26.0, -6.0), 280);
    assert_eq!(stop(0.97, -28.0, -6.0), 240);
    assert_eq!(stop(0.97, -29.0, -6.0), 380);
    assert_eq!(stop(0.6, -26.0, -6.0), 600, "no acknowledgement is so long");
    assert_eq!(stop(0.99, -20.0, -15.0), 600, "a hum");
}

#[test]
fn an_assistant_that_begins_anew_over_who_has_stopped_it_is_stopped_at_once() {
    let mut room = Room::new(digits());
    room.hear(700, 0.9, Meanwhile::Yields).voice(200).hear(300, 0.9, Meanwhile::Yields);
    assert_eq!(room.times(FloorEvent::Interrupting)[1..], [920], "{:?}", room.events);
    // After a pause of theirs it is weighed again whether they want the floor.
    let mut room = Room::new(digits());
    room.hear(700, 0.9, Meanwhile::Yields).silence(400).hear(700, 0.9, Meanwhile::Yields);
    let stops = room.times(FloorEvent::Interrupting);
    assert!(stops.len() == 2 && stops[1] == 1_320, "{:?}", room.events);
}

#[test]
fn where_everything_cuts_speech_stops_the_assistant_without_ducking_it() {
    let after = Duration::from_millis(60);
    let settings = TurnSettings { barge_in: BargeIn::Cut { after }, ..TurnSettings::default() };
    let mut room = Room::new(yes_no());
    room.floor = Floor::new(settings);
    room.silence(200).hear(800, 0.9, Meanwhile::Yields);
    assert_eq!(room.times(FloorEvent::Interrupting), [260]);
    assert!(room.times(FloorEvent::Ducking).is_empty(), "{:?}", room.events);
}

#[test]
fn a_cough_lowers_the_assistant_and_its_level_returns() {
    for cough_ms in [60, 100, 120, 140] {
        let mut room = Room::new(Expectation::default());
        room.silence(200).hear(cough_ms, 0.9, Meanwhile::Yields).hear(
            2_000,
            0.02,
            Meanwhile::Yields,
        );
        assert!(room.times(FloorEvent::Interrupting).is_empty(), "{:?}", room.events);
        let (ducks, ends) = (room.times(FloorEvent::Ducking), room.times(FloorEvent::Released));
        assert_eq!((ducks.len(), ends.len()), (1, 1), "{cough_ms} ms: {:?}", room.events);
        assert!(ends[0] <= 200 + cough_ms + 260);
    }
}

#[test]
fn what_was_said_aside_is_told_from_what_was_said_when_the_assistant_had_ended() {
    for (silent_ms, expected) in [(0, Manner::Aside), (60, Manner::Aside), (400, Manner::Turn)] {
        let mut room = Room::new(yes_no());
        room.silence(200).hear(160, 0.9, Meanwhile::Yields).voice(silent_ms).hear(
            2_000,
            0.02,
            Meanwhile::Yields,
        );
        let asides = room.events.iter().filter_map(|(_, event)| match event {
            FloorEvent::Yielded { manner, .. } => Some(*manner),
            _ => None,
        });
        assert_eq!(asides.collect::<Vec<_>>(), [expected], "{silent_ms}");
    }
}

#[test]
fn what_may_be_the_assistants_own_voice_stops_nothing_and_says_so() {
    let mut room = Room::new(yes_no());
    let weak = |_| Heard { level_dbov: -36.0, ..speech(0.95) };
    room.silence(200).hear_sound(3_000, &weak, Meanwhile::Yields);
    room.hear(2_000, 0.02, Meanwhile::Yields);
    assert!(room.times(FloorEvent::Interrupting).is_empty(), "{:?}", room.events);
    let faint = |(_, event): &(u64, FloorEvent)| {
        matches!(event, FloorEvent::Yielded { manner: Manner::Faint, .. })
    };
    assert!(room.events.iter().any(faint), "{:?}", room.events);
}

#[test]
fn an_assistant_that_ends_while_it_is_lowered_is_lowered_no_more() {
    let mut room = Room::new(yes_no());
    room.silence(200).hear(100, 0.9, Meanwhile::Yields).voice(300);
    assert_eq!(room.times(FloorEvent::Released), [320]);
}

#[test]
fn speech_over_legal_text_is_a_turn_and_stops_nothing() {
    let mut room = Room::new(yes_no());
    room.hear(600, 0.9, Meanwhile::Insists).silence(1_000);
    assert!(room.times(FloorEvent::Interrupting).is_empty(), "{:?}", room.events);
    assert!(room.times(FloorEvent::Ducking).is_empty(), "{:?}", room.events);
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
    fn turns_begin_before_they_end_and_what_is_lowered_rises_or_stops(
        stretches in prop::collection::vec(
            (0u64..1_500, 0.0f32..1.0, 0usize..3, -60.0f32..-10.0),
            1..40,
        ),
        cuts in any::<bool>(),
    ) {
        let after = Duration::from_millis(60);
        let barge_in = if cuts { BargeIn::Cut { after } } else { BargeIn::default() };
        let mut room = Room::new(digits());
        room.floor = Floor::new(TurnSettings { barge_in, ..TurnSettings::default() });
        for (lasting_ms, probability, meanwhile, played_dbov) in stretches {
            let meanwhile =
                [Meanwhile::Listens, Meanwhile::Insists, Meanwhile::Yields][meanwhile];
            let sound = move |_| Heard { played_dbov, ..speech(probability) };
            room.hear_sound(lasting_ms, &sound, meanwhile);
        }
        room.silence(5_000);
        let (mut open, mut begun, mut ducked) = (false, false, false);
        let mut last_end = MediaTime::ZERO;
        for (_, event) in &room.events {
            match event {
                FloorEvent::Onset => {
                    prop_assert!(!open);
                    (open, begun) = (true, false);
                }
                FloorEvent::Began { at } => {
                    prop_assert!(open && !begun && *at >= last_end);
                    begun = true;
                }
                FloorEvent::Yielded { began, ended, .. } => {
                    prop_assert!(open && begun && began <= ended && !ducked);
                    last_end = *ended;
                    open = false;
                }
                FloorEvent::Dropped => {
                    prop_assert!(open && !begun && !ducked);
                    open = false;
                }
                FloorEvent::Ducking => {
                    prop_assert!(open && !ducked && !cuts);
                    ducked = true;
                }
                FloorEvent::Released => {
                    prop_assert!(ducked);
                    ducked = false;
                }
                FloorEvent::Interrupting => {
                    prop_assert!(open);
                    ducked = false;
                }
                FloorEvent::Pausing | FloorEvent::Resumed => prop_assert!(open && begun),
            }
        }
        prop_assert!(!open && !ducked && !room.floor.caller_holds());
    }
}
