//! Who waits is patient: asks seldom, gets the lock when it is free, and 503 when WAIT_MS is over.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Deserialize;

use crate::{
    check::{
        Verdict,
        context::{Context, Judged, Trouble},
        driver::{DriveError, Reply},
        sale::{self, Told},
        stand::Happening,
        warehouse::item_of,
    },
    origin::http::SeenKind,
    proxy::WireKind,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Params {
    commands_per_second: f64,
    slack_ms: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self { commands_per_second: 250.0, slack_ms: 800 }
    }
}

const ADVICE: &str =
    "sleep a random few milliseconds between two attempts, and compute the deadline once, before the first";

/// What the waiting buyers were told while one held the lock, and what they sent meanwhile.
struct Seen {
    outcomes: Vec<Result<Reply, DriveError>>,
    holder: Result<Reply, DriveError>,
    /// Commands of each instance during the wait.
    commands: Vec<usize>,
    /// A waiting buyer asked the warehouse while the lock was another's.
    inside: bool,
    waited: Duration,
}

pub async fn judge(context: &mut Context, params: &Params) -> Judged {
    let wait = context.patient.plan.millis("WAIT_MS");
    let slack = Duration::from_millis(params.slack_ms);
    context.progress(format!("two buyers wait {} ms for a lock that is not freed", wait.as_millis()));
    let seen = hold(context, wait + slack, wait + slack * 3).await?;
    if seen.inside {
        return Err(Trouble::Inconclusive(
            "the waiting buyers were not held back: there is no lock to wait for".to_owned(),
        ));
    }
    for outcome in &seen.outcomes {
        if let Err(DriveError::Timeout(_)) = outcome {
            return Ok(too_late(context, wait, slack));
        }
        let told = sale::read(outcome).map_err(Trouble::Broken)?;
        let took = outcome.as_ref().map_or(Duration::ZERO, |reply| reply.took);
        // Also one that was sold to: it waited on until the holder was let go.
        if took > wait + slack {
            return Ok(too_late(context, wait, slack));
        }
        if matches!(told, Told::Sold { .. }) {
            return Err(Trouble::Inconclusive(
                "the waiting buyers were not held back: there is no lock to wait for".to_owned(),
            ));
        }
    }
    if let Some(verdict) = spin(context, params, &seen) {
        return Ok(verdict);
    }
    context.progress("two buyers wait for a lock that is freed soon");
    let brief = wait / 3;
    let seen = hold(context, brief, wait + slack * 3).await?;
    let holder = sale::read(&seen.holder).map_err(Trouble::Broken)?;
    for outcome in &seen.outcomes {
        let told = sale::read(outcome).map_err(Trouble::Broken)?;
        let took = outcome.as_ref().map_or(Duration::ZERO, |reply| reply.took);
        if told == Told::Busy && took < wait.mul_f64(0.8) {
            let why = format!(
                "a buyer was told \"busy\" after {} ms, although it may wait {} ms",
                took.as_millis(),
                wait.as_millis()
            );
            let evidence = vec![format!("the lock became free after {} ms", brief.as_millis())];
            return Ok(context.failure(why, "try again until WAIT_MS is over", evidence, None));
        }
        if told == Told::Busy && matches!(holder, Told::Sold { .. }) {
            let why = format!(
                "the lock was free again after {} ms, and a buyer that might wait {} ms did not get it",
                brief.as_millis(),
                wait.as_millis()
            );
            let evidence = vec![format!("it was told \"busy\" after {} ms", took.as_millis())];
            return Ok(context.failure(why, "pauses between attempts must be short against WAIT_MS", evidence, None));
        }
    }
    Ok(Verdict::Pass { coverage: "2 waiting buyers, once in vain and once not".to_owned() })
}

fn too_late(context: &Context, wait: Duration, slack: Duration) -> Verdict {
    let why = format!(
        "a waiting buyer had no answer {} ms after WAIT_MS ({} ms) was over",
        slack.as_millis(),
        wait.as_millis()
    );
    context.failure(why, ADVICE, vec!["expected: 503".to_owned()], None)
}

fn spin(context: &Context, params: &Params, seen: &Seen) -> Option<Verdict> {
    let most = *seen.commands.iter().max()?;
    let rate = most as f64 / seen.waited.as_secs_f64();
    if rate <= params.commands_per_second {
        return None;
    }
    let why = format!("one waiting buyer sent {most} commands in {} ms: it spins", seen.waited.as_millis());
    let evidence = vec![format!("{rate:.0} commands a second; at most {:.0}", params.commands_per_second)];
    Some(context.failure(why, ADVICE, evidence, None))
}

/// One buyer is held at the warehouse for `held`, two others come while it is.
async fn hold(context: &mut Context, held: Duration, limit: Duration) -> Result<Seen, Trouble> {
    let item = context.patient.new_item(&mut context.rng, 9);
    let stand = &mut context.patient;
    stand.drain();
    let name = item.clone();
    stand.origin.hold(Some(Arc::new(move |call| call.method != "GET" && item_of(call) == Some(name.as_str()))));
    let holder = stand.buy(0, &item, limit + held + Duration::from_secs(2));
    let others = async {
        // The holder is inside when it has read the stock and is about to write.
        let begun = Instant::now();
        while stand.warehouse.shelf(&item).calls == 0 && begun.elapsed() < Duration::from_secs(2) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        let begun = Instant::now();
        let waiting =
            futures_util::future::join_all((1..stand.instances.len()).take(2).map(|i| stand.buy(i, &item, limit)));
        tokio::pin!(waiting);
        let early = tokio::time::timeout(held, &mut waiting).await;
        let waited = begun.elapsed();
        let until = Instant::now();
        stand.origin.hold(None);
        let outcomes = match early {
            Ok(outcomes) => outcomes,
            Err(_) => waiting.await,
        };
        (outcomes, begun, waited, until)
    };
    let (holder, (outcomes, begun, waited, until)) = tokio::join!(holder, others);
    let mut commands = vec![0; stand.instances.len()];
    let mut inside = false;
    for happening in stand.drain() {
        match happening {
            Happening::Wire(wire) if wire.instance != 0 && (begun..until).contains(&wire.at) => {
                commands[wire.instance] += usize::from(matches!(wire.kind, WireKind::Command { .. }));
            }
            Happening::Origin(seen) if seen.instance != 0 && (begun..until).contains(&seen.at) => {
                // A look at the stock before the lock is harmless; only a write shows that nobody held it back.
                inside |= matches!(&seen.kind, SeenKind::Arrived { call, .. } if call.method != "GET" && item_of(call) == Some(item.as_str()));
            }
            _ => {}
        }
    }
    Ok(Seen { outcomes, holder, commands, inside, waited })
}
