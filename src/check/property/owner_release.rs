//! Nobody removes, changes or extends a lock that is another's by now.
//!
//! Buyer A holds the lock; its TTL elapses after any of its steps; buyer B takes it and is about to
//! write; A goes on to its end. If that let a third buyer C in beside B, or gave B's lock more time,
//! A has touched what was B's. Judged by who gets in, not by which command was sent.

use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::{
    check::{
        Verdict,
        context::{Context, Judged, Trouble},
        profile::Profile,
        replay::Scenario,
        side::Keys,
        stage::{Held, Reached, Stage, State},
        trace::{self, Remarks, Shown},
    },
    process::visible,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {}

const ADVICE: &str = "release and renew only what is still yours: compare a value that nobody else has and act on it in one step (a script, or WATCH and MULTI)";
/// How long a buyer may sleep before it counts as held back.
const PATIENCE: Duration = Duration::from_millis(250);
const EXPIRED: &str = "expired";
const GAVE_UP: &str = "gave up";

/// A lock as its owner left it, and when it was looked at.
struct Lock {
    keys: Keys,
    seen: Instant,
}

/// What a scenario came to.
enum Came {
    /// The fault did not land: nobody else got the lock.
    NotLanded,
    /// The lock was left alone.
    Held,
    /// It was not.
    Broken(Box<(String, Shown)>),
}

pub async fn judge(context: &mut Context) -> Judged {
    // This is about locks: a holder with a bad fencing token must come as far as any other.
    context.patient.warehouse.set_lenient(true);
    let judged = scenarios(context).await;
    context.patient.warehouse.set_lenient(false);
    judged
}

async fn scenarios(context: &mut Context) -> Judged {
    if let Some(Scenario::Directed { name, after }) = context.replay.clone() {
        return match run(context, &name, after, "replayed").await? {
            Came::Broken(found) => Ok(report(context, &name, after, *found)),
            _ => Err(Trouble::Inconclusive("this time the lock was left alone".to_owned())),
        };
    }
    let profile = Profile::take(&mut context.patient, &mut context.rng).await?;
    let write_at = profile.write_at()?;
    let first = *profile
        .holding(write_at)
        .first()
        .ok_or_else(|| Trouble::Inconclusive("no key with an expiry was seen during a sale".to_owned()))?;
    let mut landed = 0;
    for after in first..profile.moments.len() {
        context.progress(format!("the lock expires after step {after} of {}", profile.moments.len()));
        match run(context, EXPIRED, after, "").await? {
            Came::NotLanded => {}
            Came::Held => landed += 1,
            Came::Broken(_) => return confirmed(context, EXPIRED, after).await,
        }
    }
    if landed == 0 {
        return Err(Trouble::Inconclusive("the lock expired, but no other buyer took it".to_owned()));
    }
    context.progress("a buyer waits in vain and gives up");
    let gave_up = run(context, GAVE_UP, 0, "").await?;
    if matches!(gave_up, Came::Broken(_)) {
        return confirmed(context, GAVE_UP, 0).await;
    }
    Ok(Verdict::Pass { coverage: format!("expiry placed after each of {landed} steps; a buyer that gave up") })
}

/// Three more times, then the report.
async fn confirmed(context: &mut Context, name: &str, after: usize) -> Judged {
    let mut last = None;
    let mut times = 0;
    let rounds = if name == GAVE_UP { 1 } else { 3 };
    for round in 1..=rounds {
        let headline = format!("smallest found, replayed {}/{rounds}", times + 1);
        if let Came::Broken(found) = run(context, name, after, &headline).await? {
            times += 1;
            last = Some(found);
        }
        context.progress(format!("replaying {round}/{rounds}"));
    }
    match last {
        Some(found) => Ok(report(context, name, after, *found)),
        None => {
            Err(Trouble::Inconclusive("a lock of another was touched once, but not when it was replayed".to_owned()))
        }
    }
}

fn report(context: &Context, name: &str, after: usize, (why, example): (String, Shown)) -> Verdict {
    let scenario = Scenario::Directed { name: name.to_owned(), after };
    context.failure(why, ADVICE, vec![super::DOORMAN.to_owned()], Some((example, scenario)))
}

async fn run(context: &mut Context, name: &str, after: usize, headline: &str) -> Result<Came, Trouble> {
    let item = context.patient.new_item(&mut context.rng, 9);
    let within = context.patient.plan.millis("LOCK_TTL_MS") * 2;
    let wait = context.patient.plan.millis("WAIT_MS");
    let instances = context.patient.instances.len();
    let buyers: Vec<_> = (0..3).map(|index| (index % instances, item.clone())).collect();
    let mut stage = Stage::open(&mut context.patient, &buyers).await?;
    let came = if name == GAVE_UP {
        gives_up(&mut stage, wait, headline).await
    } else {
        expires(&mut stage, after, within, headline).await
    };
    stage.clear(Duration::from_secs(3)).await;
    came
}

/// A's lock expires after its step `after`; B takes it; A goes on.
async fn expires(stage: &mut Stage<'_>, after: usize, within: Duration, headline: &str) -> Result<Came, Trouble> {
    let (a, b) = (0, 1);
    stage.start(a).await;
    for _ in 0..after {
        if !stage.await_step(a, PATIENCE).await {
            return Ok(Came::NotLanded);
        }
        stage.step(a).await;
    }
    if stage.expire(within).await?.is_empty() {
        return Ok(Came::NotLanded);
    }
    if stage.advance(b, PATIENCE, Held::is_origin_write).await != Reached::Wanted {
        return Ok(Came::NotLanded);
    }
    let taken = stage.last_command_of(b);
    let lock = Lock { keys: volatile(stage.changed().await?), seen: Instant::now() };
    go_on(stage, a, (b, taken), &lock, headline).await
}

/// A holds the lock; B waits until it gives up.
async fn gives_up(stage: &mut Stage<'_>, wait: Duration, headline: &str) -> Result<Came, Trouble> {
    let (a, b) = (0, 1);
    if stage.advance(a, PATIENCE, Held::is_origin_write).await != Reached::Wanted {
        return Ok(Came::NotLanded);
    }
    let taken = stage.last_command_of(a);
    let lock = Lock { keys: volatile(stage.changed().await?), seen: Instant::now() };
    let begun = Instant::now();
    while stage.actors[b].state != State::Done && begun.elapsed() < wait * 2 {
        if stage.advance(b, PATIENCE, Held::is_origin_write).await == Reached::Wanted {
            return Ok(Came::NotLanded);
        }
    }
    go_on(stage, b, (a, taken), &lock, headline).await
}

fn volatile(mut keys: Keys) -> Keys {
    keys.retain(|_, state| state.ttl.is_some());
    keys
}

/// `actor` goes on to its end beside `owner`, whose lock is `lock`; then a third buyer tries.
async fn go_on(
    stage: &mut Stage<'_>,
    actor: usize,
    (owner, taken): (usize, Option<usize>),
    lock: &Lock,
    headline: &str,
) -> Result<Came, Trouble> {
    let mut touched = touched(stage, lock).await?;
    while touched.is_none() && stage.actors[actor].state != State::Done {
        if !stage.await_step(actor, PATIENCE).await {
            break;
        }
        let before = stage.actors[actor].last.clone();
        stage.step(actor).await;
        touched = self::touched(stage, lock).await?;
        if stage.actors[actor].last == before {
            // It asks for the lock again: it has no more to do with the one it lost.
            break;
        }
    }
    let Some(touch) = touched else { return Ok(Came::Held) };
    let mut remarks = Remarks { violates: stage.last_command_of(actor), ..Remarks::default() };
    let (who, whose) = (trace::letter(actor), trace::letter(owner));
    remarks.note(taken, format!("{whose} owns the lock"));
    let why = match touch {
        Touch::Extended(key, was, now) => {
            remarks.note(remarks.violates, format!("{key}: {was} ms left before, {now} ms now"));
            format!("buyer {who} gave more time to the lock {key}, which was {whose}'s by then")
        }
        Touch::Changed(key, gone) => {
            let verb = if gone { "removed" } else { "changed" };
            remarks.note(remarks.violates, format!("{who} {verb} {whose}'s lock"));
            // The proof: somebody gets in beside its owner.
            let third = stage.actors.len() - 1;
            if stage.advance(third, PATIENCE, Held::is_origin_write).await != Reached::Wanted {
                return Ok(Came::Held);
            }
            remarks.note(Some(stage.history.len() - 1), format!("{} is inside beside {whose}", trace::letter(third)));
            format!(
                "buyer {who} {verb} the lock {key}, which was {whose}'s by then, and {} got in beside {whose}",
                trace::letter(third)
            )
        }
    };
    let example = trace::counterexample(format!("3 buyers, {headline}"), &stage.actors, &stage.history, &remarks);
    Ok(Came::Broken(Box::new((why, example))))
}

enum Touch {
    Changed(String, bool),
    Extended(String, i64, i64),
}

/// What is no longer as its owner left it.
async fn touched(stage: &Stage<'_>, lock: &Lock) -> Result<Option<Touch>, Trouble> {
    // Sound, however slow the machine: at least this much time lies between the two looks.
    let passed = lock.seen.elapsed().as_millis() as i64;
    let now = stage.stand.side.keys().await?;
    for (key, old) in &lock.keys {
        let name = visible(key);
        let Some(new) = now.get(key) else { return Ok(Some(Touch::Changed(name, true))) };
        if new.content != old.content {
            return Ok(Some(Touch::Changed(name, false)));
        }
        let was = old.ttl.unwrap_or(0);
        // Time only runs down; a millisecond may be rounded.
        if new.ttl.is_none_or(|ttl| ttl > was - passed + 2) {
            return Ok(Some(Touch::Extended(name, was, new.ttl.unwrap_or(-1))));
        }
    }
    Ok(None)
}
