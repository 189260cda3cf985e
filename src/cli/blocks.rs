//! Running a lesson's redis blocks, for `read --run` and `dev check`.
//!
//! Owns: one session for the blocks of one lesson, and the patience with each. Must not know what
//! becomes of the outcomes.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::{
    console::{BlockOutcome, Session, SessionOptions},
    course::{Lesson, lesson::RedisBlock},
    server::Endpoint,
};

/// A block waits for seconds at most (`BLPOP … 1`); one that hangs must not hang us.
const PATIENCE: Duration = Duration::from_secs(30);

/// Every block of a lesson, in order.
pub(super) async fn run_lesson(lesson: &Lesson, endpoint: &Endpoint) -> Result<Vec<BlockOutcome>> {
    let blocks = Blocks::open(endpoint);
    let mut outcomes = Vec::new();
    for block in lesson.redis_blocks() {
        outcomes.push(blocks.run(block).await?);
    }
    Ok(outcomes)
}

/// A session that runs blocks.
pub(super) struct Blocks {
    session: Session,
    drain: tokio::task::JoinHandle<()>,
}

impl Blocks {
    /// On a connection of its own.
    pub fn open(endpoint: &Endpoint) -> Blocks {
        let (session, mut events) = Session::open(endpoint.clone(), SessionOptions::default());
        // The events are a screen's concern; the outcome of a block is all that is asked for here.
        let drain = tokio::spawn(async move { while events.recv().await.is_some() {} });
        Blocks { session, drain }
    }

    /// Runs a block.
    pub async fn run(&self, block: &RedisBlock) -> Result<BlockOutcome> {
        let outcome = tokio::time::timeout(PATIENCE, self.session.run_block(block)).await;
        outcome.with_context(|| format!("the block of line {} did not end within {PATIENCE:?}", block.line))
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        self.drain.abort();
    }
}
