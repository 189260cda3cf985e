//! The resource that a lock is to protect: a stock that can be read and overwritten, slowly, without
//! compare-and-set. It knows one defence, fencing tokens: it remembers the highest one it was shown for
//! an item, in reads and in writes, and refuses every lower one.
//!
//! Reads must show the token too. If only writes did, a holder that was paused could still write between
//! the read and the write of its successor, with the highest token *so far*, and be overwritten unseen.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::gauge::Gauge;
use crate::clock::Timer;

/// A stock as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stock {
    /// How many are left.
    pub left: u64,
    /// Raised by every write. Not part of what a client may use: it lets a lab see writes that overwrite a
    /// value they have not read.
    pub version: u64,
}

/// Why a call was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StockError {
    /// The token is lower than the highest seen.
    #[error("stale token, the highest is {highest}")]
    StaleToken {
        /// The highest token seen for this item.
        highest: u64,
    },
    /// No such item.
    #[error("there is no such item")]
    Unknown,
}

/// Counted since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WarehouseStatistics {
    /// Calls of both kinds.
    pub calls: u64,
    /// Writes that landed.
    pub writes: u64,
    /// Writes that landed on a version other than the one their writer had read.
    pub stale_writes: u64,
    /// Calls refused for their token.
    pub rejected: u64,
}

/// Stocks of items.
#[derive(Debug)]
pub struct Warehouse {
    timer: Timer,
    latency: Mutex<Duration>,
    state: Mutex<State>,
    gauge: Gauge,
}

#[derive(Debug, Default)]
struct State {
    shelves: HashMap<String, Shelf>,
    statistics: WarehouseStatistics,
}

#[derive(Debug)]
struct Shelf {
    stock: Stock,
    highest: Option<u64>,
}

impl Shelf {
    fn show(&mut self, token: Option<u64>) -> Result<(), StockError> {
        match (token, self.highest) {
            (Some(token), Some(highest)) if token < highest => Err(StockError::StaleToken { highest }),
            (Some(token), _) => {
                self.highest = Some(token);
                Ok(())
            }
            // As from an old client: let in without a look.
            (None, _) => Ok(()),
        }
    }
}

impl Warehouse {
    /// An empty warehouse whose calls take `latency`.
    pub fn new(latency: Duration, timer: Timer) -> Self {
        Self { timer, latency: Mutex::new(latency), state: Mutex::default(), gauge: Gauge::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here is left half-changed by a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an item on the shelf, or its stock to `left`; tokens seen are forgotten.
    pub fn stock(&self, item: &str, left: u64) {
        let new = Shelf { stock: Stock { left, version: 1 }, highest: None };
        self.state().shelves.insert(item.to_owned(), new);
    }

    /// From now on calls take this long.
    pub fn set_latency(&self, latency: Duration) {
        *self.latency.lock().unwrap_or_else(PoisonError::into_inner) = latency;
    }

    /// The stock at once, for judging.
    pub fn peek(&self, item: &str) -> Option<Stock> {
        self.state().shelves.get(item).map(|shelf| shelf.stock)
    }

    /// What was counted.
    pub fn statistics(&self) -> WarehouseStatistics {
        self.state().statistics
    }

    /// Most calls in flight at once since the last time this was asked.
    pub fn take_peak(&self) -> u64 {
        self.gauge.take_peak()
    }

    /// Reads a stock; `token` is the reader's fencing token.
    pub async fn read(&self, item: &str, token: Option<u64>) -> Result<Stock, StockError> {
        self.call(|state| {
            let place = state.shelves.get_mut(item).ok_or(StockError::Unknown)?;
            place.show(token)?;
            Ok(place.stock)
        })
        .await
    }

    /// Overwrites a stock. `read` is the version the writer had read: it is not checked, only counted.
    pub async fn write(&self, item: &str, left: u64, token: Option<u64>, read: u64) -> Result<(), StockError> {
        self.call(|state| {
            let place = state.shelves.get_mut(item).ok_or(StockError::Unknown)?;
            place.show(token)?;
            state.statistics.writes += 1;
            state.statistics.stale_writes += u64::from(place.stock.version != read);
            place.stock = Stock { left, version: place.stock.version + 1 };
            Ok(())
        })
        .await
    }

    /// The effect comes at once, the answer takes its time: a caller that gives up waiting can't take back what
    /// it sent.
    async fn call<T>(&self, effect: impl FnOnce(&mut State) -> Result<T, StockError>) -> Result<T, StockError> {
        let _inside = self.gauge.enter();
        let result = {
            let mut state = self.state();
            state.statistics.calls += 1;
            let result = effect(&mut state);
            state.statistics.rejected += u64::from(matches!(result, Err(StockError::StaleToken { .. })));
            result
        };
        let latency = *self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        self.timer.sleep(latency).await;
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warehouse() -> Warehouse {
        let warehouse = Warehouse::new(Duration::from_millis(1), Timer::start().expect("a thread"));
        warehouse.stock("shoe", 5);
        warehouse
    }

    #[tokio::test]
    async fn a_write_is_stale_when_another_came_between_its_read_and_itself() {
        let warehouse = warehouse();
        let (mine, yours) = (warehouse.read("shoe", None).await, warehouse.read("shoe", None).await);
        let (mine, yours) = (mine.expect("known"), yours.expect("known"));
        warehouse.write("shoe", mine.left - 1, None, mine.version).await.expect("accepted");
        assert_eq!(warehouse.statistics().stale_writes, 0);
        warehouse.write("shoe", yours.left - 1, None, yours.version).await.expect("accepted, that is the trap");
        assert_eq!(warehouse.statistics().stale_writes, 1);
        assert_eq!(warehouse.peek("shoe").expect("known").left, 4, "two sales, one pair gone");
    }

    #[tokio::test]
    async fn an_older_token_is_refused_also_when_the_newer_one_was_only_seen_reading() {
        let warehouse = warehouse();
        let old = warehouse.read("shoe", Some(33)).await.expect("known");
        warehouse.read("shoe", Some(34)).await.expect("known");
        let refused = warehouse.write("shoe", old.left - 1, Some(33), old.version).await;
        assert_eq!(refused, Err(StockError::StaleToken { highest: 34 }));
        assert_eq!(warehouse.peek("shoe").expect("known").left, 5);
        assert_eq!(warehouse.read("shoe", Some(1)).await, Err(StockError::StaleToken { highest: 34 }));
        warehouse.write("shoe", 4, Some(34), 1).await.expect("the holder's own");
        assert_eq!(warehouse.statistics().rejected, 2);
        assert_eq!(warehouse.read("sock", None).await, Err(StockError::Unknown));
    }
}
