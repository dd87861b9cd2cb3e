//! The number of connections that the server's file descriptors allow, as far as visible from here.

use bytes::Bytes;
use fanfare_outgoing::Client;
use http_body_util::Full;
use hyper::Request;
use rustix::process::{Resource, getrlimit};

use super::bounds::BOUNDS;

/// The default address of the operators' listener.
const ADMIN: &str = "http://127.0.0.1:9600/metrics";

/// The server's limit if its metrics are readable, else this machine's.
pub(super) async fn look(client: &Client, near: bool) -> String {
    let metrics = if near { metrics(client).await } else { None };
    match metrics {
        Some((descriptors, capacity)) => {
            let advice = if descriptors < 10_000.0 { RAISE } else { "" };
            format!("the server may open {descriptors} files and takes {capacity} connections{advice}")
        }
        None => match getrlimit(Resource::Nofile).maximum {
            Some(limit) => format!(
                "a process of this user may open {limit} files, one for each connection; the server's own limit is in \
                 the first lines of its log"
            ),
            None => "a process of this user may open any number of files".to_owned(),
        },
    }
}

const RAISE: &str =
    "; for more, raise the hard limit (LimitNOFILE= with systemd, --ulimit nofile= with Docker)";

async fn metrics(client: &Client) -> Option<(f64, f64)> {
    let request = Request::get(ADMIN).body(Full::new(Bytes::new())).ok()?;
    let response = client.send(request, BOUNDS).await.ok()?;
    let text = String::from_utf8_lossy(&response.body).into_owned();
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        line.trim().parse().ok()
    };
    Some((value("fanfare_file_descriptors_limit")?, value("fanfare_connections_capacity")?))
}
