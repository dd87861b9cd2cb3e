//! `[telemetry]`: where spans go, as which service, and how many. The headers of a file are secrets, and never shown.

use std::path::Path;

use fanfare_outgoing::Trust;
use fanfare_protocol::auth::Secret;
use serde::Deserialize;

use super::authorities::trust;
use super::bounded_file;
use super::effective::Effective;
use super::fault::{Cause, Fault};

/// The setting that names the collector.
const ENDPOINT: &str = "telemetry.otlp_endpoint";

/// The setting that names the file of headers.
const HEADERS: &str = "telemetry.otlp_headers_file";

/// Most headers of a file.
const MOST_HEADERS: usize = 32;

/// `[telemetry]`.
#[derive(Clone, Debug)]
pub struct TelemetrySection {
    /// The collector's URL; empty: no spans are made.
    pub otlp_endpoint: String,
    /// Headers of each request to the collector.
    pub headers: Vec<(String, Secret)>,
    /// The name of the server in traces.
    pub service_name: String,
    /// How many of a thousand traces that begin here are kept.
    pub sampled_per_thousand: u64,
    /// The authorities that the collector's certificate is signed by.
    pub trust: Trust,
}

/// What the sources give.
#[derive(Deserialize)]
struct Given {
    otlp_endpoint: String,
    service_name: String,
    sampled_per_thousand: u64,
}

pub(super) fn read(effective: &Effective, faults: &mut Vec<Fault>) -> TelemetrySection {
    let Given { otlp_endpoint, service_name, sampled_per_thousand } = effective.section("telemetry");
    if !cfg!(feature = "otlp") && !otlp_endpoint.is_empty() {
        faults.push(Fault { place: effective.get(ENDPOINT).1.clone(), cause: Cause::BuiltWithoutTraces });
    }
    let headers = headers_of(&effective.text(HEADERS)).unwrap_or_else(|(path, fault)| {
        let place = effective.get(HEADERS).1.clone();
        faults.push(Fault { place, cause: Cause::HeadersFile { key: HEADERS.to_owned(), path, fault } });
        Vec::new()
    });
    let trust = trust(effective, "telemetry.ca_file", faults);
    TelemetrySection { otlp_endpoint, headers, service_name, sampled_per_thousand, trust }
}

/// The headers of a file: a name, a colon and a value on each line. A fault with the path.
fn headers_of(path: &str) -> Result<Vec<(String, Secret)>, (String, String)> {
    if path.is_empty() {
        return Ok(Vec::new());
    }
    let faulty = |what: String| (path.to_owned(), what);
    let text =
        bounded_file::text(Path::new(path)).map_err(|error| faulty(format!("cannot be read: {error}")))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let headers: Vec<(String, Secret)> = lines
        .map(|(at, line)| {
            let wrong =
                || faulty(format!("line {} must be a header, such as Authorization: Bearer TOKEN", at + 1));
            let (name, value) = line.split_once(':').ok_or_else(wrong)?;
            let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            let is_name = !name.is_empty() && name.bytes().all(is_token);
            let value = value.trim();
            let is_value = !value.is_empty() && value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            if is_name && is_value { Ok((name.to_owned(), Secret::new(value))) } else { Err(wrong()) }
        })
        .collect::<Result<_, _>>()?;
    if headers.len() > MOST_HEADERS {
        return Err(faulty(format!("there are more than {MOST_HEADERS} headers")));
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<(String, Secret)>, (String, String)> {
        let directory = std::env::temp_dir().join(format!("fanfare-headers-{}", std::process::id()));
        std::fs::write(&directory, text).unwrap();
        headers_of(&directory.display().to_string())
    }

    #[test]
    fn headers_are_read_line_by_line_and_a_faulty_line_is_not_repeated() {
        let headers = of("Authorization: Bearer a:b\n\nX-Tenant:shop\n").unwrap();
        let read: Vec<_> = headers.iter().map(|(name, value)| (&**name, value.expose())).collect();
        assert_eq!(read, [("Authorization", "Bearer a:b"), ("X-Tenant", "shop")]);
        for faulty in ["hush", "a b: hush", ": hush", "name:", "name: h\u{7}ush"] {
            let (_, fault) = of(&format!("X-Tenant: shop\n{faulty}")).unwrap_err();
            assert!(fault.starts_with("line 2 must be a header") && !fault.contains("ush"), "{fault}");
        }
        assert!(of(&"A: b\n".repeat(33)).is_err());
        for file in ["/nowhere/headers", "/dev/zero"] {
            assert!(headers_of(file).unwrap_err().1.starts_with("cannot be read"), "{file}");
        }
        assert!(!format!("{headers:?}").contains("Bearer"));
    }
}
