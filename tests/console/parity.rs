//! Parity with redis-cli.
