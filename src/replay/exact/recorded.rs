//! A record of a call's inputs, read whole, with all that the call is made of.

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::call::{CallFacts, CallSettings};
use crate::conversation::{Flow, FlowFault};
use crate::replay::record::{self, Header, HeaderFault, RecordError};
use crate::store::{InputRecord, InputsFault, StoreFault, read_inputs};
use crate::timeline::CallId;

/// Why a call cannot be played again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExactFault {
    /// There is no record.
    #[error(
        "there is no {path}: no inputs of this call are kept; they are where store.keep_inputs was \
         on when the call rang, until store.keep_inputs_days deletes them"
    )]
    NoRecord {
        /// Where it would be.
        path: PathBuf,
    },
    /// The disk does not give it, or it is no record.
    #[error("{0}; name a file that `cordboard serve` wrote")]
    Unreadable(InputsFault),
    /// The process died in the middle of the call, the call panicked, or it goes on still.
    #[error(
        "{path} breaks off after {inputs} inputs: the call goes on still, or it panicked, or the \
         process died in it; what was not recorded cannot be played"
    )]
    BreaksOff {
        /// Which record.
        path: PathBuf,
        /// How many inputs there are.
        inputs: usize,
    },
    /// It is not what was written.
    #[error("{path} is damaged at byte {at}; bring it back from a copy")]
    Damaged {
        /// Which record.
        path: PathBuf,
        /// Where.
        at: usize,
    },
    /// No call can be made of its header.
    #[error("{path}: {source}")]
    Header {
        /// Which record.
        path: PathBuf,
        /// Why.
        source: HeaderFault,
    },
    /// An input of it is not known here.
    #[error("{path}: input {number}: {source}; play it with the build that recorded it")]
    Input {
        /// Which record.
        path: PathBuf,
        /// Which input, from 0.
        number: usize,
        /// Why.
        source: RecordError,
    },
    /// The store's database does not answer.
    #[error(
        "timelines in {folder} cannot be read: {source}; name by --config the settings whose store \
         has them"
    )]
    Timelines {
        /// Which folder.
        folder: PathBuf,
        /// What it said.
        source: StoreFault,
    },
    /// The store has no timeline of the call.
    #[error(
        "the store in {folder} has no timeline of {call}; name by --config the settings whose \
         store has it (store.keep_timelines_days deletes them)"
    )]
    NoTimeline {
        /// The call.
        call: CallId,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// The timeline has no end.
    #[error(
        "the timeline of {call} does not end: the database is behind; try again in a second, or \
         start `cordboard serve` with that store once, which catches up"
    )]
    Unended {
        /// The call.
        call: CallId,
    },
}

/// Flows that records have, each read once.
#[derive(Debug, Default)]
pub struct Flows(BTreeMap<(String, BTreeMap<String, String>), Arc<Flow>>);

impl Flows {
    /// The flow of a text and the values of its variables.
    ///
    /// # Errors
    /// All faults of the text.
    pub fn find(
        &mut self,
        text: &str,
        overrides: &BTreeMap<String, String>,
    ) -> Result<Arc<Flow>, Vec<FlowFault>> {
        match self.0.entry((text.to_owned(), overrides.clone())) {
            btree_map::Entry::Occupied(known) => Ok(Arc::clone(known.get())),
            btree_map::Entry::Vacant(place) => {
                let flow = Flow::parse(text, "the flow of the record", overrides)?;
                Ok(Arc::clone(place.insert(Arc::new(flow))))
            }
        }
    }
}

/// A recorded call, ready to be played.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// What was known at its ring.
    pub facts: CallFacts,
    /// The settings that it met.
    pub settings: CallSettings,
    /// Its inputs, in order; each can be decoded.
    pub inputs: Vec<InputRecord>,
}

impl Recorded {
    /// Reads a record.
    ///
    /// # Errors
    /// Where it is not there, not whole, not of this version or not what was written.
    pub fn read(path: &Path, flows: &mut Flows) -> Result<Self, ExactFault> {
        let inputs = read_inputs(path).map_err(|fault| match &fault {
            InputsFault::Disk { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                ExactFault::NoRecord { path: path.to_owned() }
            }
            _ => ExactFault::Unreadable(fault),
        })?;
        let path = path.to_owned();
        if let Some(at) = inputs.damaged_at {
            return Err(ExactFault::Damaged { path, at });
        }
        // The form first: what another version wrote may seem broken off.
        let read = Self::of(&inputs.header, inputs.records, flows);
        match read {
            Ok(recorded) if inputs.complete => Ok(recorded),
            Ok(Self { inputs, .. }) => Err(ExactFault::BreaksOff { path, inputs: inputs.len() }),
            Err(Misread::Header(source)) => Err(ExactFault::Header { path, source }),
            Err(Misread::Input(number, source)) => Err(ExactFault::Input { path, number, source }),
        }
    }

    /// Takes a header and inputs for a record.
    ///
    /// # Errors
    /// Where one of them is not known here.
    pub fn of(header: &[u8], inputs: Vec<InputRecord>, flows: &mut Flows) -> Result<Self, Misread> {
        let find = |text: &str, overrides: &_| flows.find(text, overrides);
        let Header { facts, settings } = record::read_header(header, find)?;
        for (number, input) in inputs.iter().enumerate() {
            let decoded = record::decode(input.kind, &input.bytes);
            decoded.map_err(|source| Misread::Input(number, source))?;
        }
        Ok(Self { facts, settings, inputs })
    }
}

/// Which part of a record is not known here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Misread {
    /// The header.
    #[error(transparent)]
    Header(#[from] HeaderFault),
    /// That input.
    #[error("input {0}: {1}")]
    Input(usize, RecordError),
}
