//! What listeners are told.

use std::time::Duration;

use serde_json::Value;
use tokio::{sync::mpsc, time::timeout};

use super::Running;
use crate::{control::Told, error::Kind, events::What};

/// What a listener is told, as JSON.
fn listen(running: &Running, path: &'static str) -> mpsc::UnboundedReceiver<Value> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let client = running.client.clone();
    tokio::spawn(async move {
        let told = |told: Told| {
            let _nobody_reads = sender.send(serde_json::to_value(told).unwrap());
            Ok(())
        };
        client.lines(path, told).await
    });
    receiver
}

async fn next(told: &mut mpsc::UnboundedReceiver<Value>) -> Value {
    timeout(Duration::from_secs(5), told.recv()).await.expect("in time").expect("one more")
}

fn lost(count: u64) -> What {
    What::EventsLost { count }
}

#[tokio::test]
async fn what_was_is_told_and_the_answer_ends() {
    let running = Running::start();
    running.agent.events.publish(lost(1));
    running.agent.events.publish(lost(2));
    let mut counts = Vec::new();
    let told = |told: Told| {
        counts.push(serde_json::to_value(told).unwrap()["count"].clone());
        Ok(())
    };
    running.client.items("/v1/events", told).await.unwrap();
    assert_eq!(counts, [1, 2]);
}

#[tokio::test]
async fn followers_hear_what_was_and_what_comes() {
    let running = Running::start();
    running.agent.events.publish(lost(1));
    let mut told = listen(&running, "/v1/events?follow=true");
    assert_eq!(next(&mut told).await["number"], 1);
    running.agent.events.publish(lost(2));
    assert_eq!(next(&mut told).await["number"], 2);
    running.agent.stop();
    assert_eq!(timeout(Duration::from_secs(5), told.recv()).await.unwrap(), None);
}

#[tokio::test]
async fn whoever_falls_behind_is_told_how_much_it_missed() {
    let running = Running::start();
    let mut told = listen(&running, "/v1/events?follow=true");
    running.agent.events.publish(lost(7));
    assert_eq!(next(&mut told).await["number"], 1);
    // All at once, which leaves the listener no time to read.
    for count in 0..5_000 {
        running.agent.events.publish(lost(count));
    }
    let mut expected = 2;
    let mut missed = 0;
    while expected <= 5_001 {
        let event = next(&mut told).await;
        let number = event["number"].as_u64().unwrap();
        if number == expected {
            expected += 1;
            continue;
        }
        assert_eq!((event["event"].as_str(), missed), (Some("events_lost"), 0), "{event}");
        missed = event["count"].as_u64().unwrap();
        assert_eq!(number, expected + missed - 1, "{event}");
        expected = number + 1;
    }
    assert!(missed > 3_000, "{missed} of 5000 were missed");
}

#[tokio::test]
async fn reports_come_with_the_samples_that_they_are_about() {
    let running = Running::start();
    let mut told = listen(&running, "/v1/events?follow=true&trace=packets,load");
    // The event shows that the listener is there.
    running.agent.events.publish(lost(1));
    next(&mut told).await;
    running.agent.sample().await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    running.agent.sample().await.unwrap();
    let reports = [next(&mut told).await, next(&mut told).await];
    assert_eq!([&reports[0]["report"], &reports[1]["report"]], ["packets", "load"]);
    assert_eq!(reports[0]["packets_per_second"]["host_bytes"], 0);
    assert_eq!(reports[1]["hosts_capacity"], 2);
}

#[tokio::test]
async fn what_cannot_be_told_is_refused_with_what_can() {
    let running = Running::start();
    for (path, expected) in [
        ("/v1/events?follow=true&trace=disk", "write some of bandwidth,packets,load,debug"),
        ("/v1/events?trace=load", "give follow=true as well"),
        ("/v1/events?follow=maybe", "follow"),
    ] {
        let error = running.client.items(path, |_: Told| Ok(())).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Usage, "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}
