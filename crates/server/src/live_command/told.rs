//! What `fanfare live` prints of an entry: a line, in which nothing steers the terminal.

use serde_json::Value;

use crate::plain::plain_value;

/// The members that every entry has, and that begin the line.
const FIRST: [&str; 4] = ["id", "at", "node", "kind"];

/// Members that speak for themselves, in the order of the line.
const BARE: [&str; 5] = ["channel", "event", "code", "why", "refusal"];

/// An entry as a line: the time of day, the node, the kind, and what is known.
pub(super) fn entry(entry: &Value) -> String {
    let at = plain_value(&entry["at"]);
    let time = at.get(11..23).unwrap_or(&at);
    let mut line = format!("{time}  {}  {:<18}", plain_value(&entry["node"]), plain_value(&entry["kind"]));
    let members = entry.as_object();
    for name in BARE {
        if let Some(value) = members.and_then(|members| members.get(name)) {
            line.push_str(&format!("  {}", plain_value(value)));
        }
    }
    let others = members.into_iter().flatten();
    for (name, value) in others.filter(|(name, _)| ![&FIRST[..], &BARE[..]].concat().contains(&name.as_str()))
    {
        line.push_str(&format!("  {name}={}", plain_value(value)));
    }
    format!("{}\n", line.trim_end())
}

/// What the stream says of itself.
pub(super) fn message(name: &str, data: &Value) -> String {
    match (name, data["count"].as_u64()) {
        ("left_out", Some(count)) => format!("… {count} entries left out\n"),
        ("left_out", None) => "… entries may be missing here\n".to_owned(),
        ("missing", _) => nodes(data),
        _ => String::new(),
    }
}

/// Which other nodes the list is of.
fn nodes(data: &Value) -> String {
    let has_some = |list: &str| data[list].as_array().is_some_and(|list| !list.is_empty());
    let mut text = match (data["redis"] == false, has_some("nodes"), has_some("answering")) {
        (true, _, _) => "… Redis is away: nothing is shown of other nodes\n".to_owned(),
        (false, true, _) => format!("… these nodes do not answer: {}\n", plain_value(&data["nodes"])),
        (false, false, true) => format!("… all other nodes answer: {}\n", plain_value(&data["answering"])),
        (false, false, false) => String::new(),
    };
    if has_some("full") {
        text.push_str(&format!(
            "… these have as many live lists as they may: {}\n",
            plain_value(&data["full"])
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_is_one_line_and_steers_no_terminal() {
        let value = json!({
            "id": 7, "at": "2026-11-28T16:56:17.204Z", "node": "a", "kind": "event", "channel": "private-\u{1b}[2Jx",
            "event": "Order\nShipped\u{202e}", "bytes": 312, "receivers": 88, "by": "key:0e1f"
        });
        assert_eq!(
            entry(&value),
            "16:56:17.204  a  event               private- [2Jx  Order Shipped   by=key:0e1f  bytes=312  receivers=88\n"
        );
    }

    #[test]
    fn what_is_missing_is_said_in_its_place() {
        assert_eq!(message("left_out", &json!({"count": 214})), "… 214 entries left out\n");
        assert_eq!(message("left_out", &json!({"count": null})), "… entries may be missing here\n");
        let nodes = |nodes: &[&str], answering: &[&str], full: &[&str], redis: bool| {
            message("missing", &json!({"nodes": nodes, "answering": answering, "full": full, "redis": redis}))
        };
        assert_eq!(nodes(&["b", "c"], &[], &[], true), "… these nodes do not answer: b, c\n");
        assert_eq!(nodes(&[], &["b"], &[], true), "… all other nodes answer: b\n");
        assert_eq!(nodes(&[], &[], &[], true), "", "there are no others");
        assert_eq!(nodes(&["b"], &[], &[], false), "… Redis is away: nothing is shown of other nodes\n");
        let full = "… these nodes do not answer: c\n… these have as many live lists as they may: c\n";
        assert_eq!(nodes(&["c"], &["b"], &["c"], true), full);
    }
}
