//! What `fanfare send` prints: channel by channel, whom the event has reached, and why nobody got it.

use std::fmt::Write as _;

use serde_json::Value;

use crate::plain::plain;

/// All that is printed behind the words that say what was sent.
pub(super) fn whole(sent: &str, names: &[&str], answer: &Value) -> String {
    let trace = &answer["trace"];
    let mut text = match (channels(trace), trace["event_id"].as_str()) {
        (Some(told), Some(id)) => format!("{sent}, as {}.\n{told}", plain(id)),
        // Another server of the protocol, or an older one.
        _ => format!("{sent}{}.\n", heard_by(answer, names)),
    };
    // Asked for, and left out: the answer of a node that is out of touch with others (API-013).
    if names.iter().any(|name| answer["channels"][name]["subscription_count"].is_null()) {
        text.push_str(
            "The server cannot say who is subscribed: perhaps it is out of touch with other nodes, whose clients then do \
             not get the event; its /ready says more.\n",
        );
    }
    text
}

/// How many were subscribed, according to an answer without a trace; nothing of several channels.
fn heard_by(answer: &Value, names: &[&str]) -> String {
    let [name] = names else { return String::new() };
    match answer["channels"][name]["subscription_count"].as_u64() {
        Some(0) => ": nobody is subscribed to it".to_owned(),
        Some(count) => format!(": {} to it", is_subscribed(count)),
        None => String::new(),
    }
}

/// One line for each channel of the answer's trace; `None` if the server traces nothing.
fn channels(trace: &Value) -> Option<String> {
    let mut lines = String::new();
    for channel in trace["channels"].as_array()? {
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "  {}: {}", plain(channel["channel"].as_str()?), line(channel));
        if let Some(text) = channel["hint"]["text"].as_str().filter(|_| count(channel, "subscribers") > 0) {
            let _ = writeln!(lines, "    {}", plain(text));
        }
    }
    Some(lines)
}

fn line(channel: &Value) -> String {
    let [subscribers, took, excluded, slow] =
        ["subscribers", "took", "excluded", "slow"].map(|name| count(channel, name));
    if subscribers == 0 {
        let why = channel["hint"]["text"].as_str().unwrap_or("nobody is subscribed to it");
        return format!("{}.", plain(why));
    }
    let mut line = is_subscribed(subscribers);
    if let Some(nodes) = channel["nodes"].as_object().filter(|nodes| nodes.len() > 1) {
        let each: Vec<String> =
            nodes.iter().map(|(node, count)| format!("{} {count}", plain(node))).collect();
        let _ = write!(line, " ({})", each.join(", "));
    }
    let _ = write!(line, ", {took} took it");
    if excluded > 0 {
        let _ = write!(line, ", {excluded} excluded");
    }
    if slow > 0 {
        let _ = write!(line, ", {slow} slow: earlier events wait there for the client to read");
    }
    line.push('.');
    line
}

/// How many are subscribed, as a sentence begins.
fn is_subscribed(count: u64) -> String {
    if count == 1 {
        "1 connection is subscribed".to_owned()
    } else {
        format!("{count} connections are subscribed")
    }
}

fn count(channel: &Value, name: &str) -> u64 {
    channel[name].as_u64().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(channel: &Value) -> String {
        channels(&json!({ "channels": [channel] })).unwrap()
    }

    #[test]
    fn con_042_a_line_says_who_is_subscribed_and_what_became_of_the_event() {
        let channel = json!({
            "channel": "news", "subscribers": 3, "nodes": {"a": 3}, "took": 2, "excluded": 1, "slow": 1, "hint": null,
        });
        assert_eq!(
            told(&channel),
            "  news: 3 connections are subscribed, 2 took it, 1 excluded, 1 slow: earlier events wait there for the client \
             to read.\n"
        );
        let several =
            json!({ "channel": "news", "subscribers": 88, "nodes": {"a": 50, "b": 38}, "took": 88 });
        assert_eq!(told(&several), "  news: 88 connections are subscribed (a 50, b 38), 88 took it.\n");
    }

    #[test]
    fn con_042_a_hint_is_told_with_its_channel() {
        let text = "nobody is subscribed to orders, but private-orders has 3 subscribers";
        let nobody = json!({ "channel": "orders", "subscribers": 0, "hint": {"text": text} });
        assert_eq!(told(&nobody), format!("  orders: {text}.\n"));
        let unknown = json!({ "channel": "orders", "subscribers": 0, "hint": null });
        assert_eq!(told(&unknown), "  orders: nobody is subscribed to it.\n");
        let event =
            json!({ "channel": "orders", "subscribers": 1, "took": 1, "hint": {"text": "called otherwise"} });
        assert_eq!(told(&event), "  orders: 1 connection is subscribed, 1 took it.\n    called otherwise\n");
        assert_eq!(channels(&Value::Null), None);
    }

    #[test]
    fn an_answer_without_a_trace_still_says_how_many_were_subscribed() {
        let told = |answer| whole("e was sent to a", &["a"], &answer);
        assert_eq!(
            told(json!({ "channels": {"a": {"subscription_count": 1}} })),
            "e was sent to a: 1 connection is subscribed to it.\n"
        );
        let away = told(json!({ "channels": {"a": {}}, "trace": {"event_id": "0\u{1b}1", "channels": []} }));
        assert!(
            away.starts_with("e was sent to a, as 0 1.\nThe server cannot say who is subscribed"),
            "{away}"
        );
    }
}
