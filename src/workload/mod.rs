//! Traffic: key distributions, arrivals, seeds.
