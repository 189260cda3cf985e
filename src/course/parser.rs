//! From the text of a lesson file to its [`Lesson`].

use super::{Lesson, UnitId, load::File};
use crate::diagnostic::Diagnostic;

pub(super) struct Parsed {
    pub lesson: Lesson,
}

pub(super) fn lesson(file: &File, id: UnitId) -> Result<Parsed, Vec<Diagnostic>> {
    let lesson = Lesson {
        id,
        title: String::new(),
        summary: String::new(),
        minutes: 0,
        prerequisites: Vec::new(),
        blocks: Vec::new(),
    };
    let _ = &file.text;
    Ok(Parsed { lesson })
}
