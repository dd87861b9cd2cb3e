//! A cable between one node and one Redis: a proxy that can cut, stall, delay or lose what passes.
//!
//! Knows nothing of what passes.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;

/// What a cable does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Pass,
    /// Connections are closed, new ones too.
    Cut,
    /// Connections stay open, and nothing passes; everything passes later.
    Stall,
    /// Each piece waits this long.
    Delay(Duration),
    /// What is sent is lost, and the connection closed when the cable is mended: a stream has no holes.
    Lose,
}

/// The near end of a cable.
pub(crate) struct Cable {
    pub(crate) port: u16,
    mode: watch::Sender<Mode>,
}

impl Cable {
    /// Lays a cable to a port of this machine; `runtime` carries what passes.
    pub(crate) async fn lay(runtime: &Handle, to: u16) -> io::Result<Self> {
        let (mode, seen) = watch::channel(Mode::Pass);
        let laid = runtime.spawn(async move { TcpListener::bind("127.0.0.1:0").await });
        let listener = laid.await.map_err(io::Error::other)??;
        let port = listener.local_addr()?.port();
        let far = SocketAddr::from(([127, 0, 0, 1], to));
        let carrier = runtime.clone();
        runtime.spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let mode = seen.clone();
                carrier.spawn(async move {
                    // However a connection ends, both its ends are closed.
                    let _ = carry(near, far, mode).await;
                });
            }
        });
        Ok(Self { port, mode })
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

async fn carry(near: TcpStream, far: SocketAddr, mut mode: watch::Receiver<Mode>) -> io::Result<()> {
    if *mode.borrow_and_update() == Mode::Cut {
        return Ok(());
    }
    let far = TcpStream::connect(far).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    tokio::select! {
        ended = pump(near_in, far_out, mode.clone()) => ended,
        ended = pump(far_in, near_out, mode) => ended,
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
) -> io::Result<()> {
    let mut buffer = vec![0; 65_536];
    let mut has_lost = false;
    loop {
        let now = *mode.borrow_and_update();
        let is_over = now == Mode::Cut || (has_lost && now != Mode::Lose);
        if is_over {
            return Ok(());
        }
        tokio::select! {
            changed = mode.changed() => changed.map_err(io::Error::other)?,
            read = from.read(&mut buffer), if now != Mode::Stall => {
                let count = read?;
                if count == 0 {
                    return Ok(());
                }
                match now {
                    Mode::Lose => {
                        has_lost = true;
                        continue;
                    }
                    Mode::Delay(wait) => tokio::time::sleep(wait).await,
                    _ => {}
                }
                to.write_all(&buffer[..count]).await?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net;

    use super::*;

    /// A server that answers what it is told, and a cable to it.
    fn echo(runtime: &Handle) -> Cable {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                std::thread::spawn(move || {
                    let mut buffer = [0; 64];
                    while let Ok(count @ 1..) = stream.read(&mut buffer) {
                        stream.write_all(&buffer[..count]).unwrap();
                    }
                });
            }
        });
        runtime.block_on(Cable::lay(runtime, port)).unwrap()
    }

    fn say(stream: &mut net::TcpStream, wait: u64) -> Option<u8> {
        let mut byte = [0];
        stream.set_read_timeout(Some(Duration::from_millis(wait))).unwrap();
        stream.write_all(b"x").ok()?;
        stream.read_exact(&mut byte).ok().map(|()| byte[0])
    }

    #[test]
    fn a_cable_passes_stalls_loses_and_is_cut() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build().unwrap();
        let cable = echo(runtime.handle());
        let connect = || net::TcpStream::connect(("127.0.0.1", cable.port)).unwrap();
        let mut stream = connect();
        assert_eq!(say(&mut stream, 5000), Some(b'x'));
        cable.set(Mode::Stall);
        assert_eq!(say(&mut stream, 100), None);
        cable.set(Mode::Pass);
        let mut late = [0];
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.read_exact(&mut late).unwrap();
        cable.set(Mode::Lose);
        assert_eq!(say(&mut stream, 100), None);
        cable.set(Mode::Pass);
        assert!(!matches!(stream.read(&mut late), Ok(1..)), "what was lost is not made up for");
        cable.set(Mode::Cut);
        assert_eq!(say(&mut connect(), 5000), None);
        cable.set(Mode::Pass);
        assert_eq!(say(&mut connect(), 5000), Some(b'x'));
    }
}
