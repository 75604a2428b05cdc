//! `cordboard replay SCENARIO... --to URI`: scenarios and recordings placed as calls, and scored.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use cordboard_audio::read_mono;
use cordboard_models::speech::Synthesizer;
use cordboard_models::voice::Flite;
use cordboard_sip::negotiation::AudioCodec;

use super::humans::HumanArguments;
use super::{Fault, say, say_error, settings, timelines};
use crate::clock;
use crate::replay::calls::{
    Budget, Clips, Comparison, Head, HumanTally, Keys, Listener, Plan, Progress, Report, Run,
    Scenario, Studio, Summary, Tally, Weather, WhipTarget, begin, page, recording,
};
use crate::replay::exact::kept_timeline;
use crate::shell;
use crate::store::{is_call_id, recording_of};
use crate::timeline::{CallId, Entry, LegRole, What};

/// Figures are told so often while calls run.
const TELLS_EVERY_S: u64 = 5;
/// Level of a caller's voice, by which noise is laid, dBFS.
const VOICE_DB: f32 = -20.0;
/// The far end's voice is not here, and its words are recognized.
const RECOGNIZED: &str = "recognized";

/// What is placed, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "Placing calls")]
pub(super) struct PlaceArguments {
    /// Scenarios (*.yaml), recorded calls (*.wav, the caller left), folders of them, or ids of
    /// calls that the settings' store has recorded.
    #[arg(value_name = "SCENARIO", requires = "to")]
    pub(super) scenarios: Vec<PathBuf>,
    /// Whom to ring: sip:user@ADDRESS:PORT, or a WHIP endpoint, http://ADDRESS:PORT/PATH, its token
    /// in WHIP_TOKEN. Nothing is sent to another address.
    #[arg(long, value_name = "URI", requires = "scenarios")]
    to: Option<String>,
    /// Another address that the far end may have its sound at.
    #[arg(long, value_name = "ADDRESS", requires = "to")]
    allow: Vec<IpAddr>,
    /// Calls on the line at a time, at most.
    #[arg(long, default_value_t = 1, requires = "to")]
    concurrency: usize,
    /// Calls begun in a second, at most.
    #[arg(long, default_value_t = 5.0, requires = "to")]
    rate: f64,
    /// Calls in all; each scenario once where neither this nor --duration is said.
    #[arg(long, requires = "to")]
    calls: Option<usize>,
    /// Begin calls for so long, as in 90s or 2h.
    #[arg(long, value_parser = time, requires = "to")]
    duration: Option<Duration>,
    /// How long the far end may take to answer, as in 10s.
    #[arg(long, default_value = "30s", value_parser = time, requires = "to")]
    answer_within: Duration,
    /// Codec that is offered: pcmu, pcma, g722 or opus; PCMU and PCMA where not said.
    #[arg(long, requires = "to")]
    codec: Option<String>,
    /// Share of packets lost each way, percent.
    #[arg(long, default_value_t = 0.0, requires = "to")]
    loss: f32,
    /// A caller's packet comes so much later at most, ms.
    #[arg(long, default_value_t = 0, requires = "to")]
    jitter: u32,
    /// Gain of the callers' voices, dB.
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true, requires = "to")]
    gain: f32,
    /// Noise at the callers' end: a WAV file, mono.
    #[arg(long, value_name = "FILE", requires = "to")]
    noise: Option<PathBuf>,
    /// How far the noise is below the voice, dB.
    #[arg(long, default_value_t = 15.0, allow_negative_numbers = true, requires = "noise")]
    snr: f32,
    /// The far end's voice, by whose sound its words are known: config (the settings' own) or one
    /// of flite's; recognized, where its voice is not here: the settings' recognizer listens for
    /// its words after each call; none.
    #[arg(long, default_value = "config", requires = "to")]
    far_voice: String,
    /// Recorded callers speak at their own times, whatever the far end does.
    #[arg(long, requires = "to")]
    by_the_clock: bool,
    /// What it may cost the callers, as response.p95=800ms, passed=100%; missed, it fails.
    #[arg(long, value_name = "FIGURE=MOST", requires = "to")]
    budget: Vec<Budget>,
    /// The far end's API, where it is a Cordboard: its timelines are held against what was heard.
    /// Its token, where it wants one, in CORDBOARD_TOKEN.
    #[arg(long, value_name = "http://ADDRESS:PORT", requires = "to")]
    timelines: Option<String>,
    /// Write a page with plots, and the sound of the worst turns.
    #[arg(long, value_name = "FILE", requires = "to")]
    html: Option<PathBuf>,
    #[command(flatten)]
    humans: HumanArguments,
}

impl PlaceArguments {
    /// Whether calls are to be placed.
    pub(super) fn is_wanted(&self) -> bool {
        self.to.is_some()
    }
}

pub(super) fn time(text: &str) -> Result<Duration, String> {
    let time: Result<jiff::SignedDuration, _> = text.parse();
    time.ok()
        .and_then(|it| Duration::try_from(it).ok())
        .ok_or_else(|| format!("`{text}` is no time; write it as 90s, 5m or 2h"))
}

/// Places the calls, scores them, and fails where a call or a budget did.
pub(super) fn place(
    arguments: &PlaceArguments,
    json: Option<&Path>,
    config: Option<&Path>,
) -> Result<(), Fault> {
    let plan = plan(arguments, config)?;
    let listener = listener(&arguments.far_voice, config)?;
    for path in [json, arguments.html.as_deref()].into_iter().flatten() {
        // Minutes of work are not to be lost to a path that is none.
        write(path, "")?;
    }
    let head = Head {
        to: plan.to.clone(),
        began_unix_ms: clock::wall_unix_ms(),
        asked: asked(arguments),
        ..Head::default()
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime?;
    let run = runtime.block_on(follow(plan, listener))?;
    let humans = (arguments.humans.count() > 0).then_some(run.humans);
    let head = Head { own_lateness_ms: run.late.as_secs_f64() * 1e3, humans, ..head };
    let mut report = run.tally.report(head);
    if let Some(base) = &arguments.timelines {
        runtime.block_on(timelines::hold_against(&mut report, base))?;
    }
    say(&report.to_string());
    if let Some(path) = json {
        write(path, &(serde_json::to_string_pretty(&report)? + "\n"))?;
    }
    if let Some(path) = &arguments.html {
        write(path, &page(&report, &run.clips)?)?;
    }
    let verdicts: Vec<_> = arguments.budget.iter().map(|it| it.judge(&report.overall)).collect();
    verdicts.iter().for_each(|verdict| say(&verdict.to_string()));
    let missed = verdicts.iter().filter(|it| !it.kept).count();
    let failed = report.overall.calls - report.overall.passed;
    match (arguments.budget.is_empty(), failed, missed) {
        (true, 0, _) | (false, _, 0) => Ok(()),
        (true, failed, _) => Err(format!("{failed} calls did not go as they should").into()),
        (false, _, missed) => Err(format!("{missed} budgets were missed").into()),
    }
}

/// Shows how the second run differs from the first.
pub(super) fn compare(first: &Path, second: &Path) -> Result<(), Fault> {
    let read = |path: &Path| -> Result<Report, Fault> {
        let text = std::fs::read_to_string(path)
            .map_err(|why| format!("{} cannot be read: {why}", path.display()))?;
        Report::read(&text).map_err(|why| format!("{} {why}", path.display()).into())
    };
    let runs = [read(first)?, read(second)?];
    let names = [first, second].map(|path| path.display().to_string());
    say(&Comparison::of(names, [&runs[0], &runs[1]]).to_string());
    Ok(())
}

fn asked(arguments: &PlaceArguments) -> BTreeMap<String, String> {
    let mut asked: BTreeMap<String, String> = BTreeMap::new();
    let mut put = |name: &str, value: String| {
        asked.insert(name.to_owned(), value);
    };
    put("concurrency", arguments.concurrency.to_string());
    put("rate", format!("{}/s", arguments.rate));
    put("codec", arguments.codec.clone().unwrap_or_else(|| "pcmu, pcma".to_owned()));
    if arguments.humans.count() > 0 {
        put("humans", arguments.humans.count().to_string());
    }
    if arguments.loss > 0.0 {
        put("loss", format!("{} %", arguments.loss));
    }
    if arguments.jitter > 0 {
        put("jitter", format!("{} ms", arguments.jitter));
    }
    if arguments.gain != 0.0 {
        put("gain", format!("{} dB", arguments.gain));
    }
    if let Some(noise) = &arguments.noise {
        put("noise", format!("{} at {} dB", noise.display(), arguments.snr));
    }
    asked
}

fn plan(arguments: &PlaceArguments, config: Option<&Path>) -> Result<Plan, Fault> {
    let to = arguments.to.clone().ok_or("say whom to ring: --to sip:user@ADDRESS:PORT")?;
    let host = host(&to)?;
    if arguments.concurrency == 0 || arguments.calls == Some(0) {
        return Err("--concurrency and --calls are at least 1".into());
    }
    if !(arguments.rate > 0.0 && arguments.rate <= 1_000.0) {
        return Err("--rate is above 0 and at most 1000 calls a second".into());
    }
    if !(0.0..=50.0).contains(&arguments.loss) {
        return Err("--loss is from 0 to 50 percent".into());
    }
    let scenarios = scenarios(arguments, config)?;
    let whip = to
        .starts_with("http")
        .then(|| WhipTarget { url: to.clone(), token: std::env::var("WHIP_TOKEN").ok() });
    let calls = match (arguments.calls, arguments.duration) {
        (None, None) => Some(scenarios.len().max(arguments.concurrency)),
        (calls, _) => calls,
    };
    let allowed = std::iter::once(host.ip()).chain(arguments.allow.iter().copied());
    let allowed: Vec<IpAddr> = allowed.collect();
    let humans = arguments.humans.humans(&allowed)?;
    Ok(Plan {
        to,
        whip,
        allowed,
        humans,
        scenarios,
        concurrency: arguments.concurrency,
        rate_per_s: arguments.rate,
        calls,
        duration: arguments.duration,
        patience: arguments.answer_within,
        codecs: codecs(arguments.codec.as_deref())?,
        weather: Weather {
            gain_db: arguments.gain,
            noise: arguments.noise.as_deref().map(|it| noise(it, arguments.snr)).transpose()?,
            loss: arguments.loss / 100.0,
            jitter_ms: arguments.jitter,
        },
        ports: 30_000..=39_999,
    })
}

/// An address, so that nobody's name server decides where the load goes.
fn host(uri: &str) -> Result<SocketAddr, Fault> {
    let fault = || {
        format!(
            "`{uri}` is nobody to ring: write sip:user@ADDRESS:PORT or http://ADDRESS:PORT/PATH, \
             an IP address"
        )
    };
    if let Some(rest) = uri.strip_prefix("http://") {
        let place = rest.split('/').next().unwrap_or(rest);
        return Ok(place.parse().map_err(|_| fault())?);
    }
    let rest = uri.strip_prefix("sip:").ok_or_else(fault)?;
    let place = rest.rsplit('@').next().unwrap_or(rest);
    let place = place.split([';', '?']).next().unwrap_or(place);
    let address = place.parse().ok();
    let address = address.or_else(|| place.parse().ok().map(|ip: IpAddr| (ip, 5060).into()));
    Ok(address.ok_or_else(fault)?)
}

fn codecs(named: Option<&str>) -> Result<Vec<AudioCodec>, Fault> {
    Ok(match named.map(str::to_ascii_lowercase).as_deref() {
        None => vec![AudioCodec::Pcmu, AudioCodec::Pcma],
        Some("pcmu") => vec![AudioCodec::Pcmu],
        Some("pcma") => vec![AudioCodec::Pcma],
        Some("g722") => vec![AudioCodec::G722],
        Some("opus") => vec![AudioCodec::Opus],
        Some(other) => return Err(format!("no codec `{other}`: pcmu, pcma, g722, opus").into()),
    })
}

fn noise(path: &Path, snr_db: f32) -> Result<Arc<[f32]>, Fault> {
    let fault = |why: String| format!("{}: {why}", path.display());
    let file = std::fs::File::open(path).map_err(|why| fault(why.to_string()))?;
    let (samples, rate) = read_mono(file).map_err(|why| fault(why.to_string()))?;
    let mut samples = cordboard_audio::resample(&samples, rate.hz(), 8_000);
    let rms = cordboard_audio::level::rms(&samples);
    if rms < 1e-5 {
        return Err(fault("has no sound in it".to_owned()).into());
    }
    let gain = 10.0_f32.powf((VOICE_DB - snr_db) / 20.0) / rms;
    samples.iter_mut().for_each(|it| *it *= gain);
    Ok(samples.into())
}

fn scenarios(
    arguments: &PlaceArguments,
    config: Option<&Path>,
) -> Result<Vec<Arc<Scenario>>, Fault> {
    let mut studio = Studio::with_far_voice(far_voice(&arguments.far_voice, config)?);
    let mut found = Vec::new();
    let mut faults = Vec::new();
    for path in files(&arguments.scenarios)? {
        match one(&path, &mut studio, arguments.by_the_clock, config) {
            Ok(scenario) => found.push(Arc::new(scenario)),
            Err(fault) => faults.push(fault.to_string()),
        }
    }
    if !faults.is_empty() {
        return Err(faults.join("\n").into());
    }
    if found.is_empty() {
        return Err("no scenario: name *.yaml or *.wav files, or folders of them".into());
    }
    Ok(found)
}

fn one(
    path: &Path,
    studio: &mut Studio,
    by_the_clock: bool,
    config: Option<&Path>,
) -> Result<Scenario, Fault> {
    if path.extension().is_some_and(|it| it.eq_ignore_ascii_case("wav")) {
        return Ok(recording(path, &Keys::new(), by_the_clock)?);
    }
    let name = path.to_string_lossy();
    if is_call_id(&name) && !path.exists() {
        return ours(&CallId(name.into_owned()), by_the_clock, config);
    }
    let text = std::fs::read_to_string(path)
        .map_err(|why| format!("{} cannot be read: {why}", path.display()))?;
    Ok(Scenario::read(path, &text, studio)?)
}

/// A call that our service has recorded, with the keys of its timeline.
fn ours(call: &CallId, by_the_clock: bool, config: Option<&Path>) -> Result<Scenario, Fault> {
    let folder = settings(config)?.store.folder;
    let path = recording_of(&folder, call).filter(|path| path.exists()).ok_or_else(|| {
        format!(
            "{call} has no recording in {}; calls are recorded where store.recording is on and the \
             flow announces it",
            folder.display()
        )
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let timeline = runtime.block_on(kept_timeline(&folder, call))?;
    let entries: Vec<Entry> =
        timeline.iter().map(|it| serde_json::from_str(it)).collect::<Result<_, _>>()?;
    let began = entries.iter().find(|it| it.what == What::RecordingBegan);
    let began_ms = began.map_or(0, |it| it.at_ms);
    let keys = entries.iter().filter_map(|entry| match entry.what {
        What::Keyed { role: LegRole::Caller, digit, .. } => {
            Some((Duration::from_millis(entry.at_ms.saturating_sub(began_ms)), digit))
        }
        _ => None,
    });
    let mut scenario = recording(&path, &keys.collect(), by_the_clock)?;
    scenario.name = call.0.as_str().into();
    Ok(scenario)
}

/// The files themselves, and those of folders by name.
fn files(named: &[PathBuf]) -> Result<Vec<PathBuf>, Fault> {
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path)
            .map_err(|why| format!("{} cannot be read: {why}", path.display()))?;
        let known = |path: &PathBuf| {
            path.extension().is_some_and(|it| it == "yaml" || it == "yml" || it == "wav")
        };
        let mut inside: Vec<PathBuf> =
            entries.filter_map(Result::ok).map(|it| it.path()).filter(known).collect();
        inside.sort();
        files.extend(inside);
    }
    Ok(files)
}

fn far_voice(named: &str, config: Option<&Path>) -> Result<Option<Box<dyn Synthesizer>>, Fault> {
    Ok(match named {
        "none" | RECOGNIZED => None,
        "config" => Some(shell::open_voice(&settings(config)?.models)?),
        voice => Some(Box::new(Flite::open(voice)?)),
    })
}

/// Who listens to the calls again, where the far end's voice is not here.
fn listener(named: &str, config: Option<&Path>) -> Result<Option<Listener>, Fault> {
    if named != RECOGNIZED {
        return Ok(None);
    }
    let ears = shell::open_ears(&settings(config)?.models, 1, std::iter::empty())?;
    Ok(ears.into_iter().next().map(Listener::new))
}

/// What a run came to.
#[derive(Default)]
struct Ran {
    tally: Tally,
    clips: Clips,
    late: Duration,
    humans: HumanTally,
}

/// Runs the plan to its end, or until told to stop; tells how far it is.
async fn follow(plan: Plan, listener: Option<Listener>) -> Result<Ran, Fault> {
    let calls = plan.calls;
    let run = begin(plan).await?;
    let Run { takes, progress, .. } = &run;
    let (takes, progress) = (takes.clone(), progress.clone());
    // Scoring takes time, and has its own.
    let scoring = tokio::task::spawn_blocking(move || {
        let mut ran = Ran { tally: Tally::with_listener(listener), ..Ran::default() };
        loop {
            crossbeam_channel::select! {
                recv(takes) -> take => match take {
                    Ok(take) => {
                        let score = ran.tally.add(&take);
                        ran.clips.consider(&take, score);
                    }
                    Err(_) => {
                        // The last word on the run may still be there.
                        ran.humans = progress.try_iter().last().map_or(ran.humans, |it| it.humans);
                        return ran;
                    }
                },
                recv(progress) -> told => if let Ok(told) = told {
                    ran.late = ran.late.max(told.late);
                    ran.humans = told.humans;
                    tell(told, calls, &ran.tally.so_far());
                },
            }
        }
    });
    tokio::pin!(scoring);
    tokio::select! {
        ran = &mut scoring => Ok(ran?),
        _ = tokio::signal::ctrl_c() => {
            say_error("stopped: hanging up, and scoring what there is");
            run.stop();
            Ok(scoring.await?)
        }
    }
}

fn tell(progress: Progress, calls: Option<usize>, so_far: &Summary) {
    if !progress.elapsed.as_secs().is_multiple_of(TELLS_EVERY_S) {
        return;
    }
    let of = calls.map_or_else(String::new, |it| format!(" of {it}"));
    let response = so_far.figures.get("response").map_or_else(String::new, |it| {
        format!("; response p50 {:.0} p95 {:.0} ms", it.p50.value, it.p95.value)
    });
    let failed = so_far.calls - so_far.passed;
    use std::io::Write;
    // Whoever reads may have gone; the run goes on.
    drop(writeln!(
        std::io::stderr(),
        "{:>5.0} s: {} on the line, {} over{of}, {failed} not as they should be{response}",
        progress.elapsed.as_secs_f64(),
        progress.live,
        progress.over,
    ));
}

fn write(path: &Path, text: &str) -> Result<(), Fault> {
    std::fs::write(path, text)
        .map_err(|why| format!("{} cannot be written: {why}", path.display()).into())
}
