//! Where a laravel-echo-server listens: `host`, `port`, `protocol` and the files of its certificate; and `devMode`.

use std::net::IpAddr;

use super::options::{Options, in_words, is_on, kind_in_words, text_of};
use super::takeover::Takeover;
use crate::laravel::joined;

const PORT: u16 = 6001;

/// Every interface, as laravel-echo-server listens without a host.
const EVERYWHERE: &str = "0.0.0.0";

/// Takes over the address, TLS and the level of the log.
pub(super) fn take(options: &Options, takeover: &mut Takeover) {
    let is_secure = protocol(options, takeover);
    let (host, (port, said)) = (host(options, takeover), port(options, takeover));
    let place = || {
        let given = options.get("port").or_else(|| options.get("host"));
        given.map_or_else(|| options.place("port"), |found| found.place)
    };
    let address = joined(&host, &port.to_string());
    if is_secure {
        takeover.set(("tls.addr", address), place(), said);
        // laravel-echo-server has one listener; Fanfare has one without TLS in any case.
        let beside = port.checked_add(1).unwrap_or(port - 1);
        let words = "for this machine alone: one without TLS there is always";
        takeover.set(("listen.addr", format!("127.0.0.1:{beside}")), place(), words);
    } else {
        takeover.set(("listen.addr", address), place(), said);
    }
    certificate(options, is_secure, takeover);
    if let Some(found) = options.get("devMode") {
        match is_on(&found.value) {
            true => takeover.set(("log.filter", "info,fanfare=debug"), found.place, found.said),
            false => takeover.not_needed(&found.said, "off is the default"),
        }
    }
}

/// Whether TLS is spoken.
fn protocol(options: &Options, takeover: &mut Takeover) -> bool {
    let Some(found) = options.filled("protocol") else { return false };
    match found.value.as_str() {
        Some("https") => return true,
        Some("http") => {}
        _ => takeover.wrong(found.place, "http or https", &in_words(&found.value)),
    }
    false
}

/// The host; with a fault the default, so that the other options are looked at too.
fn host(options: &Options, takeover: &mut Takeover) -> String {
    let Some(found) = options.filled("host") else { return EVERYWHERE.to_owned() };
    let is_address = |host: &str| host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    match found.value.as_str() {
        Some(host) if is_address(host) || host.eq_ignore_ascii_case("localhost") => host.to_owned(),
        _ => {
            let expected = "an IP address of this machine, localhost, or null for every one";
            takeover.wrong(found.place, expected, &in_words(&found.value));
            EVERYWHERE.to_owned()
        }
    }
}

/// The port: the digits at the end, as in `tcp://10.0.0.5:6001`; with a fault the default, as for a host.
fn port(options: &Options, takeover: &mut Takeover) -> (u16, String) {
    let Some(found) = options.get("port") else {
        return (PORT, "port, the default of laravel-echo-server".to_owned());
    };
    let text = text_of(&found.value).unwrap_or_default();
    let digits = text.len() - text.bytes().rev().take_while(u8::is_ascii_digit).count();
    let port = text[digits..].parse().ok().filter(|port| *port > 0);
    if port.is_none() {
        takeover.wrong(found.place, "a port from 1 to 65535", &in_words(&found.value));
    }
    (port.unwrap_or(PORT), found.said)
}

fn certificate(options: &Options, is_secure: bool, takeover: &mut Takeover) {
    for (key, setting) in [("sslCertPath", "tls.cert_file"), ("sslKeyPath", "tls.key_file")] {
        let Some(found) = options.filled(key) else { continue };
        match found.value.as_str() {
            Some(path) if is_secure => takeover.set((setting, path), found.place, found.said),
            Some(_) => takeover.not_needed(&found.said, "protocol is http"),
            None => takeover.wrong(found.place, "the path of a file", kind_in_words(&found.value)),
        }
    }
    let others = [
        ("sslCertChainPath", "append that file to the one of sslCertPath, which clients get as a whole"),
        ("sslPassphrase", "the key must have none; `openssl pkey -in KEY -out NEW` takes it off"),
    ];
    for (key, remedy) in others {
        match options.filled(key) {
            Some(found) if is_secure => takeover.unsupported(&found.said, remedy),
            Some(found) => takeover.not_needed(&found.said, "protocol is http"),
            None => {}
        }
    }
}
