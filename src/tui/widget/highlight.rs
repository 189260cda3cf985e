//! Source code into coloured lines.
//!
//! Owns: syntect and the way from its scopes to our [`Role`]s, so that a theme colours code like all else.
//! Must not know: documents, screens. Loading the grammars takes milliseconds: never on the way to a frame.

use std::sync::OnceLock;

use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxSet};

use crate::tui::theme::Role;

/// Lines of pieces with a role each.
pub type Coloured = Vec<Vec<(Role, String)>>;

/// Beyond this many bytes code is shown plain: nobody reads it for its colours.
const LIMIT: usize = 64 * 1024;

/// Highlights `text` as `language`; `None` where the language is not known.
pub fn highlight(language: &str, text: &str) -> Option<Coloured> {
    static GRAMMARS: OnceLock<SyntaxSet> = OnceLock::new();
    if language.is_empty() || text.len() > LIMIT {
        return None;
    }
    let grammars = GRAMMARS.get_or_init(SyntaxSet::load_defaults_newlines);
    let syntax = grammars.find_syntax_by_token(alias(language))?;
    let mut state = ParseState::new(syntax);
    let mut stack = ScopeStack::new();
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let with_end = format!("{line}\n");
        let operations = state.parse_line(&with_end, grammars).ok()?;
        let mut pieces = Vec::new();
        let mut from = 0;
        for (at, operation) in operations {
            let at = at.min(line.len());
            add(&mut pieces, &line[from..at], &stack);
            from = at;
            stack.apply(&operation).ok()?;
        }
        add(&mut pieces, &line[from..], &stack);
        lines.push(pieces);
    }
    Some(lines)
}

/// Names that authors use and the grammars do not know.
fn alias(language: &str) -> &str {
    match language {
        "js" | "javascript" | "mjs" | "ts" | "typescript" => "js",
        "py" => "python",
        "console" | "shell" | "sh-session" => "bash",
        "golang" => "go",
        other => other,
    }
}

fn add(pieces: &mut Vec<(Role, String)>, text: &str, stack: &ScopeStack) {
    if text.is_empty() {
        return;
    }
    let role = role(stack);
    match pieces.last_mut() {
        Some((last, content)) if *last == role => content.push_str(text),
        _ => pieces.push((role, text.to_owned())),
    }
}

/// The innermost scope that we have a role for.
fn role(stack: &ScopeStack) -> Role {
    static SCOPES: OnceLock<Vec<(Scope, Role)>> = OnceLock::new();
    let scopes = SCOPES.get_or_init(|| {
        let table = [
            ("comment", Role::Comment),
            ("string", Role::String),
            ("constant.numeric", Role::Number),
            ("constant.language", Role::Number),
            ("constant.character.escape", Role::Number),
            ("keyword.operator", Role::Text),
            ("keyword", Role::Keyword),
            ("storage", Role::Keyword),
            ("entity.name.function", Role::Function),
            ("variable.function", Role::Function),
            ("support.function", Role::Function),
            ("entity.name", Role::Type),
            ("support.type", Role::Type),
        ];
        table.iter().filter_map(|(name, role)| Scope::new(name).ok().map(|scope| (scope, *role))).collect()
    });
    let of = |scope: &Scope| scopes.iter().find(|(prefix, _)| prefix.is_prefix_of(*scope)).map(|(_, role)| *role);
    stack.as_slice().iter().rev().find_map(of).unwrap_or(Role::Text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_has_its_colours_and_keeps_its_text() {
        let code = "def take(r):\n    # comment\n    return r.set(\"k\", 1)";
        let lines = highlight("python", code).expect("known");
        let text: Vec<String> = lines.iter().map(|line| line.iter().map(|(_, t)| t.as_str()).collect()).collect();
        assert_eq!(text.join("\n"), code);
        let role = |line: usize, word: &str| lines[line].iter().find(|(_, t)| t.contains(word)).map(|(r, _)| *r);
        assert_eq!(role(0, "def"), Some(Role::Keyword));
        assert_eq!(role(1, "comment"), Some(Role::Comment));
        assert_eq!(role(2, "\"k\""), Some(Role::String));
        assert_eq!(role(2, "1"), Some(Role::Number));
        assert!(highlight("no such language", "x").is_none());
    }
}
