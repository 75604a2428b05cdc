//! What a carrier says on a media stream, between what the call does: sound comes out as it went
//! in, keys are keys, the carrier's buffer is never longer than what was sent, and no queue grows.
#![no_main]
#![allow(dead_code, reason = "a part of the rooms is used")]

#[path = "../../src/api/media_words.rs"]
mod media_words;
#[path = "../../src/leg/stream.rs"]
mod stream;

mod call {
    pub(crate) use cordboard::call::{EncodedFrame, EndCause, LegCommand, LegEvent, MediaPacket};
}
mod leg {
    pub(crate) use crate::stream::{CarrierEnd, Word};
}

use std::time::Duration;

use arbitrary::Arbitrary;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use call::{EncodedFrame, EndCause, LegCommand, LegEvent};
use libfuzzer_sys::fuzz_target;
use media_words::{StreamFault, hear, told};
use serde_json::json;
use stream::{CarrierEnd, FRAME_BYTES, StreamLeg, ToCarrier};

#[derive(Arbitrary, Debug)]
enum Act<'a> {
    Anything(&'a str),
    Sound {
        payload: &'a [u8],
        times: u8,
        outbound: bool,
    },
    Key(&'a str),
    Mark(&'a str),
    /// Gives a mark of ours back.
    MarkBack,
    Stop,
    Tick,
    Send(u8),
    Flush,
}

struct Line {
    leg: StreamLeg,
    end: CarrierEnd,
    sent: u32,
    marks: Vec<u32>,
    frames: Option<u32>,
    is_over: bool,
}

fuzz_target!(|acts: Vec<Act<'_>>| {
    let (leg, end) = stream::stream(7);
    let mut line = Line { leg, end, sent: 0, marks: Vec::new(), frames: None, is_over: false };
    for act in acts.into_iter().take(256) {
        let text = match act {
            Act::Anything(text) => text.to_owned(),
            Act::Sound { payload, times, outbound } => {
                let track = if outbound { "outbound" } else { "inbound" };
                let payload = STANDARD.encode(payload.repeat(usize::from(times).max(1)));
                json!({ "event": "media", "media": { "track": track, "payload": payload } })
                    .to_string()
            }
            Act::Key(sign) => json!({ "event": "dtmf", "dtmf": { "digit": sign } }).to_string(),
            Act::Mark(name) => json!({ "event": "mark", "mark": { "name": name } }).to_string(),
            Act::MarkBack => {
                let name = line.marks.pop().unwrap_or(0).to_string();
                json!({ "event": "mark", "mark": { "name": name } }).to_string()
            }
            Act::Stop => json!({ "event": "stop" }).to_string(),
            Act::Tick => {
                line.tick();
                continue;
            }
            Act::Send(frames) => {
                for _ in 0..frames {
                    let frame = EncodedFrame { len: FRAME_BYTES, payload: [0xff; 320] };
                    line.leg.command(&LegCommand::Send(frame));
                    line.sent += 1;
                }
                continue;
            }
            Act::Flush => {
                line.leg.command(&LegCommand::Flush);
                continue;
            }
        };
        if line.hear(&text).is_err() {
            break;
        }
    }
    line.tick();
});

impl Line {
    fn hear(&mut self, text: &str) -> Result<(), StreamFault> {
        if let Some(start) = told(text).ok().and_then(|it| it.start) {
            let _ = (start.media_format.is_pcmu(), start.stream_sid, start.custom_parameters);
        }
        let heard = told(text).and_then(|it| hear(&mut self.end, it));
        if let Err(fault) = heard {
            assert!((1_007..=1_013).contains(&fault.code()) && !fault.to_string().is_empty());
        }
        self.is_over |= heard? == Some(EndCause::Bye);
        Ok(())
    }

    /// One tick of the worker, and all that the carrier reads meanwhile.
    fn tick(&mut self) {
        self.leg.refill();
        let (mut buffer, mut events) = ([0; 1_500], 0);
        while let Some(event) = self.leg.poll(&mut buffer) {
            events += 1;
            assert!(events <= 64, "a tick's share is bounded");
            match event {
                LegEvent::Packet(packet) => {
                    assert_eq!(packet.payload.len(), FRAME_BYTES);
                    let number = packet.timestamp / FRAME_BYTES as u32;
                    assert!(self.frames.is_none_or(|last| number > last), "in order, and once");
                    self.frames = Some(number);
                }
                LegEvent::Digit { digit, .. } => assert!("0123456789*#ABCD".contains(digit)),
                LegEvent::FarBuffer(held) => {
                    assert!(held <= Duration::from_millis(20) * self.sent);
                    assert!(held <= Duration::from_secs(5));
                }
                LegEvent::Ended { .. } | LegEvent::Answered => {}
                other => panic!("no carrier says {other:?}"),
            }
        }
        while let Ok(word) = self.end.leaving.try_recv() {
            if let ToCarrier::Mark(number) = word {
                self.marks.push(number);
            }
        }
        self.marks.truncate(64);
    }
}
