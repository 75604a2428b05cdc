//! Seeded draws (SplitMix64, Steele et al. 2014): the same seed and name give the same recording,
//! whatever else is made beside it and whichever version of a library is linked.

/// The chance of one recording.
#[derive(Clone, Debug)]
pub(super) struct Draw(u64);

impl Draw {
    /// Draws of `seed` that are the recording's own.
    pub(super) fn new(seed: u64, name: &str) -> Self {
        // FNV-1a keeps names apart.
        let named = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ named)
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Of [0, 1).
    pub(super) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    pub(super) fn ms(&mut self, low: u32, high: u32) -> u32 {
        self.between(f64::from(low), f64::from(high)).round() as u32
    }

    /// An index below `len`, which is above 0.
    pub(super) fn index(&mut self, len: usize) -> usize {
        ((self.unit() * len as f64) as usize).min(len.saturating_sub(1))
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of `all`, which is not empty.
    pub(super) fn one<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.index(all.len())]
    }

    /// Log-normal with these quantiles (5, 50, 95 %); each side of the median has its own width.
    pub(super) fn log_normal(&mut self, (p5, p50, p95): (f64, f64, f64)) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * self.unit()).cos();
        // 5 % of a normal distribution lie 1.645 widths below its middle.
        let width = if normal < 0.0 { (p50 / p5).ln() } else { (p95 / p50).ln() } / 1.645;
        p50 * (normal * width).exp()
    }
}
