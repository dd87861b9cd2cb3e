//! Connections that begin with bytes of their own, such as a header of the PROXY protocol, before TLS and before any request.
//!
//! Knows nothing of what the bytes mean.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::reach::Resolver;

/// Connects, and writes the opening.
#[derive(Clone, Debug)]
pub(crate) struct OpeningConnector {
    pub tcp: HttpConnector<Resolver>,
    pub opening: &'static str,
}

impl Service<Uri> for OpeningConnector {
    type Response = TokioIo<TcpStream>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connecting, opening) = (self.tcp.call(uri), self.opening);
        Box::pin(async move {
            let mut stream = connecting.await?;
            stream.inner_mut().write_all(opening.as_bytes()).await?;
            Ok(stream)
        })
    }
}
