//! Syntax as text, as redis-cli 7.0 writes it from the same docs: `key [NX|XX] [EX seconds|…]`.

use super::docs::{Argument, ArgumentKind, Command};

/// The arguments of a command.
pub fn syntax(command: &Command) -> String {
    join(&command.arguments, " ")
}

fn join(arguments: &[Argument], between: &str) -> String {
    arguments.iter().map(argument_syntax).collect::<Vec<_>>().join(between)
}

/// One argument, with its brackets.
pub fn argument_syntax(argument: &Argument) -> String {
    let token = argument.token.as_deref().map(|token| if token.is_empty() { "\"\"" } else { token });
    let repeated = match argument.kind {
        ArgumentKind::OneOf => join(&argument.children, "|"),
        ArgumentKind::Block => join(&argument.children, " "),
        ArgumentKind::PureToken => String::new(),
        _ => argument.name.clone(),
    };
    let mut text = String::new();
    if let Some(token) = token {
        text.push_str(token);
        if !repeated.is_empty() {
            text.push(' ');
        }
    }
    text.push_str(&repeated);
    if argument.multiple {
        text.push_str(" [");
        if let Some(token) = token.filter(|_| argument.multiple_token) {
            text.push_str(token);
            text.push(' ');
        }
        text.push_str(&repeated);
        text.push_str(" ...]");
    }
    if argument.optional { format!("[{text}]") } else { text }
}
