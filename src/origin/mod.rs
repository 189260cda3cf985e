//! The slow truth behind a cache: simulated latency, capacity, failures; its HTTP face.
