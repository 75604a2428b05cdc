//! Calls as load: scenarios and recordings, placed on whoever answers, and scored from what came.
//!
//! One call, top to bottom: `scenario` (or `recorded`) says what its caller does; `load` places it;
//! `wire` ticks it, tells `script` what came and sends what is due; `far` lays what came on the
//! call's time; at its end it is a `take`. Nothing of a take is judged while calls run.

mod browser;
mod budget;
mod clips;
mod compare;
mod end;
mod far;
mod figures;
mod format;
mod human;
mod levels;
mod load;
mod page;
mod recognized;
mod recorded;
mod report;
mod scenario;
mod score;
mod studio;
mod take;
mod truth;
mod weather;
mod whip;
mod wire;

pub use browser::{Came, Line, LineFault};
pub use budget::{Budget, Verdict};
pub use clips::{Clip, Clips};
pub use compare::Comparison;
pub use far::FarSound;
pub use figures::{Figures, METRICS, Quantile, Summary};
pub use format::ScenarioFault;
pub use human::{Human, HumanPlace, HumanTally, HumanWords, Humans};
pub use load::{Plan, Progress, Run, begin};
pub use page::page;
pub use recognized::Listener;
pub use recorded::{Keys, RecordingFault, recording};
pub use report::{Head, REPORT_VERSION, Report, Tally, Truth};
pub use scenario::{Deed, DeedKind, End, Expect, ExpectHuman, Scenario};
pub use score::{Said, Score, Turn, TurnKind, score};
pub use studio::{SoundFault, Studio};
pub use take::{Done, Ending, Take};
pub use truth::OwnLatency;
pub use weather::Weather;
pub use whip::{WhipCall, WhipFault, WhipTarget};
