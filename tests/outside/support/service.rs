//! `cordboard serve` and other programs as processes, ended with their owner.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, unbounded};
use tempfile::TempDir;
use toml::{Table, Value};

use super::{Api, PATIENCE, until};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const CORDBOARD: &str = env!("CARGO_BIN_EXE_cordboard");

/// A program that says on its standard output what it has opened.
#[derive(Debug)]
pub(crate) struct Companion {
    child: Child,
    lines: Receiver<String>,
}

impl Companion {
    /// Starts a program whose standard error goes to a file.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let log = File::create(log).unwrap();
        let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn();
        let mut child = started.unwrap_or_else(|fault| panic!("{command:?}: {fault}"));
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (say, lines) = unbounded();
        // Reads on after nobody listens, so that the program is never blocked.
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).for_each(|line| {
                let _ = say.send(line);
            })
        });
        Self { child, lines }
    }

    /// The example's order service.
    pub(crate) fn order_service(log: &Path) -> (Self, SocketAddr) {
        let example = Path::new(CORDBOARD).with_file_name("examples").join("order_service");
        assert!(example.exists(), "{} is missing: cargo build --examples", example.display());
        let mut command = Command::new(example);
        let program = Self::start(command.args(["--listen", "127.0.0.1:0"]), log);
        let address = program.said("listening on ").parse().unwrap();
        (program, address)
    }

    /// What follows in the next line that begins so.
    pub(crate) fn said(&self, begin: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|fault| panic!("no line {begin:?}: {fault}"));
            if let Some(rest) = line.strip_prefix(begin) {
                return rest.trim().to_owned();
            }
        }
    }

    /// What it says until it has ended, and how it ends; killed where it says nothing for so long.
    pub(crate) fn run_out(mut self, silence: Duration) -> (Vec<String>, ExitStatus) {
        let mut said = Vec::new();
        loop {
            match self.lines.recv_timeout(silence) {
                Ok(line) => said.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    self.kill();
                    break;
                }
            }
        }
        (said, self.child.wait().unwrap())
    }

    /// How it has ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The settings that every test begins with, in a folder, with changes in TOML.
pub(crate) fn settings(folder: &Path, changes: &str) -> PathBuf {
    let base = format!(
        r#"
        [sip]
        listen_udp = "127.0.0.1:0"
        listen_tcp = "127.0.0.1:0"
        destinations = ["127.0.0.1"]
        [[route]]
        to = "parcel"
        flow = "{ROOT}/flows/parcel.yaml"
        [[route]]
        to = "short"
        flow = "{ROOT}/tests/outside/short.yaml"
        [models]
        vad = "auto"
        silero_weights = "{ROOT}/models/weights/silero_vad.onnx"
        recognizer = "pocketsphinx"
        recognizers = 1
        # The voice whose prompts are made in a moment; a Piper voice may be here.
        voice_engine = "flite"
        synthesizers = 1
        [store]
        folder = "{}"
        [api]
        listen = "127.0.0.1:0"
        [admission]
        # A machine that builds beside the tests would refuse their calls.
        on = false
        [log]
        filter = "info"
        "#,
        folder.join("data").display(),
    );
    let mut all: Table = base.parse().unwrap();
    overlay(&mut all, changes.parse().unwrap());
    let path = folder.join("c.toml");
    fs::write(&path, all.to_string()).unwrap();
    path
}

fn overlay(all: &mut Table, changes: Table) {
    for (key, change) in changes {
        match (all.get_mut(&key), change) {
            (Some(Value::Table(inner)), Value::Table(change)) => overlay(inner, change),
            (_, change) => drop(all.insert(key, change)),
        }
    }
}

/// Runs `cordboard serve` with settings that shall not start it.
pub(crate) fn failed_start(config: &Path) -> Output {
    let output = Command::new(CORDBOARD)
        .args(["serve", "-c"])
        .arg(config)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    output
}

/// Runs a command of the program to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    Command::new(CORDBOARD).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// A port that was free a moment ago, for those that take none by themselves.
pub(crate) fn free_udp_port() -> u16 {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// A running `cordboard serve`.
#[derive(Debug)]
pub(crate) struct Serving {
    program: Companion,
    folder: Arc<TempDir>,
    pub(crate) udp: SocketAddr,
    pub(crate) tcp: SocketAddr,
    /// Where the settings listen on it.
    pub(crate) tls: Option<SocketAddr>,
    pub(crate) api: Api,
}

impl Serving {
    /// Starts one of its own, with changes to the settings.
    pub(crate) fn start(changes: &str) -> Self {
        Self::start_in(Arc::new(TempDir::new().unwrap()), changes)
    }

    /// Starts one over what another has left in its folder.
    pub(crate) fn start_in(folder: Arc<TempDir>, changes: &str) -> Self {
        Self::start_as(folder, changes, &[])
    }

    /// Starts one of its own, with variables of the environment.
    pub(crate) fn start_with(changes: &str, variables: &[(&str, &str)]) -> Self {
        Self::start_as(Arc::new(TempDir::new().unwrap()), changes, variables)
    }

    fn start_as(folder: Arc<TempDir>, changes: &str, variables: &[(&str, &str)]) -> Self {
        let config = settings(folder.path(), changes);
        let mut command = Command::new(CORDBOARD);
        command.args(["serve", "-c"]).arg(config).envs(variables.iter().copied());
        let program = Companion::start(&mut command, &folder.path().join("serve.log"));
        let address = |begin: &str| -> SocketAddr { program.said(begin).parse().unwrap() };
        let (udp, tcp) = (address("sip udp "), address("sip tcp "));
        let tls = changes.contains("listen_tls").then(|| address("sip tls "));
        let http = address("http ");
        program.said("ready");
        Self { program, folder, udp, tcp, tls, api: Api::new(http) }
    }

    /// The one that tests share which leave nothing behind in it; it ends with the last of them.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Serving>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let started = Arc::new(Self::start(""));
            *shared = Arc::downgrade(&started);
            started
        })
    }

    /// Where everything of it is kept; outlives it for as long as it is held.
    pub(crate) fn folder(&self) -> Arc<TempDir> {
        Arc::clone(&self.folder)
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("serve.log")).unwrap()
    }

    /// The status of an answer of its HTTP side.
    pub(crate) async fn status(&self, path: &str) -> u16 {
        self.api.answer(path).await.status().as_u16()
    }

    /// An address of it, as an URI.
    pub(crate) fn uri(&self, user: &str) -> String {
        format!("sip:{user}@{}", self.udp)
    }

    pub(crate) fn kill(&mut self) {
        self.program.kill();
    }

    pub(crate) fn signal(&self, name: &str) {
        let words = format!("kill -{name} {}", self.program.child.id());
        let sent = Command::new("sh").args(["-c", &words]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end by itself.
    pub(crate) async fn exit(&mut self) -> ExitStatus {
        let program = &mut self.program;
        until("the end of the service", async || program.ended()).await
    }

    /// Memory that it has in use.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let path = format!("/proc/{}/statm", self.program.child.id());
        let pages = fs::read_to_string(path).unwrap();
        pages.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
    }

    /// Local ports of its UDP sockets.
    pub(crate) fn udp_ports(&self) -> BTreeSet<u16> {
        let process = PathBuf::from(format!("/proc/{}", self.program.child.id()));
        let sockets: BTreeSet<String> = fs::read_dir(process.join("fd"))
            .unwrap()
            .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
            .filter_map(|link| {
                let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
                Some(inode.to_owned())
            })
            .collect();
        let table = fs::read_to_string(process.join("net/udp")).unwrap();
        let rows = table.lines().skip(1).filter_map(|row| {
            let fields: Vec<&str> = row.split_whitespace().collect();
            let port = fields.get(1)?.split(':').nth(1)?;
            sockets.contains(*fields.get(9)?).then(|| u16::from_str_radix(port, 16).ok())?
        });
        rows.collect()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.folder.path().join("serve.log"));
            let _ = writeln!(std::io::stderr(), "the service said:\n{}", log.unwrap_or_default());
        }
    }
}
