//! Whether a request with a cookie comes from the console's own pages (CON-009).

use hyper::Method;
use hyper::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use subtle::ConstantTimeEq as _;

use crate::admin::problem::Problem;

/// What a browser says of the page that asks.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The session's text, which other pages cannot read.
const CSRF_TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");

/// Refuses what a browser says to come from elsewhere.
///
/// # Errors
/// Another site's page asks to read, or another origin's page asks to change something.
pub(super) fn check(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let site = headers.get(SITE).map(|site| site.as_bytes());
    if method == Method::GET || method == Method::HEAD {
        return match site {
            None | Some(b"same-origin" | b"none") => Ok(()),
            Some(_) => Err(Problem::CrossSite),
        };
    }
    if !matches!(site, None | Some(b"same-origin")) {
        return Err(Problem::Csrf);
    }
    check_origin(headers)
}

/// Refuses a page whose address, where it is told, is not the address asked. A proxy may speak TLS to the browser, so that schemes may
/// differ; the port that the page's scheme has by default may stand or not.
fn check_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let parts = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let (Some((scheme, page)), Some(host)) = (parts, host) else { return Err(Problem::Csrf) };
    let port = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    let [named, asked] = [page, host].map(|text| text.strip_suffix(port).unwrap_or(text));
    if named.eq_ignore_ascii_case(asked) {
        return Ok(());
    }
    Err(Problem::ForeignOrigin { page: page.to_owned(), host: host.to_owned() })
}

/// Refuses a change without the session's text.
///
/// # Errors
/// The header is missing or another.
pub(super) fn check_csrf_token(headers: &HeaderMap, wanted: &str) -> Result<(), Problem> {
    let given = headers.get(CSRF_TOKEN).map_or(&b""[..], |given| given.as_bytes());
    if bool::from(given.ct_eq(wanted.as_bytes())) { Ok(()) } else { Err(Problem::Csrf) }
}
