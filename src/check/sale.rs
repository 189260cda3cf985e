//! What a buyer may be told, read strictly.

use serde_json::Value;

use super::driver::{DriveError, Reply};

/// A valid answer to `POST /buy/{item}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// 200: sold, and what is left.
    Sold {
        /// The stock that was written.
        left: i64,
    },
    /// 409: nothing left.
    SoldOut,
    /// 503: no lock in time, or too late with it.
    Busy,
}

/// Reads an answer; else what was expected and what came.
pub fn read(outcome: &Result<Reply, DriveError>) -> Result<Told, String> {
    let reply = outcome.as_ref().map_err(|error| format!("POST /buy/{{item}}: {error}"))?;
    let got = || format!("POST /buy/{{item}} answered {} {}", reply.status, reply.text());
    let json = || serde_json::from_slice::<Value>(&reply.body).map_err(|_| format!("{}, which is not JSON", got()));
    match reply.status {
        200 => {
            let body = json()?;
            match (body.get("sold"), body.get("left").and_then(Value::as_i64)) {
                (Some(Value::Bool(true)), Some(left)) => Ok(Told::Sold { left }),
                _ => Err(format!("{}; expected {{\"sold\":true,\"left\":N}}", got())),
            }
        }
        409 => match json()?.get("sold") {
            Some(Value::Bool(false)) => Ok(Told::SoldOut),
            _ => Err(format!("{}; expected {{\"sold\":false}}", got())),
        },
        503 => Ok(Told::Busy),
        _ => Err(format!("{}; expected 200, 409 or 503", got())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, body: &'static str) -> Result<Told, String> {
        read(&Ok(Reply { status, body: body.into(), took: std::time::Duration::ZERO }))
    }

    #[test]
    fn answers_are_read_strictly_and_complaints_show_what_came() {
        assert_eq!(told(200, r#"{"sold": true, "left": 4, "more": 1}"#), Ok(Told::Sold { left: 4 }));
        assert_eq!(told(409, r#"{"sold":false}"#), Ok(Told::SoldOut));
        assert_eq!(told(503, "busy"), Ok(Told::Busy));
        assert!(told(200, r#"{"sold":true,"left":"4"}"#).unwrap_err().contains(r#"expected {"sold":true,"left":N}"#));
        assert!(told(200, "<html>").unwrap_err().contains("not JSON"));
        assert!(told(500, "oops").unwrap_err().contains("answered 500 oops"));
    }
}
