//! How late packets come, and how long the buffer must therefore wait.
//!
//! Two measures: the interarrival jitter of RFC 3550 §6.4.1, which RTCP reports, and a
//! forgetting histogram of lateness against the fastest packet of the last 5 to 10 s, whose upper
//! percentile is the target delay. All times are ticks of the RTP clock. Absent: any clock of its
//! own; arrivals are arguments.

/// Width of a bin of the histogram, ms.
const BIN_MS: i64 = 5;
/// Bins: [0, 5) ms to [195, 200) ms, and one for all that is later.
const BINS: usize = 41;
/// What is kept of the histogram at each packet: at 20 ms a packet it remembers some 4 s.
const KEPT: f32 = 0.995;
/// Share of the packets that shall come before their time.
const ON_TIME: f32 = 0.97;
/// Added to the percentile: a bin, for what lies between two arrivals at its edge.
const MARGIN_MS: i64 = BIN_MS;
/// Least target: one tick of the player.
const TARGET_MIN_MS: i64 = 20;
/// Most the target becomes; beyond it packets are lost rather than waited for.
pub(super) const TARGET_MAX_MS: i64 = 200;
/// Lateness believed in before anything is known; makes a first target of 40 ms.
const FIRST_LATENESS_MS: i64 = 30;
/// Half of the window in which the fastest packet is looked for, ms.
const WINDOW_MS: i64 = 5_000;

/// The measure of one stream.
#[derive(Clone, Debug)]
pub(super) struct Lateness {
    ticks_per_ms: i64,
    /// RFC 3550's J, in ticks.
    jitter: f64,
    /// Transit times: of the last packet, and the least of this half window and of the one before.
    transits: Option<Transits>,
    bins: [f32; BINS],
    target: i64,
}

#[derive(Clone, Copy, Debug)]
struct Transits {
    last: i64,
    least: i64,
    least_before: i64,
    window_began: i64,
}

impl Lateness {
    pub(super) fn new(clock_hz: u32) -> Self {
        let ticks_per_ms = i64::from(clock_hz / 1_000);
        let mut bins = [0.0; BINS];
        bins[(FIRST_LATENESS_MS / BIN_MS) as usize] = 1.0;
        let mut fresh = Self { ticks_per_ms, jitter: 0.0, transits: None, bins, target: 0 };
        fresh.target = fresh.percentile();
        fresh
    }

    /// Takes note of a packet.
    pub(super) fn observe(&mut self, arrived: i64, timestamp: i64) {
        let transit = arrived - timestamp;
        let mut transits = self.transits.unwrap_or(Transits {
            last: transit,
            least: transit,
            least_before: i64::MAX,
            window_began: arrived,
        });
        let moved = (transit - transits.last).abs() as f64;
        self.jitter += (moved - self.jitter) / 16.0;
        transits.last = transit;
        if arrived - transits.window_began > WINDOW_MS * self.ticks_per_ms {
            transits.least_before = transits.least;
            transits.least = transit;
            transits.window_began = arrived;
        }
        transits.least = transits.least.min(transit);
        self.transits = Some(transits);

        let late = transit - transits.least.min(transits.least_before);
        let bin = (late / (BIN_MS * self.ticks_per_ms)).clamp(0, BINS as i64 - 1) as usize;
        for weight in &mut self.bins {
            *weight *= KEPT;
        }
        self.bins[bin] += 1.0 - KEPT;
        self.target = self.percentile();
    }

    /// Forgets the stream's clock, not how late its packets used to come.
    pub(super) const fn rebase(&mut self) {
        self.transits = None;
    }

    /// When a packet shall be played, in ticks of the arrivals' clock.
    pub(super) fn due(&self, timestamp: i64) -> i64 {
        self.transits.map_or(i64::MAX, |transits| {
            timestamp + transits.least.min(transits.least_before) + self.target
        })
    }

    /// The delay to aim at, in ticks.
    pub(super) const fn target(&self) -> i64 {
        self.target
    }

    /// RFC 3550's interarrival jitter, in ticks.
    pub(super) const fn jitter(&self) -> f64 {
        self.jitter
    }

    fn percentile(&self) -> i64 {
        let mut seen = 0.0;
        let bin = self.bins.iter().position(|weight| {
            seen += weight;
            seen >= ON_TIME
        });
        let edge_ms = bin.map_or(TARGET_MAX_MS, |bin| (bin as i64 + 1) * BIN_MS);
        (edge_ms + MARGIN_MS).clamp(TARGET_MIN_MS, TARGET_MAX_MS) * self.ticks_per_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(packets: i64, late_ms: impl Fn(i64) -> i64) -> Lateness {
        let mut lateness = Lateness::new(8_000);
        for n in 0..packets {
            lateness.observe(n * 160 + 8 * late_ms(n), n * 160);
        }
        lateness
    }

    #[test]
    fn the_first_target_is_forty_ms() {
        assert_eq!(Lateness::new(8_000).target(), 40 * 8);
    }

    #[test]
    fn the_target_follows_the_network() {
        // (name, lateness of packet n in ms, least and most target in ms)
        type Row = (&'static str, fn(i64) -> i64, i64, i64);
        let table: [Row; 4] = [
            ("steady", |_| 0, 20, 20),
            ("up to 60 ms", |n| (n * 37) % 61, 60, 70),
            ("one in 200 late", |n| if n % 200 == 0 { 150 } else { 0 }, 20, 20),
            ("far beyond the most", |n| (n * 397) % 900, 200, 200),
        ];
        for (name, late_ms, least, most) in table {
            let target_ms = after(1_500, late_ms).target() / 8;
            assert!((least..=most).contains(&target_ms), "{name}: {target_ms} ms");
        }
    }

    #[test]
    fn jitter_is_that_of_the_rfc() {
        // Transit alternates by 10 ms: |D| is always 80 ticks, to which J converges.
        let jitter = after(400, |n| 10 * (n % 2)).jitter();
        assert!((jitter - 80.0).abs() < 0.5, "{jitter}");
    }

    #[test]
    fn a_longer_way_is_the_new_normal_after_the_window() {
        let lateness = after(1_500, |n| if n < 300 { 0 } else { 100 });
        assert_eq!(lateness.target() / 8, 20);
        assert_eq!(lateness.due(0), (100 + 20) * 8);
    }
}
