//! The address of a listener: one of the system's, or `localhost`, which is two.
//!
//! Resolves no name: `localhost` is known without asking.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Deserializer, de};

const LOCALHOST: &str = "localhost";

/// Where a listener listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    first: SocketAddr,
    is_localhost: bool,
}

impl ListenAddress {
    /// Reads an IP address with a port, or `localhost` with a port.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(first) = text.parse() {
            return Some(Self { first, is_localhost: false });
        }
        let (host, port) = text.rsplit_once(':')?;
        let port: u16 = port.parse().ok().filter(|_| host.eq_ignore_ascii_case(LOCALHOST))?;
        Some(Self { first: (Ipv4Addr::LOCALHOST, port).into(), is_localhost: true })
    }

    /// The address that is named to people; of `localhost`, that of IPv4.
    #[must_use]
    pub const fn first(self) -> SocketAddr {
        self.first
    }

    /// The address of IPv6 that `localhost` also means, where the machine has IPv6.
    #[must_use]
    pub fn second(self) -> Option<SocketAddr> {
        self.is_localhost.then(|| (Ipv6Addr::LOCALHOST, self.port()).into())
    }

    /// The port; 0 lets the system choose.
    #[must_use]
    pub const fn port(self) -> u16 {
        self.first.port()
    }

    /// Whether both cannot be listened on at once.
    pub(super) fn collides(self, other: Self) -> bool {
        let every = |one: Self| [Some(one.first), one.second()].into_iter().flatten();
        every(self).any(|one| {
            every(other).any(|other| {
                let same_host =
                    one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
                one.port() != 0 && one.port() == other.port() && same_host
            })
        })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_localhost { write!(f, "{LOCALHOST}:{}", self.port()) } else { self.first.fmt(f) }
    }
}

impl<'de> Deserialize<'de> for ListenAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("not an address"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> ListenAddress {
        ListenAddress::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn localhost_is_one_address_of_each_family() {
        for text in ["localhost:6001", "LocalHost:6001"] {
            let address = parsed(text);
            assert_eq!(address.to_string(), "localhost:6001");
            let both = (address.first().to_string(), address.second().map(|second| second.to_string()));
            assert_eq!(both, ("127.0.0.1:6001".to_owned(), Some("[::1]:6001".to_owned())));
        }
        assert_eq!((parsed("127.0.0.1:1").second(), parsed("[::1]:1").second()), (None, None));
    }

    #[test]
    fn no_other_name_is_an_address() {
        for text in ["example.com:80", "localhost", "localhost:", "localhost:65536", "my.localhost:80", ":80"]
        {
            assert_eq!(ListenAddress::parse(text), None, "{text}");
        }
    }

    #[test]
    fn listeners_of_one_port_collide_on_either_address_of_localhost() {
        for (one, other, collide) in [
            ("localhost:80", "127.0.0.1:80", true),
            ("localhost:80", "[::1]:80", true),
            ("localhost:80", "localhost:80", true),
            ("localhost:80", "0.0.0.0:80", true),
            ("localhost:80", "127.0.0.2:80", false),
            ("localhost:80", "localhost:81", false),
            ("localhost:0", "localhost:0", false),
        ] {
            assert_eq!(parsed(one).collides(parsed(other)), collide, "{one} {other}");
            assert_eq!(parsed(other).collides(parsed(one)), collide, "{other} {one}");
        }
    }
}
