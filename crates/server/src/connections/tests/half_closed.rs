//! Clients that have finished sending, and wait for their answer.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};

use super::streams::start;
use super::*;

/// A client whose bytes and end are there before the server looks: the server shares the test's thread.
fn finished(address: SocketAddr, bytes: &[u8]) -> std::net::TcpStream {
    let mut client = std::net::TcpStream::connect(address).unwrap();
    client.write_all(bytes).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    client
}

async fn all_of(client: std::net::TcpStream) -> String {
    let reading = tokio::task::spawn_blocking(move || {
        let mut client = client;
        client.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("the server closes in order");
        answer
    });
    reading.await.unwrap()
}

fn post(path: &str, length: usize, body: &str) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}").into()
}

#[tokio::test]
async fn a_client_that_has_finished_sending_gets_its_answer_and_is_closed_behind_it() {
    let (_state, address) = faulty(10).await;
    let get = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for bytes in [get.to_vec(), post("/echo", 5, "hello"), post("/echo/later", 5, "hello"), post("/", 0, "")]
    {
        let answer = all_of(finished(address, &bytes)).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer:?}");
        assert_eq!(answer.ends_with("hello\n"), bytes.ends_with(b"hello"), "{answer:?}");
    }
    let both = all_of(finished(address, &get.repeat(2))).await;
    assert_eq!(both.matches("fine").count(), 2, "{both:?}");
}

#[tokio::test]
async fn a_large_answer_comes_whole_to_a_client_that_has_finished_sending() {
    let (_state, address) = faulty(10).await;
    let answer = all_of(finished(address, b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
    assert!(answer.len() > LARGE, "{}", answer.len());
}

#[tokio::test]
async fn a_client_that_ends_amid_its_head_or_its_body_is_not_waited_for() {
    let (state, address) = faulty(10).await;
    for bytes in [post("/echo", 6, "hello"), b"GET / HTTP/1.1\r\nHost".to_vec(), Vec::new()] {
        let answer = all_of(finished(address, &bytes)).await;
        assert!(!answer.contains("200"), "{answer:?}");
    }
    assert_eq!(state.places.closed(Closed::Late), 0);
}

#[tokio::test]
async fn the_sender_of_a_stream_learns_of_a_client_that_has_ended_along_with_its_request() {
    let mut server = start(Config::default(), 10).await;
    let _client = finished(server.address, b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let (sender, _) = timeout(DEADLINE, server.streams.recv()).await.expect("it is asked").unwrap();
    timeout(DEADLINE, sender.gone()).await.expect("it learns of it");
}
