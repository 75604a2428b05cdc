//! Whisper weights from CTranslate2's format, in which package registries carry them, to ggml's.
//!
//! Pure: bytes in, bytes out. Only what OpenAI's models have: f16 or f32 weights, 80 mel bands or
//! 128, no quantization.
//!
//! # Source
//! CTranslate2's `model_spec.py` (binary version 6) and whisper.cpp's
//! `convert-pt-to-ggml.py`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::mel;

/// Why weights cannot be converted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the CTranslate2 model is refused: {0}; take the package that the manifest names")]
pub struct ConvertFault(String);

/// Version of the format that is read.
const VERSION: u32 = 6;
/// Bands of the two kinds of spectrum.
const MELS: [u32; 2] = [80, 128];
const F32: u8 = 0;
const F16: u8 = 4;
/// Words of the English vocabulary, and of the multilingual; whisper.cpp adds the marks.
const WORDS: [(u32, usize); 2] = [(51_864, 50_256), (51_865, 50_257)];

struct Tensor<'a> {
    shape: Vec<u32>,
    kind: u8,
    data: &'a [u8],
}

/// Converts a `model.bin` and its `vocabulary.txt` to a ggml file.
///
/// # Errors
/// [`ConvertFault`] where a tensor is missing, or the format is another.
pub fn whisper(model: &[u8], vocabulary: &str) -> Result<Vec<u8>, ConvertFault> {
    let tensors = read(model).ok_or_else(|| ConvertFault("it is truncated or foreign".into()))?;
    let find = |name: &str| tensors.get(name).ok_or_else(|| missing(name));
    let shape = |name: &str| Ok::<_, ConvertFault>(find(name)?.shape.clone());
    let layers = |side: &str| {
        let is_there =
            |n: &u32| tensors.contains_key(&format!("{side}/layer_{n}/ffn/linear_0/weight"));
        (0..).take_while(is_there).count() as u32
    };
    let [words, state] = shape("decoder/embeddings/weight")?[..] else { return Err(odd()) };
    let [_, mels, _] = shape("encoder/conv1/weight")?[..] else { return Err(odd()) };
    if !MELS.contains(&mels) {
        return Err(odd());
    }
    let [audio_positions, _] = shape("encoder/position_encodings/encodings")?[..] else {
        return Err(odd());
    };
    let [text_positions, _] = shape("decoder/position_encodings/encodings")?[..] else {
        return Err(odd());
    };
    let heads = state / 64;
    let (audio_layers, text_layers) = (layers("encoder"), layers("decoder"));
    let mut out = Vec::with_capacity(model.len() + (1 << 20));
    out.extend_from_slice(b"lmgg");
    for number in [
        words,
        audio_positions,
        state,
        heads,
        audio_layers,
        text_positions,
        state,
        heads,
        text_layers,
        mels,
        1,
    ] {
        put(&mut out, number);
    }
    put(&mut out, mels);
    put(&mut out, mel::BINS as u32);
    for weight in mel::filters(mels as usize) {
        out.extend_from_slice(&(weight as f32).to_le_bytes());
    }
    put_words(&mut out, words, vocabulary)?;
    for (side, name) in [("encoder", "encoder"), ("decoder", "decoder")] {
        let positions = find(&format!("{side}/position_encodings/encodings"))?;
        put_tensor(&mut out, &format!("{name}.positional_embedding"), positions, Wide::Yes)?;
        for (to, from) in [("weight", "gamma"), ("bias", "beta")] {
            let norm = find(&format!("{side}/layer_norm/{from}"))?;
            let to_name = if side == "encoder" { "encoder.ln_post" } else { "decoder.ln" };
            put_tensor(&mut out, &format!("{to_name}.{to}"), norm, Wide::Yes)?;
        }
    }
    for conv in ["conv1", "conv2"] {
        let weight = find(&format!("encoder/{conv}/weight"))?;
        put_tensor(&mut out, &format!("encoder.{conv}.weight"), weight, Wide::No)?;
        let bias = find(&format!("encoder/{conv}/bias"))?;
        let [length] = bias.shape[..] else { return Err(odd()) };
        let bias = Tensor { shape: vec![length, 1], ..*bias };
        put_tensor(&mut out, &format!("encoder.{conv}.bias"), &bias, Wide::Yes)?;
    }
    let embedding = find("decoder/embeddings/weight")?;
    put_tensor(&mut out, "decoder.token_embedding.weight", embedding, Wide::No)?;
    for (side, count) in [("encoder", audio_layers), ("decoder", text_layers)] {
        for layer in 0..count {
            put_layer(&mut out, &tensors, side, layer)?;
        }
    }
    Ok(out)
}

/// The tensors of one block of the encoder or decoder.
fn put_layer(
    out: &mut Vec<u8>,
    tensors: &BTreeMap<String, Tensor<'_>>,
    side: &str,
    layer: u32,
) -> Result<(), ConvertFault> {
    let (from, to) = (format!("{side}/layer_{layer}"), format!("{side}.blocks.{layer}"));
    let find = |name: String| tensors.get(&name).ok_or_else(|| missing(&name));
    // (theirs, which part of how many, ours)
    let mut linears = vec![
        ("self_attention/linear_0", 0, 3, "attn.query"),
        ("self_attention/linear_0", 1, 3, "attn.key"),
        ("self_attention/linear_0", 2, 3, "attn.value"),
        ("self_attention/linear_1", 0, 1, "attn.out"),
        ("ffn/linear_0", 0, 1, "mlp.0"),
        ("ffn/linear_1", 0, 1, "mlp.2"),
    ];
    let mut norms = vec![("self_attention", "attn_ln"), ("ffn", "mlp_ln")];
    if side == "decoder" {
        linears.extend([
            ("attention/linear_0", 0, 1, "cross_attn.query"),
            ("attention/linear_1", 0, 2, "cross_attn.key"),
            ("attention/linear_1", 1, 2, "cross_attn.value"),
            ("attention/linear_2", 0, 1, "cross_attn.out"),
        ]);
        norms.push(("attention", "cross_attn_ln"));
    }
    for (theirs, part, of, ours) in linears {
        let weight = part_of(find(format!("{from}/{theirs}/weight"))?, part, of);
        put_tensor(out, &format!("{to}.{ours}.weight"), &weight, Wide::No)?;
        // Keys have no bias.
        if !ours.ends_with("key") {
            let bias = part_of(find(format!("{from}/{theirs}/bias"))?, part, of);
            put_tensor(out, &format!("{to}.{ours}.bias"), &bias, Wide::Yes)?;
        }
    }
    for (theirs, ours) in norms {
        for (into, what) in [("weight", "gamma"), ("bias", "beta")] {
            let norm = find(format!("{from}/{theirs}/layer_norm/{what}"))?;
            put_tensor(out, &format!("{to}.{ours}.{into}"), norm, Wide::Yes)?;
        }
    }
    Ok(())
}

/// One of the equal parts in which a fused tensor's first dimension falls.
fn part_of<'a>(tensor: &Tensor<'a>, part: usize, of: usize) -> Tensor<'a> {
    let bytes = tensor.data.len() / of;
    let mut shape = tensor.shape.clone();
    if let Some(first) = shape.first_mut() {
        *first /= of as u32;
    }
    Tensor { shape, kind: tensor.kind, data: &tensor.data[part * bytes..(part + 1) * bytes] }
}

/// Whether ggml wants f32.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wide {
    Yes,
    No,
}

fn put_tensor(
    out: &mut Vec<u8>,
    name: &str,
    tensor: &Tensor<'_>,
    wide: Wide,
) -> Result<(), ConvertFault> {
    put(out, tensor.shape.len() as u32);
    put(out, name.len() as u32);
    put(out, u32::from(wide == Wide::No));
    for &size in tensor.shape.iter().rev() {
        put(out, size);
    }
    out.extend_from_slice(name.as_bytes());
    match (tensor.kind, wide) {
        (F32, Wide::Yes) | (F16, Wide::No) => out.extend_from_slice(tensor.data),
        (F16, Wide::Yes) => {
            for half in tensor.data.chunks_exact(2) {
                let wide = from_half(u16::from_le_bytes([half[0], half[1]]));
                out.extend_from_slice(&wide.to_le_bytes());
            }
        }
        (kind, _) => {
            let mut why = String::new();
            // A String takes all that is written.
            let _ = write!(why, "{name} is of type {kind}");
            return Err(ConvertFault(why));
        }
    }
    Ok(())
}

fn put_words(out: &mut Vec<u8>, tokens: u32, vocabulary: &str) -> Result<(), ConvertFault> {
    let Some((_, count)) = WORDS.iter().find(|(all, _)| *all == tokens) else {
        return Err(ConvertFault(format!("a vocabulary of {tokens} is not known")));
    };
    put(out, *count as u32);
    let mut lines = vocabulary.split('\n');
    for _ in 0..*count {
        let line = lines.next().ok_or_else(|| ConvertFault("its vocabulary is short".into()))?;
        let word: Option<Vec<u8>> = line.chars().map(byte).collect();
        let word = word.ok_or_else(|| ConvertFault(format!("its vocabulary has {line:?}")))?;
        put(out, word.len() as u32);
        out.extend_from_slice(&word);
    }
    Ok(())
}

/// The byte that GPT-2's vocabulary writes as a character: printable ones as they are, the others
/// from U+0100 on, in order.
fn byte(c: char) -> Option<u8> {
    let is_plain = |code: u32| matches!(code, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let code = u32::from(c);
    if is_plain(code) {
        return u8::try_from(code).ok();
    }
    let nth = code.checked_sub(0x100)? as usize;
    (0..=255).filter(|&other| !is_plain(u32::from(other))).nth(nth)
}

/// IEEE 754 half to single precision.
fn from_half(half: u16) -> f32 {
    let (sign, exponent, fraction) = (half >> 15, (half >> 10) & 0x1f, half & 0x3ff);
    let size = match exponent {
        0 => f32::from(fraction) * 2.0_f32.powi(-24),
        0x1f => f32::INFINITY,
        _ => (1.0 + f32::from(fraction) / 1_024.0) * 2.0_f32.powi(i32::from(exponent) - 15),
    };
    if sign == 0 { size } else { -size }
}

fn put(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn read(model: &[u8]) -> Option<BTreeMap<String, Tensor<'_>>> {
    let mut rest = model;
    let version = number(&mut rest)?;
    let spec = name(&mut rest)?;
    let _revision = number(&mut rest)?;
    if version != VERSION || spec != "WhisperSpec" {
        return None;
    }
    let mut tensors = BTreeMap::new();
    for _ in 0..number(&mut rest)? {
        let name = name(&mut rest)?;
        let rank = take(&mut rest, 1)?[0];
        let shape = (0..rank).map(|_| number(&mut rest)).collect::<Option<Vec<_>>>()?;
        let kind = take(&mut rest, 1)?[0];
        let bytes = number(&mut rest)? as usize;
        let data = take(&mut rest, bytes)?;
        tensors.insert(name, Tensor { shape, kind, data });
    }
    Some(tensors)
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(take(rest, 4)?.try_into().ok()?))
}

fn name(rest: &mut &[u8]) -> Option<String> {
    let bytes = take(rest, 2)?;
    let length = usize::from(u16::from_le_bytes([bytes[0], bytes[1]]));
    let text = take(rest, length)?;
    Some(String::from_utf8_lossy(text).trim_end_matches('\0').to_owned())
}

fn take<'a>(rest: &mut &'a [u8], bytes: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(bytes)?;
    *rest = left;
    Some(taken)
}

fn missing(name: &str) -> ConvertFault {
    ConvertFault(format!("it has no {name}"))
}

fn odd() -> ConvertFault {
    ConvertFault("its tensors have other shapes than Whisper's".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model of these tensors, none of which has a byte.
    fn empty_model(tensors: &[(&str, &[u32])]) -> Vec<u8> {
        let name = |out: &mut Vec<u8>, name: &str| {
            out.extend_from_slice(&(name.len() as u16).to_le_bytes());
            out.extend_from_slice(name.as_bytes());
        };
        let mut out = VERSION.to_le_bytes().to_vec();
        name(&mut out, "WhisperSpec");
        [3, tensors.len() as u32].into_iter().for_each(|it| put(&mut out, it));
        for (called, shape) in tensors {
            name(&mut out, called);
            out.push(shape.len() as u8);
            shape.iter().for_each(|&size| put(&mut out, size));
            out.push(F16);
            put(&mut out, 0);
        }
        out
    }

    #[test]
    fn shapes_that_no_whisper_has_are_refused_before_anything_is_made_of_them() {
        let positions: &[u32] = &[448, 384];
        let model = |mels, bias| {
            empty_model(&[
                ("decoder/embeddings/weight", &[51_864, 384]),
                ("encoder/conv1/weight", &[384, mels, 3]),
                ("encoder/conv1/bias", bias),
                ("encoder/position_encodings/encodings", &[1_500, 384]),
                ("decoder/position_encodings/encodings", positions),
                ("encoder/layer_norm/gamma", &[384]),
                ("encoder/layer_norm/beta", &[384]),
                ("decoder/layer_norm/gamma", &[384]),
                ("decoder/layer_norm/beta", &[384]),
            ])
        };
        let vocabulary = "a\n".repeat(60_000);
        for (mels, bias) in [(u32::MAX, &[384][..]), (0, &[384]), (80, &[])] {
            let refused = whisper(&model(mels, bias), &vocabulary);
            assert!(refused.is_err_and(|it| it == odd()), "{mels} {bias:?}");
        }
    }

    #[test]
    fn half_precision_is_widened() {
        for (half, single) in [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_95),
            (0x0001, 5.960_464_5e-8),
            (0x7bff, 65_504.0),
        ] {
            assert_eq!(from_half(half), single, "{half:#x}");
        }
    }

    #[test]
    fn a_vocabulary_s_characters_are_bytes() {
        assert_eq!("Ġthe".chars().map(byte).collect::<Option<Vec<_>>>().unwrap(), b" the");
        assert_eq!(byte('Ċ'), Some(b'\n'));
        assert_eq!(byte('é'), Some(0xe9));
        assert_eq!(byte('字'), None);
        let mut all: Vec<u8> = (0x21..0x200).filter_map(char::from_u32).filter_map(byte).collect();
        all.sort_unstable();
        assert_eq!(all, (0..=255).collect::<Vec<u8>>());
    }

    #[test]
    fn what_is_no_model_is_refused() {
        let cut = [6, 0, 0, 0, 12, 0, b'W', b'h'];
        for bytes in [&b""[..], b"RIFF....WAVE", &cut] {
            assert!(whisper(bytes, "").is_err(), "{bytes:?}");
        }
        let mut empty = 6_u32.to_le_bytes().to_vec();
        empty.extend_from_slice(&12_u16.to_le_bytes());
        empty.extend_from_slice(b"WhisperSpec\0");
        empty.extend_from_slice(&[3, 0, 0, 0, 0, 0, 0, 0]);
        let fault = whisper(&empty, "").unwrap_err().to_string();
        assert!(fault.contains("decoder/embeddings/weight"), "{fault}");
    }
}
