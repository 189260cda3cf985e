//! Facts about the machine: languages an exercise can be solved in, Docker, the terminal.

use std::{io::IsTerminal, time::Duration};

use serde::Serialize;

use crate::process::{self, Group, Spawn, visible};

/// How long a tool may take to say its version.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a tool is for, and how it says its version.
const TOOLS: [(&str, &[&str]); 7] = [
    ("python3", &["--version"]),
    ("uv", &["--version"]),
    ("node", &["--version"]),
    ("npm", &["--version"]),
    ("go", &["version"]),
    ("cargo", &["--version"]),
    ("docker", &["version", "--format", "client {{.Client.Version}}, engine {{.Server.Version}}"]),
];

/// Facts about the machine.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    pub(super) system: String,
    pub(super) tools: Vec<Tool>,
    pub(super) terminal: Terminal,
}

/// A program an exercise or a rung may need.
#[derive(Debug, Serialize)]
pub(super) struct Tool {
    pub(super) name: &'static str,
    /// On PATH, and it said its version.
    pub(super) ok: bool,
    /// What it said, or why not.
    pub(super) detail: String,
}

/// Where we print.
#[derive(Debug, Serialize)]
pub(super) struct Terminal {
    pub(super) interactive: bool,
    pub(super) columns: u16,
    pub(super) rows: u16,
    pub(super) term: String,
    pub(super) colorterm: String,
    pub(super) no_color: bool,
    pub(super) utf8: bool,
}

pub(super) async fn look() -> Machine {
    let tools = futures_util::future::join_all(TOOLS.map(|(name, args)| tool(name, args))).await;
    let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    Machine { system, tools, terminal: terminal() }
}

async fn tool(name: &'static str, args: &[&str]) -> Tool {
    let (ok, detail) = match version(name, args).await {
        Ok(detail) => (true, detail),
        Err(detail) => (false, detail),
    };
    Tool { name, ok, detail }
}

async fn version(name: &str, args: &[&str]) -> Result<String, String> {
    let program = process::find_on_path(name).ok_or("not on PATH")?;
    let mut group =
        Group::spawn(&Spawn::new(program, "/").args(args.iter().copied())).await.map_err(|error| error.to_string())?;
    let Ok(status) = tokio::time::timeout(PATIENCE, group.wait()).await else {
        return Err(format!("does not answer within {} s", PATIENCE.as_secs()));
    };
    let mut said = group.tail(20).into_iter().filter(|line| !line.trim().is_empty());
    if status.success() {
        return Ok(said.next().unwrap_or_default());
    }
    // A tool that fails says why last.
    Err(said.next_back().unwrap_or_else(|| status.to_string()))
}

fn terminal() -> Terminal {
    let variable = |name: &str| visible(std::env::var_os(name).unwrap_or_default().as_encoded_bytes());
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok();
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].map(variable).into_iter().find(|value| !value.is_empty());
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    Terminal {
        interactive: std::io::stdout().is_terminal() && std::io::stdin().is_terminal(),
        columns: size.as_ref().map_or(0, |size| size.ws_col),
        rows: size.as_ref().map_or(0, |size| size.ws_row),
        term: variable("TERM"),
        colorterm: variable("COLORTERM"),
        no_color: !variable("NO_COLOR").is_empty(),
        utf8: locale.contains("utf-8") || locale.contains("utf8") || cfg!(target_os = "macos"),
    }
}
