//! The figures of the service: those that timelines give, and those that workers count.
//!
//! Labels have values known beforehand or from the settings; nothing of a caller is among them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use super::exposition::{Counter, Histogram, Page, Tallies};
use crate::api::{REFUSALS, STREAM_ENDS};
use crate::shell::admission::Strain;
use crate::timeline::{
    CallId, Debtor, Entry, LegKind, LegRole, Outcome, RepairCause, ToolVerdict, Trigger, What,
};

/// Bounds for what a caller waits for, s; 0.8 and 3 are the bars that the service is held to.
const RESPONSE_S: &[f64] = &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 2.5, 3.0, 5.0, 10.0];
/// Bounds for how late a tick is, s; a frame is 0.02.
const LATENESS_S: &[f64] = &[0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0];
/// Bounds for how long a call waits for an agent, s.
const WAIT_S: &[f64] = &[5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0];

/// What is counted.
#[derive(Debug)]
pub(crate) struct Figures {
    begun: Tallies,
    answered: Counter,
    ended: Tallies,
    response: Histogram,
    end_of_turn: Histogram,
    recognition: Histogram,
    answer: Histogram,
    /// From the asking of a voice to its first sound.
    pub(crate) synthesis: Histogram,
    /// From a question to a judge of sound to its answer.
    pub(crate) judgement: Histogram,
    /// Questions to judges of sound that were not answered for want of time.
    pub(crate) judgements_shed: Counter,
    tools: Tallies,
    tool_time: Histogram,
    repairs: Tallies,
    interruptions: Counter,
    silences: Tallies,
    keys: Counter,
    escalations: Tallies,
    bridges: Counter,
    refusals: Counter,
    nobody: Counter,
    agent_wait: Histogram,
    packets_received: Tallies,
    packets_sent: Tallies,
    packets_lost: Tallies,
    packets_late: Tallies,
    datagrams_foreign: Tallies,
    concealed_ms: Tallies,
    engine_faults: Tallies,
    failovers: Tallies,
    panics: Counter,
    /// Desks that were replaced by another.
    pub(crate) desk_panics: Counter,
    recordings_incomplete: Counter,
    call_ticks_missed: Counter,
    /// How late media workers come to a phase of their tick.
    pub(crate) tick_lateness: Histogram,
    /// Phases that were lost.
    pub(crate) ticks_skipped: Counter,
    /// Seats taken, by worker.
    pub(crate) seats: Box<[AtomicUsize]>,
    /// Phases stepped, by worker: whether it lives.
    pub(crate) beats: Box<[AtomicU64]>,
    /// Carriers' media streams that are over, by why.
    pub(crate) streams_closed: Tallies,
    /// What callers in browsers were refused, by what it was.
    pub(crate) browser_refusals: Tallies,
    /// Calls that were refused past the door, by why.
    pub(crate) calls_refused: Tallies,
    /// How often new calls began to be refused for want of time or engines, by why.
    pub(crate) admission_shut: Tallies,
    /// Spans that were sent.
    pub(crate) spans_sent: Counter,
    /// Spans that were given up: the queue was full, or nobody took them.
    pub(crate) spans_dropped: Counter,
    /// Reloads, by result.
    pub(crate) reloads: Tallies,
    /// What retention has deleted, by kind.
    pub(crate) deleted: Tallies,
}

const ROLES: &[&str] = &["caller", "agent"];
const ENGINES: &[&str] = &["recognizer", "synthesizer", "language_model", "other"];

impl Figures {
    /// All at zero, for so many media workers.
    pub(crate) fn new(workers: usize) -> Self {
        let roles = || Tallies::new("leg", ROLES);
        Self {
            begun: Tallies::new("leg", &["phone", "stream", "device", "browser"]),
            answered: Counter::default(),
            ended: Tallies::new("outcome", OUTCOMES),
            response: Histogram::new(RESPONSE_S),
            end_of_turn: Histogram::new(RESPONSE_S),
            recognition: Histogram::new(RESPONSE_S),
            answer: Histogram::new(RESPONSE_S),
            synthesis: Histogram::new(RESPONSE_S),
            judgement: Histogram::new(RESPONSE_S),
            judgements_shed: Counter::default(),
            tools: Tallies::new("verdict", VERDICTS),
            tool_time: Histogram::new(RESPONSE_S),
            repairs: Tallies::new("cause", &["no_input", "no_match", "invalid", "denied"]),
            interruptions: Counter::default(),
            silences: Tallies::new("owed_by", &["caller", "assistant"]),
            keys: Counter::default(),
            escalations: Tallies::new("trigger", TRIGGERS),
            bridges: Counter::default(),
            refusals: Counter::default(),
            nobody: Counter::default(),
            agent_wait: Histogram::new(WAIT_S),
            packets_received: roles(),
            packets_sent: roles(),
            packets_lost: roles(),
            packets_late: roles(),
            datagrams_foreign: roles(),
            concealed_ms: roles(),
            engine_faults: Tallies::new("role", ENGINES),
            failovers: Tallies::new("role", ENGINES),
            panics: Counter::default(),
            desk_panics: Counter::default(),
            recordings_incomplete: Counter::default(),
            call_ticks_missed: Counter::default(),
            tick_lateness: Histogram::new(LATENESS_S),
            ticks_skipped: Counter::default(),
            seats: (0..workers).map(|_| AtomicUsize::new(0)).collect(),
            beats: (0..workers).map(|_| AtomicU64::new(0)).collect(),
            streams_closed: Tallies::new("why", STREAM_ENDS),
            browser_refusals: Tallies::new("what", REFUSALS),
            calls_refused: Tallies::new("why", &["draining", "stranded", "strained", "full"]),
            admission_shut: Tallies::new("why", Strain::NAMES),
            spans_sent: Counter::default(),
            spans_dropped: Counter::default(),
            reloads: Tallies::new("result", &["taken", "refused"]),
            deleted: Tallies::new("kind", &["timeline", "recording", "inputs", "segment"]),
        }
    }

    /// Writes all of them.
    pub(super) fn write(&self, page: &mut Page) {
        self.write_calls(page);
        self.write_answers(page);
        self.write_escalations(page);
        self.write_media(page);
        self.write_service(page);
    }

    fn write_calls(&self, page: &mut Page) {
        page.tallies("cordboard_calls_begun_total", "Calls that rang or were placed.", &self.begun);
        page.counter("cordboard_calls_answered_total", "Calls that were answered.", &self.answered);
        page.tallies("cordboard_calls_total", "Calls that are over, by outcome.", &self.ended);
        page.counter("cordboard_keys_total", "Keys pressed.", &self.keys);
        let help = "Panics in calls; each costs its call alone.";
        page.counter("cordboard_call_panics_total", help, &self.panics);
        let help = "Panics at the desk; who waits for an agent waits on.";
        page.counter("cordboard_desk_panics_total", help, &self.desk_panics);
        let help = "Recordings that have gaps.";
        page.counter("cordboard_recordings_incomplete_total", help, &self.recordings_incomplete);
    }

    fn write_answers(&self, page: &mut Page) {
        let times = [
            (
                "cordboard_turn_response_seconds",
                "From the end of the caller's speech to the first sound of the answer.",
                &self.response,
            ),
            (
                "cordboard_turn_end_seconds",
                "From the end of the caller's speech to the judgement that the turn is over.",
                &self.end_of_turn,
            ),
            (
                "cordboard_recognition_seconds",
                "From the end of the turn to the words.",
                &self.recognition,
            ),
            (
                "cordboard_answer_seconds",
                "From the words to the first sound of the answer.",
                &self.answer,
            ),
            (
                "cordboard_synthesis_seconds",
                "From the asking of a voice to its first sound.",
                &self.synthesis,
            ),
            ("cordboard_tool_seconds", "What tools took.", &self.tool_time),
        ];
        for (name, help, histogram) in times {
            page.histogram(name, help, histogram);
        }
        page.tallies("cordboard_tools_total", "Invocations of tools, by verdict.", &self.tools);
        page.tallies("cordboard_repairs_total", "Questions asked again, by cause.", &self.repairs);
        let help = "Prompts that the caller stopped.";
        page.counter("cordboard_interruptions_total", help, &self.interruptions);
        let help = "Silences that were too long, by who owed the sound.";
        page.tallies("cordboard_silences_total", help, &self.silences);
        let help = "Engines that gave up or refused, by role.";
        page.tallies("cordboard_engine_faults_total", help, &self.engine_faults);
        let help = "From a question to a judge of turns by their sound to its answer.";
        page.histogram("cordboard_turn_judgement_seconds", help, &self.judgement);
        let help = "Questions to it that were not answered for want of time.";
        page.counter("cordboard_turn_judgements_shed_total", help, &self.judgements_shed);
        let help = "Engines that failed within a turn and were gone on from, by role.";
        page.tallies("cordboard_failovers_total", help, &self.failovers);
    }

    fn write_escalations(&self, page: &mut Page) {
        let help = "Calls for which a human was needed, by trigger.";
        page.tallies("cordboard_escalations_total", help, &self.escalations);
        page.counter("cordboard_bridges_total", "Callers joined with an agent.", &self.bridges);
        let help = "Agents that did not take the call they were offered.";
        page.counter("cordboard_agent_refusals_total", help, &self.refusals);
        let help = "Escalations that no agent took.";
        page.counter("cordboard_escalations_failed_total", help, &self.nobody);
        let help = "From the queue to the agent.";
        page.histogram("cordboard_agent_wait_seconds", help, &self.agent_wait);
    }

    fn write_media(&self, page: &mut Page) {
        let packets = [
            ("received", "RTP packets played, of legs that are over.", &self.packets_received),
            ("sent", "RTP packets sent, of legs that are over.", &self.packets_sent),
            ("lost", "RTP packets that never came, of legs that are over.", &self.packets_lost),
            ("late", "RTP packets that came too late, of legs that are over.", &self.packets_late),
            ("foreign", "Datagrams that were no RTP of the call.", &self.datagrams_foreign),
        ];
        for (what, help, tallies) in packets {
            page.tallies(&format!("cordboard_rtp_packets_{what}_total"), help, tallies);
        }
        let name = "cordboard_rtp_concealed_seconds_total";
        page.family(name, "counter", "Sound that had to be made up, of legs that are over.");
        for (role, counter) in ROLES.iter().zip(self.concealed_ms.counters()) {
            page.sample(name, &[("leg", role)], counter.total() as f64 / 1e3);
        }
        let help = "How late media workers come to a phase of their tick.";
        page.histogram("cordboard_media_tick_lateness_seconds", help, &self.tick_lateness);
        let help = "Phases of a tick that media workers skipped.";
        page.counter("cordboard_media_ticks_skipped_total", help, &self.ticks_skipped);
        let help = "Carriers' media streams that are over, by why.";
        page.tallies("cordboard_media_streams_closed_total", help, &self.streams_closed);
        let help = "What browsers asked for or sent in vain; datagrams are foreign packets.";
        page.tallies("cordboard_browser_refusals_total", help, &self.browser_refusals);
        let help = "Ticks of 20 ms that calls were not given, of calls that are over.";
        page.counter("cordboard_call_ticks_missed_total", help, &self.call_ticks_missed);
        let name = "cordboard_media_seats";
        page.family(name, "gauge", "Calls at each media worker.");
        for (worker, seats) in self.seats.iter().enumerate() {
            page.sample(name, &[("worker", &worker.to_string())], seats.load(Relaxed));
        }
    }

    fn write_service(&self, page: &mut Page) {
        let help = "How often new calls began to be refused for want of time or engines, by why.";
        page.tallies("cordboard_admission_shut_total", help, &self.admission_shut);
        let help = "Media streams and placed calls that were refused; INVITEs are counted by SIP.";
        page.tallies("cordboard_calls_refused_total", help, &self.calls_refused);
        page.counter("cordboard_trace_spans_sent_total", "Spans sent.", &self.spans_sent);
        let help = "Spans given up: the queue was full, or nobody took them.";
        page.counter("cordboard_trace_spans_dropped_total", help, &self.spans_dropped);
        page.tallies("cordboard_reloads_total", "Reloads of the settings.", &self.reloads);
        let help = "What was deleted for its age, by kind.";
        page.tallies("cordboard_retention_deleted_total", help, &self.deleted);
    }
}

const OUTCOMES: &[&str] =
    &["resolved", "handed_over", "message_taken", "abandoned", "no_input", "failed", "broken_off"];

/// The name of what came of a call.
pub(super) const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Resolved => "resolved",
        Outcome::HandedOver => "handed_over",
        Outcome::MessageTaken => "message_taken",
        Outcome::Abandoned => "abandoned",
        Outcome::NoInput => "no_input",
        Outcome::Failed => "failed",
        Outcome::BrokenOff => "broken_off",
    }
}

const VERDICTS: &[&str] = &["done", "status", "timed_out", "unreachable", "malformed"];

/// The name of a tool's verdict.
pub(super) const fn verdict(verdict: &ToolVerdict) -> &'static str {
    match verdict {
        ToolVerdict::Done => "done",
        ToolVerdict::Status(_) => "status",
        ToolVerdict::TimedOut => "timed_out",
        ToolVerdict::Unreachable => "unreachable",
        ToolVerdict::Malformed => "malformed",
    }
}

const fn role(role: LegRole) -> &'static str {
    match role {
        LegRole::Caller => "caller",
        LegRole::Agent => "agent",
    }
}

const TRIGGERS: &[&str] =
    &["asked", "repairs", "low_confidence", "rule", "tool_failed", "emergency"];

/// The name of what asked for a human.
pub(super) const fn trigger(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Asked => "asked",
        Trigger::Repairs => "repairs",
        Trigger::LowConfidence => "low_confidence",
        Trigger::Rule => "rule",
        Trigger::ToolFailed => "tool_failed",
        Trigger::Emergency => "emergency",
    }
}

const fn repair(cause: RepairCause) -> &'static str {
    match cause {
        RepairCause::NoInput => "no_input",
        RepairCause::NoMatch => "no_match",
        RepairCause::Invalid => "invalid",
        RepairCause::Denied => "denied",
    }
}

const fn debtor(owed_by: Debtor) -> &'static str {
    match owed_by {
        Debtor::Caller => "caller",
        Debtor::Assistant => "assistant",
    }
}

/// Calls that wait for an agent, at most; beyond it their waits are not measured.
const WAITING_MAX: usize = 65_536;

/// Counts what timelines say.
#[derive(Debug)]
pub(crate) struct CallProjection {
    figures: std::sync::Arc<Figures>,
    /// When calls that wait for an agent were enqueued, ms since their ring.
    enqueued_ms: HashMap<CallId, u64>,
}

impl CallProjection {
    /// Counts into these figures.
    pub(crate) fn new(figures: std::sync::Arc<Figures>) -> Self {
        Self { figures, enqueued_ms: HashMap::new() }
    }

    /// Takes the next entry of a call.
    pub(crate) fn take(&mut self, call: &CallId, entry: &Entry) {
        let figures = &self.figures;
        match &entry.what {
            What::Rang { leg, .. } => {
                figures.begun.count(match leg {
                    LegKind::Phone => "phone",
                    LegKind::Stream => "stream",
                    LegKind::Device => "device",
                    LegKind::Browser => "browser",
                });
            }
            What::Answered => figures.answered.count(),
            What::Ended { outcome: it, .. } => {
                figures.ended.count(outcome(*it));
                self.enqueued_ms.remove(call);
            }
            What::Keyed { .. } => figures.keys.count(),
            What::Interrupted { .. } => figures.interruptions.count(),
            What::Silence { owed_by, .. } => figures.silences.count(debtor(*owed_by)),
            What::Repaired { cause, .. } => figures.repairs.count(repair(*cause)),
            What::EngineFailed { role, .. } => figures.engine_faults.count(role),
            What::FailedOver { role, .. } => figures.failovers.count(role),
            What::Panicked => figures.panics.count(),
            What::TicksMissed { count, .. } => figures.call_ticks_missed.add(*count),
            What::RecordingEnded { complete: false, .. } => figures.recordings_incomplete.count(),
            What::ToolAnswered { verdict: it, took_ms, .. } => {
                figures.tools.count(verdict(it));
                figures.tool_time.observe(Duration::from_millis(*took_ms));
            }
            What::Latency { .. } => self.take_latency(&entry.what),
            What::Media { .. } => self.take_media(&entry.what),
            _ => self.take_escalation(call, entry),
        }
    }

    fn take_latency(&self, what: &What) {
        let What::Latency { speech_ended_ms, turn_ended_ms, recognized_ms, first_sound_ms, .. } =
            what
        else {
            return;
        };
        let figures = &self.figures;
        for (histogram, from_ms, to_ms) in [
            (&figures.response, speech_ended_ms, first_sound_ms),
            (&figures.end_of_turn, speech_ended_ms, turn_ended_ms),
            (&figures.recognition, turn_ended_ms, recognized_ms),
            (&figures.answer, recognized_ms, first_sound_ms),
        ] {
            histogram.observe(Duration::from_millis(to_ms.saturating_sub(*from_ms)));
        }
    }

    fn take_media(&self, what: &What) {
        let What::Media { role: it, received, sent, lost, late, garbage, concealed_ms, .. } = what
        else {
            return;
        };
        let (figures, leg) = (&self.figures, role(*it));
        figures.packets_received.add(leg, *received);
        figures.packets_sent.add(leg, *sent);
        figures.packets_lost.add(leg, *lost);
        figures.packets_late.add(leg, *late);
        figures.datagrams_foreign.add(leg, *garbage);
        figures.concealed_ms.add(leg, *concealed_ms);
    }

    fn take_escalation(&mut self, call: &CallId, entry: &Entry) {
        let figures = &self.figures;
        match &entry.what {
            What::EscalationTriggered { trigger: it, .. } => {
                figures.escalations.count(trigger(*it));
            }
            What::Enqueued { .. } if self.enqueued_ms.len() < WAITING_MAX => {
                self.enqueued_ms.insert(call.clone(), entry.at_ms);
            }
            What::AgentRefused { .. } => figures.refusals.count(),
            What::Bridged { .. } => {
                figures.bridges.count();
                if let Some(since_ms) = self.enqueued_ms.remove(call) {
                    let waited_ms = entry.at_ms.saturating_sub(since_ms);
                    figures.agent_wait.observe(Duration::from_millis(waited_ms));
                }
            }
            What::NobodyCame { .. } => {
                figures.nobody.count();
                self.enqueued_ms.remove(call);
            }
            _ => {}
        }
    }
}
