//! A frame: 20 ms of mono sound, the unit in which sound crosses rooms.

use crate::MediaTime;

/// Length of every frame, ms.
pub const FRAME_MS: u64 = 20;

/// Samples a second of a mono signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SampleRate(u32);

impl SampleRate {
    /// 8 kHz: the telephone's.
    pub const NARROW: Self = Self(8_000);
    /// 16 kHz: the recognizers' and most voices'.
    pub const WIDE: Self = Self(16_000);

    /// The rate of that many samples a second, where frames carry it.
    #[must_use]
    pub const fn from_hz(rate_hz: u32) -> Option<Self> {
        match rate_hz {
            8_000 => Some(Self::NARROW),
            16_000 => Some(Self::WIDE),
            _ => None,
        }
    }

    /// Samples a second, Hz.
    #[must_use]
    pub const fn hz(self) -> u32 {
        self.0
    }

    /// Samples of one 20 ms frame at this rate.
    #[must_use]
    pub const fn frame_samples(self) -> usize {
        (self.0 / 50) as usize
    }
}

/// The most samples that one frame carries (20 ms at 16 kHz).
pub const FRAME_SAMPLES_MAX: usize = 320;

/// 20 ms of mono sound in `f32` of [-1, 1], stamped with the media time of its first sample.
///
/// # Real-time
/// Lives on the stack; making, copying and reading one allocates nothing.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    at: MediaTime,
    rate: SampleRate,
    samples: [f32; FRAME_SAMPLES_MAX],
}

impl Frame {
    /// Makes a frame of digital silence.
    #[must_use]
    pub const fn silence(at: MediaTime, rate: SampleRate) -> Self {
        Self { at, rate, samples: [0.0; FRAME_SAMPLES_MAX] }
    }

    /// Media time of the first sample.
    #[must_use]
    pub const fn at(&self) -> MediaTime {
        self.at
    }

    /// Rate of the samples.
    #[must_use]
    pub const fn rate(&self) -> SampleRate {
        self.rate
    }

    /// The samples, `rate.frame_samples()` of them.
    #[must_use]
    pub fn samples(&self) -> &[f32] {
        &self.samples[..self.rate.frame_samples()]
    }

    /// The samples, to be written.
    #[must_use]
    pub fn samples_mut(&mut self) -> &mut [f32] {
        &mut self.samples[..self.rate.frame_samples()]
    }
}
