//! One value: reading a variable's text, and checking that a value is legal for its key.
//!
//! Ignores other keys. A key or secret is never repeated, nor the name of a database or a Redis.

use std::net::IpAddr;
use std::path::Path;

use fanfare_apps::{
    Database, LONGEST_FEED_PREFIX, MOST_CHANNEL_PREFIXES, TimeUnit, are_channel_prefixes, is_feed_prefix,
    is_http_url, is_passable_header, is_placeholder, is_web_origin,
};
use fanfare_protocol::app::{MustEqual, OriginPattern};
use fanfare_protocol::ids::{is_app_id, is_key_or_secret};
use fanfare_protocol::webhook;
use fanfare_redis::RedisAddress;
use ipnet::IpNet;
use toml::Value;

use super::bus;
use super::fault::Cause;
use super::filter;
use super::keys::ValueKind;
use super::listen_address::ListenAddress;

/// Most characters of a faulty value that are repeated to the operator.
const MOST_REPEATED: usize = 60;

/// Longest path of a Unix-domain socket: the system's bound, less room for the name that the file has at first.
const LONGEST_SOCKET_PATH: usize = 96;

/// Most Redis servers of a bus.
const MOST_REDIS: usize = 64;

/// Most characters of a node's name.
const LONGEST_NAME: usize = 100;

/// Most characters of the name or the key of a client of laravel-echo-server's HTTP API.
const LONGEST_OF_CLIENT: usize = 200;

impl ValueKind {
    /// A variable's text as the expected kind of value; lists are separated by commas.
    pub fn read(self, text: &str) -> Value {
        let as_text = || Value::String(text.to_owned());
        match self {
            Self::Count { .. } | Self::Time { .. } | Self::PowerOfTwo { .. } => {
                text.trim().parse().map_or_else(|_| as_text(), Value::Integer)
            }
            Self::Switch => text.trim().parse().map_or_else(|_| as_text(), Value::Boolean),
            Self::Networks
            | Self::HostNames
            | Self::MailAddresses
            | Self::Origins
            | Self::WebOrigins
            | Self::Headers => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                Value::Array(parts.map(|part| Value::String(part.to_owned())).collect())
            }
            Self::RedisUrls => Value::Array(bus::split(text)),
            _ => as_text(),
        }
    }

    /// The value in the canonical form for the rest of the program.
    pub fn check(self, key: &str, value: Value) -> Result<Value, Cause> {
        if let (Self::Database, Value::String(text)) = (self, &value) {
            return match Database::parse(text, Path::new("")) {
                Err(fault) if !text.is_empty() => Err(Cause::Database { key: key.to_owned(), fault }),
                _ => Ok(value),
            };
        }
        if let (Self::AppSecret | Self::ClientKey, Value::String(text)) = (self, &value)
            && is_placeholder(text)
        {
            return Err(Cause::Placeholder { key: key.to_owned() });
        }
        if let (Self::RedisUrl, Value::String(text)) = (self, &value) {
            return match RedisAddress::parse(text) {
                Err(fault) if !text.is_empty() => Err(Cause::RedisUrl { key: key.to_owned(), fault }),
                _ => Ok(value),
            };
        }
        if self == Self::RedisUrls {
            return self.check_urls(key, value);
        }
        self.accept(&value).map_err(|found| Cause::Wrong {
            key: key.to_owned(),
            expected: self.expected(),
            found,
        })
    }

    /// A list of URLs; a single text stands for a list, as in a variable.
    fn check_urls(self, key: &str, value: Value) -> Result<Value, Cause> {
        let value = match value {
            Value::String(text) => self.read(&text),
            other => other,
        };
        let faulty = match &value {
            Value::Array(urls) if urls.len() <= MOST_REDIS => match bus::check_urls(urls) {
                Ok(()) => return Ok(value),
                Err(fault) => fault,
            },
            _ => None,
        };
        Err(match faulty {
            Some(fault) => Cause::RedisUrl { key: key.to_owned(), fault },
            None => Cause::Wrong { key: key.to_owned(), expected: self.expected(), found: describe(&value) },
        })
    }

    /// The value, or its fault.
    fn accept(self, value: &Value) -> Result<Value, String> {
        match (self, value) {
            (Self::Count { least, most }, Value::Integer(number)) => {
                let fits = usize::try_from(*number).is_ok_and(|number| (least..=most).contains(&number));
                fits.then(|| value.clone()).ok_or_else(|| describe(value))
            }
            (Self::PowerOfTwo { most }, Value::Integer(number)) => {
                let fits = usize::try_from(*number).is_ok_and(|n| n.is_power_of_two() && n <= most);
                fits.then(|| value.clone()).ok_or_else(|| describe(value))
            }
            (Self::Time { unit, least, most }, Value::String(text)) => {
                let count = unit.read(text).and_then(|count| i64::try_from(count).ok()).map(Value::Integer);
                let count = count.ok_or_else(|| describe(value))?;
                Self::Count { least, most }.accept(&count).map_err(|_| describe(value))
            }
            (Self::Time { least, most, .. }, Value::Integer(_)) => Self::Count { least, most }.accept(value),
            (Self::Switch, Value::Boolean(_)) => Ok(value.clone()),
            (Self::Networks, Value::Array(parts)) => each(parts, network),
            (Self::HostNames, Value::Array(parts)) => {
                each(parts, |text| is_host_name(text).then(|| text.to_owned()))
            }
            (Self::MailAddresses, Value::Array(parts)) => {
                each(parts, |text| is_mail_address(text).then(|| text.to_owned()))
            }
            (Self::Origins, Value::Array(parts)) => {
                each(parts, |text| OriginPattern::new(text.to_owned()).is_legal().then(|| text.to_owned()))
            }
            (Self::WebOrigins, Value::Array(parts)) => {
                each(parts, |text| is_web_origin(text).then(|| text.to_owned()))
            }
            (Self::Headers, Value::Array(parts)) => {
                each(parts, |text| is_passable_header(text).then(|| text.to_owned()))
            }
            (Self::HookEvents, Value::Array(parts)) if !parts.is_empty() => {
                each(parts, |text| webhook::Kind::named(text).map(|kind| kind.name().to_owned()))
            }
            (Self::ChannelPrefixes, Value::Array(parts)) => {
                let texts: Option<Vec<&str>> = parts.iter().map(Value::as_str).collect();
                let are_legal = texts.is_some_and(|texts| are_channel_prefixes(&texts));
                are_legal.then(|| value.clone()).ok_or_else(|| describe(value))
            }
            (Self::AppKey | Self::AppSecret, Value::String(text)) => match unfit(text) {
                None => Ok(value.clone()),
                Some(found) => Err(found),
            },
            (Self::ClientKey, Value::String(text)) => match unfit_key(text) {
                None => Ok(value.clone()),
                Some(found) => Err(found),
            },
            // A key or secret without quotes.
            (Self::AppKey | Self::AppSecret | Self::ClientKey, _) => {
                Err("something else; write it in quotes".to_owned())
            }
            (_, Value::String(text)) => {
                self.accept_text(text).map(Value::String).ok_or_else(|| describe(value))
            }
            (Self::AppId | Self::AppChoice | Self::ClientName, Value::Integer(number)) => {
                Err(format!("the number {number}; write it in quotes"))
            }
            _ => Err(describe(value)),
        }
    }

    fn accept_text(self, text: &str) -> Option<String> {
        let legal = match self {
            Self::AddressOrNone if text.is_empty() => true,
            Self::Address | Self::AddressOrNone => {
                return ListenAddress::parse(text).map(|address| address.to_string());
            }
            Self::SocketPath => text.len() <= LONGEST_SOCKET_PATH,
            Self::Permissions => permissions(text).is_some(),
            Self::Prefix => is_path_prefix(text),
            Self::Choice(choices) => choices.contains(&text),
            Self::Filter => filter::is_sensible(text),
            Self::Directory => !text.is_empty(),
            Self::File => true,
            Self::AppId => is_app_id(text),
            Self::WebUrl | Self::HookUrl => is_http_url(text),
            Self::CollectorUrl => text.is_empty() || (is_http_url(text) && !text.contains(['?', '#'])),
            Self::ServiceName => !text.is_empty() && is_name(text),
            Self::Rule => MustEqual::parse(text).is_some(),
            Self::AppChoice => text.is_empty() || is_app_id(text),
            Self::FeedPrefix => is_feed_prefix(text),
            Self::BusPrefix => is_bus_prefix(text),
            Self::NodeName => is_name(text),
            Self::ClientName => is_of_client(text),
            Self::OriginOrAll => {
                text.is_empty() || text == "*" || (is_web_origin(text) && !text.contains('*'))
            }
            _ => false,
        };
        legal.then(|| text.to_owned())
    }

    fn expected(self) -> String {
        match self {
            Self::Count { least, most } => format!("a whole number from {least} to {most}"),
            Self::Time { unit, least, most } => expected_time(unit, least, most),
            Self::Switch => "true or false".to_owned(),
            Self::Address => "an IP address and a port, such as 127.0.0.1:6001 for this machine alone or 0.0.0.0:6001 for all, or localhost and a port"
                    .to_owned(),
            Self::AddressOrNone => "an IP address and a port, such as 0.0.0.0:6443, or localhost and a port, or empty".to_owned(),
            Self::SocketPath => format!("the path of a socket, at most {LONGEST_SOCKET_PATH} bytes, or empty"),
            Self::Permissions => "permissions in octal and in quotes, such as \"660\"".to_owned(),
            Self::Prefix => "empty or a path such as /fanfare, without a slash at its end".to_owned(),
            Self::Choice(choices) => choices.join(" or "),
            Self::Filter => "a filter such as info or info,fanfare=debug; the levels are off, error, warn, info, debug and trace"
                    .to_owned(),
            Self::Directory => "the path of a directory".to_owned(),
            Self::File => "the path of a file, or empty".to_owned(),
            Self::Database => {
                "sqlite, sqlite:///path/file.db, postgres://USER:PASSWORD@HOST/NAME or empty".to_owned()
            }
            Self::AppId => "1 to 64 of the characters A-Z a-z 0-9 _ -".to_owned(),
            Self::AppChoice => "the id of an app, or empty".to_owned(),
            Self::RedisUrl => "the URL of a Redis, such as redis://HOST, or empty".to_owned(),
            Self::FeedPrefix => {
                format!("a text of at most {LONGEST_FEED_PREFIX} bytes without control characters")
            }
            Self::PowerOfTwo { most } => format!("a power of two from 1 to {most}"),
            Self::BusPrefix => "1 to 64 of the characters A-Z a-z 0-9 _ - . : /".to_owned(),
            Self::CollectorUrl => {
                "the URL of a collector, such as http://127.0.0.1:4318, without a user, password or query, or empty"
                    .to_owned()
            }
            Self::ServiceName => {
                format!("a text of 1 to {LONGEST_NAME} characters without control characters")
            }
            Self::NodeName => {
                format!("a text of at most {LONGEST_NAME} characters without control characters")
            }
            Self::ClientName | Self::ClientKey => {
                format!("a text of 1 to {LONGEST_OF_CLIENT} characters without control characters")
            }
            Self::OriginOrAll => "an origin such as https://app.example.com, * for every origin, or empty".to_owned(),
            Self::AppKey | Self::AppSecret => "1 to 128 of the characters A-Z a-z 0-9 _ -".to_owned(),
            Self::WebUrl => {
                "a URL such as http://127.0.0.1:8000/broadcasting/auth, without a user or password in it"
                    .to_owned()
            }
            Self::HookUrl => {
                "a URL such as https://example.com/webhooks, without a user or password in it".to_owned()
            }
            Self::Rule => "a field of the answer and its JSON value, such as code=0".to_owned(),
            list => list.expected_list(),
        }
    }

    /// What a list must hold.
    fn expected_list(self) -> String {
        let text = match self {
            Self::Networks => r#"networks or addresses, such as ["10.0.0.0/8", "192.0.2.1"]"#,
            Self::HostNames => r#"names without scheme, port and path, such as ["fanfare.internal"]"#,
            Self::MailAddresses => r#"mail addresses, such as ["ops@example.com"]"#,
            Self::Origins => {
                r#"hosts without scheme, port and path, such as ["example.com", "*.example.com"]"#
            }
            Self::WebOrigins => r#"origins, such as ["https://app.example.com", "https://*.example.com"]"#,
            Self::Headers => {
                r#"headers that are not the connection's or the question's own, such as ["X-Tenant"]"#
            }
            Self::HookEvents => return format!("a list of some of {}", webhook::Kind::names_explained()),
            Self::ChannelPrefixes => {
                return format!(
                    "a list of at most {MOST_CHANNEL_PREFIXES} texts of 1 to 200 characters without control characters"
                );
            }
            _ => {
                return format!(
                    r#"a list of at most {MOST_REDIS} URLs, such as ["redis://USER:PASSWORD@HOST:PORT"]"#
                );
            }
        };
        format!("a list of {text}")
    }
}

/// What a time may be.
fn expected_time(unit: TimeUnit, least: usize, most: usize) -> String {
    let (least, most) = (unit.show(wide(least)), unit.show(wide(most)));
    let example = if unit == TimeUnit::Seconds { "5s" } else { "250ms" };
    let unit = unit.name();
    format!(
        r#"a time from {least} to {most}, a whole number of {unit}, bare or with a unit, such as "{example}""#
    )
}

/// A bound as a count of time.
fn wide(bound: usize) -> u64 {
    u64::try_from(bound).unwrap_or(u64::MAX)
}

/// A list whose every part is legal; else the first fault.
fn each(parts: &[Value], accept: impl Fn(&str) -> Option<String>) -> Result<Value, String> {
    let accepted = parts.iter().map(|part| {
        let text = part.as_str().and_then(&accept);
        text.map(Value::String).ok_or_else(|| describe(part))
    });
    accepted.collect::<Result<_, _>>().map(Value::Array)
}

/// A network in its canonical form; a single address is a network of one.
fn network(text: &str) -> Option<String> {
    let network = text.parse::<IpNet>().ok();
    network.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)).map(|network| network.to_string())
}

/// The permissions that a text of three octal digits says, or of four.
pub(super) fn permissions(text: &str) -> Option<u32> {
    let is_octal = (3..=4).contains(&text.len()) && text.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    u32::from_str_radix(text, 8).ok().filter(|mode| is_octal && *mode <= 0o777)
}

/// Whether a text is a legal host name in a request.
fn is_host_name(text: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    (1..=253).contains(&text.len()) && text.bytes().all(legal) && !text.ends_with('.')
}

/// Whether a text is written like a mail address.
fn is_mail_address(text: &str) -> bool {
    let legal = |b: u8| b.is_ascii_graphic() && !matches!(b, b',' | b'?' | b'"' | b'<' | b'>');
    text.len() <= 254
        && text.bytes().all(legal)
        && text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && is_host_name(host))
}

/// Whether a text may begin every name in Redis: free of braces, which would be a hash tag, and of patterns.
fn is_bus_prefix(text: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':' | b'/');
    (1..=64).contains(&text.len()) && text.bytes().all(legal)
}

/// The fault of a key or secret, without repeating the value.
fn unfit(text: &str) -> Option<String> {
    if is_key_or_secret(text) {
        return None;
    }
    Some(match text.chars().count() {
        0 => "an empty text".to_owned(),
        129.. => "a longer text".to_owned(),
        _ => "another character".to_owned(),
    })
}

/// Whether a text may be the name or the key of a client of laravel-echo-server's HTTP API.
fn is_of_client(text: &str) -> bool {
    (1..=LONGEST_OF_CLIENT).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// The fault of such a key, without repeating the value.
fn unfit_key(text: &str) -> Option<String> {
    let found = match text.chars().count() {
        0 => "an empty text",
        count if count > LONGEST_OF_CLIENT => "a longer text",
        _ => "a control character",
    };
    (!is_of_client(text)).then(|| found.to_owned())
}

/// Whether a text may be the prefix of every path.
fn is_path_prefix(text: &str) -> bool {
    let part_is_legal = |part: &str| {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
        !part.is_empty() && part.bytes().all(legal) && part != "." && part != ".."
    };
    text.is_empty() || text.strip_prefix('/').is_some_and(|path| path.split('/').all(part_is_legal))
}

/// A faulty value in its repeated form for the operator.
fn describe(value: &Value) -> String {
    match value {
        Value::String(text) if text.chars().count() > MOST_REPEATED => {
            format!("the text {:?}…", text.chars().take(MOST_REPEATED).collect::<String>())
        }
        Value::String(text) => format!("the text {text:?}"),
        Value::Integer(number) => format!("the number {number}"),
        Value::Float(number) => format!("the number {number}"),
        Value::Boolean(switch) => switch.to_string(),
        Value::Datetime(date) => format!("the date {date}"),
        Value::Array(_) => "a list".to_owned(),
        Value::Table(_) => "a section".to_owned(),
    }
}
/// Whether a text is short, and has no control characters.
fn is_name(text: &str) -> bool {
    text.chars().count() <= LONGEST_NAME && !text.chars().any(char::is_control)
}
