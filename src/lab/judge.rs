//! Claims against what was measured.

use super::ClaimResult;
use crate::course::{
    Experiment,
    claim::{Comparison, MetricRef},
    lab::Claim,
    metric::metric,
};

/// Judges every claim. `totals` holds the variants that ran to their end.
pub(super) fn judge(
    experiment: &Experiment,
    private: bool,
    totals: &[(usize, Vec<(String, f64)>)],
) -> Vec<ClaimResult> {
    let value = |wanted: &MetricRef| {
        let index = experiment.variants.iter().position(|v| *v.name.get_ref() == wanted.variant)?;
        let (_, values) = totals.iter().find(|(variant, _)| *variant == index)?;
        values.iter().find(|(name, _)| *name == wanted.metric).map(|(_, value)| *value)
    };
    experiment.claims.iter().map(|claim| one(claim, private, &value)).collect()
}

fn one(claim: &Claim, private: bool, value: &dyn Fn(&MetricRef) -> Option<f64>) -> ClaimResult {
    let result = |holds, measured| ClaimResult {
        expression: claim.expect.get_ref().clone(),
        sentence: claim.sentence.clone(),
        holds,
        measured,
    };
    if claim.private && !private {
        return result(None, "needs a private server: on yours others may be counted too".to_owned());
    }
    // The loader has parsed it already; an experiment built by hand may still be wrong.
    let comparison = match Comparison::parse(claim.expect.get_ref()) {
        Ok(comparison) => comparison,
        Err(error) => return result(None, error.to_string()),
    };
    let mut told: Vec<String> = Vec::new();
    for wanted in comparison.metrics() {
        let line = match value(wanted) {
            Some(value) => format!("{wanted} = {}", text(value, &wanted.metric)),
            None => format!("{wanted} was not measured"),
        };
        if !told.contains(&line) {
            told.push(line);
        }
    }
    result(comparison.holds(value), told.join(", "))
}

/// A value as a person writes it, with the unit of its metric.
pub fn text(value: f64, name: &str) -> String {
    // A phase may stand before the name.
    let known = metric(name).or_else(|| name.split_once('.').and_then(|(_, rest)| metric(rest)));
    match known.map_or("", |metric| metric.unit) {
        "share" => format!("{:.1} %", value * 100.0),
        "" => format!("{value:.0}"),
        unit if value.abs() >= 100.0 => format!("{value:.0} {unit}"),
        unit if value.abs() >= 10.0 => format!("{value:.1} {unit}"),
        unit => format!("{value:.2} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn experiment() -> Experiment {
        toml::from_str(
            r#"
title = "t"
question = "q"
origin = { latency = { fixed = 5 } }
workload = { load = { open = { rate = 100 } }, keys = 10, duration = 2 }
variants = [
  { name = "a", label = "a", pattern = "uncached" },
  { name = "b-2", label = "b", pattern = "uncached" },
]
claims = [
  { expect = "a.p99 > 2 * b-2.p99", sentence = "s" },
  { expect = "a.errors == b-2.errors", sentence = "s", private = true },
]
"#,
        )
        .expect("parses")
    }

    fn totals(p99: f64) -> Vec<(String, f64)> {
        vec![("p99".to_owned(), p99), ("errors".to_owned(), 0.0)]
    }

    #[test]
    fn holds_fails_and_says_what_was_measured() {
        let holds = judge(&experiment(), true, &[(0, totals(50.0)), (1, totals(5.0))]);
        assert_eq!(holds[0].holds, Some(true));
        assert_eq!(holds[0].measured, "a.p99 = 50.0 ms, b-2.p99 = 5.00 ms");
        assert_eq!(holds[1].holds, Some(true));
        assert_eq!(judge(&experiment(), true, &[(0, totals(9.0)), (1, totals(5.0))])[0].holds, Some(false));
    }

    #[test]
    fn an_unfinished_variant_or_a_borrowed_server_is_no_verdict() {
        let unfinished = judge(&experiment(), true, &[(0, totals(50.0))]);
        assert_eq!(unfinished[0].holds, None);
        assert!(unfinished[0].measured.contains("b-2.p99 was not measured"));
        let borrowed = judge(&experiment(), false, &[(0, totals(50.0)), (1, totals(5.0))]);
        assert_eq!((borrowed[0].holds, borrowed[1].holds), (Some(true), None));
    }
}
