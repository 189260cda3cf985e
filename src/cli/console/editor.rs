//! reedline, fed by a session: completion, hints, colours, multi-line, history without secrets.
//!
//! Owns: the adapters and key bindings. Must not know: replies, events.

use std::{borrow::Cow, env, process::Command};

use reedline::{
    Color, Completer, CompletionResult, EditCommand, Emacs, ExternalPrinter, FileBackedHistory, Highlighter, Hinter,
    History, HistoryItem, HistoryItemId, HistorySessionId, IdeMenu, KeyCode, KeyModifiers, MenuBuilder, Prompt,
    PromptEditMode, PromptHistorySearch, PromptHistorySearchStatus, Reedline, ReedlineEvent, ReedlineMenu, SearchQuery,
    Span, StyledText, Suggestion, ValidationResult, Validator, default_emacs_keybindings,
};

use super::style;
use crate::console::{CandidateKind, Session, is_secret};

/// What F2 sends: UTF-8 as text, or as redis-cli's escapes.
pub(super) const TOGGLE_UTF8: &str = "toggle-utf8";
const MENU: &str = "completion";
/// Pushes appear within this of their arrival.
const POLL: std::time::Duration = std::time::Duration::from_millis(15);

/// A line editor for a session.
pub(super) fn editor(session: &Session, printer: ExternalPrinter<String>, colour: bool) -> anyhow::Result<Reedline> {
    let menu = IdeMenu::default().with_name(MENU).with_marker("").with_max_completion_height(12).with_default_border();
    let mut editor = Reedline::create()
        .with_completer(Box::new(Completion(session.clone())))
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)))
        .with_quick_completions(true)
        .with_partial_completions(true)
        .with_hinter(Box::new(Hints { session: session.clone() }))
        .with_highlighter(Box::new(Colours(session.clone())))
        .with_validator(Box::new(Quotes(session.clone())))
        .with_history(Box::new(Remembered::new(session)?))
        .with_external_printer(printer)
        .with_poll_interval(POLL)
        .with_ansi_colors(colour)
        .use_bracketed_paste(true)
        .with_edit_mode(Box::new(Emacs::new(bindings())));
    if let Some(program) = env::var_os("VISUAL").or_else(|| env::var_os("EDITOR")) {
        // The file is made by reedline and removed with its folder.
        let file = tempfile::Builder::new().prefix("cachelab-").suffix(".redis").tempfile()?.into_temp_path();
        editor = editor.with_buffer_editor(Command::new(program), file.to_path_buf());
    }
    Ok(editor)
}

fn bindings() -> reedline::Keybindings {
    let mut keys = default_emacs_keybindings();
    let menu = ReedlineEvent::UntilFound(vec![ReedlineEvent::Menu(MENU.to_owned()), ReedlineEvent::MenuNext]);
    keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, menu);
    keys.add_binding(KeyModifiers::SHIFT, KeyCode::BackTab, ReedlineEvent::MenuPrevious);
    keys.add_binding(KeyModifiers::NONE, KeyCode::F(2), ReedlineEvent::ExecuteHostCommand(TOGGLE_UTF8.to_owned()));
    // A new line without sending, as in other prompts.
    keys.add_binding(KeyModifiers::ALT, KeyCode::Enter, ReedlineEvent::Edit(vec![EditCommand::InsertNewline]));
    keys
}

struct Completion(Session);

impl Completer for Completion {
    fn complete(&mut self, line: &str, cursor: usize) -> CompletionResult {
        let suggestions: Vec<Suggestion> = self
            .0
            .complete(line, cursor)
            .into_iter()
            .map(|candidate| Suggestion {
                span: Span::new(candidate.replace.start, candidate.replace.end),
                append_whitespace: candidate.kind != CandidateKind::Key || !candidate.text.ends_with(':'),
                description: Some(candidate.detail).filter(|detail| !detail.is_empty()),
                value: candidate.text,
                ..Suggestion::default()
            })
            .collect();
        CompletionResult::fresh(suggestions)
    }
}

struct Hints {
    session: Session,
}

impl Hinter for Hints {
    fn handle(&mut self, line: &str, cursor: usize, _: &dyn History, colour: bool, _: &str) -> String {
        if line.is_empty() || cursor < line.len() {
            return String::new();
        }
        let hint = self.session.hint(line).unwrap_or_default();
        if colour { Color::DarkGray.paint(hint).to_string() } else { String::new() }
    }

    /// A syntax is read, not inserted.
    fn complete_hint(&self) -> String {
        String::new()
    }

    fn next_hint_token(&self) -> String {
        String::new()
    }
}

struct Colours(Session);

impl Highlighter for Colours {
    fn highlight(&self, line: &str, _cursor: usize) -> StyledText {
        let mut text = StyledText::new();
        for (range, token) in self.0.highlight(line) {
            text.push((style::of(token), line[range].to_owned()));
        }
        text
    }
}

struct Quotes(Session);

impl Validator for Quotes {
    fn validate(&self, line: &str) -> ValidationResult {
        if self.0.is_complete(line) { ValidationResult::Complete } else { ValidationResult::Incomplete }
    }
}

/// The prompt, read anew at every repaint.
pub(super) struct Line(pub Session);

impl Prompt for Line {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        self.0.prompt().text().into()
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        "".into()
    }

    fn render_prompt_indicator(&self, _: PromptEditMode) -> Cow<'_, str> {
        "".into()
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        "... ".into()
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        let failing = matches!(search.status, PromptHistorySearchStatus::Failing);
        format!("({}reverse-search: {}) ", if failing { "failing " } else { "" }, search.term).into()
    }

    fn get_prompt_color(&self) -> Color {
        Color::Default
    }
}

/// reedline's history in memory, filled from the session's; secrets are not kept.
struct Remembered(FileBackedHistory);

impl Remembered {
    fn new(session: &Session) -> anyhow::Result<Self> {
        let mut history = FileBackedHistory::new(crate::console::HISTORY_LINES)?;
        for line in session.history() {
            history.save(HistoryItem::from_command_line(line))?;
        }
        Ok(Self(history))
    }
}

impl History for Remembered {
    fn save(&mut self, item: HistoryItem) -> reedline::Result<HistoryItem> {
        if is_secret(&item.command_line) { Ok(item) } else { self.0.save(item) }
    }

    fn load(&self, id: HistoryItemId) -> reedline::Result<HistoryItem> {
        self.0.load(id)
    }

    fn count(&self, query: SearchQuery) -> reedline::Result<i64> {
        self.0.count(query)
    }

    fn search(&self, query: SearchQuery) -> reedline::Result<Vec<HistoryItem>> {
        self.0.search(query)
    }

    fn update(&mut self, id: HistoryItemId, updater: &dyn Fn(HistoryItem) -> HistoryItem) -> reedline::Result<()> {
        self.0.update(id, updater)
    }

    fn clear(&mut self) -> reedline::Result<()> {
        self.0.clear()
    }

    fn delete(&mut self, id: HistoryItemId) -> reedline::Result<()> {
        self.0.delete(id)
    }

    fn sync(&mut self) -> std::io::Result<()> {
        Ok(())
    }

    fn session(&self) -> Option<HistorySessionId> {
        None
    }
}
