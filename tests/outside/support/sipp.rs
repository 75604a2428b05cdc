//! SIPp, the SIP tester of Debian's package sip-tester.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use tempfile::TempDir;

use super::PATIENCE;

/// Whether a program of Debian is installed; says so in one line where it is not.
pub(crate) fn has(program: &str, package: &str) -> bool {
    let there = Path::new("/usr/bin").join(program).exists();
    if !there {
        eprintln!("skipped: {program} is not here; install the Debian package {package}");
    }
    there
}

/// One run of SIPp.
#[derive(Clone, Debug)]
pub(crate) struct Sipp {
    to: SocketAddr,
    user: String,
    scenario: Option<String>,
    arguments: Vec<String>,
}

impl Sipp {
    /// Will ring a user with SIPp's own caller: INVITE, ACK, silence, BYE.
    pub(crate) fn caller(to: SocketAddr, user: &str) -> Self {
        let arguments = ["-sn", "uac"].map(str::to_owned).to_vec();
        Self { to, user: user.to_owned(), scenario: None, arguments }
    }

    /// Will follow a scenario of this folder, in which `changes` are made.
    pub(crate) fn scenario(
        to: SocketAddr,
        user: &str,
        name: &str,
        changes: &[(&str, &str)],
    ) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outside/sipp");
        let mut text = std::fs::read_to_string(folder.join(format!("{name}.xml"))).unwrap();
        for (mark, value) in changes {
            assert!(text.contains(mark), "{name}.xml has no {mark}");
            text = text.replace(mark, value);
        }
        assert!(!text.contains("@@"), "{name}.xml has a mark that is left");
        Self { to, user: user.to_owned(), scenario: Some(text), arguments: Vec::new() }
    }

    /// More arguments.
    pub(crate) fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|it| (*it).to_owned()));
        self
    }

    /// Runs it; everything must go as the scenario says.
    pub(crate) async fn run(self) {
        let folder = Arc::new(TempDir::new().unwrap());
        let mut command = tokio::process::Command::new("sipp");
        command.current_dir(folder.path()).arg(self.to.to_string());
        if let Some(scenario) = &self.scenario {
            std::fs::write(folder.path().join("scenario.xml"), scenario).unwrap();
            command.args(["-sf", "scenario.xml"]);
        }
        let limit = PATIENCE.as_secs().to_string();
        command
            .args(["-s", &self.user, "-i", "127.0.0.1", "-nostdin", "-trace_err"])
            .args(["-error_file", "errors.log", "-timeout_error", "-timeout", &limit])
            .args(&self.arguments)
            .env("TERM", "dumb")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if !self.arguments.iter().any(|it| it == "-m") {
            command.args(["-m", "1"]);
        }
        let output = tokio::time::timeout(PATIENCE * 2, command.output());
        let output = output.await.expect("SIPp ends").expect("SIPp starts");
        let errors = std::fs::read_to_string(folder.path().join("errors.log"));
        assert!(
            output.status.success(),
            "SIPp: {}\n{}\n{}\n{}",
            output.status,
            errors.unwrap_or_default(),
            String::from_utf8_lossy(&output.stderr),
            String::from_utf8_lossy(&output.stdout),
        );
    }
}
