//! An application's settings for broadcasting, in Laravel's own terms.
//!
//! Reads as Laravel's `env()` does: the process's environment takes precedence over the file, `null` is no value. Knows
//! nothing of Fanfare's settings.

use std::net::IpAddr;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::DotEnv;

/// A variable with its value and its line. Not `Debug`: the value may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Variable {
    /// The variable's name.
    pub name: String,
    /// The value; may be empty.
    pub value: String,
    /// The line in the file, from 1; `None` for a variable of the process's environment.
    pub line: Option<usize>,
}

/// The broadcaster that an application has chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Driver {
    /// Pusher's HTTP API, with `PUSHER_…`.
    Pusher,
    /// The same API, with `REVERB_…`.
    Reverb,
    /// Redis pub/sub.
    Redis,
    /// A driver that sends nothing: `log`, `null`.
    Silent,
    /// Another driver, such as `ably`, or a connection that the application has named itself.
    Other(String),
}

/// The two families of variables that name an app and a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppNames {
    /// `PUSHER_…`.
    Pusher,
    /// `REVERB_…`.
    Reverb,
}

/// The Redis of an application without a setting for Redis.
pub const USUAL_REDIS: &str = "redis://127.0.0.1:6379";

/// The address of the server, as an application has it.
pub struct Target {
    /// `http` or `https`.
    pub scheme: String,
    /// A name or an address; no scheme, no port.
    pub host: Variable,
    /// The port, and the variable that sets the port; 443 by default.
    pub port: (u16, Option<Variable>),
}

/// An application's variables.
#[derive(Clone, Default)]
pub struct Application {
    file: DotEnv,
    environment: Vec<(String, String)>,
}

impl AppNames {
    /// The prefix of the family's names.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Pusher => "PUSHER",
            Self::Reverb => "REVERB",
        }
    }
}

impl Target {
    /// The address, if the host is this machine's loopback.
    #[must_use]
    pub fn loopback(&self) -> Option<IpAddr> {
        let host = self.host.value.trim_matches(['[', ']']);
        if host.eq_ignore_ascii_case("localhost") {
            return Some(IpAddr::from([127, 0, 0, 1]));
        }
        host.parse::<IpAddr>().ok().filter(IpAddr::is_loopback)
    }

    /// The URL of the HTTP API, such as `http://127.0.0.1:6001`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}:{}", self.scheme, self.host.value, self.port.0)
    }
}

impl Application {
    /// The variables of a file, overridden by the process's environment.
    #[must_use]
    pub fn new(file: DotEnv, environment: &[(String, String)]) -> Self {
        Self { file, environment: environment.to_vec() }
    }

    /// A variable, if the variable is set at all.
    #[must_use]
    pub fn said(&self, name: &str) -> Option<Variable> {
        let outside = self.environment.iter().find(|(known, _)| known == name);
        let (value, line) = match outside {
            Some((_, value)) => (value.clone(), None),
            None => self
                .file
                .get(name)
                .map(|entry| (entry.value.clone(), entry.line))
                .and_then(|(value, line)| Some((value?, Some(line))))?,
        };
        let value = match value.to_ascii_lowercase().as_str() {
            "null" | "(null)" => return None,
            "empty" | "(empty)" => String::new(),
            _ => without_inner_quotes(value),
        };
        Some(Variable { name: name.to_owned(), value, line })
    }

    /// A variable with a value that is not empty.
    #[must_use]
    pub fn filled(&self, name: &str) -> Option<Variable> {
        self.said(name).filter(|said| !said.value.is_empty())
    }

    /// The broadcaster, by the variable of Laravel 11 or the older one.
    #[must_use]
    pub fn driver(&self) -> Option<(Driver, Variable)> {
        let said = self.filled("BROADCAST_CONNECTION").or_else(|| self.filled("BROADCAST_DRIVER"))?;
        let driver = match said.value.as_str() {
            "pusher" => Driver::Pusher,
            "reverb" => Driver::Reverb,
            "redis" => Driver::Redis,
            "log" | "null" => Driver::Silent,
            other => Driver::Other(other.to_owned()),
        };
        Some((driver, said))
    }

    /// Whether events may be sent with this family: the driver's own, or any family if the driver has none.
    #[must_use]
    pub fn uses(&self, names: AppNames) -> bool {
        match self.driver() {
            Some((Driver::Pusher, _)) => names == AppNames::Pusher,
            Some((Driver::Reverb, _)) => names == AppNames::Reverb,
            _ => true,
        }
    }

    /// Id, key and secret, as far as they are set.
    #[must_use]
    pub fn credentials(&self, names: AppNames) -> [Option<Variable>; 3] {
        ["ID", "KEY", "SECRET"].map(|part| self.filled(&format!("{}_APP_{part}", names.prefix())))
    }

    /// The family that sends events: the driver's, else the first that names a whole app.
    #[must_use]
    pub fn names(&self) -> Option<AppNames> {
        let whole = |names: &AppNames| self.credentials(*names).iter().all(Option::is_some);
        let families = [AppNames::Pusher, AppNames::Reverb].into_iter();
        families.filter(|names| self.uses(*names)).find(whole)
    }

    /// The address where PHP sends events by `PUSHER` or `REVERB`, and where browsers connect by `VITE_PUSHER` or
    /// `VITE_REVERB`, if a host is named; unset values are as in the skeleton's configuration.
    #[must_use]
    pub fn target(&self, family: &str) -> Option<Target> {
        let said = |part: &str| self.filled(&format!("{family}_{part}"));
        let mut host = said("HOST")?;
        // The SDK cuts off a scheme.
        if let Some((_, rest)) = host.value.split_once("://") {
            host.value = rest.to_owned();
        }
        let scheme = said("SCHEME").map_or_else(|| "https".to_owned(), |said| said.value);
        let port = said("PORT");
        let number = port.as_ref().and_then(|said| said.value.parse().ok()).unwrap_or(443);
        Some(Target { scheme, host, port: (number, port) })
    }

    /// The application's authorization route, below `APP_URL`.
    #[must_use]
    pub fn auth_url(&self) -> Option<Variable> {
        let said = self.filled("APP_URL")?;
        Some(Variable { value: format!("{}/broadcasting/auth", said.value.trim_end_matches('/')), ..said })
    }

    /// The origin of the application's pages: `APP_URL` without a path.
    #[must_use]
    pub fn origin(&self) -> Option<Variable> {
        let said = self.filled("APP_URL")?;
        Some(Variable { value: said.value.splitn(4, '/').take(3).collect::<Vec<_>>().join("/"), ..said })
    }

    /// The Redis of Laravel's connection `default`, as a URL; `None` without a variable that names one.
    #[must_use]
    pub fn redis_url(&self) -> Option<Variable> {
        if let Some(url) = self.filled("REDIS_URL") {
            return Some(url);
        }
        let host = self.filled("REDIS_HOST")?;
        let part = |name: &str| self.filled(name).map(|said| said.value);
        let (scheme, bare) = match host.value.split_once("://") {
            Some(("tls" | "rediss", bare)) => ("rediss", bare),
            Some((_, bare)) => ("redis", bare),
            None if matches!(part("REDIS_SCHEME").as_deref(), Some("tls" | "rediss")) => {
                ("rediss", &*host.value)
            }
            None => ("redis", &*host.value),
        };
        let login = match (part("REDIS_USERNAME"), part("REDIS_PASSWORD")) {
            (name, Some(password)) => {
                format!("{}:{}@", escaped(&name.unwrap_or_default()), escaped(&password))
            }
            (_, None) => String::new(),
        };
        let value = if bare.starts_with('/') {
            format!("unix://{bare}")
        } else {
            let bare = if bare.contains(':') && !bare.starts_with('[') {
                format!("[{bare}]")
            } else {
                bare.to_owned()
            };
            format!("{scheme}://{login}{bare}:{}", part("REDIS_PORT").unwrap_or_else(|| "6379".to_owned()))
        };
        Some(Variable { value, ..host })
    }
}

/// Removes quotes within the quotes, as `env()` does.
fn without_inner_quotes(value: String) -> String {
    let within = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).map(str::to_owned).unwrap_or(value)
}

/// A user name or password, escaped for a URL.
fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
