//! Answers that are streams, over TCP.

use std::future::{poll_fn, ready};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hyper::body::Body as _;
use tokio::task::JoinHandle;

use super::super::under_way::Begun;
use super::*;
use crate::connections::{AnswerBody, ChunkSender, Lender};

/// Answers everything with a stream, and hands the sender to the test.
struct Streaming {
    state: Arc<State>,
    streams: mpsc::Sender<(ChunkSender, Lender)>,
}

impl Site for Streaming {
    fn state(&self) -> &State {
        &self.state
    }

    async fn answer(&self, _peer: Peer, request: Request<RequestBody>) -> Answer {
        if request.uri().path() == "/" {
            return answer::text(StatusCode::OK, "fine");
        }
        let (sender, body) = AnswerBody::stream();
        self.streams.send((sender, request.body().lender())).await.unwrap();
        Answer::new(body)
    }

    async fn after_panic(&self, _target: &Uri) -> Answer {
        answer::text(StatusCode::INTERNAL_SERVER_ERROR, "It has failed")
    }
}

/// A server of [`Streaming`].
pub(super) struct Running {
    pub state: Arc<State>,
    pub address: SocketAddr,
    pub streams: mpsc::Receiver<(ChunkSender, Lender)>,
    /// Drop this to end the listener.
    pub over: mpsc::Sender<()>,
    pub listener: JoinHandle<()>,
}

pub(super) async fn start(config: Config, http: usize) -> Running {
    let state = state(config, http).await;
    let (sender, streams) = mpsc::channel(1);
    let site = Streaming { state: Arc::clone(&state), streams: sender };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let listening = Listening::new(site, Arc::clone(&state.places), None);
    let (over, mut is_over) = mpsc::channel(1);
    let closed = async move {
        let _ = is_over.recv().await;
    };
    let listener = tokio::spawn(async move { listening.run(listener, closed, ready(())).await });
    Running { state, address, streams, over, listener }
}

impl Running {
    /// A client whose answer is a stream, and what sends it.
    pub async fn stream(&mut self) -> (TcpStream, ChunkSender, Lender) {
        let mut client = TcpStream::connect(self.address).await.unwrap();
        ask(&mut client, "/stream").await;
        let (sender, lender) = timeout(DEADLINE, self.streams.recv()).await.expect("it is asked").unwrap();
        read_to(&mut client, "\r\n\r\n").await;
        (client, sender, lender)
    }

    /// A client that has been answered once, and stays.
    pub async fn idle(&self) -> TcpStream {
        let mut client = TcpStream::connect(self.address).await.unwrap();
        ask(&mut client, "/").await;
        read_to(&mut client, "fine\n").await;
        client
    }
}

/// Reads until the text ends like this.
pub(super) async fn read_to(client: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    let reading = async {
        while !text.ends_with(end.as_bytes()) {
            text.push(client.read_u8().await.unwrap());
        }
    };
    timeout(DEADLINE, reading).await.unwrap_or_else(|_| panic!("no {end:?} comes"));
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn chunks_of_a_stream_come_one_by_one_and_the_connection_goes_on_after_its_end() {
    let mut server = start(Config::default(), 10).await;
    let (mut client, sender, _) = server.stream().await;
    for text in ["one", "two"] {
        sender.send(Bytes::from(text)).await.unwrap();
        read_to(&mut client, &format!("3\r\n{text}\r\n")).await;
    }
    drop(sender);
    assert_eq!(read_to(&mut client, "0\r\n\r\n").await, "0\r\n\r\n");
    ask(&mut client, "/").await;
    read_to(&mut client, "fine\n").await;
}

#[tokio::test]
async fn a_last_chunk_and_the_end_that_come_together_are_both_sent() {
    let mut server = start(Config::default(), 10).await;
    let (mut client, sender, _) = server.stream().await;
    sender.try_send(Bytes::from("last")).unwrap();
    drop(sender);
    assert_eq!(read_to(&mut client, "0\r\n\r\n").await, "4\r\nlast\r\n0\r\n\r\n");
}

#[tokio::test]
async fn the_sender_of_a_stream_learns_that_the_client_has_hung_up() {
    let mut server = start(Config::default(), 10).await;
    let (client, sender, _) = server.stream().await;
    drop(client);
    timeout(DEADLINE, sender.gone()).await.expect("it learns of it");
    assert!(sender.send(Bytes::from("late")).await.is_err());
}

#[tokio::test]
async fn a_client_that_sends_more_behind_a_stream_is_closed_because_its_end_would_not_be_noticed() {
    let mut server = start(Config::default(), 10).await;
    let mut together = TcpStream::connect(server.address).await.unwrap();
    together.write_all(&b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(2)).await.unwrap();
    let (sender, _) = timeout(DEADLINE, server.streams.recv()).await.expect("it is asked").unwrap();
    timeout(DEADLINE, sender.gone()).await.expect("it is closed");
    let (mut later, sender, _) = server.stream().await;
    sender.send(Bytes::from("one")).await.unwrap();
    read_to(&mut later, "one\r\n").await;
    ask(&mut later, "/").await;
    timeout(DEADLINE, sender.gone()).await.expect("it is closed");
    assert_eq!(server.state.places.closed(Closed::Pipelined), 2);
}

#[tokio::test]
async fn a_last_chunk_follows_one_that_waits_and_its_sender_does_not_wait() {
    let mut server = start(Config::default(), 10).await;
    let (mut client, sender, _) = server.stream().await;
    let chunk = Bytes::from(vec![b'x'; 16 * 1024]);
    let sent = fill(&sender, &chunk).await;
    sender.conclude(Bytes::from("the last"));
    let mut all = Vec::new();
    let reading = async {
        while !all.ends_with(b"the last\r\n0\r\n\r\n") {
            assert!(client.read_buf(&mut all).await.unwrap() > 0, "it ends in order");
        }
    };
    timeout(DEADLINE, reading).await.expect("all of it comes");
    assert_eq!(all.iter().filter(|&&byte| byte == b'x').count(), sent * chunk.len());
}

#[tokio::test]
async fn a_stream_is_a_request_under_way_until_it_ends() {
    let mut server = start(Config::default(), 1).await;
    let (mut client, sender, _) = server.stream().await;
    let mut newcomer = TcpStream::connect(server.address).await.unwrap();
    let refused = timeout(DEADLINE, newcomer.read(&mut [0; 1])).await.expect("it is hung up on");
    assert_eq!(refused.unwrap_or(0), 0);
    assert_eq!(server.state.places.closed(Closed::Full), 1);
    drop(sender);
    read_to(&mut client, "0\r\n\r\n").await;
    server.idle().await;
    assert_eq!(server.state.places.closed(Closed::MadeRoom), 1);
}

/// Sends chunks until there is no room for long; returns how many.
async fn fill(sender: &ChunkSender, chunk: &Bytes) -> usize {
    for sent in 0.. {
        let room = timeout(Duration::from_millis(500), poll_fn(|cx| sender.poll_room(cx)));
        match room.await {
            Ok(Ok(())) => sender.try_send(chunk.clone()).unwrap(),
            Ok(Err(gone)) => panic!("{gone:?}"),
            Err(_) => return sent,
        }
    }
    unreachable!("a range without an end")
}

#[tokio::test]
async fn a_client_that_reads_late_gets_every_byte_and_two_chunks_wait_at_most() {
    let mut server = start(Config::default(), 10).await;
    let (mut client, sender, _) = server.stream().await;
    let chunk = Bytes::from(vec![b'x'; 16 * 1024]);
    let sent = fill(&sender, &chunk).await;
    let is_full = poll_fn(|cx| Poll::Ready(sender.poll_room(cx).is_pending())).await;
    assert!(is_full);
    let reading = tokio::spawn(async move {
        let mut all = Vec::new();
        while !all.ends_with(b"0\r\n\r\n") {
            assert!(client.read_buf(&mut all).await.unwrap() > 0, "it ends in order");
        }
        all.iter().filter(|&&byte| byte == b'x').count()
    });
    sender.send(chunk.clone()).await.unwrap();
    drop(sender);
    let read = timeout(DEADLINE, reading).await.expect("all of it comes").unwrap();
    assert_eq!(read, (sent + 1) * chunk.len());
}

#[tokio::test]
async fn a_client_that_reads_nothing_of_a_stream_is_closed() {
    let mut config = Config::default();
    config.timeouts.http_write = 1;
    let mut server = start(config, 10).await;
    let (_client, sender, _) = server.stream().await;
    fill(&sender, &Bytes::from(vec![b'x'; 64 * 1024])).await;
    timeout(DEADLINE, sender.gone()).await.expect("it is closed");
    assert_eq!(server.state.places.closed(Closed::Unread), 1);
}

#[tokio::test]
async fn a_listener_that_ends_waits_for_the_end_of_streams() {
    let mut server = start(Config::default(), 10).await;
    let (mut client, sender, _) = server.stream().await;
    let mut idle = server.idle().await;
    drop(server.over);
    assert_eq!(timeout(DEADLINE, idle.read(&mut [0; 1])).await.expect("idle ones end at once").unwrap(), 0);
    assert!(!server.listener.is_finished());
    sender.send(Bytes::from("goodbye")).await.unwrap();
    drop(sender);
    read_to(&mut client, "7\r\ngoodbye\r\n0\r\n\r\n").await;
    assert_eq!(timeout(DEADLINE, client.read(&mut [0; 1])).await.expect("it is hung up on").unwrap(), 0);
    timeout(DEADLINE, server.listener).await.expect("it ends").unwrap();
}

#[test]
fn no_chunk_is_taken_while_the_socket_accepts_nothing() {
    let places = places(1, 1);
    let place = enter(&places, 1).unwrap();
    let (sender, mut body) = AnswerBody::stream();
    let AnswerBody::Stream(stream) = &body else { unreachable!("it is a stream") };
    stream.answers(Begun::new(&places, place.activity()).goes_on());
    sender.try_send(Bytes::from("one")).unwrap();
    let mut taken = || {
        let polled = Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
        matches!(polled, Poll::Ready(Some(Ok(_))))
    };
    place.activity().took_nothing();
    assert!(!taken());
    assert!(place.activity().waits_for_peer_alone());
    place.activity().took(1);
    assert!(taken() && !taken());
    assert!(!place.activity().waits_for_peer_alone());
    drop(body);
    assert!(place.activity().quiet_since().is_some());
}
