//! What becomes of a command whose answer cannot be printed.

use std::fs::File;
use std::io::pipe;
use std::process::{Output, Stdio};

use crate::inspect_channels::inspected;
use crate::support::server::TestServer;
use crate::support::setup::binary;

/// Commands that print something: those that read the database, ask the server, or need neither.
const COMMANDS: [&[&str]; 9] = [
    &["--version"],
    &["--help"],
    &["completions", "zsh"],
    &["app", "list"],
    &["audit"],
    &["token", "list", "--json"],
    &["channels", "3", "--url"],
    &["env"],
    &["--print"],
];

/// Runs a command with this as its standard output.
#[track_caller]
fn printing(server: &TestServer, words: &[&str], out: impl Into<Stdio>) -> Output {
    let url = format!("http://{}", server.addr);
    let mut command = binary(server.folder());
    let url = words.ends_with(&["--url"]).then_some(url);
    command
        .args(words)
        .args(url)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(Stdio::piped())
        .output()
        .expect("it starts")
}

#[test]
fn an_answer_that_cannot_be_written_is_a_failure_with_one_line() {
    let (server, _) = inspected("read");
    for words in COMMANDS {
        let full = File::options().write(true).open("/dev/full").expect("a full disk");
        let Output { status, stderr, .. } = printing(&server, words, full);
        let stderr = String::from_utf8_lossy(&stderr);
        assert_eq!(status.code(), Some(74), "{words:?}: {stderr}");
        let lines: Vec<&str> = stderr.lines().filter(|line| line.starts_with("fanfare: ")).collect();
        assert_eq!(lines.len(), 1, "{words:?}: {stderr}");
        assert!(
            lines[0].starts_with("fanfare: standard output cannot be written: No space left"),
            "{stderr}"
        );
    }
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let (server, _) = inspected("read");
    for words in COMMANDS {
        let (reader, writer) = pipe().expect("a pipe");
        drop(reader);
        let Output { status, stderr, .. } = printing(&server, words, writer);
        let stderr = String::from_utf8_lossy(&stderr);
        assert_eq!((status.code(), stderr.contains("fanfare: ")), (Some(0), false), "{words:?}: {stderr}");
    }
}
