//! What a server says of itself: the fields of `INFO` that matter here.

use redis::aio::ConnectionLike;

use super::{Flavour, ServerError, Version};

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// `valkey 9.1.2`.
    pub flavour: Flavour,
    /// The Redis version it is compatible with.
    pub redis_version: Version,
    /// `standalone`, `sentinel` or `cluster`.
    pub mode: String,
    /// Its process, on its own machine.
    pub process_id: u32,
    /// Random per start.
    pub run_id: String,
    /// `INFO server` as it came.
    pub text: String,
}

impl Info {
    /// Asks (`INFO server`).
    pub async fn ask(connection: &mut impl ConnectionLike) -> Result<Self, ServerError> {
        let text: String = redis::cmd("INFO").arg("server").query_async(connection).await?;
        Self::parse(text).ok_or_else(|| ServerError::Instance {
            what: "the server's INFO names no version: it is neither Redis nor Valkey".into(),
            tail: Vec::new(),
        })
    }

    /// Reads the text of `INFO server`.
    pub fn parse(text: String) -> Option<Self> {
        let field = |name: &str| field(&text, name);
        let redis_version: Version = field("redis_version")?.parse().ok()?;
        let own = field("valkey_version").and_then(|version| version.parse().ok());
        let flavour = match (own, field("server_name")) {
            (Some(version), _) => Flavour { name: "valkey".into(), version },
            // Others that answer as Redis does name themselves here.
            (None, Some(name)) => Flavour { name: name.to_owned(), version: redis_version },
            (None, None) => Flavour { name: "redis".into(), version: redis_version },
        };
        Some(Self {
            flavour,
            redis_version,
            mode: field("server_mode").or(field("redis_mode")).unwrap_or("standalone").to_owned(),
            process_id: field("process_id").and_then(|id| id.parse().ok()).unwrap_or(0),
            run_id: field("run_id").unwrap_or_default().to_owned(),
            text,
        })
    }
}

/// One field of any section of `INFO`.
pub(super) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valkey_and_redis_are_told_apart() {
        let valkey = "# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\nserver_mode:standalone\r\nprocess_id:12\r\nrun_id:ab\r\n";
        let info = Info::parse(valkey.into()).unwrap();
        assert_eq!((info.flavour.name.as_str(), info.flavour.version), ("valkey", Version::new(9, 1, 2)));
        assert_eq!((info.redis_version, info.process_id), (Version::new(7, 2, 4), 12));
        let redis = Info::parse("redis_version:7.0.15\r\nredis_mode:cluster\r\n".into()).unwrap();
        assert_eq!((redis.flavour.name.as_str(), redis.mode.as_str()), ("redis", "cluster"));
        assert_eq!(Info::parse("hello".into()), None);
    }
}
