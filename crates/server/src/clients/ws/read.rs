//! Bytes in: one scratch buffer per thread, messages handled in place.
//!
//! Keeps no data of a connection except the incomplete tail in the decoder, and does not know the
//! messages' meaning.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::ops::ControlFlow;

use fanfare_protocol::close::CloseReason;
use fanfare_protocol::ws::{Decoder, Incoming};
use tokio::task::yield_now;

use super::socket::Socket;

/// Most bytes of one read, and also the most that wait for the decoder, except bytes that came along with the
/// handshake.
const SCRATCH: usize = 16 * 1024;

/// Messages handled before the writer and other connections of the thread get their turn.
const TURN: usize = 32;

thread_local! {
    /// Shared by all connections of the thread; used between two awaits only.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH]);
}

/// Receives what is read.
pub trait Receiver {
    /// Bytes have arrived, a whole message or not.
    fn heard(&self);

    /// The memory of incomplete messages, in bytes; called after each turn.
    fn holds(&self, bytes: usize);

    /// Whether a turn ends before its last message, because a message was much work.
    fn has_worked_enough(&self) -> bool;

    /// Handles a message; breaks when the connection is to end.
    fn on(&mut self, incoming: Incoming<'_>) -> ControlFlow<CloseReason>;
}

/// Reads until the connection ends, beginning with the bytes that came `early`, and gives the receiver each
/// message of at most `max_message` bytes.
pub async fn run<S: Socket>(
    socket: &S,
    early: Vec<u8>,
    max_message: usize,
    mut receiver: impl Receiver,
) -> CloseReason {
    let mut decoder = Decoder::new(max_message);
    let mut rest = Rest::of(early);
    loop {
        while let Some(Rest { bytes, decoded }) = rest.as_deref_mut() {
            match decode(&mut decoder, &mut bytes[*decoded..], &mut receiver) {
                ControlFlow::Break(reason) => return reason,
                ControlFlow::Continue(more) => *decoded += more,
            }
            receiver.holds(decoder.held());
            if *decoded == bytes.len() {
                rest = None;
            }
            yield_now().await;
        }
        if poll_fn(|cx| socket.poll_read_ready(cx)).await.is_err() {
            return CloseReason::Gone;
        }
        let mut more_waits = false;
        let read = BUFFER.with_borrow_mut(|buffer| match socket.try_read(buffer) {
            Ok(0) => ControlFlow::Break(CloseReason::Gone),
            Ok(length) => {
                more_waits = length == buffer.len();
                receiver.heard();
                let decoded = decode(&mut decoder, &mut buffer[..length], &mut receiver)?;
                receiver.holds(decoder.held());
                if decoded < length {
                    more_waits = true;
                    rest = Rest::of(buffer[decoded..length].to_vec());
                }
                // The next read may follow at once, and belongs to the next turn.
                more_waits |= receiver.has_worked_enough();
                ControlFlow::Continue(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(CloseReason::Gone),
        });
        if let ControlFlow::Break(reason) = read {
            return reason;
        }
        if more_waits {
            // A client that sends without pause must not block the thread.
            yield_now().await;
        }
    }
}

/// Bytes that were read and wait for a later turn; boxed by its owner, because few connections have any.
struct Rest {
    bytes: Vec<u8>,
    decoded: usize,
}

impl Rest {
    fn of(bytes: Vec<u8>) -> Option<Box<Self>> {
        (!bytes.is_empty()).then(|| Box::new(Self { bytes, decoded: 0 }))
    }
}

/// Decodes as much as one turn allows; returns the number of bytes decoded.
fn decode(
    decoder: &mut Decoder,
    bytes: &mut [u8],
    receiver: &mut impl Receiver,
) -> ControlFlow<CloseReason, usize> {
    let mut decoded = 0;
    for _ in 0..TURN {
        let on = &mut |incoming: Incoming<'_>| receiver.on(incoming);
        match decoder.feed(&mut bytes[decoded..], 1, on) {
            Ok(ControlFlow::Continue(more)) => decoded += more,
            Ok(ControlFlow::Break(reason)) => return ControlFlow::Break(reason),
            Err(error) => return ControlFlow::Break(CloseReason::Undecodable(error)),
        }
        if decoded == bytes.len() || receiver.has_worked_enough() {
            break;
        }
    }
    ControlFlow::Continue(decoded)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::{self, IoSlice};
    use std::task::{Context, Poll};

    use tokio::io::AsyncWriteExt as _;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// A masked text message, the mask being zero.
    const MESSAGE: &[u8] = &[0x81, 0x81, 0, 0, 0, 0, b'x'];

    const MESSAGES: usize = 1000;

    /// Counts messages, each of which may be enough work for a turn.
    struct Counter<'a> {
        handled: &'a Cell<usize>,
        is_much_work: bool,
    }

    impl Receiver for Counter<'_> {
        fn heard(&self) {}

        fn holds(&self, _bytes: usize) {}

        fn has_worked_enough(&self) -> bool {
            self.is_much_work
        }

        fn on(&mut self, incoming: Incoming<'_>) -> ControlFlow<CloseReason> {
            assert!(incoming == Incoming::Text("x"));
            self.handled.set(self.handled.get() + 1);
            if self.handled.get() == MESSAGES {
                ControlFlow::Break(CloseReason::Gone)
            } else {
                ControlFlow::Continue(())
            }
        }
    }

    /// Number of messages handled in the longest turn, of the second of two pieces.
    async fn longest_turn(early: Vec<u8>, later: &[u8], is_much_work: bool) -> usize {
        longest_turn_of(early, later, is_much_work, |socket| socket).await
    }

    async fn longest_turn_of<S: Socket>(
        early: Vec<u8>,
        later: &[u8],
        is_much_work: bool,
        wrap: impl FnOnce(TcpStream) -> S,
    ) -> usize {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (socket, _) = listener.accept().await.unwrap();
        client.write_all(later).await.unwrap();
        let (socket, handled) = (wrap(socket), Cell::new(0));
        let mut seen = Vec::new();
        let others = async {
            loop {
                seen.push(handled.get());
                yield_now().await;
            }
        };
        tokio::select! {
            biased;
            _ = run(&socket, early, 100, Counter { handled: &handled, is_much_work }) => {}
            () = others => {}
        }
        seen.push(handled.get());
        assert_eq!(seen.last(), Some(&MESSAGES), "nothing is lost between two turns");
        seen.windows(2).map(|two| two[1] - two[0]).max().unwrap()
    }

    /// A socket that gives one message at each read, as if each had come in a segment of its own.
    struct Segments(TcpStream);

    impl Socket for Segments {
        fn tcp(&self) -> &TcpStream {
            &self.0
        }

        fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.0.poll_read_ready(cx)
        }

        fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.try_read(&mut buffer[..MESSAGE.len()])
        }

        fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
            self.0.try_write(bytes)
        }

        fn try_write_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
            self.0.try_write_vectored(parts)
        }

        fn holds_back(&self) -> bool {
            false
        }

        fn try_flush(&self) -> io::Result<()> {
            Ok(())
        }

        fn conclude(&self) {}
    }

    #[tokio::test]
    async fn a_message_that_is_much_work_is_a_turn_also_when_it_comes_alone() {
        let later = MESSAGE.repeat(MESSAGES);
        assert_eq!(longest_turn_of(Vec::new(), &later, true, Segments).await, 1);
    }

    #[tokio::test]
    async fn others_have_their_turn_in_the_midst_of_what_one_read_brought() {
        let all = MESSAGE.repeat(MESSAGES);
        let half = all.len() / 2 + 3;
        for (early, later) in
            [(Vec::new(), &all[..]), (all.clone(), &[][..]), (all[..half].to_vec(), &all[half..])]
        {
            assert_eq!(longest_turn(early.clone(), later, false).await, 32);
            assert_eq!(longest_turn(early, later, true).await, 1, "a message that is much work is a turn");
        }
    }
}
