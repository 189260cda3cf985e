//! No piece is sold twice: in all orders of few buyers, and with many at once.
//!
//! The warehouse is the judge: a write that is not one less than what it replaces was based on
//! something that was no longer true. Locks live long here, so no expiry can excuse it; and stale
//! fencing tokens are let in, so that the lock is what is judged.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use serde::Deserialize;

use crate::check::{
    Verdict,
    context::{Context, Judged, Trouble},
    driver::{DriveError, Reply},
    explore::{self, Explored, Space},
    replay::{Decision, Scenario},
    sale::{self, Told},
    stage::{EntryKind, Stage},
    trace::{self, Remarks, letter},
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Params {
    buyers: usize,
    items: usize,
    stock: i64,
}

impl Default for Params {
    fn default() -> Self {
        Self { buyers: 200, items: 4, stock: 10 }
    }
}

const ADVICE: &str =
    "everything from reading the stock to writing it back must happen under one lock that all instances see";
/// Time for all orders of two buyers, and of three.
const SEARCH: [Duration; 2] = [Duration::from_millis(1200), Duration::from_secs(1)];
/// Time to make a counterexample smaller.
const SHRINK: Duration = Duration::from_millis(1500);

pub async fn judge(context: &mut Context, params: &Params) -> Judged {
    // Fencing tokens alone would turn the second writer away. Here the lock has to do it.
    context.patient.warehouse.set_lenient(true);
    let judged = without_doorman(context, params).await;
    context.patient.warehouse.set_lenient(false);
    judged
}

async fn without_doorman(context: &mut Context, params: &Params) -> Judged {
    if let Some(Scenario::Order { stock, buyers, decisions }) = context.replay.clone() {
        return again(context, stock, buyers, &decisions).await;
    }
    let mut coverage = Vec::new();
    for (buyers, time) in [2, 3].into_iter().zip(SEARCH) {
        let space = Space { buyers, stock: stock_for(buyers), preemptions: None };
        let until = Instant::now() + context.time(time);
        let explored = explore::explore(context, space, until, &lost_update).await?;
        if let Some(decisions) = explored.found {
            return broken(context, space, decisions).await;
        }
        coverage.push(said(buyers, &explored));
    }
    let sold = many(context, params).await?;
    match sold {
        Ok(text) => coverage.push(text),
        Err(verdict) => return Ok(verdict),
    }
    Ok(Verdict::Pass { coverage: coverage.join("; ") })
}

/// One piece for each buyer: whoever loses an update shows it.
fn stock_for(buyers: usize) -> i64 {
    i64::try_from(buyers).unwrap_or(i64::MAX)
}

fn said(buyers: usize, explored: &Explored) -> String {
    if explored.exhausted {
        format!("all {} orders of {buyers} buyers", explored.schedules)
    } else {
        format!("{} orders of {buyers} buyers, not all", explored.schedules)
    }
}

/// A write that does not follow from what it replaced, or a buyer told "sold" without a write.
fn lost_update(stage: &Stage<'_>) -> bool {
    let Some(actor) = stage.actors.first() else { return false };
    let shelf = stage.stand.warehouse.shelf(&actor.item);
    let sold = stage.actors.iter().filter(|a| a.status() == Some(200)).count();
    shelf.writes.iter().any(super::super::warehouse::Write::is_lost_update) || sold > shelf.writes.len()
}

/// Shrinks, confirms and reports an order that broke it.
async fn broken(context: &mut Context, space: Space, decisions: Vec<Decision>) -> Judged {
    let mut smallest = (space, decisions);
    let until = Instant::now() + SHRINK;
    'search: for buyers in 2..=space.buyers {
        for preemptions in 0..3 {
            let smaller = Space { buyers, stock: stock_for(buyers), preemptions: Some(preemptions) };
            if Instant::now() >= until {
                break 'search;
            }
            if let Some(found) = explore::explore(context, smaller, until, &lost_update).await?.found {
                smallest = (smaller, found);
                break 'search;
            }
        }
    }
    let (space, decisions) = smallest;
    let mut times = 0;
    for _ in 0..3 {
        let mut stage = explore::open(context, space.buyers, space.stock).await?;
        times += usize::from(explore::follow(&mut stage, &decisions, &lost_update).await.0);
        stage.clear(Duration::from_secs(3)).await;
    }
    match shown(context, space.stock, space.buyers, &decisions, Some(times)).await? {
        Some(verdict) => Ok(verdict),
        None => Err(Trouble::Inconclusive("a piece was sold twice once, but not again in the same order".to_owned())),
    }
}

async fn again(context: &mut Context, stock: i64, buyers: usize, decisions: &[Decision]) -> Judged {
    match shown(context, stock, buyers, decisions, None).await? {
        Some(verdict) => Ok(verdict),
        None => Err(Trouble::Inconclusive("in the recorded order nothing was sold twice this time".to_owned())),
    }
}

/// Follows an order to the end of the sale and draws it, if it breaks the property.
async fn shown(
    context: &mut Context,
    stock: i64,
    buyers: usize,
    decisions: &[Decision],
    replayed: Option<usize>,
) -> Result<Option<Verdict>, Trouble> {
    // The first attempt may hit a retry that sleeps at another moment.
    for _ in 0..5 {
        let mut stage = explore::open(context, buyers, stock).await?;
        let (broken, _) = explore::follow(&mut stage, decisions, &lost_update).await;
        if !broken {
            stage.clear(Duration::from_secs(3)).await;
            continue;
        }
        // What the buyers are told belongs to the picture.
        for actor in 0..buyers {
            stage.advance(actor, Duration::from_millis(50), |_| false).await;
        }
        let mut remarks = Remarks::default();
        let why = explain(&stage, &mut remarks);
        let headline = match replayed {
            Some(times) => format!("{buyers} buyers, stock {stock}, smallest found, replayed {times}/3"),
            None => format!("{buyers} buyers, stock {stock}, replayed"),
        };
        let example = trace::counterexample(headline, &stage.actors, &stage.history, &remarks);
        let sold = stage.actors.iter().filter(|a| a.status() == Some(200)).count();
        let shelf = stage.stand.warehouse.shelf(&stage.actors[0].item);
        let evidence = vec![
            format!("stock {stock}; {sold} buyers were told \"sold\"; {} left in the warehouse", shelf.stock),
            super::DOORMAN.to_owned(),
        ];
        stage.clear(Duration::from_secs(3)).await;
        let scenario = Scenario::Order { stock, buyers, decisions: decisions.to_vec() };
        return Ok(Some(context.failure(why, ADVICE, evidence, Some((example, scenario)))));
    }
    Ok(None)
}

/// Finds the write that lost another's, and where its writer had read.
fn explain(stage: &Stage<'_>, remarks: &mut Remarks) -> String {
    let mut stock: Option<i64> = None;
    let mut read: HashMap<usize, (usize, i64)> = HashMap::new();
    let number = |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).ok()?.get("stock")?.as_i64();
    for (index, entry) in stage.history.iter().enumerate() {
        let EntryKind::Origin { call, answer: Some(answer), .. } = &entry.kind else { continue };
        let (Some(actor), 200) = (entry.actor, answer.status) else { continue };
        let Some(value) = number(answer.body.as_bytes()) else { continue };
        if call.method == "GET" {
            read.insert(actor, (index, value));
            stock.get_or_insert(value);
            continue;
        }
        let based = read.get(&actor).copied();
        if let (Some(current), Some((at, seen))) = (stock, based)
            && seen != current
        {
            remarks.violates = Some(index);
            remarks.note(Some(at), format!("{} reads {seen}", letter(actor)));
            remarks.note(Some(index), format!("{} writes over {current}, having read {seen}", letter(actor)));
            return format!(
                "buyer {} wrote {value} over {current}: it had read {seen} before another buyer's write",
                letter(actor)
            );
        }
        stock = Some(value);
    }
    "a write did not follow from the stock it replaced".to_owned()
}

/// Many buyers at once, in real time.
async fn many(context: &mut Context, params: &Params) -> Result<Result<String, Verdict>, Trouble> {
    context.progress(format!("{} buyers at once", params.buyers));
    let items: Vec<String> =
        (0..params.items).map(|_| context.patient.new_item(&mut context.rng, params.stock)).collect();
    context.patient.origin.set_latency(Duration::from_millis(4));
    let outcomes = crowd(context, params, &items).await;
    context.patient.origin.set_latency(Duration::ZERO);
    context.patient.drain();
    if let Some((number, status)) = context.patient.crashed() {
        return Err(Trouble::Broken(format!("instance {number} ended during the sale ({status})")));
    }
    let mut told: HashMap<&str, Vec<Told>> = HashMap::new();
    let mut lost = 0;
    for (item, outcome) in &outcomes {
        match outcome {
            // Nobody knows whether these bought: they count for no one.
            Err(DriveError::Timeout(_)) => lost += 1,
            outcome => told.entry(item).or_default().push(sale::read(outcome).map_err(Trouble::Broken)?),
        }
    }
    let mut sales = 0;
    for item in &items {
        let shelf = context.patient.warehouse.shelf(item);
        let sold =
            told.get(item.as_str()).map_or(0, |all| all.iter().filter(|t| matches!(t, Told::Sold { .. })).count());
        let twice = shelf.writes.iter().filter(|w| w.is_lost_update()).count();
        let out = told.get(item.as_str()).is_some_and(|all| all.contains(&Told::SoldOut));
        sales += sold;
        if twice > 0
            || sold > shelf.writes.len()
            || (lost == 0 && params.stock - shelf.stock != i64::try_from(sold).unwrap_or(i64::MAX))
        {
            let why = format!("{sold} buyers were told \"sold\", and the stock fell by {}", params.stock - shelf.stock);
            let evidence = vec![format!(
                "{item}: {} accepted writes, {twice} of them over a value their writer had not read",
                shelf.writes.len()
            )];
            return Ok(Err(context.failure(why, ADVICE, evidence, None)));
        }
        if out && shelf.stock > 0 {
            return Err(Trouble::Broken(format!(
                "a buyer was told \"sold out\" (409) while {} pieces of {item} were left",
                shelf.stock
            )));
        }
    }
    if sales == 0 {
        return Err(Trouble::Inconclusive(format!("none of {} buyers at once got anything", params.buyers)));
    }
    Ok(Ok(format!("{} buyers at once, {sales} sales", outcomes.len())))
}

/// Sends the buyers, not faster than the program's accept queue can take (often 5 places).
async fn crowd<'i>(
    context: &Context,
    params: &Params,
    items: &'i [String],
) -> Vec<(&'i str, Result<Reply, DriveError>)> {
    const EACH: Duration = Duration::from_secs(4);
    let stand = &context.patient;
    let instances = stand.instances.len();
    let buyers = (0..params.buyers).map(|buyer| async move {
        tokio::time::sleep(Duration::from_micros(1200 * (buyer / instances) as u64)).await;
        let item = items[(buyer / instances) % items.len()].as_str();
        (item, stand.buy(buyer % instances, item, EACH).await)
    });
    futures_util::future::join_all(buyers).await
}
