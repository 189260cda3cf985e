//! The one stream that feeds the TUI's check screen and `cachelab check`.

use std::{path::PathBuf, time::Duration};

use serde::Serialize;

/// What a check run tells. First `Started`, last `Finished` or `Aborted`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum CheckEvent {
    /// All checks that will be judged, in order.
    Started {
        /// `week2/locks`.
        exercise: String,
        /// Folder of the program.
        folder: PathBuf,
        /// Seed of this run; `--seed` repeats it.
        seed: u64,
        /// In order.
        checks: Vec<CheckInfo>,
    },
    /// `installing: pip install redis`, `starting 3 instances`, `valkey 9.1.2 ready`.
    Phase {
        /// One line.
        text: String,
    },
    /// A check begins.
    CheckStarted {
        /// `mutual-exclusion`.
        check: String,
    },
    /// Where the running check is: `order 138 of 3 buyers`.
    Progress {
        /// Which check.
        check: String,
        /// One line, replaces the former.
        text: String,
    },
    /// A check is judged.
    CheckFinished {
        /// Its result.
        result: CheckResult,
    },
    /// A line the program wrote, kept and labelled.
    Output {
        /// 1-based instance.
        instance: usize,
        /// `stdout` or `stderr`.
        stream: String,
        /// The line, control characters made visible.
        line: String,
    },
    /// All checks judged.
    Finished {
        /// The sum of it.
        report: Report,
    },
    /// No verdict on the program is possible. `ours`: the environment or cachelab is at fault (exit
    /// 3); else the program could not be started or is broken (exit 1).
    Aborted {
        /// Whose fault.
        ours: bool,
        /// What happened, what was expected, what to do; may be several lines.
        text: String,
        /// Last lines the program wrote.
        output: Vec<String>,
    },
}

/// A check before it is judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckInfo {
    /// `mutual-exclusion`; with the unit: `week2/locks#mutual-exclusion`.
    pub id: String,
    /// `At most one buyer is in checkout at a time`.
    pub title: String,
    /// Checks that must pass before this one can be judged.
    pub after: Vec<String>,
}

/// A judged check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckResult {
    /// Its id.
    pub check: String,
    /// Its title.
    pub title: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Wall-clock time it took.
    pub took: Duration,
}

/// The five ways a check can end. Inconclusive is never a pass.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// Holds, and how much was tried: `all 138 orders of 3 buyers`, `sampled 2,400 orders`.
    Pass {
        /// Coverage in words.
        coverage: String,
    },
    /// Violated, with evidence.
    Fail(Box<Failure>),
    /// A fault did not land, a window was too small: run again.
    Inconclusive {
        /// Why.
        reason: String,
    },
    /// Not judged, because another check failed or was not asked for.
    Skipped {
        /// `expiry failed`.
        because: String,
    },
    /// The program crashed, hung, answered 5xx or wrong JSON: broken, not a violated property.
    Broken {
        /// What was sent, expected and received.
        reason: String,
        /// Last lines of its output.
        output: Vec<String>,
    },
}

/// Why a check failed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failure {
    /// What went wrong, one sentence: `between steps 3 and 6 the lock changed hands`.
    pub why: String,
    /// What to try.
    pub advice: String,
    /// Expected and measured, one line each, where there is a number.
    pub evidence: Vec<String>,
    /// The interleaving, where there is one.
    pub counterexample: Option<Counterexample>,
    /// The `wrong/` program whose failing trace looks like this one, in words.
    pub looks_like: Option<String>,
    /// For `--replay`.
    pub replay: Option<String>,
    /// Last lines of the program's output.
    pub output: Vec<String>,
}

/// One interleaving, drawn as lanes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Counterexample {
    /// `3 buyers, smallest found, replayed 3/3`.
    pub headline: String,
    /// One lane a client: `buyer A (instance 1)`.
    pub lanes: Vec<String>,
    /// In order.
    pub steps: Vec<TraceStep>,
}

/// One step of a counterexample.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TraceStep {
    /// Index into lanes; `None`: across all lanes (the clock, a fault).
    pub lane: Option<usize>,
    /// What it was.
    pub kind: StepKind,
    /// `SET lock:42 7f3a NX PX 500`; readable, control characters escaped, long values cut.
    pub text: String,
    /// What came back: `OK`, `(nil)`, `200 {"stock":3}`.
    pub reply: Option<String>,
    /// A remark at the step: `A checks: "it is mine"`.
    pub note: Option<String>,
    /// This step broke the property.
    pub violates: bool,
}

/// What a step of a counterexample was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// The request arrived at the program.
    Request,
    /// A Redis command.
    Command,
    /// A call to the origin.
    Origin,
    /// The program answered.
    Response,
    /// Time: a TTL elapsed.
    Clock,
    /// Something we did to it: killed, paused, cut.
    Fault,
}

/// The sum of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// `week2/locks`.
    pub exercise: String,
    /// In order.
    pub results: Vec<CheckResult>,
    /// Wall-clock time.
    pub took: Duration,
    /// Server used: `valkey 9.1.2`.
    pub server: String,
    /// Seed of this run.
    pub seed: u64,
}

impl Report {
    /// Every check passed.
    pub fn passed(&self) -> bool {
        self.results.iter().all(|r| matches!(r.verdict, Verdict::Pass { .. }))
    }

    /// DESIGN's exit code: 0 passed, 1 the solution fails, 2 could not tell.
    pub fn exit_code(&self) -> u8 {
        let failed = |v: &Verdict| matches!(v, Verdict::Fail(_) | Verdict::Broken { .. });
        if self.results.iter().any(|r| failed(&r.verdict)) {
            1
        } else if self.passed() {
            0
        } else {
            2
        }
    }
}
