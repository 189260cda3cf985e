//! Refusals remembered in the process, so that a flood does not reach Redis.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use super::Decision;

/// Remembers until when a subject was refused.
///
/// Guarantees: it lets nothing through by itself, and refuses only until the time that the limiter named.
/// Does **not** guarantee: that a subject whose limit is raised or reset meanwhile is let through before that.
#[derive(Debug)]
pub struct LocalGate {
    until: Mutex<HashMap<String, Instant>>,
    capacity: usize,
}

impl LocalGate {
    /// A gate that remembers up to `capacity` subjects; a flood of made-up subjects does not fill the memory.
    pub fn new(capacity: usize) -> Self {
        Self { until: Mutex::default(), capacity }
    }

    /// Whether to ask the limiter; `false`: refuse at once.
    pub fn asks(&self, subject: &str, now: Instant) -> bool {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        match until.get(subject) {
            Some(end) if now < *end => false,
            Some(_) => {
                until.remove(subject);
                true
            }
            None => true,
        }
    }

    /// Remembers the limiter's answer to a request of the smallest cost.
    pub fn remember(&self, subject: &str, decision: &Decision, now: Instant) {
        if decision.allowed {
            return;
        }
        let Some(end) = now.checked_add(decision.retry_after) else { return };
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.len() >= self.capacity {
            until.retain(|_, end| now < *end);
        }
        if until.len() < self.capacity {
            until.insert(subject.to_owned(), end);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn refuses_until_the_named_time_and_no_longer() {
        let gate = LocalGate::new(2);
        let start = Instant::now();
        let refused = Decision { allowed: false, remaining: 0, retry_after: Duration::from_millis(10) };
        gate.remember("a", &Decision { allowed: true, ..refused }, start);
        assert!(gate.asks("a", start));
        gate.remember("a", &refused, start);
        assert!(!gate.asks("a", start + Duration::from_millis(9)));
        assert!(gate.asks("b", start));
        assert!(gate.asks("a", start + Duration::from_millis(10)));
        for subject in ["a", "b", "c"] {
            gate.remember(subject, &refused, start);
        }
        assert!(gate.asks("c", start), "no room: the limiter decides");
        gate.remember("c", &refused, start + Duration::from_millis(20));
        assert!(!gate.asks("c", start + Duration::from_millis(20)), "room made by what is over");
    }
}
