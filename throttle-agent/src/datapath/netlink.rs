//! Requests to the kernel's routing and traffic control, from code that is not asynchronous.

use std::{fmt::Display, thread};

use rtnetlink::Handle;

use crate::error::{Error, Result};

/// Runs `work` with a connection of its own.
///
/// A thread of its own inherits the network namespace and may block on its own event loop.
pub(super) fn run<T, W>(doing: impl Display, work: impl FnOnce(Handle) -> W + Send) -> Result<T>
where
    T: Send,
    W: Future<Output = anyhow::Result<T>>,
{
    let outcome = thread::scope(|scope| {
        let work = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let (connection, handle, _) = rtnetlink::new_connection()?;
                tokio::spawn(connection);
                work(handle).await
            })
        };
        scope.spawn(work).join()
    });
    match outcome {
        Ok(done) => done.map_err(|error: anyhow::Error| Error::from(error).context(doing)),
        Err(_) => Err(Error::failed(doing)),
    }
}
