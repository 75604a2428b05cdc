//! The manifest as it is built in, and the three ways in which a weight file can be wrong.

use std::path::Path;

use cordboard_models::manifest::{Entry, Manifest, Source, WeightsFault, check};

fn entry_of_abc() -> Entry {
    Entry {
        name: "abc.bin".to_owned(),
        role: "a test".to_owned(),
        licence: "MIT".to_owned(),
        // FIPS 180-2, the digest of "abc".
        sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned(),
        size_bytes: 3,
        source: Source {
            registry: "PyPI".to_owned(),
            package: "abc".to_owned(),
            version: "1".to_owned(),
            path: "abc.bin".to_owned(),
            vocabulary: None,
        },
        note: String::new(),
    }
}

#[test]
fn the_built_in_manifest_names_every_file_fully() {
    let manifest = Manifest::builtin();
    assert!(manifest.entry("silero_vad.onnx").is_some());
    for entry in &manifest.weights {
        assert!(!entry.licence.is_empty() && entry.size_bytes > 0, "{entry:?}");
        assert_eq!(entry.sha256.len(), 64, "{entry:?}");
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        assert!(entry.sha256.chars().all(hex), "{entry:?}");
    }
}

#[test]
fn the_right_bytes_pass() {
    assert!(check(b"abc", &entry_of_abc()).is_ok());
}

#[test]
fn each_wrong_file_has_its_own_fault_with_the_remedy() {
    let entry = entry_of_abc();
    let truncated = check(b"ab", &entry).expect_err("too short");
    assert!(matches!(truncated, WeightsFault::Truncated { expected_bytes: 3, got_bytes: 2, .. }));
    let foreign = check(b"abd", &entry).expect_err("another file");
    assert!(matches!(&foreign, WeightsFault::Foreign { got, .. } if got.starts_with("a52d159f")));
    let longer = check(b"abcd", &entry).expect_err("longer");
    assert!(matches!(longer, WeightsFault::Foreign { .. }));
    let missing = entry.read(Path::new("/nowhere")).expect_err("no such folder");
    assert!(matches!(missing, WeightsFault::Missing { .. }));
    for fault in [truncated, foreign, longer, missing] {
        let says = fault.to_string();
        assert!(says.contains("`abc.bin`") && says.contains("run make weights"), "{says}");
    }
}

#[test]
fn a_folder_in_the_file_s_place_cannot_be_read() {
    let entry = Entry { name: "src".to_owned(), ..entry_of_abc() };
    let fault = entry.read(Path::new(env!("CARGO_MANIFEST_DIR"))).expect_err("a folder");
    assert!(matches!(fault, WeightsFault::Unreadable { .. }), "{fault}");
}

#[test]
fn a_manifest_with_a_mistake_is_refused_with_its_line() {
    let error = Manifest::parse("[[weights]]\nname = 3\n").expect_err("a number for a name");
    assert!(error.to_string().contains("line 2"), "{error}");
}
