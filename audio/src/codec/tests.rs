//! Each codec there and back, and against the vectors of its recommendation where they are.

use std::path::Path;

use super::*;
use crate::level::rms;

/// Where the vectors lie; a test prints that it was left out where they do not.
fn vectors(folder: &str) -> Option<std::path::PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/sip/codec-vectors");
    let folder = root.join(folder);
    if !folder.is_dir() {
        println!("left out: {} is not there", folder.display());
        return None;
    }
    Some(folder)
}

fn voice(samples: usize, rate: SampleRate) -> Vec<f32> {
    let step = std::f32::consts::TAU * 140.0 / rate.hz() as f32;
    (0..samples)
        .map(|n| (1..12).map(|k| (n as f32 * step * k as f32).sin() / k as f32).sum::<f32>())
        .map(|sample| sample * 0.15)
        .collect()
}

/// Encodes and decodes frame by frame; gives what came out.
fn there_and_back(codec: Codec, sound: &[f32]) -> Vec<f32> {
    let (mut encoder, mut decoder) = (Encoder::new(codec), Decoder::new(codec));
    let mut out = Vec::new();
    for frame in sound.chunks_exact(codec.rate().frame_samples()) {
        let mut payload = [0; 320];
        let len = encoder.encode_into(frame, &mut payload);
        assert_eq!(codec.samples_in(codec.ticks_of(&payload[..len])), frame.len(), "{codec:?}");
        let mut back = [0.0; 320];
        assert_eq!(decoder.decode_into(&payload[..len], &mut back), frame.len());
        out.extend_from_slice(&back[..frame.len()]);
    }
    out
}

/// Signal to noise of `back` against `sound` at the delay, up to 20 ms, that suits it best, dB.
fn snr_db(sound: &[f32], back: &[f32]) -> f32 {
    let power = rms(sound);
    let at = |delay: usize| {
        let off: Vec<f32> = back[delay..].iter().zip(sound).map(|(a, b)| a - b).collect();
        20.0 * (power / rms(&off[800..]).max(1e-9)).log10()
    };
    (0..320).map(at).fold(f32::MIN, f32::max)
}

#[test]
fn names_are_found_whatever_their_case() {
    assert_eq!(Codec::from_name("pcmu"), Some(Codec::Pcmu));
    assert_eq!(Codec::from_name("PCMA"), Some(Codec::Pcma));
    assert_eq!(Codec::from_name("g722"), Some(Codec::G722));
    assert_eq!(Codec::from_name("OPUS"), Some(Codec::Opus));
    assert_eq!(Codec::from_name("G729"), None);
}

#[test]
fn what_goes_in_comes_out() {
    for (codec, least_db) in
        [(Codec::Pcmu, 34.0), (Codec::Pcma, 34.0), (Codec::G722, 20.0), (Codec::Opus, 3.0)]
    {
        let sound = voice(50 * codec.rate().frame_samples(), codec.rate());
        let snr = snr_db(&sound, &there_and_back(codec, &sound));
        assert!(snr > least_db, "{codec:?}: {snr:.1} dB");
    }
}

#[test]
fn a_short_output_takes_what_fits() {
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
        let mut samples = [0.0; 4];
        assert_eq!(Decoder::new(codec).decode_into(&[0; 10], &mut samples), 4, "{codec:?}");
    }
    assert_eq!(Decoder::new(Codec::Opus).decode_into(&[8; 10], &mut [0.0; 4]), 0);
}

#[test]
fn any_bytes_are_survived() {
    for codec in Codec::ALL {
        let (mut decoder, mut out) = (Decoder::new(codec), [0.0; 2_000]);
        for n in 0..3_000_u32 {
            let len = (n % 70) as usize;
            let bytes: Vec<u8> = (0..len as u32)
                .map(|k| (n.wrapping_mul(2_654_435_761) >> (k % 24)) as u8)
                .collect();
            let ticks = codec.ticks_of(&bytes);
            let decoded = decoder.decode_into(&bytes, &mut out);
            assert!(decoded == 0 || decoded == codec.samples_in(ticks), "{codec:?}: {bytes:?}");
            assert!(out[..decoded].iter().all(|sample| sample.abs() <= 1.0));
        }
    }
}

#[test]
fn opus_in_silence_sends_frames_of_a_byte_or_two_and_they_say_so() {
    let mut encoder = Encoder::new(Codec::Opus);
    let mut payload = [0; 320];
    let mut silent = 0;
    for _ in 0..100 {
        let len = encoder.encode_into(&[0.0; 320], &mut payload);
        assert!(len > 0);
        silent += u32::from(Codec::Opus.is_silent(&payload[..len]));
    }
    assert!(silent > 50, "{silent} of 100");
    assert!(!Codec::Pcmu.is_silent(&[0xff]));
}

#[test]
fn opus_makes_a_lost_frame_of_its_successor() {
    // Syllables: in a steady vowel libopus sees no speech that is worth repeating.
    let syllable = |(n, sample): (usize, f32)| sample * (n as f32 * 0.0008).sin().powi(2);
    let sound: Vec<f32> =
        voice(320 * 200, SampleRate::WIDE).into_iter().enumerate().map(syllable).collect();
    let mut encoder = Encoder::new(Codec::Opus);
    encoder.set_expected_loss(20);
    let packets: Vec<Vec<u8>> = sound
        .chunks_exact(320)
        .map(|frame| {
            let mut payload = [0; 320];
            let len = encoder.encode_into(frame, &mut payload);
            payload[..len].to_vec()
        })
        .collect();
    // Every tenth is lost; gives what is played in place of those.
    let played = |lost: bool, by_successor: bool| {
        let mut decoder = Decoder::new(Codec::Opus);
        let mut out = Vec::new();
        for (n, packet) in packets[..190].iter().enumerate() {
            let mut frame = [0.0; 320];
            if lost && n % 10 == 9 {
                let successor = by_successor.then(|| &packets[n + 1][..]);
                assert_eq!(decoder.conceal_into(successor, &mut frame), 320);
            } else {
                decoder.decode_into(packet, &mut frame);
            }
            out.extend(frame.iter().filter(|_| n % 10 == 9));
        }
        out
    };
    let whole = played(false, false);
    let off = |other: &[f32]| {
        let off: Vec<f32> = other.iter().zip(&whole).map(|(a, b)| a - b).collect();
        rms(&off) / rms(&whole)
    };
    let (repeated, guessed) = (off(&played(true, true)), off(&played(true, false)));
    assert!(repeated < 0.5 * guessed, "off by {repeated} with the successor, {guessed} without");
}

#[test]
fn g711_is_the_recommendation_s_to_the_bit() {
    let Some(folder) = vectors("g711") else { return };
    let read = |name: &str| words(&std::fs::read(folder.join(name)).expect(name));
    let source = floats(&read("sweep.src"));
    for (law, codes, linear) in
        [(Codec::Pcmu, "sweep-r.u", "sweep-r.u-u"), (Codec::Pcma, "sweep-r.a", "sweep-r.a-a")]
    {
        let codes = bytes(&read(codes));
        let mut ours = vec![0; source.len()];
        Encoder::new(law).encode_into(&source, &mut ours);
        assert!(ours == codes, "{law:?} codes differ");
        let mut decoded = vec![0.0; codes.len()];
        Decoder::new(law).decode_into(&codes, &mut decoded);
        assert!(decoded == floats(&read(linear)), "{law:?} samples differ");
    }
}

#[test]
fn g722_decodes_the_recommendation_s_codes_and_encodes_as_well() {
    let Some(folder) = vectors("g722") else { return };
    let read = |name: &str| words(&std::fs::read(folder.join(name)).expect(name));
    let (source, codes) = (floats(&read("inpsp.bin")), bytes(&read("codspw.cod")));
    let theirs = floats(&read("outsp1.bin"));
    let mut decoded = vec![0.0; 2 * codes.len()];
    assert_eq!(Decoder::new(Codec::G722).decode_into(&codes, &mut decoded), decoded.len());
    // The filter that joins the bands rounds otherwise than the tool's.
    let noise: Vec<f32> = decoded.iter().zip(&theirs).map(|(a, b)| a - b).collect();
    let snr = 20.0 * (rms(&theirs) / rms(&noise)).log10();
    assert!(snr > 60.0, "decoded {snr:.1} dB from the vector");
    let ours = there_and_back(Codec::G722, &source);
    let (ours, theirs) = (snr_db(&source, &ours), snr_db(&source, &theirs));
    assert!((ours - theirs).abs() < 0.5, "{ours:.2} dB, the vector has {theirs:.2} dB");
}

/// The tools keep a code in each 16-bit word.
fn bytes(words: &[i16]) -> Vec<u8> {
    words.iter().map(|word| *word as u8).collect()
}

fn floats(words: &[i16]) -> Vec<f32> {
    words.iter().map(|word| f32::from(*word) / 32_768.0).collect()
}

fn words(bytes: &[u8]) -> Vec<i16> {
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}
