//! The whole service, and the calls that the bench does not signal: each is rung here, from the
//! port on which the bench will send.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cordboard::settings::{BargeInChoice, PortRange, RouteSettings, Settings, TurnJudgeChoice};
use cordboard::shell::Service;
use cordboard_sip::access::Access;
use cordboard_sip::endpoint::{DialRequest, Endpoint, EndpointConfig, Leg, LegSignal, T1};
use tokio::signal::unix::{SignalKind, signal};

use super::{Failure, OURS, Options, THEIRS, lasting, ready};

/// What the stub recognizer hears, and what the flow answers to.
const SAID: &str = "hello there";
/// Letters of the one word that is said for 20 s; the stub voice takes 60 ms for each.
const LETTERS: usize = 333;
/// How long an answer may take to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Serves the bench's agent mode.
pub(crate) fn serve(options: &Options) -> Result<(), Failure> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let folder = std::env::temp_dir().join(format!("cordboard-bench-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let served = runtime.block_on(run(options, &folder));
    fs::remove_dir_all(&folder)?;
    served
}

async fn run(options: &Options, folder: &Path) -> Result<(), Failure> {
    let service = Service::start(settings(options, folder)?).await?;
    let target = service.sip_udp().ok_or("the service has no UDP address")?;
    let config = EndpointConfig {
        bind_udp: Some("127.0.0.1:0".parse()?),
        access: Access::new(["127.0.0.0/8"], ["127.0.0.0/8"])?,
        user_agent: "cordboard-bench".to_owned(),
        t1: T1,
        ..EndpointConfig::default()
    };
    let (endpoint, _calls) = Endpoint::bind(config).await?;
    let to = format!("sip:tone@{target}");
    // Ports are lent one after the other from a place that is drawn: the first tells which.
    let (first, leg) = ring(&endpoint, &to, THEIRS).await?;
    leg.line.hang_up(None);
    emptied(&service).await?;
    let mut legs = Vec::new();
    for call in 1..=options.calls {
        let index = ((first - OURS) / 2 + call) % options.calls;
        let (port, leg) = ring(&endpoint, &to, THEIRS + 2 * index).await?;
        if port != OURS + 2 * index {
            return Err(format!("call {index} got port {port}, which is another's").into());
        }
        legs.push(leg);
    }
    ready(options.calls)?;
    let mut stopped = signal(SignalKind::terminate())?;
    drop(tokio::time::timeout(lasting(options), stopped.recv()).await);
    tell_judgements(&service).await
}

/// Tells how many turns were judged by their sound, and how many were to be and were not.
async fn tell_judgements(service: &Service) -> Result<(), Failure> {
    let page = reqwest::get(format!("http://{}/metrics", service.api())).await?.text().await?;
    let told = page.lines().filter(|line| {
        line.starts_with("cordboard_turn_judgement_seconds_count")
            || line.starts_with("cordboard_turn_judgement_seconds_sum")
            || line.starts_with("cordboard_turn_judgements_shed_total")
    });
    told.for_each(|line| eprintln!("{line}"));
    Ok(())
}

/// The committed settings, with engines that cost nothing and room for the calls.
fn settings(options: &Options, folder: &Path) -> Result<Settings, Failure> {
    let mut settings = Settings::default();
    let last = OURS + 2 * options.calls - 1;
    settings.sip.listen_udp = Some("127.0.0.1:0".parse()?);
    settings.sip.listen_tcp = None;
    settings.sip.rtp_ports = PortRange { first: OURS, last };
    settings.sip.calls_max = usize::from(options.calls) + 1;
    // The bench's first packet comes some time after the last call stands.
    settings.sip.no_media_ask_s = 60;
    settings.sip.no_media_end_s = 90;
    settings.sip.bans.requests = 1_000_000;
    settings.admission.on = false;
    settings.api.listen = "127.0.0.1:0".parse()?;
    settings.store.folder = folder.join("data");
    settings.routes =
        vec![RouteSettings { to: "tone".to_owned(), flow: flow(folder)?, variables: [].into() }];
    settings.models.recognizer = "stub".to_owned();
    settings.models.stub_hears = SAID.to_owned();
    settings.models.recognizers = usize::from(options.calls) + 1;
    settings.models.voice_engine = "stub".to_owned();
    if options.no_turn_judge {
        settings.models.turn_judge = TurnJudgeChoice::None;
    }
    if let Some(percent) = options.turn_judge_percent {
        settings.models.turn_judge_percent = percent;
    }
    if options.cut {
        settings.turn.barge_in = BargeInChoice::Cut;
    }
    Ok(settings)
}

/// A flow that answers what the stub hears with a word of 20 s.
fn flow(folder: &Path) -> Result<PathBuf, Failure> {
    let path = folder.join("tone.yaml");
    let word = "a".repeat(LETTERS);
    let flow = format!(
        "name: tone\n\
         disclosure: an automated assistant\n\
         greeting: an automated assistant\n\
         menu:\n\
         \x20 ask: a\n\
         \x20 reprompts: [a, a]\n\
         \x20 help: a\n\
         queues: [service]\n\
         intents:\n\
         \x20 talk:\n\
         \x20   title: a tone\n\
         \x20   phrases: [{SAID}]\n\
         \x20   steps:\n\
         \x20     - say: {word}\n\
         \x20       end: true\n"
    );
    fs::write(&path, flow)?;
    Ok(path)
}

/// Rings and is answered; gives the port that was answered with.
async fn ring(endpoint: &Endpoint, to: &str, port: u16) -> Result<(u16, Leg), Failure> {
    let mut leg = endpoint.dial(DialRequest {
        to: to.to_owned(),
        from: "sip:bench@127.0.0.1".to_owned(),
        display: None,
        sdp: format!(
            "v=0\r\no=- {port} 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
        ),
        headers: Vec::new(),
    })?;
    let answered = tokio::time::timeout(PATIENCE, async {
        loop {
            match leg.events.recv().await {
                Some(LegSignal::Accepted { sdp: Some(sdp) }) => return media_port(&sdp),
                Some(LegSignal::Refused { code, .. }) => {
                    return Err(format!("refused: {code}").into());
                }
                None => return Err("the leg ended before an answer".into()),
                Some(_) => {}
            }
        }
    });
    let port = answered.await??;
    Ok((port, leg))
}

fn media_port(sdp: &str) -> Result<u16, Failure> {
    let media = sdp.lines().find_map(|line| line.strip_prefix("m=audio "));
    let port = media.and_then(|rest| rest.split(' ').next());
    Ok(port.ok_or("an answer without a port")?.parse()?)
}

/// Waits until the service has no call.
async fn emptied(service: &Service) -> Result<(), Failure> {
    let mut look = tokio::time::interval(Duration::from_millis(20));
    let over = async {
        while service.calls() > 0 {
            look.tick().await;
        }
    };
    Ok(tokio::time::timeout(PATIENCE, over).await?)
}
