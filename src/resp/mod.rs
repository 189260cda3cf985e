//! RESP2/RESP3 frames that keep the server's raw text.
