//! The talk itself: card, service, keypad and the lines that are printed.

use std::path::Path;
use std::time::Duration;

use super::keypad::Keypad;
use crate::cli::serve::{Stops, runtime};
use crate::cli::{Fault, say, settings};
use crate::leg::device::card::{Card, Streams};
use crate::leg::device::{Ends, Handset, device};
use crate::settings::{RouteSettings, Settings};
use crate::shell::{Log, Service};
use crate::store::Store;
use crate::timeline::{CallId, Entry};

/// How often the timeline is looked at.
const LOOK: Duration = Duration::from_millis(60);
/// How long the last words may take to be played.
const PLAYED_WITHIN: Duration = Duration::from_secs(1);
/// Entries read at once.
const ENTRIES: u32 = 200;

/// Talks to a flow until either side hangs up.
pub(super) fn talk(flow: Option<&Path>, route: &str, config: Option<&Path>) -> Result<(), Fault> {
    let settings = with_flow(settings(config)?, flow, route)?;
    let settings = if config.is_none() { anywhere(settings) } else { settings };
    let card = Card::find()?;
    let ends = device(card.rates(), rand::random()).ok_or_else(|| card.unfit())?;
    Log::begin(&settings.log)?;
    runtime()?.block_on(hold(settings, card, ends, route))
}

/// Lets the flow answer the route, with the variables that the settings give it elsewhere.
fn with_flow(mut settings: Settings, flow: Option<&Path>, route: &str) -> Result<Settings, Fault> {
    if let Some(flow) = flow {
        let known = settings.routes.iter().find(|it| it.flow == flow);
        let variables = known.map(|it| it.variables.clone()).unwrap_or_default();
        let first = RouteSettings { to: route.to_owned(), flow: flow.to_owned(), variables };
        settings.routes.insert(0, first);
    }
    if settings.routes.is_empty() {
        return Err("there is no flow to talk to; name one by --flow FILE, or settings with a \
                    [[route]] by --config FILE"
            .into());
    }
    Ok(settings)
}

/// Without a file of settings, a service that runs on the usual ports is not in the way.
fn anywhere(mut settings: Settings) -> Settings {
    let usual = Settings::default();
    for (address, usual) in [
        (&mut settings.sip.listen_udp, usual.sip.listen_udp),
        (&mut settings.sip.listen_tcp, usual.sip.listen_tcp),
    ] {
        if *address == usual
            && let Some(address) = address
        {
            address.set_port(0);
        }
    }
    if settings.api.listen == usual.api.listen {
        settings.api.listen.set_port(0);
    }
    settings
}

async fn hold(settings: Settings, card: Card, ends: Ends, route: &str) -> Result<(), Fault> {
    let Ends { leg, ears, microphone, loudspeaker, handset } = ends;
    let mut stops = Stops::new()?;
    let service = Service::start(settings).await?;
    // Before the call, so that a card that is taken by somebody else is no call.
    let started = card.start(ears, microphone, loudspeaker);
    let talked = match started {
        Ok(streams) => match service.talk(leg, route) {
            Some(call) => Ok((follow(&service, &call, &handset, streams, &mut stops).await, call)),
            None => Err(format!("no [[route]] answers {route:?}; add one, or name one by --route")),
        },
        Err(no_card) => Err(no_card.to_string()),
    };
    let store = service.store();
    service.shut_down(std::future::ready(())).await;
    let (after, call) = talked?;
    // The projection ends with the service: what it has now is all.
    tell(&store, &call, after).await?;
    Ok(())
}

/// Tells the call line by line until it is over; gives the number of the last entry told.
async fn follow(
    service: &Service,
    call: &CallId,
    handset: &Handset,
    streams: Streams,
    stops: &mut Stops,
) -> i64 {
    let _keypad = Keypad::begin(handset.clone());
    say("talking: keys 0-9 * # are the keypad, Ctrl-C hangs up");
    let (store, mut after) = (service.store(), 0);
    let mut look = tokio::time::interval(LOOK);
    let mut is_hanging_up = false;
    while service.calls() > 0 {
        tokio::select! {
            _ = look.tick() => {}
            () = stops.next() => {
                // A second one hurries.
                if is_hanging_up {
                    break;
                }
                is_hanging_up = true;
                handset.hang_up();
            }
        }
        // A database that does not answer now may at the next look.
        after = tell(&store, call, after).await.unwrap_or(after);
    }
    if !is_hanging_up {
        let played_out = async {
            while !handset.is_played_out() {
                look.tick().await;
            }
        };
        drop(tokio::time::timeout(PLAYED_WITHIN, played_out).await);
    }
    drop(streams);
    after
}

/// Prints what has come after the entry with this number; gives the number of the last.
async fn tell(store: &Store, call: &CallId, after: i64) -> Result<i64, Fault> {
    let rows = store.queries().timeline(call, after, ENTRIES).await?;
    for row in &rows {
        let entry: Entry = serde_json::from_str(&row.json)?;
        if let Some(line) = entry.told() {
            say(&line);
        }
    }
    Ok(rows.last().map_or(after, |row| row.seq))
}
