//! The command line's end of the socket.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response,
    body::Incoming,
    client::conn::http1,
    header::{CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{net::UnixStream, time::timeout};

use super::refusal::Refusal;
use crate::{
    error::{Error, Kind, Result, ResultExt},
    instance::{Instance, PIN_ROOT, has_pins},
};

/// Reading a million hosts takes about a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks the agent of one instance.
#[derive(Debug, Clone)]
pub struct Client {
    instance: Instance,
    socket: PathBuf,
}

impl Client {
    /// A client of the instance whose socket is in `run_dir`.
    #[must_use]
    pub fn new(instance: Instance, run_dir: &Path) -> Self {
        Self { socket: instance.socket(run_dir), instance }
    }

    /// Asks for something.
    ///
    /// # Errors
    /// [`Kind::NotRunning`] when there is no agent, [`Kind::NotPermitted`] when it may not be asked,
    /// else what the agent answers.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    /// As [`get`](Self::get); returns the JSON as the agent wrote it, on one line.
    ///
    /// # Errors
    /// As with [`get`](Self::get).
    pub async fn get_json(&self, path: &str) -> Result<Bytes> {
        self.ask_for_text(Method::GET, path, Bytes::new()).await
    }

    /// Sends something.
    ///
    /// # Errors
    /// As with [`get`](Self::get).
    pub async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        let body = serde_json::to_vec(body).doing(Kind::Failed, || "writing the request")?;
        self.ask(method, path, body.into()).await
    }

    /// Deletes something.
    ///
    /// # Errors
    /// As with [`get`](Self::get).
    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.ask(Method::DELETE, path, Bytes::new()).await
    }

    /// Calls `each` with every line of an endless answer, until that fails or the agent ends.
    ///
    /// # Errors
    /// As with [`get`](Self::get), and those of `each`; [`Kind::NotRunning`] when the agent ends.
    pub async fn lines<T: DeserializeOwned>(
        &self,
        path: &str,
        each: impl FnMut(T) -> Result<()>,
    ) -> Result<()> {
        self.items(path, each).await?;
        Err(Error::not_running(format_args!("the agent of instance {} has ended", self.instance)))
    }

    /// Calls `each` with every line of an answer, until that fails or the answer ends.
    ///
    /// # Errors
    /// As with [`get`](Self::get), and those of `each`.
    pub async fn items<T: DeserializeOwned>(
        &self,
        path: &str,
        mut each: impl FnMut(T) -> Result<()>,
    ) -> Result<()> {
        let mut body = self.open(Method::GET, path, Bytes::new()).await?.into_body();
        let mut pending = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| self.hung_up(error))?;
            let data = frame.into_data().unwrap_or_default();
            for part in data.split_inclusive(|&byte| byte == b'\n') {
                pending.extend_from_slice(part);
                if part.ends_with(b"\n") {
                    each(decode(&pending)?)?;
                    pending.clear();
                }
            }
        }
        Ok(())
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes) -> Result<T> {
        decode(&self.ask_for_text(method, path, body).await?)
    }

    async fn ask_for_text(&self, method: Method, path: &str, body: Bytes) -> Result<Bytes> {
        let asked = async {
            let response = self.open(method, path, body).await?;
            self.collect(response).await
        };
        timeout(PATIENCE, asked).await.map_err(|_| self.too_slow())?
    }

    /// Connects, sends the request, and turns a refusal into an error.
    async fn open(&self, method: Method, path: &str, body: Bytes) -> Result<Response<Incoming>> {
        let stream =
            UnixStream::connect(&self.socket).await.map_err(|error| self.no_agent(error))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.hung_up(error))?;
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "throttle")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .doing(Kind::Failed, || format!("asking for {path}"))?;
        let response = sender.send_request(request).await.map_err(|error| self.hung_up(error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let body = self.collect(response).await?;
        Err(decode::<Refusal>(&body)?.into())
    }

    async fn collect(&self, response: Response<Incoming>) -> Result<Bytes> {
        let body = response.into_body().collect().await;
        Ok(body.map_err(|error| self.hung_up(error))?.to_bytes())
    }

    fn no_agent(&self, error: io::Error) -> Error {
        let (instance, socket) = (&self.instance, self.socket.display());
        if [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused].contains(&error.kind()) {
            let option = instance.option();
            let error = Error::not_running(format_args!(
                "no agent runs for instance {instance}: nothing answers on {socket}"
            ));
            return if has_pins(Path::new(PIN_ROOT), instance.name()) {
                error.hint(format_args!(
                    "its limits stay in force: take them over with throttle-agent run{option}, or end \
                     them with throttle-agent detach{option} --all"
                ))
            } else {
                error.hint(format_args!("start one: throttle-agent run{option} --iface IF"))
            };
        }
        let error = Error::of_io(error, format_args!("connecting to {socket}"));
        if error.kind() != Kind::NotPermitted {
            return error;
        }
        error.hint("run it as root, for instance with sudo, or as a member of group throttle")
    }

    fn too_slow(&self) -> Error {
        let socket = self.socket.display();
        Error::failed(format_args!("no answer from {socket} in {PATIENCE:?}")).hint(format_args!(
            "the agent may still be at it, as where the disk is slow that it saves changes on: what it was asked \
             for comes into force as a whole or not at all, and throttle-agent status{} answers at any time",
            self.instance.option()
        ))
    }

    fn hung_up(&self, error: hyper::Error) -> Error {
        Error::from(anyhow::Error::new(error))
            .context(format_args!("talking to the agent on {}", self.socket.display()))
            .hint(format_args!(
                "if the agent has ended, which throttle-agent status{} tells, a change that it was asked for is \
                 in force as a whole or not at all",
                self.instance.option()
            ))
    }
}

fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).doing(Kind::Failed, || "reading the agent's answer")
}
