//! The header `Date`, built once a second and thread.
//!
//! hyper can send the header, but continues from the latest moment seen: after a clock that was ahead is set
//! right, hyper's dates stay ahead until the clock has caught up.

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use httpdate::HttpDate;
use hyper::header::HeaderValue;

/// The text of the last second asked for.
struct Made {
    second: u64,
    value: HeaderValue,
}

thread_local! {
    static MADE: RefCell<Option<Made>> = const { RefCell::new(None) };
}

/// The current time.
pub(super) fn now() -> HeaderValue {
    at(fanfare_node::clock::unix_seconds())
}

fn at(second: u64) -> HeaderValue {
    MADE.with_borrow_mut(|made| match made {
        Some(made) if made.second == second => made.value.clone(),
        _ => {
            let value = written(UNIX_EPOCH + Duration::from_secs(second));
            *made = Some(Made { second, value: value.clone() });
            value
        }
    })
}

fn written(moment: SystemTime) -> HeaderValue {
    HeaderValue::try_from(HttpDate::from(moment).to_string()).expect("a date is a header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_written_as_rfc_9110_has_it() {
        assert_eq!(at(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn the_date_goes_back_with_the_clock() {
        assert_eq!(at(784_111_778), "Sun, 06 Nov 1994 08:49:38 GMT");
        assert_eq!(at(784_108_178), "Sun, 06 Nov 1994 07:49:38 GMT");
        assert_eq!(at(784_111_778), "Sun, 06 Nov 1994 08:49:38 GMT");
    }
}
