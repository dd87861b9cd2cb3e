//! HAProxy of Debian in front of a server: passes connections on unchanged, behind a header of the PROXY protocol.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::eventually;

/// A running HAProxy; killed when dropped.
pub struct HaProxy {
    child: Child,
    _folder: TempDir,
    /// Where clients connect.
    pub addr: SocketAddr,
}

impl HaProxy {
    /// Passes on to `server`, an address or `unix@PATH`, with these options of its `server` line, such as `send-proxy-v2`.
    #[track_caller]
    pub fn before(server: &str, options: &str) -> Self {
        // Another process may take the port before HAProxy does.
        eventually("HAProxy has a port", || Self::try_before(server, options))
    }

    fn try_before(server: &str, options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = free.local_addr().expect("a listener has an address");
        drop(free);
        let file = folder.path().join("haproxy.cfg");
        let text = format!(
            "global\n maxconn 200\ndefaults\n mode tcp\n timeout connect 10s\n timeout client 60s\n timeout server 60s\n\
             listen fanfare\n bind {addr}\n server fanfare {server} {options}\n"
        );
        fs::write(&file, text).expect("the folder can be written to");
        let mut command = Command::new("haproxy");
        let command = command.arg("-db").arg("-f").arg(&file).stdin(Stdio::null());
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("HAProxy is installed");
        let is_up = eventually("HAProxy listens or ends", || {
            let has_ended = child.try_wait().expect("a child can be waited for").is_some();
            (has_ended || TcpStream::connect(addr).is_ok()).then_some(!has_ended)
        });
        is_up.then_some(Self { child, _folder: folder, addr })
    }
}

impl Drop for HaProxy {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
