//! The whole state of the TUI, as plain data.
//!
//! Owns: where we are, what lies on top, what each screen remembers. Must not know: terminals, time,
//! tasks. Changed by `update` alone.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{
    keymap::Action,
    screen::{check::CheckScreen, console::Console, home::Home, lab::LabScreen, lesson::Reader},
    theme::{Role, Theme},
    widget::{highlight::Coloured, markdown::SpotKind},
};
use crate::{
    course::{Course, Lesson, UnitId},
    progress::Progress,
};

/// Everything.
#[derive(Debug)]
pub struct Model {
    /// What is taught.
    pub course: Arc<Course>,
    /// What was done, as last written down.
    pub progress: Progress,
    /// How things look.
    pub theme: Theme,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// Where we are.
    pub route: Route,
    /// Where we were.
    pub back: Vec<Route>,
    /// Where we came back from.
    pub forward: Vec<Route>,
    /// What lies on top, the last on top of all.
    pub overlays: Vec<Overlay>,
    /// Who has the keyboard.
    pub focus: Pane,
    /// The console pane was opened (or closed) by hand.
    pub console_open: bool,
    /// The console has the whole screen.
    pub zoom: bool,
    /// The live server.
    pub server: ServerState,
    /// One line above the footer, until the next key.
    pub notice: Option<(Role, String)>,
    /// Weeks and units.
    pub home: Home,
    /// Lessons that were opened.
    pub readers: HashMap<UnitId, Reader>,
    /// Highlighted code.
    pub code: HashMap<u64, Option<Coloured>>,
    /// Lessons whose code was asked to be highlighted.
    pub asked: HashSet<UnitId>,
    /// The console.
    pub console: Console,
    /// Labs that were opened.
    pub labs: HashMap<UnitId, LabScreen>,
    /// Exercises that were opened.
    pub checks: HashMap<UnitId, CheckScreen>,
    /// What runs, to be asked about before leaving.
    pub running: Running,
}

/// A screen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Route {
    /// Weeks and units.
    Home,
    /// A lesson.
    Lesson(UnitId),
    /// A lab.
    Lab(UnitId),
    /// An exercise.
    Check(UnitId),
}

impl Route {
    /// The unit it is about.
    pub fn unit(&self) -> Option<&UnitId> {
        match self {
            Route::Home => None,
            Route::Lesson(unit) | Route::Lab(unit) | Route::Check(unit) => Some(unit),
        }
    }
}

/// Who has the keyboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pane {
    /// The screen.
    Main,
    /// The console.
    Console,
}

/// Something on top of the screen.
#[derive(Debug, Clone, PartialEq)]
pub enum Overlay {
    /// All keys that are valid now.
    Help {
        /// First line shown.
        scroll: usize,
    },
    /// A question to be answered with yes or no.
    Confirm(Confirm),
    /// A message to be read: an error, something long.
    Notice {
        /// Its title.
        title: String,
        /// Its text; may be several lines.
        text: String,
        /// First line shown.
        scroll: usize,
    },
}

/// What a yes means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirm {
    /// Leave while something runs.
    Quit(String),
    /// Send a dangerous command: command and reason.
    Command(String, String),
    /// Write the starter of an exercise.
    Starter(crate::course::UnitId),
}

/// The live server.
#[derive(Debug, Clone, PartialEq)]
pub enum ServerState {
    /// Not asked for yet.
    Off,
    /// On the ladder: what it is doing, and how far.
    Starting(String, Option<f64>),
    /// There: what it is.
    Ready(String),
    /// None: why, and what to do.
    Failed(String),
}

/// What runs for a unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Running {
    /// A lab.
    pub lab: Option<UnitId>,
    /// A check.
    pub check: Option<UnitId>,
    /// A lesson's block.
    pub block: Option<(UnitId, usize)>,
}

impl Model {
    /// The state before the first frame.
    pub fn new(course: Arc<Course>, progress: Progress, theme: Theme, size: (u16, u16)) -> Self {
        let home = Home::new(&course, &progress);
        Self {
            course,
            progress,
            theme,
            size,
            route: Route::Home,
            back: Vec::new(),
            forward: Vec::new(),
            overlays: Vec::new(),
            focus: Pane::Main,
            console_open: false,
            zoom: false,
            server: ServerState::Off,
            notice: None,
            home,
            readers: HashMap::new(),
            code: HashMap::new(),
            asked: HashSet::new(),
            console: Console::default(),
            labs: HashMap::new(),
            checks: HashMap::new(),
            running: Running::default(),
        }
    }

    /// The lesson of a unit.
    pub fn lesson(&self, unit: &UnitId) -> Option<&Lesson> {
        self.course.unit(unit).map(|unit| &unit.lesson)
    }

    /// The open lesson.
    pub fn reader(&self) -> Option<&Reader> {
        match &self.route {
            Route::Lesson(unit) => self.readers.get(unit),
            _ => None,
        }
    }

    /// The open lesson, to be changed.
    pub fn reader_mut(&mut self) -> Option<&mut Reader> {
        match &self.route {
            Route::Lesson(unit) => self.readers.get_mut(unit),
            _ => None,
        }
    }

    /// A question or a prediction has the focus.
    pub fn question_focused(&self) -> bool {
        self.reader()
            .and_then(Reader::focused)
            .is_some_and(|spot| matches!(spot.kind, SpotKind::Quiz(_) | SpotKind::Predict(_)))
    }

    /// What Enter does in a lesson.
    pub fn enter_label(&self) -> &'static str {
        match self.reader().and_then(Reader::focused).map(|spot| &spot.kind) {
            Some(SpotKind::Redis(_)) => "run block",
            Some(SpotKind::Quiz(_)) => "answer",
            Some(SpotKind::Predict(_)) => "keep",
            Some(SpotKind::Lab(_)) => "open lab",
            Some(SpotKind::Link(..)) => "follow link",
            None => "first block",
        }
    }

    /// The unit that the learner looks at: the open one, or the selected one.
    pub fn unit(&self) -> Option<&UnitId> {
        self.route.unit().or_else(|| self.home.selected(self))
    }

    /// An action has something to act on now; others show neither in the footer nor in the help.
    pub fn allows(&self, action: &Action) -> bool {
        let unit = self.unit().and_then(|id| self.course.unit(id));
        let lab = unit.and_then(|unit| unit.lab.as_ref());
        match action {
            Action::Lab => lab.is_some_and(|lab| lab.experiment.is_some()),
            Action::Check => lab.is_some_and(|lab| lab.exercise.is_some()),
            Action::Back => !self.back.is_empty(),
            Action::Forward => !self.forward.is_empty(),
            Action::Next | Action::Previous => self.reader().is_none_or(|reader| !reader.document.spots.is_empty()),
            Action::Open if matches!(self.route, Route::Lesson(_)) => {
                self.reader().is_some_and(|reader| !reader.document.spots.is_empty())
            }
            _ => true,
        }
    }

    /// What would be interrupted by leaving, in words.
    pub fn busy(&self) -> Option<String> {
        let lab = self.running.lab.as_ref().map(|unit| format!("the lab {unit}"));
        let check = self.running.check.as_ref().map(|unit| format!("the check of {unit}"));
        match (lab, check) {
            (Some(lab), Some(check)) => Some(format!("{lab} and {check}")),
            (lab, check) => lab.or(check),
        }
    }
}
