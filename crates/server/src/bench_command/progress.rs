//! A bar on the terminal while something is measured that takes a known time. Prints nothing where there is no terminal.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::termios::tcgetwinsize;

/// Time between two drawings.
const STEP: Duration = Duration::from_millis(200);

/// Most characters of the bar.
const WIDTH: usize = 30;

/// Characters of a line beside the bar: the name, what is around the bar, and a free place for the cursor.
const BESIDE: usize = 16;

/// Columns of a terminal that does not say how many it has.
const COLUMNS: u16 = 80;

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
                draw(&bar(name, begun.elapsed().as_secs_f64() / seconds.max(0.1), columns()));
            }
            draw("");
        });
        let result = work();
        drop(done);
        result
    })
}

/// Columns of the terminal now.
fn columns() -> usize {
    let size = tcgetwinsize(stderr()).map_or(0, |size| size.ws_col);
    usize::from(if size == 0 { COLUMNS } else { size })
}

/// A line that fits: one that wraps could not be drawn over.
fn bar(name: &str, share: f64, columns: usize) -> String {
    let width = WIDTH.min(columns.saturating_sub(BESIDE));
    if width == 0 {
        return name.chars().take(columns.saturating_sub(1)).collect();
    }
    // Never full before the end.
    let full = ((share * width as f64) as usize).min(width - 1);
    format!("{name:12} [{}{}]", "#".repeat(full), " ".repeat(width - full))
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
        assert_eq!(bar("publishes", 0.0, 80), format!("publishes    [{}]", " ".repeat(WIDTH)));
        assert_eq!(bar("publishes", 0.5, 80).matches('#').count(), WIDTH / 2);
        assert_eq!(bar("publishes", 3.0, 80).matches('#').count(), WIDTH - 1);
    }

    #[test]
    fn a_narrow_terminal_gets_a_line_that_fits() {
        for columns in 1..60 {
            assert!(bar("many events", 0.5, columns).len() < columns, "{columns}");
        }
        assert_eq!(bar("many events", 0.5, 20), "many events  [##  ]");
        assert_eq!(bar("many events", 0.5, 10), "many even");
    }
}
