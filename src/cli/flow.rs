//! `cordboard flow check` and `cordboard flow schema`.

use std::path::Path;

use super::{Fault, say};
use crate::conversation::flow;

/// Checks a flow and tells every fault.
pub(super) fn check(file: &Path) -> Result<(), Fault> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("{name} cannot be read: {error}; name a flow's YAML file"))?;
    match flow::check(&text, &name) {
        Ok(summary) => {
            say(&format!("{name} is well: {summary}"));
            Ok(())
        }
        Err(faults) => {
            for fault in &faults {
                say(&fault.to_string());
            }
            let count = faults.len();
            Err(format!("{name} has {count} fault{}", if count == 1 { "" } else { "s" }).into())
        }
    }
}

/// Prints the JSON Schema of flows.
pub(super) fn schema() -> Result<(), Fault> {
    say(&serde_json::to_string_pretty(&flow::schema())?);
    Ok(())
}
