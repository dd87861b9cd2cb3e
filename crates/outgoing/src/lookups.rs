//! Look-ups of names by the system. A look-up holds a thread of the runtime until its end: up to half a minute for
//! a name whose servers are silent, even when every caller has gone.
//!
//! So a name is looked up once at a time, for all callers; and the number of names at once is bounded, so that enough
//! threads are left for everything else.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use tokio::net::lookup_host;
use tokio::sync::watch;

/// Names at once; half of the runtime's threads for blocking calls.
const MOST: usize = 256;

/// The look-ups of the process, as the threads are the process's.
static OF_THE_PROCESS: LazyLock<Arc<Lookups>> = LazyLock::new(Arc::default);

/// The system's answer: addresses, or the kind of an error and its text.
type Found = Result<Arc<[SocketAddr]>, (io::ErrorKind, String)>;

/// The addresses of a name, in the system's order; the caller puts in the port.
///
/// # Errors
/// The name has no address, or too many other names are being looked up.
pub(crate) async fn look_up(name: &str) -> io::Result<Arc<[SocketAddr]>> {
    let owned = name.to_owned();
    let by_the_system = async move {
        let found = lookup_host((&*owned, 0)).await;
        found.map(Iterator::collect).map_err(|error| (error.kind(), error.to_string()))
    };
    OF_THE_PROCESS.find(name, by_the_system).await
}

/// Names that are being looked up, each with its waiting callers.
#[derive(Debug, Default)]
struct Lookups(Mutex<HashMap<Box<str>, watch::Receiver<Option<Found>>>>);

/// Takes the name off the list on drop, also if the runtime ends meanwhile.
struct UnderWay {
    lookups: Arc<Lookups>,
    name: Box<str>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.lookups.0.lock().remove(&self.name);
    }
}

impl Lookups {
    /// Waits for the addresses of a name; `by_the_system` looks the name up, unless a look-up is under way already.
    async fn find(
        self: &Arc<Self>,
        name: &str,
        by_the_system: impl Future<Output = Found> + Send + 'static,
    ) -> io::Result<Arc<[SocketAddr]>> {
        let mut waiting = self.begin(name, by_the_system)?;
        let found = waiting.wait_for(Option::is_some).await.ok().and_then(|found| found.clone());
        match found {
            Some(Ok(addresses)) => Ok(addresses),
            Some(Err((kind, text))) => Err(io::Error::new(kind, text)),
            None => Err(io::Error::other("it was given up")),
        }
    }

    fn begin(
        self: &Arc<Self>,
        name: &str,
        by_the_system: impl Future<Output = Found> + Send + 'static,
    ) -> io::Result<watch::Receiver<Option<Found>>> {
        let mut names = self.0.lock();
        if let Some(found) = names.get(name) {
            return Ok(found.clone());
        }
        if names.len() >= MOST {
            return Err(io::Error::other("too many other names are being looked up"));
        }
        let (sender, found) = watch::channel(None);
        names.insert(name.into(), found.clone());
        let under_way = UnderWay { lookups: Arc::clone(self), name: name.into() };
        tokio::spawn(async move {
            let found = by_the_system.await;
            // Later callers start a new look-up.
            drop(under_way);
            // Every caller may have gone.
            let _ = sender.send(Some(found));
        });
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::sync::oneshot;

    use super::*;

    fn addresses() -> Arc<[SocketAddr]> {
        Arc::new([SocketAddr::from(([127, 0, 0, 1], 0))])
    }

    #[tokio::test]
    async fn a_name_is_looked_up_once_for_all_who_ask_at_the_same_time_and_anew_for_those_who_come_later() {
        let lookups: Arc<Lookups> = Arc::default();
        let (answer, answered) = oneshot::channel();
        let slow = async { answered.await.expect("an answer") };
        let first = tokio::spawn({
            let lookups = Arc::clone(&lookups);
            async move { lookups.find("a", slow).await }
        });
        tokio::task::yield_now().await;
        let second = lookups.begin("a", async { panic!("it is looked up already") }).expect("there is room");
        answer.send(Ok(addresses())).expect("somebody waits");
        assert_eq!(first.await.expect("it ends").expect("it is found"), addresses());
        assert_eq!(second.borrow().clone(), Some(Ok(addresses())));
        let fault = Err((io::ErrorKind::NotFound, "no such name".to_owned()));
        let error = lookups.find("a", ready(fault)).await.expect_err("there is none any more");
        assert_eq!((error.kind(), error.to_string()), (io::ErrorKind::NotFound, "no such name".to_owned()));
    }

    #[tokio::test]
    async fn names_that_are_never_found_take_no_more_than_their_share_however_often_they_are_asked_for() {
        let lookups: Arc<Lookups> = Arc::default();
        for number in 0..MOST {
            for _ in 0..3 {
                assert!(lookups.begin(&format!("n{number}"), pending()).is_ok());
            }
        }
        let refused = lookups.find("another", ready(Ok(addresses()))).await.expect_err("they are full");
        assert_eq!(refused.to_string(), "too many other names are being looked up");
        assert_eq!(lookups.0.lock().len(), MOST);
    }

    #[test]
    fn a_runtime_that_ends_leaves_no_name_behind() {
        let lookups: Arc<Lookups> = Arc::default();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let waiting = runtime.block_on(async { lookups.begin("a", pending()) });
        drop(runtime);
        assert!(waiting.is_ok() && lookups.0.lock().is_empty());
    }
}
