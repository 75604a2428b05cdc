//! G.711 (ITU-T, 1988) over slices: μ-law and A-law bytes to `f32` of [-1, 1] and back.
//!
//! The companding itself is the crate `audio-codec-algorithms`; here are scale, rounding and
//! clipping. One byte is one sample. Absent: any state, and with it any order of calls.

use audio_codec_algorithms::{decode_alaw, decode_ulaw, encode_alaw, encode_ulaw};

/// Full scale of 16-bit sound.
pub(super) const FULL_SCALE: f32 = 32_768.0;

/// Decodes μ-law; returns the samples written.
pub fn decode_ulaw_into(payload: &[u8], out: &mut [f32]) -> usize {
    decode_each(payload, out, decode_ulaw)
}

/// Decodes A-law; returns the samples written.
pub fn decode_alaw_into(payload: &[u8], out: &mut [f32]) -> usize {
    decode_each(payload, out, decode_alaw)
}

/// Encodes to μ-law, clipping what exceeds [-1, 1]; returns the bytes written.
pub fn encode_ulaw_into(samples: &[f32], out: &mut [u8]) -> usize {
    encode_each(samples, out, encode_ulaw)
}

/// Encodes to A-law, clipping what exceeds [-1, 1]; returns the bytes written.
pub fn encode_alaw_into(samples: &[f32], out: &mut [u8]) -> usize {
    encode_each(samples, out, encode_alaw)
}

fn decode_each(payload: &[u8], out: &mut [f32], decode: impl Fn(u8) -> i16) -> usize {
    for (byte, sample) in payload.iter().zip(out.iter_mut()) {
        *sample = f32::from(decode(*byte)) / FULL_SCALE;
    }
    payload.len().min(out.len())
}

fn encode_each(samples: &[f32], out: &mut [u8], encode: impl Fn(i16) -> u8) -> usize {
    for (sample, byte) in samples.iter().zip(out.iter_mut()) {
        *byte = encode(linear(*sample));
    }
    samples.len().min(out.len())
}

/// 16-bit sample; what is too loud clips, and what is no number is silence.
pub(crate) fn linear(sample: f32) -> i16 {
    // A float-to-integer `as` saturates and maps NaN to 0.
    (sample * FULL_SCALE).round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    type Decode = fn(&[u8], &mut [f32]) -> usize;
    type Encode = fn(&[f32], &mut [u8]) -> usize;

    const LAWS: [(&str, Decode, Encode); 2] = [
        ("ulaw", decode_ulaw_into, encode_ulaw_into),
        ("alaw", decode_alaw_into, encode_alaw_into),
    ];

    fn decoded(decode: Decode, byte: u8) -> i32 {
        let mut out = [0.0];
        decode(&[byte], &mut out);
        (out[0] * FULL_SCALE) as i32
    }

    fn encoded(encode: Encode, sample: i32) -> u8 {
        let mut out = [0];
        encode(&[sample as f32 / FULL_SCALE], &mut out);
        out[0]
    }

    /// Width of the quantizing interval at this magnitude, in 16-bit steps, from G.711 tables 1a
    /// (A-law) and 2a (μ-law): it doubles from segment to segment.
    fn step(law: &str, magnitude: i32) -> i32 {
        match law {
            "ulaw" => (0..8).find(|s| magnitude + 132 < 256 << s).map_or(1024, |s| 8 << s),
            _ => (0..7).find(|s| magnitude < 512 << s).map_or(1024, |s| 16 << s),
        }
    }

    #[test]
    fn all_65536_samples_come_back_within_half_a_step_and_in_order() {
        for (law, decode, encode) in LAWS {
            let clip = if law == "ulaw" { 32_124 } else { 32_256 };
            let mut before = i32::MIN;
            for sample in i32::from(i16::MIN)..=i32::from(i16::MAX) {
                let back = decoded(decode, encoded(encode, sample));
                let goal = sample.clamp(-clip, clip);
                // Encoders truncate to 14 (13) bits first: at most 4 (16) off the true middle.
                let room = step(law, goal.abs()) / 2 + if law == "ulaw" { 4 } else { 8 };
                assert!((back - goal).abs() <= room, "{law}: {sample} came back as {back}");
                assert!(back >= before, "{law}: {sample} came back below its predecessor");
                before = back;
            }
        }
    }

    #[test]
    fn all_256_bytes_survive_decoding_and_encoding() {
        for (law, decode, encode) in LAWS {
            for byte in 0..=u8::MAX {
                // μ-law has two zeros; the negative one comes back as the positive.
                let goal = if law == "ulaw" && byte == 0x7f { 0xff } else { byte };
                assert_eq!(encoded(encode, decoded(decode, byte)), goal, "{law} {byte:#04x}");
            }
        }
    }

    #[test]
    fn both_laws_have_the_values_of_the_recommendation() {
        let table = [
            ("ulaw", 0xff, 0),
            ("ulaw", 0x80, 32_124),
            ("ulaw", 0x00, -32_124),
            ("ulaw", 0xf0, 120),
            ("alaw", 0xd5, 8),
            ("alaw", 0x55, -8),
            ("alaw", 0xaa, 32_256),
            ("alaw", 0x2a, -32_256),
        ];
        for (law, byte, goal) in table {
            let decode = if law == "ulaw" { decode_ulaw_into } else { decode_alaw_into };
            assert_eq!(decoded(decode, byte), goal, "{law} {byte:#04x}");
        }
    }

    #[test]
    fn samples_between_two_steps_go_to_the_nearer() {
        for (sample, goal) in [(0.4, 0), (0.6, 1), (-0.4, 0), (-0.6, -1), (32_766.7, 32_767)] {
            assert_eq!(linear(sample / FULL_SCALE), goal, "{sample}");
        }
    }

    #[test]
    fn too_loud_clips_and_no_number_is_silence() {
        let mut out = [0; 4];
        encode_ulaw_into(&[9.0, -9.0, f32::NAN, f32::INFINITY], &mut out);
        assert_eq!(out, [0x80, 0x00, 0xff, 0x80]);
    }
}
