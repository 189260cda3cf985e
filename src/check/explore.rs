//! Which order next: every order of a few buyers, with those left out that differ in nothing.
//!
//! Depth-first search over schedules that are run again from their beginning, with *sleep sets*
//! (Godefroid 1996): after trying step *a*, step *a* need not be tried again behind a step that
//! commutes with it. Two steps commute unless both touch one key and one of them writes, as the server
//! itself tells (COMMAND GETKEYSANDFLAGS). With a bound on preemptions instead, the search finds the
//! counterexample with the fewest switches; the two are never combined, which would be unsound.
//!
//! A buyer that sleeps (a retry) can be chosen too: the engine then waits for its step. It is chosen
//! only when another buyer has changed something meanwhile: to ask the same again changes nothing.

use std::time::{Duration, Instant};

use super::{
    context::{Context, Trouble},
    replay::Decision,
    side::Touch,
    stage::{Held, Stage, State, What},
};

/// How long a sleeping buyer is waited for.
const RETRY_LIMIT: Duration = Duration::from_millis(400);
/// A schedule with more steps than this is given up.
const MAX_STEPS: usize = 80;

/// What is to be explored.
#[derive(Debug, Clone, Copy)]
pub struct Space {
    /// How many buyers.
    pub buyers: usize,
    /// Stock at the beginning.
    pub stock: i64,
    /// At most so many switches away from a buyer that could go on; `None`: sleep sets instead.
    pub preemptions: Option<usize>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Explored {
    /// Complete schedules run.
    pub schedules: usize,
    /// Nothing is left to try.
    pub exhausted: bool,
    /// Schedules that could not be judged (too long, not repeatable).
    pub given_up: usize,
    /// The first order that broke the property.
    pub found: Option<Vec<Decision>>,
}

/// How one schedule ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Complete,
    /// All that could come was tried elsewhere.
    Redundant,
    /// Too long, or the recorded step did not come again.
    GivenUp,
}

#[derive(Debug, Clone)]
struct Choice {
    actor: usize,
    /// `None`: unknown, conflicts with everything.
    touches: Option<Vec<Touch>>,
}

#[derive(Debug)]
struct Node {
    choices: Vec<Choice>,
    /// Explored elsewhere.
    asleep: Vec<Choice>,
    /// Explored here.
    done: Vec<usize>,
    chosen: usize,
    /// Who took the step before, and could it go on.
    previous: Option<usize>,
    preemptions: usize,
}

impl Node {
    /// The next choice that is worth trying.
    fn next(&self, bound: Option<usize>) -> Option<usize> {
        let switch = |actor: usize| {
            let could_go_on = self.previous.is_some_and(|p| p != actor && self.choices.iter().any(|c| c.actor == p));
            self.preemptions + usize::from(could_go_on)
        };
        self.choices
            .iter()
            .enumerate()
            .filter(|(_, c)| !self.done.contains(&c.actor) && !self.asleep.iter().any(|s| s.actor == c.actor))
            .filter(|(_, c)| bound.is_none_or(|bound| switch(c.actor) <= bound))
            .map(|(index, _)| index)
            .next()
    }
}

fn independent(a: &Choice, b: &Choice) -> bool {
    let (Some(a), Some(b)) = (&a.touches, &b.touches) else { return false };
    !a.iter().any(|x| b.iter().any(|y| x.key == y.key && (x.writes || y.writes)))
}

/// Judges a stage after each step and at the end; true: broken.
pub type Oracle = dyn Fn(&Stage<'_>) -> bool;

/// Explores a space until it is exhausted, something is found, or time is over.
pub async fn explore(
    context: &mut Context,
    space: Space,
    until: Instant,
    oracle: &Oracle,
) -> Result<Explored, Trouble> {
    let mut result = Explored::default();
    let mut path: Vec<Node> = Vec::new();
    let check = context.check.clone();
    loop {
        let mut search = Search { space, path: &mut path, oracle };
        let (ended, broken) = search.run(context).await?;
        match ended {
            Ended::Complete => result.schedules += 1,
            Ended::Redundant => {}
            Ended::GivenUp => result.given_up += 1,
        }
        if let Some(decisions) = broken {
            result.found = Some(decisions);
            return Ok(result);
        }
        let text = format!("order {} of {} buyers", result.schedules, space.buyers);
        let _ = context.events.try_send(super::CheckEvent::Progress { check: check.clone(), text });
        if !backtrack(&mut path, space.preemptions) {
            result.exhausted = result.given_up == 0;
            return Ok(result);
        }
        if Instant::now() >= until {
            return Ok(result);
        }
    }
}

/// Moves to the next unexplored branch; false when there is none.
fn backtrack(path: &mut Vec<Node>, bound: Option<usize>) -> bool {
    while let Some(node) = path.last_mut() {
        node.done.push(node.choices[node.chosen].actor);
        if let Some(next) = node.next(bound) {
            node.chosen = next;
            return true;
        }
        path.pop();
    }
    false
}

/// What a step would touch, in names that are the same in every run: nodes of one run are compared with those of
/// another, and items differ.
async fn touches(stage: &Stage<'_>, actor: usize, held: &Held) -> Option<Vec<Touch>> {
    let mut touches = stage.touches(held).await?;
    let item = &stage.actors[actor].item;
    for touch in &mut touches {
        if let Ok(text) = std::str::from_utf8(&touch.key) {
            touch.key = text.replace(item, "ITEM").into_bytes();
        }
    }
    if let What::Command { connection, .. } = &held.what {
        // Buyers that share a connection share its order.
        touches.push(Touch { key: format!("connection {}:{}", connection.0, connection.1).into(), writes: true });
    }
    Some(touches)
}

struct Search<'s> {
    space: Space,
    path: &'s mut Vec<Node>,
    oracle: &'s Oracle,
}

impl Search<'_> {
    async fn run(&mut self, context: &mut Context) -> Result<(Ended, Option<Vec<Decision>>), Trouble> {
        let mut stage = open(context, self.space.buyers, self.space.stock).await?;
        let mut decisions = Vec::new();
        let mut broken = false;
        let mut ended = Ended::Complete;
        for depth in 0.. {
            if depth == self.path.len() && !self.extend(&mut stage).await {
                let waiting = stage.actors.iter().any(|a| a.state != State::Done);
                ended = match self.path.len() == depth && waiting {
                    true if stage.held.is_empty() => Ended::GivenUp,
                    true => Ended::Redundant,
                    false => Ended::Complete,
                };
                break;
            }
            let actor = self.path[depth].choices[self.path[depth].chosen].actor;
            if stage.next_of(actor).is_none() && !stage.await_step(actor, RETRY_LIMIT).await {
                // Asleep for good (a mutex of the process), or the program does not repeat itself.
                self.path.truncate(depth + 1);
                ended = Ended::GivenUp;
                if self.path[depth].choices[self.path[depth].chosen].touches.is_none() {
                    ended = Ended::Redundant;
                }
                break;
            }
            if let Some(held) = stage.next_of(actor) {
                let item = stage.actors[actor].item.clone();
                decisions.push(Decision { actor, label: held.label(&item) });
            }
            stage.step(actor).await;
            broken = (self.oracle)(&stage);
            if broken || depth >= MAX_STEPS {
                ended = if broken { Ended::Complete } else { Ended::GivenUp };
                break;
            }
        }
        broken = broken || (ended == Ended::Complete && (self.oracle)(&stage));
        stage.clear(Duration::from_secs(3)).await;
        Ok((ended, broken.then_some(decisions)))
    }

    /// Adds the node for where the stage is now; false if there is nothing to choose.
    async fn extend(&mut self, stage: &mut Stage<'_>) -> bool {
        let mut choices = Vec::new();
        for actor in 0..stage.actors.len() {
            if let Some(held) = stage.next_of(actor).cloned() {
                choices.push(Choice { actor, touches: touches(stage, actor, &held).await });
            }
        }
        let sleeping = |a: &super::stage::Actor| matches!(a.state, State::Parked | State::Blocked);
        for (actor, state) in stage.actors.iter().enumerate() {
            if sleeping(state) && state.stirred {
                choices.push(Choice { actor, touches: None });
            }
        }
        if choices.is_empty() {
            // Everybody left sleeps: whoever wakes first goes on.
            for actor in 0..stage.actors.len() {
                if sleeping(&stage.actors[actor]) && stage.await_step(actor, RETRY_LIMIT).await {
                    choices.push(Choice { actor, touches: None });
                    break;
                }
            }
        }
        let previous = self.path.last().map(|n| n.choices[n.chosen].actor);
        // Who went last goes on first: few switches, short counterexamples.
        choices.sort_by_key(|c| Some(c.actor) != previous);
        let (asleep, preemptions) = self.path.last().map_or((Vec::new(), 0), |parent| self.inherit(parent));
        let node = Node { choices, asleep, done: Vec::new(), chosen: 0, previous, preemptions };
        let Some(chosen) = node.next(self.space.preemptions) else { return false };
        self.path.push(Node { chosen, ..node });
        true
    }

    fn inherit(&self, parent: &Node) -> (Vec<Choice>, usize) {
        let chosen = &parent.choices[parent.chosen];
        let switched =
            parent.previous.is_some_and(|p| p != chosen.actor && parent.choices.iter().any(|c| c.actor == p));
        let preemptions = parent.preemptions + usize::from(switched);
        if self.space.preemptions.is_some() {
            return (Vec::new(), preemptions);
        }
        let tried = parent.choices.iter().filter(|c| parent.done.contains(&c.actor));
        let asleep = parent.asleep.iter().chain(tried).filter(|c| independent(c, chosen)).cloned().collect();
        (asleep, preemptions)
    }
}

/// Buyers of one new item, each at an instance of its own where there are enough, all at their first step.
pub async fn open(context: &mut Context, buyers: usize, stock: i64) -> Result<Stage<'_>, Trouble> {
    let item = context.patient.new_item(&mut context.rng, stock);
    let instances = context.patient.instances.len();
    let who: Vec<_> = (0..buyers).map(|index| (index % instances, item.clone())).collect();
    let mut stage = Stage::open(&mut context.patient, &who).await?;
    for actor in 0..buyers {
        stage.start(actor).await;
    }
    Ok(stage)
}

/// Repeats a recorded order, as far as the program repeats itself. Gives the number of steps that did not come again.
pub async fn follow(stage: &mut Stage<'_>, decisions: &[Decision], oracle: &Oracle) -> (bool, usize) {
    let mut missed = 0;
    for decision in decisions {
        if !stage.await_step(decision.actor, RETRY_LIMIT).await {
            missed += 1;
            continue;
        }
        let item = stage.actors[decision.actor].item.clone();
        missed += usize::from(stage.next_of(decision.actor).is_some_and(|held| held.label(&item) != decision.label));
        stage.step(decision.actor).await;
        if oracle(stage) {
            return (true, missed);
        }
    }
    (oracle(stage), missed)
}
