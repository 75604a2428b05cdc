//! The log: lines for operators, without anything that callers say or are.
//!
//! Our own lines name calls by their id. Libraries do not know that rule: the SIP stack logs whole
//! messages, HTTP clients log addresses with values in them. They are held to the levels at which
//! they speak of themselves, whatever the filter asks for. A panic is logged by its place, since
//! its text may quote what it stumbled over.

use std::fmt;
use std::panic::PanicHookInfo;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::clock;
use crate::settings::{LogFormat, LogSettings};

/// A filter that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("log.filter is {filter:?}: {why}; allowed: directives such as \"info\"")]
pub struct FilterError {
    filter: String,
    why: String,
}

/// The running log, to change its filter.
#[derive(Clone, Debug)]
pub struct Log {
    filter: reload::Handle<EnvFilter, Registry>,
}

impl Log {
    /// Begins to log to standard error; the process has one log, so this is done once.
    ///
    /// # Errors
    /// [`FilterError`].
    pub fn begin(settings: &LogSettings) -> Result<Self, FilterError> {
        let (filter, handle) = reload::Layer::new(Self::filter(settings)?);
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        let lines = match settings.format {
            LogFormat::Text => lines.with_ansi(false).boxed(),
            LogFormat::Json => lines.event_format(JsonLine).boxed(),
        };
        tracing_subscriber::registry()
            .with(filter)
            .with(lines.with_filter(filter_fn(is_ours)))
            .init();
        std::panic::set_hook(Box::new(note_panic));
        Ok(Self { filter: handle })
    }

    /// Reads a filter without using it.
    ///
    /// # Errors
    /// [`FilterError`].
    pub fn filter(settings: &LogSettings) -> Result<EnvFilter, FilterError> {
        EnvFilter::try_new(&settings.filter).map_err(|error| FilterError {
            filter: settings.filter.clone(),
            why: error.to_string(),
        })
    }

    /// Uses another filter from now on.
    pub fn set_filter(&self, filter: EnvFilter) {
        // It fails where the log has ended, and the process with it.
        let _ = self.filter.reload(filter);
    }
}

/// Levels that a library may log at: more talkative ones quote messages and addresses.
fn most_of(target: &str) -> LevelFilter {
    let crate_name = target.split(':').next().unwrap_or(target);
    match crate_name {
        name if name.starts_with("cordboard") => LevelFilter::TRACE,
        "rsipstack" => LevelFilter::ERROR,
        _ => LevelFilter::INFO,
    }
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= most_of(metadata.target())
}

fn note_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    // A text that was put together may hold anything; one that stands in the source may not.
    let what = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("not shown");
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or_default();
    tracing::error!(place, what, thread, "panic");
}

/// One event as one JSON object: `time`, `level`, `target`, `message`, and its fields.
struct JsonLine;

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let unix_ms = i64::try_from(clock::wall_unix_ms()).unwrap_or_default();
        let time = jiff::Timestamp::from_millisecond(unix_ms).unwrap_or_default();
        let mut fields = Fields(Map::new());
        fields.0.insert("time".to_owned(), Value::from(time.to_string()));
        fields.0.insert("level".to_owned(), Value::from(level(*metadata.level())));
        fields.0.insert("target".to_owned(), Value::from(metadata.target()));
        event.record(&mut fields);
        writeln!(writer, "{}", Value::Object(fields.0))
    }
}

const fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), Value::from(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), Value::from(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_held_to_what_they_say_of_themselves() {
        for (target, most) in [
            ("cordboard::shell", LevelFilter::TRACE),
            ("cordboard_sip::endpoint", LevelFilter::TRACE),
            ("rsipstack::transaction", LevelFilter::ERROR),
            ("hyper_util::client", LevelFilter::INFO),
            ("sqlx::query", LevelFilter::INFO),
        ] {
            assert_eq!(most_of(target), most, "{target}");
        }
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_refused_with_what_is_allowed() {
        let settings =
            LogSettings { filter: "cordboard=loud".to_owned(), ..LogSettings::default() };
        let refused = Log::filter(&settings).unwrap_err().to_string();
        assert!(refused.contains("cordboard=loud") && refused.contains("\"info\""), "{refused}");
    }
}
