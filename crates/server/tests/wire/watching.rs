//! The board and the alerts of `packaging/` name series that exist, and Prometheus' own checks find no fault in the alerts.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::metrics_page::{documented, repository};

const ALERTS: &str = "packaging/prometheus/alerts.yml";

fn text(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every word of a text that begins like a series, as the page names it.
fn series(text: &str) -> BTreeSet<String> {
    let is_of_a_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let words = text.split(|letter: char| !is_of_a_name(letter)).filter(|word| word.starts_with("fanfare_"));
    let pages = documented();
    words
        .map(|word| {
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end));
            family.filter(|family| pages.contains(*family)).unwrap_or(word).to_owned()
        })
        .collect()
}

fn board() -> Value {
    serde_json::from_str(&text("packaging/grafana/fanfare.json")).expect("JSON")
}

/// The names of all alerts.
fn alerts(rules: &str) -> Vec<String> {
    rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).map(str::to_owned).collect()
}

#[track_caller]
fn promtool(arguments: &[&str]) {
    let ended = Command::new("promtool")
        .args(arguments)
        .current_dir(repository(""))
        .output()
        .expect("promtool is there (Debian: prometheus)");
    let said = String::from_utf8_lossy(&ended.stdout) + String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{arguments:?}: {said}");
}

/// Counters of a server that is built for traces, which the page of all series tells of in words.
const OF_TRACES: [&str; 3] =
    ["fanfare_spans_sent_total", "fanfare_spans_failed_total", "fanfare_spans_dropped_total"];

#[test]
fn board_and_alerts_name_only_series_that_a_scrape_has() {
    let mut pages = documented();
    let page = text("docs/metrics.md");
    pages.extend(OF_TRACES.iter().filter(|name| page.contains(**name)).map(|name| (*name).to_owned()));
    for path in
        ["packaging/grafana/fanfare.json", ALERTS, "packaging/prometheus/alerts_test.yml", "docs/watching.md"]
    {
        let named = series(&text(path));
        let unknown: Vec<&String> = named.difference(&pages).collect();
        assert!(!named.is_empty() && unknown.is_empty(), "{path}: {unknown:?}");
    }
}

#[test]
fn promtool_finds_no_fault_in_the_alerts_and_their_tests_pass() {
    promtool(&["check", "rules", ALERTS]);
    promtool(&["test", "rules", "packaging/prometheus/alerts_test.yml"]);
}

#[test]
fn every_alert_is_tested_and_has_a_row_that_says_what_to_do() {
    let alerts = alerts(&text(ALERTS));
    let (tests, page) = (text("packaging/prometheus/alerts_test.yml"), text("docs/watching.md"));
    assert!(alerts.len() > 10, "the alerts were not found");
    for alert in alerts {
        assert!(tests.contains(&format!("alertname=\"{alert}\"")), "{alert} has no test");
        assert!(page.contains(&format!("| `{alert}` |")), "{alert} is not in docs/watching.md");
    }
}

#[test]
fn the_board_is_one_that_grafana_can_import() {
    let board = board();
    assert!(board["title"].is_string() && board["uid"].is_string() && board["schemaVersion"].is_u64());
    let variables: BTreeSet<&str> = board["templating"]["list"]
        .as_array()
        .expect("variables")
        .iter()
        .map(|variable| variable["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(variables, ["app", "datasource", "instance"].into());
    let panels = board["panels"].as_array().expect("panels");
    let mut ids = BTreeSet::new();
    let mut places: Vec<[u64; 4]> = Vec::new();
    for panel in panels {
        let title = panel["title"].as_str().expect("a title");
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{title}: its id is another's");
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().expect("a place"));
        let is_free = |other: &[u64; 4]| {
            x + w <= other[0] || other[0] + other[2] <= x || y + h <= other[1] || other[1] + other[3] <= y
        };
        assert!(x + w <= 24 && places.iter().all(is_free), "{title} lies over another");
        places.push([x, y, w, h]);
        if panel["type"] == "row" {
            continue;
        }
        assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title} has no unit");
        let targets = panel["targets"].as_array().expect("targets");
        assert!(!targets.is_empty(), "{title} asks nothing");
        for target in targets {
            let expression = target["expr"].as_str().expect("an expression");
            assert!(!series(expression).is_empty(), "{title}: {expression}");
            // A counter that has counted nothing yet has no series: the panel would be empty while all is well.
            let has_series = !expression.contains(" / ") || expression.contains("or vector(0)");
            assert!(has_series, "{title}: {expression}");
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
        }
    }
}
