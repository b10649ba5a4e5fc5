//! What the kernel tells of interfaces and of traffic control, and what it is asked for.

mod dump;
mod flowtables;
mod interfaces;
mod traffic;
mod watch;

use std::{fmt::Display, thread};

use rtnetlink::Handle;

use crate::error::{Error, Result};

pub(crate) use self::{
    flowtables::{Flowtable, flowtables},
    interfaces::{Interface, interfaces},
    traffic::{Filter, Qdisc, filters, qdiscs},
    watch::{Changes, Watch},
};

/// Runs `work` with a connection of its own.
///
/// A thread of its own inherits the network namespace and may block on its own event loop.
pub(crate) fn run<T, W>(doing: impl Display, work: impl FnOnce(Handle) -> W + Send) -> Result<T>
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
