//! The invariants of ARCHITECTURE.md, each a test over the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Rooms of the root package and the rooms that each may name.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("timeline", &[]),
    ("turn", &["timeline"]),
    ("conversation", &["timeline", "turn"]),
    ("escalation", &["timeline", "conversation"]),
    ("call", &["timeline", "turn", "conversation", "escalation"]),
    ("desk", &["timeline", "escalation"]),
];

/// Rooms that are pure: no clock, randomness, I/O, threads, async.
const PURE: &[&str] = &[
    "src/timeline",
    "src/turn",
    "src/conversation",
    "src/escalation",
    "src/desk",
    "src/call",
    "audio/src",
    "models/src/speech",
];

/// Places that may know an async runtime or a network client.
const OUTER: &[&str] = &[
    "src/shell",
    "src/leg",
    "src/api",
    "src/store",
    "src/bus",
    "src/replay",
    "src/cli",
    "src/main.rs",
    "models/src/remote",
    "sip/src/endpoint",
];

fn sources(under: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(ROOT).join(under)];
    while let Some(path) = folders.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a folder of ours can be read");
            folders.extend(entries.map(|entry| entry.expect("an entry can be read").path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source of ours can be read");
            let path = path.strip_prefix(ROOT).expect("under the root").to_path_buf();
            found.push((path, text));
        }
    }
    found
}

fn all_sources() -> Vec<(PathBuf, String)> {
    ["src", "audio", "sip", "models", "tests", "benches", "examples"]
        .iter()
        .filter(|folder| Path::new(ROOT).join(folder).exists())
        .flat_map(|folder| sources(folder))
        .collect()
}

/// Lines that are code, without tests at a file's foot.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]") || line.contains("mod tests;"))
        .filter(|line| !line.trim_start().starts_with("//"))
}

fn is_test(path: &Path) -> bool {
    let path = path.to_string_lossy();
    path.ends_with("tests.rs") || path.contains("/tests/") || path.starts_with("tests/")
}

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn members_know_only_the_members_below_them() {
    let allowed: [(&str, &[&str]); 3] =
        [("audio", &[]), ("sip", &[]), ("models", &["cordboard-audio"])];
    for (member, may) in allowed {
        let path = Path::new(ROOT).join(member).join("Cargo.toml");
        let manifest: toml::Table =
            fs::read_to_string(path).expect("a manifest").parse().expect("valid TOML");
        let known: BTreeSet<&str> = manifest["dependencies"]
            .as_table()
            .expect("a table")
            .keys()
            .map(String::as_str)
            .filter(|name| name.starts_with("cordboard"))
            .collect();
        let may: BTreeSet<&str> = may.iter().copied().collect();
        assert!(known.is_subset(&may), "{member} knows {known:?}");
    }
}

#[test]
fn rooms_name_only_the_rooms_below_them() {
    let mut faults = Vec::new();
    for (room, may) in MAY_NAME {
        for (path, text) in sources(&format!("src/{room}")) {
            for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
                for (_, named) in
                    line.match_indices("crate::").map(|(at, it)| (at, &line[at + it.len()..]))
                {
                    let named: String =
                        named.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    if named != *room && !named.is_empty() && !may.contains(&named.as_str()) {
                        faults.push(format!("{}: names {named}: {line}", path.display()));
                    }
                }
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn pure_rooms_have_no_clock_randomness_io_or_async() {
    let banned = [
        "Instant",
        "SystemTime",
        "std::net",
        "std::fs",
        "std::thread",
        "std::env",
        "tokio",
        "rand::",
        "async fn",
        ".await;",
        ".await?",
        ".await.",
        ".await)",
        "crate::clock",
        "jiff::Zoned",
        "jiff::Timestamp::now",
    ];
    let mut faults = Vec::new();
    for (path, text) in PURE.iter().flat_map(|room| sources(room)) {
        if is_test(&path) {
            continue;
        }
        for line in code(&text) {
            if let Some(word) = banned.iter().find(|word| line.contains(**word)) {
                faults.push(format!("{}: {word}: {line}", path.display()));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn runtimes_and_network_clients_stay_in_the_outer_rooms() {
    let banned = ["tokio", "axum", "reqwest", "sqlx", "rsipstack"];
    let mut faults = Vec::new();
    for folder in ["src", "audio/src", "sip/src", "models/src"] {
        for (path, text) in sources(folder) {
            let outer = OUTER.iter().any(|outer| path.starts_with(outer));
            if outer || is_test(&path) {
                continue;
            }
            for line in code(&text) {
                let uses = |word: &&&str| line.contains(&format!("{word}::"));
                if let Some(word) = banned.iter().find(uses) {
                    faults.push(format!("{}: {word}: {line}", path.display()));
                }
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn only_timeline_and_wire_types_are_serialized() {
    let mut faults = Vec::new();
    for (path, text) in sources("src") {
        let allowed = ["src/timeline", "src/api", "src/store", "src/settings", "src/replay/calls"]
            .iter()
            .any(|room| path.starts_with(room));
        if allowed || is_test(&path) {
            continue;
        }
        for line in code(&text) {
            let derived = line.contains("derive(") && line.contains("Serialize");
            if derived && !line.replace("Deserialize", "").contains("Serialize") {
                continue;
            }
            if derived {
                faults.push(format!("{}: {line}", path.display()));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn only_the_clock_reads_a_clock() {
    let clippy = fs::read_to_string(Path::new(ROOT).join("clippy.toml")).expect("clippy.toml");
    for banned in ["Instant::now", "SystemTime::now", "thread::sleep", "time::sleep"] {
        assert!(clippy.contains(banned), "clippy.toml does not ban {banned}");
    }
    let excused: Vec<PathBuf> = all_sources()
        .into_iter()
        .filter(|(path, text)| {
            !path.starts_with("tests") && text.contains("clippy::disallowed_methods")
        })
        .map(|(path, _)| path)
        .filter(|path| !is_test(path) && !path.starts_with("examples"))
        .filter(|path| !path.to_string_lossy().contains("/examples/"))
        .filter(|path| !path.to_string_lossy().contains("bench"))
        .collect();
    assert_eq!(excused, [PathBuf::from("src/clock.rs")]);
}

#[test]
fn every_file_says_what_it_is_and_keeps_its_size() {
    let mut faults = Vec::new();
    for (path, text) in all_sources() {
        let shown = path.display();
        if !text.starts_with("//!") {
            faults.push(format!("{shown}: does not begin with //!"));
        }
        if text.lines().count() > 800 {
            faults.push(format!("{shown}: over 800 lines"));
        }
        for (number, line) in text.lines().enumerate() {
            if line.chars().count() > 100 && !line.contains("://") {
                faults.push(format!("{shown}:{}: over 100 columns", number + 1));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn nothing_is_left_over_and_names_are_nouns_of_the_field() {
    let left = ["TO\x44O", "FIX\x4dE", "dbg\x21(", "#[ign\x6fre", "#[should_p\x61nic"];
    let names = ["Manager", "Helper", "Util", "Handler", "Processor", "Wrapper"];
    let mut faults = Vec::new();
    for (path, text) in all_sources() {
        for line in text.lines() {
            if let Some(word) = left.iter().find(|word| line.contains(**word)) {
                faults.push(format!("{}: {word}: {line}", path.display()));
            }
            let declares = ["struct ", "enum ", "trait ", "mod "]
                .iter()
                .find_map(|kind| line.split_once(kind).map(|(_, name)| name));
            let name: String = declares
                .map(|name| name.chars().take_while(|c| c.is_alphanumeric()).collect())
                .unwrap_or_default();
            if names.iter().any(|banned| name.contains(banned)) {
                faults.push(format!("{}: name {name}", path.display()));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn readme_names_every_example_and_bench() {
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).expect("README.md");
    for folder in ["examples", "benches"] {
        for entry in fs::read_dir(Path::new(ROOT).join(folder)).into_iter().flatten() {
            let path = entry.expect("an entry can be read").path();
            let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
            assert!(readme.contains(&name), "README.md does not name {folder}/{name}");
        }
    }
}

#[test]
fn the_table_of_faults_names_tests_that_there_are() {
    let table = fs::read_to_string(Path::new(ROOT).join("FAULTS.md")).expect("FAULTS.md");
    let rooms = ["src", "tests", "audio", "sip", "models"];
    let all: String = rooms.into_iter().flat_map(sources).map(|(_, text)| text).collect();
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    let mut named = 0;
    for name in rows.flat_map(|row| row.split('`').skip(1).step_by(2)) {
        assert!(all.contains(&format!("fn {name}(")), "FAULTS.md names {name}, which is no test");
        named += 1;
    }
    assert!(named > 40, "{named} tests are named");
}
