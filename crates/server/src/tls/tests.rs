//! The socket between rustls and the system: where bytes are kept when one of the two is full.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use fanfare_hub::{Budget, Outbox};
use fanfare_protocol::frame::Frame;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::{TlsConnector, client};

use super::*;
use crate::clients::ws::socket::Socket;
use crate::clients::ws::write::Writer;

/// The deadline of every wait.
const DEADLINE: Duration = Duration::from_secs(10);

/// Both ends of a connection after the handshake.
async fn pair() -> (TlsStream<TcpStream>, client::TlsStream<TcpStream>) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    std::fs::write(&certificate, cert.pem()).unwrap();
    std::fs::write(&key, signing_key.serialize_pem()).unwrap();
    let tls = ServerTls::open(vec![Files { number: 0, certificate, key }]).unwrap();

    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from("localhost").unwrap();
    let (server, client) = tokio::join!(tls.accept(accepted), connector.connect(name, tcp));
    (server.unwrap(), client.unwrap())
}

fn socket_of(stream: TlsStream<TcpStream>) -> TlsSocket {
    let (tcp, session) = stream.into_inner();
    TlsSocket::new(tcp, session)
}

/// Writes records until the system takes no more; returns the number of bytes written.
async fn fill(socket: &TlsSocket) -> usize {
    let mut taken = 0;
    loop {
        poll_fn(|cx| socket.poll_write_ready(cx)).await.unwrap();
        match socket.try_write(&[b'x'; 10_000]) {
            Ok(length) => taken += length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return taken,
            Err(error) => panic!("{error}"),
        }
        if socket.holds_back() {
            return taken;
        }
    }
}

#[tokio::test]
async fn no_more_than_a_record_is_taken_and_nothing_while_one_is_kept_back() {
    let (server, _client) = pair().await;
    let socket = socket_of(server);
    assert_eq!(socket.try_write(&vec![b'x'; 1 << 20]).unwrap(), 16 * 1024);
    fill(&socket).await;
    assert!(socket.holds_back());
    assert_eq!(socket.try_write(b"x").unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(socket.try_flush().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[tokio::test]
async fn what_the_system_did_not_take_follows_although_nothing_new_is_written() {
    let (server, mut client) = pair().await;
    let socket = socket_of(server);
    let outbox = Outbox::new(Budget::of_each(usize::MAX));
    let mut writer = Writer::new(&socket);
    let frame = Frame::text(10_000, |out| out.resize(out.len() + 10_000, b'x'));
    let mut expected = 0;
    while !socket.holds_back() {
        assert!(outbox.push(&frame));
        expected += frame.bytes().len();
        assert!(expected < 100 << 20, "the system takes everything, or nothing is said to be kept back");
        let writing = poll_fn(|cx| Poll::Ready(writer.poll(cx, &outbox))).await;
        assert_eq!(writing, Poll::Pending);
        // Lets the runtime notice that the system takes more.
        tokio::task::yield_now().await;
    }
    let mut all = vec![0; expected];
    let reading = pin!(timeout(DEADLINE, client.read_exact(&mut all)));
    tokio::select! {
        read = reading => assert_eq!(read.expect("the rest comes").unwrap(), expected),
        reason = writer.run(&outbox) => panic!("{reason:?}"),
    }
    assert!(!socket.holds_back());
}

#[tokio::test]
async fn what_is_decrypted_already_is_read_without_anything_new() {
    let (mut server, mut client) = pair().await;
    client.write_all(b"GET and what follows it").await.unwrap();
    let mut head = [0; 3];
    server.read_exact(&mut head).await.unwrap();
    let socket = socket_of(server);
    let mut rest = Vec::new();
    while rest.len() < 20 {
        let ready = poll_fn(|cx| socket.poll_read_ready(cx));
        timeout(DEADLINE, ready).await.expect("it is there already").unwrap();
        let mut some = [0; 7];
        let length = socket.try_read(&mut some).unwrap();
        rest.extend_from_slice(&some[..length]);
    }
    assert_eq!(rest, b" and what follows it");
    let none = socket.try_read(&mut [0; 7]).unwrap_err();
    assert_eq!(none.kind(), ErrorKind::WouldBlock);
    assert!(socket.poll_read_ready(&mut Context::from_waker(Waker::noop())).is_pending());
}
