//! What the update asks the world to do: comparable data, each with a key.
//!
//! Owns: the vocabulary. Must not know: how anything is done. A newer effect with the same [`Key`]
//! replaces an older one; replies of the older one never reach the update (see `runtime`).

use std::path::PathBuf;

use crate::{
    course::{UnitId, lesson::RedisBlock},
    lab::LabCommand,
    progress::Change,
};

/// Something to be done outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Climb the server ladder.
    StartServer,
    /// Open the console's session on the server.
    OpenConsole,
    /// Send a line.
    Submit(String),
    /// Give up what the console is doing.
    CancelCommand,
    /// Answer the console's question.
    ConfirmCommand(bool),
    /// Ask for the rest of a long reply.
    More(crate::console::CommandId),
    /// Colours, hint and candidates for the line being typed.
    Assist {
        /// The line.
        line: String,
        /// Byte offset of the cursor.
        cursor: usize,
    },
    /// Run a lesson's block.
    RunBlock {
        /// Of which lesson.
        unit: UnitId,
        /// The block.
        block: RedisBlock,
    },
    /// Highlight code, off the way to the next frame.
    Highlight(Vec<(String, String)>),
    /// Start the lab of a unit.
    StartLab(UnitId),
    /// Tell the running lab.
    Lab(LabCommand),
    /// Find out where the learner's program for an exercise is.
    FindFolder(UnitId),
    /// Write the starter of an exercise, in Python, below the folder we are in.
    WriteStarter(UnitId),
    /// Verify the program in a folder.
    StartCheck {
        /// The exercise.
        unit: UnitId,
        /// The learner's folder.
        folder: PathBuf,
        /// Only these checks; empty: all.
        only: Vec<String>,
    },
    /// End what runs under a key.
    Cancel(Key),
    /// Write down what the learner did.
    Record {
        /// In which unit.
        unit: UnitId,
        /// What.
        change: Change,
    },
    /// Write down the place in a lesson, once scrolling has come to rest.
    Remember {
        /// The lesson.
        unit: UnitId,
        /// Its block at the top of the screen.
        block: usize,
    },
    /// Give the terminal back and stop, until told to go on.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Leave.
    Quit,
}

/// What an effect is about; one at a time of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// The server.
    Server,
    /// The console's session.
    Console,
    /// Help for the line being typed.
    Assist,
    /// A block of a lesson.
    Block,
    /// Highlighting.
    Highlight,
    /// The lab.
    Lab,
    /// The check.
    Check,
    /// The place in the lesson.
    Place,
    /// Things done at once, of which none replaces another.
    Immediate,
}

impl Effect {
    /// What it is about.
    pub fn key(&self) -> Key {
        match self {
            Effect::StartServer => Key::Server,
            Effect::OpenConsole => Key::Console,
            Effect::Assist { .. } => Key::Assist,
            Effect::RunBlock { .. } => Key::Block,
            Effect::Highlight(_) => Key::Highlight,
            Effect::StartLab(_) => Key::Lab,
            Effect::StartCheck { .. } => Key::Check,
            Effect::Remember { .. } => Key::Place,
            _ => Key::Immediate,
        }
    }
}
