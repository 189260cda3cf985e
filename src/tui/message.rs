//! Everything that can happen to the model.
//!
//! Owns: the vocabulary of input and replies. Must not know: where they come from.

use crossterm::event::{KeyEvent, MouseEvent};

use super::widget::highlight::Coloured;
use crate::{
    check::CheckEvent,
    console::{BlockOutcome, Candidate, ConsoleEvent, Problem, Token},
    course::UnitId,
    lab::LabEvent,
    progress::Progress,
};

/// Something happened.
#[derive(Debug, Clone)]
pub enum Message {
    /// A key was pressed.
    Key(KeyEvent),
    /// The mouse did something.
    Mouse(MouseEvent),
    /// Text was pasted.
    Paste(String),
    /// The terminal has another size.
    Resize(u16, u16),
    /// We were stopped and go on: the terminal may have been anything in between.
    Continued,
    /// A signal asks us to end.
    Terminate,
    /// The first frame is on the screen: now there is time for the rest.
    FirstFrame,
    /// The server ladder says what it is doing.
    ServerProgress {
        /// One line: `fetching valkey 9.1.2`.
        text: String,
        /// Done part, 0 to 1, where it is known.
        fraction: Option<f64>,
    },
    /// A server is there: `valkey 9.1.2, private`.
    ServerReady(String),
    /// None is.
    ServerFailed(String),
    /// From the console's session.
    Console(ConsoleEvent),
    /// Remembered lines, oldest first.
    History(Vec<String>),
    /// Help for the line being typed.
    Assist(Assist),
    /// A lesson's block ran.
    BlockRan {
        /// Of which lesson.
        unit: UnitId,
        /// Which block.
        block: usize,
        /// What came of it.
        outcome: BlockOutcome,
    },
    /// Code was highlighted: by key of the block; `None`: the language is not known.
    Highlighted(Vec<(u64, Option<Coloured>)>),
    /// From the running lab.
    Lab(LabEvent),
    /// The lab is over and everything it started is gone.
    LabEnded,
    /// Where the learner's program is, if there is one.
    Folder(UnitId, Option<std::path::PathBuf>),
    /// A starter was written: where, and the program's file name or what went wrong.
    Starter {
        /// The exercise.
        unit: UnitId,
        /// The folder.
        folder: std::path::PathBuf,
        /// File to edit.
        written: Result<String, String>,
    },
    /// From the running check.
    Check(CheckEvent),
    /// The check is over and everything it started is gone.
    CheckEnded,
    /// Written down; this is what is on disk now.
    Progress(Progress),
    /// Could not be written down.
    ProgressFailed(String),
}

/// Help for the line being typed; valid for that line only.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Assist {
    /// The line it is about.
    pub line: String,
    /// Byte offset of the cursor.
    pub cursor: usize,
    /// The line in classed ranges.
    pub colours: Vec<(std::ops::Range<usize>, Token)>,
    /// The syntax still to come.
    pub hint: Option<String>,
    /// What could stand at the cursor.
    pub candidates: Vec<Candidate>,
    /// What the server would refuse.
    pub problems: Vec<Problem>,
}
