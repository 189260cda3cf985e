//! Proxies in front of a server: raw TCP and RESP-aware, that record, delay, cut and hold.
