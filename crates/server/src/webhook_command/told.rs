//! What `fanfare webhook …` prints: a line for each test, a table for the deliveries of each URL.

use std::fmt::Write as _;

use serde_json::Value;

use crate::columns::aligned;
use crate::plain::plain_value;

/// One line for each URL, and one with advice below those that fail.
pub(super) fn tests(answer: &Value) -> String {
    let mut text = String::new();
    for test in items(&answer["tests"]) {
        let (url, ms) = (plain_value(&test["url"]), number(&test["ms"]));
        let off = if test["enabled"] == false { " (disabled: it gets nothing but tests)" } else { "" };
        let error = &test["error"];
        // Writing to a String cannot fail.
        let _ = match error.is_null() {
            true => writeln!(text, "{url}: answered {} in {ms} ms{off}.", number(&test["status"])),
            false => writeln!(text, "{url}: failed after {ms} ms: {}{off}.", plain_value(&error["text"])),
        };
        if error["advice"].is_string() {
            let _ = writeln!(text, "  {}", plain_value(&error["advice"]));
        }
        if let Some(401 | 403) = test["status"].as_u64() {
            let _ = writeln!(
                text,
                "  The event was signed with the key {}.",
                plain_value(&test["request"]["key"])
            );
        }
    }
    text
}

/// A table for each URL, the newest delivery first.
pub(super) fn deliveries(app: &str, answer: &Value) -> String {
    let mut text = String::new();
    let webhooks = items(&answer["webhooks"]);
    if webhooks.is_empty() {
        let _ = writeln!(text, "App {app} has no webhooks.");
    }
    for webhook in webhooks {
        let _ = writeln!(text, "{}: {}", plain_value(&webhook["url"]), state(webhook));
        let rows = items(&webhook["deliveries"]);
        if !rows.is_empty() {
            let mut table =
                vec![["at", "node", "events", "attempt", "answer", "ms", "again"].map(str::to_owned)];
            table.extend(rows.iter().map(row));
            for line in aligned(&table).lines() {
                let _ = writeln!(text, "  {line}");
            }
        }
    }
    if answer["backlog"] == "database away" {
        text.push_str(
            "The apps' database does not answer: the requests that are kept there are not known.\n",
        );
    }
    match answer["missing"].as_array() {
        None => text.push_str(
            "Only the asked node has answered: the Redis between the nodes is away, or too many questions were asked.\n",
        ),
        Some(missing) if !missing.is_empty() => {
            let names: Vec<String> = missing.iter().map(plain_value).collect();
            let _ = writeln!(text, "Not answered within a second, so that theirs are missing: {}.", names.join(", "));
        }
        Some(_) => {}
    }
    text
}

/// Whether the webhook works, since when, and what waits.
fn state(webhook: &Value) -> String {
    let since = plain_value(&webhook["since"]);
    let works = match webhook["works"].as_bool() {
        Some(true) => format!("works since {since}"),
        Some(false) => format!("fails since {since}"),
        None => "nothing sent yet".to_owned(),
    };
    let off = if webhook["enabled"] == false { "disabled, " } else { "" };
    let waiting = match number(&webhook["waiting"]) {
        0 => String::new(),
        1 => ", 1 event waits".to_owned(),
        waiting => format!(", {waiting} events wait"),
    };
    format!("{off}{works}{waiting}{}", kept(&webhook["backlog"]))
}

/// What of the webhook is kept in the database, if anything.
fn kept(backlog: &Value) -> String {
    let since = plain_value(&backlog["since"]);
    match (backlog["requests"].as_u64(), backlog["more_than"].as_u64()) {
        (Some(1), _) => format!(", 1 request is kept, of {since}"),
        (Some(requests), _) if requests > 1 => {
            format!(", {requests} requests are kept, the first of {since}")
        }
        (_, Some(most)) => format!(", more than {most} requests are kept, the first of {since}"),
        _ => String::new(),
    }
}

fn row(delivery: &Value) -> [String; 7] {
    let names: Vec<String> = items(&delivery["events"]).iter().map(plain_value).collect();
    let (names, count) = (names.join(" "), number(&delivery["count"]));
    let error = &delivery["error"];
    let answer = match delivery["status"].as_u64() {
        Some(status) => status.to_string(),
        None => plain_value(&error["text"]),
    };
    [
        plain_value(&delivery["at"]),
        plain_value(&delivery["node"]),
        if count == 1 { names } else { format!("{count}: {names}") },
        if delivery["test"] == true { "test".to_owned() } else { number(&delivery["attempt"]).to_string() },
        answer,
        number(&delivery["ms"]).to_string(),
        if delivery["again"] == true { "yes" } else { "" }.to_owned(),
    ]
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn con_054_a_test_is_a_line_with_its_status_or_its_fault_and_what_to_do() {
        let answer = json!({"tests": [
            {"url": "http://a/", "enabled": true, "status": 204, "ms": 12, "error": null},
            {"url": "http://b/", "enabled": false, "status": 403, "ms": 3, "request": {"key": "k"},
             "error": {"cause": "status", "text": "the answer was 403", "advice": "Look\u{1b} here."}},
            {"url": "http://c/", "enabled": true, "status": null, "ms": 0,
             "error": {"cause": "refused", "text": "the connection was refused", "advice": null}},
        ]});
        assert_eq!(
            super::tests(&answer),
            "http://a/: answered 204 in 12 ms.\n\
             http://b/: failed after 3 ms: the answer was 403 (disabled: it gets nothing but tests).\n  \
             Look  here.\n  The event was signed with the key k.\n\
             http://c/: failed after 0 ms: the connection was refused.\n"
        );
    }

    #[test]
    fn con_054_the_deliveries_of_a_url_are_a_table_and_who_did_not_answer_is_named() {
        let row = |events: &[&str], count, status: Option<u16>, text, again, test| {
            json!({
                "id": "1", "at": "T", "node": "a", "events": events, "count": count, "attempt": 2, "test": test,
                "status": status, "ms": 7, "again": again, "error": {"cause": "x", "text": text},
            })
        };
        let answer = json!({
            "webhooks": [
                {"number": 1, "url": "http://a/", "enabled": true, "works": false, "since": "S", "waiting": 3, "backlog": {"requests": 17, "more_than": null, "since": "K"}, "deliveries": [
                    row(&["channel_occupied", "channel_vacated"], 5, Some(500), "", true, false),
                    row(&["member_added"], 1, None, "the connection was refused", false, true),
                ]},
                {"number": 2, "url": "http://b/", "enabled": false, "works": null, "since": null, "waiting": 0, "deliveries": []},
            ],
            "nodes": ["a"], "missing": ["b"],
        });
        assert_eq!(
            deliveries("7", &answer),
            "http://a/: fails since S, 3 events wait, 17 requests are kept, the first of K\n  \
             at  node  events                               attempt  answer                      ms  again\n  \
             T   a     5: channel_occupied channel_vacated  2        500                         7   yes\n  \
             T   a     member_added                         test     the connection was refused  7\n\
             http://b/: disabled, nothing sent yet\n\
             Not answered within a second, so that theirs are missing: b.\n"
        );
        assert_eq!(
            kept(&json!({"requests": null, "more_than": 10, "since": "K"})),
            ", more than 10 requests are kept, the first of K"
        );
        assert_eq!(kept(&json!({"requests": 1, "since": "K"})), ", 1 request is kept, of K");
        assert_eq!(kept(&json!({"requests": 0})), "");
        let away = json!({"webhooks": [], "missing": [], "backlog": "database away"});
        assert!(deliveries("7", &away).ends_with("kept there are not known.\n"));
        let none = json!({"webhooks": [], "nodes": ["a"], "missing": null});
        assert!(
            deliveries("7", &none).starts_with("App 7 has no webhooks.\nOnly the asked node has answered:")
        );
    }
}
