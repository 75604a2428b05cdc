//! How many calls one core serves: steps of more and more callers, until something breaks.
//!
//! ```text
//! cargo build --release --bin cordboard --example capacity
//! target/release/examples/capacity --codecs pcmu,opus --steps 1,100,200,300,400
//! ```
//!
//! For each codec, without recognition (a stub listens, a stub speaks) and with it (PocketSphinx),
//! the service runs on one core and `cordboard replay` on another. Each step is a run of its own:
//! so many callers, each four turns. The knee is the last step at which the response's p95 is
//! within 50 ms of one caller's, packets come within 25 ms (p99), and every call goes as it should.
//! What breaks first is told. Loopback only.

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clap::Parser;
use cordboard::clock;
use cordboard::replay::calls::Report;

type Failure = Box<dyn Error + Send + Sync>;

/// Beyond these a step has broken, ms.
const RESPONSE_SLACK_MS: f64 = 50.0;
const SPACING_P99_MS: f64 = 25.0;
/// The caller's own core is the limit from here on, ms.
const OWN_LATE_MS: f64 = 40.0;
const READY_WITHIN: Duration = Duration::from_secs(60);

#[derive(Debug, Parser)]
struct Options {
    /// Codecs, by commas.
    #[arg(long, default_value = "pcmu,g722,opus", value_delimiter = ',')]
    codecs: Vec<String>,
    /// Callers at a time, step by step.
    #[arg(long, default_value = "1,50,100,200,300,400,500,600", value_delimiter = ',')]
    steps: Vec<usize>,
    /// With recognition as well.
    #[arg(long)]
    recognition: bool,
    /// The core of the service and that of the callers.
    #[arg(long, default_value = "0,1", value_delimiter = ',')]
    cores: Vec<u32>,
    /// The program.
    #[arg(long, default_value = "target/release/cordboard")]
    cordboard: PathBuf,
}

/// One run.
struct Step {
    callers: usize,
    failed: usize,
    response_p95_ms: f64,
    spacing_p99_ms: f64,
    own_late_ms: f64,
    cpu_s: f64,
    peak_mb: f64,
    call_minutes: f64,
}

fn main() -> Result<(), Failure> {
    let options = Options::parse();
    let folder = std::env::temp_dir().join(format!("cordboard-capacity-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let mut out = std::io::stdout();
    let ways: &[bool] = if options.recognition { &[false, true] } else { &[false] };
    for recognition in ways {
        for codec in &options.codecs {
            let way = if *recognition { "recognition" } else { "stub ears" };
            writeln!(out, "\n{codec}, {way}")?;
            writeln!(
                out,
                "{:>7} {:>7} {:>13} {:>12} {:>9} {:>13} {:>9}",
                "callers",
                "failed",
                "response p95",
                "spacing p99",
                "own late",
                "CPU s/call min",
                "MB"
            )?;
            climb(&options, (codec, *recognition), &folder, &mut out)?;
        }
    }
    Ok(std::fs::remove_dir_all(&folder)?)
}

fn climb(
    options: &Options,
    (codec, recognition): (&str, bool),
    folder: &Path,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut alone = None;
    let mut knee = 0;
    for callers in &options.steps {
        let it = step(options, codec, recognition, *callers, folder)?;
        writeln!(
            out,
            "{:>7} {:>7} {:>13.0} {:>12.1} {:>9.0} {:>13.3} {:>9.0}",
            it.callers,
            it.failed,
            it.response_p95_ms,
            it.spacing_p99_ms,
            it.own_late_ms,
            it.cpu_s / it.call_minutes,
            it.peak_mb
        )?;
        out.flush()?;
        let usual = *alone.get_or_insert(it.response_p95_ms);
        let broken = if it.failed > 0 {
            "calls fail"
        } else if it.response_p95_ms > usual + RESPONSE_SLACK_MS {
            "answers come late"
        } else if it.spacing_p99_ms > SPACING_P99_MS {
            "packets come unevenly"
        } else {
            knee = it.callers;
            continue;
        };
        if it.own_late_ms > OWN_LATE_MS {
            writeln!(out, "the callers' own core may be full: they were late themselves")?;
        }
        writeln!(out, "knee: {knee} callers; then {broken}")?;
        return Ok(());
    }
    Ok(writeln!(out, "knee: not reached by {knee} callers")?)
}

fn step(
    options: &Options,
    codec: &str,
    recognition: bool,
    callers: usize,
    folder: &Path,
) -> Result<Step, Failure> {
    let data = folder.join("data");
    let _ = std::fs::remove_dir_all(&data);
    let config = folder.join("capacity.toml");
    std::fs::write(&config, settings(folder, recognition, callers)?)?;
    let scenario = folder.join("capacity.yaml");
    std::fs::write(&scenario, SCENARIO)?;
    let mut service = Service::start(&options.cordboard, &config, options.cores[0])?;
    let to = format!("sip:capacity@{}", service.sip);
    let report = folder.join("run.json");
    let mut replay = pinned(*options.cores.get(1).ok_or("--cores wants two")?, &options.cordboard);
    replay.arg("replay").arg(&scenario).args(["--to", &to, "--codec", codec]);
    replay.args(["--far-voice", "none", "--json"]).arg(&report);
    replay.args(["--concurrency", &callers.to_string(), "--calls", &callers.to_string()]);
    // All are on the line within six seconds, so that they are there together.
    replay.args(["--rate", &(callers as f64 / 6.0).max(2.0).to_string()]);
    replay.stdout(Stdio::null()).stderr(Stdio::null());
    let before = service.cpu_s()?;
    // Its exit says whether calls failed; the report has them.
    replay.status()?;
    let (cpu_s, peak_mb) = (service.cpu_s()? - before, service.peak_mb()?);
    service.stop();
    let report = Report::read(&std::fs::read_to_string(&report)?)?;
    let figures = &report.overall.figures;
    let lasted_ms: u64 = report.calls.iter().map(|call| call.lasted_ms).sum();
    Ok(Step {
        callers,
        failed: report.overall.calls - report.overall.passed + report.overall.unanswered,
        response_p95_ms: figures.get("response").map_or(f64::NAN, |it| it.p95.value),
        spacing_p99_ms: figures.get("spacing").map_or(f64::NAN, |it| it.p99.value),
        own_late_ms: report.own_lateness_ms,
        cpu_s,
        peak_mb,
        call_minutes: lasted_ms as f64 / 60_000.0,
    })
}

/// A caller of four turns.
const SCENARIO: &str = r#"
scenario: four turns
limit: 60s
steps:
  - { after: { quiet: 900ms }, say: hello there }
  - { after: { quiet: 1100ms }, say: hello there }
  - { after: { quiet: 1300ms }, say: hello there }
  - { after: { quiet: 1000ms }, say: hello there }
  - { after: { quiet: 800ms }, hang_up: true }
"#;

fn settings(folder: &Path, recognition: bool, callers: usize) -> Result<String, Failure> {
    let flow = folder.join("flow.yaml");
    std::fs::write(&flow, include_str!("flow.yaml"))?;
    let ears = if recognition {
        format!("recognizer = \"pocketsphinx\"\nrecognizers = {}", callers.clamp(1, 60))
    } else {
        format!("recognizer = \"stub\"\nstub_hears = \"hello\"\nrecognizers = {callers}")
    };
    let voice = if recognition { "flite" } else { "stub" };
    Ok(format!(
        "[sip]\nlisten_udp = \"127.0.0.1:0\"\nlisten_tcp = \"off\"\ncalls_max = 2000\n\
         rtp_ports = \"10000-19999\"\n\
         [api]\nlisten = \"127.0.0.1:0\"\n[store]\nfolder = \"{}\"\n[admission]\non = false\n\
         [models]\n{ears}\nvoice_engine = \"{voice}\"\nturn_judge = \"none\"\n\
         [media]\ncodecs = [\"opus\", \"g722\", \"pcmu\", \"pcma\"]\n\
         [[route]]\nto = \"capacity\"\nflow = \"{}\"\n",
        folder.join("data").display(),
        flow.display()
    ))
}

/// The service, on its core.
struct Service {
    child: Child,
    sip: String,
}

impl Service {
    fn start(program: &Path, config: &Path, core: u32) -> Result<Self, Failure> {
        use std::io::BufRead;
        let mut command = pinned(core, program);
        command.args(["serve", "-c"]).arg(config);
        let log = config.with_extension("log");
        let mut child =
            command.stdout(Stdio::piped()).stderr(std::fs::File::create(&log)?).spawn()?;
        let said = child.stdout.take().ok_or("its output is not there")?;
        let mut sip = None;
        let by = clock::monotonic() + READY_WITHIN;
        for line in std::io::BufReader::new(said).lines() {
            let line = line?;
            if let Some(address) = line.trim().strip_prefix("sip udp ") {
                sip = Some(address.to_owned());
            }
            if line.trim() == "ready" || clock::monotonic() > by {
                break;
            }
        }
        let Some(sip) = sip else {
            let why = std::fs::read_to_string(&log).unwrap_or_default();
            return Err(format!("the service did not start: {}", why.trim()).into());
        };
        Ok(Self { child, sip })
    }

    /// User and system time, s: fields 14 and 15 of proc(5)'s stat, in ticks of 10 ms.
    fn cpu_s(&self) -> Result<f64, Failure> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let rest = stat.rsplit(')').next().unwrap_or_default();
        let ticks =
            |at: usize| rest.split_whitespace().nth(at).and_then(|it| it.parse::<f64>().ok());
        Ok((ticks(11).ok_or("stat")? + ticks(12).ok_or("stat")?) / 100.0)
    }

    fn peak_mb(&self) -> Result<f64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kb = peak.and_then(|it| it.split_whitespace().next()).and_then(|it| it.parse().ok());
        Ok(kb.unwrap_or(f64::NAN) / 1_024.0)
    }

    fn stop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}

fn pinned(core: u32, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string()]).arg(program);
    command
}
