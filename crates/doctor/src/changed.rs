//! What a proxy changed in a request: the request as sent, compared with the server's words about the request
//! received.
//!
//! Only an answer of Fanfare's own counts; other answers lead to no conclusion here.

use fanfare_protocol::error::NOTHING_AT;

/// A request as it was sent.
pub(super) struct Sent {
    pub method: String,
    /// With the path prefix of the server ([`super::base_url::BaseUrl::prefix`]).
    pub path: String,
    /// The query string, without the question mark.
    pub query: String,
}

/// The remedy for a proxy that changed a signed request; `line` is the first line of the answer. `None` if
/// the server names no difference.
pub(super) fn signed_request(sent: &Sent, line: &str) -> Option<String> {
    if let Some(mend) = proxy_protocol(line) {
        return Some(mend);
    }
    match line {
        "Missing parameter: auth_key" => return Some(query_lost(&sent.path)),
        "Version required" | "Timestamp required" | "Missing parameter: auth_signature" => {
            return Some(query_changed("a part of it is missing"));
        }
        _ => {}
    }
    if let Some(came) = path_without_route(line) {
        return path(&sent.path, came);
    }
    if let Some(id) = line.strip_prefix("There is no app with the id ") {
        let ours = sent.path.rsplit_once("/apps/").and_then(|(_, rest)| rest.split('/').next());
        return (!is_same(ours.unwrap_or_default(), id))
            .then(|| path_changed(&sent.path, &format!("/apps/{id}/…")));
    }
    // The digest was made of the body as sent.
    if line.starts_with("Invalid body_md5") {
        return Some(
            "A proxy in between loses the body of the request, or changes it. Have it pass on bodies as they come; with \
             nginx take proxy_pass_request_body and proxy_set_body away."
                .to_owned(),
        );
    }
    if line.starts_with("This path answers to ") {
        return Some(format!(
            "A proxy changes the method or the path: {} {} was sent. Have it pass on both as they come.",
            sent.method, sent.path
        ));
    }
    signed_text(line).and_then(|(method, came, query)| signed(sent, method, came, query))
}

/// The remedy for a proxy that changed the path; `None` if the path is unchanged.
pub(super) fn path(sent: &str, came: &str) -> Option<String> {
    (!is_same(sent, came)).then(|| path_changed(sent, came))
}

/// The remedy for a proxy that drops the query string.
pub(super) fn query_lost(path: &str) -> String {
    format!(
        "The request arrives without its query: a proxy in between drops what stands behind the `?` of {path}. With \
         nginx write `proxy_pass http://127.0.0.1:6001;` with nothing behind the port; where a rewrite or a variable \
         is needed, end it with $is_args$args."
    )
}

/// The remedy for a load balancer that begins each connection with the PROXY protocol and is not to, or is to and does not;
/// `None` if the server reports neither.
pub(super) fn proxy_protocol(said: &str) -> Option<String> {
    if said.contains("does not speak the PROXY protocol") {
        return Some(
            "A proxy in between begins each connection with a header of the PROXY protocol, which Fanfare reads only with \
             listen.proxy_protocol = true, and only from an address in listen.trusted_proxies. Set both, or switch it off in \
             the proxy: in HAProxy take send-proxy or send-proxy-v2 off the `server` line, in nginx proxy_protocol, at a \
             hosted balancer the option \"proxy protocol\"."
                .to_owned(),
        );
    }
    said.contains("expects the PROXY protocol").then(|| {
        "The server has listen.proxy_protocol = true, and this connection came from an address in listen.trusted_proxies without \
         the header of the PROXY protocol. Switch the header on in the proxy: in HAProxy add send-proxy-v2 to the `server` line, \
         in nginx proxy_protocol on, at a hosted balancer the option \"proxy protocol\". If no proxy is meant to send one, take \
         listen.proxy_protocol away; if this was no proxy, connect through it."
            .to_owned()
    })
}

/// The path for which the server reports no route: by status 404, or after a handshake by 4005.
pub(super) fn path_without_route(said: &str) -> Option<&str> {
    let plain = said.strip_prefix(NOTHING_AT).and_then(|rest| rest.strip_prefix(": "));
    plain.or_else(|| said.strip_prefix("Path not found: connect to /app/KEY, not "))
}

fn path_changed(sent: &str, came: &str) -> String {
    let in_front = came.strip_suffix(sent).filter(|front| !front.is_empty());
    let or = match in_front {
        Some(front) => format!(", or set listen.path_prefix = \"{front}\""),
        None => String::new(),
    };
    format!(
        "A proxy changes the path: {sent} was sent, and {came} arrives. Have it pass on the path as it comes \
         (nginx: `proxy_pass http://127.0.0.1:6001;` with nothing behind the port){or}."
    )
}

fn query_changed(how: &str) -> String {
    format!("A proxy changes the query: {how}. Have it pass on what stands behind the `?` as it comes.")
}

/// Method, path and query in the server's signed text.
fn signed_text(line: &str) -> Option<(&str, &str, &str)> {
    let (_, rest) = line.split_once("HmacSHA256Hex(\"")?;
    let (text, _) = rest.split_once("\", your_secret_key")?;
    let mut parts = text.splitn(3, "\\n");
    Some((parts.next()?, parts.next()?, parts.next()?))
}

fn signed(sent: &Sent, method: &str, came: &str, query: &str) -> Option<String> {
    if !method.eq_ignore_ascii_case(&sent.method) {
        return Some(format!("A proxy changes the method: {} was sent, and {method} arrives.", sent.method));
    }
    // The server leaves out the prefix of its own paths.
    if came.is_empty() || !sent.path.ends_with(came) || !came.starts_with("/apps/") {
        return Some(path_changed(&sent.path, came));
    }
    let parameters = |query: &'_ str| {
        let mut parts: Vec<String> =
            query.split('&').filter(|part| !part.starts_with("auth_signature=")).map(str::to_owned).collect();
        parts.sort_unstable();
        parts
    };
    let (ours, theirs) = (parameters(&sent.query), parameters(query));
    (ours != theirs).then(|| {
        let differing = theirs.iter().find(|part| !ours.contains(part));
        query_changed(&match differing {
            Some(part) => format!("`{part}` arrives, which was not sent"),
            None => "a part of it is missing".to_owned(),
        })
    })
}

/// Whether the server's text, which may be truncated, is this text.
fn is_same(sent: &str, said: &str) -> bool {
    match said.strip_suffix('…') {
        Some(start) => sent.starts_with(start),
        None => sent == said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent() -> Sent {
        Sent {
            method: "GET".to_owned(),
            path: "/ws/apps/3/channels".to_owned(),
            query: "auth_key=k&auth_timestamp=1&auth_version=1.0&auth_signature=ff".to_owned(),
        }
    }

    fn mismatch(signed: &str) -> String {
        format!(
            "Invalid signature: you should have sent HmacSHA256Hex(\"{signed}\", your_secret_key), but you sent \"ff\""
        )
    }

    #[test]
    fn what_came_as_it_was_sent_is_no_proxys_fault() {
        let same = "auth_key=k&auth_timestamp=1&auth_version=1.0";
        for line in [
            &*mismatch(&format!(r"GET\n/apps/3/channels\n{same}")),
            &mismatch(&format!(r"GET\n/ws/apps/3/channels\n{same}")).replace("/ws", ""),
            "There is nothing at this path: /ws/apps/3/channels",
            "There is nothing at this path: /ws/apps/3/ch…",
            "There is nothing at this path",
            "There is no app with the id 3",
            "Unknown auth_key",
            "Timestamp expired: Given timestamp (2020) not within 600s of server time",
            "<html>",
            "",
        ] {
            assert_eq!(signed_request(&sent(), line), None, "{line}");
        }
    }

    #[test]
    fn what_a_proxy_has_changed_is_named() {
        let same = "auth_key=k&auth_timestamp=1&auth_version=1.0";
        for (line, mentions) in [
            (
                "This port does not speak the PROXY protocol: switch it off in the proxy in front of it.",
                &["PROXY protocol", "send-proxy", "send-proxy-v2", "proxy_protocol"][..],
            ),
            (
                "This port does not speak the PROXY protocol with this address: set listen.proxy_protocol and the like",
                &["listen.proxy_protocol = true", "listen.trusted_proxies", "send-proxy-v2"],
            ),
            (
                "This port expects the PROXY protocol from this address: switch it on in the proxy",
                &["without the header", "send-proxy-v2", "take listen.proxy_protocol away"],
            ),
            ("Missing parameter: auth_key", &["without its query", "$is_args$args"]),
            ("Timestamp required", &["changes the query", "missing"]),
            (
                "There is nothing at this path: /3/channels",
                &["changes the path", "/ws/apps/3/channels was sent", "/3/channels arrives"],
            ),
            ("There is nothing at this path: /x/ws/apps/3/channels", &["listen.path_prefix = \"/x\""]),
            (
                "Invalid body_md5: it is not the MD5 hex digest of the request body",
                &["loses the body", "proxy_pass_request_body"],
            ),
            ("There is no app with the id ws", &["changes the path", "/apps/ws/"]),
            ("This path answers to POST only", &["changes the method or the path"]),
            (&mismatch(&format!(r"POST\n/apps/3/channels\n{same}")), &["GET was sent, and POST arrives"]),
            (
                &mismatch(&format!(r"GET\n/ws/channels\n{same}")),
                &["changes the path", "/ws/channels arrives"],
            ),
            (
                &mismatch(&format!(r"GET\n/apps/3/channels\n{same}&x=1")),
                &["changes the query", "`x=1` arrives"],
            ),
            (
                &mismatch(r"GET\n/apps/3/channels\nauth_key=k&auth_timestamp=1"),
                &["changes the query", "missing"],
            ),
        ] {
            let mend = signed_request(&sent(), line).unwrap_or_else(|| panic!("{line}"));
            for mention in mentions {
                assert!(mend.contains(mention), "{line}: {mend}");
            }
        }
    }
}
