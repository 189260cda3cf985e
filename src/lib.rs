//! **cachelab**: learn caching by breaking it, on a live Redis.
//!
//! # The map
//!
//! ```text
//!   front ends   cli ──(one call)──▶ tui          print and draw; nothing imports them
//!                 │                   │
//!   domain        ├─ console ─ lab ─ check ─ progress      never import each other
//!                 │             │
//!   what is       ├─ course     ├─ pattern        course: types and parsing; pattern: reusable cache patterns
//!   taught        │             │
//!   machinery     └─ server  proxy  origin  workload       one job each, know nothing of lessons
//!   base             resp  process  stats  clock  diagnostic
//! ```
//!
//! Data flow: a front end asks [`server`] for one live server and passes its
//! [`Endpoint`](server::Endpoint) down. [`console`] sends a learner's commands to it. [`lab`] drives
//! [`pattern`]s with [`workload`] against it and an [`origin`], and emits a stream of
//! [`lab::LabEvent`]s. [`check`] starts a learner's program behind [`proxy`], drives it, judges the
//! history and emits [`check::CheckEvent`]s. Both front ends show the same streams.
//!
//! # The import rule (held by `tests/architecture.rs`)
//!
//! 1. `cli` and `tui` may use everything; nothing imports them; they do not import each other, but
//!    for the one call that opens the TUI.
//! 2. `lab`, `check`, `console`, `progress` may use `course`, `pattern`, machinery and base, and
//!    never each other.
//! 3. `pattern` uses `origin`, the `redis` crate and base. `course` uses `diagnostic` alone.
//! 4. `proxy`, `server`, `workload`, `origin` use base only. Base uses crates only.
//! 5. A crate has one home: ratatui and crossterm in `tui`; clap in `cli`; reedline in
//!    `cli/console`; testcontainers in `server`; syntect in `tui/widget`;
//!    pulldown-cmark and include_dir in `course`.

pub mod check;
pub mod cli;
pub mod clock;
pub mod console;
pub mod course;
pub mod diagnostic;
pub mod lab;
pub mod origin;
pub mod pattern;
pub mod process;
pub mod progress;
pub mod proxy;
pub mod resp;
pub mod server;
pub mod stats;
pub mod tui;
pub mod workload;
