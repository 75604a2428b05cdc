//! The binary: `cordboard serve | call | talk | flow`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

/// Returns memory of finished calls better than the system's allocator does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Chosen before anything could ask for one: rustls has no default with several providers.
    let _ = rustls::crypto::ring::default_provider().install_default();
    cordboard::cli::run()
}
