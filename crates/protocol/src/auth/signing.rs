//! The client's side of a signed HTTP request, as a back end signs (AUTH-001 … AUTH-003).
//!
//! Only checks from outside need this module; the server itself signs no request.

use md5::{Digest, Md5};

use super::Credential;

/// The query that signs a request; `path` begins with `/apps/`, `now` is in Unix seconds.
#[must_use]
pub fn signed_query(credential: &Credential, method: &str, path: &str, body: &[u8], now: u64) -> String {
    let mut query = format!("auth_key={}&auth_timestamp={now}&auth_version=1.0", credential.key.as_str());
    if !body.is_empty() {
        query.push_str("&body_md5=");
        query.push_str(&hex::encode(Md5::digest(body)));
    }
    let parts = [method, "\n", path, "\n", &query].map(str::as_bytes);
    let signature = credential.secret.sign(&parts);
    format!("{query}&auth_signature={signature}")
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
}
