//! A back end's receiver of webhooks: answers 200 at once, and hands every body to `told`.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;

use crate::durable;
use crate::http::{content_length, header, parts};
use crate::liar::Lie;
use crate::signing::{KEY, signature};
use crate::world::Shared;

/// Every so many requests a lying receiver loses or repeats one.
const LIES_EVERY: u64 = 20;

/// A listener for webhooks, before the nodes start.
pub(crate) async fn listen() -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Receives as long as the run lasts.
pub(crate) async fn live(world: Shared, listener: TcpListener, lie: Option<Lie>) {
    while let Ok((stream, _)) = listener.accept().await {
        let world = world.clone();
        spawn_local(async move {
            // A node that ends closes its connections; what was not answered comes again.
            let _ = requests(&world, stream, lie).await;
        });
    }
}

async fn requests(world: &Shared, mut stream: TcpStream, lie: Option<Lie>) -> io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        while let Some(length) = whole(&bytes) {
            let is_taken = parts(&bytes)
                .is_none_or(|(head, rest)| take(world, head, &rest[..content_length(head)], lie));
            bytes.drain(..length);
            let status = if is_taken { "200 OK" } else { "503 Service Unavailable" };
            stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes()).await?;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    }
}

/// The length of the request at the beginning, once all of it is there.
fn whole(bytes: &[u8]) -> Option<usize> {
    let (head, rest) = parts(bytes)?;
    let body = content_length(head);
    (rest.len() >= body).then(|| bytes.len() - rest.len() + body)
}

/// Whether the back end takes the request.
fn take(world: &Shared, head: &str, body: &[u8], lie: Option<Lie>) -> bool {
    let mut world = world.borrow_mut();
    let may_repeat = world.ledger.is_excused(std::time::Instant::now());
    let is_signed = header(head, "x-pusher-key") == Some(KEY)
        && header(head, "x-pusher-signature") == Some(&signature(body));
    if !is_signed {
        world.violation(format!("a webhook with a wrong signature: {head}"));
        return true;
    }
    if head.split(' ').nth(1) == Some(durable::PATH) {
        let is_away = world.durable.is_away;
        if is_away {
            world.durable.refused += 1;
        } else {
            world.durable.hears(body);
        }
        return !is_away;
    }
    if world.has_database() {
        world.durable.owes(body);
    }
    let lies_now = world.told.requests % LIES_EVERY == LIES_EVERY - 1;
    let mut heard = Ok(());
    if lie == Some(Lie::LostWebhook) && lies_now {
        world.told.requests += 1;
        return true;
    }
    for _ in 0..if lie == Some(Lie::RepeatedWebhook) && lies_now { 2 } else { 1 } {
        heard = world.told.hear(body, may_repeat);
    }
    if let Err(why) = heard {
        world.violation(format!("webhook: {why}"));
    }
    true
}
