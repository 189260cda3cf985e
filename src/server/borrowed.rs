//! The learner's own server: reading its URL, and looking at it without changing anything.

use std::time::Duration;

use redis::{ConnectionAddr, IntoConnectionInfo};

use super::{Address, Endpoint, Flavour, Info, Ownership, PREFIX, ServerError, Version};

/// How long connecting and the first answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads a URL into an endpoint whose flavour is not known yet.
pub(super) fn parse(text: &str) -> Result<Endpoint, ServerError> {
    let error = |reason: String| ServerError::Url { url: masked(text), reason };
    let url = redis::parse_redis_url(text)
        .ok_or_else(|| error("expected redis://, rediss://, valkey://, valkeys:// or unix://".into()))?;
    let tls = matches!(url.scheme(), "rediss" | "valkeys");
    if tls && url.fragment().is_some() {
        let reason = "certificates are always checked, so #insecure and self-signed certificates can't be used here";
        return Err(error(format!("{reason}; use a plain redis:// URL through a tunnel, or leave out --redis")));
    }
    let info = url.into_connection_info().map_err(|cause| error(cause.to_string()))?;
    let address = match info.addr() {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
            Address::Tcp { host: host.clone(), port: *port }
        }
        ConnectionAddr::Unix(path) => Address::Unix(path.clone()),
        _ => return Err(error("this kind of address is not supported".into())),
    };
    let settings = info.redis_settings();
    let database = u32::try_from(settings.db()).map_err(|_| error("the database must be 0 or more".into()))?;
    let unknown = Version::new(0, 0, 0);
    Ok(Endpoint {
        address,
        username: settings.username().map(str::to_owned),
        password: settings.password().map(str::to_owned),
        database,
        tls,
        ownership: Ownership::Borrowed { prefix: PREFIX.into() },
        flavour: Flavour { name: "redis".into(), version: unknown },
        redis_version: unknown,
    })
}

/// A URL with its password replaced by `***`, also when it can't be parsed.
pub fn masked(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (rest, None),
    };
    // The last @ ends the credentials, also when a password holds one unencoded.
    let shown = match rest.rsplit_once('@') {
        Some((credentials, host)) => {
            let user = credentials.split(':').next().unwrap_or_default();
            format!("{user}:***@{host}")
        }
        None => rest.to_owned(),
    };
    let query = query.map(|query| {
        let pairs = query.split('&').map(|pair| if pair.starts_with("pass") { "pass=***" } else { pair });
        format!("?{}", pairs.collect::<Vec<_>>().join("&"))
    });
    format!("{scheme}://{shown}{}", query.unwrap_or_default())
}

/// Connects, and fills in what it says it is. Sends nothing but the handshake and `INFO server`.
pub(super) async fn look(text: &str, needed: Version) -> Result<Endpoint, ServerError> {
    let endpoint = parse(text)?;
    let error = |reason: String| ServerError::Borrowed { url: masked(text), reason };
    let asked = tokio::time::timeout(PATIENCE, async {
        let mut connection = endpoint.ask(PATIENCE).await?;
        Info::ask(&mut connection).await
    });
    let info = match asked.await {
        Err(_) => {
            let hint = if endpoint.tls { "; without TLS the URL begins with redis://" } else { "" };
            return Err(error(format!("no answer within {} s{hint}", PATIENCE.as_secs())));
        }
        Ok(Err(ServerError::Redis(cause))) => return Err(error(explain(&cause, endpoint.tls))),
        Ok(Err(cause)) => return Err(error(cause.to_string())),
        Ok(Ok(info)) => info,
    };
    if info.mode != "standalone" {
        return Err(error(format!("it is a {} node; one standalone server is needed", info.mode)));
    }
    if info.redis_version < needed {
        return Err(ServerError::TooOld { name: info.flavour.name, version: info.flavour.version, needed });
    }
    Ok(endpoint.told(&info))
}

/// A client error in words that say what to do.
fn explain(error: &redis::RedisError, tls: bool) -> String {
    let text = error.to_string();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["NOAUTH"]) {
        return "it wants a password; put it into the URL, redis://:PASSWORD@host".into();
    }
    if says(&["WRONGPASS", "AuthenticationFailed", "invalid username-password"]) {
        return "user or password is wrong".into();
    }
    if says(&["invalid peer certificate"]) {
        return format!("its certificate is for another name or not signed by a public authority ({text})");
    }
    if tls && says(&["handshake", "corrupt message", "InvalidContentType", "timed out"]) {
        return format!("it does not answer in TLS ({text}); without TLS the URL begins with redis://");
    }
    if !tls && says(&["reset by peer", "Broken pipe"]) {
        return format!("it hung up ({text}); with TLS the URL begins with rediss://");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_never_shown() {
        for (url, shown) in [
            ("redis://:secret@host:1/2", "redis://:***@host:1/2"),
            ("rediss://me:s%40c@ret@host", "rediss://me:***@host"),
            ("unix:///tmp/s?db=1&pass=secret", "unix:///tmp/s?db=1&pass=***"),
            ("redis://host", "redis://host"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(masked(url), shown);
        }
        let error = parse("http://u:secret@host").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn urls_become_endpoints() {
        let endpoint = parse("rediss://me:p%20w@example.org:7000/3").unwrap();
        assert_eq!(endpoint.address, Address::Tcp { host: "example.org".into(), port: 7000 });
        assert_eq!((endpoint.username.as_deref(), endpoint.password.as_deref()), (Some("me"), Some("p w")));
        assert_eq!((endpoint.database, endpoint.tls, endpoint.prefix()), (3, true, "cachelab:"));
        let socket = parse("unix:///run/redis.sock?db=2").unwrap();
        assert_eq!((socket.address.clone(), socket.database), (Address::Unix("/run/redis.sock".into()), 2));
        assert_eq!(parse(&socket.url()).unwrap(), socket);
        assert_eq!(parse(&endpoint.url()).unwrap(), endpoint);
        assert!(parse("rediss://h#insecure").unwrap_err().to_string().contains("certificates are always checked"));
        assert!(parse("redis://h/x").is_err());
        assert!(parse("redis://h/-1").is_err());
    }
}
