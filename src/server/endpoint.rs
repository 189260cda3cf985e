//! Speaking to an endpoint: as a `redis` client, or as raw bytes.

use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, aio::MultiplexedConnection};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream, rustls};

use super::{Address, Endpoint, Info, Ownership};

impl fmt::Debug for Endpoint {
    /// Without the password: an endpoint ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("address", &self.address)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .field("database", &self.database)
            .field("tls", &self.tls)
            .field("ownership", &self.ownership)
            .field("flavour", &self.flavour)
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    /// A client of the `redis` crate, which authenticates and selects the database by itself.
    pub fn client(&self) -> redis::RedisResult<redis::Client> {
        redis::Client::open(self.connection_info()?)
    }

    /// A connection for a few questions, patient with a slow server or a busy machine: connecting and
    /// each answer may take `patience`.
    pub(super) async fn ask(&self, patience: Duration) -> redis::RedisResult<MultiplexedConnection> {
        let config = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(Some(patience))
            .set_response_timeout(Some(patience));
        self.client()?.get_multiplexed_async_connection_with_config(&config).await
    }

    /// Raw bytes, before AUTH and SELECT: TCP, TLS or unix.
    pub async fn connect(&self) -> io::Result<Stream> {
        match &self.address {
            Address::Unix(path) => Ok(Stream::Unix(UnixStream::connect(path).await?)),
            Address::Tcp { host, port } => {
                let tcp = TcpStream::connect((host.as_str(), *port)).await?;
                tcp.set_nodelay(true)?;
                if !self.tls {
                    return Ok(Stream::Tcp(tcp));
                }
                let name = rustls::pki_types::ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                Ok(Stream::Tls(Box::new(tls_connector().connect(name, tcp).await?)))
            }
        }
    }

    /// For a person, without password: `valkey 9.1.2, private`.
    pub fn describe(&self) -> String {
        let whose = match self.ownership {
            Ownership::Private => "private".to_owned(),
            Ownership::Borrowed { .. } => format!("yours, at {}", self.address_text()),
        };
        format!("{} {}, {whose}", self.flavour.name, self.flavour.version)
    }

    /// `redis://` URL for programs that take one, with the password in it: for a child's environment,
    /// never for printing.
    pub fn url(&self) -> String {
        let user = encoded(self.username.as_deref().unwrap_or_default());
        let password = self.password.as_deref().map(encoded);
        match &self.address {
            Address::Tcp { host, port } => {
                let auth = password.map(|password| format!("{user}:{password}@")).unwrap_or_default();
                let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                let scheme = if self.tls { "rediss" } else { "redis" };
                format!("{scheme}://{auth}{host}:{port}/{}", self.database)
            }
            Address::Unix(path) => {
                let path = url::Url::from_file_path(path).map(|url| url.path().to_owned()).unwrap_or_default();
                let user = if user.is_empty() { user } else { format!("&user={user}") };
                let password = password.map(|password| format!("&pass={password}")).unwrap_or_default();
                format!("unix://{path}?db={}{user}{password}", self.database)
            }
        }
    }

    /// Address for a person: `127.0.0.1:6379`, or the path of the socket.
    pub fn address_text(&self) -> String {
        match &self.address {
            Address::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Address::Tcp { host, port } => format!("{host}:{port}"),
            Address::Unix(path) => path.display().to_string(),
        }
    }

    /// Whether it was started by us.
    pub fn is_private(&self) -> bool {
        self.ownership == Ownership::Private
    }

    /// What every key we write must start with: empty on a private server.
    pub fn prefix(&self) -> &str {
        match &self.ownership {
            Ownership::Private => "",
            Ownership::Borrowed { prefix } => prefix,
        }
    }

    /// The same, with what the server says it is.
    pub(super) fn told(mut self, info: &Info) -> Self {
        self.flavour = info.flavour.clone();
        self.redis_version = info.redis_version;
        self
    }

    fn connection_info(&self) -> redis::RedisResult<ConnectionInfo> {
        let address = match &self.address {
            Address::Unix(path) => ConnectionAddr::Unix(path.clone()),
            Address::Tcp { host, port } if self.tls => {
                ConnectionAddr::TcpTls { host: host.clone(), port: *port, insecure: false, tls_params: None }
            }
            Address::Tcp { host, port } => ConnectionAddr::Tcp(host.clone(), *port),
        };
        let mut settings = RedisConnectionInfo::default()
            .set_db(i64::from(self.database))
            .set_lib_name("cachelab", env!("CARGO_PKG_VERSION"));
        if let Some(username) = &self.username {
            settings = settings.set_username(username);
        }
        if let Some(password) = &self.password {
            settings = settings.set_password(password);
        }
        let tcp = redis::io::tcp::TcpSettings::default().set_nodelay(true);
        Ok(address.into_connection_info()?.set_redis_settings(settings).set_tcp_settings(tcp))
    }
}

/// Percent-encoded, for user and password in a URL: everything that is not plainly safe.
fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

fn tls_connector() -> TlsConnector {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// Raw bytes to and from a server.
#[derive(Debug)]
pub enum Stream {
    /// Plain TCP.
    Tcp(TcpStream),
    /// A unix socket.
    Unix(UnixStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
