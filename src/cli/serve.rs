//! `cordboard serve` and `cordboard call`.

use std::path::Path;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Fault, say};
use crate::settings::Settings;
use crate::shell::{Log, Reloaded, Service, Supervisor, keep_watchdog, watchdog_period};

/// Answers the phone until SIGTERM or SIGINT; a second one hurries. SIGHUP takes the settings anew.
pub(super) fn serve(config: Option<&Path>) -> Result<(), Fault> {
    let settings = super::settings(config)?;
    let log = Log::begin(&settings.log)?;
    let manager = Supervisor::at(std::env::var_os("NOTIFY_SOCKET").as_deref());
    runtime()?.block_on(async {
        let mut stops = Stops::new()?;
        let mut reloads = signal(SignalKind::hangup())?;
        let mut service = Service::start(settings).await?;
        announce(&service);
        manager.tell("READY=1");
        let [usec, pid] = ["WATCHDOG_USEC", "WATCHDOG_PID"].map(|name| std::env::var(name).ok());
        if let Some(period) = watchdog_period(usec.as_deref(), pid.as_deref()) {
            tokio::spawn(keep_watchdog(manager.clone(), service.pulse(), period));
        }
        loop {
            tokio::select! {
                () = stops.next() => break,
                _ = reloads.recv() => {
                    manager.tell("RELOADING=1");
                    reload(&mut service, &log, config).await;
                    manager.tell("READY=1");
                }
            }
        }
        manager.tell("STOPPING=1");
        service.shut_down(async move { stops.next().await }).await;
        Ok(())
    })
}

/// Takes the settings anew, all of them or none.
async fn reload(service: &mut Service, log: &Log, config: Option<&Path>) {
    let read = super::settings(config).and_then(|settings| {
        let filter = Log::filter(&settings.log)?;
        Ok((settings, filter))
    });
    let (settings, filter) = match read {
        Ok(read) => read,
        Err(fault) => {
            service.note_refused_reload();
            tracing::error!(%fault, "settings refused; the old ones serve on");
            return;
        }
    };
    match service.reload(settings).await {
        Ok(reloaded) => {
            log.set_filter(filter);
            let Reloaded { version, flows, needs_restart } = reloaded;
            for (to, flow, flow_version) in flows {
                tracing::info!(to, flow, flow_version, "route");
            }
            if !needs_restart.is_empty() {
                let names = needs_restart.join(", ");
                tracing::warn!(names, "these differ and wait for a restart");
            }
            tracing::info!(version, "settings taken");
        }
        Err(fault) => tracing::error!(%fault, "settings refused; the old ones serve on"),
    }
}

/// Places one call and waits for its end; a call that nobody answers is a failure.
pub(super) fn call(settings: Settings, uri: &str, route: &str) -> Result<(), Fault> {
    Log::begin(&settings.log)?;
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
    let (udp, tcp, tls) = (service.sip_udp(), service.sip_tcp(), service.sip_tls());
    for (transport, address) in [("udp", udp), ("tcp", tcp), ("tls", tls)] {
        if let Some(address) = address {
            say(&format!("sip {transport} {address}"));
        }
    }
    say(&format!("http {}", service.api()));
    if let Some(address) = service.metrics() {
        say(&format!("metrics {address}"));
    }
    say("ready");
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Fault> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("control")
        .enable_all()
        .build()?;
    Ok(runtime)
}

/// SIGTERM and SIGINT.
pub(super) struct Stops {
    terminate: Signal,
    interrupt: Signal,
}

impl Stops {
    pub(super) fn new() -> Result<Self, Fault> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
