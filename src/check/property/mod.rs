//! The properties, one file each, and their parameters.
//!
//! A property drives the program on a stand and judges what it saw: behaviour and state, never the
//! form of a command. It fails a program only on evidence that no right program can give.

mod dead_holder;
mod expiry_atomic;
mod fencing;
mod never_oversold;
mod owner_release;
mod serves;
mod throughput;
mod waiting;

use std::path::Path;

use serde::de::DeserializeOwned;

use super::context::{Context, Judged, Trouble};
use crate::{course::exercise::Exercise, diagnostic::Diagnostic};

pub(super) const DOORMAN: &str = "in this check the warehouse lets every fencing token in: the lock alone has to do it";

/// A property as a course author sees it.
#[derive(Debug, Clone, Copy)]
pub struct Property {
    /// For `property = "…"`.
    pub name: &'static str,
    /// What holds for a program that passes.
    pub summary: &'static str,
    /// Its parameters with their defaults.
    pub parameters: &'static str,
    parse: fn(&toml::Table) -> Result<(), String>,
}

/// Every property there is.
pub const ALL: &[Property] = &[
    Property {
        name: "serves",
        summary: "buyers one after another get what is there, then 409; Redis and the warehouse are used",
        parameters: "",
        parse: parse::<serves::Params>,
    },
    Property {
        name: "never-oversold",
        summary: "each accepted write is one less than what it replaces, and there are as many 200s as writes: in all orders of few buyers and with many at once",
        parameters: "buyers = 200 (at once), items = 4, stock = 10 (of each)",
        parse: parse::<never_oversold::Params>,
    },
    Property {
        name: "expiry-atomic",
        summary: "at no step of an acquisition does a lock key exist without an expiry, or with one beyond LOCK_TTL_MS",
        parameters: "slack-ms = 100 (over LOCK_TTL_MS)",
        parse: parse::<expiry_atomic::Params>,
    },
    Property {
        name: "dead-holder",
        summary: "after SIGKILL at any step the item can be bought again within LOCK_TTL_MS",
        parameters: "slack-ms = 700 (over LOCK_TTL_MS)",
        parse: parse::<dead_holder::Params>,
    },
    Property {
        name: "owner-release",
        summary: "nobody removes, changes or extends a lock that another holds by now",
        parameters: "",
        parse: parse::<owner_release::Params>,
    },
    Property {
        name: "fencing",
        summary: "a holder whose lock has passed to another cannot write; tokens rise with every holder",
        parameters: "",
        parse: parse::<fencing::Params>,
    },
    Property {
        name: "waiting",
        summary: "a waiting buyer asks seldom, gets the lock when it is free, and 503 when WAIT_MS is over",
        parameters: "commands-per-second = 250 (of one waiting buyer), slack-ms = 800 (over WAIT_MS)",
        parse: parse::<waiting::Params>,
    },
    Property {
        name: "throughput",
        summary: "one item is sold at a share of the rate that two calls to the warehouse allow",
        parameters: "share = 0.15, origin-ms = 10 (one call), buyers = 6 (at once)",
        parse: parse::<throughput::Params>,
    },
];

fn parse<P: DeserializeOwned>(table: &toml::Table) -> Result<(), String> {
    params::<P>(table).map(|_| ())
}

fn params<P: DeserializeOwned>(table: &toml::Table) -> Result<P, String> {
    table.clone().try_into().map_err(|error: toml::de::Error| error.message().to_owned())
}

fn read_params<P: DeserializeOwned>(table: &toml::Table) -> Result<P, Trouble> {
    params(table).map_err(|error| Trouble::Ours(format!("lab.toml: parameters of the property: {error}")))
}

/// Judges a program by a property.
pub async fn judge(context: &mut Context, property: &str, table: &toml::Table) -> Judged {
    match property {
        "serves" => serves::judge(context).await,
        "never-oversold" => never_oversold::judge(context, &read_params(table)?).await,
        "expiry-atomic" => expiry_atomic::judge(context, &read_params(table)?).await,
        "dead-holder" => dead_holder::judge(context, &read_params(table)?).await,
        "owner-release" => owner_release::judge(context).await,
        "fencing" => fencing::judge(context).await,
        "waiting" => waiting::judge(context, &read_params(table)?).await,
        "throughput" => throughput::judge(context, &read_params(table)?).await,
        other => Err(Trouble::Ours(format!("lab.toml: there is no property {other:?}"))),
    }
}

/// Names of properties and their parameters in an exercise that nobody knows.
pub fn validate(exercise: &Exercise, file: &Path, source: &str) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for check in &exercise.checks {
        let known = ALL.iter().find(|p| p.name == check.property.get_ref());
        let (message, help) = match known {
            None => {
                let names: Vec<_> = ALL.iter().map(|p| p.name).collect();
                (
                    format!("there is no property {:?}", check.property.get_ref()),
                    format!("one of: {}", names.join(", ")),
                )
            }
            Some(property) => match (property.parse)(&check.params) {
                Ok(()) => continue,
                Err(error) if property.parameters.is_empty() => {
                    (error, format!("{} takes no parameters", property.name))
                }
                Err(error) => (error, format!("parameters of {}: {}", property.name, property.parameters)),
            },
        };
        found.push(Diagnostic {
            file: file.to_path_buf(),
            source: source.to_owned(),
            span: check.property.span(),
            message,
            label: "this check".to_owned(),
            help: Some(help),
        });
    }
    found
}
