//! The files of the web console, as browsers get them at `/console/` of the operators' listener (CON-001 … CON-004, CON-012, CON-013).
//!
//! The files are part of the program. Nothing here knows a token or an app: what the pages show comes from `/v1`.

mod files;

use hyper::header::{
    ALLOW, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY,
};
use hyper::{Method, StatusCode};

use self::files::FILES;
use crate::http::Answer;
use crate::http::answer::{empty, text};
use crate::http::script::{self, fnv_1a};

/// Where the console is.
pub(crate) const PLACE: &str = "/console/";

/// Nothing but the console's own files runs or is shown, and no text becomes markup (CON-012).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
     trusted-types 'none'";

/// What pages may use of a browser (CON-088).
const PERMISSIONS: &str = "accelerometer=(), camera=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), \
     payment=(), usb=(), clipboard-read=(), clipboard-write=(self)";

/// The answer to a request for a file of the console; `None` for a path that is not the console's.
pub(crate) fn answer(method: &Method, path: &str, headers: &HeaderMap) -> Option<Answer> {
    if matches!(path, "/" | "/console") && (method == Method::GET || method == Method::HEAD) {
        let mut answer = empty(StatusCode::SEE_OTHER);
        answer.headers_mut().insert(LOCATION, HeaderValue::from_static(PLACE));
        return Some(answer);
    }
    let name = path.strip_prefix(PLACE)?;
    let mut answer = if method == Method::GET || method == Method::HEAD {
        file(if name.is_empty() { "index.html" } else { name }, headers)
    } else {
        let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "This path answers to GET and HEAD only");
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        answer
    };
    protect(answer.headers_mut());
    Some(answer)
}

fn file(name: &str, asked: &HeaderMap) -> Answer {
    let Some((_, content)) = FILES.iter().find(|(own, _)| *own == name) else {
        return text(StatusCode::NOT_FOUND, "The console has no such file");
    };
    script::file((content, content_type(name)), "no-cache", fnv_1a(content), asked)
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

/// The headers of every answer below `/console/`, refusals included.
fn protect(headers: &mut HeaderMap) {
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    for (name, value) in [
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", PERMISSIONS),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The paths of all files below a folder.
    fn below(folder: &Path, before: &str, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{before}{}", entry.file_name().into_string().unwrap());
            match entry.file_type().unwrap().is_dir() {
                true => below(&entry.path(), &format!("{name}/"), found),
                false => drop(found.insert(name)),
            }
        }
    }

    #[test]
    fn con_003_every_file_of_the_folder_is_served() {
        let mut there = BTreeSet::new();
        below(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/console")), "", &mut there);
        let served: BTreeSet<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(served, there);
    }
}
