//! Calls of which every moment is known, scored.

use std::sync::Arc;
use std::time::Duration;

use super::super::super::script::Step;
use super::super::far::FarSound;
use super::super::scenario::{Deed, Expect, Scenario};
use super::*;

/// A voice of such a level in these spans, ms; level as a share of full scale.
fn voice(spans: &[(usize, usize, f32)], long_ms: usize) -> Vec<i16> {
    let mut samples = vec![0; long_ms * 8];
    for (begin, end, level) in spans {
        for (at, sample) in samples.iter_mut().enumerate().take(end * 8).skip(begin * 8) {
            *sample = (level * 32_767.0 * (at as f32 * 0.5).sin()) as i16;
        }
    }
    samples
}

fn says(ms: usize) -> Act {
    Act::Say((0..ms * 8).map(|at| 0.4 * (at as f32 * 0.3).sin()).collect())
}

/// A call of these deeds, each begun at that time, ms.
fn take(deeds: Vec<(u64, u64, Act, DeedKind)>, far: Vec<i16>, ending: Ending) -> Take {
    let ms = Duration::from_millis;
    let done = deeds.iter().enumerate().map(|(deed, (began, ended, ..))| Done {
        deed,
        began: ms(*began),
        ended: ms(*ended),
    });
    let done: Vec<Done> = done.collect();
    let taken = done.len();
    let deeds = deeds.into_iter().map(|(_, _, act, kind)| Deed {
        step: Step { when: When::Quiet(ms(600)), act },
        told: "x".into(),
        kind,
    });
    let scenario = Scenario {
        name: "x".into(),
        deeds: deeds.collect(),
        expect: Expect::default(),
        limit: ms(60_000),
    };
    let lasted = ms(far.len() as u64 / 8);
    let mut heard = FarSound::default();
    (heard.samples, heard.packets) = (far, 100);
    Take {
        number: 0,
        scenario: Arc::new(scenario),
        from: "sip:x".to_owned(),
        wall_unix_ms: 0,
        answered_after: Some(ms(40)),
        lasted,
        done,
        taken,
        far: heard,
        far_keys: String::new(),
        referred: None,
        human: None,
        ending,
    }
}

fn near(value: Option<f64>, wanted: f64) {
    assert!(value.is_some_and(|it| (it - wanted).abs() <= 20.0), "{value:?}, not {wanted}");
}

#[test]
fn a_response_is_from_the_last_of_the_words_to_the_far_ends_first_sound() {
    // A greeting; words from 3.0 to 4.0 s; the answer at 4.65 s.
    let far = voice(&[(200, 2_000, 0.3), (4_650, 6_000, 0.3)], 8_000);
    let score = score(&take(vec![(3_000, 4_000, says(1_000), DeedKind::Words)], far, Ending::Done));
    near(score.turns[0].response_ms, 650.0);
    assert!(!score.turns[0].over_far && score.turns[0].stop_ms.is_none());
    assert_eq!(score.talk_over_ms, 0);
    near(Some(f64::from(score.dead_air_ms)), 650.0);
    assert_eq!(score.faults, Vec::<String>::new());
}

#[test]
fn an_interruption_is_lowered_and_stopped_when_it_is_heard_to_be() {
    // Speaks from 1.0 s; interrupted at 3.0; lowered at 3.12, silent from 3.4; answers at 5.0.
    let spans = [(1_000, 3_120, 0.3), (3_120, 3_400, 0.03), (5_000, 6_000, 0.3)];
    let deeds = vec![(3_000, 4_200, says(1_200), DeedKind::Words)];
    let turn = score(&take(deeds, voice(&spans, 7_000), Ending::Done)).turns.remove(0);
    assert!(turn.over_far);
    near(turn.duck_ms, 120.0);
    near(turn.stop_ms, 400.0);
    near(turn.response_ms, 800.0);
}

#[test]
fn who_goes_on_under_the_caller_has_not_stopped_and_gives_no_response_time() {
    let deeds = vec![(3_000, 4_000, says(1_000), DeedKind::Words)];
    let far = voice(&[(1_000, 9_000, 0.3)], 9_500);
    let score = score(&take(deeds, far, Ending::Done));
    let turn = &score.turns[0];
    assert!(turn.over_far && turn.stop_ms.is_none() && turn.response_ms.is_none(), "{turn:?}");
    near(Some(f64::from(score.talk_over_ms)), 1_000.0);
}

#[test]
fn silence_is_the_far_ends_after_words_and_between_its_own_and_the_callers_before_they_speak() {
    // 0.2 to 1 s it speaks; the caller waits until 4.5 s; it owes 2.2 s, and 2.6 s in the middle.
    let spans = [(200, 1_000, 0.3), (7_700, 8_000, 0.3), (10_600, 11_000, 0.3)];
    let deeds = vec![
        (4_500, 5_500, says(1_000), DeedKind::Words),
        (11_500, 12_000, says(500), DeedKind::Words),
    ];
    let score = score(&take(deeds, voice(&spans, 12_500), Ending::Done));
    near(Some(f64::from(score.dead_air_ms)), 2_600.0);
    near(Some(f64::from(score.dead_air_at_ms)), 8_000.0);
}

#[test]
fn a_silence_that_the_caller_means_is_nobodys() {
    let spans = [(200, 1_000, 0.3), (8_000, 9_000, 0.3)];
    let stay = Act::Stay(Duration::from_secs(6));
    let deeds = vec![(1_600, 7_600, stay, DeedKind::Other)];
    let score = score(&take(deeds, voice(&spans, 9_500), Ending::Done));
    assert!(score.dead_air_ms <= 620, "{}", score.dead_air_ms);
}

#[test]
fn keys_want_an_answer_and_an_aside_wants_none() {
    let spans = [(200, 2_000, 0.3), (3_300, 6_000, 0.3)];
    let deeds = vec![
        (2_500, 2_900, Act::Key("12".to_owned()), DeedKind::Keys),
        (4_000, 4_300, says(300), DeedKind::Aside),
    ];
    let score = score(&take(deeds, voice(&spans, 7_000), Ending::Done));
    near(score.turns[0].response_ms, 400.0);
    let aside = &score.turns[1];
    assert!(aside.over_far && aside.stop_ms.is_some_and(|it| it > 1_500.0), "{aside:?}");
    assert_eq!(aside.response_ms, None);
}

#[test]
fn what_was_left_to_do_and_who_did_not_hang_up_are_faults() {
    let deeds = vec![(500, 1_000, says(500), DeedKind::Words)];
    let mut short = take(deeds, voice(&[(1_500, 2_000, 0.3)], 3_000), Ending::Limit);
    let mut scenario = (*short.scenario).clone();
    scenario.deeds.push(scenario.deeds[0].clone());
    scenario.expect.ends = Some(End::Far);
    short.scenario = Arc::new(scenario);
    let faults = score(&short).faults;
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults[0].contains("1 things left to do") && faults[1].contains("did not hang up"));
    let refused = Take { ending: Ending::Refused(486), ..short };
    assert_eq!(score(&refused).faults, ["refused with 486"]);
}
