//! Many callers at once, on one address: what they hear of the stream, and what it costs.
//!
//! ```text
//! cargo run --release --example crowd -- sip:parcel@127.0.0.1:5060 --calls 300 --rate 20 \
//!     --seconds 60 --pid PID [--speech FILE.wav]
//! ```
//!
//! With an `http` address, as in `http://127.0.0.1:8080/parcel`, they call as browsers do: by WHIP,
//! with Opus, DTLS and SRTP.
//!
//! Each caller is a SIP leg of its own with a socket of its own; it sends G.711 every 20 ms (a
//! recording where one is given, else line noise) and writes down when each packet comes. Printed
//! are the spacing of packets (RFC 3550 counts on it to be even), what was lost, and the CPU and
//! memory of the server where its process id is given. Goes to loopback addresses only.

mod browser;
mod caller;
mod figures;
mod process;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use cordboard_sip::access::Access;
use cordboard_sip::endpoint::{Endpoint, EndpointConfig, T1};

use self::caller::Script;
use self::figures::Figures;
use self::process::Usage;

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Many callers at once.
#[derive(Debug, Parser)]
struct Options {
    /// Whom they ring, by SIP or as browsers do; the host must be a loopback address.
    uri: String,
    /// How many are on the line at a time.
    #[arg(long, default_value_t = 20)]
    calls: usize,
    /// How many ring in a second.
    #[arg(long, default_value_t = 10.0)]
    rate: f64,
    /// How long each stays, s.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Rounds: each place is taken again so often when its caller has gone.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// What they say: WAV, mono, 8 kHz.
    #[arg(long)]
    speech: Option<PathBuf>,
    /// When they say it first, and again after each such time, s.
    #[arg(long, default_value_t = 8)]
    speech_every_s: u64,
    /// The server's process, for its CPU and memory.
    #[arg(long)]
    pid: Option<u32>,
    /// Prints a line of CPU and memory so often, s.
    #[arg(long, default_value_t = 60)]
    report_every_s: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let options = Options::parse();
    let host = host_of(&options.uri)?;
    if !host.ip().is_loopback() {
        return Err(format!("{host} is not on this machine: crowd rings loopback only").into());
    }
    let config = EndpointConfig {
        bind_udp: Some("127.0.0.1:0".parse()?),
        access: Access::new(["127.0.0.0/8"], ["127.0.0.0/8"])?,
        user_agent: "cordboard-crowd".to_owned(),
        t1: T1,
        ..EndpointConfig::default()
    };
    let (endpoint, _calls) = Endpoint::bind(config).await?;
    let script = Arc::new(Script::new(&options.uri, options.speech.as_deref(), &options)?);
    let before = Usage::of(options.pid);
    let figures = crowd(&options, &endpoint, &script).await;
    let after = Usage::of(options.pid);
    let mut out = std::io::stdout();
    figures.print(&mut out)?;
    if let (Some(before), Some(after)) = (before, after) {
        after.print_since(&before, figures.call_minutes(), options.calls, &mut out)?;
    }
    if figures.failed > 0 {
        return Err(format!("{} calls failed", figures.failed).into());
    }
    Ok(())
}

/// Lets all callers ring, stay and hang up.
async fn crowd(options: &Options, endpoint: &Endpoint, script: &Arc<Script>) -> Figures {
    let mut places = tokio::task::JoinSet::new();
    for place in 0..options.calls {
        let (endpoint, script, rounds) = (endpoint.clone(), script.clone(), options.rounds);
        let begin = Duration::from_secs_f64(place as f64 / options.rate);
        let stay = Duration::from_secs(options.seconds);
        places.spawn(async move {
            wait(begin).await;
            let mut heard = Vec::new();
            for round in 1..=rounds {
                let call = match script.is_browser() {
                    true => browser::call(script.address(), stay).await,
                    false => caller::call(&endpoint, &script).await,
                };
                let failed = call.failure.is_some();
                heard.push(call);
                if failed && round < rounds {
                    // The next call comes when it would have come: the rate stays what it is.
                    wait(stay).await;
                }
            }
            heard
        });
    }
    let mut figures = Figures::default();
    let mut report = tokio::time::interval(Duration::from_secs(options.report_every_s.max(1)));
    report.tick().await;
    loop {
        tokio::select! {
            place = places.join_next() => match place {
                // A caller of ours that panics is a fault of this program's.
                Some(heard) => {
                    let heard = heard.expect("callers do not panic");
                    heard.into_iter().for_each(|it| figures.add(it));
                }
                None => return figures,
            },
            _ = report.tick() => if let Some(usage) = Usage::of(options.pid) {
                // A closed stdout ends the report, not the measurement.
                let _ = writeln!(std::io::stdout(), "{usage}");
            },
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "callers ring one after another")]
async fn wait(time: Duration) {
    tokio::time::sleep(time).await;
}

fn host_of(uri: &str) -> Result<SocketAddr, Failure> {
    let place = uri.rsplit('@').next().unwrap_or(uri).trim_start_matches("sip:");
    let place = place.trim_start_matches("http://");
    let place = place.split([';', '/']).next().unwrap_or(place);
    place.parse().map_err(|_| {
        format!("`{uri}`: want sip:user@ADDRESS:PORT or http://ADDRESS:PORT/FLOW").into()
    })
}
