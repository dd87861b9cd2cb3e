//! Allowed origins: patterns of hosts, and how an `Origin` matches a pattern (WS-010).

use serde::{Deserialize, Serialize};

/// The host of an allowed origin: a name or an address, in which `*` stands for any run of characters.
///
/// Holds any text; the check of the settings accepts legal patterns only.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct OriginPattern(String);

impl OriginPattern {
    /// Wraps a text without a check.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The pattern's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the text is a host alone: no scheme, port or path.
    #[must_use]
    pub fn is_legal(&self) -> bool {
        let address = self.0.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let legal: fn(u8) -> bool = match address {
            Some(_) => |b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.' | b'*'),
            None => |b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'*'),
        };
        let name = address.unwrap_or(&self.0);
        (1..=253).contains(&name.len()) && name.bytes().all(legal)
    }

    /// Whether the host of an `Origin` matches; scheme and port do not matter.
    #[must_use]
    pub fn fits(&self, origin: &str) -> bool {
        let host = origin.split_once("://").map_or(origin, |(_, host)| host);
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => host,
        };
        matches(self.0.as_bytes(), name.as_bytes())
    }
}

/// Whether a pattern, in which `*` stands for any run of characters, matches the whole text.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && pattern[p].eq_ignore_ascii_case(&text[t]) {
            p += 1;
            t += 1;
        } else if let Some((at, from)) = star {
            // Let the last star take one character more.
            star = Some((at, from + 1));
            p = at + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&b| b == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::App;

    fn pattern(text: &str) -> OriginPattern {
        OriginPattern::new(text.to_owned())
    }

    #[test]
    fn ws_010_origins_are_host_patterns() {
        let fits = |origin| ["example.com", "*.example.org"].iter().any(|text| pattern(text).fits(origin));
        for origin in ["https://example.com", "http://EXAMPLE.com:8080", "https://a.b.example.org"] {
            assert!(fits(origin), "{origin}");
        }
        for origin in
            ["https://example.org", "https://example.com.evil.net", "https://notexample.com", "null"]
        {
            assert!(!fits(origin), "{origin}");
        }
        assert!(pattern("*").fits("null"));
        assert!(pattern("localhost").fits("http://localhost:3000"));
        assert!(pattern("[::1]").fits("http://[::1]:3000"));
    }

    #[test]
    fn ws_010_an_app_without_patterns_takes_every_origin() {
        let mut app = App::new("1".into(), Vec::new());
        assert!(app.allows_origin("https://anything"));
        app.allowed_origins = vec![pattern("example.com"), pattern("localhost")];
        assert!(app.allows_origin("http://localhost:3000") && !app.allows_origin("https://anything"));
    }

    #[test]
    fn a_pattern_of_many_stars_is_matched_without_backtracking_for_ever() {
        assert!(!pattern(&"*a".repeat(200)).fits(&"a".repeat(199)));
    }

    #[test]
    fn ws_010_a_host_pattern_has_no_scheme_port_or_path() {
        for text in ["example.com", "*.example.com", "*", "localhost", "127.0.0.1", "[::1]", "my_host"] {
            assert!(pattern(text).is_legal(), "{text}");
        }
        for text in ["", "https://example.com", "example.com:8080", "example.com/", "::1", "[]", "a b"] {
            assert!(!pattern(text).is_legal(), "{text}");
        }
    }
}
