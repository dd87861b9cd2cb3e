//! Settings from file, environment and flags; all faults are reported at once (exit 64).

use std::fs;

use serde_json::json;

use crate::support::api::Request;
use crate::support::setup::{Ended, Setup};
use crate::support::{APP, App};

/// The printed faults, without their prefix.
fn faults(ended: &Ended) -> Vec<&str> {
    let faults = ended.stderr.lines().filter_map(|line| line.strip_prefix("fanfare: fault: "));
    let faults: Vec<&str> = faults.collect();
    assert_eq!(ended.status, 64, "{}", ended.stderr);
    assert_eq!(ended.stdout, "", "nothing is ready");
    faults
}

/// One of the faults mentions all of this.
#[track_caller]
fn expect_fault(faults: &[&str], mentions: &[&str]) {
    let found = faults.iter().any(|fault| mentions.iter().all(|text| fault.contains(text)));
    assert!(found, "no fault mentions {mentions:?}: {faults:#?}");
}

#[test]
fn all_faults_of_a_file_are_told_at_once_with_the_nearest_name() {
    let ended = Setup::bare()
        .config("[limits]\nconections = 5\nmembers = 0\n[timeouts]\nactivity = 0\n[log]\nformat = \"xml\"")
        .app(App { id: "number three", ..APP }, "")
        .run();
    let faults = faults(&ended);
    expect_fault(&faults, &["limits.conections", "connections"]);
    expect_fault(&faults, &["members"]);
    expect_fault(&faults, &["timeouts.activity"]);
    expect_fault(&faults, &["log.format", "xml", "json"]);
    expect_fault(&faults, &["id", "number three", "A-Z a-z 0-9 _ -"]);
    assert!(faults.len() >= 5, "{faults:#?}");
}

#[test]
fn unknown_sections_and_settings_of_apps_are_faults() {
    let ended =
        Setup::with_app("enabeld = true\nlimits = { event_byte = 5 }").config("[limit]\nmembers = 5").run();
    let faults = faults(&ended);
    expect_fault(&faults, &["limit", "limits"]);
    expect_fault(&faults, &["enabeld", "enabled"]);
    expect_fault(&faults, &["event_byte", "event_bytes"]);
}

#[test]
fn values_of_the_wrong_type_are_faults() {
    let ended = Setup::new()
        .config("[limits]\nmembers = \"many\"\nbatch = -1\n[listen]\ntrusted_proxies = [\"everywhere\"]")
        .run();
    let faults = faults(&ended);
    expect_fault(&faults, &["limits.members"]);
    expect_fault(&faults, &["limits.batch"]);
    expect_fault(&faults, &["listen.trusted_proxies", "everywhere"]);
}

#[test]
fn ids_and_keys_may_be_given_only_once() {
    let same_key = App { id: "4", secret: "another", ..APP };
    let same_id = App { key: "anotherkey", secret: "another", ..APP };
    let ended = Setup::new().app(same_key, "").app(same_id, "").run();
    let faults = faults(&ended);
    expect_fault(&faults, &["key", APP.key]);
    expect_fault(&faults, &["id", "3"]);
    assert!(!ended.stderr.contains(APP.secret), "secrets are not printed");
}

#[test]
fn an_app_needs_id_key_and_secret() {
    let ended =
        Setup::bare().config("[[apps.list]]\nid = \"3\"\n[[apps.list]]\nkey = \"k:k\"\nsecret = \"\"").run();
    let faults = faults(&ended);
    expect_fault(&faults, &["key"]);
    expect_fault(&faults, &["secret"]);
    expect_fault(&faults, &["id"]);
}

#[test]
fn a_file_that_is_no_toml_is_a_fault_with_its_line() {
    let ended = Setup::bare().config("[limits]\nmembers = = 5").run();
    expect_fault(&faults(&ended), &["fanfare.toml", "2"]);
}

#[test]
fn a_file_that_is_not_there_is_a_fault() {
    let ended = Setup::bare().arguments(&["--config", "/no/such/fanfare.toml"]).run();
    expect_fault(&faults(&ended), &["/no/such/fanfare.toml"]);
}

#[test]
fn faults_of_the_environment_name_the_variable() {
    let ended = Setup::new()
        .env("FANFARE__LIMITS__EVENT_BYTES", "many")
        .env("FANFARE__LIMITS__EVENT_BYTE", "5")
        .env("PUSHER_APP_ID", "9")
        .run();
    let faults = faults(&ended);
    expect_fault(&faults, &["FANFARE__LIMITS__EVENT_BYTES", "many"]);
    expect_fault(&faults, &["FANFARE__LIMITS__EVENT_BYTE", "event_bytes"]);
    expect_fault(&faults, &["PUSHER_APP_KEY"]);
}

#[test]
fn the_environment_goes_before_the_file() {
    let server = Setup::new()
        .config("[limits]\nevent_bytes = 10")
        .env("FANFARE__LIMITS__EVENT_BYTES", "20480")
        .env("FANFARE__TIMEOUTS__ACTIVITY", "33")
        .start();
    server.api().publish("a", "e", &"x".repeat(20_480));
    let body = json!({"name": "e", "channels": ["a"], "data": "x".repeat(20_481)}).to_string();
    server.api().post("/events", body).refused(413, "(20480 bytes)");
    server.open(&format!("/app/{}", APP.key)).established(33);
}

#[test]
fn check_says_whether_the_configuration_is_good_and_starts_nothing() {
    let setup = Setup::new().arguments(&["--check"]);
    let good = setup.run();
    assert_eq!(good.status, 0, "{}", good.stderr);
    assert!(!good.stdout.contains("is ready"));
    let left: Vec<_> = fs::read_dir(setup.folder()).expect("the folder is there").collect();
    assert_eq!(left.len(), 1, "only the configuration file: {left:?}");
    let bad = Setup::new().config("[limits]\nconections = 5").arguments(&["--check"]).run();
    expect_fault(&faults(&bad), &["limits.conections"]);
}

#[test]
fn print_shows_the_effective_values_and_no_secret() {
    let ended = Setup::new()
        .config("[limits]\nmembers = 77\n[apps]\ndatabase = \"postgres://user:hunter2@db.example/fanfare\"")
        .env("FANFARE__LIMITS__BATCH", "7")
        .arguments(&["--print"])
        .run();
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    for text in ["members = 77", "batch = 7", "event_bytes = 10240", APP.key] {
        assert!(ended.stdout.contains(text), "{text} is missing:\n{}", ended.stdout);
    }
    for secret in [APP.secret, "hunter2"] {
        assert!(!ended.stdout.contains(secret) && !ended.stderr.contains(secret), "{secret} was printed");
    }
}

#[test]
fn serve_is_what_the_binary_does_without_being_told() {
    let server = Setup::new()
        .command(None)
        .env("FANFARE__LISTEN__ADDR", "127.0.0.1:0")
        .env("FANFARE__LISTEN__ADMIN_ADDR", "127.0.0.1:0")
        .start();
    server.api().send(&Request::get("/apps/3/channels")).expect(r#"{"channels":{}}"#);
}

#[test]
fn a_file_without_an_end_is_a_fault_and_not_read_for_ever() {
    let zero = Setup::bare().arguments(&["--config", "/dev/zero", "--check"]).run();
    assert_eq!(zero.status, 64, "{}", zero.stderr);
    assert!(
        zero.stderr.contains("/dev/zero: cannot be read: the file has more than 16 MiB"),
        "{}",
        zero.stderr
    );
}
