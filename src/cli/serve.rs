//! `cordboard serve` and `cordboard call`.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::{Fault, say};
use crate::settings::Settings;
use crate::shell::Service;

/// Answers the phone until SIGTERM or SIGINT; a second one hurries.
pub(super) fn serve(settings: Settings) -> Result<(), Fault> {
    begin_log(&settings)?;
    runtime()?.block_on(async {
        let mut stops = Stops::new()?;
        let service = Service::start(settings).await?;
        announce(&service);
        stops.next().await;
        service.shut_down(async move { stops.next().await }).await;
        Ok(())
    })
}

/// Places one call and waits for its end; a call that nobody answers is a failure.
pub(super) fn call(settings: Settings, uri: &str, route: &str) -> Result<(), Fault> {
    begin_log(&settings)?;
    runtime()?.block_on(async {
        let mut stops = Stops::new()?;
        let service = Service::start(settings).await?;
        let placed = service.place(uri, route);
        let name = placed.ok_or_else(|| format!("no [[route]] answers {route:?}; add one"))?;
        say(&format!("calling {uri}; timeline at http://{}/v1/calls/{name}", service.api()));
        let mut look = tokio::time::interval(Duration::from_millis(100));
        while service.calls() > 0 {
            tokio::select! {
                _ = look.tick() => {}
                () = stops.next() => break,
            }
        }
        let store = service.store();
        service.shut_down(std::future::ready(())).await;
        // The projection ends with the service: what it has now is all.
        let row = store.queries().call(&name).await?;
        let (answered, cause) = row.map_or((None, None), |row| (row.answered_unix_ms, row.cause));
        let cause = cause.unwrap_or_else(|| "unknown".to_owned());
        match answered {
            Some(_) => say(&format!("the call is over: {cause}")),
            None => return Err(format!("{uri} was not reached: {cause}").into()),
        }
        Ok(())
    })
}

fn announce(service: &Service) {
    for (transport, address) in [("udp", service.sip_udp()), ("tcp", service.sip_tcp())] {
        if let Some(address) = address {
            say(&format!("sip {transport} {address}"));
        }
    }
    say(&format!("http {}", service.api()));
    say("ready");
}

fn runtime() -> Result<tokio::runtime::Runtime, Fault> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("control")
        .enable_all()
        .build()?;
    Ok(runtime)
}

fn begin_log(settings: &Settings) -> Result<(), Fault> {
    // The stack below logs whole messages at `info`: who calls whom is the timeline's business.
    let directives = format!("rsipstack=warn,{}", settings.log.filter);
    let filter = EnvFilter::try_new(directives).map_err(|error| {
        let value = &settings.log.filter;
        format!("log.filter is {value:?}: {error}; allowed: directives such as \"info\"")
    })?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    Ok(())
}

/// SIGTERM and SIGINT.
struct Stops {
    terminate: Signal,
    interrupt: Signal,
}

impl Stops {
    fn new() -> Result<Self, Fault> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
