//! A Prometheus of its own, which scrapes an agent inside a namespace.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::command;
use crate::folder::Folder;
use crate::http;
use crate::netns::Namespace;

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running Prometheus; ended on drop, with all it has stored.
#[derive(Debug)]
pub struct Prometheus<'a> {
    namespace: &'a Namespace,
    address: SocketAddr,
    /// Goes once the process has ended.
    folder: Folder,
    process: Child,
}

impl<'a> Prometheus<'a> {
    /// Starts one that scrapes `target` once a second.
    pub fn start(namespace: &'a Namespace, target: SocketAddr) -> Result<Self> {
        let folder = Folder::new()?;
        let config = folder.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s}}\n\
             scrape_configs: [{{job_name: throttle, static_configs: [{{targets: ['{target}']}}]}}]\n"
        );
        fs::write(&config, text)?;
        let log = File::create(folder.path().join("log"))?;
        let address: SocketAddr = "127.0.0.1:9090".parse()?;
        let process = namespace
            .command("prometheus")?
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=warn")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("starting prometheus; hint: install Debian's package of this name")?;
        let mut prometheus = Self { namespace, address, folder, process };
        prometheus.wait_until_ready()?;
        Ok(prometheus)
    }

    /// The series that an expression yields now: labels and value.
    pub fn query(&self, expression: &str) -> Result<Vec<(Value, f64)>> {
        let path = format!("/api/v1/query?query={}", http::escaped(expression));
        let answer = http::get(self.namespace, self.address, &path, &[])?;
        let value: Value = serde_json::from_str(&answer.body)
            .with_context(|| format!("{expression}: {}", answer.body))?;
        ensure!(value["status"] == "success", "{expression}: {value}");
        let series = value["data"]["result"].as_array().context("no result")?;
        let read = |series: &Value| {
            let text = series["value"][1].as_str().context("no value")?;
            Ok((series["metric"].clone(), text.parse()?))
        };
        series.iter().map(read).collect()
    }

    /// The only value that an expression yields now; `None` when there is none yet.
    pub fn value(&self, expression: &str) -> Result<Option<f64>> {
        let series = self.query(expression)?;
        ensure!(series.len() <= 1, "{expression} has several series: {series:?}");
        Ok(series.first().map(|(_, value)| *value))
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !self.is_ready() {
            let runs = self.process.try_wait()?.is_none() && Instant::now() < deadline;
            let log = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            ensure!(runs, "prometheus does not answer; its log:\n{}", log());
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn is_ready(&self) -> bool {
        let answer = http::get(self.namespace, self.address, "/-/ready", &[]);
        answer.is_ok_and(|answer| answer.status == 200)
    }
}

impl Drop for Prometheus<'_> {
    fn drop(&mut self) {
        // Both fail only for a process that has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What `promtool check metrics` finds wrong with a scrape; nothing when it is sound.
pub fn check_metrics(text: &str) -> Result<String> {
    let mut promtool = std::process::Command::new("promtool");
    command::run_with_input(promtool.args(["check", "metrics"]), text)
}
