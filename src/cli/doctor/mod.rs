//! The server ladder and the machine: what would be used and why, and what a lab would lack.
//!
//! Owns: gathering the facts (here, `machine`) and printing them (`print`). Changes nothing: on a
//! borrowed server only commands that read are sent.

mod machine;
mod print;

use std::{
    io::Write,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{EXIT_TOOL, Global, common::Ink, server as ladder};
use crate::{
    process, progress,
    server::{self, Feature, Outcome, RungKind, Server, ServerError},
};

/// PINGs whose times are reported.
const PINGS: usize = 200;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Keep the server for this many seconds after the report; for tests
    #[arg(long, hide = true, default_value_t = 0)]
    hold: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For a person
    Text,
    /// For a program
    Json,
}

/// All that is found.
#[derive(Debug, Serialize)]
struct Report {
    cachelab: &'static str,
    /// The four rungs.
    ladder: Vec<Rung>,
    /// Absent when no server can be had; then `error` says why.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<ServerFacts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    guardian: Check,
    paths: Paths,
    machine: machine::Machine,
}

#[derive(Debug, Serialize)]
struct Rung {
    #[serde(rename = "rung")]
    name: String,
    /// `taken`, `not` or `unneeded`.
    state: &'static str,
    detail: String,
}

#[derive(Debug, Serialize)]
struct ServerFacts {
    name: String,
    version: String,
    redis_version: String,
    private: bool,
    address: String,
    /// From asking the ladder to the first answer.
    start_ms: f64,
    ping_p50_us: f64,
    ping_p99_us: f64,
    features: Vec<FeatureFacts>,
}

#[derive(Debug, Serialize)]
struct FeatureFacts {
    id: &'static str,
    title: &'static str,
    /// `null` where it can't be seen.
    present: Option<bool>,
    remedy: &'static str,
}

/// Something that works or does not.
#[derive(Debug, Serialize)]
struct Check {
    ok: bool,
    detail: String,
}

#[derive(Debug, Serialize)]
struct Paths {
    progress: String,
    cache: String,
    fetched_server: String,
    temporary: String,
}

/// Runs the subcommand.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let options = ladder::options(global)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let begun = Instant::now();
        let started = ladder::climb(&options, global).await;
        let start = begun.elapsed();
        let (report, server) = examine(started, start).await;
        let text = match args.format {
            Format::Text => print::text(&report, &Ink::of(global)),
            Format::Json => serde_json::to_string_pretty(&report)? + "\n",
        };
        // Whoever reads us may stop reading (`| head`): no reason to fail, or to leave a server behind.
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        drop(out);
        let found = report.server.is_some();
        if let Some(server) = server {
            hold(args.hold).await;
            server.stop().await;
        }
        Ok(if found { ExitCode::SUCCESS } else { ExitCode::from(EXIT_TOOL) })
    })
}

async fn examine(started: Result<Server, ServerError>, start: Duration) -> (Report, Option<Server>) {
    let guardian = guardian();
    let machine = machine::look().await;
    let mut report = Report {
        cachelab: env!("CARGO_PKG_VERSION"),
        ladder: Vec::new(),
        server: None,
        error: None,
        guardian,
        paths: paths(),
        machine,
    };
    let server = match started {
        Ok(server) => server,
        Err(error) => {
            report.ladder = match &error {
                ServerError::NoServer(ladder) => rungs(&ladder.steps),
                // A given URL that does not work is an error at once.
                _ => vec![Rung { name: RungKind::Url.to_string(), state: "not", detail: error.to_string() }],
            };
            report.error = Some(error.to_string());
            return (report, None);
        }
    };
    report.ladder = rungs(&server.ladder().steps);
    match facts(&server, start).await {
        Ok(facts) => report.server = Some(facts),
        Err(error) => report.error = Some(error.to_string()),
    }
    (report, Some(server))
}

async fn facts(server: &Server, start: Duration) -> Result<ServerFacts, ServerError> {
    let endpoint = server.endpoint();
    let mut connection = endpoint.client()?.get_multiplexed_async_connection().await?;
    let features = server.features().await?;
    let mut times = Vec::with_capacity(PINGS);
    for _ in 0..PINGS {
        let begun = Instant::now();
        redis::cmd("PING").exec_async(&mut connection).await?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let micros = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1e6;
    Ok(ServerFacts {
        name: endpoint.flavour.name.clone(),
        version: endpoint.flavour.version.to_string(),
        redis_version: endpoint.redis_version.to_string(),
        private: endpoint.is_private(),
        address: shown(Path::new(&endpoint.address_text())),
        start_ms: round(start.as_secs_f64() * 1e3),
        ping_p50_us: round(micros(50)),
        ping_p99_us: round(micros(99)),
        features: features.into_iter().map(FeatureFacts::from).collect(),
    })
}

/// One decimal is as precise as these are.
fn round(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

impl From<Feature> for FeatureFacts {
    fn from(feature: Feature) -> Self {
        let Feature { id, title, present, remedy } = feature;
        Self { id, title, present, remedy }
    }
}

fn rungs(steps: &[server::Step]) -> Vec<Rung> {
    let rung = |step: &server::Step| {
        let (state, detail) = match &step.outcome {
            Outcome::Taken(what) => ("taken", what.clone()),
            Outcome::Not(reason) => ("not", reason.clone()),
            Outcome::Unneeded => ("unneeded", String::new()),
        };
        Rung { name: step.rung.to_string(), state, detail: homely(&detail) }
    };
    steps.iter().map(rung).collect()
}

fn guardian() -> Check {
    match process::guardian_alive() {
        Ok(()) => Check { ok: true, detail: "runs".into() },
        Err(error) => Check { ok: false, detail: error.to_string() },
    }
}

fn paths() -> Paths {
    let or_error = |path: Result<std::path::PathBuf, String>| path.map_or_else(|error| error, |path| shown(&path));
    let text = |error: ServerError| error.to_string();
    Paths {
        progress: or_error(
            progress::Store::default_location().map(|store| store.path()).map_err(|error| error.to_string()),
        ),
        cache: or_error(server::cache_dir().map_err(text)),
        fetched_server: match server::fetched_path() {
            Ok(path) if path.exists() => shown(&path),
            Ok(path) => format!("{} (not there)", shown(&path)),
            Err(error) => error.to_string(),
        },
        temporary: shown(&std::env::temp_dir()),
    }
}

/// A path as a person writes it: with `~` for the home folder, as a report may be pasted in public.
fn shown(path: &Path) -> String {
    homely(&path.display().to_string())
}

fn homely(text: &str) -> String {
    match std::env::var("HOME") {
        Ok(home) if home.len() > 1 => text.replace(&home, "~"),
        _ => text.to_owned(),
    }
}

/// Until the time is over.
async fn hold(seconds: u64) {
    if seconds > 0 {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
}
