//! A Unix-domain socket to accept on: its file, with mode, and the removal of a stale one.
//!
//! Never takes the place of a file that is no socket, nor of a socket that a process answers on and does not share.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::net;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{self as net_unix, UnixListener};
use std::path::{Path, PathBuf};
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::net::{TcpStream, UnixStream};

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

/// A socket that listens under a name beside its path, where nobody looks for it yet.
#[derive(Debug)]
pub(super) struct UnplacedSocket {
    listener: UnixListener,
    file: SocketFile,
    path: PathBuf,
}

impl UnplacedSocket {
    /// Makes a socket for a path, with the permissions of its file. A socket at the path that nobody answers on may be replaced, and
    /// with `overlap` any.
    ///
    /// # Errors
    /// A process answers there, the file is no socket, or the system's.
    pub async fn make(path: &Path, mode: u32, overlap: bool) -> io::Result<Self> {
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(io::Error::new(ErrorKind::AlreadyExists, "the file there is no socket"));
            }
            Ok(_) if !overlap => expect_nobody(path).await?,
            Ok(_) | Err(_) => {}
        }
        // Made beside, and then put in place, so that nobody meets a socket with other permissions.
        let beside = beside(path);
        let _ = fs::remove_file(&beside);
        let listener = UnixListener::bind(&beside)?;
        let settled = fs::set_permissions(&beside, Permissions::from_mode(mode));
        let made = settled.and_then(|()| fs::metadata(&beside));
        let made = made.inspect_err(|_| drop(fs::remove_file(&beside)))?;
        let file = SocketFile { path: beside, device: made.dev(), number: made.ino() };
        Ok(Self { listener, file, path: path.to_owned() })
    }

    /// Puts the socket at its path, in the place of any other.
    ///
    /// # Errors
    /// The system's; then the file is gone.
    pub fn place(self) -> io::Result<UnixSocket> {
        let Self { listener, mut file, path } = self;
        fs::rename(&file.path, &path)?;
        file.path = path;
        UnixSocket::of(listener, Some(file))
    }
}

/// Whether a stale file may be replaced. Never waits for a process that accepts nobody.
async fn expect_nobody(path: &Path) -> io::Result<()> {
    let in_use = |told| Err(io::Error::new(ErrorKind::AddrInUse, told));
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            in_use("another process has it, and does not accept: its queue is full")
        }
        Err(error) => Err(error),
        Ok(_) => in_use("another process answers there"),
    }
}

impl UnixSocket {
    /// A socket that another process made, and whose file is that process's.
    pub fn inherited(listener: UnixListener) -> io::Result<Self> {
        Self::of(listener, None)
    }

    fn of(listener: UnixListener, file: Option<SocketFile>) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self { listener: tokio::net::UnixListener::from_std(listener)?, _file: file })
    }

    /// As the system answers at once.
    pub fn accept_now(&self) -> io::Result<TcpStream> {
        let (socket, _) = SockRef::from(&self.listener).accept()?;
        socket.set_nonblocking(true)?;
        as_tcp(socket.into())
    }

    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        let (stream, _) = ready!(self.listener.poll_accept(cx))?;
        Poll::Ready(stream.into_std().and_then(as_tcp))
    }
}

/// The stream, which does not block, as the one type that connections have. Reading, writing, peeking and shutting down are the same calls to the
/// system for both; options of TCP are refused, which is borne everywhere.
fn as_tcp(stream: net_unix::UnixStream) -> io::Result<TcpStream> {
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
