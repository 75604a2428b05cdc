//! What the browser reports of what it gets (RTCP, RFC 3550 §6.4).
//!
//! rtc 0.21.1 takes reports in and tells nobody: its statistics of the far end stay 0. So its chain
//! has one more link here, which marks every report to be handed out as well.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use rtc::interceptor::{Attribute, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::reception_report::ReceptionReport;
use rtc::rtcp::sender_report::SenderReport;
use rtc::shared::error::Error;

use super::CLOCK_HZ;
use super::socket::Gate;
use crate::call::Network;

/// Seconds between 1900 and 1970 (RFC 3550 §4).
const NTP_OFFSET_S: u64 = 2_208_988_800;
/// A round trip is not believed beyond this.
const RTT_MS_MAX: u32 = 10_000;

/// The link that has reports handed out, and counts what could be opened.
pub(super) struct ReportTap {
    gate: Arc<Gate>,
    read: VecDeque<TaggedPacket>,
    written: VecDeque<TaggedPacket>,
}

impl ReportTap {
    pub(super) fn new(gate: Arc<Gate>) -> Self {
        Self { gate, read: VecDeque::new(), written: VecDeque::new() }
    }
}

impl rtc::sansio::Protocol<TaggedPacket, TaggedPacket, ()> for ReportTap {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, mut packet: TaggedPacket) -> Result<(), Error> {
        self.gate.opened();
        if matches!(packet.message.packet, Packet::Rtcp(_)) {
            packet.message.add(Attribute::DeliverToApplication);
        }
        self.read.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.read.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.written.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.written.pop_front()
    }
}

impl Interceptor for ReportTap {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}

/// What these reports say of our stream, by our wall time.
pub(super) fn read(packets: &[Box<dyn rtc::rtcp::Packet>], wall_unix_ms: u64) -> Option<Network> {
    let reports = packets.iter().flat_map(|packet| {
        let any = packet.as_any();
        let sender = any.downcast_ref::<SenderReport>().map(|it| &it.reports);
        let receiver = any.downcast_ref::<ReceiverReport>().map(|it| &it.reports);
        sender.or(receiver).into_iter().flatten()
    });
    reports.last().map(|report| network(report, wall_unix_ms))
}

fn network(report: &ReceptionReport, wall_unix_ms: u64) -> Network {
    Network {
        jitter_ms: report.jitter / (CLOCK_HZ / 1_000),
        rtt_ms: round_trip_ms(report, wall_unix_ms),
        remote_lost: Some(report.total_lost),
        remote_loss_percent: Some((u32::from(report.fraction_lost) * 100 / 256) as u8),
        from_far_end: true,
    }
}

/// RFC 3550 §6.4.1; none where the browser has had no report of ours yet.
fn round_trip_ms(report: &ReceptionReport, wall_unix_ms: u64) -> Option<u32> {
    if report.last_sender_report == 0 {
        return None;
    }
    let passed =
        ntp_middle(wall_unix_ms).wrapping_sub(report.last_sender_report).wrapping_sub(report.delay);
    // A clock that was set back makes it negative.
    let ms = (u64::from(passed) * 1_000) >> 16;
    u32::try_from(ms).ok().filter(|ms| *ms <= RTT_MS_MAX)
}

/// The middle 32 bits of an NTP timestamp: seconds and their 65,536ths.
fn ntp_middle(wall_unix_ms: u64) -> u32 {
    let seconds = wall_unix_ms / 1_000 + NTP_OFFSET_S;
    let fraction = ((wall_unix_ms % 1_000) << 16) / 1_000;
    (((seconds & 0xffff) << 16) | fraction) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_trip_is_now_less_the_report_and_the_time_it_was_kept() {
        let sent_ms = 1_795_000_000_000;
        let report = ReceptionReport {
            last_sender_report: ntp_middle(sent_ms),
            delay: 65_536 / 2,
            jitter: 480,
            fraction_lost: 64,
            total_lost: 7,
            ..ReceptionReport::default()
        };
        let network = network(&report, sent_ms + 540);
        assert!(network.rtt_ms.is_some_and(|ms| (39..=40).contains(&ms)), "{network:?}");
        assert_eq!((network.jitter_ms, network.remote_loss_percent), (10, Some(25)));
        let unknown = ReceptionReport::default();
        assert_eq!(super::network(&unknown, sent_ms).rtt_ms, None);
        // A clock that was set back.
        assert_eq!(super::network(&report, sent_ms - 5_000).rtt_ms, None);
    }
}
