//! Legs: each turns its transport into the same `LegEvent`s and takes the same `LegCommand`s.
//!
//! A phone so far. No decision about a call lives here.

mod path;
mod phone;

pub(crate) use phone::{MediaSettings, PhoneLeg, PhoneRefusal};
