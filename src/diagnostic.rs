//! A mistake in a file that a person wrote: where it is, what was expected, what to do.
//!
//! Owns: the type, and how it is rendered (rustc-like excerpt through `annotate-snippets`). Knows
//! nothing of lessons or labs. `course` returns these; front ends print them.

use std::{fmt, ops::Range, path::PathBuf};

/// One mistake in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file, as the person knows it (relative to the course folder).
    pub file: PathBuf,
    /// The file's whole text, so that an excerpt can be shown.
    pub source: String,
    /// Byte range in `source` that is at fault.
    pub span: Range<usize>,
    /// What is wrong, one sentence without a full stop: `unknown field "untis"`.
    pub message: String,
    /// The label under the carets, short: `expected a number`.
    pub label: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// 1-based line and column (in characters) where the span starts.
    pub fn position(&self) -> (usize, usize) {
        let start = self.span.start.min(self.source.len());
        let before = self.source.get(..start).unwrap_or(&self.source);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (line, column)
    }

    /// The excerpt with carets and help, plain or with ANSI colours.
    pub fn render(&self, colour: bool) -> String {
        use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
        let path = self.file.display().to_string();
        let end = self.span.end.min(self.source.len());
        let start = self.span.start.min(end);
        let snippet = Snippet::source(&self.source)
            .path(&path)
            .annotation(AnnotationKind::Primary.span(start..end).label(&self.label));
        let title = Level::ERROR.primary_title(&self.message);
        // A file that is missing or empty has no line to show.
        let mut group =
            if self.source.is_empty() { title.element(Origin::path(&path)) } else { title.element(snippet) };
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help));
        }
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.position();
        write!(f, "{}:{line}:{column}: {}", self.file.display(), self.message)
    }
}

impl std::error::Error for Diagnostic {}
