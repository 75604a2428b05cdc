//! How late packets come, and how long the buffer must therefore wait.
//!
//! Two measures: the interarrival jitter of RFC 3550 §6.4.1, which RTCP reports, and the lateness
//! of the packets of the last 8 s against the fastest of the last 5 to 10 s, whose upper percentile
//! is the target delay. A few packets that are far later than the rest are let go: the target stays
//! within twice the 95th percentile, or 80 ms. Times are ticks of the RTP clock. Absent: any clock
//! of its own; arrivals are arguments.

/// Width of a bin of the histogram, ms.
const BIN_MS: i64 = 5;
/// Bins: [0, 5) ms to [695, 700) ms, and one for all that is later.
const BINS: usize = 141;
/// Packets remembered at most: 8 s of 20 ms.
const PACKETS: usize = 400;
/// How long a packet is remembered, ms.
const REMEMBERED_MS: i64 = 8_000;
/// Of so many packets one may come too late.
const LATE_ONE_IN: u32 = 150;
/// And of so many one is later than what is common, which bounds the target.
const COMMON_ONE_IN: u32 = 20;
/// Added to the percentile: a bin, for what lies between two arrivals at its edge.
const MARGIN_MS: i64 = BIN_MS;
/// Least target: a tick, since a frame may begin in the middle of a packet, and a bin.
const TARGET_MIN_MS: i64 = 25;
/// What a target may be whatever is common.
const TARGET_FREE_MS: i64 = 80;
/// Most the target becomes; beyond it packets are lost rather than waited for.
pub(super) const TARGET_MAX_MS: i64 = 700;
/// Lateness believed in before anything is known; makes a first target of 40 ms.
const FIRST_LATENESS_MS: i64 = 30;
/// For so many packets that belief stays.
const FIRST_PACKETS: u32 = 50;
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
    recent: Recent,
    target: i64,
}

#[derive(Clone, Copy, Debug)]
struct Transits {
    last: i64,
    least: i64,
    least_before: i64,
    window_began: i64,
}

/// The lateness of the packets of late: a ring of what each was, and how many are in each bin.
#[derive(Clone, Debug)]
struct Recent {
    /// Arrival, ms, and bin; the oldest first, from `oldest` on.
    ring: Box<[(i64, u8)]>,
    oldest: usize,
    len: usize,
    bins: [u16; BINS],
    /// Packets seen in all, as far as it matters.
    seen: u32,
}

impl Recent {
    fn new() -> Self {
        let ring = vec![(0, 0); PACKETS].into_boxed_slice();
        Self { ring, oldest: 0, len: 0, bins: [0; BINS], seen: 0 }
    }

    fn push(&mut self, arrived_ms: i64, bin: usize) {
        while self.len == PACKETS || self.len > 0 && self.is_old(arrived_ms) {
            let (_, bin) = self.ring[self.oldest];
            self.bins[usize::from(bin)] -= 1;
            self.oldest = (self.oldest + 1) % PACKETS;
            self.len -= 1;
        }
        self.ring[(self.oldest + self.len) % PACKETS] = (arrived_ms, bin as u8);
        self.len += 1;
        self.bins[bin] += 1;
        self.seen = self.seen.saturating_add(1);
    }

    fn is_old(&self, arrived_ms: i64) -> bool {
        arrived_ms - self.ring[self.oldest].0 > REMEMBERED_MS
    }

    /// End of the bin, ms, beyond which lies at most one of so many packets.
    fn beyond_one_in(&self, share: u32) -> i64 {
        let allowed = self.len as u32 / share;
        let mut later = 0;
        let last = self.bins.iter().rposition(|count| {
            later += u32::from(*count);
            later > allowed
        });
        (last.unwrap_or(0) as i64 + 1) * BIN_MS
    }
}

impl Lateness {
    pub(super) fn new(clock_hz: u32) -> Self {
        let ticks_per_ms = i64::from(clock_hz / 1_000);
        let recent = Recent::new();
        let mut fresh = Self { ticks_per_ms, jitter: 0.0, transits: None, recent, target: 0 };
        fresh.target = fresh.aim();
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
        self.recent.push(arrived / self.ticks_per_ms, bin);
        self.target = self.aim();
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

    fn aim(&self) -> i64 {
        let first = if self.recent.seen < FIRST_PACKETS { FIRST_LATENESS_MS + BIN_MS } else { 0 };
        let rare = self.recent.beyond_one_in(LATE_ONE_IN).max(first);
        let common = self.recent.beyond_one_in(COMMON_ONE_IN);
        let most = (2 * common).clamp(TARGET_FREE_MS, TARGET_MAX_MS);
        (rare + MARGIN_MS).clamp(TARGET_MIN_MS, most) * self.ticks_per_ms
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
        let table: [Row; 6] = [
            ("steady", |_| 0, 25, 25),
            ("up to 60 ms", |n| (n * 37) % 61, 60, 70),
            ("one in 200 late", |n| if n % 200 == 0 { 150 } else { 0 }, 25, 25),
            ("one in 40 late", |n| if n % 40 == 0 { 300 } else { 0 }, 80, 80),
            ("one in ten late", |n| if n % 10 == 0 { 300 } else { 0 }, 305, 310),
            ("far beyond the most", |n| (n * 397) % 900, 700, 700),
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
        assert_eq!(lateness.target() / 8, 25);
        assert_eq!(lateness.due(0), (100 + 25) * 8);
    }

    #[test]
    fn what_was_late_is_forgotten_after_eight_seconds() {
        let target_ms = |packets| after(packets, |n| (n < 500) as i64 * (n % 7) * 40).target() / 8;
        assert!(target_ms(500) >= 240);
        assert!(target_ms(700) >= 200);
        assert_eq!(target_ms(901), 25);
    }
}
