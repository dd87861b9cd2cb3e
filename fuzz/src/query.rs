//! Any text as a query: read like `form_urlencoded`, with names in lower case.
//!
//! Owns the comparison only; the signed text of a query is the concern of `request_signature`.

use fanfare_protocol::auth::Query;

use crate::signature::pairs_of;

/// Reads the text as a query, and an escaped form of it too.
pub fn query(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    is_read(&text, &pairs_of(&text));

    // The decoded pairs, with commas, ampersands and all other characters, survive being escaped.
    let pairs = pairs_of(&text);
    let escaped = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
    is_read(&escaped, &pairs);
}

fn is_read(raw: &str, pairs: &[(String, String)]) {
    let query = Query::parse(raw);
    let names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(query.names().collect::<Vec<_>>(), names, "{raw}");
    for name in names {
        let values = pairs.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str());
        let values: Vec<&str> = values.collect();
        assert_eq!(query.all(name).collect::<Vec<_>>(), values, "{name} in {raw}");
        assert_eq!(query.get(name), values.first().copied(), "{name} in {raw}");
    }
    let has_none = pairs.iter().all(|(name, _)| name != "absent");
    assert_eq!(query.get("absent").is_none(), has_none, "{raw}");
}
