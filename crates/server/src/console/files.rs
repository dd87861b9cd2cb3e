//! The list of the console's files.

/// A file and its name below `/console/`.
macro_rules! file {
    ($name:literal) => {
        ($name, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/console/", $name)))
    };
}

/// Each file of `crates/server/console`.
pub(super) const FILES: &[(&str, &[u8])] = &[
    file!("address.js"),
    file!("api.js"),
    file!("apps.js"),
    file!("channels.js"),
    file!("connections.js"),
    file!("form.js"),
    file!("frame.js"),
    file!("icon.svg"),
    file!("index.html"),
    file!("keys.js"),
    file!("list.js"),
    file!("live.js"),
    file!("login.js"),
    file!("main.js"),
    file!("node.js"),
    file!("overview.js"),
    file!("send.js"),
    file!("settings.js"),
    file!("shown.js"),
    file!("style.css"),
    file!("trouble.js"),
    file!("usage.js"),
    file!("vendor/LICENSE-htm"),
    file!("vendor/README"),
    file!("vendor/preact.js"),
    file!("vendor/uplot.css"),
    file!("vendor/uplot.js"),
    file!("webhooks.js"),
];
