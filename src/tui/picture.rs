//! A frame as SVG: pictures for the README are made from real frames.
//!
//! Owns: from cells to SVG. Pure. Must not know: the model.
