//! Signatures as a client or an SDK makes them (AUTH-002 … AUTH-023).

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha2::Sha256;

use super::App;

/// HMAC-SHA256 as 64 lower-case hex digits.
pub fn hmac(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// MD5 as lower-case hex digits.
pub fn md5(bytes: &[u8]) -> String {
    hex::encode(Md5::digest(bytes))
}

/// The value of `auth` for a guarded channel (AUTH-020).
pub fn channel_auth(app: App, socket_id: &str, channel: &str, channel_data: Option<&str>) -> String {
    let text = match channel_data {
        Some(data) => format!("{socket_id}:{channel}:{data}"),
        None => format!("{socket_id}:{channel}"),
    };
    format!("{}:{}", app.key, hmac(app.secret, &text))
}

/// The value of `auth` for signing in (AUTH-030).
pub fn user_auth(app: App, socket_id: &str, user_data: &str) -> String {
    format!("{}:{}", app.key, hmac(app.secret, &format!("{socket_id}::user::{user_data}")))
}

/// The string to sign for a request (AUTH-002, AUTH-005).
pub fn string_to_sign(method: &str, path: &str, parameters: &[(String, String)]) -> String {
    let mut sorted: Vec<(String, &str)> =
        parameters.iter().map(|(name, value)| (name.to_lowercase(), value.as_str())).collect();
    sorted.sort_by(|a, b| a.0.trim_end_matches("[]").cmp(b.0.trim_end_matches("[]")));
    let joined: Vec<String> = sorted.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{method}\n{path}\n{}", joined.join("&"))
}
