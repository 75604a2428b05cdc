//! Measures what each detector costs: microseconds per window on one core.
//!
//! `cargo run --release -p cordboard-audio --example vad_cost [silero_vad.onnx]`

use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use cordboard_audio::vad::{Earshot, Silero, SileroWeights, Vad};

const WINDOWS: usize = 5_000;
const ROUNDS: usize = 7;
const SAMPLES_PER_MS: f64 = 8.0;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1);
    let path = path.unwrap_or_else(|| "models/weights/silero_vad.onnx".to_owned());
    let mut vads: Vec<(&str, Box<dyn Vad>)> = vec![("earshot", Box::new(Earshot::new()))];
    let mut out = std::io::stdout().lock();
    match std::fs::read(&path) {
        Ok(bytes) => {
            let weights = Arc::new(SileroWeights::from_onnx(&bytes)?);
            vads.push(("silero", Box::new(Silero::new(weights))));
        }
        Err(error) => writeln!(out, "without silero: {path}: {error}")?,
    }
    for (name, vad) in &mut vads {
        let cost_us = cheapest_us(vad.as_mut());
        let window_ms = vad.window_samples() as f64 / SAMPLES_PER_MS;
        let share = cost_us / (window_ms * 1_000.0);
        writeln!(
            out,
            "vad/{name}: {cost_us:.1} us per window of {window_ms} ms, real-time factor {share:.5}"
        )?;
    }
    Ok(())
}

/// The cheapest of some rounds, in which nothing else ran: microseconds per window.
fn cheapest_us(vad: &mut dyn Vad) -> f64 {
    let window: Vec<f32> =
        (0..vad.window_samples()).map(|n| 0.3 * (n as f32 * 0.2).sin()).collect();
    let round_us = |_| {
        #[expect(clippy::disallowed_methods, reason = "an example that measures reads the clock")]
        let began = Instant::now();
        for _ in 0..WINDOWS {
            std::hint::black_box(vad.probability(std::hint::black_box(&window)));
        }
        began.elapsed().as_secs_f64() * 1e6 / WINDOWS as f64
    };
    (0..ROUNDS).map(round_us).fold(f64::INFINITY, f64::min)
}
