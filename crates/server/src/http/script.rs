//! Files of the program that pages load from the server: a browser keeps one for a while, and then asks whether it has changed.

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};

use super::answer::{self, Answer};

/// A script that is part of the program.
pub(crate) struct Script {
    text: &'static [u8],
    cache_control: &'static str,
    tag: u64,
}

impl Script {
    /// `cache_control` says how long a browser need not ask again.
    pub(crate) const fn new(text: &'static [u8], cache_control: &'static str) -> Self {
        Self { text, cache_control, tag: fnv_1a(text) }
    }

    /// The script, or 304 for a browser that has the script already.
    pub(crate) fn answer(&self, asked: &HeaderMap) -> Answer {
        file((self.text, "text/javascript; charset=utf-8"), self.cache_control, self.tag, asked)
    }
}

/// A file and its type, or 304 for a browser that has the file already; `tag` is [`fnv_1a`] of the file.
pub(crate) fn file(
    (text, content_type): (&'static [u8], &'static str),
    cache_control: &'static str,
    tag: u64,
    asked: &HeaderMap,
) -> Answer {
    let tag = format!("\"{tag:016x}\"");
    let mut answer = if knows(asked, &tag) {
        answer::empty(StatusCode::NOT_MODIFIED)
    } else {
        answer::with_type(StatusCode::OK, content_type, Bytes::from_static(text))
    };
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache_control));
    headers.insert(ETAG, HeaderValue::try_from(tag).expect("hexadecimal digits in quotes"));
    answer
}

/// Whether one of the tags that a browser has is this one, or any will do. A tag that a proxy made weak counts.
fn knows(asked: &HeaderMap, tag: &str) -> bool {
    let lists = asked.get_all(IF_NONE_MATCH).iter().filter_map(|list| list.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

/// A hash that tells one version of a text from another.
pub(crate) const fn fnv_1a(text: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut at = 0;
    while at < text.len() {
        hash = (hash ^ text[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}
