//! For course authors: validate a whole course.

use std::process::ExitCode;

use super::Global;

/// `cachelab dev …`.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Validate a whole course
    Check {},
}

/// Runs the subcommand.
pub fn run(_command: Command, _global: &Global) -> anyhow::Result<ExitCode> {
    anyhow::bail!("being built")
}
