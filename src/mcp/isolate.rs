//! Keeps a panic in one call from becoming a call that is never answered.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;

/// Says that a future panicked.
#[derive(Debug)]
pub(super) struct Panicked;

/// Runs a future to its end or to its panic.
///
/// A use case that panicked is dropped and never polled again, so what it left half done is not seen by anybody.
pub(super) async fn isolate<T>(future: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut future = pin!(future);
    poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))).map_or_else(
            |payload| {
                drop_quietly(payload);
                std::task::Poll::Ready(Err(Panicked))
            },
            |poll| poll.map(Ok),
        )
    })
    .await
}

/// Drops what a panic carried, which may panic itself.
fn drop_quietly(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_value() {
        assert_eq!(isolate(async { 7 }).await.ok(), Some(7));
        assert!(isolate(async { panic!("before") }).await.is_err());
        let late = async {
            tokio::task::yield_now().await;
            panic!("after an await")
        };
        assert!(isolate(late).await.is_err());
    }
}
