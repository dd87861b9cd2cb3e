//! A WebSocket server that echoes messages, for conformance suites of third parties.
//!
//! The example has no reading, decoding, queueing, writing or closing of its own: all is the code of
//! Fanfare's connections. Listens on the loopback address only, on the port given or on a free one.
#![allow(clippy::print_stdout, reason = "the address is printed for whoever starts it")]

use std::convert::Infallible;
use std::ops::ControlFlow;

use bytes::Bytes;
use fanfare_hub::{Budget, Outbox};
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::version::Version;
use fanfare_protocol::ws::Incoming;
use fanfare_server::clients::ws::read::Receiver;
use fanfare_server::clients::ws::write::Writer;
use fanfare_server::clients::ws::{farewell, read};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Parts};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// The longest message, and the longest that the suites send.
const MESSAGE_BYTES: usize = 16 << 20;

/// Room for a few of the longest messages, headers included.
const OUTBOX_BYTES: usize = 4 * MESSAGE_BYTES;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = match std::env::args().nth(1) {
        Some(port) => port.parse()?,
        None => 0,
    };
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("Echo is ready: ws://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        // The connection reports a peer that has left already.
        let _ = stream.set_nodelay(true);
        let connection =
            http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).with_upgrades();
        tokio::spawn(connection);
    }
}

/// Completes the handshake, and continues the connection in a task of its own.
async fn answer(mut request: Request<hyper::body::Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let upgraded = hyper::upgrade::on(&mut request);
    let mut response = Response::new(Full::default());
    match fastwebsockets::upgrade::upgrade(&mut request) {
        Ok((handshake, _)) => {
            response = handshake.map(|_| Full::default());
            tokio::spawn(begin(upgraded));
        }
        Err(_) => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    Ok(response)
}

async fn begin(upgraded: OnUpgrade) {
    let Some(upgraded) = upgraded.await.ok() else { return };
    if let Ok(Parts { io, read_buf, .. }) = upgraded.downcast::<TokioIo<TcpStream>>() {
        echo(io.into_inner(), read_buf.to_vec()).await;
    }
}

/// Sends messages back.
struct Echo<'a>(&'a Outbox);

impl Receiver for Echo<'_> {
    fn heard(&self) {}

    fn holds(&self, _bytes: usize) {}

    fn has_worked_enough(&self) -> bool {
        false
    }

    fn on(&mut self, incoming: Incoming<'_>) -> ControlFlow<CloseReason> {
        let frame = match incoming {
            Incoming::Text(text) => Frame::text(text.len(), |out| out.extend_from_slice(text.as_bytes())),
            Incoming::Binary(bytes) => Frame::binary(bytes.len(), |out| out.extend_from_slice(bytes)),
            Incoming::Ping(payload) => {
                self.0.push_pong(Frame::pong(payload));
                return ControlFlow::Continue(());
            }
            Incoming::Pong => return ControlFlow::Continue(()),
            Incoming::Close(code) => return ControlFlow::Break(CloseReason::ByClient(code)),
        };
        self.0.push(&frame);
        ControlFlow::Continue(())
    }
}

/// One connection, as in [`ws::run`], except for the meaning of messages.
async fn echo(stream: TcpStream, early: Vec<u8>) {
    let outbox = Outbox::new(Budget::of_each(OUTBOX_BYTES));
    let mut writer = Writer::new(&stream);
    let reason = tokio::select! {
        reason = read::run(&stream, early, MESSAGE_BYTES, Echo(&outbox)) => reason,
        reason = writer.run(&outbox) => reason,
    };
    let rest = writer.into_rest(&outbox, &reason);
    farewell::say(&stream, rest, Version::NEWEST, &reason).await;
}
