//! What a property works with: stands, randomness, a deadline, a way to say how far it is.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use rand::rngs::StdRng;
use tokio::sync::mpsc;

use super::{
    CheckEvent, Failure, Verdict,
    replay::{Replay, Scenario},
    stand::{Stand, StandError},
    trace::Shown,
};

/// The expiry of locks on the patient stand: longer than any schedule, and no whole number of seconds.
pub const LONG_TTL_MS: u64 = 29_700;
/// How long buyers wait there.
pub const LONG_STAND_WAIT_MS: u64 = 900;

/// A stand that is being started, or is there.
pub enum Slot {
    /// Being started in the background.
    Starting(tokio::task::JoinHandle<Result<Stand, StandError>>),
    /// There.
    Ready(Box<Stand>),
    /// Neither: it failed or was taken down.
    Gone,
}

/// What a property works with.
pub struct Context {
    /// `week2/locks`.
    pub exercise: String,
    /// The check that runs.
    pub check: String,
    /// The only source of randomness.
    pub rng: StdRng,
    /// Its seed.
    pub seed: u64,
    /// Where to tell.
    pub events: mpsc::Sender<CheckEvent>,
    /// Locks live long here: time is passed by the judge alone.
    pub patient: Stand,
    /// LOCK_TTL_MS and WAIT_MS as the exercise declares them: real time.
    pub hasty: Slot,
    /// No search goes on after this.
    pub deadline: Instant,
    /// Shows one recorded scenario again instead of searching.
    pub replay: Option<Scenario>,
    /// The learner's folder.
    pub folder: PathBuf,
}

/// Why a property could not come to a verdict of its own.
#[derive(Debug)]
pub enum Trouble {
    /// The program does not do what every check needs: answers, JSON, status codes.
    Broken(String),
    /// We cannot go on.
    Ours(String),
    /// It cannot be told.
    Inconclusive(String),
}

impl From<redis::RedisError> for Trouble {
    fn from(error: redis::RedisError) -> Self {
        Self::Ours(format!("the private server does not answer: {error}"))
    }
}

impl From<StandError> for Trouble {
    fn from(error: StandError) -> Self {
        match &error {
            StandError::Start(start) if !start.ours() => Self::Broken(error.to_string()),
            _ => Self::Ours(error.to_string()),
        }
    }
}

/// A property's verdict.
pub type Judged = Result<Verdict, Trouble>;

impl Context {
    /// One line, replaces the former. Never waits for whoever reads it.
    pub fn progress(&self, text: impl Into<String>) {
        let _ = self.events.try_send(CheckEvent::Progress { check: self.check.clone(), text: text.into() });
    }

    /// The stand on which real time counts.
    pub async fn hasty(&mut self) -> Result<&mut Stand, Trouble> {
        if let Slot::Starting(task) = &mut self.hasty {
            let stand = task.await.map_err(|e| Trouble::Ours(e.to_string()))??;
            // Scripts are loaded, connections opened: the sales that are watched are all alike.
            for index in 0..stand.instances.len() {
                let item = stand.new_item(&mut self.rng, 1);
                let _ = stand.buy(index, &item, Duration::from_secs(5)).await;
            }
            self.hasty = Slot::Ready(Box::new(stand));
        }
        match &mut self.hasty {
            Slot::Ready(stand) => Ok(stand),
            _ => Err(Trouble::Ours("the second stand is gone".to_owned())),
        }
    }

    /// Time left for searching, at most `most`.
    pub fn time(&self, most: Duration) -> Duration {
        self.deadline.saturating_duration_since(Instant::now()).min(most)
    }

    /// A failure with its evidence; the scenario is kept so that it can be shown again.
    pub fn failure(
        &self,
        why: String,
        advice: &str,
        evidence: Vec<String>,
        found: Option<(Shown, Scenario)>,
    ) -> Verdict {
        let (counterexample, replay) = match found {
            Some((shown, scenario)) => {
                let replay = Replay::new(self, scenario, &shown).save();
                (Some(shown.example), replay)
            }
            None => (None, Replay::new(self, Scenario::Seed, &Shown::headline(&why)).save()),
        };
        Verdict::Fail(Box::new(Failure {
            why,
            advice: advice.to_owned(),
            evidence,
            counterexample,
            looks_like: None,
            replay,
            output: self.patient.tail(5),
        }))
    }
}
