//! Every redis block of every lesson on a live server, its replies compared with the lesson.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Report;
use crate::{
    cli::{Global, blocks::Blocks, server},
    console::BlockOutcome,
    course::{Unit, lesson::RedisBlock},
    server::{Endpoint, Ownership},
};

/// Runs each lesson's blocks in order on an empty server, and once more on what the first round left:
/// a learner runs a block again.
pub(super) async fn check(units: &[&Unit], global: &Global, report: &mut Report) -> Result<()> {
    let units: Vec<_> = units.iter().filter(|unit| unit.lesson.redis_blocks().next().is_some()).collect();
    if units.is_empty() {
        return Ok(());
    }
    let server = server::start(&server::options(global)?, global).await?;
    for unit in units {
        let result = lesson(unit, server.endpoint(), report).await;
        if result.is_err() {
            server.stop().await;
            return result;
        }
    }
    server.stop().await;
    Ok(())
}

async fn lesson(unit: &Unit, endpoint: &Endpoint, report: &mut Report) -> Result<()> {
    let began = Instant::now();
    let blocks = Blocks::open(endpoint);
    if endpoint.ownership == Ownership::Private {
        let empty = RedisBlock { index: 0, setup: vec!["FLUSHALL".to_owned()], steps: Vec::new(), line: 0 };
        let emptied = blocks.run(&empty).await?;
        anyhow::ensure!(emptied.stopped.is_none(), "FLUSHALL: {}", emptied.stopped.unwrap_or_default());
    }
    let mut wrong = 0;
    for round in ["", ", run a second time"] {
        for block in unit.lesson.redis_blocks() {
            let outcome = blocks.run(block).await?;
            for (line, text) in mismatches(block, &outcome) {
                wrong += 1;
                let what = format!("lessons/{}.md:{line}{round}", unit.id);
                report.bad("block", &what, &text, Duration::ZERO)?;
            }
        }
    }
    if wrong == 0 {
        let count = unit.lesson.redis_blocks().count();
        report.good("blocks", &format!("{}, {count} blocks, twice", unit.id), began.elapsed())?;
    }
    Ok(())
}

/// Line of each step that did not answer as the lesson says, with what was expected and what came.
fn mismatches(block: &RedisBlock, outcome: &BlockOutcome) -> Vec<(usize, Vec<String>)> {
    let failed = block.steps.iter().zip(&outcome.steps).filter(|(_, outcome)| !outcome.matched);
    let mut found: Vec<_> = failed
        .map(|(step, outcome)| {
            let mut text = vec![step.command.clone(), "expected".to_owned()];
            text.extend(outcome.expected.iter().map(|line| format!("  {line}")));
            text.push("came".to_owned());
            text.extend(outcome.reply.iter().map(|line| format!("  {}", line.text())));
            (step.line, text)
        })
        .collect();
    if let Some(reason) = &outcome.stopped {
        let line = block.steps.get(outcome.steps.len()).map_or(block.line, |step| step.line);
        found.push((line, vec![reason.clone()]));
    }
    found
}
