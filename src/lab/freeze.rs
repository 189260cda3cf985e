//! Stopping a client as SIGSTOP stops a process: nothing of it goes on, its watchdog neither.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use crate::clock::{Sleep, Timer};

/// Stops the client that it belongs to.
#[derive(Debug, Clone, Default)]
pub(super) struct Freezer(Arc<Mutex<Option<Instant>>>);

impl Freezer {
    /// The client stands still from its next step on, for `duration` from now.
    pub fn freeze(&self, duration: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + duration);
    }

    fn until(&self) -> Option<Instant> {
        let mut until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if until.is_some_and(|until| until <= Instant::now()) {
            *until = None;
        }
        *until
    }

    /// For the client itself: stops here, now, for `duration`.
    pub async fn freeze_here(&self, duration: Duration) {
        self.freeze(duration);
        // The freezer looks before each step: end this one.
        tokio::task::yield_now().await;
    }
}

/// A client's whole life, not polled while frozen. What arrives meanwhile (replies, due timers) waits, as
/// in the buffers of a stopped process.
pub(super) struct Freezable<F> {
    inner: Pin<Box<F>>,
    freezer: Freezer,
    timer: Timer,
    thaw: Option<Sleep>,
}

impl<F> Freezable<F> {
    pub fn new(inner: F, freezer: Freezer, timer: Timer) -> Self {
        Self { inner: Box::pin(inner), freezer, timer, thaw: None }
    }
}

impl<F: Future> Future for Freezable<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        while let Some(until) = self.freezer.until() {
            let mut thaw = self.timer.sleep_until(until);
            if Pin::new(&mut thaw).poll(context).is_pending() {
                self.thaw = Some(thaw);
                return Poll::Pending;
            }
        }
        self.thaw = None;
        self.inner.as_mut().poll(context)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn nothing_of_a_frozen_client_goes_on_and_then_all_does() {
        let timer = Timer::start().expect("a thread");
        let (freezer, steps) = (Freezer::default(), Arc::new(AtomicU32::new(0)));
        let client = {
            let (timer, freezer, steps) = (timer.clone(), freezer.clone(), Arc::clone(&steps));
            async move {
                let ticks = async {
                    loop {
                        timer.sleep(Duration::from_millis(2)).await;
                        steps.fetch_add(1, Ordering::Relaxed);
                    }
                };
                let work = async {
                    timer.sleep(Duration::from_millis(20)).await;
                    freezer.freeze_here(Duration::from_millis(100)).await;
                    let at_thaw = steps.load(Ordering::Relaxed);
                    timer.sleep(Duration::from_millis(20)).await;
                    at_thaw
                };
                tokio::select! {
                    () = ticks => 0,
                    at_thaw = work => at_thaw,
                }
            }
        };
        let begun = Instant::now();
        let at_thaw = Freezable::new(client, freezer, timer).await;
        assert!(begun.elapsed() >= Duration::from_millis(140), "{:?}", begun.elapsed());
        assert!(at_thaw <= 13, "the watchdog did not tick while frozen: {at_thaw}");
        assert!(steps.load(Ordering::Relaxed) > at_thaw, "and goes on afterwards");
    }
}
