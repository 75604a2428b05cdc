//! Whole calls in virtual time: a caller's phone, an office of agents, ears and voice by script,
//! and the call between them. What is asserted is the timeline and the sound that was sent.

#[path = "call/allocations.rs"]
mod allocations;
#[path = "call/answers.rs"]
mod answers;
#[path = "call/breakdowns.rs"]
mod breakdowns;
#[path = "call/broken_engines.rs"]
mod broken_engines;
#[path = "call/captions.rs"]
mod captions;
#[path = "call/clocks.rs"]
mod clocks;
#[path = "call/detector.rs"]
mod detector;
#[path = "call/exact.rs"]
mod exact;
#[path = "call/faults.rs"]
mod faults;
#[path = "call/footing.rs"]
mod footing;
#[path = "call/foresight.rs"]
mod foresight;
#[path = "call/handovers.rs"]
mod handovers;
#[path = "call/handset.rs"]
mod handset;
#[path = "call/leaving.rs"]
mod leaving;
#[path = "call/lossy.rs"]
mod lossy;
#[path = "call/lost_agents.rs"]
mod lost_agents;
#[path = "call/network.rs"]
mod network;
#[path = "call/office.rs"]
mod office;
#[path = "call/overlaps.rs"]
mod overlaps;
#[path = "call/pauses.rs"]
mod pauses;
#[path = "call/properties.rs"]
mod properties;
#[path = "call/recorded.rs"]
mod recorded;
#[path = "call/recording.rs"]
mod recording;
#[path = "call/services.rs"]
mod services;
#[path = "call/silence.rs"]
mod silence;
#[path = "call/silences.rs"]
mod silences;
#[path = "call/simulation.rs"]
mod simulation;
#[path = "call/talks.rs"]
mod talks;
#[path = "call/world.rs"]
mod world;
