//! What the answers to all preflights have in common: which of the headers that a page asks for are allowed.

use hyper::header::{ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_REQUEST_HEADERS, HeaderMap, HeaderValue};

/// Longest list of headers that a preflight may ask for, in bytes.
const ASKED_HEADERS_BYTES: usize = 1024;

/// Allows the headers that the preflight `asked` for, where these are names of headers, and not too many.
pub(crate) fn allow_asked_headers(asked: &HeaderMap, answer: &mut HeaderMap) {
    if let Some(list) = asked.get(ACCESS_CONTROL_REQUEST_HEADERS).filter(|list| is_list_of_names(list)) {
        answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, list.clone());
    }
}

/// Whether a list of headers may be repeated.
fn is_list_of_names(list: &HeaderValue) -> bool {
    let legal = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b',' | b' ');
    list.len() <= ASKED_HEADERS_BYTES && list.as_bytes().iter().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_headers_are_repeated_and_not_too_many() {
        let allowed = |list: &str| {
            let (mut asked, mut answer) = (HeaderMap::new(), HeaderMap::new());
            asked.insert(ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue::from_str(list).unwrap());
            allow_asked_headers(&asked, &mut answer);
            answer.remove(ACCESS_CONTROL_ALLOW_HEADERS)
        };
        let list = "authorization, x-csrf-token";
        assert_eq!(allowed(list).unwrap(), list);
        for list in ["*", "a;b", "a\tb", &"x".repeat(1025)] {
            assert_eq!(allowed(list), None, "{list}");
        }
    }
}
