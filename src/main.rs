//! The binary: `cordboard serve | call | flow`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

/// Returns memory of finished calls better than the system's allocator does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cordboard::cli::run()
}
