//! Work that goes on when the client that asked for it is gone: what was begun ends with its entry in the audit log (CON-059).

use std::future::pending;
use std::panic::resume_unwind;

/// Runs work in a task of its own: dropping the returned future does not stop the work. A panic goes on here.
pub(crate) async fn unbroken<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
        // The runtime ends, and whoever waits with it.
        Err(_) => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn con_059_work_that_was_begun_goes_on_when_nobody_waits_for_it_any_more() {
        let (begins, has_begun) = oneshot::channel();
        let (go_on, may_go_on) = oneshot::channel::<()>();
        let (ends, has_ended) = oneshot::channel();
        let work = unbroken(async move {
            begins.send(()).expect("waited for");
            may_go_on.await.expect("sent");
            ends.send(()).expect("waited for");
        });
        tokio::select! {
            () = work => panic!("it waits"),
            begun = has_begun => begun.expect("sent"),
        }
        go_on.send(()).expect("the work goes on");
        has_ended.await.expect("the work has ended");
    }
}
