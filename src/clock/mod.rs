//! A hi-res timer thread: tokio's tick is 1 ms.
