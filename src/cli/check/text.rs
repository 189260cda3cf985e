//! A check for people: one line a check as it is judged, then what failed and why.

use std::io::{self, IsTerminal, Write};

use super::{End, Global};
use crate::{
    check::{
        CheckEvent, CheckResult, Failure, Report, Verdict,
        lanes::{self, Drawing, Tint},
    },
    cli::common::{Ink, printable},
    course::{Exercise, Unit},
};

const GREEN: &str = "32";
const RED: &str = "1;31";
const YELLOW: &str = "33";
const DIM: &str = "2";
const BOLD: &str = "1";

/// What is shown while a run goes on.
pub(super) struct Live {
    /// Anything at all.
    on: bool,
    output: bool,
    ink: Ink,
    /// A line that is written over.
    moving: bool,
    standing: bool,
}

impl Live {
    pub(super) fn new(on: bool, output: bool, global: &Global) -> Self {
        let ink = Ink::of(global);
        let moving = on && !global.plain && io::stdout().is_terminal() && ink.colour;
        Self { on, output, ink, moving, standing: false }
    }

    /// Takes the moving line away.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.standing) {
            write!(io::stdout(), "\r\x1b[2K")?;
            io::stdout().flush()?;
        }
        Ok(())
    }

    fn moving(&mut self, text: &str) -> io::Result<()> {
        if self.moving {
            let line: String = printable(text).chars().take(self.ink.width.saturating_sub(4)).collect();
            write!(io::stdout(), "\r\x1b[2K  {}", self.ink.paint(DIM, &line))?;
            io::stdout().flush()?;
            self.standing = true;
        }
        Ok(())
    }

    fn line(&mut self, text: &str) -> io::Result<()> {
        self.clear()?;
        if self.on {
            writeln!(io::stdout(), "{text}")?;
            io::stdout().flush()?;
        }
        Ok(())
    }

    pub(super) fn show(&mut self, event: &CheckEvent) -> io::Result<()> {
        match event {
            CheckEvent::Started { exercise, folder, seed, .. } => {
                let folder = printable(&folder.display().to_string());
                let rest = self.ink.paint(DIM, &format!("{folder}  seed {seed}"));
                self.line(&format!("{}  {rest}", self.ink.paint(BOLD, exercise)))
            }
            CheckEvent::Phase { text } if self.moving => self.moving(text),
            CheckEvent::Phase { text } => self.line(&format!("  {}", printable(text))),
            CheckEvent::CheckStarted { check } => self.moving(check),
            CheckEvent::Progress { check, text } => self.moving(&format!("{check}: {text}")),
            CheckEvent::CheckFinished { result } => {
                let text = verdict_line(result, self.ink);
                self.line(&text)
            }
            CheckEvent::Output { instance, stream, line } if self.output => {
                let text = self.ink.paint(DIM, &format!("  [{instance} {stream}] {}", printable(line)));
                self.line(&text)
            }
            _ => Ok(()),
        }
    }
}

fn verdict_line(result: &CheckResult, ink: Ink) -> String {
    let (style, word, more) = match &result.verdict {
        Verdict::Pass { coverage } => (GREEN, "pass", coverage.as_str()),
        Verdict::Fail(failure) => (RED, "FAIL", failure.why.as_str()),
        Verdict::Inconclusive { reason } => (YELLOW, "unsure", reason.as_str()),
        Verdict::Skipped { because } => (DIM, "skip", because.as_str()),
        Verdict::Broken { reason, .. } => (RED, "BROKEN", reason.as_str()),
    };
    let took = if matches!(result.verdict, Verdict::Skipped { .. }) {
        String::new()
    } else {
        format!("{:.1} s", result.took.as_secs_f64())
    };
    let head = format!(
        "{} {:<15} {}  {}",
        ink.paint(style, &format!("{word:<6}")),
        result.check,
        result.title,
        ink.paint(DIM, &took)
    );
    let indent = " ".repeat(7);
    let more = textwrap::fill(
        &printable(more),
        textwrap::Options::new(ink.width).initial_indent(&indent).subsequent_indent(&indent),
    );
    format!("{}\n{}", head.trim_end(), ink.paint(DIM, &more))
}

/// What is said when all is over.
pub(super) fn end(out: &mut dyn Write, of: Option<(&Unit, &Exercise)>, end: &End, global: &Global) -> io::Result<()> {
    let ink = Ink::of(global);
    match end {
        End::Cancelled => writeln!(out, "cancelled; nothing is left running"),
        End::Aborted { ours, text, output } => {
            let whose =
                if *ours { "No verdict: the machine or cachelab failed" } else { "The program could not be checked" };
            writeln!(out, "\n{}\n{}", ink.paint(RED, whose), indented(text, ink, "  "))?;
            last_lines(out, output, ink)
        }
        End::Report(report) => {
            for result in &report.results {
                match &result.verdict {
                    Verdict::Fail(failure) => failed(out, report, result, failure, of, ink)?,
                    Verdict::Broken { reason, output } => {
                        writeln!(
                            out,
                            "\n{} {}#{}  {}",
                            ink.paint(RED, "BROKEN"),
                            report.exercise,
                            result.check,
                            result.title
                        )?;
                        writeln!(out, "{}", indented(reason, ink, "  "))?;
                        last_lines(out, output, ink)?;
                    }
                    _ => {}
                }
            }
            summary(out, report, ink)
        }
    }
}

fn failed(
    out: &mut dyn Write,
    report: &Report,
    result: &CheckResult,
    failure: &Failure,
    of: Option<(&Unit, &Exercise)>,
    ink: Ink,
) -> io::Result<()> {
    writeln!(
        out,
        "\n{} {}#{}  {}",
        ink.paint(RED, "FAIL"),
        report.exercise,
        result.check,
        ink.paint(BOLD, &result.title)
    )?;
    writeln!(out, "{}", indented(&failure.why, ink, "  "))?;
    for line in &failure.evidence {
        writeln!(out, "{}", indented(line, ink, "  · "))?;
    }
    if let Some(example) = &failure.counterexample {
        writeln!(out, "\n  {}", ink.paint(DIM, &printable(&example.headline)))?;
        let drawing = Drawing { width: ink.width.saturating_sub(2), ascii: !ink.drawing };
        for line in lanes::draw(example, drawing) {
            let text: String = line.iter().map(|(tint, text)| ink.paint(style(*tint), text)).collect();
            writeln!(out, "  {}", text.trim_end())?;
        }
        writeln!(out)?;
    }
    if let Some(mistake) = &failure.looks_like {
        writeln!(out, "{}", indented(mistake, ink, "  This looks like: "))?;
    }
    writeln!(out, "{}", indented(&failure.advice, ink, "  Try: "))?;
    let lesson = of.and_then(|(_, exercise)| exercise.check(&result.check)?.lesson.clone());
    if let Some(heading) = lesson {
        writeln!(out, "  Read again: \"{heading}\" in cachelab read {}", report.exercise)?;
    }
    write!(out, "  A hint: cachelab hint {}#{}", report.exercise, result.check)?;
    match &failure.replay {
        Some(id) => writeln!(out, "   Again: cachelab check {} --replay {id}", report.exercise),
        None => writeln!(out),
    }
}

fn style(tint: Tint) -> &'static str {
    match tint {
        Tint::Plain => "",
        Tint::Dim => DIM,
        Tint::Heading => BOLD,
        Tint::Command => "36",
        Tint::Origin => "35",
        Tint::Request => "34",
        Tint::Reply => GREEN,
        Tint::Fault => YELLOW,
        Tint::Note => "3",
        Tint::Violation => RED,
    }
}

fn summary(out: &mut dyn Write, report: &Report, ink: Ink) -> io::Result<()> {
    let count = |f: fn(&Verdict) -> bool| report.results.iter().filter(|r| f(&r.verdict)).count();
    let passed = count(|v| matches!(v, Verdict::Pass { .. }));
    let (style, word) = match report.exit_code() {
        0 => (GREEN, "passed"),
        1 => (RED, "failed"),
        _ => (YELLOW, "could not tell; run it again"),
    };
    let text = format!(
        "{passed} of {} checks passed in {:.1} s on {}",
        report.results.len(),
        report.took.as_secs_f64(),
        report.server
    );
    writeln!(out, "\n{}  {}", ink.paint(style, &format!("{}: {word}", report.exercise)), ink.paint(DIM, &text))
}

fn last_lines(out: &mut dyn Write, output: &[String], ink: Ink) -> io::Result<()> {
    if output.is_empty() {
        return Ok(());
    }
    writeln!(out, "  Last lines of the program:")?;
    for line in output {
        writeln!(out, "  {} {}", ink.paint(DIM, "|"), printable(line))?;
    }
    Ok(())
}

/// Wrapped, with a first indent that the following lines keep as blanks. Lines that are laid out stay as they are.
fn indented(text: &str, ink: Ink, first: &str) -> String {
    let text = printable(text);
    let rest = " ".repeat(first.chars().count().min(4));
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let begin = if index == 0 { first } else { &rest };
        if line.starts_with(' ') || line.contains(" | ") {
            lines.push(format!("{begin}{line}"));
        } else {
            lines.push(textwrap::fill(
                line,
                textwrap::Options::new(ink.width).initial_indent(begin).subsequent_indent(&rest),
            ));
        }
    }
    lines.join("\n")
}
