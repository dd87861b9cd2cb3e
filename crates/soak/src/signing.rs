//! Signatures of the protocol, written here a second time: the checker shares no code with the server.

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};
use sha2::Sha256;

/// The app of all clients.
pub(crate) const APP: &str = "7";
pub(crate) const KEY: &str = "soak-key";
pub(crate) const SECRET: &str = "soak-secret-of-one-run";

/// An app that signs, by id, key and secret.
pub(crate) struct Signer {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) secret: String,
}

/// HMAC-SHA256 in hex, with the secret of the app of all clients.
pub(crate) fn signature(text: &[u8]) -> String {
    by(SECRET, text)
}

fn by(secret: &str, text: &[u8]) -> String {
    let mut signer = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length will do");
    signer.update(text);
    hex::encode(signer.finalize().into_bytes())
}

/// `auth` for a private or presence channel.
pub(crate) fn channel_auth(socket: &str, channel: &str, data: Option<&str>) -> String {
    let text = match data {
        Some(data) => format!("{socket}:{channel}:{data}"),
        None => format!("{socket}:{channel}"),
    };
    format!("{KEY}:{}", signature(text.as_bytes()))
}

/// `auth` for a sign-in.
pub(crate) fn user_auth(socket: &str, user_data: &str) -> String {
    format!("{KEY}:{}", signature(format!("{socket}::user::{user_data}").as_bytes()))
}

/// Path and query of a signed request; `query` holds further parameters, such as `info=user_count`, in order.
pub(crate) fn signed(method: &str, path: &str, query: &[(&str, &str)], body: &[u8]) -> String {
    let [id, key, secret] = [APP, KEY, SECRET].map(str::to_owned);
    signed_by(&Signer { id, key, secret }, method, path, query, body)
}

/// As [`signed`], of any app.
pub(crate) fn signed_by(
    Signer { id, key, secret }: &Signer,
    method: &str,
    path: &str,
    query: &[(&str, &str)],
    body: &[u8],
) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()).to_string();
    let digest = hex::encode(Md5::digest(body));
    let mut all = vec![("auth_key", &**key), ("auth_timestamp", &now), ("auth_version", "1.0")];
    all.extend(query);
    if !body.is_empty() {
        all.push(("body_md5", &digest));
    }
    all.sort_unstable();
    let text: Vec<String> = all.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let text = text.join("&");
    let path = format!("/apps/{id}{path}");
    let signature = by(secret, format!("{method}\n{path}\n{text}").as_bytes());
    format!("{path}?{text}&auth_signature={signature}")
}
