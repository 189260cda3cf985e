//! A run as text: a line while it runs, a table with sparklines when it is over.

use std::io::{self, Write};

use crate::{
    cli::common::Ink,
    lab::{ClaimResult, LabEvent, LabStarted, Sample, metric_text},
};

/// What has been seen of a run.
#[derive(Debug, Default)]
pub(super) struct Table {
    started: Option<LabStarted>,
    rows: Vec<Row>,
}

#[derive(Debug, Default)]
struct Row {
    samples: Vec<Sample>,
    marks: Vec<(f64, String)>,
    totals: Option<Vec<(String, f64)>>,
}

impl Row {
    fn total(&self, name: &str) -> Option<f64> {
        self.totals.as_ref()?.iter().find(|(n, _)| n == name).map(|(_, value)| *value)
    }
}

/// What the run is.
pub(super) fn head(out: &mut impl Write, started: &LabStarted, ink: Ink) -> io::Result<()> {
    writeln!(out, "{}  {}", ink.paint("2", &started.id), ink.paint("1", &started.title))?;
    writeln!(out, "{}", started.question)?;
    let seconds = started.duration.as_secs_f64();
    let count = started.variants.len();
    let facts = format!(
        "{count} variants of {seconds:.1} s; {}; {}; {}",
        started.workload, started.connections, started.server
    );
    writeln!(out, "{}\n", ink.paint("2", &facts))
}

impl Table {
    /// Takes in one event.
    pub fn add(&mut self, event: &LabEvent) {
        match event {
            LabEvent::Started(started) => {
                self.rows = started.variants.iter().map(|_| Row::default()).collect();
                self.started = Some(started.clone());
            }
            LabEvent::Sample(sample) => {
                if let Some(row) = self.rows.get_mut(sample.variant) {
                    row.samples.push(sample.clone());
                }
            }
            LabEvent::Mark { at, variant, label } => {
                if let Some(row) = self.rows.get_mut(*variant) {
                    row.marks.push((at.as_secs_f64(), label.clone()));
                }
            }
            LabEvent::VariantFinished { variant, totals } => {
                if let Some(row) = self.rows.get_mut(*variant) {
                    row.totals = Some(totals.clone());
                }
            }
            _ => {}
        }
    }

    /// The last second of what runs now, once a second.
    pub fn live_line(&self, ink: Ink) -> Option<String> {
        let started = self.started.as_ref()?;
        let (index, row) = self.rows.iter().enumerate().rev().find(|(_, row)| !row.samples.is_empty())?;
        if row.samples.len() % 10 != 1 {
            return None;
        }
        let recent = &row.samples[row.samples.len().saturating_sub(10)..];
        let last = recent.last()?;
        let sum = |of: fn(&Sample) -> u64| recent.iter().map(of).sum::<u64>();
        let lookups = sum(|s| s.hits) + sum(|s| s.misses);
        let mut parts = vec![
            format!("{:>4.0} s", last.at.as_secs_f64()),
            started.variants.get(index)?.name.clone(),
            format!("{}/s", sum(|s| s.operations) * 10 / recent.len() as u64),
        ];
        if lookups > 0 {
            parts.push(format!("hits {:.1} %", 100.0 * sum(|s| s.hits) as f64 / lookups as f64));
        }
        parts.extend(last.latency.p50.map(|ms| format!("p50 {}", metric_text(ms, "p50"))));
        parts.extend(last.latency.p99.map(|ms| format!("p99 {}", metric_text(ms, "p99"))));
        parts.push(format!("origin {}/s", sum(|s| s.origin_calls) * 10 / recent.len() as u64));
        if let Some((_, label)) = row.marks.iter().rev().find(|(at, _)| last.at.as_secs_f64() - at < 1.5) {
            parts.push(label.clone());
        }
        let line: String = parts.join("  ").chars().take(ink.width.saturating_sub(1)).collect();
        Some(line)
    }

    /// The totals, a row a variant.
    pub fn print(&self, out: &mut impl Write, ink: Ink) -> io::Result<()> {
        let Some(started) = &self.started else { return Ok(()) };
        let locks = self.rows.iter().any(|row| row.total("acquisitions").is_some());
        let columns: &[(&str, &str)] = if locks { &LOCK_COLUMNS } else { &CACHE_COLUMNS };
        let mut cells: Vec<Vec<String>> = vec![columns.iter().map(|(head, _)| (*head).to_owned()).collect()];
        cells[0].insert(0, "variant".to_owned());
        cells[0].push(if locks { "stale writes over time" } else { "origin calls over time" }.to_owned());
        for (variant, row) in started.variants.iter().zip(&self.rows) {
            let mut cell = vec![variant.name.clone()];
            cell.extend(columns.iter().map(|(_, name)| {
                // A variant that was skipped has no totals.
                row.total(name).map_or_else(|| "–".to_owned(), |value| short(value, name))
            }));
            let values: Vec<f64> = match started.extra.iter().position(|extra| extra.name == "stale_writes") {
                Some(lane) if locks => row.samples.iter().map(|s| s.extra.get(lane).copied().unwrap_or(0.0)).collect(),
                _ => row.samples.iter().map(|s| s.origin_calls as f64).collect(),
            };
            cell.push(sparkline(&values, 24, ink));
            cells.push(cell);
        }
        write_cells(out, &cells, ink)
    }
}

const CACHE_COLUMNS: [(&str, &str); 8] = [
    ("requests", "operations"),
    ("hits", "hit_ratio"),
    ("stale", "stale_share"),
    ("mean", "mean"),
    ("p50", "p50"),
    ("p99", "p99"),
    ("origin", "origin.calls"),
    ("errors", "errors"),
];

const LOCK_COLUMNS: [(&str, &str); 7] = [
    ("locks", "acquisitions"),
    ("overlaps", "overlaps"),
    ("stale", "stale_writes"),
    ("rejected", "rejected_writes"),
    ("lost", "lost_updates"),
    ("wait p50", "wait_p50"),
    ("blocked", "longest_block"),
];

fn short(value: f64, name: &str) -> String {
    metric_text(value, name).replace(" ms", "ms").replace(" %", "%")
}

fn write_cells(out: &mut impl Write, cells: &[Vec<String>], ink: Ink) -> io::Result<()> {
    let columns = cells.first().map_or(0, Vec::len);
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for (index, row) in cells.iter().enumerate() {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let gap = " ".repeat(width - cell.chars().count());
            // Names and sparklines to the left, numbers to the right.
            let left = column == 0 || column + 1 == columns;
            line.extend(if left { [cell.as_str(), &gap, "  "] } else { [&gap, cell, "  "] });
        }
        writeln!(out, "{}", ink.paint(if index == 0 { "2" } else { "" }, line.trim_end()))?;
    }
    writeln!(out)
}

/// A row of bars, each the mean of its share of the values; the highest is full.
fn sparkline(values: &[f64], width: usize, ink: Ink) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const ASCII: [char; 8] = ['_', '.', ',', '-', '=', '+', '*', '#'];
    let bars = if ink.drawing { BARS } else { ASCII };
    let width = width.min(values.len());
    let mean = |column: usize| {
        let (from, to) = (column * values.len() / width, (column + 1) * values.len() / width);
        let known: Vec<f64> = values[from..to].iter().copied().filter(|value| value.is_finite()).collect();
        if known.is_empty() { 0.0 } else { known.iter().sum::<f64>() / known.len() as f64 }
    };
    let means: Vec<f64> = (0..width).map(mean).collect();
    let highest = means.iter().copied().fold(0.0, f64::max);
    let bar = |value: &f64| {
        let level = if highest > 0.0 { (value / highest * 7.0).round() as usize } else { 0 };
        bars[level.min(7)]
    };
    means.iter().map(bar).collect()
}

/// The claims with what was measured.
pub(super) fn claims(out: &mut impl Write, claims: &[ClaimResult], ink: Ink) -> io::Result<()> {
    for claim in claims {
        let (word, style) = match claim.holds {
            Some(true) => ("holds", "32"),
            Some(false) => ("FAILS", "1;31"),
            None => ("open ", "33"),
        };
        writeln!(out, "{}  {}", ink.paint(style, word), claim.sentence)?;
        writeln!(out, "       {}", ink.paint("2", &format!("{}   ({})", claim.expression, claim.measured)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparklines_scale_to_their_highest_value() {
        let ink = Ink { colour: false, drawing: true, width: 80 };
        assert_eq!(sparkline(&[0.0, 7.0, 14.0], 24, ink), "▁▅█");
        assert_eq!(sparkline(&[], 24, ink), "");
        assert_eq!(sparkline(&[0.0; 100], 24, ink).chars().count(), 24);
        assert_eq!(sparkline(&[f64::NAN, 3.0], 24, Ink { drawing: false, ..ink }), "_#");
    }
}
