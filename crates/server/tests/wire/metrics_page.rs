//! The page of all metrics tells what a scrape has: series, types, labels, units, meanings; and Prometheus' own checks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::{env, fs};

use fanfare_testing::redis::Redis;

use crate::cluster::{bus, expect_ready};
use crate::redis_feed::{PREFIX, event, prefixed};
use crate::support::application::Application;
use crate::support::authorization::Post;
use crate::support::eventually;
use crate::support::setup::Setup;
use crate::support::tls::{Authority, tls_setup};

/// A row: the series, its type, its unit, its meaning, and what to do.
const COLUMNS: usize = 5;

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// A family of a scrape.
#[derive(Default)]
struct Family {
    kind: String,
    help: String,
    /// Of all samples; `None` without any sample.
    labels: Option<BTreeSet<String>>,
}

/// The names of all series on the page.
pub fn documented() -> BTreeSet<String> {
    let page = fs::read_to_string(repository("docs/metrics.md")).expect("the page can be read");
    page.lines().filter_map(row).map(|cells| named(&cells[0]).0.to_owned()).collect()
}

/// The cells of a row about a series.
fn row(line: &str) -> Option<Vec<String>> {
    let cells: Vec<String> = line
        .strip_prefix("| `")
        .filter(|series| ["fanfare_", "process_"].iter().any(|prefix| series.starts_with(prefix)))
        .map(|_| line.trim_matches('|').split(" | "))?
        .map(str::to_owned)
        .collect();
    assert_eq!(cells.len(), COLUMNS, "{line}");
    Some(cells.iter().map(|cell| cell.trim().to_owned()).collect())
}

/// Name and labels of a cell such as `` `name{a,b}` ``.
fn named(cell: &str) -> (&str, BTreeSet<String>) {
    let text = cell.trim_matches('`');
    let (name, labels) = text.split_once('{').unwrap_or((text, ""));
    let labels = labels.trim_end_matches('}').split(',').filter(|label| !label.is_empty());
    (name, labels.map(str::to_owned).collect())
}

fn unit(name: &str) -> &'static str {
    match name {
        _ if name.ends_with("_timestamp_seconds") || name.ends_with("_time_seconds") => "Unix seconds",
        _ if name.contains("_seconds") => "seconds",
        _ if name.contains("_bytes") => "bytes",
        _ => "–",
    }
}

/// The families of a scrape in the older text format.
fn families(text: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            families.entry(name.to_owned()).or_default().help = help.trim_end_matches('.').to_owned();
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            families.entry(name.to_owned()).or_default().kind = kind.to_owned();
        } else {
            let (name, labels) = sample(line);
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let family = family.filter(|family| families.contains_key(*family)).unwrap_or(name);
            let family = families.get_mut(family).unwrap_or_else(|| panic!("no family of {line}"));
            family.labels.get_or_insert_default().extend(labels);
        }
    }
    families
}

/// Name and labels of a sample.
fn sample(line: &str) -> (&str, Vec<String>) {
    let (series, _) = line.rsplit_once(' ').expect("a value");
    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
    let labels = labels.trim_end_matches('}').split("\",").filter_map(|label| Some(label.split_once('=')?.0));
    (name, labels.filter(|label| *label != "le").map(str::to_owned).collect())
}

/// A scrape of a server with all it may have, at which most has happened once.
fn scrape() -> String {
    let redis = Redis::start();
    let application = Application::saying(200, "true");
    let feed = format!("[redis_feed]\nurl = \"{}\"\nprefix = \"{PREFIX}\"\n", redis.url());
    let settings = application.settings() + "messages_per_second = 1\n";
    let setup = Setup::with_app(&settings).config(&bus(&redis, "")).config(&feed);
    let authority = Authority::new();
    authority.issue().write_to(setup.folder());
    // Never answers, so that the order goes on.
    let directory = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let directory = (directory.local_addr().expect("an address"), directory);
    let acme = format!(
        "[tls.acme]\ndomains = [\"a.test\"]\nterms_agreed = true\nchallenge = \"tls-alpn-01\"\ndirectory = \"https://{}/\"",
        directory.0
    );
    let server = tls_setup(setup).config(&acme).start();
    expect_ready(&server, 200, "ready");
    server.expect_metric("fanfare_redis_feed_connections_up", 1.0);
    let mut socket = server.connect();
    socket.subscribe("news");
    socket.send(r#"{"event":"pusher:subscribe","data":{"channel":"private-a"}}"#);
    socket.json();
    server.open("/app/unknown?protocol=7").expect_close_code(4001);
    Post::channel("private-orders").send(&server);
    let body = r#"{"name":"e","data":"d","channels":["news","other"]}"#;
    for _ in 0..3 {
        server.api().post("/events", body);
    }
    redis.broadcast(&[&prefixed("news")], &event("e", "1", "null"));
    redis.publish(&prefixed("news"), "no event");
    let dropped = "fanfare_redis_feed_dropped_total{app=\"3\"";
    eventually(dropped, || server.admin("/metrics").body.contains(dropped).then_some(()));
    server.admin("/metrics").body
}

#[test]
fn every_series_of_a_scrape_is_on_the_page_and_the_page_names_no_other() {
    let families = families(&scrape());
    let page = fs::read_to_string(repository("docs/metrics.md")).expect("the page can be read");
    let mut missing: BTreeSet<&str> = families.keys().map(String::as_str).collect();
    let (mut written, mut faults) = (String::new(), Vec::new());
    for line in page.lines() {
        let Some(cells) = row(line) else {
            writeln!(written, "{line}").expect("a String takes any text");
            continue;
        };
        let (name, labels) = named(&cells[0]);
        let Some(family) = families.get(name) else {
            faults.push(format!("{name} is in no scrape"));
            continue;
        };
        missing.remove(name);
        if family.labels.as_ref().is_some_and(|seen| *seen != labels) {
            faults.push(format!("{name} has the labels {:?}, not {labels:?}", family.labels));
        }
        if cells[4].is_empty() {
            faults.push(format!("{name}: what is to be done with it?"));
        }
        let Family { kind, help, .. } = family;
        writeln!(written, "| {} | {kind} | {} | {help} | {} |", cells[0], unit(name), cells[4])
            .expect("a String takes any text");
    }
    for name in &missing {
        let Family { kind, help, labels } = &families[*name];
        let labels: Vec<String> = labels.clone().unwrap_or_default().into_iter().collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        writeln!(written, "| `{name}{labels}` | {kind} | {} | {help} |  |", unit(name))
            .expect("a String takes any text");
    }
    if env::var_os("FANFARE_WRITE").is_some() {
        fs::write(repository("docs/metrics.md"), &written).expect("the page can be written");
    } else if written != page {
        let differ = written.lines().zip(page.lines()).find(|(new, old)| new != old);
        faults
            .push(format!("FANFARE_WRITE=1 writes the page anew; not on it: {missing:?}; first: {differ:?}"));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_family_without_samples_is_one_that_the_test_cannot_cause() {
    let unseen: Vec<String> = families(&scrape())
        .into_iter()
        .filter(|(_, family)| family.labels.is_none())
        .map(|(name, _)| name)
        .collect();
    assert_eq!(unseen, UNSEEN, "labels of these are not compared with the page");
}

/// A refusing Redis, a failed task of the server, a webhook.
const UNSEEN: [&str; 3] =
    ["fanfare_redis_feed_prefixes_refused", "fanfare_tasks_failed_total", "fanfare_webhook_request_seconds"];

#[test]
fn promtool_finds_no_fault_in_a_scrape() {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is there (Debian: prometheus)");
    promtool.stdin.take().expect("piped").write_all(scrape().as_bytes()).expect("promtool reads");
    let ended = promtool.wait_with_output().expect("promtool ends");
    let said = String::from_utf8_lossy(&ended.stderr) + String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success() && said.trim().is_empty(), "{said}");
}
