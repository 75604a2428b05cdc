//! Other settings for a recorded call: `--with NAME=VALUE`, read and refused as the settings' own
//! file is.

use std::sync::Arc;
use std::time::Duration;

use super::super::Fault;
use crate::call::CallSettings;
use crate::settings::{Settings, SettingsFault};
use crate::shell;
use crate::timeline::LegKind;
use crate::turn::BargeIn;

/// The settings that a call is made of, but for those of its queues.
const NAMES: [&str; 23] = [
    "turn.least_pause_ms",
    "turn.sure_pause_ms",
    "turn.begun_pause_ms",
    "turn.pause_ms",
    "turn.digits_pause_ms",
    "turn.yes_no_pause_ms",
    "turn.phrase_pause_ms",
    "turn.open_pause_ms",
    "turn.no_input_ms",
    "turn.speech_on",
    "turn.speech_off",
    "turn.min_speech_ms",
    "turn.barge_in",
    "turn.duck_ms",
    "turn.cut_ms",
    "turn.eager",
    "turn.cancel_echo",
    "models.turn_judge",
    "sip.ring_timeout_s",
    "sip.no_media_ask_s",
    "sip.no_media_end_s",
    "sip.hold_end_s",
    "store.recording",
];
/// Those of a queue, behind its name.
const OF_QUEUES: [&str; 2] = ["wait_s", "require_accept"];

/// The settings that a call met, with some of them set otherwise.
pub(super) fn with(
    met: &CallSettings,
    leg: LegKind,
    assignments: &[String],
) -> Result<CallSettings, Fault> {
    let mut settings = met.clone();
    let mut pairs = Vec::new();
    for assignment in assignments {
        let pair = assignment.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
        pairs.push(pair.ok_or_else(|| {
            format!("{assignment:?} sets nothing; write NAME=VALUE, as in turn.sure_pause_ms=200")
        })?);
    }
    let (of_queues, plain): (Vec<_>, Vec<_>) =
        pairs.into_iter().partition(|(name, _)| name.starts_with("queue."));
    let own = plain.iter().map(|(name, value)| (variable(name), (*value).to_owned()));
    // Some queue, whose rules take the time that a phone rings.
    let text = "[[queue]]\nname = \"any\"\n";
    let variables = known(met).into_iter().chain(own);
    let read = Settings::from_text(text, "--with", variables).map_err(told)?;
    let other = shell::call_settings(&read);
    for (name, _) in plain {
        if !take(&mut settings, &other, name) {
            let all = NAMES.join(", ");
            return Err(format!(
                "{name} is no setting of a call; there are {all}, and queue.NAME.{}",
                OF_QUEUES.join(" and queue.NAME.")
            )
            .into());
        }
    }
    // A browser takes its loudspeaker out of its microphone itself.
    settings.turn.cancels_echo &= leg != LegKind::Browser;
    for (name, value) in of_queues {
        queue(&mut settings, name, value)?;
    }
    Ok(settings)
}

/// What the call met, as variables, where one setting is judged by another.
fn known(met: &CallSettings) -> Vec<(String, String)> {
    let seconds = |time: Duration| time.as_secs().to_string();
    let ms = |time: Duration| time.as_millis().to_string();
    let (barge_in, name, after) = match met.turn.barge_in {
        BargeIn::Decide { duck } => ("decide", "turn.duck_ms", duck),
        BargeIn::Cut { after } => ("cut", "turn.cut_ms", after),
    };
    let values = [
        ("turn.speech_on", met.turn.voice_on.to_string()),
        ("turn.speech_off", met.turn.voice_off.to_string()),
        ("turn.barge_in", barge_in.to_owned()),
        (name, ms(after)),
        ("sip.no_media_ask_s", seconds(met.no_media_ask)),
        ("sip.no_media_end_s", seconds(met.no_media_end)),
    ];
    values.into_iter().map(|(name, value)| (variable(name), value)).collect()
}

/// The variable of the environment that a setting has.
fn variable(name: &str) -> String {
    format!("CORDBOARD_{}", name.to_uppercase().replace('.', "__"))
}

/// What is wrong, without the variable that nobody has set.
fn told(mut fault: SettingsFault) -> Fault {
    match &mut fault {
        SettingsFault::Value { place, .. }
        | SettingsFault::UnknownName { place, .. }
        | SettingsFault::Missing { place, .. } => "--with".clone_into(place),
        SettingsFault::Unreadable { .. } | SettingsFault::Malformed { .. } => {}
    }
    fault.into()
}

/// Takes one setting from another's; whether there is such a one.
fn take(to: &mut CallSettings, from: &CallSettings, name: &str) -> bool {
    let (turn, other) = (&mut to.turn, &from.turn);
    let (pause, others) = (&mut turn.pause, &other.pause);
    match name {
        "turn.least_pause_ms" => pause.least = others.least,
        "turn.sure_pause_ms" => pause.sure = others.sure,
        "turn.begun_pause_ms" => pause.begun = others.begun,
        "turn.pause_ms" => pause.other = others.other,
        "turn.digits_pause_ms" => pause.digits = others.digits,
        "turn.yes_no_pause_ms" => pause.yes_no = others.yes_no,
        "turn.phrase_pause_ms" => pause.phrase = others.phrase,
        "turn.open_pause_ms" => pause.open = others.open,
        "turn.no_input_ms" => turn.no_input = other.no_input,
        "turn.speech_on" => turn.voice_on = other.voice_on,
        "turn.speech_off" => turn.voice_off = other.voice_off,
        "turn.min_speech_ms" => turn.speech_min = other.speech_min,
        "turn.barge_in" | "turn.duck_ms" | "turn.cut_ms" => turn.barge_in = other.barge_in,
        "turn.eager" => turn.eager = other.eager,
        "turn.cancel_echo" => turn.cancels_echo = other.cancels_echo,
        "models.turn_judge" => turn.judges_sound = other.judges_sound,
        "sip.ring_timeout_s" => {
            let mut queues = (*to.queues).clone();
            let ring = from.queues.values().next().map(|rules| rules.ring);
            for rules in queues.values_mut() {
                Arc::make_mut(rules).ring = ring.unwrap_or(rules.ring);
            }
            to.queues = Arc::new(queues);
        }
        "sip.no_media_ask_s" => to.no_media_ask = from.no_media_ask,
        "sip.no_media_end_s" => to.no_media_end = from.no_media_end,
        "sip.hold_end_s" => to.hold_end = from.hold_end,
        "store.recording" => to.record = from.record,
        _ => return false,
    }
    true
}

/// Sets one of a queue's.
fn queue(settings: &mut CallSettings, name: &str, value: &str) -> Result<(), Fault> {
    let named = name.strip_prefix("queue.").and_then(|rest| rest.rsplit_once('.'));
    let (queue, key) = named.filter(|(_, key)| OF_QUEUES.contains(key)).ok_or_else(|| {
        format!(
            "{name} is no setting of a queue; there are queue.NAME.wait_s and \
                 queue.NAME.require_accept"
        )
    })?;
    let mut queues = (*settings.queues).clone();
    let Some(rules) = queues.get_mut(queue) else {
        let mut known: Vec<&str> = queues.keys().map(String::as_str).collect();
        known.sort_unstable();
        return Err(format!("the call knew no queue {queue:?}, but {known:?}").into());
    };
    let text = format!("[[queue]]\nname = {queue:?}\n{key} = {value}\n");
    let read = Settings::from_text(&text, name, None).map_err(told)?;
    let other = shell::call_settings(&read);
    let Some(other) = other.queues.get(queue) else { return Ok(()) };
    let rules = Arc::make_mut(rules);
    match key {
        "wait_s" => rules.limit = other.limit,
        _ => rules.require_accept = other.require_accept,
    }
    settings.queues = Arc::new(queues);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met() -> CallSettings {
        let text = "[[queue]]\nname = \"service\"";
        shell::call_settings(&Settings::from_text(text, "", None).expect("good settings"))
    }

    fn set(assignments: &[&str]) -> Result<CallSettings, String> {
        let assignments: Vec<String> = assignments.iter().map(|it| (*it).to_owned()).collect();
        with(&met(), LegKind::Phone, &assignments).map_err(|fault| fault.to_string())
    }

    #[test]
    fn every_setting_of_a_call_can_be_set_and_the_others_stay() {
        let usual = format!("{:?}", met());
        for name in NAMES {
            let value = match name {
                "turn.barge_in" => "cut",
                "turn.speech_on" => "0.75",
                "turn.speech_off" => "0.25",
                "turn.eager" | "turn.cancel_echo" => "false",
                "models.turn_judge" => "smart_turn",
                "store.recording" => "true",
                "sip.no_media_ask_s" => "12",
                "sip.no_media_end_s" => "77",
                "turn.no_input_ms" => "577",
                _ => "177",
            };
            let set = set(&[&format!("{name}={value}")]).expect(name);
            // Of the two ways to barge in one alone is in force, and the weights may be there.
            if !["turn.cut_ms", "models.turn_judge"].contains(&name) {
                assert_ne!(format!("{set:?}"), usual, "{name}");
            }
        }
        let set = set(&["queue.service.wait_s=7", "queue.service.require_accept=false"]);
        let rules = set.expect("both are settings of a queue").queues["service"].clone();
        assert_eq!((rules.limit, rules.require_accept), (Duration::from_secs(7), false));
    }

    #[test]
    fn what_is_no_setting_or_no_value_is_refused_in_the_settings_own_words() {
        for (assignment, said) in [
            ("turn.sure_pause_ms", "write NAME=VALUE"),
            ("turn.sure_pause_ms=5", "turn.sure_pause_ms is 5 (--with); allowed: a whole number"),
            ("turn.sure_pause=300", "turn.sure_pause is no setting (--with); did you mean"),
            ("turn.speech_off=0.9", "at most turn.speech_on, which is 0.5"),
            ("sip.calls_max=3", "sip.calls_max is no setting of a call; there are turn.least"),
            ("queue.service.rounds=3", "is no setting of a queue"),
            ("queue.sales.wait_s=3", "the call knew no queue \"sales\", but [\"service\"]"),
            ("queue.service.wait_s=0", "wait_s is 0 (--with); allowed: a whole number from 1"),
        ] {
            let fault = set(&[assignment]).expect_err(assignment);
            assert!(fault.contains(said), "{assignment}: {fault}");
        }
    }
}
