//! When faults begin and end on a variant's own time.

use std::time::Duration;

use crate::course::lab::Experiment;

/// Something that is to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub at: Duration,
    /// Index into the experiment's faults.
    pub fault: usize,
    pub begins: bool,
}

/// What is to happen, soonest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Schedule {
    due: Vec<Due>,
}

impl Schedule {
    /// The scheduled faults of one variant.
    pub fn new(experiment: &Experiment, variant: &str, duration: Duration) -> Self {
        let mut schedule = Self::default();
        for (index, fault) in experiment.faults.iter().enumerate() {
            let applies = fault.variants.is_empty() || fault.variants.iter().any(|name| name.get_ref() == variant);
            for at in fault.at.iter().filter(|_| applies) {
                schedule.add(index, duration.mul_f64(*at.get_ref()));
            }
        }
        schedule
    }

    /// A fault that begins at `at`.
    pub fn add(&mut self, fault: usize, at: Duration) {
        self.insert(Due { at, fault, begins: true });
    }

    /// The end of a fault that has begun.
    pub fn end(&mut self, fault: usize, at: Duration) {
        // Begun again before it ended: it lasts until the later end.
        self.due.retain(|due| due.begins || due.fault != fault);
        self.insert(Due { at, fault, begins: false });
    }

    fn insert(&mut self, due: Due) {
        let place = self.due.partition_point(|other| other.at <= due.at);
        self.due.insert(place, due);
    }

    /// When the next is due.
    pub fn next_at(&self) -> Option<Duration> {
        self.due.first().map(|due| due.at)
    }

    /// The next, if it is due.
    pub fn take(&mut self, now: Duration) -> Option<Due> {
        if self.next_at()? > now {
            return None;
        }
        Some(self.due.remove(0))
    }

    /// Faults that have begun and not ended.
    pub fn open(&self) -> Vec<usize> {
        self.due.iter().filter(|due| !due.begins).map(|due| due.fault).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn soonest_first_and_a_second_beginning_moves_the_end() {
        let mut schedule = Schedule::default();
        schedule.add(0, ms(50));
        schedule.add(1, ms(20));
        assert_eq!(schedule.take(ms(10)), None);
        assert_eq!(schedule.take(ms(25)), Some(Due { at: ms(20), fault: 1, begins: true }));
        schedule.end(1, ms(60));
        assert_eq!(schedule.open(), [1]);
        schedule.end(1, ms(90));
        assert_eq!(schedule.open(), [1]);
        assert_eq!(schedule.take(ms(70)), Some(Due { at: ms(50), fault: 0, begins: true }));
        assert_eq!(schedule.take(ms(70)), None, "the earlier end is gone");
        assert_eq!(schedule.take(ms(90)), Some(Due { at: ms(90), fault: 1, begins: false }));
    }
}
