//! A bar on the terminal while something is measured that takes a known time. Prints nothing where there is no terminal.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Time between two drawings.
const STEP: Duration = Duration::from_millis(200);

/// Characters of the bar.
const WIDTH: usize = 30;

/// Does `work`, which takes some `seconds`, and shows how far it may be.
pub(super) fn with_progress<T>(name: &str, seconds: f64, work: impl FnOnce() -> T) -> T {
    if !stderr().is_terminal() {
        return work();
    }
    thread::scope(|scope| {
        let (done, is_done) = channel::<()>();
        let begun = Instant::now();
        scope.spawn(move || {
            while is_done.recv_timeout(STEP) == Err(RecvTimeoutError::Timeout) {
                draw(&bar(name, begun.elapsed().as_secs_f64() / seconds.max(0.1)));
            }
            draw("");
        });
        let result = work();
        drop(done);
        result
    })
}

fn bar(name: &str, share: f64) -> String {
    // Never full before the end.
    let full = ((share * WIDTH as f64) as usize).min(WIDTH - 1);
    format!("{name:12} [{}{}]", "#".repeat(full), " ".repeat(WIDTH - full))
}

/// Draws over what was there; a terminal that takes nothing is no fault.
fn draw(text: &str) {
    let mut terminal = stderr().lock();
    let _ = write!(terminal, "\r\x1b[K{text}");
    let _ = terminal.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_grows_and_is_never_full_before_the_end() {
        assert_eq!(bar("publishes", 0.0), format!("publishes    [{}]", " ".repeat(WIDTH)));
        assert_eq!(bar("publishes", 0.5).matches('#').count(), WIDTH / 2);
        assert_eq!(bar("publishes", 3.0).matches('#').count(), WIDTH - 1);
    }
}
