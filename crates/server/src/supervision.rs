//! The running server as its supervisor sees it: what systemd is told, and the end of a process whose runtime has stalled.
//!
//! One thread outside of the runtime does all of this. The runtime never waits for systemd, and the thread waits for neither
//! the runtime nor a lock that a task can hold.

mod notice;
mod notify_socket;
mod report;
mod stall;
mod threads;
mod watch;

use std::io;
use std::process;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

pub use self::notice::Notice;

use self::notice::Message;
use self::notify_socket::NotifySocket;
use self::report::StallReport;
use self::stall::StallClock;
use self::watch::{Watch, beat, between_looks};
use crate::command_line::EXIT_STALLED;
use crate::log::Guard;
use crate::state::State;

/// Most notices that wait to be sent; further ones are dropped, because systemd does not read then.
const MOST_NOTICES: usize = 64;

/// Longest time for the last lines of the log, which a stalled task may keep from being written.
const LAST_LINES: Duration = Duration::from_secs(3);

/// Notices for systemd, sent in this order by the thread; without systemd they go nowhere.
#[derive(Clone, Debug)]
pub struct Notices(SyncSender<Message>);

impl Notices {
    /// Notices that nobody gets.
    #[cfg(test)]
    pub fn nowhere() -> Self {
        Self(sync_channel(1).0)
    }

    /// The queue: what fills it, and what the thread takes out.
    fn queue() -> (Self, Receiver<Message>) {
        let (sender, messages) = sync_channel(MOST_NOTICES);
        (Self(sender), messages)
    }

    /// Has systemd told, without waiting.
    pub fn tell(&self, notice: Notice) {
        // A full queue means that systemd does not read; an ended thread means that the process ends.
        let _ = self.0.try_send(Message::Tell(notice));
    }
}

/// The thread, which ends when this is dropped.
#[derive(Debug)]
pub struct Supervision {
    /// What systemd is told.
    pub notices: Notices,
    thread: Option<JoinHandle<()>>,
}

impl Supervision {
    /// Starts the thread. If the runtime does nothing for `stall`, the thread ends the process with [`EXIT_STALLED`]; `log` is
    /// written out before.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn begin(state: &State, stall: Option<Duration>, log: Guard) -> io::Result<Self> {
        let socket = NotifySocket::from_environment();
        let look = between_looks(stall.into_iter().chain(socket.watchdog()));
        let beats = Arc::default();
        state.node.tasks.spawn("watchdog", beat(Arc::clone(&beats), look));
        let clock = stall.map(|limit| StallClock::new(limit, look, Instant::now()));
        let watch = Watch::new(socket, (beats, look), clock, Handle::current().metrics());
        let (node, places) = (Arc::clone(&state.node), Arc::clone(&state.places));
        let (notices, messages) = Notices::queue();
        let thread = thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
            if let Some(report) = watch.run(&messages) {
                end(report, [node.seats.open(), places.open()], log);
            }
        })?;
        Ok(Self { notices, thread: Some(thread) })
    }
}

impl Drop for Supervision {
    /// Waits until what was told is sent, for the time that systemd is given to read.
    fn drop(&mut self) {
        if self.notices.0.try_send(Message::End).is_ok()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

/// Logs the report and ends the process, whatever becomes of the lines.
fn end(report: StallReport, [connections, http_connections]: [usize; 2], log: Guard) {
    let (written, wait) = sync_channel(1);
    let lines = move || {
        tracing::error!(
            target: "fanfare::watchdog",
            connections, http_connections, status = EXIT_STALLED,
            "the runtime has stalled, and the process ends; a supervisor starts it anew"
        );
        report.log();
        log.end();
        let _ = written.send(());
    };
    if thread::Builder::new().spawn(lines).is_ok() {
        let _ = wait.recv_timeout(LAST_LINES);
    }
    process::exit(EXIT_STALLED.into());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_of_notices_holds_up_nobody_and_keeps_the_first() {
        let (notices, messages) = Notices::queue();
        let told = |number| Notice::Status(format!("{number}"));
        for number in 0..MOST_NOTICES + 10 {
            notices.tell(told(number));
        }
        // A server that ends then does not wait for the thread.
        let (ended, end) = sync_channel::<()>(1);
        let thread = thread::spawn(move || {
            let _ = end.recv();
        });
        drop(Supervision { notices: notices.clone(), thread: Some(thread) });
        drop(ended);
        let kept: Vec<Message> = messages.try_iter().collect();
        assert_eq!(kept.len(), MOST_NOTICES);
        for (number, message) in kept.into_iter().enumerate() {
            assert!(matches!(message, Message::Tell(notice) if notice == told(number)));
        }
        notices.tell(told(0));
        assert!(messages.try_recv().is_ok(), "there is room again");
    }
}
