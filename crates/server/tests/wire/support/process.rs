//! The binary as a child process, with all its output.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use parking_lot::{Condvar, Mutex};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

use super::{DEADLINE, eventually};

/// A running `fanfare`; killed when dropped.
pub struct Process {
    child: Child,
    stdout: Mutex<Receiver<String>>,
    stderr: Arc<Log>,
    /// Reads standard error until the process closes it.
    listener: Option<JoinHandle<()>>,
}

/// Standard error so far.
#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

impl Process {
    pub fn spawn(command: &mut Command) -> Self {
        Self::spawn_reading(command, Stdio::null())
    }

    /// The same with this standard input.
    pub fn spawn_reading(command: &mut Command, input: Stdio) -> Self {
        let command = command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary can be run");
        let (sender, stdout) = channel();
        let out = child.stdout.take().expect("standard output is piped");
        thread::spawn(move || each_line(out, |line| drop(sender.send(line))));
        let stderr = Arc::new(Log::default());
        let (log, err) = (Arc::clone(&stderr), child.stderr.take().expect("standard error is piped"));
        let listener = thread::spawn(move || {
            each_line(err, |line| {
                log.lines.lock().push(line);
                log.grown.notify_all();
            });
        });
        Self { child, stdout: Mutex::new(stdout), stderr, listener: Some(listener) }
    }

    /// The next line of standard output; `None` when there is none within the deadline or at all.
    pub fn line(&self) -> Option<String> {
        self.stdout.lock().recv_timeout(DEADLINE).ok()
    }

    /// The lines of standard output that have arrived and were not read yet.
    pub fn lines_so_far(&self) -> Vec<String> {
        self.stdout.lock().try_iter().collect()
    }

    /// All of standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.lines.lock().join("\n")
    }

    /// Waits for a line on standard error that `pick` accepts.
    #[track_caller]
    pub fn log_line<T>(&self, what: &str, pick: impl Fn(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        let mut lines = self.stderr.lines.lock();
        loop {
            if let Some(found) = lines.iter().find_map(|line| pick(line)) {
                return found;
            }
            let late = self.stderr.grown.wait_until(&mut lines, deadline).timed_out();
            assert!(!late, "never logged: {what}; the log is\n{}", lines.join("\n"));
        }
    }

    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(id.expect("a child has a process id"), signal).expect("a child takes signals");
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Limits the size of files that the process may write, like a full disk; `None` removes the limit. The
    /// process has to ignore `XFSZ`.
    pub fn bound_files(&self, bytes: Option<u64>) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let limit = Rlimit { current: bytes, maximum: None };
        prlimit(id, Resource::Fsize, limit).expect("a child's limits can be changed");
    }

    /// The process's peak memory, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("Linux tells of a process");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        let kilobytes = peak.trim().strip_suffix("kB").expect("a unit").trim();
        kilobytes.parse::<u64>().expect("a number") * 1024
    }

    /// Waits for the end, and for the last log line.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        let status =
            eventually("the process ends", || self.child.try_wait().expect("a child can be waited for"));
        if let Some(listener) = self.listener.take() {
            listener.join().expect("the reader of the log does not panic");
        }
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if the process has ended already, which is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
        if thread::panicking() {
            report(&self.stderr());
        }
    }
}

#[expect(clippy::print_stderr, reason = "the log of the server belongs to the report of a failed test")]
fn report(log: &str) {
    eprintln!("--- standard error of fanfare\n{log}\n---");
}

fn each_line(pipe: impl Read, mut take: impl FnMut(String)) {
    for line in BufReader::new(pipe).lines().map_while(Result::ok) {
        take(line);
    }
}
