//! Whisper models in ggml's format: whether a file is one, whole, before any C++ sees it.
//!
//! whisper.cpp reads lengths from the file and trusts them, and an unknown size of model throws
//! through C: a broken file would end the process. So the header, the vocabulary and every tensor's
//! bounds are walked here first; the weights themselves are not read. Works without the feature
//! `whisper`, so that a file can be checked by any build.
//!
//! # Source
//! `whisper_model_load` of whisper.cpp 1.7 (`src/whisper.cpp`).

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// "ggml" as a little-endian number.
const MAGIC: [u8; 4] = *b"lmgg";
/// Numbers of the header after the magic.
const HEADER: usize = 11;
/// Layers, width and heads of tiny, base, small, medium and large.
const SIZES: [(u32, u32, u32); 5] =
    [(4, 384, 6), (6, 512, 8), (12, 768, 12), (24, 1_024, 16), (32, 1_280, 20)];
/// The longest word of a vocabulary and name of a tensor, bytes.
const NAME_MAX: u32 = 1_024;
/// A file's ftype is its type of weights, plus this for each version of the quantization.
const QUANTIZATION_VERSION: u32 = 1_000;

/// What a Whisper model says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WhisperHeader {
    /// Tokens.
    pub vocabulary: u32,
    /// Positions of the encoder: 1,500 for 30 s.
    pub audio_positions: u32,
    /// Layers of the encoder: 4 is tiny, 6 base, 12 small, 24 medium, 32 large.
    pub audio_layers: u32,
    /// Layers of the decoder.
    pub text_layers: u32,
    /// Mel bands.
    pub mels: u32,
    /// Tensors with weights; 0 in the files that are made for tests of loading.
    pub tensors: u32,
}

impl WhisperHeader {
    /// Whether it understands more than English.
    #[must_use]
    pub fn is_multilingual(&self) -> bool {
        self.vocabulary >= 51_865
    }
}

/// Why a file is no Whisper model that can be opened; each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GgmlFault {
    /// There is no such file.
    #[error(
        "the Whisper model {} is not there; set models.whisper_model to a ggml file",
        path.display()
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// It could not be read.
    #[error(
        "the Whisper model {} cannot be read ({why}); check its permissions",
        path.display()
    )]
    Unreadable {
        /// Where it is.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// It is a file of another kind.
    #[error(
        "{} is no Whisper model but {found}; name a file that whisper.cpp's converters made \
         (ggml-*.bin)", path.display()
    )]
    Foreign {
        /// Where it is.
        path: PathBuf,
        /// What it looks like.
        found: &'static str,
    },
    /// It ends before it should.
    #[error(
        "the Whisper model {} is truncated: it has {got_bytes} bytes and ends within {within}; \
         bring it again", path.display()
    )]
    Truncated {
        /// Where it is.
        path: PathBuf,
        /// Its length.
        got_bytes: u64,
        /// What is not whole.
        within: String,
    },
    /// It has the right beginning and then makes no sense, or needs what is not supported.
    #[error(
        "the Whisper model {} is refused: {why}; convert it again with whisper.cpp's tools",
        path.display()
    )]
    Unfit {
        /// Where it is.
        path: PathBuf,
        /// What makes no sense.
        why: String,
    },
}

/// Checks a file and tells what it is.
///
/// # Errors
/// [`GgmlFault`], one kind for each way in which the file is wrong.
pub fn check(path: &Path) -> Result<WhisperHeader, GgmlFault> {
    let file = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
    let (metadata, file) = file.map_err(|why| {
        let path = path.to_owned();
        match why.kind() {
            io::ErrorKind::NotFound => GgmlFault::Missing { path },
            _ => GgmlFault::Unreadable { path, why },
        }
    })?;
    let mut walk =
        Walk { path, length: metadata.len(), at: 0, file: BufReader::with_capacity(1 << 16, file) };
    if metadata.is_dir() {
        return Err(walk.foreign("a folder"));
    }
    walk.magic()?;
    walk.whole()
}

struct Walk<'a> {
    path: &'a Path,
    length: u64,
    at: u64,
    file: BufReader<File>,
}

impl Walk<'_> {
    fn magic(&mut self) -> Result<(), GgmlFault> {
        let mut begin = [0; 12];
        let kept = self.length.min(12) as usize;
        self.bytes(&mut begin[..kept], "its first bytes")?;
        if begin[..4] != MAGIC {
            return Err(self.foreign(kind(&begin[..kept])));
        }
        self.file.seek(SeekFrom::Start(4)).map_err(|why| self.unreadable(why))?;
        self.at = 4;
        Ok(())
    }

    fn whole(&mut self) -> Result<WhisperHeader, GgmlFault> {
        let mut header = [0_u32; HEADER];
        for number in &mut header {
            *number = self.number("its header")?;
        }
        let [vocabulary, audio_positions, audio_state, audio_heads, audio_layers, rest @ ..] =
            header;
        let [text_positions, text_state, text_heads, text_layers, mels, ftype] = rest;
        // whisper.cpp asserts on others, and the sizes that were published are these.
        let is_sound = (51_864..=51_866).contains(&vocabulary)
            && (audio_positions, text_positions) == (1_500, 448)
            && SIZES.contains(&(audio_layers, audio_state, audio_heads))
            && (text_state, text_heads) == (audio_state, audio_heads)
            && (1..=audio_layers).contains(&text_layers)
            && [80, 128].contains(&mels);
        if !is_sound {
            return Err(self.unfit(format!("its header says {header:?}")));
        }
        if ![0, 1, 2, 3, 7, 8, 9].contains(&(ftype % QUANTIZATION_VERSION)) {
            return Err(self.unfit(format!("weights of type {ftype} are not supported")));
        }
        let (bands, bins) = (self.number("the mel filters")?, self.number("the mel filters")?);
        if bands != mels || bins != 201 {
            return Err(self.unfit(format!("its mel filters are {bands} by {bins}")));
        }
        self.skip(u64::from(bands) * u64::from(bins) * 4, "the mel filters")?;
        self.vocabulary(vocabulary)?;
        let tensors = self.tensors()?;
        let expected = 11 + 15 * audio_layers + 24 * text_layers;
        if tensors != 0 && tensors < expected {
            let within = format!("tensor {tensors} of {expected}");
            let path = self.path.to_owned();
            return Err(GgmlFault::Truncated { path, got_bytes: self.length, within });
        }
        Ok(WhisperHeader { vocabulary, audio_positions, audio_layers, text_layers, mels, tensors })
    }

    fn vocabulary(&mut self, most: u32) -> Result<(), GgmlFault> {
        let words = self.number("the vocabulary")?;
        if words > most {
            return Err(self.unfit(format!("its vocabulary of {most} has {words} words")));
        }
        for _ in 0..words {
            let length = self.number("the vocabulary")?;
            if length > NAME_MAX {
                return Err(self.unfit(format!("a word of its vocabulary has {length} bytes")));
            }
            self.skip(u64::from(length), "the vocabulary")?;
        }
        Ok(())
    }

    fn tensors(&mut self) -> Result<u32, GgmlFault> {
        let mut count = 0;
        while self.at < self.length {
            let dimensions = self.number("a tensor's head")?;
            let name_bytes = self.number("a tensor's head")?;
            let kind = self.number("a tensor's head")?;
            if !(1..=4).contains(&dimensions) || !(1..=NAME_MAX).contains(&name_bytes) {
                return Err(self.unfit(format!("tensor {count} has no head")));
            }
            let mut elements = 1_u64;
            for _ in 0..dimensions {
                elements = elements.saturating_mul(u64::from(self.number("a tensor's head")?));
            }
            let mut name = vec![0; name_bytes as usize];
            self.bytes(&mut name, "a tensor's name")?;
            let name = String::from_utf8_lossy(&name).into_owned();
            let Some((block, bytes)) = block(kind) else {
                return Err(self.unfit(format!("tensor {name} has weights of type {kind}")));
            };
            if !elements.is_multiple_of(block) {
                return Err(self.unfit(format!("tensor {name} has {elements} weights")));
            }
            self.skip((elements / block).saturating_mul(bytes), &format!("tensor {name}"))?;
            count += 1;
        }
        Ok(count)
    }

    fn number(&mut self, what: &str) -> Result<u32, GgmlFault> {
        let mut bytes = [0; 4];
        self.bytes(&mut bytes, what)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn bytes(&mut self, into: &mut [u8], what: &str) -> Result<(), GgmlFault> {
        self.within(into.len() as u64, what)?;
        self.file.read_exact(into).map_err(|why| self.unreadable(why))
    }

    fn skip(&mut self, bytes: u64, what: &str) -> Result<(), GgmlFault> {
        self.within(bytes, what)?;
        let bytes = i64::try_from(bytes).expect("within the file, whose length is an i64");
        self.file.seek_relative(bytes).map_err(|why| self.unreadable(why))
    }

    /// Goes forward, unless that is past the end.
    fn within(&mut self, bytes: u64, what: &str) -> Result<(), GgmlFault> {
        self.at = self.at.saturating_add(bytes);
        if self.at <= self.length {
            return Ok(());
        }
        let (path, within) = (self.path.to_owned(), what.to_owned());
        Err(GgmlFault::Truncated { path, got_bytes: self.length, within })
    }

    fn foreign(&self, found: &'static str) -> GgmlFault {
        GgmlFault::Foreign { path: self.path.to_owned(), found }
    }

    fn unfit(&self, why: String) -> GgmlFault {
        GgmlFault::Unfit { path: self.path.to_owned(), why }
    }

    fn unreadable(&self, why: io::Error) -> GgmlFault {
        GgmlFault::Unreadable { path: self.path.to_owned(), why }
    }
}

/// What a file looks like that is no ggml.
fn kind(begin: &[u8]) -> &'static str {
    match begin {
        [] => "an empty file",
        [b'R', b'I', b'F', b'F', ..] => "a WAV file",
        [b'G', b'G', b'U', b'F', ..] => "a GGUF file, which whisper.cpp does not read",
        [b'P', b'K', 3, 4, ..] => "a zip or PyTorch file, which must be converted",
        [8, _, 0x12 | 0x1a | 0x22, ..] => "an ONNX file",
        text if text.iter().all(|&byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) => {
            "a text file"
        }
        _ => "a file of another kind",
    }
}

/// Weights of a block and bytes of it, by ggml's number of the type (`ggml.h`, `ggml-common.h`).
fn block(kind: u32) -> Option<(u64, u64)> {
    Some(match kind {
        0 => (1, 4),
        1 => (1, 2),
        2 => (32, 18),
        3 => (32, 20),
        6 => (32, 22),
        7 => (32, 24),
        8 => (32, 34),
        _ => return None,
    })
}
