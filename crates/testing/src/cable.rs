//! A cable between one node and one Redis: a proxy that can cut, stall, hold back, delay or lose what passes.
//!
//! Knows nothing of what passes. A thread of its own carries everything, so that no load is in its way.

use std::io;
use std::mem;
use std::net::{self, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What a cable does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everything passes at once.
    Pass,
    /// Connections are closed, new ones too.
    Cut,
    /// Connections stay open, and nothing passes; everything passes later.
    Stall,
    /// As [`Mode::Stall`] for the connections that are open; new ones pass. What was sent arrives later, even if the near
    /// end has reset the connection.
    Hold,
    /// Each piece waits this long.
    Delay(Duration),
    /// What is sent is lost, and the connection closed when the cable is mended: a stream has no holes.
    Lose,
    /// As [`Mode::Lose`] for what the far end sends on the connection that reaches the far end from this port; all else
    /// passes.
    Deafen(u16),
}

/// The near end of a cable; the cable is cut when this is dropped.
pub struct Cable {
    /// Where to connect.
    pub port: u16,
    mode: watch::Sender<Mode>,
    late: Arc<Mutex<Vec<u8>>>,
}

impl Cable {
    /// Lays a cable to a port of this machine.
    ///
    /// # Errors
    /// There is no free port, or no thread.
    pub fn lay(to: u16) -> io::Result<Self> {
        let (mode, seen) = watch::channel(Mode::Pass);
        let listener = net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let late = Arc::new(Mutex::new(Vec::new()));
        let far = Far { address: SocketAddr::from(([127, 0, 0, 1], to)), late: Arc::clone(&late) };
        let runtime = Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("cable".to_owned()).spawn(move || {
            // Without a listener nobody can connect any more, which a test notices.
            let _ = runtime.block_on(accept(listener, far, seen));
        })?;
        Ok(Self { port, mode, late })
    }

    /// From now on the cable does this.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// What the far end has answered on connections that were held back, since they go on; the near end may be gone.
    pub fn late_answers(&self) -> Vec<u8> {
        self.late.lock().clone()
    }
}

/// The far end, and what it has answered late.
#[derive(Clone)]
struct Far {
    address: SocketAddr,
    late: Arc<Mutex<Vec<u8>>>,
}

/// Ends when the near end's owner is gone.
async fn accept(listener: net::TcpListener, far: Far, mut mode: watch::Receiver<Mode>) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let mut carried = JoinSet::new();
    loop {
        tokio::select! {
            near = listener.accept() => {
                // However a connection ends, both its ends are closed.
                carried.spawn(carry(near?.0, far.clone(), mode.clone()));
            }
            Some(_) = carried.join_next() => {}
            changed = mode.changed() => changed.map_err(io::Error::other)?,
        }
    }
}

async fn carry(near: TcpStream, far: Far, mut mode: watch::Receiver<Mode>) -> io::Result<()> {
    let first = *mode.borrow_and_update();
    if first == Mode::Cut {
        return Ok(());
    }
    let to = TcpStream::connect(far.address).await?;
    near.set_nodelay(true)?;
    to.set_nodelay(true)?;
    let port = to.local_addr()?.port();
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), to.into_split());
    let is_new = first == Mode::Hold;
    let there = Pump { mode: mode.clone(), is_new, back_to: None, late: None };
    let back = Pump { mode, is_new, back_to: Some(port), late: Some(far.late) };
    let mut back = pin!(back.run(far_in, near_out));
    tokio::select! {
        ended = there.run(near_in, far_out) => {
            // Who is gone gets no answer, but what was held back is answered.
            if ended? == End::OfWhatWasHeld {
                back.await?;
            }
        }
        ended = &mut back => drop(ended?),
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Plain,
    OfWhatWasHeld,
}

/// One direction of a connection.
struct Pump {
    mode: watch::Receiver<Mode>,
    /// The connection was made while others were held back.
    is_new: bool,
    /// The port that the far end answers to; none for the direction towards the far end.
    back_to: Option<u16>,
    /// Where what comes late is written down.
    late: Option<Arc<Mutex<Vec<u8>>>>,
}

impl Pump {
    async fn run(mut self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<End> {
        let mut buffer = vec![0; 65_536];
        // Held bytes are read at once: the system would drop them if the near end resets the connection.
        let (mut held, mut was_held, mut has_ended, mut has_lost) = (Vec::new(), false, false, false);
        loop {
            let now = self.mode();
            was_held |= now == Mode::Hold;
            let is_over = now == Mode::Cut || (has_lost && now != Mode::Lose);
            if is_over {
                return Ok(End::Plain);
            }
            if now != Mode::Hold {
                self.send(&mut to, &mem::take(&mut held), was_held).await?;
            }
            if has_ended && now != Mode::Hold {
                to.shutdown().await?;
                return Ok(if was_held { End::OfWhatWasHeld } else { End::Plain });
            }
            tokio::select! {
                changed = self.mode.changed() => changed.map_err(io::Error::other)?,
                read = from.read(&mut buffer), if now != Mode::Stall && !has_ended => {
                    let count = if now == Mode::Hold { read.unwrap_or(0) } else { read? };
                    has_ended = count == 0;
                    match now {
                        Mode::Hold => held.extend_from_slice(&buffer[..count]),
                        Mode::Lose if count > 0 => has_lost = true,
                        Mode::Delay(wait) => {
                            tokio::time::sleep(wait).await;
                            self.send(&mut to, &buffer[..count], was_held).await?;
                        }
                        _ => self.send(&mut to, &buffer[..count], was_held).await?,
                    }
                }
            }
        }
    }

    /// What the cable does to this direction of this connection now.
    fn mode(&mut self) -> Mode {
        match *self.mode.borrow_and_update() {
            Mode::Hold if self.is_new => Mode::Pass,
            Mode::Deafen(port) if self.back_to == Some(port) => Mode::Lose,
            Mode::Deafen(_) => Mode::Pass,
            now => now,
        }
    }

    async fn send(&self, to: &mut OwnedWriteHalf, bytes: &[u8], was_held: bool) -> io::Result<()> {
        let written = to.write_all(bytes).await;
        match self.late.as_ref().filter(|_| was_held) {
            Some(late) => late.lock().extend_from_slice(bytes),
            None => written?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use socket2::SockRef;

    use super::*;
    use crate::until;

    /// A server that answers what it is told, and a cable to it.
    fn echo() -> Cable {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                thread::spawn(move || {
                    let mut buffer = [0; 64];
                    while let Ok(count @ 1..) = stream.read(&mut buffer) {
                        stream.write_all(&buffer[..count]).unwrap();
                    }
                });
            }
        });
        Cable::lay(port).unwrap()
    }

    fn connect(cable: &Cable) -> net::TcpStream {
        net::TcpStream::connect(("127.0.0.1", cable.port)).unwrap()
    }

    fn say(stream: &mut net::TcpStream, wait: u64) -> Option<u8> {
        let mut byte = [0];
        stream.set_read_timeout(Some(Duration::from_millis(wait))).unwrap();
        stream.write_all(b"x").ok()?;
        stream.read_exact(&mut byte).ok().map(|()| byte[0])
    }

    #[test]
    fn a_cable_passes_stalls_loses_and_is_cut() {
        let cable = echo();
        let mut stream = connect(&cable);
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
        assert_eq!(say(&mut connect(&cable), 5000), None);
        cable.set(Mode::Pass);
        assert_eq!(say(&mut connect(&cable), 5000), Some(b'x'));
    }

    #[test]
    fn what_is_held_back_arrives_behind_what_a_newer_connection_has_sent() {
        for linger in [None, Some(Duration::ZERO)] {
            let cable = echo();
            let mut old = connect(&cable);
            assert_eq!(say(&mut old, 5000), Some(b'x'));
            cable.set(Mode::Hold);
            assert_eq!(say(&mut old, 100), None);
            // With no time to linger the connection is reset.
            SockRef::from(&old).set_linger(linger).unwrap();
            drop(old);
            assert_eq!(say(&mut connect(&cable), 5000), Some(b'x'));
            assert_eq!(cable.late_answers(), b"");
            cable.set(Mode::Pass);
            until("the answer to what was held back", || (cable.late_answers() == b"x").then_some(()));
        }
    }
}
