//! A clock that is wrong: a library that moves the date of a process, and of nothing else on the machine.
//!
//! Moves dates alone. Durations stay right, as on a machine whose clock is set wrong and runs well.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

/// The date comes from these three functions of the C library.
const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static time_t shift(void) {
    const char *seconds = getenv("SHIFTED_SECONDS");
    return seconds ? atol(seconds) : 0;
}

int clock_gettime(clockid_t id, struct timespec *at) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, at);
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) at->tv_sec += shift();
    return result;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec now;
    (void) zone;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"#;

/// The library, built for this test.
pub struct WrongClock {
    directory: TempDir,
}

impl WrongClock {
    /// Builds the library with the compiler by which Rust links.
    pub fn build() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (source, library) = (directory.path().join("clock.c"), directory.path().join("clock.so"));
        fs::write(&source, SOURCE).unwrap();
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .args([&library, &source])
            .arg("-ldl")
            .output();
        let built = built.expect("this test needs a C compiler, as Rust does");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        Self { directory }
    }

    /// The environment of a process whose date is so many seconds ahead, or behind if negative.
    pub fn environment(&self, seconds: i64) -> [(&'static str, String); 2] {
        let library = self.directory.path().join("clock.so");
        [("LD_PRELOAD", library.display().to_string()), ("SHIFTED_SECONDS", seconds.to_string())]
    }
}
