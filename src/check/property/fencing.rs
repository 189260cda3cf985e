//! A holder that was paused too long is turned away by the warehouse.
//!
//! Buyer A has the lock; its TTL elapses (by the judge's hand, or in real time while A's process is
//! stopped); buyer B takes it. Whatever A does from then on, no write of it may be accepted over what
//! it has not read, nor beside B. And tokens rise from holder to holder, also across instances.

use std::time::{Duration, Instant};

use rand::{SeedableRng, rngs::StdRng};
use serde::Deserialize;

use crate::{
    check::{
        Verdict,
        context::{Context, Judged, Trouble},
        profile::Profile,
        replay::Scenario,
        sale::{self, Told},
        stage::{Entry, EntryKind, Held, Reached, Stage},
        stand::Happening,
        trace::{self, Remarks, Shown, letter},
        warehouse::{Write, item_of, token_of},
    },
    origin::http::SeenKind,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {}

const ADVICE: &str = "send Fencing-Token with the read and the write: a number from Redis that was drawn with the lock, in the same step";
const PATIENCE: Duration = Duration::from_millis(250);
/// B sells and is gone before A goes on.
const SOLD: &str = "rival sold";
/// B is about to write when A goes on.
const INSIDE: &str = "rival inside";
/// A's process is stopped (SIGSTOP) past its real TTL.
const STOPPED: &str = "stopped";
const SEQUENCE: &str = "sequence";

enum Came {
    NotLanded,
    Held,
    Broken(Box<(String, Shown)>),
}

pub async fn judge(context: &mut Context) -> Judged {
    if let Some(Scenario::Directed { name, after }) = context.replay.clone()
        && name != SEQUENCE
    {
        return match run(context, &name, after, "replayed").await? {
            Came::Broken(found) => Ok(report(context, &name, after, *found)),
            _ => Err(Trouble::Inconclusive("this time nothing stale was written".to_owned())),
        };
    }
    let profile = Profile::take(&mut context.patient, &mut context.rng).await?;
    let write_at = profile.write_at()?;
    let mut landed = 0;
    // The longest pause first: it makes the plainest counterexample.
    for after in profile.holding(write_at).into_iter().rev() {
        for name in [SOLD, INSIDE] {
            context.progress(format!("the lock expires after step {after} of {}, {name}", profile.moments.len()));
            match run(context, name, after, "").await? {
                Came::NotLanded => {}
                Came::Held => landed += 1,
                Came::Broken(_) => return confirmed(context, name, after).await,
            }
        }
    }
    context.progress("holders one after another at all instances");
    if let Some(verdict) = sequence(context).await? {
        return Ok(verdict);
    }
    if landed == 0 {
        return Err(Trouble::Inconclusive("the lock expired, but no other buyer took it".to_owned()));
    }
    let read_at = (0..write_at).rev().find(|at| profile.moments[*at].origin).unwrap_or(write_at);
    context.progress("SIGSTOP past LOCK_TTL_MS");
    let mut stopped = false;
    for _ in 0..2 {
        match run(context, STOPPED, read_at, "a real SIGSTOP").await? {
            Came::NotLanded => {}
            Came::Held => {
                stopped = true;
                break;
            }
            Came::Broken(found) => return Ok(report(context, STOPPED, read_at, *found)),
        }
    }
    if !stopped {
        return Err(Trouble::Inconclusive(
            "the process was stopped past its TTL, but no other buyer took the lock meanwhile".to_owned(),
        ));
    }
    Ok(Verdict::Pass { coverage: format!("{landed} pauses placed, 1 real SIGSTOP, tokens of 6 holders") })
}

async fn confirmed(context: &mut Context, name: &str, after: usize) -> Judged {
    let mut last = None;
    let mut times = 0;
    for _ in 0..3 {
        let headline = format!("smallest found, replayed {}/3", times + 1);
        if let Came::Broken(found) = run(context, name, after, &headline).await? {
            times += 1;
            last = Some(found);
        }
    }
    match last {
        Some(found) => Ok(report(context, name, after, *found)),
        None => Err(Trouble::Inconclusive("a stale write was accepted once, but not when it was replayed".to_owned())),
    }
}

fn report(context: &Context, name: &str, after: usize, (why, example): (String, Shown)) -> Verdict {
    let scenario = Scenario::Directed { name: name.to_owned(), after };
    context.failure(why, ADVICE, Vec::new(), Some((example, scenario)))
}

async fn run(context: &mut Context, name: &str, after: usize, headline: &str) -> Result<Came, Trouble> {
    let mut rng = StdRng::from_rng(&mut context.rng);
    let stand = if name == STOPPED { context.hasty().await? } else { &mut context.patient };
    let item = stand.new_item(&mut rng, 5);
    let ttl = stand.plan.millis("LOCK_TTL_MS");
    let mut stage = Stage::open(stand, &[(0, item.clone()), (1, item)]).await?;
    let came = pause_and_go_on(&mut stage, name, after, ttl, headline).await;
    stage.stand.instances[0].group.resume();
    stage.clear(Duration::from_secs(3)).await;
    came
}

async fn pause_and_go_on(
    stage: &mut Stage<'_>,
    name: &str,
    after: usize,
    ttl: Duration,
    headline: &str,
) -> Result<Came, Trouble> {
    let (a, b) = (0, 1);
    stage.start(a).await;
    for _ in 0..after {
        if !stage.await_step(a, PATIENCE).await {
            return Ok(Came::NotLanded);
        }
        stage.step(a).await;
    }
    let expired =
        if name == STOPPED { stopped_past(stage, a, ttl).await? } else { !stage.expire(ttl * 2).await?.is_empty() };
    if !expired {
        return Ok(Came::NotLanded);
    }
    if name == INSIDE {
        if stage.advance(b, PATIENCE, Held::is_origin_write).await != Reached::Wanted {
            return Ok(Came::NotLanded);
        }
    } else if stage.advance(b, PATIENCE, |_| false).await != Reached::Done || stage.actors[b].status() != Some(200) {
        return Ok(Came::NotLanded);
    }
    if name == STOPPED {
        stage.resume(stage.actors[a].instance).await;
    }
    let before = stage.stand.warehouse.shelf(&stage.actors[a].item).writes.len();
    stage.advance(a, PATIENCE, |_| false).await;
    let mut shelf = stage.stand.warehouse.shelf(&stage.actors[a].item);
    let beside = name == INSIDE && shelf.writes.len() > before;
    if name == INSIDE && !beside {
        stage.advance(b, PATIENCE, |_| false).await;
        shelf = stage.stand.warehouse.shelf(&stage.actors[a].item);
    }
    let sold = stage.actors.iter().filter(|actor| actor.status() == Some(200)).count();
    let lost = shelf.writes.iter().any(Write::is_lost_update);
    if !beside && !lost && sold <= shelf.writes.len() {
        return Ok(Came::Held);
    }
    let mut remarks = Remarks::default();
    let why = if beside || lost {
        let index = stage.history.iter().rposition(is_accepted_write);
        let writer = index.and_then(|i| stage.history[i].actor).unwrap_or(a);
        remarks.violates = index;
        remarks.note(index, format!("{} is late, and its write is accepted", letter(writer)));
        token_of_late(stage, index.unwrap_or(0), writer)
    } else {
        format!("{sold} buyers were told \"sold\", but the warehouse accepted {} writes", shelf.writes.len())
    };
    let example = trace::counterexample(format!("2 buyers, {headline}"), &stage.actors, &stage.history, &remarks);
    Ok(Came::Broken(Box::new((why, example))))
}

/// What the token of a late write was worth.
fn token_of_late(stage: &Stage<'_>, index: usize, writer: usize) -> String {
    let token = |entry: &Entry| match &entry.kind {
        EntryKind::Origin { call, .. } => token_of(call).ok().flatten(),
        _ => None,
    };
    let rivals = stage.history[..index].iter().filter(|e| e.actor.is_some_and(|a| a != writer)).filter_map(token).max();
    let who = letter(writer);
    match (token(&stage.history[index]), rivals) {
        (None, _) => format!("buyer {who} had lost its lock, and its write without a Fencing-Token was accepted"),
        (Some(own), None) => format!(
            "buyer {who} had lost its lock, and its write with token {own} was accepted: no other had been shown"
        ),
        (Some(own), Some(other)) if own == other => {
            format!(
                "buyer {who} had lost its lock, and its write was accepted: its token {own} is also that of the holder after it"
            )
        }
        (Some(own), Some(other)) => {
            format!(
                "buyer {who} had lost its lock, and its write was accepted: its token {own} is higher than the {other} of the holder after it"
            )
        }
    }
}

/// An accepted write.
fn is_accepted_write(entry: &Entry) -> bool {
    match &entry.kind {
        EntryKind::Origin { call, answer: Some(answer), .. } => call.method == "PUT" && answer.status == 200,
        _ => false,
    }
}

/// Stops A's process while its call is under way, lets the call be answered into its closed ears, and waits until
/// its lock has really expired. True if all that was seen to happen.
async fn stopped_past(stage: &mut Stage<'_>, a: usize, ttl: Duration) -> Result<bool, Trouble> {
    let instance = stage.actors[a].instance;
    let locks: Vec<_> =
        stage.changed().await?.into_iter().filter(|(_, s)| s.ttl.is_some()).map(|(name, _)| name).collect();
    if locks.is_empty() || stage.pause(instance).await.is_err() {
        return Ok(false);
    }
    stage.release_only(a);
    let begun = Instant::now();
    while begun.elapsed() < ttl * 2 {
        let keys = stage.stand.side.keys().await?;
        if locks.iter().all(|lock| !keys.contains_key(lock)) {
            stage.note_fault(format!("its lock expires ({} ms)", ttl.as_millis()));
            return Ok(true);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(false)
}

/// Six sales of one item, at all instances in turn: each holder's token must be higher than the one before.
async fn sequence(context: &mut Context) -> Result<Option<Verdict>, Trouble> {
    let item = context.patient.new_item(&mut context.rng, 20);
    let instances = context.patient.instances.len();
    context.patient.drain();
    let mut evidence = Vec::new();
    let mut highest: Option<i64> = None;
    for turn in 0..6 {
        let instance = turn % instances;
        let outcome = context.patient.buy(instance, &item, Duration::from_secs(5)).await;
        let told = sale::read(&outcome).map_err(Trouble::Broken)?;
        let token = context.patient.drain().into_iter().filter_map(|h| token_shown(h, &item)).max();
        evidence.push(format!(
            "instance {}: token {}",
            instance + 1,
            token.map_or("none".to_owned(), |t| t.to_string())
        ));
        let Some(token) = token else {
            let why = "a sale was written without a Fencing-Token".to_owned();
            return Ok(Some(sequence_failed(context, why, evidence)));
        };
        if highest.is_some_and(|highest| token <= highest) {
            let why = format!("the next holder's token is {token}, not higher than {}", highest.unwrap_or(0));
            return Ok(Some(sequence_failed(context, why, evidence)));
        }
        if !matches!(told, Told::Sold { .. }) {
            return Err(Trouble::Broken(format!("a lone buyer at instance {} was told {told:?}", instance + 1)));
        }
        highest = Some(token);
    }
    Ok(None)
}

fn sequence_failed(context: &Context, why: String, evidence: Vec<String>) -> Verdict {
    context.failure(why, ADVICE, evidence, None)
}

/// The token of a call for this item, if this is one that bears one.
fn token_shown(happening: Happening, item: &str) -> Option<i64> {
    let Happening::Origin(seen) = happening else { return None };
    let SeenKind::Arrived { call, .. } = seen.kind else { return None };
    if item_of(&call) == Some(item) { token_of(&call).ok().flatten() } else { None }
}
