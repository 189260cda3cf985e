//! The report as text: one fact a line, so that it can be pasted into a question.

use std::fmt::Write as _;

use super::{Report, Rung, ServerFacts, machine::Terminal};
use crate::cli::common::Ink;

/// Column where values begin.
const INDENT: usize = 12;

// Writing to a string does not fail.
pub(super) fn text(report: &Report, ink: &Ink) -> String {
    let mut text = String::new();
    let out = &mut text;
    let _ = writeln!(out, "{} {}", ink.paint("1", "cachelab"), report.cachelab);
    heading(out, ink, "Server");
    for rung in &report.ladder {
        line(out, &rung.name, &rung_text(rung, ink));
    }
    if let Some(server) = &report.server {
        server_text(out, server, ink);
    }
    if let Some(error) = &report.error {
        let _ = writeln!(out, "\n{} {error}", ink.paint("31", "error:"));
    }
    heading(out, ink, "Machine");
    line(out, "system", &report.machine.system);
    for tool in &report.machine.tools {
        line(out, tool.name, &if tool.ok { tool.detail.clone() } else { ink.paint("2", &tool.detail) });
    }
    line(out, "terminal", &terminal(&report.machine.terminal));
    let guardian = if report.guardian.ok { ink.paint("32", "ok") } else { ink.paint("31", &report.guardian.detail) };
    line(out, "guardian", &guardian);
    heading(out, ink, "Paths");
    line(out, "progress", &report.paths.progress);
    line(out, "cache", &report.paths.cache);
    line(out, "fetched", &report.paths.fetched_server);
    line(out, "temporary", &report.paths.temporary);
    text
}

fn heading(out: &mut String, ink: &Ink, text: &str) {
    let _ = writeln!(out, "\n{}", ink.paint("1", text));
}

/// A name and its value; further lines of the value stay below its first.
fn line(out: &mut String, name: &str, value: &str) {
    let mut lines = value.lines();
    let _ = writeln!(out, "  {name:<width$}{}", lines.next().unwrap_or_default(), width = INDENT - 2);
    for more in lines {
        let _ = writeln!(out, "{:INDENT$}{}", "", more.trim_start());
    }
}

fn rung_text(rung: &Rung, ink: &Ink) -> String {
    match rung.state {
        "taken" => format!("{} {}", ink.paint("32", "taken:"), rung.detail),
        "not" => format!("no: {}", rung.detail),
        _ => ink.paint("2", "not needed"),
    }
}

fn server_text(out: &mut String, server: &ServerFacts, ink: &Ink) {
    let compatible = if server.version == server.redis_version {
        String::new()
    } else {
        format!(", compatible with Redis {}", server.redis_version)
    };
    line(out, "version", &format!("{} {}{compatible}", server.name, server.version));
    let whose = if server.private { "private" } else { "yours: only keys under cachelab: are touched" };
    line(out, "address", &format!("{} ({whose})", server.address));
    line(out, "ready in", &format!("{} ms", server.start_ms));
    line(out, "PING", &format!("p50 {} us, p99 {} us", server.ping_p50_us, server.ping_p99_us));
    let titles = |present: Option<bool>| {
        let features = server.features.iter().filter(move |feature| feature.present == present);
        features.map(move |feature| match present {
            Some(false) => format!("{} {}", feature.title, ink.paint("2", &format!("(has it: {})", feature.remedy))),
            _ => feature.title.to_owned(),
        })
    };
    for (name, present) in [("has", Some(true)), ("lacks", Some(false)), ("unknown", None)] {
        let titles: Vec<String> = titles(present).collect();
        if !titles.is_empty() {
            line(out, name, &titles.join("\n"));
        }
    }
}

fn terminal(terminal: &Terminal) -> String {
    if !terminal.interactive {
        return "none: output goes to a file or a pipe".into();
    }
    let colours = match (terminal.no_color, terminal.colorterm.as_str()) {
        (true, _) => "NO_COLOR".to_owned(),
        (false, "") => "no COLORTERM".to_owned(),
        (false, colorterm) => colorterm.to_owned(),
    };
    let encoding = if terminal.utf8 { "UTF-8" } else { "no UTF-8" };
    format!("{}x{}, {}, {colours}, {encoding}", terminal.columns, terminal.rows, terminal.term)
}
