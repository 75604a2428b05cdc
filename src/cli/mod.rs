//! The command line: one file a command.

mod check;
mod exact;
mod flow;
mod humans;
mod models;
mod place;
mod pull;
mod reach;
mod replay;
mod serve;
mod talk;
mod timelines;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::settings::Settings;

/// A voice contact centre in one binary.
#[derive(Debug, Parser)]
#[command(name = "cordboard", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer the phone.
    Serve {
        /// TOML file of settings; see cordboard.example.toml. CORDBOARD_* variables override it.
        #[arg(short, long)]
        config: Option<PathBuf>,
    },
    /// Place one call that meets the flow of a route, and wait for its end.
    Call {
        /// Whom to call: sip:user@host:port. It must be among sip.destinations.
        uri: String,
        /// The route whose flow the called person meets.
        #[arg(long, default_value = "*")]
        route: String,
        /// TOML file of settings.
        #[arg(short, long)]
        config: Option<PathBuf>,
    },
    /// Talk to a flow at this machine's sound card; keys are typed, Ctrl-C hangs up.
    Talk {
        /// The flow's YAML file; without it, the route's.
        #[arg(long)]
        flow: Option<PathBuf>,
        /// The route whose flow is met.
        #[arg(long, default_value = "*")]
        route: String,
        /// TOML file of settings.
        #[arg(short, long)]
        config: Option<PathBuf>,
    },
    /// Check settings and all that they name; every fault is told with its remedy.
    Check {
        /// TOML file of settings.
        config: Option<PathBuf>,
        /// Tell it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the OpenAPI document of the HTTP side.
    Openapi,
    /// Look after weights and engines.
    Models {
        #[command(subcommand)]
        command: models::ModelsCommand,
    },
    /// Place scenarios on whoever answers and score what came; play recorded calls again; tune
    /// turn-taking.
    Replay(Box<replay::ReplayArguments>),
    /// Look after flows.
    Flow {
        #[command(subcommand)]
        command: FlowCommand,
    },
}

#[derive(Debug, Subcommand)]
enum FlowCommand {
    /// Check a flow; every fault is told with file, line and remedy.
    Check {
        /// The flow's YAML file.
        file: PathBuf,
    },
    /// Print the JSON Schema of the format.
    Schema,
}

/// Runs the command that the process was given.
#[must_use]
pub fn run() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Serve { config } => serve::serve(config.as_deref()),
        Command::Call { uri, route, config } => {
            settings(config.as_deref()).and_then(|settings| serve::call(settings, &uri, &route))
        }
        Command::Talk { flow, route, config } => {
            talk::talk(flow.as_deref(), &route, config.as_deref())
        }
        Command::Check { config, json } => check::check(config.as_deref(), json),
        Command::Openapi => {
            say(&format!("{:#}", crate::api::openapi()));
            Ok(())
        }
        Command::Models { command } => models::run(command),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Flow { command: FlowCommand::Check { file } } => flow::check(&file),
        Command::Flow { command: FlowCommand::Schema } => flow::schema(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            say_error(&fault.to_string());
            ExitCode::FAILURE
        }
    }
}

/// What a command fails with: its text says what to do.
type Fault = Box<dyn std::error::Error + Send + Sync>;

fn settings(config: Option<&Path>) -> Result<Settings, Fault> {
    Ok(Settings::load(config, std::env::vars())?)
}

fn say(line: &str) {
    use std::io::Write;
    // Whoever reads may have gone; the command goes on.
    drop(writeln!(std::io::stdout(), "{line}"));
}

fn say_error(line: &str) {
    use std::io::Write;
    drop(writeln!(std::io::stderr(), "error: {line}"));
}
