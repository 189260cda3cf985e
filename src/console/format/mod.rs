//! Replies as text: the terminal format ([`Printer`], lazy and in pages), raw, CSV and JSON.
//!
//! Owns: redis-cli's formats, byte for byte. Where redis-cli is wrong and we differ, `docs/console.md`
//! says so. Must not know: where the text goes.

mod csv;
mod json;
mod printer;
mod raw;
mod repr;
#[cfg(test)]
mod tests;

pub use csv::write_csv;
pub use json::{JsonMode, write_json};
pub use printer::{Printer, Sink, exact, lines_of_raw};
pub use raw::{Delimiters, write_raw};
pub use repr::{Repr, escape, printable, quote};
