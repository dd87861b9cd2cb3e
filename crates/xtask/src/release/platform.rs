//! The platforms that a release is built for, and what this machine lacks for each.

use std::path::PathBuf;

use crate::step::output_of;
use crate::workspace::target;

/// A platform, as compiler and packages call the platform.
pub struct Platform {
    /// The compiler's name.
    pub triple: &'static str,
    /// Debian's name of the machine.
    pub debian: &'static str,
    /// The machine's name in RPM, and of its emulator.
    pub machine: &'static str,
    /// The oldest GNU C library that the binary runs with; none for one that brings its own.
    pub glibc: Option<&'static str>,
}

/// That of Debian 10, RHEL 8 and everything since.
const OLDEST_GLIBC: Option<&str> = Some("2.28");

const ALL: [Platform; 4] = [
    Platform { triple: "x86_64-unknown-linux-gnu", debian: "amd64", machine: "x86_64", glibc: OLDEST_GLIBC },
    Platform {
        triple: "aarch64-unknown-linux-gnu",
        debian: "arm64",
        machine: "aarch64",
        glibc: OLDEST_GLIBC,
    },
    Platform { triple: "x86_64-unknown-linux-musl", debian: "amd64", machine: "x86_64", glibc: None },
    Platform { triple: "aarch64-unknown-linux-musl", debian: "arm64", machine: "aarch64", glibc: None },
];

/// All of them, this machine's own first.
pub fn all() -> Vec<&'static Platform> {
    let mut all: Vec<&Platform> = ALL.iter().collect();
    all.sort_by_key(|platform| !platform.is_host());
    all
}

/// That of the machine that builds; none on machines that no binary is made for.
pub fn host() -> Option<&'static Platform> {
    ALL.iter().find(|platform| platform.is_host())
}

impl Platform {
    /// Whether this is the machine that builds, with its GNU C library.
    pub fn is_host(&self) -> bool {
        self.glibc.is_some() && self.machine == std::env::consts::ARCH
    }

    /// Why nothing can be built for this platform here.
    pub fn missing(&self) -> Option<String> {
        let library = output_of("rustc", &["--print", "target-libdir", "--target", self.triple]);
        let is_there = library.is_some_and(|folder| PathBuf::from(folder).exists());
        (!is_there).then(|| {
            format!("the compiler has no standard library for it here (rustup target add {})", self.triple)
        })
    }

    /// The program that runs such a binary here; none where the machine does itself.
    ///
    /// # Errors
    /// In words: what is missing.
    pub fn runner(&self) -> Result<Option<String>, String> {
        if self.machine == std::env::consts::ARCH {
            return Ok(None);
        }
        let emulator = format!("qemu-{}", self.machine);
        match output_of(&emulator, &["--version"]) {
            Some(_) => Ok(Some(emulator)),
            None => Err(format!("there is no {emulator} here (on Debian: apt-get install qemu-user)")),
        }
    }

    /// What cargo-zigbuild calls the platform.
    pub fn of_zig(&self) -> String {
        self.glibc.map_or_else(|| self.triple.to_owned(), |version| format!("{}.{version}", self.triple))
    }

    /// Where cargo puts the binary.
    pub fn binary(&self) -> PathBuf {
        target().join(self.triple).join("dist/fanfare")
    }
}
