//! A holder that is killed frees the sale within LOCK_TTL_MS, whatever it was doing.
//!
//! One buyer for each step of a sale, each of an item of its own, all at one instance, each stopped after
//! another step; then SIGKILL for that instance. Every item must be within reach again in real time:
//! somebody gets the lock, so that the warehouse is asked for that item.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use rand::{SeedableRng, rngs::StdRng};
use serde::Deserialize;

use crate::{
    check::{
        StepKind, TraceStep, Verdict,
        context::{Context, Judged, Trouble},
        driver::DriveError,
        profile::Profile,
        replay::Scenario,
        stage::{Actor, Entry, Stage},
        stand::{Happening, Stand},
        trace::{self, Remarks, Shown},
        warehouse::item_of,
    },
    origin::http::SeenKind,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Params {
    slack_ms: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self { slack_ms: 700 }
    }
}

const ADVICE: &str = "after SIGKILL no `finally` runs: only an expiry set together with the lock frees it, and whoever waits must go on asking";
/// How long a buyer may sleep on its way to its step.
const PATIENCE: Duration = Duration::from_millis(120);
/// After this no more steps are tried.
const SEARCH: Duration = Duration::from_secs(4);
const KILLED: &str = "killed";

/// One step after which the program was killed.
struct Point {
    after: usize,
    item: String,
    history: Vec<Entry>,
    actors: Vec<Actor>,
    /// Until somebody asked the warehouse for the item again.
    freed: Option<Duration>,
    /// What the next buyer was told.
    told: String,
}

pub async fn judge(context: &mut Context, params: &Params) -> Judged {
    let slack = Duration::from_millis(params.slack_ms);
    let mut rng = StdRng::from_rng(&mut context.rng);
    context.progress("starting instances whose locks live LOCK_TTL_MS");
    let (check, events) = (context.check.clone(), context.events.clone());
    let only = match &context.replay {
        Some(Scenario::Directed { after, .. }) => Some(*after),
        _ => None,
    };
    let stand = context.hasty().await?;
    let ttl = stand.plan.millis("LOCK_TTL_MS");
    let limit = ttl + slack;
    let steps = Profile::take(stand, &mut rng).await?.moments.len();
    let mut open: Vec<usize> = (1..=steps).filter(|after| only.is_none_or(|only| only == *after)).collect();
    let (mut tried, mut found) = (0, None);
    let begun = Instant::now();
    while !open.is_empty() && found.is_none() && begun.elapsed() < SEARCH {
        let text = format!("SIGKILL after {} of {steps} steps", open.len());
        let _ = events.try_send(crate::check::CheckEvent::Progress { check: check.clone(), text });
        let points = kill_round(stand, &mut rng, &open, limit).await?;
        if points.is_empty() {
            break;
        }
        tried += points.len();
        open.retain(|after| !points.iter().any(|p| p.after == *after));
        found = points.into_iter().find(|p| p.freed.is_none_or(|freed| freed > limit));
    }
    // Once more for itself: a slow machine is slow twice seldom.
    if let Some(point) = &found {
        let again = kill_round(stand, &mut rng, &[point.after], limit).await?;
        found = again.into_iter().find(|p| p.freed.is_none_or(|freed| freed > limit));
    }
    if let Some(point) = found {
        let why = format!(
            "killed after step {} of {steps}, the holder's lock was not free {} ms later; LOCK_TTL_MS is {}",
            point.after,
            limit.as_millis(),
            ttl.as_millis()
        );
        let evidence = vec![format!("the next buyer: {}", point.told)];
        let scenario = Scenario::Directed { name: KILLED.to_owned(), after: point.after };
        return Ok(context.failure(why, ADVICE, evidence, Some((drawn(&point, limit), scenario))));
    }
    if tried == 0 {
        return Err(Trouble::Inconclusive("no buyer could be stopped between two steps".to_owned()));
    }
    if !open.is_empty() && tried < steps / 2 {
        return Err(Trouble::Inconclusive(format!("only {tried} of {steps} steps could be tried")));
    }
    Ok(Verdict::Pass { coverage: format!("SIGKILL after {tried} of {steps} steps, real TTL") })
}

/// Stops buyers after their steps, kills their instances, and sees when each item is within reach again.
async fn kill_round(
    stand: &mut Stand,
    rng: &mut StdRng,
    steps: &[usize],
    limit: Duration,
) -> Result<Vec<Point>, Trouble> {
    let items: Vec<String> = steps.iter().map(|_| stand.new_item(rng, 9)).collect();
    // The last instance survives. The others share the buyers: where all commands of an instance go over one
    // connection, only one of its buyers can be stopped at a command.
    let victims = (stand.instances.len() - 1).max(1);
    let buyers: Vec<_> = items.iter().enumerate().map(|(index, item)| (index % victims, item.clone())).collect();
    let mut stage = Stage::open(stand, &buyers).await?;
    let mut there = Vec::new();
    for (actor, after) in steps.iter().enumerate().rev() {
        stage.start(actor).await;
        let mut taken = 0;
        while taken < *after && stage.await_step(actor, PATIENCE).await && stage.step(actor).await {
            taken += 1;
        }
        if taken == *after {
            there.push(actor);
        }
    }
    let killed = Instant::now();
    stage.kill(0..victims).await;
    let history = std::mem::take(&mut stage.history);
    let actors = std::mem::take(&mut stage.actors);
    stage.clear(Duration::from_millis(300)).await;
    stand.drain();
    let (stand_ref, survivor) = (&*stand, stand.instances.len() - 1);
    let next = there.iter().map(|actor| {
        let item = items[*actor].as_str();
        async move { stand_ref.buy(survivor, item, limit.saturating_sub(killed.elapsed())).await }
    });
    let told = futures_util::future::join_all(next).await;
    let asked = asked(stand, killed, survivor);
    let again = stand.restart(0..victims).await;
    again.map_err(|e| Trouble::Broken(format!("after it was killed, it did not start again: {e}")))?;
    let mut points = Vec::new();
    for (actor, outcome) in there.into_iter().zip(told) {
        let mine = |e: &&Entry| e.actor == Some(actor) || e.actor.is_none();
        let told = match &outcome {
            Ok(reply) => format!("{} {} after {} ms", reply.status, reply.text(), reply.took.as_millis()),
            Err(DriveError::Timeout(_)) => format!("no answer within {} ms", limit.as_millis()),
            Err(error) => error.to_string(),
        };
        points.push(Point {
            after: steps[actor],
            item: items[actor].clone(),
            history: history.iter().filter(mine).map(|e| Entry { actor: e.actor.map(|_| 0), ..e.clone() }).collect(),
            actors: Vec::new(),
            freed: asked.get(&items[actor]).copied(),
            told,
        });
        if let Some(point) = points.last_mut() {
            point.actors = vec![copy(&actors[actor])];
        }
    }
    points.sort_by_key(|p| p.after);
    Ok(points)
}

fn copy(actor: &Actor) -> Actor {
    Actor::at(actor.instance, actor.item.clone())
}

/// When, after the kill, each item was first asked for by the surviving instance.
fn asked(stand: &mut Stand, killed: Instant, survivor: usize) -> HashMap<String, Duration> {
    let mut asked = HashMap::new();
    for happening in stand.drain() {
        if let Happening::Origin(seen) = happening
            && seen.instance == survivor
            && let SeenKind::Arrived { call, .. } = &seen.kind
            && let Some(item) = item_of(call)
        {
            asked.entry(item.to_owned()).or_insert(seen.at.saturating_duration_since(killed));
        }
    }
    asked
}

fn drawn(point: &Point, limit: Duration) -> Shown {
    let headline = "1 buyer is killed, another comes".to_owned();
    let mut shown = trace::counterexample(headline, &point.actors, &point.history, &Remarks::default());
    let example = &mut shown.example;
    example.lanes.push("the next buyer".to_owned());
    example.steps.retain(|step| step.kind != StepKind::Response);
    let step = |lane, kind, text: String, violates| TraceStep { lane, kind, text, reply: None, note: None, violates };
    example.steps.push(step(Some(1), StepKind::Request, format!("POST /buy/{}", point.item), false));
    example.steps.push(step(None, StepKind::Clock, format!("{} ms pass", limit.as_millis()), false));
    example.steps.push(step(Some(1), StepKind::Response, point.told.clone(), true));
    shown
}
