//! Operations on a call, in and out of order: it takes them or says what was wrong, asks for
//! nothing without end, and its timeline goes forward.
#![no_main]
#![allow(dead_code, unused_imports, reason = "a part of the tests' world is used")]

#[path = "../../tests/call/detector.rs"]
mod detector;
#[path = "../../tests/call/handset.rs"]
mod handset;
#[path = "../../tests/call/network.rs"]
mod network;
#[path = "../../tests/call/office.rs"]
mod office;
#[path = "../../tests/call/services.rs"]
mod services;
#[path = "../../tests/call/silence.rs"]
mod silence;
#[path = "../../tests/call/simulation"]
mod simulation {
    #[path = "broken.rs"]
    mod broken;

    pub(crate) use broken::Broken;
}
#[path = "../../tests/call/world.rs"]
mod world;

use arbitrary::Arbitrary;
use cordboard::call::{Call, Input, LegEvent, Output};
use cordboard::replay::record;
use cordboard::timeline::LegRole;
use cordboard_audio::MediaTime;
use libfuzzer_sys::fuzz_target;

/// Far above what one input may ask for.
const MOST_OUTPUTS: usize = 1_000;

#[derive(Arbitrary, Debug)]
enum Act<'a> {
    /// So many ticks, each with what the VAD thinks of it.
    Pass {
        ticks: u8,
        speech: u8,
    },
    Key(u8),
    /// Any input, as a record would have it.
    Input {
        kind: u8,
        bytes: &'a [u8],
    },
}

fuzz_target!(|acts: Vec<Act<'_>>| {
    let mut call = Call::new(world::facts(), world::settings());
    let mut now = MediaTime::ZERO;
    let mut last_ms = 0;
    drain(&mut call, &mut last_ms);
    for event in [LegEvent::Offered, LegEvent::Answered] {
        if call.handle_input(now, Input::Leg(LegRole::Caller, event)).is_err() {
            return;
        }
        drain(&mut call, &mut last_ms);
    }
    for act in acts.into_iter().take(64) {
        let taken = match act {
            Act::Pass { ticks, speech } => (0..ticks).try_for_each(|_| {
                now = MediaTime::from_nanos(now.as_nanos() + 20_000_000);
                call.handle_input(now, Input::Tick)?;
                drain(&mut call, &mut last_ms);
                let probability = f32::from(speech) / 255.0;
                call.handle_input(now, Input::Voice { probability })?;
                drain(&mut call, &mut last_ms);
                Ok(())
            }),
            Act::Key(key) => {
                let digit = char::from(b"0123456789*#"[usize::from(key % 12)]);
                let event = LegEvent::Digit { digit, duration_ms: 100 };
                call.handle_input(now, Input::Leg(LegRole::Caller, event))
            }
            Act::Input { kind, bytes } => {
                let Ok(input) = record::decode(kind % 24, bytes) else { continue };
                call.handle_input(now, input)
            }
        };
        if taken.is_err() {
            return;
        }
        drain(&mut call, &mut last_ms);
    }
});

fn drain(call: &mut Call, last_ms: &mut u64) {
    for _ in 0..MOST_OUTPUTS {
        match call.poll_output() {
            Output::Wait(_) | Output::Over => return,
            Output::Entry(entry) => {
                assert!(entry.at_ms >= *last_ms, "a timeline goes forward");
                *last_ms = entry.at_ms;
            }
            _ => {}
        }
    }
    panic!("a call that asks without end");
}
