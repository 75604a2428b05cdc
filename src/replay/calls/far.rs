//! What the far end was heard to say: packets laid on the call's own time.
//!
//! A packet's sound counts from when the packet would have come had the network been even: the
//! least transit of its neighbours, by the packet's own clock. So the sound has no gaps and no
//! repetitions that a phone's jitter buffer would have made or hidden, and what it says of the far
//! end's timing is not blurred by how often we look. What came too late for a phone of
//! [`BUFFER`] is counted, and heard all the same.

use std::time::Duration;

/// The buffer of the phone that is thought of.
pub(super) const BUFFER: Duration = Duration::from_millis(60);
/// A packet this far from where it should be begins a new stream.
const LEAP_SAMPLES: i64 = 8 * 400;
/// Samples a millisecond.
const PER_MS: i64 = 8;
/// The longest call that is kept: an hour.
const KEPT_SAMPLES: usize = 8_000 * 3_600;

/// What came of the far end, at 8 kHz, from the answer on.
#[derive(Clone, Debug, Default)]
pub struct FarSound {
    /// The sound; silence where nothing came.
    pub samples: Vec<i16>,
    /// Packets that came.
    pub packets: u64,
    /// Those that came later than the buffer would have waited.
    pub late: u64,
    /// Times between two packets, µs.
    pub spacing_us: Vec<u32>,
    stream: Option<Stream>,
    last_at: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Stream {
    ssrc: u32,
    /// The sample of the call at which the stream's clock shows `timestamp`.
    at: i64,
    timestamp: u32,
}

/// A packet as it came.
#[derive(Clone, Copy, Debug)]
pub struct Arrived {
    /// When, since the answer.
    pub at: Duration,
    /// Whose stream.
    pub ssrc: u32,
    /// The stream's clock, in its ticks.
    pub timestamp: u32,
    /// Ticks of the stream's clock in a sample of ours.
    pub ticks: u32,
}

impl FarSound {
    /// Lays a packet's sound, 8 kHz, on the call's time.
    pub fn place(&mut self, packet: Arrived, sound: &[f32]) {
        self.packets += 1;
        if let Some(last) = self.last_at.replace(packet.at) {
            let spacing = packet.at.saturating_sub(last).as_micros();
            self.spacing_us.push(u32::try_from(spacing).unwrap_or(u32::MAX));
        }
        let begin = self.begin(packet);
        let came = packet.at.as_micros() as i64 * PER_MS / 1_000;
        self.late += u64::from(came - begin > BUFFER.as_millis() as i64 * PER_MS);
        let Ok(begin) = usize::try_from(begin) else { return };
        let end = begin + sound.len();
        if end > KEPT_SAMPLES {
            return;
        }
        if self.samples.len() < end {
            self.samples.resize(end, 0);
        }
        for (kept, sample) in self.samples[begin..end].iter_mut().zip(sound) {
            *kept = (sample.clamp(-1.0, 1.0) * 32_767.0) as i16;
        }
    }

    /// The sample of the call at which a packet's sound begins.
    fn begin(&mut self, packet: Arrived) -> i64 {
        let came = packet.at.as_micros() as i64 * PER_MS / 1_000;
        let fresh = Stream { ssrc: packet.ssrc, at: came, timestamp: packet.timestamp };
        let Some(stream) = self.stream.filter(|it| it.ssrc == packet.ssrc) else {
            self.stream = Some(fresh);
            return came;
        };
        let since = i64::from(packet.timestamp.wrapping_sub(stream.timestamp).cast_signed());
        let due = stream.at + since / i64::from(packet.ticks.max(1));
        let late = came - due;
        if late.abs() > LEAP_SAMPLES {
            self.stream = Some(fresh);
            return came;
        }
        // Never later than it came; and where all have come late for long, the clocks differ.
        let begin = if late < 0 { came } else { due + late / 64 };
        if since >= 0 {
            self.stream = Some(Stream { at: begin, ..fresh });
        }
        begin
    }

    /// 20 ms of it that begin at this time, for whoever listens along.
    #[must_use]
    pub fn frame(&self, from: Duration) -> [f32; 160] {
        let begin = from.as_millis() as usize * PER_MS as usize;
        let mut frame = [0.0; 160];
        let kept = self.samples.get(begin.min(self.samples.len())..).unwrap_or_default();
        for (out, sample) in frame.iter_mut().zip(kept) {
            *out = f32::from(*sample) / 32_768.0;
        }
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(at_us: u64, number: u32) -> Arrived {
        let at = Duration::from_micros(at_us);
        Arrived { at, ssrc: 7, timestamp: number.wrapping_mul(160).wrapping_sub(320), ticks: 1 }
    }

    fn place(far: &mut FarSound, at_us: u64, number: u32, level: f32) {
        far.place(packet(at_us, number), &[level; 160]);
    }

    #[test]
    fn jitter_moves_no_sound_and_a_lost_packet_is_silence_of_its_length() {
        let mut far = FarSound::default();
        for (number, late_us) in [(0, 0), (1, 4_000), (2, 11_000), (4, 2_000), (5, 0)] {
            place(&mut far, 100_000 + u64::from(number) * 20_000 + late_us, number, 0.5);
        }
        let sounding = |at: usize| far.samples[at].abs() > 1_000;
        let first = (0..).find(|at| sounding(*at)).unwrap();
        assert_eq!(first, 800);
        let gap: Vec<usize> = (first..far.samples.len()).filter(|at| !sounding(*at)).collect();
        assert!((150..=165).contains(&gap.len()), "{}", gap.len());
        assert_eq!((far.packets, far.late), (5, 0));
        assert_eq!(far.samples.len(), 800 + 6 * 160);
    }

    #[test]
    fn what_comes_out_of_order_is_laid_where_it_belongs() {
        let mut far = FarSound::default();
        place(&mut far, 0, 0, 0.1);
        place(&mut far, 40_000, 2, 0.3);
        place(&mut far, 41_000, 1, 0.2);
        let levels = [10, 170, 330].map(|at| (f32::from(far.samples[at]) / 3_276.7).round());
        assert_eq!(levels, [1.0, 2.0, 3.0]);
    }

    #[test]
    fn another_stream_or_a_clock_that_leaps_begins_where_it_comes() {
        let mut far = FarSound::default();
        place(&mut far, 0, 0, 0.1);
        place(&mut far, 20_000, 90_000, 0.2);
        far.place(Arrived { ssrc: 8, ..packet(40_000, 5) }, &[0.3; 160]);
        assert_eq!(far.samples.len(), 480);
    }

    #[test]
    fn what_came_later_than_a_phone_waits_is_counted() {
        let mut far = FarSound::default();
        place(&mut far, 0, 0, 0.1);
        place(&mut far, 20_000, 1, 0.1);
        place(&mut far, 110_000, 2, 0.1);
        assert_eq!(far.late, 1);
    }
}
