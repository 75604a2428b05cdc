//! Spans on their way to a collector: OTLP over HTTP, in protobuf.
//!
//! Between the timeline and the collector stands one bounded queue. Where it is full, since the
//! collector is slow or away, spans are dropped and counted; calls never notice. Absent: which
//! spans there are (`trace`).

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::figures::Figures;
use super::trace::{Attribute, Span};

/// Spans that may wait: some hundred turns.
pub(super) const QUEUE: usize = 4_096;
/// Spans that travel together.
const TOGETHER: usize = 512;
/// How long spans wait for others to travel with.
const GATHERING: Duration = Duration::from_secs(1);
/// How long a collector may take for one batch.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the last spans may take at the end of the process.
const PARTING: Duration = Duration::from_secs(2);

/// Why there are no traces.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The address makes no sense.
    #[error("telemetry.otlp_endpoint {endpoint} cannot be used: {why}; set it to http://host:4318")]
    Endpoint {
        /// What was set.
        endpoint: String,
        /// What the exporter said.
        why: String,
    },
}

/// Sends what comes out of a queue, until told to stop and the queue is empty.
#[derive(Debug)]
pub(super) struct Export {
    exporter: SpanExporter,
    spans: mpsc::Receiver<Span>,
    figures: Arc<Figures>,
    scope: InstrumentationScope,
}

impl Export {
    pub(super) fn new(
        endpoint: &str,
        spans: mpsc::Receiver<Span>,
        figures: Arc<Figures>,
    ) -> Result<Self, ExportError> {
        let fault = |why: String| ExportError::Endpoint { endpoint: endpoint.to_owned(), why };
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .build()
            .map_err(|error| fault(error.to_string()))?;
        let path = if endpoint.ends_with("/v1/traces") { "" } else { "/v1/traces" };
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{endpoint}{path}"))
            .with_timeout(PATIENCE)
            .build()
            .map_err(|error| fault(error.to_string()))?;
        let resource = Resource::builder_empty()
            .with_service_name("cordboard")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        exporter.set_resource(&resource);
        let scope = InstrumentationScope::builder("cordboard")
            .with_version(env!("CARGO_PKG_VERSION"))
            .build();
        Ok(Self { exporter, spans, figures, scope })
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut is_well = true;
        while let Some(first) = self.next(&stop).await {
            let mut batch = vec![self.data(first)];
            let gather = async {
                while batch.len() < TOGETHER {
                    let Some(span) = self.spans.recv().await else { return };
                    batch.push(data(&self.scope, span));
                }
            };
            tokio::select! {
                () = gather => {}
                _ = tokio::time::timeout(GATHERING, stop.cancelled()) => {}
            }
            let count = batch.len() as u64;
            let patience = if stop.is_cancelled() { PARTING } else { PATIENCE };
            let sent = tokio::time::timeout(patience, self.exporter.export(batch)).await;
            let taken = matches!(sent, Ok(Ok(())));
            if taken {
                self.figures.spans_sent.add(count);
            } else {
                self.figures.spans_dropped.add(count);
            }
            if taken != is_well {
                is_well = taken;
                if taken {
                    tracing::info!("the collector takes traces again");
                } else {
                    tracing::warn!("the collector of telemetry.otlp_endpoint takes no traces");
                }
            }
            if stop.is_cancelled() && !taken {
                return;
            }
        }
    }

    /// The next span; none when stopped and nothing is left.
    async fn next(&mut self, stop: &CancellationToken) -> Option<Span> {
        if stop.is_cancelled() {
            return self.spans.try_recv().ok();
        }
        tokio::select! {
            span = self.spans.recv() => span,
            () = stop.cancelled() => self.spans.try_recv().ok(),
        }
    }

    fn data(&self, span: Span) -> SpanData {
        data(&self.scope, span)
    }
}

fn data(scope: &InstrumentationScope, span: Span) -> SpanData {
    let context = SpanContext::new(
        TraceId::from(span.trace),
        SpanId::from(span.id),
        TraceFlags::SAMPLED,
        false,
        TraceState::NONE,
    );
    SpanData {
        span_context: context,
        parent_span_id: SpanId::from(span.parent),
        parent_span_is_remote: false,
        span_kind: if span.parent == 0 { SpanKind::Server } else { SpanKind::Internal },
        name: span.name.into(),
        start_time: time(span.began_unix_ms),
        end_time: time(span.ended_unix_ms),
        attributes: span.attributes.into_iter().map(key_value).collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: if span.is_fault { Status::error("") } else { Status::Unset },
        instrumentation_scope: scope.clone(),
    }
}

fn key_value((name, value): (&'static str, Attribute)) -> KeyValue {
    match value {
        Attribute::Text(text) => KeyValue::new(name, text),
        Attribute::Number(number) => KeyValue::new(name, number),
        Attribute::Share(share) => KeyValue::new(name, share),
        Attribute::Is(is) => KeyValue::new(name, is),
    }
}

fn time(unix_ms: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(unix_ms)
}
