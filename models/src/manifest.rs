//! The manifest of weight files, and whether a file is the one that it names.
//!
//! `models/manifest.toml` is built in; `cordboard models pull` brings what it lists. Deliberately
//! absent: downloading, and knowing what the weights mean, which is their engine's.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde::Deserialize;
use sha2::{Digest, Sha256};

/// What the manifest says of every weight file.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The files.
    pub weights: Vec<Entry>,
}

/// A weight file: what it is, under which licence, and how to know it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The file's name in the folder of weights.
    pub name: String,
    /// What it is for.
    pub role: String,
    /// Its licence, by SPDX identifier.
    pub licence: String,
    /// SHA-256 of the whole file, lower-case hex.
    pub sha256: String,
    /// Its length.
    pub size_bytes: u64,
    /// Where it comes from.
    pub source: Source,
    /// What else is worth knowing.
    #[serde(default)]
    pub note: String,
}

/// The published package that holds a weight file.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The registry ("PyPI").
    pub registry: String,
    /// The package's name there.
    pub package: String,
    /// The package's version.
    pub version: String,
    /// The file's path within the package.
    pub path: String,
    /// Where the file there is CTranslate2's and is converted to ggml's format: the path of its
    /// vocabulary.
    #[serde(default)]
    pub vocabulary: Option<String>,
}

/// Why a weight file cannot be used; each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsFault {
    /// There is no such file.
    #[error(
        "weights `{name}` are missing: {path} is not there; run make weights, or cordboard models \
         pull {name}",
        path = path.display()
    )]
    Missing {
        /// Its name in the manifest.
        name: String,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file is there but could not be read.
    #[error(
        "weights `{name}` cannot be read from {path}; check its permissions",
        path = path.display()
    )]
    Unreadable {
        /// Its name in the manifest.
        name: String,
        /// Where it is.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is shorter than it should be.
    #[error(
        "weights `{name}` are truncated: {got_bytes} bytes, expected {expected_bytes}; \
         delete the file and run make weights, or cordboard models pull {name}"
    )]
    Truncated {
        /// Its name in the manifest.
        name: String,
        /// Length by the manifest.
        expected_bytes: u64,
        /// Length found.
        got_bytes: u64,
    },
    /// The file is another one.
    #[error(
        "weights `{name}` are not the file that the manifest names: sha256 {got}, \
         expected {expected}; delete the file and run make weights, or cordboard models pull {name}"
    )]
    Foreign {
        /// Its name in the manifest.
        name: String,
        /// SHA-256 by the manifest.
        expected: String,
        /// SHA-256 found.
        got: String,
    },
}

impl Manifest {
    /// The manifest that is built in.
    ///
    /// # Panics
    /// Never: a test reads it.
    ///
    /// ```
    /// use cordboard_models::manifest::Manifest;
    /// let silero = Manifest::builtin().entry("silero_vad.onnx").unwrap();
    /// assert_eq!(silero.size_bytes, 2_327_524);
    /// ```
    #[must_use]
    pub fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<Manifest> = LazyLock::new(|| {
            Manifest::parse(include_str!("../manifest.toml"))
                .expect("the built-in manifest is read by a test")
        });
        &BUILTIN
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// What toml says, with the line.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The entry of a file by its name.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.weights.iter().find(|entry| entry.name == name)
    }
}

impl Entry {
    /// Reads the file from the folder of weights and checks it.
    ///
    /// # Errors
    /// As `check`, or `Missing` or `Unreadable`.
    pub fn read(&self, folder: &Path) -> Result<Vec<u8>, WeightsFault> {
        let path = folder.join(&self.name);
        let bytes = std::fs::read(&path).map_err(|source| {
            let name = self.name.clone();
            if source.kind() == io::ErrorKind::NotFound {
                WeightsFault::Missing { name, path: path.clone() }
            } else {
                WeightsFault::Unreadable { name, path: path.clone(), source }
            }
        })?;
        check(&bytes, self)?;
        Ok(bytes)
    }
}

/// Checks that the bytes are the file of the entry.
///
/// # Errors
/// `Truncated` where they are too few, `Foreign` where they are others.
pub fn check(bytes: &[u8], entry: &Entry) -> Result<(), WeightsFault> {
    let name = entry.name.clone();
    let got_bytes = bytes.len() as u64;
    if got_bytes < entry.size_bytes {
        let expected_bytes = entry.size_bytes;
        return Err(WeightsFault::Truncated { name, expected_bytes, got_bytes });
    }
    let got: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if got != entry.sha256 {
        return Err(WeightsFault::Foreign { name, expected: entry.sha256.clone(), got });
    }
    Ok(())
}
