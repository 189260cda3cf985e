//! The present position of every knob; it lasts from variant to variant.

use std::time::Duration;

use super::{KnobInfo, cache::milliseconds};
use crate::course::lab::{Distribution, Experiment, Load, Setting};
use crate::workload::Popularity;

/// Positions, and what follows from them.
#[derive(Debug, Clone)]
pub(super) struct Knobs {
    positions: Vec<(Setting, f64)>,
}

impl Knobs {
    /// As the lab starts.
    pub fn new(experiment: &Experiment) -> Self {
        Self { positions: experiment.knobs.iter().map(|knob| (knob.name, *knob.start.get_ref())).collect() }
    }

    /// Turns one; says its new value.
    pub fn turn(&mut self, experiment: &Experiment, name: &str, index: usize) -> Option<(Setting, f64)> {
        let place = experiment.knobs.iter().position(|knob| knob.name.name() == name)?;
        let value = *experiment.knobs[place].values.get_ref().get(index)?;
        self.positions[place].1 = value;
        Some(self.positions[place])
    }

    /// All positions.
    pub fn all(&self) -> impl Iterator<Item = (Setting, f64)> + '_ {
        self.positions.iter().copied()
    }

    fn get(&self, setting: Setting) -> Option<f64> {
        self.all().find(|(name, _)| *name == setting).map(|(_, value)| value)
    }

    /// Open loop: requests a second.
    pub fn rate(&self, experiment: &Experiment) -> Option<f64> {
        match experiment.workload.load {
            Load::Open { rate } => Some(self.get(Setting::Rate).unwrap_or(rate)),
            Load::Closed { .. } => None,
        }
    }

    /// Share of requests that write.
    pub fn writes(&self, experiment: &Experiment) -> f64 {
        self.get(Setting::Writes).unwrap_or(experiment.workload.writes)
    }

    /// Popularity of ids.
    pub fn popularity(&self, experiment: &Experiment) -> Popularity {
        match (self.get(Setting::Alpha), experiment.workload.distribution) {
            (Some(alpha), _) | (None, Distribution::Zipf(alpha)) => Popularity::Zipf(alpha),
            (None, Distribution::Uniform) => Popularity::Uniform,
            (None, Distribution::Hotspot { keys, requests }) => Popularity::Hotspot { keys, requests },
        }
    }

    /// Time to live, where a knob sets it.
    pub fn ttl(&self) -> Option<Duration> {
        self.get(Setting::Ttl).map(milliseconds)
    }

    /// For the screen.
    pub fn info(experiment: &Experiment) -> Vec<KnobInfo> {
        let info = |knob: &crate::course::lab::Knob| KnobInfo {
            name: knob.name.name().to_owned(),
            label: knob.label.clone(),
            unit: knob.unit.clone(),
            values: knob.values.get_ref().clone(),
            start: knob.values.get_ref().iter().position(|v| v.total_cmp(knob.start.get_ref()).is_eq()).unwrap_or(0),
        };
        experiment.knobs.iter().map(info).collect()
    }
}
