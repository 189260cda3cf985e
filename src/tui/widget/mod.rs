//! Parts that screens are made of. They know text, styles and rectangles, not the model.

pub mod card;
pub mod chart;
pub mod highlight;
pub mod lanes;
pub mod markdown;
pub mod prompt;
mod table;
pub mod wrap;
