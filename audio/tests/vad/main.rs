//! The detectors from outside: agreement with other engines on the real weights, and real time.
//!
//! The weights are looked for in `models/weights`, then among the shared models; without them the
//! tests that need them say so and pass. What needs no weights is tested beside the code.

mod allocation;
mod recordings;
mod reference;
mod shared;
mod signal;
