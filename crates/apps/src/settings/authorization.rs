//! The section `authorization` of an app's settings: how its application is asked who may join a channel.
//!
//! Owns which URLs, origins, headers and rules are legal. Does not restrict the target of a URL: an operator who may
//! change an app's settings is trusted with that.

use fanfare_protocol::app::{Authorization, MustEqual};
use http::{HeaderName, Uri};
use serde::{Deserialize, Serialize};

use super::fault::SettingFault;

/// The section's settings for one app; absent ones are off or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthorizationSettings {
    /// URL of the application's endpoint for channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// URL of the application's endpoint for sign-ins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_url: Option<String>,
    /// Other origins whose pages may ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origins: Option<Vec<String>>,
    /// Headers that are forwarded besides the usual ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<Vec<String>>,
    /// `field=JSON`, the condition for an answer to be a yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub must_equal: Option<String>,
}

/// Headers that belong to one connection, or describe the request itself.
const NOT_PASSABLE: [&str; 17] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
    "x-requested-with",
];

impl AuthorizationSettings {
    /// The names of the section's settings.
    pub const NAMES: [&'static str; 5] = ["url", "user_url", "origins", "headers", "must_equal"];

    pub(super) fn are_none(&self) -> bool {
        *self == Self::default()
    }

    /// Every illegal value of the section.
    pub(super) fn faults(&self) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        let mut check = |name, values: &[&String], is_legal: fn(&str) -> bool, expected| {
            let wrong = values.iter().filter(|value| !is_legal(value));
            faults.extend(wrong.map(|value| SettingFault::Unfit { name, value: (*value).clone(), expected }));
        };
        check("authorization.url", &Vec::from_iter(&self.url), is_http_url, URL);
        check("authorization.user_url", &Vec::from_iter(&self.user_url), is_http_url, URL);
        check("authorization.origins", &Vec::from_iter(self.origins.iter().flatten()), is_web_origin, ORIGIN);
        check(
            "authorization.headers",
            &Vec::from_iter(self.headers.iter().flatten()),
            is_passable_header,
            HEADER,
        );
        check("authorization.must_equal", &Vec::from_iter(&self.must_equal), is_rule, RULE);
        faults
    }

    pub(super) fn resolve(self) -> Authorization {
        Authorization {
            url: self.url,
            user_url: self.user_url,
            origins: self.origins.unwrap_or_default(),
            headers: self.headers.unwrap_or_default(),
            must_equal: self.must_equal.as_deref().and_then(MustEqual::parse),
        }
    }
}

const URL: &str = "a URL such as http://127.0.0.1:8000/broadcasting/auth, without a user or password in it";
const ORIGIN: &str = "an origin with its scheme, such as https://app.example.com or https://*.example.com";
const HEADER: &str = "the name of a header that is not about the connection or the question itself";
const RULE: &str = "a field of the answer and its JSON value, such as code=0";

fn is_rule(text: &str) -> bool {
    MustEqual::parse(text).is_some()
}

/// Whether a text may be the URL of an endpoint: `http` or `https`, a host, no user or password, which logs would show.
#[must_use]
pub fn is_http_url(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    let is_place = uri.authority().is_some_and(|authority| {
        let (whole, host) = (authority.as_str(), authority.host());
        let behind = whole.strip_prefix(host);
        let port_is_legal = behind.is_some_and(|behind| behind.is_empty() || is_port(behind));
        !host.is_empty() && !whole.contains('@') && port_is_legal
    });
    is_web && is_place && text.len() <= 2048 && !text.contains('#')
}

/// Whether a text may stand in `origins`: `scheme://host`, perhaps with a port, as browsers write it. The
/// host may begin with `*.`, which stands for any names in front. No form stands for every origin, because
/// a listed page may use the cookies of the application's users.
#[must_use]
pub fn is_web_origin(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let scheme_is_legal = !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_lowercase() || b == b'+');
    let rest = rest.strip_prefix("*.").unwrap_or(rest);
    let bracketed = rest.strip_prefix('[').and_then(|inner| inner.split_once(']'));
    let (host_is_legal, behind) = match bracketed {
        Some((address, behind)) => (address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':'), behind),
        None => {
            let end = rest.find(':').unwrap_or(rest.len());
            let (host, behind) = rest.split_at(end);
            let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
            (!host.is_empty() && !host.starts_with('.') && host.bytes().all(legal), behind)
        }
    };
    let port_is_legal = behind.is_empty() || is_port(behind);
    scheme_is_legal && host_is_legal && port_is_legal && text.len() <= 300
}

/// Whether a text is a colon and a port.
fn is_port(text: &str) -> bool {
    text.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// Whether a header may be forwarded: a header of neither the connection nor the request itself.
#[must_use]
pub fn is_passable_header(name: &str) -> bool {
    HeaderName::try_from(name).is_ok_and(|name| !NOT_PASSABLE.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_scheme_and_a_host_and_holds_no_password() {
        for url in ["http://127.0.0.1:8000/auth", "https://example.com", "http://[::1]:80/a?b=c"] {
            assert!(is_http_url(url), "{url}");
        }
        for text in [
            "",
            "/broadcasting/auth",
            "example.com/auth",
            "ftp://example.com/",
            "http://",
            "http:///auth",
            "http://user:pass@example.com/",
            "http://example.com:99999/",
            "http://example.com:/",
            "http://example.com/#a",
            "http://exa mple.com/",
        ] {
            assert!(!is_http_url(text), "{text}");
        }
    }

    #[test]
    fn an_origin_has_a_scheme_and_a_star_stands_only_in_front() {
        for origin in [
            "https://example.com",
            "http://localhost:5173",
            "https://*.example.com",
            "https://*.example.com:8443",
            "http://[::1]:3000",
            "capacitor://localhost",
        ] {
            assert!(is_web_origin(origin), "{origin}");
        }
        for text in [
            "",
            "*",
            "null",
            "example.com",
            "https://*",
            "https://*.",
            "https://a.*.com",
            "https://*example.com",
            "https://example.com/",
            "https://example.com:*",
            "https://example.com:0",
            "HTTPS://example.com",
            "https://a@b",
        ] {
            assert!(!is_web_origin(text), "{text}");
        }
    }

    #[test]
    fn a_header_of_the_connection_or_of_the_question_is_not_passed_on() {
        for name in ["X-Tenant", "x-api-key", "Sec-Fetch-Site", "Cookie"] {
            assert!(is_passable_header(name), "{name}");
        }
        for name in ["", "a b", "Host", "Content-Length", "TRANSFER-ENCODING", "connection", "Upgrade", "TE"]
        {
            assert!(!is_passable_header(name), "{name}");
        }
    }

    #[test]
    fn every_fault_names_the_setting_and_what_it_takes() {
        let settings: AuthorizationSettings = serde_json::from_str(
            r#"{"url":"/auth","user_url":"x","origins":["*"],"headers":["host"],"must_equal":"code"}"#,
        )
        .unwrap();
        let faults: Vec<String> = settings.faults().iter().map(ToString::to_string).collect();
        assert_eq!(faults.len(), 5);
        assert!(
            faults[0].starts_with("authorization.url holds \"/auth\"; give a URL such as "),
            "{faults:?}"
        );
        let names = AuthorizationSettings::NAMES.map(|name| format!("authorization.{name} "));
        assert!(faults.iter().zip(names).all(|(fault, name)| fault.starts_with(&name)), "{faults:?}");
    }
}
