//! The cost of a publish where operators look at what happens, and where nobody does (CON-030).

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use crate::client::DEADLINE;
use crate::deliveries::{PUBLISHES, event, publish};
use crate::my_turn;
use crate::server::{ID, start_in};

/// What the command prints that works on the database of the server of this folder.
fn commanded(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fanfare"));
    command.args(arguments).arg("--config").arg(folder.join("fanfare.toml")).arg("--data-dir").arg(folder);
    let output = command.output().expect("the binary was built");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("a text")
}

#[test]
fn con_030_where_nobody_looks_a_publish_costs_what_it_did_before_somebody_looked() {
    let _turn = my_turn();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().to_owned();
    let server = start_in(folder, "[apps]\ndatabase = \"sqlite\"");
    let made = commanded(&path, &["token", "create", "--name", "t", "--scope", "read,payloads", "--json"]);
    let made: serde_json::Value = serde_json::from_str(&made).expect("JSON");
    let (token, number) = (made["token"].as_str().expect("a text"), made["id"].to_string());
    let mut api = TcpStream::connect(server.address).expect("the server accepts");
    let mut crowd = server.crowd(1, "news");
    let before = publish(&mut api, &mut crowd, &event());

    let mut list = TcpStream::connect(server.admin).expect("the server accepts");
    list.set_read_timeout(Some(DEADLINE)).expect("a socket takes a timeout");
    let request = format!(
        "GET /v1/apps/{ID}/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    list.write_all(request.as_bytes()).expect("the server reads");
    let mut some = [0; 4096];
    let head = list.read(&mut some).expect("the server answers");
    assert!(some[..head].starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&some[..head]));
    let watched = publish(&mut api, &mut crowd, &event());

    commanded(&path, &["token", "revoke", &number]);
    let mut seen = Vec::new();
    list.read_to_end(&mut seen).expect("the list ends with its token");
    assert!(String::from_utf8_lossy(&seen).contains(r#""event":"e""#), "the list showed the events");
    // What the server does by itself meanwhile differs; a publish costs the same each time.
    let after = (0..5).map(|_| publish(&mut api, &mut crowd, &event())).min().expect("five times");
    println!("{before} allocations for {PUBLISHES} publishes, {watched} with a live list, {after} after it");
    assert!(watched > before + PUBLISHES, "an entry is made for a live list, and counted here");
    // One allocation for each event would be as many as there are events; what else the server does meanwhile is far less.
    assert!(after < before + PUBLISHES / 2, "{after} allocations, {before} before: look at AppTaps::tell");
}
