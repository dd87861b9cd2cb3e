//! The query of a request: decoded leniently, and joined again in the signed form.
//!
//! Clients escape differently, but all sign the decoded text (AUTH-006). Has no `Debug`: a query holds
//! signatures and payloads.

use std::borrow::Cow;

/// Number of parameters of a signed publish.
const USUAL: usize = 5;

/// The parameters of a query, in request order. Bounded by the longest request line that the server reads.
#[derive(Clone, Default)]
pub struct Query {
    /// All names and values, decoded, one behind the other: one allocation for any number of parameters.
    /// Names are in lower case, for signing and for reading (AUTH-002).
    text: String,
    pairs: Vec<Pair>,
}

/// Whether a parameter, by its name in lower case, is a part of the signature (AUTH-001).
fn belongs_to_signature(name: &str) -> bool {
    name.starts_with("auth_") || name == "body_md5"
}

/// Position of a parameter in the text.
#[derive(Clone, Copy)]
struct Pair {
    begins: usize,
    name_ends: usize,
    value_ends: usize,
}

impl Query {
    /// Decodes the part of a URL after the `?`.
    ///
    /// Faulty escapes stay as they are, bytes that are not UTF-8 become U+FFFD, and a parameter
    /// without `=` has the empty value (AUTH-005, AUTH-006).
    #[must_use]
    pub fn parse(raw: &str) -> Self {
        let mut query = Self { text: String::with_capacity(raw.len()), pairs: Vec::with_capacity(USUAL) };
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let begins = query.text.len();
            query.text.push_str(&decode(name, Plus::IsSpace));
            let name_ends = query.text.len();
            query.text.get_mut(begins..).unwrap_or_default().make_ascii_lowercase();
            query.text.push_str(&decode(value, Plus::IsSpace));
            query.pairs.push(Pair { begins, name_ends, value_ends: query.text.len() });
        }
        query
    }

    /// The first value of the parameter; `name` in lower case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of the parameter, in request order; `name` in lower case, brackets included.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.pairs().filter(move |(own, _)| *own == name).map(|(_, value)| value)
    }

    /// The names of all parameters in request order, repeated ones as often as the request has them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pairs().map(|(name, _)| name)
    }

    /// Names and values of all parameters that do not belong to the signature, in request order.
    pub fn beside_signature(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs().filter(|(name, _)| !belongs_to_signature(name))
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let piece = |from, to| self.text.get(from..to).unwrap_or_default();
        self.pairs
            .iter()
            .map(move |pair| (piece(pair.begins, pair.name_ends), piece(pair.name_ends, pair.value_ends)))
    }

    /// The third line of the signed text (AUTH-002, AUTH-005).
    pub(super) fn to_sign(&self) -> String {
        let mut pairs = Vec::with_capacity(self.pairs.len());
        pairs.extend(self.pairs().filter(|(name, _)| *name != "auth_signature"));
        // A stable sort: values of one parameter stay in request order.
        pairs.sort_by_key(|(name, _)| name.strip_suffix("[]").unwrap_or(name).as_bytes());
        let mut text = String::with_capacity(self.text.len() + 2 * pairs.len());
        for (name, value) in pairs {
            if !text.is_empty() {
                text.push('&');
            }
            text.push_str(name);
            text.push('=');
            text.push_str(value);
        }
        text
    }
}

/// The meaning of a plus sign: a space in a query, a plus in a path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Plus {
    IsSpace,
    IsPlus,
}

/// Decodes percent-encoding; faulty escapes stay.
pub(super) fn decode(text: &str, plus: Plus) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte == b'%' || byte == b'+') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let (byte, after) = match first {
            b'%' => escaped(after).unwrap_or((first, after)),
            b'+' if plus == Plus::IsSpace => (b' ', after),
            _ => (first, after),
        };
        bytes.push(byte);
        rest = after;
    }
    let decoded = String::from_utf8(bytes);
    Cow::Owned(decoded.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// The byte of two hex digits, and the bytes after the digits.
fn escaped(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, rest) = bytes.split_first_chunk::<2>()?;
    let mut byte = [0];
    hex::decode_to_slice(digits, &mut byte).ok()?;
    Some((byte[0], rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn to_sign(raw: &str) -> String {
        Query::parse(raw).to_sign()
    }

    #[test]
    fn auth_002_parameters_are_sorted_by_lower_cased_name_without_the_signature() {
        assert_eq!(to_sign("b=2&auth_signature=ff&a=1&AUTH_Version=1.0"), "a=1&auth_version=1.0&b=2");
        assert_eq!(to_sign("Auth_Signature=ff&a=1"), "a=1");
        assert_eq!(to_sign("B=1&a=2&C=3"), "a=2&b=1&c=3");
        assert_eq!(to_sign("a_b=1&ab=2&a-b=3&a=4"), "a=4&a-b=3&a_b=1&ab=2", "byte order of the names");
        assert_eq!(to_sign("auth_signature_=1&auth_signature[]=2"), "auth_signature[]=2&auth_signature_=1");
    }

    #[test]
    fn auth_005_repeated_parameters_keep_request_order() {
        assert_eq!(to_sign("channels[]=b&channels[]=a&a=1"), "a=1&channels[]=b&channels[]=a");
        assert_eq!(to_sign("x=2&x=1"), "x=2&x=1");
        // Under its name without brackets, `a[]` comes before `a-b`.
        assert_eq!(to_sign("a-b=1&a[]=2"), "a[]=2&a-b=1");
        assert_eq!(to_sign("channels%5B%5D=a&channels%5b%5d=b"), "channels[]=a&channels[]=b");
    }

    #[test]
    fn auth_005_a_parameter_without_value_enters_as_name_and_equals_sign() {
        assert_eq!(to_sign("b&a=&c"), "a=&b=&c=");
        assert_eq!(to_sign("&&a=1&&"), "a=1");
        assert_eq!(to_sign("=x&a==1=2"), "=x&a==1=2");
        assert_eq!(to_sign(""), "");
    }

    #[test]
    fn auth_006_escaped_and_raw_values_are_signed_alike() {
        for raw in ["info=a,b=c d", "info=a%2Cb%3Dc%20d", "info=a%2cb=c+d"] {
            assert_eq!(to_sign(raw), "info=a,b=c d", "{raw}");
        }
        assert_eq!(to_sign("name=%C3%A9"), "name=é");
        assert_eq!(to_sign("name=é"), "name=é");
        assert_eq!(to_sign("data=%26%25%2B"), "data=&%+");
    }

    #[test]
    fn auth_006_faulty_escapes_are_kept_and_broken_utf8_is_replaced() {
        assert_eq!(to_sign("a=100%&b=%zz&c=%4&d=%+1&e=%%41"), "a=100%&b=%zz&c=%4&d=% 1&e=%A");
        assert_eq!(to_sign("a=%FF"), "a=\u{fffd}");
        assert_eq!(to_sign("a=%é"), "a=%é");
    }

    #[test]
    fn values_are_read_by_name_in_request_order() {
        let query = Query::parse("channels[]=b&Name=e&channels[]=a&name=f&empty");
        assert_eq!(query.get("name"), Some("e"));
        assert_eq!(query.all("channels[]").collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(query.names().collect::<Vec<_>>(), ["channels[]", "name", "channels[]", "name", "empty"]);
        assert_eq!(query.get("empty"), Some(""));
        assert_eq!(query.get("channels"), None);
    }

    #[test]
    fn a_plus_in_a_path_is_a_plus() {
        assert_eq!(decode("/apps/3/users/a+b%2Bc%40d", Plus::IsPlus), "/apps/3/users/a+b+c@d");
    }

    /// Every byte escaped, as any client may do for any text.
    fn escape(text: &str) -> String {
        text.bytes().map(|byte| format!("%{byte:02x}")).collect()
    }

    proptest! {
        #[test]
        fn no_query_panics(raw in any::<String>(), spiced in "[%&=+a-fA-F0-9\\[\\]é]{0,60}") {
            for raw in [raw, spiced] {
                let query = Query::parse(&raw);
                let pairs = raw.split('&').filter(|pair| !pair.is_empty()).count();
                prop_assert_eq!(query.names().count(), pairs);
                query.to_sign();
            }
        }

        #[test]
        fn auth_006_any_text_survives_escaping(value in any::<String>(), name in "[a-z_]{1,9}") {
            let query = Query::parse(&format!("{}={}", escape(&name), escape(&value)));
            prop_assert_eq!(query.get(&name), Some(value.as_str()));
        }

        #[test]
        fn auth_002_the_order_on_the_wire_is_free(
            pairs in proptest::collection::btree_map("[a-z]{1,5}", "[a-z0-9]{0,5}", 0..8),
        ) {
            let mut wire: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let sorted = wire.join("&");
            wire.reverse();
            prop_assert_eq!(to_sign(&wire.join("&")), sorted);
        }
    }
}
