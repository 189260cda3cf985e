//! Key → action: one table per scope, which also prints the footer and the help.
//!
//! Owns: which key does what where, and when it is valid. Must not know: what an action does.
//! The innermost scope is asked first; what no scope knows is text for whoever takes text.

use std::borrow::Cow;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

pub use super::chord::Chord;
use super::{
    chord::{
        BACK_TAB, BACKSPACE, DELETE, DOWN, END, ENTER, ESC, HOME, LEFT, PAGE_DOWN, PAGE_UP, RIGHT, TAB, UP, alt, ch,
        ctrl, key, with,
    },
    model::{Model, Overlay, Pane, Route},
};

/// What a key asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Leave this pane; at the top, leave the program.
    Quit,
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-Z.
    Suspend,
    /// Ctrl-L.
    Redraw,
    /// Help over everything.
    Help,
    /// Close what is on top.
    Close,
    /// Say yes.
    Confirm,
    /// To the place before.
    Back,
    /// To the place after.
    Forward,
    /// Give the console the keyboard, or take it back.
    Console,
    /// Give the console the whole screen, or take it back.
    Zoom,
    /// One line or row.
    Up,
    /// One line or row.
    Down,
    /// One page.
    PageUp,
    /// One page.
    PageDown,
    /// To the start.
    Top,
    /// To the end.
    Bottom,
    /// Next thing that can have the focus.
    Next,
    /// Previous thing that can have the focus.
    Previous,
    /// Open, run, answer: what Enter does here.
    Open,
    /// To the lab of this unit.
    Lab,
    /// To the exercise of this unit.
    Check,
    /// To the next unit.
    NextUnit,
    /// To the previous unit.
    PreviousUnit,
    /// Show only what is not done, or all.
    Pending,
    /// Pick the n-th choice.
    Pick(usize),
    /// Give the answer again.
    Again,
    /// Start a lab or a check.
    Start,
    /// Stop it.
    Stop,
    /// Hold or go on.
    Pause,
    /// The next variant.
    NextVariant,
    /// Look at another variant.
    Variant(i8),
    /// Trigger a fault by name.
    Fault(String),
    /// Select another knob.
    Knob(i8),
    /// Turn the selected knob.
    Turn(i8),
    /// Another page of the same screen.
    Tab(i8),
    /// Run only the selected check.
    Only,
    /// The next hint.
    Hint,
    /// A key of the prompt.
    Edit(Edit),
}

/// What a key does in the prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    /// Send the line.
    Submit,
    /// Complete, or the next candidate.
    Complete,
    /// The previous candidate.
    CompleteBack,
    /// Older line of the history.
    Older,
    /// Newer line of the history.
    Newer,
    /// Search the history.
    Search,
    /// Leave the console if the line is empty, else delete a character.
    EndOfInput,
    /// One grapheme left.
    Left,
    /// One grapheme right, or take the hint.
    Right,
    /// One word left.
    WordLeft,
    /// One word right.
    WordRight,
    /// Start of the line.
    Home,
    /// End of the line.
    End,
    /// Delete before the cursor.
    Backspace,
    /// Delete under the cursor.
    Delete,
    /// Delete the word before.
    DeleteWord,
    /// Delete the word after.
    DeleteWordRight,
    /// Delete to the start.
    DeleteToStart,
    /// Delete to the end.
    DeleteToEnd,
    /// Insert what was deleted.
    Yank,
    /// Scroll the output.
    ScrollUp,
    /// Scroll the output.
    ScrollDown,
}

/// Where a binding is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everywhere, also under overlays.
    System,
    /// Every screen.
    Global,
    /// Weeks and units.
    Home,
    /// A lesson.
    Lesson,
    /// A focused question or prediction.
    Question,
    /// The console has the keyboard.
    Console,
    /// The lab screen.
    Lab,
    /// The check screen.
    Check,
    /// The help overlay.
    Help,
    /// A yes-or-no overlay.
    Confirm,
    /// Any other overlay.
    Notice,
}

impl Scope {
    /// Heading in the help.
    pub fn title(self) -> &'static str {
        match self {
            Scope::Global => "Everywhere",
            Scope::System => "Always",
            Scope::Home => "Course",
            Scope::Lesson => "Lesson",
            Scope::Question => "Question",
            Scope::Console => "Console",
            Scope::Lab => "Lab",
            Scope::Check => "Exercise",
            Scope::Help => "Help",
            Scope::Confirm => "Yes or no",
            Scope::Notice => "Message",
        }
    }
}

/// Keys, what they do, how that is called, and how much it matters in the footer.
#[derive(Debug, Clone)]
pub struct Binding {
    /// Any of these.
    pub keys: Vec<Chord>,
    /// What they do.
    pub action: Action,
    /// In a word or two.
    pub label: Cow<'static, str>,
    /// 0: only in the help; else the smaller, the earlier it gives way in a narrow footer.
    pub footer: u8,
}

fn bind(keys: &[Chord], action: Action, label: &'static str, footer: u8) -> Binding {
    Binding { keys: keys.to_vec(), action, label: Cow::Borrowed(label), footer }
}

/// Scopes that are asked now, innermost first.
pub fn scopes(model: &Model) -> Vec<Scope> {
    if let Some(overlay) = model.overlays.last() {
        let scope = match overlay {
            Overlay::Help { .. } => Scope::Help,
            Overlay::Confirm(_) => Scope::Confirm,
            Overlay::Notice { .. } => Scope::Notice,
        };
        return vec![scope, Scope::System];
    }
    scopes_beneath(model)
}

/// Scopes as if no overlay lay on top: what the help is about.
pub fn scopes_beneath(model: &Model) -> Vec<Scope> {
    if model.focus == Pane::Console {
        return vec![Scope::Console, Scope::Global, Scope::System];
    }
    match &model.route {
        Route::Home => vec![Scope::Home, Scope::Global, Scope::System],
        Route::Lesson(_) if model.question_focused() => {
            vec![Scope::Question, Scope::Lesson, Scope::Global, Scope::System]
        }
        Route::Lesson(_) => vec![Scope::Lesson, Scope::Global, Scope::System],
        Route::Lab(_) => vec![Scope::Lab, Scope::Global, Scope::System],
        Route::Check(_) => vec![Scope::Check, Scope::Global, Scope::System],
    }
}

/// The bindings of a scope that are valid now.
pub fn bindings(scope: Scope, model: &Model) -> Vec<Binding> {
    let mut all = match scope {
        Scope::Global => global(model),
        Scope::System => system(model),
        Scope::Home => home(),
        Scope::Lesson => lesson(model),
        Scope::Question => question(),
        Scope::Console => console(),
        Scope::Lab => super::screen::lab::bindings(model),
        Scope::Check => super::screen::check::bindings(model),
        Scope::Help | Scope::Notice => {
            scrolling(vec![bind(&[ESC, ch('q'), ENTER, ch('?')], Action::Close, "close", 9)])
        }
        Scope::Confirm => vec![
            bind(&[ch('y'), ENTER], Action::Confirm, "yes", 9),
            bind(&[ch('n'), ESC, ch('q')], Action::Close, "no", 9),
        ],
    };
    all.retain(|binding| model.allows(&binding.action));
    all
}

/// What a key press asks for now.
pub fn resolve(model: &Model, event: KeyEvent) -> Option<Action> {
    let chord = Chord::of(event);
    scopes(model).into_iter().find_map(|scope| {
        bindings(scope, model).into_iter().find(|binding| binding.keys.contains(&chord)).map(|binding| binding.action)
    })
}

fn system(model: &Model) -> Vec<Binding> {
    let interrupt = if model.focus == Pane::Console { "cancel" } else { "quit" };
    vec![
        bind(&[ctrl('c')], Action::Interrupt, interrupt, 0),
        bind(&[ctrl('z')], Action::Suspend, "suspend", 0),
        bind(&[ctrl('l')], Action::Redraw, "redraw", 0),
    ]
}

fn global(model: &Model) -> Vec<Binding> {
    if model.focus == Pane::Console {
        return Vec::new();
    }
    let leave = if model.route == Route::Home { "quit" } else { "back" };
    vec![
        bind(&[ch('q')], Action::Quit, leave, 7),
        bind(&[ch('?'), key(KeyCode::F(1))], Action::Help, "help", 8),
        bind(&[ch(':')], Action::Console, "console", 5),
        bind(&[ESC, ch('['), with(KeyCode::Left, KeyModifiers::ALT), BACKSPACE], Action::Back, "the place before", 0),
        bind(&[ch(']'), with(KeyCode::Right, KeyModifiers::ALT)], Action::Forward, "the place after", 0),
    ]
}

/// Scrolling, which every list and text has.
pub fn scrolling(mut bindings: Vec<Binding>) -> Vec<Binding> {
    bindings.extend([
        bind(&[ch('j'), DOWN], Action::Down, "down", 0),
        bind(&[ch('k'), UP], Action::Up, "up", 0),
        bind(&[ch(' '), PAGE_DOWN, ctrl('f')], Action::PageDown, "page down", 0),
        bind(&[ch('b'), PAGE_UP, ctrl('b')], Action::PageUp, "page up", 0),
        bind(&[ch('g'), HOME], Action::Top, "start", 0),
        bind(&[ch('G'), END], Action::Bottom, "end", 0),
    ]);
    bindings
}

fn home() -> Vec<Binding> {
    scrolling(vec![
        bind(&[ENTER, RIGHT], Action::Open, "read", 9),
        bind(&[ch('n')], Action::NextUnit, "what is next", 6),
        bind(&[ch('l')], Action::Lab, "lab", 4),
        bind(&[ch('c')], Action::Check, "exercise", 4),
        bind(&[ch('p')], Action::Pending, "pending only", 2),
    ])
}

fn lesson(model: &Model) -> Vec<Binding> {
    scrolling(vec![
        bind(&[ENTER, ctrl('e')], Action::Open, model.enter_label(), 9),
        bind(&[TAB, ch('n')], Action::Next, "next block", 6),
        bind(&[BACK_TAB, ch('p')], Action::Previous, "previous block", 0),
        bind(&[ch('l')], Action::Lab, "lab", 4),
        bind(&[ch('c')], Action::Check, "exercise", 4),
        bind(&[ch('>')], Action::NextUnit, "next unit", 3),
        bind(&[ch('<')], Action::PreviousUnit, "previous unit", 0),
    ])
}

fn question() -> Vec<Binding> {
    let mut all = vec![bind(&[ch('r')], Action::Again, "again", 2)];
    all.extend(('1'..='9').enumerate().map(|(at, digit)| Binding {
        keys: vec![ch(digit)],
        action: Action::Pick(at),
        label: Cow::Owned(format!("pick choice {}", at + 1)),
        footer: 0,
    }));
    all
}

fn console() -> Vec<Binding> {
    use Edit::{
        Backspace, Complete, CompleteBack, Delete, DeleteToEnd, DeleteToStart, DeleteWord, DeleteWordRight, End,
        EndOfInput, Home, Left, Newer, Older, Right, ScrollDown, ScrollUp, Search, Submit, WordLeft, WordRight, Yank,
    };
    const CTRL: KeyModifiers = KeyModifiers::CONTROL;
    let edit =
        |keys: &[Chord], edit: Edit, label: &'static str, footer: u8| bind(keys, Action::Edit(edit), label, footer);
    vec![
        edit(&[ENTER], Submit, "send", 7),
        edit(&[TAB], Complete, "complete", 6),
        edit(&[BACK_TAB], CompleteBack, "candidate before", 0),
        edit(&[UP, ctrl('p')], Older, "older line", 4),
        edit(&[DOWN, ctrl('n')], Newer, "newer line", 0),
        edit(&[ctrl('r')], Search, "search history", 3),
        bind(&[ESC], Action::Console, "leave the console", 8),
        bind(&[ctrl('o')], Action::Zoom, "full screen", 2),
        bind(&[key(KeyCode::F(1))], Action::Help, "help", 5),
        edit(&[ctrl('d')], EndOfInput, "leave, or delete", 0),
        edit(&[PAGE_UP], ScrollUp, "scroll back", 1),
        edit(&[PAGE_DOWN], ScrollDown, "scroll on", 0),
        edit(&[LEFT, ctrl('b')], Left, "left", 0),
        edit(&[RIGHT, ctrl('f')], Right, "right", 0),
        edit(&[alt('b'), with(KeyCode::Left, CTRL)], WordLeft, "word left", 0),
        edit(&[alt('f'), with(KeyCode::Right, CTRL)], WordRight, "word right", 0),
        edit(&[HOME, ctrl('a')], Home, "start of line", 0),
        edit(&[END, ctrl('e')], End, "end of line", 0),
        edit(&[BACKSPACE, ctrl('h')], Backspace, "delete before", 0),
        edit(&[DELETE], Delete, "delete under", 0),
        edit(&[ctrl('w'), with(KeyCode::Backspace, KeyModifiers::ALT)], DeleteWord, "delete word", 0),
        edit(&[alt('d')], DeleteWordRight, "delete word after", 0),
        edit(&[ctrl('u')], DeleteToStart, "delete to start", 0),
        edit(&[ctrl('k')], DeleteToEnd, "delete to end", 0),
        edit(&[ctrl('y')], Yank, "insert deleted", 0),
    ]
}

/// Binds one key that is only known at run time (the fault keys of a lab).
pub fn dynamic(c: char, action: Action, label: &str, footer: u8) -> Binding {
    Binding { keys: vec![ch(c)], action, label: Cow::Owned(label.to_owned()), footer }
}

/// Binds plain characters.
pub fn chars(keys: &[char], action: Action, label: &'static str, footer: u8) -> Binding {
    Binding { keys: keys.iter().map(|c| ch(*c)).collect(), action, label: Cow::Borrowed(label), footer }
}

/// Binds named keys.
pub fn named(keys: &[KeyCode], action: Action, label: &'static str, footer: u8) -> Binding {
    Binding { keys: keys.iter().map(|code| key(*code)).collect(), action, label: Cow::Borrowed(label), footer }
}
