//! Two ends in virtual time, an independent reader, and packets made to hurt.

use proptest::prelude::*;
use rtc_rtcp::extended_report::ExtendedReport;
use rtc_rtcp::receiver_report::ReceiverReport;
use rtc_rtcp::sender_report::SenderReport;
use rtc_rtcp::source_description::SourceDescription;

use super::*;

const WALL_MS: u64 = 1_700_000_000_000;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn packet(sequence: u16, ssrc: u32) -> Packet<'static> {
    let timestamp = u32::from(sequence) * 160;
    Packet { marker: false, payload_type: 0, sequence, timestamp, ssrc, payload: &[0xff; 160] }
}

/// Reports of `ssrc` that has sent and received `count` packets, of which `lost` never came.
fn talked(ssrc: u32, count: u16, lost: impl Fn(u16) -> bool) -> (Reports, Duration) {
    let mut reports = Reports::new(ssrc, u64::from(ssrc), (Duration::ZERO, WALL_MS));
    for sequence in 0..count {
        let now = ms(20 * u64::from(sequence));
        reports.sent(now, &packet(sequence, ssrc));
        if !lost(sequence) {
            reports.received(now, &packet(sequence, ssrc + 1));
        }
    }
    (reports, ms(20 * u64::from(count)))
}

fn written(reports: &mut Reports, now: Duration) -> Vec<u8> {
    let mut out = [0; MAX_REPORT_BYTES];
    let len = reports.poll(now + INTERVAL * 2, &mut out).expect("due for long");
    out[..len].to_vec()
}

#[test]
fn an_independent_reader_finds_every_figure() {
    // A burst of three, and one alone 40 packets later.
    let (mut reports, now) = talked(10, 200, |it| matches!(it, 100..=102 | 142));
    let bytes = written(&mut reports, now);
    let read = rtc_rtcp::packet::unmarshal(&mut &bytes[..]).unwrap();
    assert_eq!(read.len(), 3);
    let sender = read[0].as_any().downcast_ref::<SenderReport>().unwrap();
    assert_eq!((sender.ssrc, sender.packet_count, sender.octet_count), (10, 200, 32_000));
    let wall_s = (WALL_MS / 1_000) + now.as_secs() + 10;
    assert_eq!(sender.ntp_time >> 32, wall_s + 2_208_988_800);
    // The last packet left 10.02 s before the report.
    assert_eq!(sender.rtp_time, 199 * 160 + 80_160);
    let block = &sender.reports[0];
    assert_eq!((block.ssrc, block.total_lost, block.last_sequence_number), (11, 4, 199));
    assert_eq!((block.fraction_lost, block.jitter), (5, 0));
    assert!(read[1].as_any().is::<SourceDescription>());
    let extended = read[2].as_any().downcast_ref::<ExtendedReport>().unwrap();
    let metrics = extended.reports[0].as_any();
    let metrics = metrics.downcast_ref::<rtc_rtcp::extended_report::VoIPMetricsReportBlock>();
    let metrics = metrics.unwrap();
    assert_eq!((metrics.ssrc, metrics.loss_rate, metrics.gmin), (11, 5, 16));
    // The mean of both: 60 and 20 ms, all of it lost.
    assert_eq!((metrics.burst_duration, metrics.burst_density), (40, 255));
    assert_eq!((metrics.rfactor, metrics.mos_lq), (127, 127));
}

#[test]
fn who_does_not_send_only_receives_and_the_last_report_says_goodbye() {
    let mut reports = Reports::new(3, 9, (Duration::ZERO, WALL_MS));
    let bytes = written(&mut reports, Duration::ZERO);
    let read = rtc_rtcp::packet::unmarshal(&mut &bytes[..]).unwrap();
    assert!(read[0].as_any().downcast_ref::<ReceiverReport>().unwrap().reports.is_empty());
    let mut out = [0; MAX_REPORT_BYTES];
    reports.received(ms(20), &packet(1, 4));
    let len = reports.goodbye(ms(40), &mut out);
    let read = rtc_rtcp::packet::unmarshal(&mut &out[..len]).unwrap();
    assert!(read.last().unwrap().as_any().is::<rtc_rtcp::goodbye::Goodbye>());
    let heard = Reports::new(4, 1, (Duration::ZERO, 0)).heard(ms(60), &out[..len]);
    assert_eq!(heard.map(|it| (it.ssrc, it.bye)), Ok((3, true)));
}

#[test]
fn the_round_trip_is_measured_over_any_wall_clock() {
    let (mut near, now) = talked(10, 100, |_| false);
    let (mut far, _) = talked(11, 100, |sequence| sequence % 4 == 3);
    // The far side's clock is a year behind; the way takes 40 ms there and 30 ms back.
    far.epoch = far.epoch.wrapping_sub(31_536_000 << 32);
    far.ssrc = 11;
    far.reception.as_mut().expect("packets came").ssrc = 10;
    let there = written(&mut near, now);
    let sent_at = now + INTERVAL * 2;
    far.heard(sent_at + ms(40), &there).unwrap();
    far.due = sent_at + ms(540);
    let mut out = [0; MAX_REPORT_BYTES];
    let len = far.poll(sent_at + ms(540), &mut out).unwrap();
    let heard = near.heard(sent_at + ms(570), &out[..len]).unwrap();
    assert_eq!(heard.ssrc, 11);
    let quality = near.quality();
    assert!(quality.rtt_ms.is_some_and(|it| (69..=71).contains(&it)), "{quality:?}");
    assert!(quality.remote_loss_percent.is_some_and(|it| (23.0..26.0).contains(&it)));
    assert!(quality.remote_lost.is_some_and(|it| it == 24), "{quality:?}");
}

#[test]
fn reports_come_every_five_seconds_or_so_and_never_in_step() {
    for seed in 0..20 {
        let mut reports = Reports::new(1, seed, (Duration::ZERO, WALL_MS));
        let mut out = [0; MAX_REPORT_BYTES];
        let ticks = (0..30_000_u64).map(|tick| ms(20 * tick));
        let times: Vec<Duration> =
            ticks.filter(|now| reports.poll(*now, &mut out).is_some()).collect();
        assert!((110..190).contains(&times.len()), "{}", times.len());
        assert!(times[0] >= ms(1_000) && times[0] < ms(3_200), "{:?}", times[0]);
        let spans = times.windows(2).map(|it| it[1] - it[0]);
        assert!(spans.clone().all(|it| it > ms(2_000) && it < ms(6_200)));
        assert!(spans.clone().max() > spans.min().map(|it| it + ms(1_000)));
    }
}

#[test]
fn jitter_is_that_of_the_standard() {
    let mut reports = Reports::new(1, 1, (Duration::ZERO, WALL_MS));
    for sequence in 0..400 {
        let late = if sequence % 2 == 0 { 0 } else { 20 };
        reports.received(ms(20 * u64::from(sequence) + late), &packet(sequence, 2));
    }
    let jitter_ms = reports.quality().jitter_ms;
    assert!((18..=20).contains(&jitter_ms), "{jitter_ms}");
    // A new source begins anew.
    reports.received(ms(9_000), &packet(7, 3));
    assert_eq!(reports.quality().jitter_ms, 0);
}

#[test]
fn blocks_about_others_and_lies_about_time_say_nothing() {
    let (mut near, now) = talked(10, 50, |_| false);
    let mut other = Reports::new(99, 2, (Duration::ZERO, WALL_MS));
    other.received(now, &packet(1, 12));
    let bytes = written(&mut other, now);
    assert_eq!(near.heard(now, &bytes).unwrap().about_us, None);
    let mut lie = [&[0x81, 201, 0, 7][..], &[0; 4], &10_u32.to_be_bytes(), &[0xff; 20]].concat();
    assert!(near.heard(now, &lie).unwrap().about_us.is_some());
    let quality = near.quality();
    assert_eq!((quality.rtt_ms, quality.remote_lost), (None, Some(0)));
    lie.pop();
    assert_eq!(near.heard(now, &lie), Err(NotRtcp::CutShort));
}

#[test]
fn packets_made_to_hurt_are_refused() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/sip/media-attacks");
    let Ok(files) = std::fs::read_dir(folder) else {
        println!("skipped: {folder} is not there");
        return;
    };
    let mut read = 0;
    for file in files.map(|it| it.unwrap().path()) {
        let bytes = std::fs::read(&file).unwrap();
        let (mut reports, now) = talked(10, 50, |_| false);
        let before = reports.quality();
        let heard = reports.heard(now, &bytes);
        assert_eq!(reports.quality(), before, "{}", file.display());
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let broken = ["rtcp_app_empty", "rtcp_len_lie", "rtcp_sr_rc31_short", "rtp_", "stun_"];
        assert!(!broken.iter().any(|it| name.starts_with(it)) || heard.is_err(), "{name}");
        read += 1;
    }
    assert!(read > 50);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(
        head in proptest::sample::select(vec![200_u8, 201, 202, 203, 207]),
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut reports = Reports::new(1, 1, (Duration::ZERO, 0));
        let whole = [&[0x81, head][..], &bytes].concat();
        let _ = reports.heard(Duration::ZERO, &whole);
        let mut out = [0; MAX_REPORT_BYTES];
        prop_assert!(reports.goodbye(Duration::MAX / 4, &mut out) <= MAX_REPORT_BYTES);
    }
}
