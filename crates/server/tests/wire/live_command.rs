//! `fanfare live`: what happens in an app, in the terminal (CON-025).

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Stdio};

use serde_json::Value;

use crate::inspect_channels::inspected;
use crate::support::server::TestServer;
use crate::support::setup::{binary, run};
use crate::support::{APP, eventually};

/// A running `fanfare live`, stopped when dropped.
struct Watching {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Watching {
    /// The command, once the server has opened the list.
    #[track_caller]
    fn begin(server: &TestServer, words: &[&str]) -> Self {
        let mut command = binary(server.folder());
        command.args([&["live", APP.id, "--url", &format!("http://{}", server.admin)], words].concat());
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the command starts");
        let lines = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { child, lines }
    }

    /// The next line; the reader fails at the end of the output.
    #[track_caller]
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line");
        assert!(!line.is_empty(), "the command has ended");
        line
    }

    /// The command's exit status, and nothing printed any more.
    #[track_caller]
    fn interrupted(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        let sent = std::process::Command::new("kill").args(["-INT", &pid]).status().expect("kill is there");
        assert!(sent.success());
        self.child.wait().expect("the command ends").code()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The tokens that are called as those of the command: whether each is revoked.
fn tokens(server: &TestServer) -> Vec<bool> {
    let listed: Value = serde_json::from_str(&server.commanded(&["token", "list", "--json"])).expect("JSON");
    let rows = listed["tokens"].as_array().expect("a list").iter();
    rows.filter(|row| row["name"] == "fanfare live").map(|row| !row["revoked_at"].is_null()).collect()
}

/// Publishes until the command prints: nobody but the command knows when its list is open.
#[track_caller]
fn first_line(server: &TestServer, watching: &mut Watching) -> String {
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut api = server.api();
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                api.publish("news", "first", "{}");
            }
        });
        let line = watching.line();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        line
    })
}

#[test]
fn con_025_what_happens_is_printed_as_it_happens_and_the_token_is_revoked_at_the_end() {
    let (server, _admin) = inspected("read");
    let mut watching = Watching::begin(&server, &["--kinds", "event,subscribed"]);
    assert!(first_line(&server, &mut watching).contains("  event "));
    assert_eq!(tokens(&server), [false]);
    let mut socket = server.connect();
    socket.subscribe("orders");
    let line = std::iter::repeat_with(|| watching.line()).find(|line| line.contains("orders"));
    let line = line.expect("it goes on for ever");
    assert!(line.contains("  subscribed ") && line.contains(&format!("socket={}", socket.id)), "{line}");
    server.api().publish("orders", "OrderShipped", "{\"card\":1234}");
    let line = watching.line();
    assert!(line.contains("orders  OrderShipped") && line.contains("receivers=1"), "{line}");
    assert!(!line.contains("1234"), "without --data nothing is shown of what events carry");

    assert_eq!(watching.interrupted(), Some(0));
    assert_eq!(tokens(&server), [true]);
}

#[test]
fn con_025_json_and_data_are_for_programs_and_for_whoever_may_see_them() {
    let (server, _admin) = inspected("read");
    let mut watching = Watching::begin(&server, &["--json", "--data", "--channel", "news*"]);
    let entry: Value = serde_json::from_str(&first_line(&server, &mut watching)).expect("JSON");
    assert_eq!(
        (&entry["kind"], &entry["data"], &entry["whole"]),
        (&"event".into(), &"{}".into(), &true.into())
    );
    drop(watching);
    let log: Value = serde_json::from_str(&server.commanded(&["audit", "--json"])).expect("JSON");
    assert!(log.to_string().contains("live.payloads"), "{log}");
}

#[test]
fn con_025_what_cannot_be_listed_is_said_and_leaves_no_token_that_is_good() {
    let (server, _admin) = inspected("read");
    let url = format!("http://{}", server.admin);
    for (words, status, said) in [
        (&[APP.id, "--url", &url, "--kinds", "evnt"][..], 64, "a list of these: connected"),
        (&["no-such-app", "--url", &url], 64, "there is no app no-such-app"),
        (&[APP.id, "--url", "http://127.0.0.1:1"], 69, "does the server run?"),
    ] {
        let ended = run(binary(server.folder()).arg("live").args(words));
        assert_eq!(ended.status, status, "{words:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{words:?}: {}", ended.stderr);
        assert!(ended.stdout.is_empty(), "{words:?}");
    }
    assert_eq!(tokens(&server), [true, true]);

    // A list whose server stops ends, and says so.
    let mut watching = Watching::begin(&server, &[]);
    first_line(&server, &mut watching);
    drop(server);
    eventually("the command ends", || {
        watching.child.try_wait().expect("a child").map(|status| assert_eq!(status.code(), Some(69)))
    });
}
