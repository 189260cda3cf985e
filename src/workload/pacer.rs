//! The open loop: a thread that sends requests at the times of an absolute Poisson schedule, whether or
//! not earlier ones were answered. Latency counts from the intended time, so a stall can't hide the
//! requests that it made wait (coordinated omission).

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rand::{SeedableRng, rngs::SmallRng};
use rand_distr::{Distribution, Exp1};
use tokio::sync::mpsc;

use super::{Popularity, Request, Requests};
use crate::clock::Waiter;

/// Requests that became due together, each with its intended time.
pub type Batch = Vec<(Instant, Request)>;

/// The pacing thread. It stops when this is dropped.
#[derive(Debug)]
pub struct Pacer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    control: Mutex<Control>,
    changed: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug)]
struct Control {
    rate: f64,
    paused: bool,
    stopped: bool,
    requests: Requests,
}

/// The thread looks up at least this often, so that a new rate or a stop is soon obeyed.
const LOOK_UP: Duration = Duration::from_millis(20);
/// Requests that may wait to be taken; more of them are dropped and counted.
const BACKLOG: usize = 1024;

impl Pacer {
    /// Starts paused. `rate` is requests a second.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(rate: f64, requests: Requests, seed: u64) -> std::io::Result<(Self, mpsc::Receiver<Batch>)> {
        let (sender, receiver) = mpsc::channel(BACKLOG);
        let control = Control { rate, paused: true, stopped: false, requests };
        let shared = Arc::new(Shared { control: Mutex::new(control), changed: Condvar::new(), dropped: 0.into() });
        let run = Run { shared: Arc::clone(&shared), sender, rng: SmallRng::seed_from_u64(seed ^ 0x0a11_7e55) };
        let thread = std::thread::Builder::new().name("pacer".to_owned()).spawn(move || run.run())?;
        Ok((Self { shared, thread: Some(thread) }, receiver))
    }

    fn change(&self, change: impl FnOnce(&mut Control)) {
        change(&mut self.shared.control());
        self.shared.changed.notify_one();
    }

    /// From now on so many requests a second.
    pub fn set_rate(&self, rate: f64) {
        self.change(|control| control.rate = rate);
    }

    /// From now on this share writes.
    pub fn set_writes(&self, share: f64) {
        self.change(|control| control.requests.set_writes(share));
    }

    /// From now on ids are this popular.
    pub fn set_popularity(&self, popularity: Popularity) {
        self.change(|control| control.requests.set_popularity(popularity));
    }

    /// The schedule stands still; what is due later moves by as much.
    pub fn pause(&self) {
        self.change(|control| control.paused = true);
    }

    /// The schedule goes on.
    pub fn resume(&self) {
        self.change(|control| control.paused = false);
    }

    /// Requests never sent, because too many waited to be taken.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        self.change(|control| control.stopped = true);
        if let Some(thread) = self.thread.take() {
            // It looks up every 20 ms and holds nothing that could panic.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn control(&self) -> MutexGuard<'_, Control> {
        // Plain values: never half-changed.
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Run {
    shared: Arc<Shared>,
    sender: mpsc::Sender<Batch>,
    rng: SmallRng,
}

impl Run {
    fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut waiter = Waiter::default();
        let mut next = Instant::now();
        loop {
            let control = shared.control();
            if control.stopped || self.sender.is_closed() {
                return;
            }
            if control.paused {
                let since = Instant::now();
                drop(shared.changed.wait_timeout(control, LOOK_UP));
                next += since.elapsed();
                continue;
            }
            let now = Instant::now();
            if next > now {
                let until = next.min(now + LOOK_UP);
                waiter.until_notified(&shared.changed, control, until);
                continue;
            }
            self.send_due(control, &mut next, now);
        }
    }

    /// Sends all that is due; `next` becomes the time of the first that is not.
    fn send_due(&mut self, mut control: MutexGuard<'_, Control>, next: &mut Instant, now: Instant) {
        let mut batch = Batch::new();
        while *next <= now && batch.len() < 4096 {
            batch.push((*next, control.requests.next_request()));
            let gap: f64 = Exp1.sample(&mut self.rng);
            // At most a second, so that a rate of nearly nothing can be turned up again.
            *next += Duration::from_secs_f64((gap / control.rate.max(0.001)).min(1.0));
        }
        drop(control);
        let length = batch.len() as u64;
        if self.sender.try_send(batch).is_err() {
            self.shared.dropped.fetch_add(length, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests() -> Requests {
        Requests::new(100, Popularity::Uniform, 0.0, 1, 0)
    }

    async fn collect(receiver: &mut mpsc::Receiver<Batch>, seconds: f64) -> Vec<(Instant, Instant)> {
        let end = Instant::now() + Duration::from_secs_f64(seconds);
        let mut seen = Vec::new();
        while let Ok(Some(batch)) = tokio::time::timeout_at(end.into(), receiver.recv()).await {
            let now = Instant::now();
            seen.extend(batch.into_iter().map(|(due, _)| (due, now)));
        }
        seen
    }

    #[tokio::test]
    async fn offers_the_rate_and_its_gaps_are_poisson() {
        let (pacer, mut receiver) = Pacer::start(2000.0, requests(), 1).expect("a thread");
        pacer.resume();
        let seen = collect(&mut receiver, 1.0).await;
        // Five standard deviations of a Poisson count.
        assert!((1776..2224).contains(&seen.len()), "{}", seen.len());
        let gaps: Vec<f64> = seen.windows(2).map(|w| (w[1].0 - w[0].0).as_secs_f64() * 2000.0).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.15, "exponential gaps: {mean} {variance}");
        assert_eq!(pacer.dropped(), 0);
    }

    #[tokio::test]
    async fn same_seed_same_schedule() {
        let mut schedules = Vec::new();
        for _ in 0..2 {
            let (pacer, mut receiver) = Pacer::start(1000.0, requests(), 9).expect("a thread");
            pacer.resume();
            let seen = collect(&mut receiver, 0.15).await;
            let gaps: Vec<_> = seen.windows(2).map(|w| w[1].0 - w[0].0).take(50).collect();
            schedules.push(gaps);
        }
        assert_eq!(schedules[0], schedules[1]);
    }

    #[tokio::test]
    async fn pauses_and_changes_its_rate() {
        let (pacer, mut receiver) = Pacer::start(1000.0, requests(), 1).expect("a thread");
        assert!(collect(&mut receiver, 0.1).await.is_empty(), "starts paused");
        pacer.resume();
        assert!(!collect(&mut receiver, 0.1).await.is_empty());
        pacer.pause();
        collect(&mut receiver, 0.05).await;
        assert!(collect(&mut receiver, 0.1).await.is_empty());
        pacer.set_rate(4000.0);
        pacer.resume();
        let seen = collect(&mut receiver, 0.3).await;
        assert!((900..1500).contains(&seen.len()), "no catching up with the pause: {}", seen.len());
    }
}
