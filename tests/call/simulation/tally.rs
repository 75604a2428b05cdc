//! What went on in simulated calls, so that it is seen that they were no easy ones.

use std::fmt;

use cordboard::timeline::{LegRole, What};

use super::super::world::World;
use super::{floor, noted, silence_ms};

const TICKS_AN_HOUR: f64 = 180_000.0;

/// What went on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    ticks: u64,
    /// Calls whose sound was real, and the turns in them; and calls over bad lines.
    real: u64,
    real_turns: u64,
    lossy: u64,
    turns: u64,
    asides: u64,
    keys: u64,
    effects: u64,
    bridged: u64,
    failures: u64,
    /// How often speech or a key stopped the assistant.
    stops: u64,
    /// Real interruptions that it took half a second to know, and for how long two were heard
    /// after one at most, ms.
    interruptions: u64,
    both_ms: u64,
    /// The longest silence that nobody explained, ms.
    silence_ms: u64,
}

impl Tally {
    pub(crate) fn of(world: &World, is_real: bool) -> Self {
        let found = floor::interruptions(world);
        let turns = noted(world, |what| matches!(what, What::CallerSpoke { .. }));
        let keyed = |what: &What| matches!(what, What::Keyed { role: LegRole::Caller, .. });
        Self {
            ticks: world.caller.ticks.len() as u64,
            real: u64::from(is_real),
            lossy: u64::from(world.line.is_some()),
            real_turns: if is_real { turns } else { 0 },
            turns,
            asides: noted(world, |what| matches!(what, What::SpokeAside { .. })),
            keys: noted(world, keyed),
            effects: noted(world, |what| matches!(what, What::ToolInvoked { .. })),
            bridged: noted(world, |what| matches!(what, What::Bridged { .. })),
            failures: noted(world, |what| matches!(what, What::EngineFailed { .. })),
            stops: noted(world, |what| matches!(what, What::Interrupted { .. })),
            interruptions: found.count,
            both_ms: found.longest_ms,
            silence_ms: silence_ms(world),
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.ticks += other.ticks;
        self.real += other.real;
        self.real_turns += other.real_turns;
        self.lossy += other.lossy;
        self.turns += other.turns;
        self.asides += other.asides;
        self.keys += other.keys;
        self.effects += other.effects;
        self.bridged += other.bridged;
        self.failures += other.failures;
        self.stops += other.stops;
        self.interruptions += other.interruptions;
        self.both_ms = self.both_ms.max(other.both_ms);
        self.silence_ms = self.silence_ms.max(other.silence_ms);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { real, real_turns, lossy, turns, asides, keys, effects, bridged, .. } = self;
        let Self { failures, stops, interruptions, both_ms, silence_ms, .. } = self;
        let hours = self.ticks as f64 / TICKS_AN_HOUR;
        writeln!(
            f,
            "{hours:.1} h on the phone, {lossy} calls over bad lines, {failures} failures"
        )?;
        writeln!(f, "{real} calls of real sound with {real_turns} turns, of {turns} in all")?;
        writeln!(f, "{asides} asides, {keys} keys, {effects} effects, {bridged} bridges")?;
        writeln!(f, "{stops} stops; {interruptions} interruptions took half a second to know")?;
        write!(f, "two held the floor for {both_ms} ms after one at most; ")?;
        write!(f, "{silence_ms} ms of silence at most")
    }
}
