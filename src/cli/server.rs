//! Getting the server for a subcommand: options from the global flags, progress on stderr.
//!
//! Owns: how waiting for a server is shown. Must not know what the server is for.

use std::{io::IsTerminal, time::Duration};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

use super::{Global, common::Usage};
use crate::server::{self, Options, Progress, Rung, RungKind, Server, ServerError};

/// What the global flags ask of the server ladder.
pub(super) fn options(global: &Global) -> Result<Options> {
    let rung: Rung = global.server.parse().map_err(|error| Usage(format!("--server: {error}")))?;
    Ok(Options {
        url: global.redis.clone().filter(|url| !url.is_empty()),
        rung,
        offline: global.offline,
        ..Options::default()
    })
}

/// Starts a server and shows on stderr what takes long: a bar on a terminal, else a line.
pub(super) async fn start(options: &Options, global: &Global) -> Result<Server> {
    Ok(climb(options, global).await?)
}

/// As [`start`], with the ladder's own error.
pub(super) async fn climb(options: &Options, global: &Global) -> Result<Server, ServerError> {
    let mut shown = Shown { drawing: !global.plain && std::io::stderr().is_terminal(), bar: None, told: None };
    let result = server::start(options, &mut |progress| shown.show(&progress)).await;
    if let Some(bar) = shown.bar {
        bar.finish_and_clear();
    }
    result
}

struct Shown {
    drawing: bool,
    bar: Option<ProgressBar>,
    /// What was said last, so that a line is said once.
    told: Option<String>,
}

impl Shown {
    fn show(&mut self, progress: &Progress) {
        let (text, bytes) = match progress {
            Progress::Fetching { what, bytes, total } => (format!("fetching {what}"), Some((*bytes, *total))),
            Progress::Container { image } => (format!("starting a container from {image}"), None),
            Progress::Trying(RungKind::Docker) => ("asking Docker".to_owned(), None),
            // These take milliseconds.
            Progress::Trying(_) | Progress::Starting(_) => {
                if let Some(bar) = self.bar.take() {
                    bar.finish_and_clear();
                }
                return;
            }
        };
        if self.drawing {
            self.draw(text, bytes);
        } else if self.told.as_ref() != Some(&text) {
            eprintln!("cachelab: {text}");
            self.told = Some(text);
        }
    }

    fn draw(&mut self, text: String, bytes: Option<(u64, Option<u64>)>) {
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::new_spinner();
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        if let Some((bytes, total)) = bytes {
            if let Some(total) = total.filter(|total| bar.length() != Some(*total)) {
                bar.set_length(total);
                if let Ok(style) = ProgressStyle::with_template("{msg} {bar:24} {bytes}/{total_bytes}") {
                    bar.set_style(style);
                }
            }
            bar.set_position(bytes);
        }
        bar.set_message(text);
    }
}
