//! Every lab in its short form on a live server, its claims judged.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Report;
use crate::{
    cli::{Global, server},
    course::{Experiment, Unit},
    lab::{self, ClaimResult, LabEvent, RunOptions},
    server::Server,
};

/// A short run takes seconds; one that says nothing for so long hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs each unit's lab on a server of its own.
pub(super) async fn check(units: &[&Unit], global: &Global, report: &mut Report) -> Result<()> {
    for unit in units {
        let Some(experiment) = unit.lab.as_ref().and_then(|lab| lab.experiment.as_ref()) else { continue };
        let server = server::start(&server::options(global)?, global).await?;
        let began = Instant::now();
        let result = run(unit, experiment, &server).await;
        server.stop().await;
        judge(unit, result?, began.elapsed(), report)?;
    }
    Ok(())
}

/// The claims, or why there are none.
async fn run(unit: &Unit, experiment: &Experiment, server: &Server) -> Result<Result<Vec<ClaimResult>, String>> {
    let options = RunOptions { short: true, ..RunOptions::default() };
    let mut run = lab::start(&unit.id, experiment, server.endpoint().clone(), Some(server.control()), options);
    loop {
        let event = tokio::time::timeout(PATIENCE, run.events.recv()).await;
        match event.with_context(|| format!("the lab of {} said nothing for {PATIENCE:?}", unit.id))? {
            Some(LabEvent::Finished { claims }) => return Ok(Ok(claims)),
            Some(LabEvent::Failed { text }) => return Ok(Err(text)),
            Some(_) => {}
            None => return Ok(Err("the run ended without a result".to_owned())),
        }
    }
}

fn judge(
    unit: &Unit,
    result: Result<Vec<ClaimResult>, String>,
    took: Duration,
    report: &mut Report,
) -> anyhow::Result<()> {
    let claims = match result {
        Ok(claims) => claims,
        Err(text) => return report.unknown("lab", &unit.id.to_string(), &[text], took),
    };
    let broken: Vec<_> = claims.iter().filter(|claim| claim.holds == Some(false)).collect();
    let unjudged: Vec<_> = claims.iter().filter(|claim| claim.holds.is_none()).collect();
    for claim in &broken {
        let details = [format!("measured {}", claim.measured), format!("the lesson says: {}", claim.sentence)];
        report.bad("claim", &format!("{}: {}", unit.id, claim.expression), &details, Duration::ZERO)?;
    }
    for claim in &unjudged {
        let what = format!("{}: {}", unit.id, claim.expression);
        report.unknown("claim", &what, std::slice::from_ref(&claim.measured), Duration::ZERO)?;
    }
    if broken.is_empty() && unjudged.is_empty() {
        report.good("lab", &format!("{}, {} claims hold", unit.id, claims.len()), took)?;
    }
    Ok(())
}
