//! WAV files (RIFF, 16-bit PCM) by hound: the stereo recording of a call, and clips to be read.
//!
//! The recording's header is refreshed by [`StereoWriter::flush`], so that after a crash all up to
//! then is a valid file. Absent: opening files; whoever calls brings a reader or a writer.

use std::io::{Read, Seek, Write};

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use crate::codec::g711::linear;
use crate::{Frame, SampleRate, resample};

/// Rates that a file may have, Hz.
const RATES_HZ: [u32; 9] = [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];

/// Why a file was not written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WavError {
    /// The file could not be written.
    #[error("wav not written: {0}")]
    WriteFailed(#[source] hound::Error),
    /// The file could not be read, or is no WAV.
    #[error("wav not read: {0}")]
    ReadFailed(#[source] hound::Error),
    /// The file has a rate or number of channels that no sound for telephones has.
    #[error("wav of {rate_hz} Hz and {channels} channels is not supported")]
    Unsupported {
        /// Its rate, Hz.
        rate_hz: u32,
        /// Its channels.
        channels: u16,
    },
    /// A frame of another rate than the file's was to be written.
    #[error("frame has {got_hz} Hz, file has {expected_hz} Hz")]
    ApiMisuse {
        /// Rate of the file, Hz.
        expected_hz: u32,
        /// Rate of the frame, Hz.
        got_hz: u32,
    },
}

/// Writes a call's recording: the caller left, the other side right.
///
/// # Examples
/// ```
/// use std::io::Cursor;
/// use cordboard_audio::{Frame, MediaTime, SampleRate, StereoWriter};
///
/// let mut file = Cursor::new(Vec::new());
/// let mut writer = StereoWriter::new(&mut file, SampleRate::NARROW)?;
/// let silence = Frame::silence(MediaTime::ZERO, SampleRate::NARROW);
/// writer.write(&silence, &silence)?;
/// writer.finish()?;
/// assert_eq!(file.get_ref().len(), 44 + 160 * 2 * 2);
/// # Ok::<(), cordboard_audio::WavError>(())
/// ```
pub struct StereoWriter<W: Write + Seek> {
    rate: SampleRate,
    writer: WavWriter<W>,
}

impl<W: Write + Seek> StereoWriter<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// Where the header cannot be written.
    pub fn new(writer: W, rate: SampleRate) -> Result<Self, WavError> {
        let spec = WavSpec {
            channels: 2,
            sample_rate: rate.hz(),
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let writer = WavWriter::new(writer, spec).map_err(WavError::WriteFailed)?;
        Ok(Self { rate, writer })
    }

    /// Appends 20 ms of both sides.
    ///
    /// # Errors
    /// Where a frame is of another rate than the file, and where it cannot be written.
    pub fn write(&mut self, left: &Frame, right: &Frame) -> Result<(), WavError> {
        for frame in [left, right] {
            if frame.rate() != self.rate {
                let (expected_hz, got_hz) = (self.rate.hz(), frame.rate().hz());
                return Err(WavError::ApiMisuse { expected_hz, got_hz });
            }
        }
        for (left, right) in left.samples().iter().zip(right.samples()) {
            self.writer.write_sample(linear(*left)).map_err(WavError::WriteFailed)?;
            self.writer.write_sample(linear(*right)).map_err(WavError::WriteFailed)?;
        }
        Ok(())
    }

    /// Makes what was written a valid file; called each second.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn flush(&mut self) -> Result<(), WavError> {
        self.writer.flush().map_err(WavError::WriteFailed)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn finish(self) -> Result<(), WavError> {
        self.writer.finalize().map_err(WavError::WriteFailed)
    }
}

impl<W: Write + Seek> std::fmt::Debug for StereoWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StereoWriter").field("rate", &self.rate).finish_non_exhaustive()
    }
}

/// Reads a file as mono, the mean of its channels. One of 8 or 16 kHz keeps its rate, one of any
/// other is resampled to 16 kHz.
///
/// # Examples
/// ```
/// use cordboard_audio::{WavError, read_mono};
///
/// assert!(matches!(read_mono(&b"no sound"[..]), Err(WavError::ReadFailed(_))));
/// ```
///
/// # Errors
/// Where it cannot be read, and where it is no file of PCM or float at a common rate.
pub fn read_mono(reader: impl Read) -> Result<(Vec<f32>, SampleRate), WavError> {
    let reader = WavReader::new(reader).map_err(WavError::ReadFailed)?;
    let WavSpec { channels, sample_rate: rate_hz, bits_per_sample, sample_format } = reader.spec();
    if channels == 0 || !RATES_HZ.contains(&rate_hz) {
        return Err(WavError::Unsupported { rate_hz, channels });
    }
    let samples = match sample_format {
        SampleFormat::Float => mean(reader.into_samples::<f32>(), channels, 1.0),
        SampleFormat::Int => {
            let full = (1_i64 << (bits_per_sample - 1)) as f32;
            let samples = reader.into_samples::<i32>().map(|it| it.map(|it| it as f32));
            mean(samples, channels, full)
        }
    }
    .map_err(WavError::ReadFailed)?;
    Ok(match SampleRate::from_hz(rate_hz) {
        Some(rate) => (samples, rate),
        None => (resample(&samples, rate_hz, SampleRate::WIDE.hz()), SampleRate::WIDE),
    })
}

/// Reads a recording of two sides, as [`StereoWriter`] writes it: left, right and their rate. One
/// of 8 or 16 kHz keeps its rate, one of any other is resampled to 16 kHz.
///
/// # Examples
/// ```
/// use cordboard_audio::{WavError, read_stereo};
///
/// assert!(matches!(read_stereo(&b"no sound"[..]), Err(WavError::ReadFailed(_))));
/// ```
///
/// # Errors
/// Where it cannot be read, and where it is not of two channels at a common rate.
pub fn read_stereo(reader: impl Read) -> Result<([Vec<f32>; 2], SampleRate), WavError> {
    let reader = WavReader::new(reader).map_err(WavError::ReadFailed)?;
    let WavSpec { channels, sample_rate: rate_hz, bits_per_sample, sample_format } = reader.spec();
    if channels != 2 || !RATES_HZ.contains(&rate_hz) {
        return Err(WavError::Unsupported { rate_hz, channels });
    }
    let both = match sample_format {
        SampleFormat::Float => mean(reader.into_samples::<f32>(), 1, 1.0),
        SampleFormat::Int => {
            let full = (1_i64 << (bits_per_sample - 1)) as f32;
            let samples = reader.into_samples::<i32>().map(|it| it.map(|it| it as f32));
            mean(samples, 1, full)
        }
    }
    .map_err(WavError::ReadFailed)?;
    let side = |from: usize| both.iter().skip(from).step_by(2).copied().collect::<Vec<f32>>();
    let sides = [side(0), side(1)];
    Ok(match SampleRate::from_hz(rate_hz) {
        Some(rate) => (sides, rate),
        None => {
            let wide = SampleRate::WIDE;
            (sides.map(|side| resample(&side, rate_hz, wide.hz())), wide)
        }
    })
}

fn mean(
    samples: impl Iterator<Item = hound::Result<f32>>,
    channels: u16,
    full: f32,
) -> hound::Result<Vec<f32>> {
    // Grows by what is read: the header's length may be a lie.
    let mut mono = Vec::new();
    let (mut sum, mut added) = (0.0, 0);
    for sample in samples {
        sum += sample?;
        added += 1;
        if added == channels {
            mono.push(sum / (full * f32::from(channels)));
            (sum, added) = (0.0, 0);
        }
    }
    Ok(mono)
}

#[cfg(test)]
#[path = "wav_tests.rs"]
mod tests;
