//! The client's script, for pages that load it from the server, as Laravel's documentation once had them (SIO-007).
//!
//! The minified build of socket.io-client 2.5.0, as published; the licence lies beside it.

use crate::http::script::Script;

/// The script; pages keep it for a day.
pub(super) static CLIENT: Script =
    Script::new(include_bytes!("socket.io-client-2.5.0.js"), "public, max-age=86400");
