//! What `fanfare channels`, `fanfare connections` and `fanfare users` print: a table, and of what it is.

use std::fmt::Write as _;

use serde_json::Value;

use crate::columns::aligned;
use crate::plain::{plain, plain_value};

/// The table of channels.
pub(super) fn channels(answer: &Value) -> String {
    let row = |row: &Value| {
        [
            plain_value(&row["name"]),
            plain_value(&row["kind"]),
            plain_value(&row["subscribers"]),
            plain_value(&row["users"]),
            if row["cached"] == true { "yes" } else { "" }.to_owned(),
            nodes(row),
        ]
    };
    table(
        answer,
        ("channels", "channel"),
        ["CHANNEL", "KIND", "SUBSCRIBERS", "USERS", "CACHED", "NODES"],
        row,
    )
}

/// The table of connections.
pub(super) fn connections(answer: &Value) -> String {
    let row = |row: &Value| {
        [
            plain_value(&row["socket"]),
            plain_value(&row["user"]),
            plain_value(&row["subscriptions"]),
            plain_value(&row["address"]),
            plain_value(&row["transport"]),
            plain_value(&row["since"]),
            plain_value(&row["outbox_bytes"]),
            plain_value(&row["node"]),
        ]
    };
    let head = ["SOCKET", "USER", "CHANNELS", "ADDRESS", "TRANSPORT", "SINCE", "OUTBOX", "NODE"];
    table(answer, ("connections", "connection"), head, row)
}

/// The table of users.
pub(super) fn users(answer: &Value) -> String {
    let row = |row: &Value| {
        [plain_value(&row["user"]), plain_value(&row["connections"]), plain_value(&row["since"]), nodes(row)]
    };
    table(answer, ("users", "signed-in user"), ["USER", "CONNECTIONS", "SINCE", "NODES"], row)
}

/// What was done to a connection.
pub(super) fn closed(socket: &str, code: &str) -> String {
    let then = match code {
        "4009" => "stock clients stay away until the page is loaded anew",
        _ => "its client comes back at once",
    };
    let socket = plain(socket);
    format!("{socket} is closed with {code}: {then}.\n")
}

/// What was done to a user.
pub(super) fn terminated(user: &str, answer: &Value) -> String {
    let closed = answer["closed"].as_u64().unwrap_or(0);
    let connections = if closed == 1 { "connection" } else { "connections" };
    let user = plain(user);
    format!("{closed} {connections} of {user} {} closed with 4009.\n", if closed == 1 { "is" } else { "are" })
}

/// The rows of a list below their head; then how many there are, of which nodes, and where the next page begins.
fn table<const N: usize>(
    answer: &Value,
    (name, one): (&str, &str),
    head: [&str; N],
    row: impl Fn(&Value) -> [String; N],
) -> String {
    let rows = answer[name].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut text = String::new();
    if rows.is_empty() {
        let _ = writeln!(text, "No {one} is found.");
    } else {
        let mut lines = vec![head.map(str::to_owned)];
        lines.extend(rows.iter().map(row));
        text.push_str(&aligned(&lines));
    }
    if let Some(total) = answer["total"].as_u64().filter(|_| !rows.is_empty()) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{total} {one}{} in all.", if total == 1 { "" } else { "s" });
    }
    if let Some(next) = answer["next"].as_str() {
        let _ = writeln!(text, "There are more: --after {}", plain_value(&next.into()));
    }
    text.push_str(&silent_nodes(answer));
    text
}

/// Which nodes are not in the answer, if any.
fn silent_nodes(answer: &Value) -> String {
    match (answer.get("missing"), answer["missing"].as_array()) {
        (Some(Value::Null), _) => {
            "Only the asked node has answered: the Redis between the nodes is away, or too many questions were asked.\n".to_owned()
        }
        (_, Some(missing)) if !missing.is_empty() => {
            let names: Vec<String> = missing.iter().map(plain_value).collect();
            format!("Not answered within a second, so that theirs are missing: {}.\n", names.join(", "))
        }
        _ => String::new(),
    }
}

/// How many on which node, where a row says so.
fn nodes(row: &Value) -> String {
    let nodes = row["nodes"].as_object().into_iter().flatten();
    nodes.map(|(node, count)| format!("{} {count}", plain(node))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn con_025_a_list_is_a_table_that_says_how_many_there_are_and_where_the_next_page_begins() {
        let row = |name: &str, users: Value, cached| json!({"name": name, "kind": "presence", "subscribers": 3, "users": users, "cached": cached, "nodes": {"a": 1, "b": 2}});
        let answer = json!({
            "channels": [row("presence-a\u{1b}", 2.into(), true), row("b", Value::Null, false)],
            "next": "3:b", "total": 311,
        });
        assert_eq!(
            channels(&answer),
            "CHANNEL      KIND      SUBSCRIBERS  USERS  CACHED  NODES\n\
             presence-a   presence  3            2      yes     a 1, b 2\n\
             b            presence  3                           a 1, b 2\n\
             311 channels in all.\nThere are more: --after 3:b\n"
        );
        let none = |missing: Value| json!({"users": [], "next": null, "total": 0, "missing": missing});
        assert_eq!(users(&none(json!([]))), "No signed-in user is found.\n");
        assert!(users(&none(json!(["c"]))).ends_with("theirs are missing: c.\n"));
        assert!(users(&none(Value::Null)).contains("\nOnly the asked node has answered: "));
        assert_eq!(terminated("42", &json!({"closed": 1})), "1 connection of 42 is closed with 4009.\n");
    }
}
