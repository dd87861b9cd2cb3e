//! A Unix-domain socket to accept on: its file, with mode, and the removal of a stale one.
//!
//! Never takes the place of a file that is no socket, nor of a socket that a process answers on and does not share.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::net;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::task::{Context, Poll, ready};

use tokio::net::TcpStream;

/// A socket to accept on.
#[derive(Debug)]
pub(super) struct UnixSocket {
    listener: tokio::net::UnixListener,
    /// Removes the file at the end; none if somebody else made it.
    _file: Option<SocketFile>,
}

/// The file of a socket, removed on drop if it is still the same one.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    device: u64,
    number: u64,
}

impl UnixSocket {
    /// Listens on a path, with the permissions of the file; takes the place of a socket that nobody answers on, or
    /// with `overlap` of any.
    pub fn bind(path: &Path, mode: u32, overlap: bool) -> io::Result<Self> {
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(io::Error::new(ErrorKind::AlreadyExists, "the file there is no socket"));
            }
            Ok(_) if overlap => {}
            Ok(_) => match UnixStream::connect(path) {
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                Err(error) => return Err(error),
                Ok(_) => return Err(io::Error::new(ErrorKind::AddrInUse, "another process answers there")),
            },
            Err(_) => {}
        }
        // Made beside, and then put in place, so that nobody meets a socket with other permissions.
        let beside = beside(path);
        let _ = fs::remove_file(&beside);
        let listener = UnixListener::bind(&beside)?;
        let placed = fs::set_permissions(&beside, Permissions::from_mode(mode))
            .and_then(|()| fs::metadata(&beside))
            .and_then(|made| fs::rename(&beside, path).map(|()| made));
        let made = placed.inspect_err(|_| drop(fs::remove_file(&beside)))?;
        let file = SocketFile { path: path.to_owned(), device: made.dev(), number: made.ino() };
        Self::of(listener, Some(file))
    }

    /// A socket that another process made, and whose file is that process's.
    pub fn inherited(listener: UnixListener) -> io::Result<Self> {
        Self::of(listener, None)
    }

    fn of(listener: UnixListener, file: Option<SocketFile>) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self { listener: tokio::net::UnixListener::from_std(listener)?, _file: file })
    }

    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        let (stream, _) = ready!(self.listener.poll_accept(cx))?;
        Poll::Ready(stream.into_std().and_then(as_tcp))
    }
}

/// The stream, which does not block, as the one type that connections have. Reading, writing, peeking and shutting down are the same calls to the
/// system for both; options of TCP are refused, which is borne everywhere.
fn as_tcp(stream: UnixStream) -> io::Result<TcpStream> {
    TcpStream::from_std(net::TcpStream::from(OwnedFd::from(stream)))
}

/// A name in the same folder, of this process alone.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    name.into()
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Another process may have put its own in place.
        let is_same = |found: fs::Metadata| (found.dev(), found.ino()) == (self.device, self.number);
        if fs::symlink_metadata(&self.path).is_ok_and(is_same) {
            let _ = fs::remove_file(&self.path);
        }
    }
}
