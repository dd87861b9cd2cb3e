//! A certificate authority of the test's own: Let's Encrypt's `pebble`, with a name server that knows every name as this machine.
//!
//! Started on free ports in a temporary directory, stopped by process id.

use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;
use tempfile::TempDir;

use crate::redis::free_port;
use crate::{certificates, until};

/// A running authority; stopped and removed when dropped.
pub struct Pebble {
    /// With `ca.pem`, the authority that has signed the server's own certificate.
    directory: TempDir,
    port: u16,
    management: u16,
    names: Child,
    server: Option<Child>,
    environment: Vec<(&'static str, String)>,
    /// What it has logged since its last start.
    said: Arc<Mutex<String>>,
    /// The ports on which challenges are looked at: HTTP-01 and TLS-ALPN-01.
    pub ports: (u16, u16),
}

impl Pebble {
    /// An authority without faults, whose certificates are valid for so many seconds.
    pub fn start(validity: u64) -> Self {
        Self::with(validity, &[])
    }

    /// The same with further variables, such as `PEBBLE_WFE_NONCEREJECT`.
    pub fn with(validity: u64, environment: &[(&'static str, &str)]) -> Self {
        Self::of(validity, environment, None)
    }

    /// An authority that makes accounts only for the owner of an account elsewhere, by its id and its key in base64url.
    pub fn for_owners_of(id: &str, key: &str) -> Self {
        Self::of(360_000, &[], Some((id, key)))
    }

    fn of(validity: u64, environment: &[(&'static str, &str)], external: Option<(&str, &str)>) -> Self {
        let directory = certificates::directory();
        let [port, management, http, tls, names_management] = [(); 5].map(|()| free_port());
        let names_port = names_port();
        let config = format!(
            r#"{{"pebble":{{"listenAddress":"127.0.0.1:{port}","managementListenAddress":"127.0.0.1:{management}",
            "certificate":"cert.pem","privateKey":"key.pem","httpPort":{http},"tlsPort":{tls},
            "externalAccountBindingRequired":{},"externalAccountMACKeys":{{{}}},"certificateValidityPeriod":{validity}}}}}"#,
            external.is_some(),
            external.map(|(id, key)| format!("\"{id}\":\"{key}\"")).unwrap_or_default(),
        );
        fs::write(directory.path().join("pebble.json"), config).unwrap();
        let names = Command::new("pebble-challtestsrv")
            .args(["-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", ""])
            .args(["-dns01", &format!("127.0.0.1:{names_port}")])
            .args(["-management", &format!("127.0.0.1:{names_management}")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("this test needs pebble: install it (Debian: apt install pebble)");
        until("the name server answers", || TcpStream::connect(("127.0.0.1", names_port)).ok());
        // Overridden by what the test gives.
        let usual = [("PEBBLE_VA_NOSLEEP", "1"), ("PEBBLE_WFE_NONCEREJECT", "0"), ("PEBBLE_AUTHZREUSE", "0")];
        let environment = usual.iter().chain(environment).map(|(name, value)| (*name, (*value).to_owned()));
        let environment = environment
            .chain([("FANFARE_TEST_NAMES", format!("127.0.0.1:{names_port}"))])
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let mut pebble = Self {
            directory,
            port,
            management,
            names,
            server: None,
            environment,
            said: Arc::default(),
            ports: (http, tls),
        };
        pebble.restart();
        pebble
    }

    /// The URL of its directory.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}/dir", self.port)
    }

    /// The file with the authority that has signed its server's certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// Ends the server at once; it forgets everything.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }

    /// Starts the server again after [`Pebble::kill`], without accounts, and with another root.
    pub fn restart(&mut self) {
        let names = &self.environment.iter().find(|(name, _)| *name == "FANFARE_TEST_NAMES").unwrap().1;
        let mut command = Command::new("pebble");
        command.current_dir(self.directory.path()).args(["-config", "pebble.json", "-dnsserver", names]);
        for (name, value) in &self.environment {
            command.env(name, value);
        }
        let mut server = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("this test needs pebble: install it (Debian: apt install pebble)");
        let log = server.stdout.take().unwrap();
        let said = Arc::clone(&self.said);
        said.lock().clear();
        // The log is read to its end, or the server would block on a full pipe.
        thread::spawn(move || {
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                let mut said = said.lock();
                said.push_str(&line);
                said.push('\n');
            }
        });
        self.server = Some(server);
        until("pebble answers", || TcpStream::connect(("127.0.0.1", self.port)).ok());
        until("its management answers", || TcpStream::connect(("127.0.0.1", self.management)).ok());
    }

    /// The root of the certificates that it issues now, as PEM.
    pub fn root(&self) -> String {
        let url = format!("https://127.0.0.1:{}/roots/0", self.management);
        curl(&url)
    }

    /// The number of orders so far, by the log.
    pub fn orders(&self) -> usize {
        self.said.lock().lines().filter(|line| line.contains("Issued certificate serial")).count()
    }

    /// What it has logged since its last start.
    pub fn log(&self) -> String {
        self.said.lock().clone()
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        self.kill();
        let _ = self.names.kill();
        let _ = self.names.wait();
    }
}

/// A port that is free for UDP as well, below those that systems give to outgoing connections.
fn names_port() -> u16 {
    loop {
        let port = 30_100 + (RandomState::new().hash_one(0) % 2_600) as u16;
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// What is at a URL of the management, which has the certificate of the test.
fn curl(url: &str) -> String {
    let output = Command::new("curl").args(["-sf", "--insecure", url]).output().unwrap();
    assert!(output.status.success(), "{url}: {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}
