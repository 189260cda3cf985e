//! A redis prompt without a screen: parse, reply, complete, hint, history, session.
//!
//! Owns: everything redis-cli does at a prompt. Must not know: ratatui, reedline, who prints.
