//! One buyer after another: sells what is there, then says sold out.

use std::time::Duration;

use rand::RngExt;
use serde::Deserialize;

use crate::{
    check::{
        Verdict,
        context::{Context, Judged, Trouble},
        sale::{self, Told},
        stand::Happening,
    },
    proxy::{Class, WireKind},
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {}

/// A sale without any rival takes milliseconds.
const LIMIT: Duration = Duration::from_secs(5);

pub async fn judge(context: &mut Context) -> Judged {
    context.patient.drain();
    let mut sales = 0;
    // An item is sold by one instance: what instances have to agree on is for other checks.
    for index in 0..context.patient.instances.len() {
        let stock = context.rng.random_range(2..=4);
        let item = context.patient.new_item(&mut context.rng, stock);
        context.progress(format!("selling {stock} × {item} at instance {}", index + 1));
        for left in (0..stock).rev() {
            let outcome = context.patient.buy(index, &item, LIMIT).await;
            let told = sale::read(&outcome).map_err(Trouble::Broken)?;
            let shelf = context.patient.warehouse.shelf(&item);
            let sold = format!("{} of {stock} pieces left, one buyer, instance {}", left + 1, index + 1);
            if told != (Told::Sold { left }) {
                let expected = format!("expected: 200 {{\"sold\":true,\"left\":{left}}}");
                return Ok(fail(
                    context,
                    "a lone buyer did not get what is in stock",
                    vec![sold, expected, format!("answered: {told:?}")],
                ));
            }
            if shelf.stock != left || i64::try_from(shelf.writes.len()) != Ok(stock - left) {
                let seen = format!(
                    "the warehouse holds {} after {} writes; expected {left} after {}",
                    shelf.stock,
                    shelf.writes.len(),
                    stock - left
                );
                return Ok(fail(
                    context,
                    "the buyer was told \"sold\", but the warehouse says otherwise",
                    vec![sold, seen],
                ));
            }
            sales += 1;
        }
        let told = sale::read(&context.patient.buy(index, &item, LIMIT).await).map_err(Trouble::Broken)?;
        if told != Told::SoldOut {
            let evidence = vec!["stock 0, expected: 409 {\"sold\":false}".to_owned(), format!("answered: {told:?}")];
            return Ok(fail(context, "nothing is left, and the buyer was not told so", evidence));
        }
    }
    let silent: Vec<String> = unused_redis(context);
    if !silent.is_empty() {
        let who = silent.join(", ");
        return Err(Trouble::Broken(format!(
            "instance {who} sold, but never talked to REDIS_URL: the lock must be kept in the Redis that is given there"
        )));
    }
    Ok(Verdict::Pass { coverage: format!("{sales} sales, one after another") })
}

/// Instances that sent no command but handshakes.
fn unused_redis(context: &mut Context) -> Vec<String> {
    let mut used = vec![false; context.patient.instances.len()];
    for happening in context.patient.drain() {
        if let Happening::Wire(wire) = happening
            && let WireKind::Command { class, .. } = wire.kind
            && class != Class::Handshake
        {
            used[wire.instance] = true;
        }
    }
    used.iter().enumerate().filter(|(_, used)| !**used).map(|(index, _)| (index + 1).to_string()).collect()
}

fn fail(context: &Context, why: &str, evidence: Vec<String>) -> Verdict {
    let advice =
        "make one sale right before any lock: read the stock, 409 if it is 0, else write stock − 1 and answer with it";
    context.failure(why.to_owned(), advice, evidence, None)
}
