//! The client's side of a signed HTTP request, as a back end signs (AUTH-001 … AUTH-003).
//!
//! Only checks from outside need this module; the server itself signs no request.

use std::fmt::Write as _;

use md5::{Digest, Md5};

use super::Credential;

/// The query that signs a request; `path` begins with `/apps/`, `now` is in Unix seconds.
#[must_use]
pub fn signed_query(credential: &Credential, method: &str, path: &str, body: &[u8], now: u64) -> String {
    signed_query_with(credential, (method, path), &[], body, now)
}

/// As [`signed_query`], with further parameters, whose names are in lower case.
#[must_use]
pub fn signed_query_with(
    credential: &Credential,
    (method, path): (&str, &str),
    parameters: &[(&str, &str)],
    body: &[u8],
    now: u64,
) -> String {
    let (now, md5) = (now.to_string(), hex::encode(Md5::digest(body)));
    let mut pairs =
        vec![("auth_key", credential.key.as_str()), ("auth_timestamp", &now), ("auth_version", "1.0")];
    if !body.is_empty() {
        pairs.push(("body_md5", &md5));
    }
    pairs.extend(parameters);
    pairs.sort_by_key(|(name, _)| *name);
    let plain: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let plain = plain.join("&");
    let parts = [method, "\n", path, "\n", &plain].map(str::as_bytes);
    let signature = credential.secret.sign(&parts);
    let sent: String = pairs.iter().map(|(name, value)| format!("{name}={}&", escaped(value))).collect();
    format!("{sent}auth_signature={signature}")
}

/// A value as it stands in a query.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(byte.into());
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::sample::official_app;
    use super::super::{Clock, Query, SignedBody, SignedRequest};
    use super::*;

    #[test]
    fn what_is_signed_here_is_accepted() {
        let app = official_app();
        for (method, body) in [("GET", ""), ("POST", "{\"name\":\"a\"}")] {
            let path = "/apps/3/channels";
            let query = signed_query(&app.credentials[0], method, path, body.as_bytes(), 1_353_088_179);
            let query = Query::parse(&query);
            let request = SignedRequest { method, path, full_path: path, query: &query };
            request.verify(&app, Clock { now: 1_353_088_180, window: 600 }, !body.is_empty()).unwrap();
            SignedBody::of(&query).check(body.as_bytes()).unwrap();
        }
    }

    #[test]
    fn further_parameters_are_signed_and_come_as_they_were_given() {
        let app = official_app();
        let given = [("prefix", "a&b=c d+e%é"), ("after", "12:news")];
        let path = "/apps/3/open/channels";
        let query = signed_query_with(&app.credentials[0], ("GET", path), &given, b"", 1_353_088_179);
        let query = Query::parse(&query);
        let request = SignedRequest { method: "GET", path, full_path: path, query: &query };
        request.verify(&app, Clock { now: 1_353_088_180, window: 600 }, false).unwrap();
        assert!(given.iter().all(|(name, value)| query.get(name) == Some(*value)));
    }
}
