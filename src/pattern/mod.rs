//! The reference patterns, one file each, usable as a library.
