//! The header `Forwarded` (RFC 7239): an element for each proxy on the way, the nearest last.

/// One proxy's account of the connection to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Element<'a> {
    /// The address of the proxy's client, as written.
    pub from: Option<&'a str>,
    /// The scheme of the request.
    pub proto: Option<&'a str>,
}

/// The elements of a header, in their order.
pub(super) fn elements(header: &str) -> impl Iterator<Item = Element<'_>> {
    parts(header, ',').map(|element| {
        let mut found = Element::default();
        for pair in parts(element, ';') {
            let Some((name, value)) = pair.split_once('=') else { continue };
            let (name, value) = (name.trim(), unquoted(value.trim()));
            if name.eq_ignore_ascii_case("for") {
                found.from = Some(value);
            } else if name.eq_ignore_ascii_case("proto") {
                found.proto = Some(value);
            }
        }
        found
    })
}

/// The text, split at separators outside of quotes.
fn parts(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |character| {
        let parts = character == separator && !quoted;
        quoted ^= character == '"' && !escaped;
        escaped = quoted && character == '\\' && !escaped;
        parts
    })
}

/// A value without its quotes. Values of use here have no escaped characters.
fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str) -> Vec<(Option<&str>, Option<&str>)> {
        elements(header).map(|element| (element.from, element.proto)).collect()
    }

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        assert_eq!(read("for=\"_gazonk\""), [(Some("_gazonk"), None)]);
        assert_eq!(read("For=\"[2001:db8:cafe::17]:4711\""), [(Some("[2001:db8:cafe::17]:4711"), None)]);
        assert_eq!(read("for=192.0.2.60;proto=http;by=203.0.113.43"), [(Some("192.0.2.60"), Some("http"))]);
        assert_eq!(
            read("for=192.0.2.43, for=198.51.100.17"),
            [(Some("192.0.2.43"), None), (Some("198.51.100.17"), None)]
        );
    }

    #[test]
    fn separators_within_quotes_part_nothing() {
        assert_eq!(
            read(r#"host="a,b;for=1.2.3.4\",";Proto="https" , for=192.0.2.1"#),
            [(None, Some("https")), (Some("192.0.2.1"), None)]
        );
    }

    #[test]
    fn what_is_malformed_says_nothing() {
        assert_eq!(read(""), [(None, None)]);
        assert_eq!(read("for;proto, =x, \"for=1.2.3.4"), [(None, None), (None, None), (None, None)]);
    }
}
