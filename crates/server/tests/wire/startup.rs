//! Starting: the ready line, the lines to paste, and ports in use (exit 69).

use std::net::TcpListener;

use crate::support::APP;
use crate::support::server::TestServer;
use crate::support::setup::Setup;

#[test]
fn the_ready_line_comes_first_and_both_listeners_accept() {
    let server = TestServer::start();
    assert_eq!(
        server.ready,
        format!("Fanfare is ready: http://{} (admin http://{})", server.addr, server.admin)
    );
    assert_ne!(server.addr.port(), 0);
    assert_ne!(server.admin.port(), server.addr.port());
    assert_eq!(server.public("/up").head.status, 200);
    assert_eq!(server.admin("/up").head.status, 200);
}

#[test]
fn one_line_of_the_log_says_what_runs_where_and_with_which_database() {
    let url = "[apps]\ndatabase = \"sqlite:///";
    for format in ["text", "json"] {
        let setup = Setup::bare();
        let file = setup.folder().join("apps.db").display().to_string();
        let config = format!("{url}{}\"\n[log]\nformat = \"{format}\"", file.trim_start_matches('/'));
        let server = setup.config(&config).start();
        server.process.log_line("what runs", |line| {
            let is_it = line.contains("ready") && line.contains(env!("CARGO_PKG_VERSION"));
            let says = [server.addr.to_string(), server.admin.to_string(), format!("the SQLite file {file}")];
            (is_it && says.iter().all(|text| line.contains(text))).then_some(())
        });
    }
}

#[test]
fn a_database_without_apps_is_told_of_by_the_printed_lines_and_the_log() {
    let server = Setup::bare().config("[apps]\ndatabase = \"sqlite\"").start();
    let text = lines_until(&server, "fanfare app create");
    assert!(text.contains("There is no app yet") && !text.contains("PUSHER_APP_KEY"), "{text}");
    server.process.log_line("that there is no app", |line| {
        (line.contains("WARN") && line.contains("`fanfare app create`")).then_some(())
    });
    let env = Setup::bare().command(Some("env")).arguments(&["--create-database"]);
    let ended = env.config("[apps]\ndatabase = \"sqlite\"").run();
    assert!(ended.status == 0 && ended.stdout.contains("`fanfare app create`"), "{}", ended.stdout);
}

#[test]
fn an_oldest_app_that_cannot_be_used_does_not_keep_the_others_from_being_served() {
    let server = Setup::bare().env("FANFARE_MASTER_KEY", &"a".repeat(64)).start();
    assert_eq!(server.create_app(&[], &[]).status, 0);
    let server = Setup::bare().in_folder(server.stop()).start();
    drop(server.connect());
    server.process.log_line("which app it is", |line| {
        let is_it = line.contains("ERROR") && line.contains("the oldest app cannot be used");
        (is_it && line.contains("master key")).then_some(())
    });
    assert!(!server.process.stderr().contains("There is no app"));
}

#[test]
fn the_address_that_lets_others_in_has_the_port_in_use() {
    let server = TestServer::start();
    let said = format!("--listen 0.0.0.0:{}", server.addr.port());
    lines_until(&server, &said);
}

/// The lines after the ready line, until one that holds `last` has come.
fn lines_until(server: &TestServer, last: &str) -> String {
    let mut text = String::new();
    while !text.contains(last) {
        text.push_str(&server.process.line().unwrap_or_else(|| panic!("no {last} in\n{text}")));
        text.push('\n');
    }
    text
}

#[test]
fn the_lines_for_laravel_are_ready_to_paste() {
    let server = TestServer::start();
    let text = lines_until(&server, "VITE_PUSHER_SCHEME");
    let port = format!("PUSHER_PORT={}", server.addr.port());
    for line in [
        "PUSHER_APP_ID=3",
        "PUSHER_APP_KEY=278d425bdf160c739803",
        "PUSHER_HOST=127.0.0.1",
        &port,
        "PUSHER_SCHEME=http",
    ] {
        assert!(text.lines().any(|found| found.trim() == line), "{line} is not among\n{text}");
    }
    for name in ["PUSHER_APP_SECRET=", "PUSHER_APP_CLUSTER=", "VITE_PUSHER_APP_KEY="] {
        assert!(text.contains(name), "{name} is not among\n{text}");
    }
}

#[test]
fn a_secret_that_the_operator_has_set_is_not_printed_by_a_server() {
    let server = TestServer::start();
    let text = lines_until(&server, "/up");
    assert!(!text.contains(APP.secret), "{text}");
}

#[test]
fn env_prints_the_lines_and_ends() {
    let ended = Setup::new().command(Some("env")).run();
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    for text in ["PUSHER_APP_ID=3", "PUSHER_APP_SECRET=7ad3773142a6692b25b8", "PUSHER_HOST=", "PUSHER_PORT="]
    {
        assert!(ended.stdout.contains(text), "{text} is not among\n{}", ended.stdout);
    }
}

#[test]
fn a_port_that_is_taken_ends_the_start_with_69_and_creates_no_database() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = taken.local_addr().expect("a bound socket has an address").to_string();
    for arguments in [
        ["--listen", &*addr, "--admin-listen", "127.0.0.1:0"],
        ["--listen", "127.0.0.1:0", "--admin-listen", &*addr],
    ] {
        let ended = Setup::bare().command(Some("serve")).arguments(&arguments);
        let folder = ended.folder().to_owned();
        let ended = ended.run();
        assert_eq!(ended.status, 69, "{}", ended.stderr);
        assert!(ended.stderr.contains(&addr), "{}", ended.stderr);
        assert!(!ended.stdout.contains("is ready"));
        assert!(!folder.join("fanfare-data").exists());
    }
}

#[test]
fn the_port_may_come_from_the_environment() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = free.local_addr().expect("a bound socket has an address").port();
    drop(free);
    let server = Setup::new()
        .command(Some("serve"))
        .arguments(&["--admin-listen", "127.0.0.1:0"])
        .env("PORT", &port.to_string())
        .start();
    assert_eq!(server.addr.port(), port);
}

#[test]
fn a_database_that_is_away_ends_the_start_with_69_and_its_password_is_not_printed() {
    let url = "postgres://fanfare:hunter2@127.0.0.1:1/fanfare";
    let ended = Setup::bare().env("DATABASE_URL", url).run();
    assert_eq!(ended.status, 69, "{}", ended.stderr);
    assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
}

#[test]
fn a_server_can_be_started_again_on_the_port_it_had() {
    let server = Setup::new().config("[timeouts]\ndrain = 1").start();
    let mut socket = server.connect();
    let addr = server.addr.to_string();
    server.process.signal(rustix::process::Signal::TERM);
    socket.expect_close_code(4200);
    server.drained();
    let again = Setup::new()
        .command(Some("serve"))
        .arguments(&["--listen", &addr, "--admin-listen", "127.0.0.1:0"])
        .start();
    assert_eq!(again.addr.to_string(), addr);
    assert_ne!(again.connect().id, socket.id, "WS-031: ids are not used again");
}
