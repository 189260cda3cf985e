//! A thread that wakes tasks at exact times.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use super::Waiter;

/// A handle to the timer thread. Clones share it; it ends when the last handle and sleep are gone.
#[derive(Debug, Clone)]
pub struct Timer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    entries: BinaryHeap<Reverse<Entry>>,
    next_id: u64,
}

#[derive(Debug)]
struct Entry {
    due: Instant,
    id: u64,
    slot: Arc<Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    fired: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.due, self.id) == (other.due, other.id)
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.id).cmp(&(other.due, other.id))
    }
}

/// A poisoned lock means that a thread panicked elsewhere while holding it; queue and slots stay sound.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Timer {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start() -> std::io::Result<Self> {
        let shared = Arc::new(Shared { queue: Mutex::default(), changed: Condvar::new() });
        let weak = Arc::downgrade(&shared);
        std::thread::Builder::new().name("timer".to_owned()).spawn(move || run(&weak))?;
        Ok(Self { shared })
    }

    /// Completes at `due`: never before, and on an idle machine within some 50 µs after.
    pub fn sleep_until(&self, due: Instant) -> Sleep {
        Sleep { timer: self.clone(), due, slot: None }
    }

    /// Completes `duration` from now.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        self.sleep_until(Instant::now() + duration)
    }

    fn add(&self, due: Instant, slot: &Arc<Slot>) {
        let mut queue = locked(&self.shared.queue);
        let id = queue.next_id;
        queue.next_id += 1;
        let first = queue.entries.peek().is_none_or(|Reverse(entry)| due < entry.due);
        queue.entries.push(Reverse(Entry { due, id, slot: Arc::clone(slot) }));
        drop(queue);
        if first {
            self.shared.changed.notify_one();
        }
    }
}

/// How long the thread looks away when nothing is due; only then does it notice that its last handle is gone.
const IDLE: Duration = Duration::from_millis(500);

fn run(shared: &Weak<Shared>) {
    let mut waiter = Waiter::default();
    let mut due_now = Vec::new();
    while let Some(shared) = shared.upgrade() {
        let mut queue = locked(&shared.queue);
        let now = Instant::now();
        while queue.entries.peek().is_some_and(|Reverse(entry)| entry.due <= now) {
            due_now.extend(queue.entries.pop().map(|Reverse(entry)| entry.slot));
        }
        if due_now.is_empty() {
            match queue.entries.peek().map(|Reverse(entry)| entry.due) {
                Some(due) if due <= now + IDLE => waiter.until_notified(&shared.changed, queue, due),
                _ => drop(shared.changed.wait_timeout(queue, IDLE)),
            }
            continue;
        }
        drop(queue);
        for slot in due_now.drain(..) {
            slot.fired.store(true, Ordering::Release);
            if let Some(waker) = locked(&slot.waker).take() {
                waker.wake();
            }
        }
    }
}

/// The future of [`Timer::sleep_until`]. Dropping it is free: its entry is woken for nobody.
#[derive(Debug)]
pub struct Sleep {
    timer: Timer,
    due: Instant,
    slot: Option<Arc<Slot>>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(slot) = &self.slot else {
            if Instant::now() >= self.due {
                return Poll::Ready(());
            }
            let slot = Arc::new(Slot::default());
            *locked(&slot.waker) = Some(context.waker().clone());
            self.timer.add(self.due, &slot);
            self.slot = Some(slot);
            return Poll::Pending;
        };
        if slot.fired.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        let mut waker = locked(&slot.waker);
        // The thread sets the flag before it takes the waker: looking again under the lock misses nothing.
        if slot.fired.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        if waker.as_ref().is_none_or(|old| !old.will_wake(context.waker())) {
            *waker = Some(context.waker().clone());
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn never_early_and_the_median_is_on_time() {
        let timer = Timer::start().expect("a thread");
        let mut best = Duration::MAX;
        // A busy machine is late in some batches, a coarse timer in all of them.
        for _ in 0..8 {
            let mut late = Vec::new();
            for micros in [300, 700, 1100, 1900, 2500, 3300, 4100] {
                let due = Instant::now() + Duration::from_micros(micros);
                timer.sleep_until(due).await;
                late.push(Instant::now().checked_duration_since(due).expect("never early"));
            }
            late.sort();
            best = best.min(late[3]);
        }
        assert!(best < Duration::from_micros(200), "median lateness {best:?}");
    }

    #[tokio::test]
    async fn many_at_once_wake_in_order_and_dropped_ones_do_no_harm() {
        let timer = Timer::start().expect("a thread");
        let start = Instant::now();
        let order = Arc::new(Mutex::new(Vec::new()));
        let tasks: Vec<_> = (0..200_u64)
            .map(|n| {
                // Scattered, so that the queue is not fed in order.
                let due = start + Duration::from_millis(20 + n * 7919 % 200);
                let (timer, order) = (timer.clone(), Arc::clone(&order));
                tokio::spawn(async move {
                    timer.sleep_until(due).await;
                    locked(&order).push(due);
                })
            })
            .collect();
        for (n, task) in tasks.into_iter().enumerate() {
            if n % 10 == 0 {
                task.abort();
            } else {
                task.await.expect("no panic");
            }
        }
        let order = locked(&order);
        assert!(order.len() >= 180, "{}", order.len());
        assert!(order.is_sorted(), "woken in order of their times");
    }

    #[tokio::test]
    async fn a_time_that_has_passed_is_at_once() {
        let timer = Timer::start().expect("a thread");
        timer.sleep_until(Instant::now()).await;
        timer.sleep(Duration::ZERO).await;
    }
}
