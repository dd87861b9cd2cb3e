//! A request of the public listener, and its context, before routing.

use std::net::IpAddr;

use hyper::Request;

use crate::connections::RequestBody;

/// The peer of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The address of the client, or of a proxy in front.
    pub address: IpAddr,
    /// Whether the connection is encrypted.
    pub over_tls: bool,
}

/// A request before its route is known.
pub(crate) struct Received<'a> {
    /// The path as the routes are written (WS-003, AUTH-012).
    pub path: &'a str,
    pub peer: Peer,
    pub request: Request<RequestBody>,
}
