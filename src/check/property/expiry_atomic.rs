//! A lock is never without an expiry, not for an instant, and never with one beyond LOCK_TTL_MS.
//!
//! A lock key is what is there while a sale writes and gone or changed afterwards. Before a program is
//! failed for one, the key proves to be a lock: with it removed, a second buyer gets in.

use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::{
    check::{
        Verdict,
        context::{Context, Judged, Trouble},
        profile::Profile,
        replay::Scenario,
        stage::{Held, Reached, Stage},
        trace::{self, Remarks},
    },
    process::visible,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Params {
    slack_ms: i64,
}

impl Default for Params {
    fn default() -> Self {
        Self { slack_ms: 100 }
    }
}

const ADVICE: &str = "create the key and give it its expiry in one step: SET key value NX PX milliseconds, one script, or one MULTI/EXEC";
/// How long a buyer may sleep between attempts before it counts as held back.
const PATIENCE: Duration = Duration::from_millis(250);

/// A lock key seen in a state it must not be in.
struct Sight {
    key: Vec<u8>,
    moment: usize,
    ttl: Option<i64>,
}

pub async fn judge(context: &mut Context, params: &Params) -> Judged {
    context.progress("one sale, looked at after every step");
    let limit = context.patient.plan.millis("LOCK_TTL_MS").as_millis() as i64 + params.slack_ms;
    let profile = Profile::take(&mut context.patient, &mut context.rng).await?;
    let write_at = profile.write_at()?;
    let locks = profile.locks(write_at);
    if locks.is_empty() {
        return no_lock(context, &profile).await;
    }
    let mut sights = Vec::new();
    for key in &locks {
        for (moment, seen) in profile.moments.iter().enumerate() {
            let Some(state) = seen.keys.get(key) else { continue };
            if state.ttl.is_none_or(|ttl| ttl > limit) {
                sights.push(Sight { key: key.clone(), moment, ttl: state.ttl });
                break;
            }
        }
    }
    for sight in sights {
        if holds_others_back(context, &profile, &sight.key).await? {
            return Ok(fail(context, &profile, &sight, limit));
        }
    }
    context.progress("a second buyer asks for a lock that is taken");
    if let Some(verdict) = contender(context, &profile, &locks).await? {
        return Ok(verdict);
    }
    let names: Vec<String> = locks.iter().map(|key| visible(key).replace(&profile.item, "ITEM")).collect();
    Ok(Verdict::Pass { coverage: format!("{} after each of {} steps", names.join(", "), profile.moments.len()) })
}

fn fail(context: &Context, profile: &Profile, sight: &Sight, limit: i64) -> Verdict {
    let key = visible(&sight.key);
    let mut remarks = Remarks::default();
    // What made the state is the last thing that happened before it was seen.
    let at = profile.moments[sight.moment].history.checked_sub(1);
    let why = match sight.ttl {
        None => {
            remarks.note(at, format!("{key} has no expiry now"));
            format!(
                "after this step the lock {key} exists without an expiry: if the program dies here, nobody ever removes it"
            )
        }
        Some(ttl) => {
            remarks.note(at, format!("{key} expires in {ttl} ms"));
            format!(
                "the lock {key} would live {ttl} ms; LOCK_TTL_MS allows {}",
                context.patient.plan.millis("LOCK_TTL_MS").as_millis()
            )
        }
    };
    remarks.violates = at;
    let evidence = match sight.ttl {
        None => vec![
            "PTTL: -1 (none)".to_owned(),
            "with the key removed, a second buyer gets in: it is the lock".to_owned(),
        ],
        Some(ttl) => vec![format!("PTTL: {ttl}; at most {limit}")],
    };
    let example = trace::counterexample("1 buyer".to_owned(), &profile.actors, &profile.history, &remarks);
    let scenario = Scenario::Directed { name: "alone".to_owned(), after: sight.moment };
    context.failure(why, ADVICE, evidence, Some((example, scenario)))
}

/// With the key removed while one buyer is about to write, does a second get so far?
async fn holds_others_back(context: &mut Context, profile: &Profile, key: &[u8]) -> Result<bool, Trouble> {
    let item = context.patient.new_item(&mut context.rng, 5);
    let mut stage = Stage::open(&mut context.patient, &[(0, item.clone()), (1, item.clone())]).await?;
    let first = stage.advance(0, PATIENCE, Held::is_origin_write).await;
    stage.stand.side.delete(&profile.key_for(key, &item)).await?;
    let second = stage.advance(1, PATIENCE, Held::is_origin_write).await;
    stage.clear(Duration::from_secs(3)).await;
    Ok(first == Reached::Wanted && second == Reached::Wanted)
}

/// Nothing in Redis looks like a lock: is there any?
async fn no_lock(context: &mut Context, profile: &Profile) -> Judged {
    let item = context.patient.new_item(&mut context.rng, 5);
    let mut stage = Stage::open(&mut context.patient, &[(0, item.clone()), (1, item)]).await?;
    let first = stage.advance(0, PATIENCE, Held::is_origin_write).await;
    let second = stage.advance(1, PATIENCE, Held::is_origin_write).await;
    let example = trace::counterexample("2 buyers".to_owned(), &stage.actors, &stage.history, &Remarks::default());
    stage.clear(Duration::from_secs(3)).await;
    if first == Reached::Wanted && second == Reached::Wanted {
        let why =
            "two buyers are between reading and writing at once, and no key in Redis holds either back".to_owned();
        let evidence = vec![format!("keys during a sale: {}", profile.after.len())];
        let scenario = Scenario::Directed { name: "no lock".to_owned(), after: 0 };
        return Ok(context.failure(
            why,
            "take a lock in Redis before the stock is read",
            evidence,
            Some((example, scenario)),
        ));
    }
    Err(Trouble::Inconclusive(
        "buyers hold each other back, but no key in Redis could be seen to be the lock".to_owned(),
    ))
}

/// A buyer that does not get the lock must leave its expiry alone.
async fn contender(context: &mut Context, profile: &Profile, locks: &[Vec<u8>]) -> Result<Option<Verdict>, Trouble> {
    let item = context.patient.new_item(&mut context.rng, 5);
    let locks: Vec<Vec<u8>> = locks.iter().map(|key| profile.key_for(key, &item)).collect();
    let mut stage = Stage::open(&mut context.patient, &[(0, item.clone()), (1, item)]).await?;
    let first = stage.advance(0, PATIENCE, Held::is_origin_write).await;
    let before = stage.changed().await?;
    let looked = Instant::now();
    // So that a renewal cannot hide in the same millisecond.
    tokio::time::sleep(Duration::from_millis(30)).await;
    let second = stage.advance(1, PATIENCE, Held::is_origin_write).await;
    // Sound, however slow the machine: at least this much time lies between the two looks.
    let passed = looked.elapsed().as_millis() as i64;
    let after = stage.changed().await?;
    let mut touched = None;
    if first == Reached::Wanted && second != Reached::Wanted {
        for key in &locks {
            if let (Some(old), Some(new)) = (before.get(key), after.get(key))
                && let Some(was) = old.ttl
                && old.content == new.content
                && new.ttl.is_none_or(|ttl| ttl > was - passed + 2)
            {
                touched = Some((visible(key), was, new.ttl));
            }
        }
    }
    let mut remarks = Remarks { violates: stage.last_command_of(1), ..Remarks::default() };
    if let Some((key, was, now)) = &touched {
        remarks.note(
            remarks.violates,
            format!(
                "{key} had {was} ms left, and has {} {passed} ms later",
                now.map_or("no expiry".to_owned(), |t| format!("{t} ms"))
            ),
        );
    }
    let example = trace::counterexample("2 buyers".to_owned(), &stage.actors, &stage.history, &remarks);
    stage.clear(Duration::from_secs(3)).await;
    let Some((key, ..)) = touched else { return Ok(None) };
    let why = format!(
        "a buyer that did not get the lock {key} changed its expiry: while others ask, the lock of a dead holder never ends"
    );
    let scenario = Scenario::Directed { name: "contender".to_owned(), after: 0 };
    Ok(Some(context.failure(why, ADVICE, Vec::new(), Some((example, scenario)))))
}
