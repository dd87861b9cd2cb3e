//! What a request of the public listener comes with, before its route is known.

use std::net::IpAddr;

use hyper::Request;

use crate::connections::RequestBody;

/// Who a connection was accepted from.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Of the client, or of a proxy in front of it.
    pub address: IpAddr,
    /// Whether the connection is encrypted.
    pub over_tls: bool,
}

/// A request on its way to its route.
pub(super) struct Received<'a> {
    /// The path as the routes are written (WS-003, AUTH-012).
    pub path: &'a str,
    pub peer: Peer,
    pub request: Request<RequestBody>,
}
