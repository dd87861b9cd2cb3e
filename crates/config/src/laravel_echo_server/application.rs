//! Who is asked for leave to join: `authHost`, one or several, and `authEndpoint`.
//!
//! laravel-echo-server chooses among several by the `Referer` of the page. Fanfare asks one URL for an app; the others are
//! taken over as origins, whose pages may send their visitors' cookies.

use fanfare_apps::{is_http_url, is_web_origin};
use serde_json::Value;
use toml::Value as Setting;

use super::options::{Found, Options, in_words, kind_in_words};
use super::takeover::Takeover;

const HOST: &str = "http://localhost";

const ENDPOINT: &str = "/broadcasting/auth";

/// Takes over the URL, and the origins of pages.
pub(super) fn take(options: &Options, takeover: &mut Takeover) {
    // With an empty authHost the host that is listened on is asked.
    let given = match options.get("authHost") {
        Some(found) if found.value.as_str() == Some("") => options.filled("host"),
        given => given,
    };
    let Found { value, place, said } = given.unwrap_or_else(|| Found {
        value: HOST.into(),
        place: options.place("authHost"),
        said: "authHost, the default of laravel-echo-server".to_owned(),
    });
    let endpoint = endpoint(options, takeover);
    let hosts: Option<Vec<&str>> = match &value {
        Value::String(host) => Some(vec![host]),
        Value::Array(hosts) => hosts.iter().map(Value::as_str).collect(),
        _ => None,
    };
    let Some(hosts) = hosts.filter(|hosts| !hosts.is_empty()) else {
        return takeover.wrong(place, "a URL, or a list of URLs", kind_in_words(&value));
    };
    let Some(asked) = hosts.iter().find(|host| is_http_url(host)) else {
        // A log-in may stand in front of the host.
        let found = match hosts[..] {
            [host] if !host.contains('@') => in_words(&host.into()),
            _ => "none such".to_owned(),
        };
        let expected = "a URL such as http://127.0.0.1:8000, without a user or password in it";
        return takeover.wrong(place, expected, &found);
    };
    let url = joined(asked, &endpoint, takeover);
    takeover.set_app(("authorization.url", url), place.clone(), format!("{said}, authEndpoint"));
    if asked.starts_with("https://") {
        let checked =
            "its certificate is checked, unlike before; authorization.ca_file names an authority to trust";
        takeover.different.push(format!("{said}: {checked}"));
    }
    for other in hosts.iter().filter(|host| *host != asked) {
        let reason = format!(
            "{other} is not asked, whatever the Referer of a page; an application of its own needs an app of its own, \
             with pages at /app/KEY/socket.io"
        );
        takeover.unsupported(&said, &reason);
    }
    let origins: Vec<String> = hosts.iter().flat_map(|host| origins(host)).collect();
    if !origins.is_empty() {
        let origins = Setting::Array(origins.into_iter().map(Setting::String).collect());
        takeover.set_app(("authorization.origins", origins), place, said);
    }
}

fn endpoint(options: &Options, takeover: &mut Takeover) -> String {
    let Some(found) = options.filled("authEndpoint") else { return ENDPOINT.to_owned() };
    found.value.as_str().map_or_else(
        || {
            takeover.wrong(found.place, "a path such as /broadcasting/auth", &in_words(&found.value));
            ENDPOINT.to_owned()
        },
        str::to_owned,
    )
}

/// The URL that is asked: one slash stands between host and endpoint. laravel-echo-server appends one to the other as they
/// are, so that without any slash it asks another host.
fn joined(host: &str, endpoint: &str, takeover: &mut Takeover) -> String {
    let url = format!("{}/{}", host.trim_end_matches('/'), endpoint.trim_start_matches('/'));
    if !host.ends_with('/') && !endpoint.starts_with('/') {
        takeover.warnings.push(format!(
            "authEndpoint: {endpoint:?} has no slash at its start, so that laravel-echo-server asked {host}{endpoint}; {url} is \
             asked now: write {:?}",
            format!("/{endpoint}")
        ));
    }
    url
}

/// The origins of the pages that an item stands for: a URL, a host, or a dot and a domain. This machine's names are left
/// out: a page there may be anybody's.
fn origins(host: &str) -> Vec<String> {
    let host = host.trim_end_matches('/');
    let schemes = ["https://", "http://"];
    let (schemes, rest) = match schemes.iter().find_map(|scheme| Some((*scheme, host.strip_prefix(scheme)?)))
    {
        Some((scheme, rest)) => (vec![scheme], rest.split('/').next().unwrap_or(rest)),
        None => (schemes.to_vec(), host),
    };
    let name = rest.split(':').next().unwrap_or(rest);
    if name == "localhost" || name.starts_with("127.") || rest.starts_with("[::1]") {
        return Vec::new();
    }
    let rest = if rest.starts_with('.') { format!("*{rest}") } else { rest.to_owned() };
    let all = schemes.into_iter().map(|scheme| format!("{scheme}{rest}").to_lowercase());
    all.filter(|origin| is_web_origin(origin)).collect()
}
