//! A service manager's end of sd_notify(3): a datagram socket that keeps what the server tells.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

use super::DEADLINE;

/// The socket, and the value of `NOTIFY_SOCKET` that leads to it.
pub struct Notified {
    socket: UnixDatagram,
    pub name: String,
}

impl Notified {
    /// A socket in a folder, as systemd has.
    pub fn in_folder(folder: &Path) -> Self {
        let path = folder.join("notify");
        let socket = UnixDatagram::bind(&path).expect("the folder can be written to");
        Self::new(socket, path.to_str().expect("a temporary folder has a plain name").to_owned())
    }

    /// A socket in the abstract namespace, as containers have; `of` makes the name unique.
    pub fn abstract_of(of: &Path) -> Self {
        let name = format!("fanfare-notify{}", of.display());
        let address = SocketAddr::from_abstract_name(&name).expect("a short name");
        Self::new(UnixDatagram::bind_addr(&address).expect("a unique name"), format!("@{name}"))
    }

    fn new(socket: UnixDatagram, name: String) -> Self {
        socket.set_read_timeout(Some(DEADLINE)).expect("a timeout that is not zero");
        Self { socket, name }
    }

    /// The next datagram.
    #[track_caller]
    pub fn next(&self) -> String {
        self.receive().unwrap_or_else(|error| panic!("the server tells nothing: {error}"))
    }

    /// The next datagram that is no sign of life.
    #[track_caller]
    pub fn next_change(&self) -> String {
        loop {
            let told = self.next();
            if told != "WATCHDOG=1\n" {
                return told;
            }
        }
    }

    /// Waits for a sign of life.
    #[track_caller]
    pub fn expect_life(&self) {
        while self.next() != "WATCHDOG=1\n" {}
    }

    /// Reads what was told so far.
    pub fn skip(&self) {
        self.socket.set_nonblocking(true).expect("a socket can be made so");
        while self.receive().is_ok() {}
        self.socket.set_nonblocking(false).expect("a socket can be made so");
    }

    /// What was told and not read, once the server has ended.
    pub fn rest(&self) -> Vec<String> {
        self.socket.set_nonblocking(true).expect("a socket can be made so");
        std::iter::from_fn(|| self.receive().ok()).collect()
    }

    fn receive(&self) -> io::Result<String> {
        let mut told = [0; 4096];
        let length = self.socket.recv(&mut told)?;
        Ok(String::from_utf8_lossy(&told[..length]).into_owned())
    }
}
