//! A call as it goes on, told in lines for a person who follows it: a projection of the timeline.
//!
//! Deliberately absent: what only machines want (legs, signalling, counters).

use super::{Entry, LegRole, What};

impl Entry {
    /// The entry in a line, where a person who follows the call wants to know of it.
    ///
    /// # Examples
    /// ```
    /// use cordboard::timeline::{ENTRY_VERSION, Entry, What};
    ///
    /// let what = What::PromptBegan { prompt: 1, text: "Hello.".into() };
    /// let entry = Entry { v: ENTRY_VERSION, at_ms: 1_200, what };
    /// assert_eq!(entry.told().as_deref(), Some("   1.2 s  assistant  Hello."));
    /// assert_eq!(Entry { v: ENTRY_VERSION, at_ms: 0, what: What::Answered }.told(), None);
    /// ```
    #[must_use]
    pub fn told(&self) -> Option<String> {
        let said = self.what.told()?;
        Some(format!("{:6.1} s  {said}", self.at_ms as f64 / 1_000.0))
    }
}

impl What {
    fn told(&self) -> Option<String> {
        Some(match self {
            Self::PromptBegan { text, .. } => format!("assistant  {text}"),
            Self::CallerSpoke { text, confidence, .. } => {
                format!("caller     {text} ({:.0} % sure)", confidence * 100.0)
            }
            Self::Keyed { role: LegRole::Caller, digit, .. } => {
                format!("caller     presses {digit}")
            }
            Self::Keyed { role: LegRole::Agent, digit, .. } => {
                format!("agent      presses {digit}")
            }
            Self::Latency {
                speech_ended_ms: end,
                turn_ended_ms,
                recognized_ms,
                first_sound_ms,
                ..
            } => {
                format!(
                    "           answered in {} ms: pause {}, recognition {}, first sound {}",
                    first_sound_ms.saturating_sub(*end),
                    turn_ended_ms.saturating_sub(*end),
                    recognized_ms.saturating_sub(*turn_ended_ms),
                    first_sound_ms.saturating_sub(*recognized_ms),
                )
            }
            Self::ToolInvoked { tool, arguments, .. } => format!("tool       {tool} {arguments}"),
            Self::ToolAnswered { result, .. } => format!("tool       answers {result}"),
            Self::EscalationTriggered { reason, trigger, .. } => {
                format!("hand-over  {reason} ({})", word(trigger))
            }
            Self::AgentOffered { agent } => format!("hand-over  {agent}'s phone rings"),
            Self::AgentAnswered { agent } => {
                format!("hand-over  {agent} picks up and hears the brief")
            }
            Self::AgentAccepted { agent, .. } => format!("hand-over  {agent} accepts"),
            Self::Bridged { agent } => {
                format!("hand-over  {agent} and the caller are connected")
            }
            Self::RecordingBegan => "           (recording, as announced)".to_owned(),
            Self::Ended { outcome, cause } => format!("end        {} ({cause})", word(outcome)),
            _ => return None,
        })
    }
}

/// A word of the timeline's own form.
fn word(it: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(it).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}
