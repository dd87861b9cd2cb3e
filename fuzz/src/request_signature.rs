//! Any request: accepted if signed by the rules, and otherwise refused.
//!
//! Owns the form of a request in the input: `METHOD PATH?QUERY`, a line break, the body. Never
//! signs with the code under test.

use std::sync::LazyLock;

use fanfare_protocol::app::App;
use fanfare_protocol::auth::{Clock, Credential, Query, RequestError, Secret, SignedBody, SignedRequest};
use fanfare_protocol::ids::{AppId, AppKey};
use percent_encoding::percent_decode_str;

use crate::signature::{hmac, md5, pairs_of, text_to_sign};

/// The app of the official documentation's examples, and a second key.
const KEYS: [(&str, &str); 2] =
    [("278d425bdf160c739803", "7ad3773142a6692b25b8"), ("second-key", "second-secret")];

const CLOCK: Clock = Clock { now: 1_700_000_000, window: 600 };

static APP: LazyLock<App> = LazyLock::new(|| {
    let credentials =
        KEYS.map(|(key, secret)| Credential { key: AppKey::from(key), secret: Secret::new(secret) });
    App::new(AppId::from("3"), credentials.into())
});

/// Parameters that signing adds.
const RESERVED: [&str; 5] = ["auth_key", "auth_timestamp", "auth_version", "auth_signature", "body_md5"];

/// A request as received.
struct Request<'a> {
    method: &'a str,
    path: &'a str,
    full_path: String,
    query: String,
    body: Vec<u8>,
}

/// Verifies the request as it is, then signed anew, then signed and changed in one byte.
pub fn request_signature(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let line = String::from_utf8_lossy(&data[..end]);
    let body = data.get(end + 1..).unwrap_or_default().to_vec();
    let (method, target) = line.split_once(' ').unwrap_or(("GET", &line));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    // The whole input decides what is done to the request, so that the input stays a plain request.
    let whim = data.iter().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));

    let prefix = ["", "/behind", "/%41"][whim % 3];
    let full_path = format!("{prefix}{path}");
    let request = Request { method, path, full_path, query: query.to_owned(), body };
    is_judged_rightly(&request);

    let signed = signed(request, whim / 3);
    assert_eq!(signed.verdict(), Ok(()), "{:?} of a request that is signed", signed.query);
    changed_body_is_refused(&signed, whim);
    changed_query_is_refused(&signed, whim);
}

impl Request<'_> {
    fn verdict(&self) -> Result<(), String> {
        let query = Query::parse(&self.query);
        let Self { method, path, full_path, body, .. } = self;
        let signed = SignedRequest { method, path, full_path, query: &query };
        let verdict =
            signed.verify(&APP, CLOCK, !body.is_empty()).and_then(|()| SignedBody::of(&query).check(body));
        verdict.map_err(|error: RequestError| {
            assert_eq!(error.status(), 401);
            error.message().into_owned()
        })
    }

    /// The forms of the path that a client may sign.
    fn paths(&self) -> [String; 3] {
        let decoded = percent_decode_str(self.path).decode_utf8_lossy().into_owned();
        [self.path.to_owned(), decoded, self.full_path.clone()]
    }
}

/// Panics unless the request is accepted exactly if it keeps every rule.
fn is_judged_rightly(request: &Request<'_>) {
    let pairs = pairs_of(&request.query);
    let first = |name| pairs.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
    let secret = KEYS.iter().find(|(key, _)| first("auth_key") == Some(key)).map(|(_, secret)| secret);
    let is_signed = secret.is_some_and(|secret| {
        let signatures =
            request.paths().map(|path| hmac(secret, &text_to_sign(request.method, &path, &pairs)));
        signatures.iter().any(|signature| first("auth_signature") == Some(signature))
    });
    let has_digest = match first("body_md5") {
        Some(digest) => digest == md5(&request.body),
        None => request.body.is_empty(),
    };
    let is_timely = first("auth_timestamp").is_some_and(|time| {
        let is_number = !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit());
        is_number && time.parse().is_ok_and(|time: u64| CLOCK.now.abs_diff(time) < CLOCK.window)
    });
    let expected = is_signed && has_digest && is_timely && first("auth_version") == Some("1.0");
    let verdict = request.verdict();
    assert_eq!(verdict.is_ok(), expected, "{verdict:?}");
}

/// The same request as a client signs it: with the parameters of a signature, and no others like them.
fn signed(request: Request<'_>, whim: usize) -> Request<'_> {
    let is_free = |pair: &&str| {
        let pairs = pairs_of(pair);
        pairs.iter().all(|(name, _)| !RESERVED.contains(&name.as_str()))
    };
    let mut wire: Vec<String> = request.query.split('&').filter(is_free).map(str::to_owned).collect();
    let (key, secret) = KEYS[whim % 2];
    let time = CLOCK.now - 599 + (whim % 1199) as u64;
    let mut added =
        vec![format!("auth_key={key}"), format!("Auth_Timestamp={time}"), "auth_version=1.0".into()];
    if !request.body.is_empty() || whim.is_multiple_of(4) {
        added.push(format!("body%5Fmd5={}", md5(&request.body)));
    }
    for pair in added {
        wire.insert(whim % (wire.len() + 1), pair);
    }
    let path = &request.paths()[whim % 3];
    let signature = hmac(secret, &text_to_sign(request.method, path, &pairs_of(&wire.join("&"))));
    wire.insert(whim % (wire.len() + 1), format!("auth_signature={signature}"));
    Request { query: wire.join("&"), ..request }
}

fn changed_body_is_refused(signed: &Request<'_>, whim: usize) {
    let mut body = signed.body.clone();
    match body.len() {
        0 => body.push(b' '),
        length => body[whim % length] ^= 1 << (whim % 8),
    }
    let changed =
        Request { body, query: signed.query.clone(), full_path: signed.full_path.clone(), ..*signed };
    assert_ne!(changed.verdict(), Ok(()), "the body was changed");
}

/// Replaces one byte of the query, which may be part of the signature. A query that still means the
/// same, as with `%4a` and `%4A`, is accepted.
fn changed_query_is_refused(signed: &Request<'_>, whim: usize) {
    let place = (0..signed.query.len()).map(|step| (whim + step) % signed.query.len());
    let mut ascii = place.filter(|place| signed.query.as_bytes()[*place].is_ascii());
    let place = ascii.next().expect("the names of the parameters are ASCII");
    let by = ["0", "f", "A", "%", "&", "=", "+", "\u{e9}"][whim % 8];
    let query = format!("{}{by}{}", &signed.query[..place], &signed.query[place + 1..]);

    let says = |query: &str| {
        let pairs = pairs_of(query);
        let signature = pairs.iter().find(|(name, _)| name == "auth_signature").cloned();
        (text_to_sign("", "", &pairs), signature)
    };
    let is_same = says(&query) == says(&signed.query);
    let changed =
        Request { query, body: signed.body.clone(), full_path: signed.full_path.clone(), ..*signed };
    let verdict = changed.verdict();
    assert_eq!(verdict.is_ok(), is_same, "{:?} for {:?}: {verdict:?}", changed.query, signed.query);
}
