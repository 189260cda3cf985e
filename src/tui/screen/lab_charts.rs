//! A lab's samples as charts: which there are, and what their lines are.
//!
//! Owns: from metrics to series and levels. Must not know: where on the screen a chart is drawn.

use super::{lab::LabScreen, lab_results::predictions};
use crate::{
    course::{UnitId, lesson::Predict},
    lab::{LabStarted, Sample},
    tui::{
        model::Model,
        text,
        theme::{Role, Theme},
        widget::chart::{Chart, Level, Scale, Series},
    },
};

/// A value of a sample, where there is one.
type Metric = fn(&Sample) -> Option<f64>;

/// All charts of a lab, the most telling first.
pub(super) fn charts(model: &Model, unit: &UnitId, lab: &LabScreen, started: &LabStarted) -> Vec<Chart> {
    let guesses = predictions(model, unit);
    let levels = |metric: &str| -> Vec<Level> {
        let about =
            |predict: &&(&Predict, f64)| predict.0.metric.split_once('.').is_some_and(|(_, name)| name == metric);
        let level = |(predict, guess): &(&Predict, f64)| {
            let variant = predict.metric.split('.').next().unwrap_or_default();
            Level { value: *guess, label: format!("your guess for {variant}"), role: Role::Important }
        };
        guesses.iter().filter(about).map(level).collect()
    };
    let base = |title: &str, unit: &str, scale: Scale| empty_chart(model.theme, lab, started, title, unit, scale);
    let mut all = Vec::new();
    let samples = || lab.variants.iter().flat_map(|variant| &variant.samples);
    for (at, extra) in started.extra.iter().enumerate() {
        // A share of nothing is no number.
        let value = |sample: &Sample| sample.extra.get(at).copied().filter(|value| value.is_finite());
        let mut chart = base(&extra.label, &extra.unit, Scale::Linear(1.0));
        chart.short = text::clean(&extra.name.replace('_', " ")).into_owned();
        chart.series = series(model.theme, lab, &value);
        chart.levels = levels(&extra.name);
        all.push(chart);
    }
    if samples().any(|sample| sample.hits + sample.misses > 0) {
        let ratio: Metric = |s| (s.hits + s.misses > 0).then(|| 100.0 * s.hits as f64 / (s.hits + s.misses) as f64);
        let mut chart = base("hit ratio", "%", Scale::Fixed(100.0));
        chart.series = series(model.theme, lab, &ratio);
        chart.levels =
            levels("hit_ratio").into_iter().map(|l| Level { value: l.value * percent(l.value), ..l }).collect();
        all.insert(0, chart);
    }
    let mut latency = base("response time p50 and p99", "ms", Scale::Log);
    latency.series = latencies(model.theme, lab);
    latency.levels = levels("p50").into_iter().chain(levels("p99")).chain(levels("mean")).collect();
    all.insert(1.min(all.len()), latency);
    if samples().any(|sample| sample.origin_calls > 0) {
        let mut chart = base("origin calls in flight", "", Scale::Linear(1.0));
        let peak: Metric = |s| Some(s.origin_peak as f64);
        chart.series = series(model.theme, lab, &peak);
        if let Some(capacity) = started.origin_capacity {
            let label = format!("capacity {capacity}");
            chart.levels.push(Level { value: f64::from(capacity), label, role: Role::Warn });
        }
        chart.levels.extend(levels("origin.peak"));
        all.insert(2.min(all.len()), chart);
    }
    for chart in &mut all {
        let front = chart.series.iter().rev().find(|series| !series.dim);
        let value = front.and_then(|series| series.points.iter().rev().find_map(|(_, value)| *value));
        chart.latest = front.zip(value).map(|(series, value)| (series.role, value));
    }
    all
}

/// The variant in the foreground with its median and its 99th percentile; the others with the
/// percentile, or with the median where too few requests were made to tell the percentile.
fn latencies(theme: Theme, lab: &LabScreen) -> Vec<Series> {
    let (p50, p99): (Metric, Metric) = (|s| s.latency.p50, |s| s.latency.p99);
    let told = |series: &Series| series.points.iter().any(|(_, value)| value.is_some());
    let mut all: Vec<Series> = series(theme, lab, &p99)
        .into_iter()
        .zip(series(theme, lab, &p50))
        .flat_map(|(high, middle)| match (told(&high), high.dim) {
            (true, true) => vec![high],
            (true, false) => vec![high, middle],
            (false, _) => vec![middle],
        })
        .collect();
    all.sort_by_key(|series| !series.dim);
    all
}

/// A guess of a share may have been given as 0.95 or as 95.
fn percent(guess: f64) -> f64 {
    if guess <= 1.0 { 100.0 } else { 1.0 }
}

fn empty_chart(theme: Theme, lab: &LabScreen, started: &LabStarted, title: &str, unit: &str, scale: Scale) -> Chart {
    let marks = lab.variants.get(lab.selected).map_or_else(Vec::new, |variant| variant.marks.clone());
    let longest = (0..lab.variants.len()).map(|variant| lab.elapsed(variant)).fold(0.0, f64::max);
    Chart {
        title: text::clean(title).into_owned(),
        short: text::clean(title).into_owned(),
        latest: None,
        unit: unit.to_owned(),
        series: Vec::new(),
        levels: Vec::new(),
        marks,
        seconds: started.duration.as_secs_f64().max(longest),
        scale,
        theme,
    }
}

/// One line a variant; the one in the foreground is last, so it is drawn over the others.
fn series(theme: Theme, lab: &LabScreen, value: &dyn Fn(&Sample) -> Option<f64>) -> Vec<Series> {
    let mut order: Vec<usize> = (0..lab.variants.len()).collect();
    order.sort_by_key(|at| *at == lab.selected);
    order
        .into_iter()
        .map(|at| Series {
            marker: theme.marker(at),
            role: Role::Series(at as u8),
            points: lab.variants[at].samples.iter().map(|sample| (sample.at.as_secs_f64(), value(sample))).collect(),
            dim: at != lab.selected,
        })
        .collect()
}
