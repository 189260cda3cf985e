//! Histograms and counters of a run.
