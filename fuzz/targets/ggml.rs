//! Files that say that they are Whisper models: refused before any C++ sees them, or walked to
//! their very end.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use cordboard_models::ears::ggml::{GgmlFault, check};
use libfuzzer_sys::fuzz_target;

static PATH: LazyLock<PathBuf> = LazyLock::new(|| {
    std::env::temp_dir().join(format!("cordboard-fuzz-{}.bin", std::process::id()))
});

#[derive(Arbitrary, Debug)]
enum File<'a> {
    Anything(&'a [u8]),
    /// A header that is sound, and what follows it.
    Whisper {
        size: u8,
        vocabulary: u8,
        mels: bool,
        words: Vec<&'a [u8]>,
        tensors: Vec<Tensor<'a>>,
    },
}

#[derive(Arbitrary, Debug)]
struct Tensor<'a> {
    dimensions: u8,
    sizes: [u32; 4],
    kind: u32,
    name: &'a [u8],
    /// How many bytes it has beyond those that it should.
    odd: i8,
}

fuzz_target!(|file: File<'_>| {
    let bytes = match &file {
        File::Anything(bytes) => bytes.to_vec(),
        File::Whisper { size, vocabulary, mels, words, tensors } => {
            whisper((*size, *vocabulary, *mels), words, tensors)
        }
    };
    fs::write(&*PATH, &bytes).expect("a file of our own");
    match check(&PATH) {
        Ok(header) => {
            assert!((51_864..=51_866).contains(&header.vocabulary));
            assert!([80, 128].contains(&header.mels) && header.audio_layers <= 32);
            assert!(header.tensors as usize * 20 <= bytes.len());
            // A byte less is another file.
            fs::write(&*PATH, &bytes[..bytes.len() - 1]).expect("a file of our own");
            assert!(check(&PATH).is_err() || header.tensors == 0);
        }
        Err(fault) => {
            assert!(!matches!(fault, GgmlFault::Unreadable { .. } | GgmlFault::Missing { .. }));
            assert!(!fault.to_string().is_empty());
        }
    }
});

fn whisper(
    (size, vocabulary, mels): (u8, u8, bool),
    words: &[&[u8]],
    tensors: &[Tensor<'_>],
) -> Vec<u8> {
    let sizes = [(4, 384, 6), (6, 512, 8), (12, 768, 12), (24, 1_024, 16), (32, 1_280, 20)];
    let (layers, state, heads) = sizes[usize::from(size) % sizes.len()];
    let mels = if mels { 128 } else { 80 };
    let mut out = b"lmgg".to_vec();
    let put = |out: &mut Vec<u8>, number: u32| out.extend(number.to_le_bytes());
    let vocabulary = 51_864 + u32::from(vocabulary % 3);
    let header = [vocabulary, 1_500, state, heads, layers, 448, state, heads, layers, mels, 1];
    header.into_iter().for_each(|number| put(&mut out, number));
    put(&mut out, mels);
    put(&mut out, 201);
    out.resize(out.len() + (mels * 201 * 4) as usize, 0);
    put(&mut out, words.len() as u32);
    for word in words {
        put(&mut out, word.len() as u32);
        out.extend(*word);
    }
    for tensor in tensors.iter().take(8) {
        put(&mut out, u32::from(tensor.dimensions));
        put(&mut out, tensor.name.len() as u32);
        put(&mut out, tensor.kind % 10);
        let dimensions = usize::from(tensor.dimensions).min(4);
        tensor.sizes[..dimensions].iter().for_each(|size| put(&mut out, *size));
        out.extend(tensor.name);
        let elements = tensor.sizes[..dimensions]
            .iter()
            .fold(1_u64, |all, size| all.saturating_mul(u64::from(*size)));
        let bytes = elements.saturating_mul(4).min(4_096) as i64 + i64::from(tensor.odd);
        out.resize(out.len() + bytes.max(0) as usize, 0);
    }
    out
}
