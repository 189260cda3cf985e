//! A key with its modifiers, and how it is called.
//!
//! Owns: naming and comparing keys. Must not know: what keys do.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key with its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chord {
    /// The key.
    pub code: KeyCode,
    /// Control and Alt; Shift is part of the character.
    pub modifiers: KeyModifiers,
}

/// A plain character.
pub(super) const fn ch(c: char) -> Chord {
    Chord { code: KeyCode::Char(c), modifiers: KeyModifiers::NONE }
}
/// A character with Control.
pub(super) const fn ctrl(c: char) -> Chord {
    Chord { code: KeyCode::Char(c), modifiers: KeyModifiers::CONTROL }
}
/// A character with Alt.
pub(super) const fn alt(c: char) -> Chord {
    Chord { code: KeyCode::Char(c), modifiers: KeyModifiers::ALT }
}
/// A named key.
pub(super) const fn key(code: KeyCode) -> Chord {
    Chord { code, modifiers: KeyModifiers::NONE }
}
/// A named key with modifiers.
pub(super) const fn with(code: KeyCode, modifiers: KeyModifiers) -> Chord {
    Chord { code, modifiers }
}

/// A key that several tables use.
pub(super) const ESC: Chord = key(KeyCode::Esc);
/// A key that several tables use.
pub(super) const ENTER: Chord = key(KeyCode::Enter);
/// A key that several tables use.
pub(super) const UP: Chord = key(KeyCode::Up);
/// A key that several tables use.
pub(super) const DOWN: Chord = key(KeyCode::Down);
/// A key that several tables use.
pub(super) const LEFT: Chord = key(KeyCode::Left);
/// A key that several tables use.
pub(super) const RIGHT: Chord = key(KeyCode::Right);
/// A key that several tables use.
pub(super) const PAGE_UP: Chord = key(KeyCode::PageUp);
/// A key that several tables use.
pub(super) const PAGE_DOWN: Chord = key(KeyCode::PageDown);
/// A key that several tables use.
pub(super) const HOME: Chord = key(KeyCode::Home);
/// A key that several tables use.
pub(super) const END: Chord = key(KeyCode::End);
/// A key that several tables use.
pub(super) const TAB: Chord = key(KeyCode::Tab);
/// A key that several tables use.
pub(super) const BACK_TAB: Chord = key(KeyCode::BackTab);
/// A key that several tables use.
pub(super) const BACKSPACE: Chord = key(KeyCode::Backspace);
/// A key that several tables use.
pub(super) const DELETE: Chord = key(KeyCode::Delete);

impl Chord {
    /// The chord of a key press. Shift is dropped: it is part of the character, or of BackTab.
    pub fn of(event: KeyEvent) -> Self {
        Self { code: event.code, modifiers: event.modifiers.intersection(KeyModifiers::CONTROL | KeyModifiers::ALT) }
    }

    /// For people: `Ctrl-C`, `Enter`, `space`.
    pub fn show(self, arrows: bool) -> String {
        let name = match self.code {
            KeyCode::Char(' ') => "space".to_owned(),
            KeyCode::Char(c) if self.modifiers.contains(KeyModifiers::CONTROL) => c.to_ascii_uppercase().to_string(),
            KeyCode::Char(c) => c.to_string(),
            KeyCode::Up if arrows => "↑".to_owned(),
            KeyCode::Down if arrows => "↓".to_owned(),
            KeyCode::Left if arrows => "←".to_owned(),
            KeyCode::Right if arrows => "→".to_owned(),
            KeyCode::PageUp => "PgUp".to_owned(),
            KeyCode::PageDown => "PgDn".to_owned(),
            KeyCode::BackTab => "Shift-Tab".to_owned(),
            KeyCode::Delete => "Del".to_owned(),
            other => format!("{other}"),
        };
        let prefix = match (self.modifiers.contains(KeyModifiers::CONTROL), self.modifiers.contains(KeyModifiers::ALT))
        {
            (true, _) => "Ctrl-",
            (_, true) => "Alt-",
            _ => "",
        };
        format!("{prefix}{name}")
    }
}
