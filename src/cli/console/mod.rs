//! The console without the TUI: a prompt on a terminal; from a pipe or with a command as arguments,
//! what redis-cli does with the same.

mod editor;
mod style;
mod terminal;

use std::{
    io::{self, BufRead, BufWriter, IsTerminal, Read, Write},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;

use super::Global;
use crate::{
    console::{
        batch::{Batch, BatchOptions, Flow, Format},
        format::{Delimiters, JsonMode},
    },
    server,
};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cachelab console
  cachelab console --redis redis://127.0.0.1:6379 GET greeting
  cachelab console --no-raw < commands.txt
  echo -n value | cachelab console -x SET key")]
pub struct Args {
    /// Print as on a terminal, also when it is none
    #[arg(long)]
    no_raw: bool,
    /// Print strings as they are (the default when the output is no terminal)
    #[arg(long, conflicts_with = "no_raw")]
    raw: bool,
    /// Print CSV
    #[arg(long, conflicts_with_all = ["no_raw", "raw"])]
    csv: bool,
    /// Print JSON (speaks RESP3 unless -2 is given)
    #[arg(long, conflicts_with_all = ["no_raw", "raw", "csv"])]
    json: bool,
    /// Print ASCII JSON with redis-cli's escapes in its strings
    #[arg(long, conflicts_with_all = ["no_raw", "raw", "csv", "json"])]
    quoted_json: bool,
    /// Speak RESP2
    #[arg(short = '2')]
    resp2: bool,
    /// Speak RESP3
    #[arg(short = '3', conflicts_with = "resp2")]
    resp3: bool,
    /// Select a database
    #[arg(short = 'n', value_name = "DB")]
    database: Option<u32>,
    /// Run the command so many times; -1: for ever
    #[arg(short, value_name = "TIMES", allow_negative_numbers = true)]
    repeat: Option<i64>,
    /// Wait so many seconds between repetitions
    #[arg(short, value_name = "SECONDS", default_value_t = 0.0)]
    interval: f64,
    /// Take the last argument from standard input
    #[arg(short = 'x')]
    stdin_argument: bool,
    /// End with exit code 1 on an error reply, which goes to standard error
    #[arg(short = 'e')]
    exit_on_error: bool,
    /// Delimiter between elements with --raw
    #[arg(short = 'd', value_name = "DELIMITER")]
    delimiter: Option<String>,
    /// Delimiter after each reply with --raw
    #[arg(short = 'D', value_name = "DELIMITER")]
    reply_delimiter: Option<String>,
    /// Read the command's arguments as quoted words
    #[arg(long)]
    quoted_input: bool,
    /// Print messages that no command asked for (yes or no)
    #[arg(long, value_name = "YES/NO", alias = "show-push")]
    show_pushes: Option<String>,
    /// A command; without one, lines are read from standard input
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Runs the subcommand.
pub fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let person = args.command.is_empty() && io::stdin().is_terminal() && io::stdout().is_terminal();
    if !person {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        return runtime.context("starting the runtime")?.block_on(batch(args, global));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.context("starting the runtime")?;
    let server = runtime.block_on(start(global))?;
    let endpoint = args.endpoint(&server);
    let look = terminal::Look {
        colour: super::common::Ink::of(global).colour,
        resp3: args.resp3,
        history: crate::console::default_history_file(),
    };
    let result = terminal::run(&runtime, &endpoint, &look);
    runtime.block_on(server.stop());
    result
}

async fn start(global: &Global) -> anyhow::Result<server::Server> {
    let options = server::Options {
        url: global.redis.clone(),
        rung: global.server.parse()?,
        offline: global.offline,
        ..server::Options::default()
    };
    Ok(server::start(&options, &mut |_| {}).await?)
}

impl Args {
    fn endpoint(&self, server: &server::Server) -> server::Endpoint {
        let mut endpoint = server.endpoint().clone();
        endpoint.database = self.database.unwrap_or(endpoint.database);
        endpoint
    }

    fn format(&self) -> Format {
        let delimiters = Delimiters {
            element: self.delimiter.as_ref().map_or_else(|| b"\n".to_vec(), |text| text.clone().into_bytes()),
            reply: self.reply_delimiter.as_ref().map_or_else(|| b"\n".to_vec(), |text| text.clone().into_bytes()),
        };
        if self.json || self.quoted_json {
            return Format::Json(if self.json { JsonMode::Plain } else { JsonMode::Quoted });
        }
        if self.csv {
            return Format::Csv;
        }
        let standard = self.no_raw || (io::stdout().is_terminal() && !self.raw);
        if standard { Format::Standard } else { Format::Raw(delimiters) }
    }

    fn batch_options(&self) -> BatchOptions {
        let terminal = io::stdout().is_terminal();
        BatchOptions {
            format: self.format(),
            resp3: self.resp3 || ((self.json || self.quoted_json) && !self.resp2),
            interval: Duration::try_from_secs_f64(self.interval).unwrap_or_default(),
            exit_on_error: self.exit_on_error,
            show_pushes: self.show_pushes.as_deref().map_or(terminal, |text| text.eq_ignore_ascii_case("yes")),
        }
    }
}

async fn batch(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let server = start(global).await?;
    let endpoint = args.endpoint(&server);
    let out = BufWriter::with_capacity(1 << 16, io::stdout());
    let (mut batch, refused) = Batch::connect(endpoint, args.batch_options(), out, io::stderr()).await?;
    for sentence in refused {
        eprintln!("{sentence}");
    }
    let flow = if args.command.is_empty() { lines(&mut batch).await } else { command(&args, &mut batch).await };
    server.stop().await;
    match flow {
        Ok(Flow::Failed) => Ok(ExitCode::FAILURE),
        Ok(_) => Ok(ExitCode::SUCCESS),
        // Whoever read our output has gone.
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

async fn lines(batch: &mut Batch<impl Write, impl Write>) -> anyhow::Result<Flow> {
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(Flow::Quit);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        match batch.line(&line).await? {
            Flow::Continue => {}
            flow => return Ok(flow),
        }
    }
}

async fn command(args: &Args, batch: &mut Batch<impl Write, impl Write>) -> anyhow::Result<Flow> {
    let mut arguments = Vec::new();
    for word in &args.command {
        let word = word.as_bytes();
        arguments.push(if args.quoted_input {
            crate::console::batch::unquote(word)
                .with_context(|| format!("not one quoted word: {}", String::from_utf8_lossy(word)))?
        } else {
            word.to_vec()
        });
    }
    if args.stdin_argument {
        let mut last = Vec::new();
        io::stdin().lock().read_to_end(&mut last)?;
        arguments.push(last);
    }
    let repeat = match args.repeat {
        None => Some(1),
        Some(times) => u64::try_from(times).ok(),
    };
    Ok(batch.command(arguments, repeat).await?)
}
