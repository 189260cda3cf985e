//! What the learner did: read, run, answered, predicted, passed, and where they were.
//!
//! Owns: one versioned, atomically written, human-readable file. Must not know: screens, servers.
