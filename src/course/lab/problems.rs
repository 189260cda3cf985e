//! Mistakes in an experiment that its types allow: names that do not exist, shares above 1, claims that
//! can't be read.

use std::ops::Range;

use toml::Spanned;

use super::{Action, CacheAsideSpec, Distribution, Experiment, Fault, Load, Pattern};
use crate::course::{
    claim::{Comparison, MetricRef},
    metric::{METRICS, Metric, Scope, metric},
};

/// A mistake inside an experiment; the loader makes a [`Diagnostic`](crate::diagnostic::Diagnostic) of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Byte range in the file; `0..0` when it concerns the experiment as a whole.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// Under the carets.
    pub label: String,
    /// What to do.
    pub help: Option<String>,
}

/// Phases of a run beside the faults' own names.
pub const PHASES: [&str; 2] = ["before", "after"];

impl Experiment {
    /// Every mistake that can be seen without running anything.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.whole_problems(&mut problems);
        self.variant_problems(&mut problems);
        self.knob_problems(&mut problems);
        self.fault_problems(&mut problems);
        self.claim_problems(&mut problems);
        problems
    }

    fn whole_problems(&self, problems: &mut Vec<Problem>) {
        let mut require = |holds: bool, message: &str, help: &str| {
            if !holds {
                problems.push(problem(0..0, message.to_owned(), "", Some(help.to_owned())));
            }
        };
        let workload = &self.workload;
        require(!self.variants.is_empty(), "an experiment without variants", "add a [[experiment.variants]]");
        require(workload.keys > 0, "workload.keys is 0", "there must be something to ask for");
        require(
            workload.duration > 0.0 && (0.0..workload.duration).contains(&workload.warmup),
            "workload.warmup must be shorter than workload.duration",
            "both are seconds of one variant; the warm-up is a part of the duration",
        );
        require(workload.workers > 0, "workload.workers is 0", "it takes at least one");
        require((0.0..=1.0).contains(&workload.writes), "workload.writes is no share", "a number from 0 to 1");
        require((0.0..=1.0).contains(&self.origin.failures), "origin.failures is no share", "a number from 0 to 1");
        require((0.0..=1.0).contains(&self.origin.absent), "origin.absent is no share", "a number from 0 to 1");
        require(self.origin.capacity != Some(0), "origin.capacity is 0", "leave it out for unlimited");
        require(
            match workload.load {
                Load::Open { rate } => rate > 0.0 && rate.is_finite(),
                Load::Closed { clients, think } => clients > 0 && think >= 0.0,
            },
            "workload.load offers nothing",
            "open = { rate = 500 } or closed = { clients = 8 }",
        );
        require(
            match workload.distribution {
                Distribution::Uniform => true,
                Distribution::Zipf(exponent) => exponent >= 0.0 && exponent.is_finite(),
                Distribution::Hotspot { keys, requests } => keys > 0.0 && keys < 1.0 && (0.0..=1.0).contains(&requests),
            },
            "workload.distribution is out of range",
            "a Zipf exponent is 0 or more; hotspot takes two shares between 0 and 1",
        );
        let locks = self.variants.iter().any(|v| matches!(v.pattern, Pattern::Lock(_)));
        require(!locks || self.section.is_some(), "a lock needs [experiment.section]", "give ttl and work");
        let caches = self.variants.iter().any(|v| !matches!(v.pattern, Pattern::Lock(_)));
        require(!(locks && caches), "locks and caches in one experiment", "they have no metric in common");
        for lane in &self.lanes {
            match metric(lane.get_ref()) {
                Some(m) if m.windowed && self.measures(m) => {}
                _ => {
                    let names = self.names(true);
                    let message = format!("{:?} can't be a lane", lane.get_ref());
                    problems.push(problem(lane.span(), message, "no such lane", nearest(lane.get_ref(), &names)));
                }
            }
        }
    }

    fn variant_problems(&self, problems: &mut Vec<Problem>) {
        for (index, variant) in self.variants.iter().enumerate() {
            let name = variant.name.get_ref();
            if !crate::course::unit_id::is_slug(name) || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
                let help = "lower-case letters, digits, hyphens, a letter first".to_owned();
                let message = format!("{name:?} is not a name for a variant");
                problems.push(problem(variant.name.span(), message, "used in claims", Some(help)));
            }
            if self.variants[..index].iter().any(|v| v.name.get_ref() == name) {
                let message = format!("two variants are named {name:?}");
                problems.push(problem(variant.name.span(), message, "the second", None));
            }
            if let Pattern::CacheAside(CacheAsideSpec { ttl, negative_ttl, timeout, .. }) = &variant.pattern {
                let positive = *ttl >= 1.0 && negative_ttl.is_none_or(|ttl| ttl >= 1.0) && *timeout > 0.0;
                if !positive {
                    let message = format!("variant {name:?}: ttl and negative-ttl must be at least 1 ms");
                    problems.push(problem(variant.name.span(), message, "this variant", None));
                }
            }
        }
    }

    fn knob_problems(&self, problems: &mut Vec<Problem>) {
        for knob in &self.knobs {
            let values = knob.values.get_ref();
            if values.is_empty() || !values.is_sorted_by(|a, b| a < b) {
                let message = "a knob's values must ascend".to_owned();
                problems.push(problem(knob.values.span(), message, "not ascending", None));
            }
            if !values.contains(knob.start.get_ref()) {
                let message = format!("the knob starts with {}, which is not one of its values", knob.start.get_ref());
                problems.push(problem(knob.start.span(), message, "one of values", None));
            }
        }
    }

    fn fault_problems(&self, problems: &mut Vec<Problem>) {
        for (index, fault) in self.faults.iter().enumerate() {
            let name = fault.name.get_ref();
            if PHASES.contains(&name.as_str()) || metric(name).is_some() || name.contains('.') {
                let message = format!("a fault can't be named {name:?}: it has another meaning in claims");
                problems.push(problem(fault.name.span(), message, "taken", None));
            }
            if self.faults[..index].iter().any(|f| f.name.get_ref() == name || f.key == fault.key) {
                let message = format!("fault {name:?} has the name or the key of an earlier one");
                problems.push(problem(fault.name.span(), message, "the second", None));
            }
            for at in &fault.at {
                if !(0.0..1.0).contains(at.get_ref()) || at.get_ref() + fault.lasts > 1.0 + 1e-9 {
                    let message = "a fault lands within its variant and ends with it".to_owned();
                    let help = "at and lasts are shares of the variant's duration: 0.5 is half-way".to_owned();
                    problems.push(problem(at.span(), message, "outside 0 to 1", Some(help)));
                }
            }
            for variant in &fault.variants {
                if !self.variants.iter().any(|v| v.name.get_ref() == variant.get_ref()) {
                    problems.push(self.no_such_variant(variant.get_ref(), variant.span()));
                }
            }
            if let Some(message) = misplaced(fault, self.section.is_some()) {
                problems.push(problem(fault.name.span(), message.to_owned(), "this fault", None));
            }
        }
    }

    fn claim_problems(&self, problems: &mut Vec<Problem>) {
        for claim in &self.claims {
            let comparison = match Comparison::parse(claim.expect.get_ref()) {
                Ok(comparison) => comparison,
                Err(error) => {
                    let span = inside(&claim.expect, &error.span);
                    problems.push(problem(span, error.message.clone(), "here", None));
                    continue;
                }
            };
            for mentioned in comparison.metrics() {
                problems.extend(self.metric_problem(mentioned, inside(&claim.expect, &mentioned.span)));
            }
        }
    }

    fn metric_problem(&self, mentioned: &MetricRef, span: Range<usize>) -> Option<Problem> {
        if !self.variants.iter().any(|v| *v.name.get_ref() == mentioned.variant) {
            return Some(self.no_such_variant(&mentioned.variant, span));
        }
        let name = mentioned.metric.as_str();
        let of_phase = |(phase, rest)| self.is_phase(phase).then(|| metric(rest)).flatten().filter(|m| m.windowed);
        let found = metric(name).or_else(|| name.split_once('.').and_then(of_phase));
        match found {
            Some(found) if self.measures(found) => None,
            _ => {
                let names = self.names(false);
                Some(problem(span, format!("there is no metric {name:?} here"), "unknown", nearest(name, &names)))
            }
        }
    }

    fn is_phase(&self, name: &str) -> bool {
        PHASES.contains(&name) || self.faults.iter().any(|f| f.name.get_ref() == name)
    }

    fn measures(&self, metric: &Metric) -> bool {
        let locks = self.section.is_some();
        match metric.scope {
            Scope::Any => true,
            Scope::Cache => !locks,
            Scope::Lock => locks,
        }
    }

    fn names(&self, windowed_only: bool) -> Vec<&'static str> {
        let fits = |m: &&Metric| self.measures(m) && (m.windowed || !windowed_only);
        METRICS.iter().filter(fits).map(|m| m.name).collect()
    }

    fn no_such_variant(&self, name: &str, span: Range<usize>) -> Problem {
        let names: Vec<_> = self.variants.iter().map(|v| v.name.get_ref().as_str()).collect();
        problem(span, format!("there is no variant {name:?}"), "unknown", nearest(name, &names))
    }
}

/// What a fault needs that this experiment lacks.
fn misplaced(fault: &Fault, locks: bool) -> Option<&'static str> {
    let needs_lock = matches!(fault.action, Action::PauseHolder(_) | Action::KillHolder);
    let needs_cache = matches!(fault.action, Action::CacheOff | Action::SchemaBump);
    match (needs_lock, needs_cache) {
        (true, _) if !locks => Some("only a lock has a holder"),
        (_, true) if locks => Some("a lock lab has no cache"),
        _ => None,
    }
}

fn problem(span: Range<usize>, message: String, label: &str, help: Option<String>) -> Problem {
    Problem { span, message, label: label.to_owned(), help }
}

/// A range within a TOML string; the string's own range includes its quotes.
fn inside(text: &Spanned<String>, part: &Range<usize>) -> Range<usize> {
    let whole = text.span();
    // An escape would shift the rest: then the whole string is shown.
    if whole.len() != text.get_ref().len() + 2 {
        return whole;
    }
    whole.start + 1 + part.start..whole.start + 1 + part.end.max(part.start)
}

fn nearest(name: &str, names: &[&str]) -> Option<String> {
    let mut ranked: Vec<_> = names.iter().map(|n| (strsim::jaro_winkler(name, n), *n)).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    match ranked.first() {
        Some((likeness, best)) if *likeness > 0.8 => Some(format!("perhaps {best}")),
        Some(_) => Some(format!("there are: {}", names.join(", "))),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
title = "t"
question = "q"
origin = { latency = { fixed = 5 } }
workload = { load = { open = { rate = 100 } }, keys = 10, duration = 2 }
[[variants]]
name = "cache-aside"
label = "l"
pattern = { cache-aside = { ttl = 100 } }
[[faults]]
name = "cut"
label = "l"
key = "c"
action = "cut-redis"
at = [0.5]
lasts = 0.2
[[claims]]
expect = "cache-aside.cut.errors == 0"
sentence = "s"
"#;

    fn problems(text: &str) -> Vec<(String, String)> {
        let experiment: Experiment = toml::from_str(text).expect("types fit");
        experiment.problems().into_iter().map(|p| (text[p.span].to_owned(), p.message)).collect()
    }

    #[test]
    fn a_good_experiment_has_none() {
        assert_eq!(problems(GOOD), []);
    }

    #[test]
    fn each_mistake_is_found_where_it_is() {
        let cases = [
            ("cut.errors ==", "cut.erors ==", "cut.erors", "no metric"),
            ("cache-aside.cut.errors", "cache-asid.cut.errors", "cache-asid.cut.errors", "no variant"),
            ("errors == 0", "errors = 0", "=", "unexpected"),
            ("cut.errors ==", "cut.dropped ==", "cache-aside.cut.dropped", "no metric"),
            ("cut.errors ==", "overlaps ==", "cache-aside.overlaps", "no metric"),
            ("at = [0.5]", "at = [0.9]", "0.9", "lands within"),
            ("\"cut-redis\"", "\"kill-holder\"", "\"cut\"", "only a lock"),
            ("name = \"cut\"", "name = \"before\"", "\"before\"", "another meaning"),
            ("keys = 10", "keys = 0", "", "keys is 0"),
        ];
        for (from, to, span, message) in cases {
            let found = problems(&GOOD.replace(from, to));
            let expected = found.iter().any(|(s, m)| s.contains(span) && m.contains(message));
            assert!(expected, "{from} → {to}: {found:?}");
        }
    }

    #[test]
    fn unknown_fields_are_refused() {
        let error = toml::from_str::<Experiment>(&GOOD.replace("keys = 10", "keis = 10")).expect_err("a typo");
        assert!(error.message().contains("keis"), "{error}");
        assert!(error.span().is_some());
    }

    #[test]
    fn the_labs_of_this_course_are_sound() {
        for text in [
            include_str!("../../../labs/week1/why/lab.toml"),
            include_str!("../../../labs/week1/cache-api/lab.toml"),
            include_str!("../../../labs/week2/locks/lab.toml"),
        ] {
            let lab: crate::course::Lab = toml::from_str(text).expect("parses");
            assert_eq!(lab.experiment.expect("an experiment").problems(), []);
        }
    }
}
