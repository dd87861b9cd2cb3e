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
    let is_own_site = matches!(site, None | Some(b"same-origin"));
    if is_own_site && is_own_origin(headers) { Ok(()) } else { Err(Problem::Csrf) }
}

/// Whether the page's address, where it is told, is the address asked. A proxy may speak TLS to the browser, so that schemes may differ.
fn is_own_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let named = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, named)| named);
    matches!((named, host), (Some(named), Some(host)) if named.eq_ignore_ascii_case(host))
}

/// Refuses a change without the session's text.
///
/// # Errors
/// The header is missing or another.
pub(super) fn check_csrf_token(headers: &HeaderMap, wanted: &str) -> Result<(), Problem> {
    let given = headers.get(CSRF_TOKEN).map_or(&b""[..], |given| given.as_bytes());
    if bool::from(given.ct_eq(wanted.as_bytes())) { Ok(()) } else { Err(Problem::Csrf) }
}
