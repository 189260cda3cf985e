//! The protected resource of a sale: stocks that can be read and overwritten, a doorman that turns
//! away stale fencing tokens, and a log of every call that took effect.
//!
//! Owns: what the learner's program sees behind ORIGIN_URL, and the judge's copy of it.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use serde::Deserialize;

use crate::origin::http::{Answer, App, Call};

/// A write that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The stock it replaced.
    pub old: i64,
    /// The stock it wrote.
    pub new: i64,
    /// Its fencing token.
    pub token: Option<i64>,
}

impl Write {
    /// It was not one less than what it replaced: its writer had read something else.
    pub fn is_lost_update(&self) -> bool {
        self.new != self.old - 1
    }
}

/// One item, as the judge sees it.
#[derive(Debug, Clone, Default)]
pub struct Shelf {
    /// What is left.
    pub stock: i64,
    /// The highest token shown.
    pub highest: Option<i64>,
    /// Accepted writes, in order.
    pub writes: Vec<Write>,
    /// How many calls the doorman turned away.
    pub refused: usize,
    /// Calls of any kind, also refused ones.
    pub calls: usize,
}

/// All items.
#[derive(Debug, Default)]
pub struct Warehouse {
    shelves: Mutex<HashMap<String, Shelf>>,
    lenient: AtomicBool,
}

#[derive(Deserialize)]
struct Body {
    stock: i64,
}

impl Warehouse {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Shelf>> {
        // A panic cannot leave a shelf half-written.
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a new item on sale.
    pub fn stock(&self, item: &str, stock: i64) {
        self.lock().insert(item.to_owned(), Shelf { stock, ..Shelf::default() });
    }

    /// The judge's view of an item.
    pub fn shelf(&self, item: &str) -> Shelf {
        self.lock().get(item).cloned().unwrap_or_default()
    }

    /// Forgets an item.
    pub fn remove(&self, item: &str) {
        self.lock().remove(item);
    }

    /// Whether stale tokens are let in, for checks that are not about tokens.
    pub fn set_lenient(&self, lenient: bool) {
        self.lenient.store(lenient, Ordering::Relaxed);
    }

    fn admit(&self, item: &mut Shelf, token: Option<i64>) -> Result<(), Answer> {
        let Some(token) = token else { return Ok(()) };
        let highest = item.highest.unwrap_or(i64::MIN);
        if token < highest && !self.lenient.load(Ordering::Relaxed) {
            item.refused += 1;
            let body = serde_json::json!({ "error": "stale token", "highest": highest });
            return Err(Answer { status: 409, body: body.to_string() });
        }
        item.highest = Some(highest.max(token));
        Ok(())
    }
}

fn error(status: u16, text: &str) -> Answer {
    Answer { status, body: serde_json::json!({ "error": text }).to_string() }
}

/// The item of a call: the last part of `/stock/{item}`.
pub fn item_of(call: &Call) -> Option<&str> {
    call.path.split('?').next()?.trim_start_matches('/').strip_prefix("stock/")
}

/// The token of a call.
pub fn token_of(call: &Call) -> Result<Option<i64>, String> {
    call.header("fencing-token").map(|text| text.trim().parse().map_err(|_| text.to_owned())).transpose()
}

impl App for Warehouse {
    fn handle(&self, call: &Call) -> Answer {
        let Some(name) = item_of(call) else { return error(404, "there is only /stock/{item}") };
        let mut house = self.lock();
        let Some(item) = house.get_mut(name) else { return error(404, "there is no such item") };
        item.calls += 1;
        let token = match token_of(call) {
            Ok(token) => token,
            Err(text) => return error(400, &format!("Fencing-Token is not an integer: {text}")),
        };
        match call.method.as_str() {
            "GET" => match self.admit(item, token) {
                Ok(()) => {
                    let body = serde_json::json!({ "item": name, "stock": item.stock }).to_string();
                    Answer { status: 200, body }
                }
                Err(refusal) => refusal,
            },
            "PUT" => {
                let Ok(body) = serde_json::from_slice::<Body>(&call.body) else {
                    return error(400, r#"the body must be {"stock": N} with an integer"#);
                };
                if body.stock < 0 {
                    return error(400, "a stock is never below 0");
                }
                if let Err(refusal) = self.admit(item, token) {
                    return refusal;
                }
                item.writes.push(Write { old: item.stock, new: body.stock, token });
                item.stock = body.stock;
                Answer { status: 200, body: serde_json::json!({ "stock": item.stock }).to_string() }
            }
            _ => error(405, "GET and PUT only"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str, item: &str, token: Option<&str>, body: &str) -> Call {
        Call {
            method: method.into(),
            path: format!("/stock/{item}"),
            headers: token.map(|t| ("fencing-token".to_owned(), t.to_owned())).into_iter().collect(),
            body: body.to_owned().into(),
        }
    }

    #[test]
    fn the_doorman_remembers_reads_and_writes() {
        let house = Warehouse::default();
        house.stock("shoe", 5);
        assert_eq!(house.handle(&call("GET", "shoe", Some("17"), "")).status, 200);
        assert_eq!(house.handle(&call("GET", "shoe", Some("18"), "")).status, 200);
        let stale = house.handle(&call("PUT", "shoe", Some("17"), r#"{"stock":4}"#));
        assert_eq!((stale.status, stale.body.as_str()), (409, r#"{"error":"stale token","highest":18}"#));
        assert_eq!(house.handle(&call("PUT", "shoe", None, r#"{"stock":4}"#)).status, 200, "as from an old client");
        assert_eq!(house.handle(&call("PUT", "shoe", Some("x"), r#"{"stock":4}"#)).status, 400);
        assert_eq!(house.handle(&call("PUT", "shoe", Some("18"), "4")).status, 400);
        assert_eq!(house.shelf("shoe").writes, [Write { old: 5, new: 4, token: None }]);
        assert_eq!(house.handle(&call("GET", "hat", None, "")).status, 404);
    }
}
