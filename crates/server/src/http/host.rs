//! The header `Host`: every HTTP/1.1 request has the header once, with a name or an address (RFC 9112, 3.2). HTTP/2 has
//! `:authority` in its place, or the same in both (RFC 9113, 8.3.1).
//!
//! For both listeners; each decides which names are its own.

use hyper::header::HOST;
use hyper::http::uri::Authority;
use hyper::{Request, Version};

/// The answer to a request without the header, or with two.
pub const FAULT: &str = "A request needs the header Host exactly once, and in it a name or an address";

/// The header is missing, doubled, or no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultyHost;

/// The host of a request, with its port; empty where no host is named, as HTTP/1.0 allows.
///
/// # Errors
/// The header is missing in a request that is not of HTTP/1.0, is there twice, or holds no host; or names another host than
/// `:authority`.
pub fn of<B>(request: &Request<B>) -> Result<&str, FaultyHost> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let is_http_2 = request.version() == Version::HTTP_2;
    let named = request.uri().authority().filter(|_| is_http_2).map(Authority::as_str);
    let host = match (named, hosts.next(), hosts.next()) {
        (None, None, _) if request.version() < Version::HTTP_11 => "",
        (None, Some(host), None) => host.to_str().map_err(|_| FaultyHost)?,
        (Some(named), None, _) => named,
        (Some(named), Some(host), None) if named.as_bytes().eq_ignore_ascii_case(host.as_bytes()) => named,
        _ => return Err(FaultyHost),
    };
    if host.bytes().all(is_of_host) { Ok(host) } else { Err(FaultyHost) }
}

/// Whether a character may stand in a host or its port (RFC 3986, 3.2.2).
const fn is_of_host(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'%' | b':' | b'[' | b']')
        // Legal in names, though no real name has them.
        || matches!(b, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b';' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_headers(version: Version, hosts: &[&str]) -> Result<String, FaultyHost> {
        let request = hosts
            .iter()
            .fold(Request::get("/up").version(version), |request, host| request.header(HOST, *host));
        of(&request.body(()).unwrap()).map(str::to_owned)
    }

    #[test]
    fn a_request_has_one_host_but_in_http_1_0_it_may_have_none() {
        for host in ["example.com", "example.com:6001", "[::1]:80", "127.0.0.1", "my_service", ""] {
            assert_eq!(of_headers(Version::HTTP_11, &[host]), Ok(host.to_owned()));
            assert_eq!(of_headers(Version::HTTP_10, &[host]), Ok(host.to_owned()));
        }
        assert_eq!(of_headers(Version::HTTP_10, &[]), Ok(String::new()));
        assert_eq!(of_headers(Version::HTTP_11, &[]), Err(FaultyHost));
        for version in [Version::HTTP_10, Version::HTTP_11] {
            assert_eq!(of_headers(version, &["a", "a"]), Err(FaultyHost));
        }
    }

    #[test]
    fn over_http_2_the_authority_is_the_host_and_another_beside_it_is_refused() {
        let of_both = |uri: &str, hosts: &[&str]| {
            let request = Request::get(uri).version(Version::HTTP_2);
            let request = hosts.iter().fold(request, |request, host| request.header(HOST, *host));
            of(&request.body(()).unwrap()).map(str::to_owned)
        };
        assert_eq!(of_both("https://example.com:6001/up", &[]), Ok("example.com:6001".to_owned()));
        assert_eq!(of_both("https://example.com/up", &["Example.com"]), Ok("example.com".to_owned()));
        assert_eq!(of_both("/up", &["example.com"]), Ok("example.com".to_owned()));
        assert_eq!(of_both("/up", &[]), Err(FaultyHost));
        assert_eq!(of_both("https://example.com/up", &["other"]), Err(FaultyHost));
        assert_eq!(of_both("https://example.com/up", &["example.com", "example.com"]), Err(FaultyHost));
        assert_eq!(of_both("https://user@example.com/up", &[]), Err(FaultyHost));
    }

    #[test]
    fn what_no_host_has_is_refused() {
        for host in ["a, b", "a b", "a/b", "user@a", "a?b", "a#b", "<a>"] {
            assert_eq!(of_headers(Version::HTTP_11, &[host]), Err(FaultyHost), "{host}");
        }
    }
}
