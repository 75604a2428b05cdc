//! What is deployed, against what is here: the unit, and the container's file.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).expect("a file of ours can be read")
}

/// Instructions of the container's file, each on one line.
fn instructions() -> Vec<String> {
    let text = read("deploy/Containerfile");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let joined = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    joined.lines().map(str::to_owned).filter(|line| !line.trim().is_empty()).collect()
}

/// Packages that the first command installing some in these instructions asks for.
fn packages(instruction: &str) -> BTreeSet<&str> {
    let (_, list) = instruction.split_once("--no-install-recommends").expect("an installation");
    list.split("&&").next().unwrap_or(list).split_whitespace().collect()
}

/// The packages that `scripts/install-packages.sh` installs for a build.
fn script_packages(text: &str) -> BTreeSet<&str> {
    let (_, list) = text.split_once("build=\"").expect("the list");
    let list = list.split('"').next().unwrap_or(list);
    list.split_whitespace().map(|entry| entry.split(':').next().unwrap_or(entry)).collect()
}

#[test]
fn the_container_is_built_with_the_packages_of_the_script() {
    let (instructions, script) = (instructions(), read("scripts/install-packages.sh"));
    let build = instructions.iter().find(|it| it.contains("cmake")).expect("a build stage");
    assert_eq!(packages(build), script_packages(&script));
}

#[test]
fn everything_that_the_container_copies_is_here_or_built_before() {
    let ignored = read(".gitignore");
    let mut copies = 0;
    for instruction in instructions() {
        let mut words = instruction.split_whitespace();
        if words.next() != Some("COPY") {
            continue;
        }
        copies += 1;
        let words: Vec<&str> = words.collect();
        let is_built = words[0].starts_with("--from=");
        let sources = &words[usize::from(is_built)..words.len() - 1];
        assert!(!sources.is_empty(), "{instruction}");
        for source in sources {
            let path = source.strip_prefix("/build/").unwrap_or(source);
            let is_made = ["target/", "web/dist"].iter().any(|made| path.starts_with(made))
                || ignored.contains("weights");
            let is_here = Path::new(ROOT).join(path).exists();
            assert!(is_here || (is_built && is_made), "{instruction}: {source} is not here");
        }
    }
    assert!(copies >= 5, "the file is read");
}

#[test]
fn the_container_runs_as_nobody_in_particular_and_has_settings_that_exist() {
    let instructions = instructions();
    let last = |word: &str| instructions.iter().rposition(|it| it.starts_with(word));
    assert!(last("USER") > last("FROM"), "the last stage drops root");
    let example = read("cordboard.example.toml");
    for instruction in instructions.iter().filter(|it| it.starts_with("ENV")) {
        for variable in instruction.split_whitespace().filter(|it| it.starts_with("CORDBOARD_")) {
            let name = variable.split('=').next().unwrap_or(variable).to_lowercase();
            let (section, key) =
                name["cordboard_".len()..].split_once("__").expect("section and key");
            let section_at = example.find(&format!("[{section}]")).expect("a section");
            assert!(example[section_at..].contains(&format!("\n{key} = ")), "{variable}");
        }
    }
    let version = read("Cargo.toml");
    let version = version.split("rust-version = \"").nth(1).expect("a version of Rust");
    let version = version.split('"').next().unwrap_or(version);
    let rust = instructions.iter().find(|it| it.contains("/rust:")).expect("a stage of Rust");
    assert!(rust.contains(&format!("rust:{version}-")), "{rust}");
}

#[test]
fn weights_are_found_where_they_are_installed_under_the_unit_and_in_the_container() {
    let example = read("cordboard.example.toml");
    // What is looked for below the working directory where nobody says otherwise.
    let defaults = example.lines().filter_map(|line| {
        let (key, value) = line.split_once(" = \"models/weights/")?;
        Some((key.to_uppercase(), value.trim_end_matches('"')))
    });
    let defaults: Vec<(String, &str)> = defaults.collect();
    assert!(defaults.len() >= 4, "the settings are read: {defaults:?}");
    let (unit, container) = (read("deploy/cordboard.service"), instructions().join("\n"));
    for (key, file) in &defaults {
        let variable = format!("CORDBOARD_MODELS__{key}=/usr/share/cordboard/weights/{file}");
        assert!(unit.lines().any(|line| line == format!("Environment={variable}")), "{variable}");
        assert!(container.split_whitespace().any(|word| word == variable), "{variable}");
    }
    let manifest = read("models/manifest.toml");
    let is_listed = |file: &str| manifest.contains(&format!("name = \"{file}\""));
    assert!(defaults.iter().all(|(_, file)| is_listed(file)), "pull --all brings them");
    let build = container.lines().find(|it| it.contains("cargo build")).expect("a build");
    assert!(build.contains("--features whisper") && build.contains("models pull --all"), "{build}");
    assert!(container.contains("/build/models/weights /usr/share/cordboard/weights"));
}

#[test]
fn the_unit_is_one_that_systemd_takes_and_outlasts_the_drain() {
    let unit = read("deploy/cordboard.service");
    let value = |name: &str| {
        unit.lines().find_map(|line| line.strip_prefix(&format!("{name}="))).expect("a setting")
    };
    let stop_s: u64 = value("TimeoutStopSec").parse().expect("seconds");
    let example = read("cordboard.example.toml");
    let drain = example.lines().find_map(|line| line.strip_prefix("drain_s = "));
    let drain_s: u64 = drain.expect("drain_s").parse().expect("seconds");
    assert!(stop_s >= drain_s + 20, "goodbyes take some seconds more than the drain");
    assert_eq!(value("Type"), "notify");
    let watchdog_s: u64 = value("WatchdogSec").parse().expect("seconds");
    assert!(watchdog_s >= 10, "a busy machine is not a dead one");
    assert!(value("ExecReload").contains("-HUP"));

    if !Path::new("/usr/bin/systemd-analyze").exists() {
        eprintln!("skipped: systemd-analyze is not here; install the Debian package systemd");
        return;
    }
    let folder = tempfile::TempDir::new().expect("a folder");
    let path = folder.path().join("cordboard.service");
    // The program is not installed here; any other that exists stands for it.
    fs::write(&path, unit.replace("/usr/bin/cordboard", "/bin/true")).expect("a file");
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&path)
        .output()
        .expect("systemd-analyze runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("cordboard")).collect();
    assert!(ours.is_empty(), "{ours:?}");
}
