//! Shell completions.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Global};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cachelab completions bash > ~/.local/share/bash-completion/completions/cachelab\n  \
                        cachelab completions zsh > \"${fpath[1]}/_cachelab\"\n  \
                        cachelab completions fish > ~/.config/fish/completions/cachelab.fish"
)]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Runs the subcommand.
pub fn run(args: Args, _global: &Global) -> anyhow::Result<ExitCode> {
    // Rendered into memory first: the generator panics when its writer fails, and a pipe may be closed.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "cachelab", &mut script);
    io::stdout().lock().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}
