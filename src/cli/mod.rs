//! Front end 1, plain terminal: one file a subcommand; the only place that prints.

// Every subcommand is handed its own arguments, whether or not it takes them apart.
#![allow(clippy::needless_pass_by_value)]

mod blocks;
mod check;
mod common;
mod completions;
mod console;
mod dev;
mod doctor;
mod hint;
mod lab;
mod list;
mod progress;
mod read;
mod render;
mod server;
mod solution;
mod start;

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use common::{BrokenCourse, Ink, Usage};

/// Exit code of an environment or tool error.
pub const EXIT_TOOL: u8 = 3;
/// Exit code of a usage error.
pub const EXIT_USAGE: u8 = 64;

/// Learn caching by breaking it: lessons, labs and checked exercises on a live Redis.
#[derive(Debug, Parser)]
#[command(
    name = "cachelab",
    version,
    after_help = "Examples:\n  cachelab                                   open the course where you left it\n  \
                  cachelab read week2/locks                  a lesson as text\n  \
                  cachelab lab week2/locks                   its lab, live\n  \
                  cachelab start week2/locks --lang python   begin its exercise\n  \
                  cachelab check week2/locks                 have your program verified\n  \
                  cachelab console --redis redis://localhost a prompt on your own server"
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Options that every subcommand takes.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Your own server (redis://, rediss://, unix://); treated as somebody's data
    #[arg(long, global = true, value_name = "URL", env = "CACHELAB_REDIS_URL", hide_env_values = true)]
    pub redis: Option<String>,
    /// Which rung of the server ladder to use: auto, path, fetch, docker or docker:IMAGE
    #[arg(long, global = true, value_name = "RUNG", default_value = "auto")]
    pub server: String,
    /// Never use the network
    #[arg(long, global = true)]
    pub offline: bool,
    /// A course folder instead of the built-in one
    #[arg(long, global = true, value_name = "DIR")]
    pub course: Option<PathBuf>,
    /// Plain lines: no colours, no drawing, nothing that moves
    #[arg(long, global = true)]
    pub plain: bool,
}

/// How a subcommand prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The weeks and units, with what you have done
    List(list::Args),
    /// Print a lesson
    Read(read::Args),
    /// A Redis console
    Console(console::Args),
    /// Run a lab
    Lab(lab::Args),
    /// Begin an exercise: starter files in a folder of your own
    Start(start::Args),
    /// Verify your program
    Check(check::Args),
    /// A hint, one level at a time
    Hint(hint::Args),
    /// The reference solution
    Solution(solution::Args),
    /// What you have done
    Progress(progress::Args),
    /// Which server would be used and why; what is missing
    Doctor(doctor::Args),
    /// For course authors
    #[command(subcommand)]
    Dev(dev::Command),
    /// Shell completions
    Completions(completions::Args),
}

/// Parses the arguments and runs what they ask for.
pub fn main() -> ExitCode {
    if let Some(code) = crate::process::hidden_main().or_else(crate::server::hidden_main) {
        return code;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { EXIT_USAGE } else { 0 });
        }
    };
    let global = &cli.global;
    let result = match cli.command {
        None => bare(global),
        Some(Command::List(a)) => list::run(a, global),
        Some(Command::Read(a)) => read::run(a, global),
        Some(Command::Console(a)) => console::run(a, global),
        Some(Command::Lab(a)) => lab::run(a, global),
        Some(Command::Start(a)) => start::run(a, global),
        Some(Command::Check(a)) => check::run(a, global),
        Some(Command::Hint(a)) => hint::run(a, global),
        Some(Command::Solution(a)) => solution::run(a, global),
        Some(Command::Progress(a)) => progress::run(a, global),
        Some(Command::Doctor(a)) => doctor::run(a, global),
        Some(Command::Dev(a)) => dev::run(a, global),
        Some(Command::Completions(a)) => completions::run(a, global),
    };
    result.unwrap_or_else(|error| report(&error, global))
}

/// `cachelab` alone: the TUI, or the list where there is no terminal.
fn bare(global: &Global) -> anyhow::Result<ExitCode> {
    if global.plain || !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return list::without_terminal(global);
    }
    crate::tui::run(crate::tui::Options {
        course: std::sync::Arc::new(common::course(global)?),
        store: crate::progress::Store::default_location()?,
        server: server::options(global)?,
        start: None,
        directory: std::env::current_dir().unwrap_or_default(),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Says what went wrong, and with which code to exit.
fn report(error: &anyhow::Error, global: &Global) -> ExitCode {
    let closed = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(closed) {
        // Whoever read our output has seen enough (`cachelab read … | head`).
        return ExitCode::SUCCESS;
    }
    if let Some(BrokenCourse(mistakes)) = error.downcast_ref() {
        let colour = io::stderr().is_terminal() && Ink::of(global).colour;
        for mistake in mistakes {
            eprintln!("{}\n", mistake.render(colour));
        }
    }
    eprintln!("cachelab: {error:#}");
    ExitCode::from(if error.is::<Usage>() { EXIT_USAGE } else { EXIT_TOOL })
}
