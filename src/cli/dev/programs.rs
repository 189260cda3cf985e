//! Every program in `right/` is accepted, every one in `wrong/` rejected by the check that it names and no other.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Report;
use crate::{
    check::{self, CheckEvent, CheckOptions, Verdict},
    course::{Course, Exercise, ProgramKind, Unit, starter},
};

/// The engine bounds every wait; one that says nothing for so long is broken itself.
const PATIENCE: Duration = Duration::from_secs(300);

/// How a run ended.
enum Outcome {
    Judged(check::Report),
    Aborted { ours: bool, text: Vec<String> },
}

/// Verifies each known program of each unit, one after the other.
pub(super) async fn check(course: &Course, units: &[&Unit], report: &mut Report) -> Result<()> {
    for unit in units {
        let Some(exercise) = unit.lab.as_ref().and_then(|lab| lab.exercise.as_ref()) else { continue };
        for right in &exercise.right {
            let name = right.program.get_ref();
            let began = Instant::now();
            let outcome = verify(course, unit, exercise, ProgramKind::Right, name).await?;
            accepted(&format!("{}, right/{name}", unit.id), outcome, began.elapsed(), report)?;
        }
        for wrong in &exercise.wrong {
            let name = wrong.program.get_ref();
            let began = Instant::now();
            let outcome = verify(course, unit, exercise, ProgramKind::Wrong, name).await?;
            let what = format!("{}, wrong/{name}", unit.id);
            rejected(&what, wrong.check.get_ref(), outcome, began.elapsed(), report)?;
        }
    }
    Ok(())
}

/// Runs all checks on a copy of the program.
async fn verify(course: &Course, unit: &Unit, exercise: &Exercise, kind: ProgramKind, name: &str) -> Result<Outcome> {
    let folder = tempfile::Builder::new().prefix("cachelab-").tempdir().context("no temporary folder")?;
    let files = course.program(&unit.id, kind, name)?;
    starter::write_new(folder.path(), &files)?;
    let mut run = check::start(&unit.id, exercise, folder.path(), CheckOptions::default());
    loop {
        let event = tokio::time::timeout(PATIENCE, run.events.recv()).await;
        match event.with_context(|| format!("the check of {name} said nothing for {PATIENCE:?}"))? {
            Some(CheckEvent::Finished { report }) => return Ok(Outcome::Judged(report)),
            Some(CheckEvent::Aborted { ours, text, output }) => {
                let text = std::iter::once(text).chain(output).collect();
                return Ok(Outcome::Aborted { ours, text });
            }
            Some(_) => {}
            None => {
                return Ok(Outcome::Aborted { ours: true, text: vec!["the run ended without a verdict".to_owned()] });
            }
        }
    }
}

fn accepted(what: &str, outcome: Outcome, took: Duration, report: &mut Report) -> Result<()> {
    match outcome {
        Outcome::Judged(judged) if judged.passed() => report.good("accepted", what, took),
        Outcome::Judged(judged) => {
            let details: Vec<_> = judged.results.iter().filter_map(|r| complaint(&r.check, &r.verdict)).collect();
            if judged.exit_code() == 1 {
                report.bad("a right program is rejected", what, &details, took)
            } else {
                report.unknown("a right program is not judged", what, &details, took)
            }
        }
        Outcome::Aborted { ours: true, text } => report.unknown("not verified", what, &text, took),
        Outcome::Aborted { ours: false, text } => report.bad("a right program does not run", what, &text, took),
    }
}

fn rejected(what: &str, check: &str, outcome: Outcome, took: Duration, report: &mut Report) -> Result<()> {
    let judged = match outcome {
        Outcome::Judged(judged) => judged,
        Outcome::Aborted { ours: true, text } => return report.unknown("not verified", what, &text, took),
        Outcome::Aborted { ours: false, text } => return report.bad("a wrong program does not run", what, &text, took),
    };
    let mut details: Vec<_> = judged.results.iter().filter_map(|r| complaint(&r.check, &r.verdict)).collect();
    let named = judged.results.iter().find(|result| result.check == check).map(|result| &result.verdict);
    let others = judged.results.iter().filter(|r| r.check != check);
    let others: Vec<_> = others.filter(|r| matches!(r.verdict, Verdict::Fail(_) | Verdict::Broken { .. })).collect();
    match named {
        Some(Verdict::Fail(_)) if others.is_empty() => report.good("rejected", &format!("{what}, by {check}"), took),
        Some(Verdict::Fail(_)) => report.bad(&format!("rejected by more than {check}"), what, &details, took),
        Some(Verdict::Inconclusive { .. }) => report.unknown(&format!("not judged by {check}"), what, &details, took),
        _ => {
            details.insert(0, format!("{check} should have rejected it"));
            report.bad("a wrong program is not rejected as it should be", what, &details, took)
        }
    }
}

/// What a verdict other than a pass says, in one line.
fn complaint(check: &str, verdict: &Verdict) -> Option<String> {
    let text = match verdict {
        Verdict::Pass { .. } => return None,
        Verdict::Fail(failure) => format!("failed: {}", failure.why),
        Verdict::Inconclusive { reason } => format!("inconclusive: {reason}"),
        Verdict::Skipped { because } => format!("skipped: {because}"),
        Verdict::Broken { reason, .. } => format!("broken: {reason}"),
    };
    Some(format!("{check} {text}"))
}
