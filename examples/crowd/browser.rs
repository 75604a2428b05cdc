//! A caller in a browser, without the browser: by WHIP, with Opus.

use std::time::Duration;

use cordboard::clock;
use cordboard::replay::calls::{WhipCall, WhipTarget};
use cordboard_audio::codec::{Codec, Encoder};
use tokio::time::MissedTickBehavior;

use super::Failure;
use super::caller::{Heard, arrived};

/// Samples of 20 ms at Opus' 16 kHz, and bytes that they take at most.
const FRAME_SAMPLES: usize = 320;
const FRAME_BYTES: usize = 320;

/// Makes one call: rings the flow that the address ends in, listens and sends a quiet line.
pub(crate) async fn call(address: &str, stay: Duration) -> Heard {
    match talk(address, stay).await {
        Ok(heard) => heard,
        Err(failure) => Heard { failure: Some(failure.to_string()), ..Heard::default() },
    }
}

async fn talk(address: &str, stay: Duration) -> Result<Heard, Failure> {
    let (base, flow) = address.rsplit_once('/').ok_or("want http://ADDRESS:PORT/FLOW")?;
    let rang = clock::monotonic();
    let target = WhipTarget { url: format!("{base}/v1/whip/{flow}"), token: None };
    let here = [127, 0, 0, 1].into();
    let mut call = WhipCall::ring(&target, &[here], here).await?;
    let answered = clock::monotonic();
    let mut heard = Heard { answered: answered - rang, ..Heard::default() };
    let mut encoder = Encoder::new(Codec::Opus);
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while clock::monotonic() - answered < stay && !call.line.is_over() {
        tick.tick().await;
        // A line, not a digital silence, which Opus would not send.
        let frame: [f32; FRAME_SAMPLES] =
            std::array::from_fn(|_| 1e-3 * (rand::random::<f32>() - 0.5));
        let mut payload = [0; FRAME_BYTES];
        let len = encoder.encode_into(&frame, &mut payload);
        call.line.send(&payload[..len]).await;
    }
    heard.stayed = clock::monotonic() - answered;
    let mut last = None;
    for came in call.line.came().try_iter() {
        arrived(&mut heard, &mut last, came.sequence, came.at);
    }
    call.hang_up().await?;
    Ok(heard)
}
