//! Groups, links, exempt peers and whole policies over the socket.

use super::*;

/// A down rate of 8 Mbit/s.
fn sound() -> Value {
    json!({"down": {"bits_per_second": 8_000_000}})
}

#[tokio::test]
async fn a_peer_and_a_host_of_one_prefix_are_two_limits() {
    let running = Running::start();
    let pass = json!({"match": "peer", "action": "pass"});
    running.set("10.0.0.0/8", 8_000).await.unwrap();
    let set: LimitSet = running.put("/v1/limits/10.0.0.0/8", &pass).await.unwrap();
    assert_eq!((set.change, set.limit.matches), (ChangeName::Created, Match::Peer));
    let set: LimitSet = running.put("/v1/limits/10.0.0.0/8?match=peer", &pass).await.unwrap();
    assert_eq!(set.change, ChangeName::Unchanged);
    let shown = async |query: &str| {
        let path = format!("/v1/limits/10.0.0.0/8{query}");
        running.client.get::<LimitView>(&path).await.map(|limit| limit.matches)
    };
    assert_eq!(shown("").await.unwrap(), Match::Host);
    assert_eq!(shown("?match=host").await.unwrap(), Match::Host);
    assert_eq!(shown("?match=peer").await.unwrap(), Match::Peer);
    let stats: StatsView = running.client.get("/v1/stats").await.unwrap();
    assert_eq!(stats.limits.len(), 2);
    let deleted: LimitDeleted =
        running.client.delete("/v1/limits/10.0.0.0/8?match=peer").await.unwrap();
    assert_eq!(deleted.matches, Match::Peer);
    let error = shown("?match=peer").await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert_eq!(error.to_string(), "prefix 10.0.0.0/8 (peer) has no limit");
    assert_eq!(shown("").await.unwrap(), Match::Host);
}

#[tokio::test]
async fn the_agent_knows_how_long_an_ipv6_host_is() {
    let running = Running::start();
    let set = running.set("2001:db8::7", 8_000).await.unwrap();
    assert_eq!(set.limit.prefix.to_string(), "2001:db8::/64");
    let error = running.set("2001:db8::7/128", 8_000).await.unwrap_err();
    assert!(error.to_string().contains("a /64 here: write 2001:db8::/64"), "{error}");
    let host: HostExplained = running.client.get("/v1/hosts/2001:db8::7").await.unwrap();
    assert_eq!(host.host.host, "2001:db8::/64");
    let error = running.client.get::<Value>("/v1/hosts/2001:db9::7").await.unwrap_err();
    assert_eq!(error.to_string(), "host 2001:db9::/64 is not known");
}

#[tokio::test]
async fn a_group_is_set_shown_listed_and_deleted_once_nobody_needs_it() {
    let running = Running::start();
    let member = json!({"group": "acme", "down": {"bits_per_second": 8_000}});
    let error = running.put::<Value>("/v1/limits/10.0.0.0/24", &member).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (Kind::NotFound, "there is no group acme")
    );
    assert!(error.hint_text().unwrap().contains("group set"));

    let set: GroupSet = running.put("/v1/groups/acme", &sound()).await.unwrap();
    assert_eq!((set.change, set.group.name.as_str()), (ChangeName::Created, "acme"));
    assert_eq!(set.group.down.burst_bytes, Some(250_000));
    let set: GroupSet = running.put("/v1/groups/acme", &sound()).await.unwrap();
    assert_eq!(set.change, ChangeName::Unchanged);
    let shown: GroupView = running.client.get("/v1/groups/acme").await.unwrap();
    let listed: Vec<GroupView> = running.client.get("/v1/groups").await.unwrap();
    assert_eq!(listed, [shown]);

    let set: LimitSet = running.put("/v1/limits/10.0.0.0/24", &member).await.unwrap();
    assert_eq!(set.limit.group.unwrap().as_str(), "acme");
    let error = running.client.delete::<Value>("/v1/groups/acme").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    assert_eq!(error.to_string(), "group acme is used by 10.0.0.0/24");
    let stats: StatsView = running.client.get("/v1/stats").await.unwrap();
    assert_eq!(stats.groups[0].name.as_str(), "acme");

    running.client.delete::<LimitDeleted>("/v1/limits/10.0.0.0/24").await.unwrap();
    let deleted: GroupDeleted = running.client.delete("/v1/groups/acme").await.unwrap();
    assert_eq!(deleted.deleted.as_str(), "acme");
    for error in [
        running.client.get::<Value>("/v1/groups/acme").await.unwrap_err(),
        running.client.delete::<Value>("/v1/groups/acme").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::NotFound);
    }
}

#[tokio::test]
async fn the_limit_of_a_link_is_set_shown_listed_and_lifted() {
    let running = Running::start();
    let limited = json!({"total": {"burst_bytes": 1 << 20, "refill_time_ns": 100_000_000},
                         "overhead_bytes": 38, "action": "observe"});
    let set: LinkSet = running.put("/v1/links/eth1", &limited).await.unwrap();
    assert_eq!(set.change, ChangeName::Created);
    assert_eq!((set.link.overhead_bytes, set.link.total.bits_per_second), (38, Some(83_886_080)));
    let shown: LinkLimitView = running.client.get("/v1/links/eth1").await.unwrap();
    assert_eq!(shown, set.link);
    let listed: Vec<LinkLimitView> = running.client.get("/v1/links").await.unwrap();
    assert_eq!(listed.len(), 2);
    let set: LinkSet = running.put("/v1/links/eth1", &json!({})).await.unwrap();
    assert_eq!((set.change, set.link.total.bits_per_second), (ChangeName::Replaced, None));
    for error in [
        running.client.get::<Value>("/v1/links/eth9").await.unwrap_err(),
        running.put::<Value>("/v1/links/eth9", &limited).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::NotFound);
        assert_eq!(error.to_string(), "interface eth9 is not attached");
        assert_eq!(error.hint_text(), Some("attached are eth1, eth2"));
    }
}

#[tokio::test]
async fn what_is_in_force_is_a_policy_that_can_be_put_in_force() {
    let running = Running::start();
    let policy = json!({
        "limits": [
            {"prefix": "10.0.0.0/24", "action": "pace:20ms", "group": "acme",
             "up": {"burst_bytes": 1 << 20, "refill_time_ns": 100_000_000},
             "down": {"bits_per_second": 8_000_000, "packets_per_second": 2_000},
             "one_time_burst_bytes": 5_000_000, "packet_unit_bytes": 1500},
            {"prefix": "10.0.0.0/24", "match": "peer", "action": "pass"},
            {"prefix": "2001:db8::7", "scope": "shared",
             "total": {"burst_packets": 10, "packets_refill_time_ns": 10_000_000}},
        ],
        "groups": [{"name": "acme", "action": "observe", "down": {"bits_per_second": 100_000_000}}],
        "links": [{"interface": "eth1", "overhead_bytes": 38}],
    });
    let applied: PolicyApplied = running.put("/v1/policy", &policy).await.unwrap();
    assert_eq!((applied.limits_set, applied.limits_deleted), (3, 0));
    assert_eq!((applied.groups_set, applied.groups_deleted, applied.links_set), (1, 0, 1));

    let in_force: PolicyRequest = running.client.get("/v1/policy").await.unwrap();
    assert_eq!((in_force.limits.len(), in_force.links.len()), (3, 1));
    let again: PolicyApplied = running.put("/v1/policy", &in_force).await.unwrap();
    assert_eq!(
        (again.limits_set, again.limits_deleted, again.groups_set, again.links_set),
        (0, 0, 0, 0)
    );
    assert_eq!(running.client.get::<PolicyRequest>("/v1/policy").await.unwrap(), in_force);

    let nothing: PolicyApplied = running.put("/v1/policy", &json!({})).await.unwrap();
    assert_eq!((nothing.limits_deleted, nothing.groups_deleted, nothing.links_set), (3, 1, 1));
    let empty: PolicyRequest = running.client.get("/v1/policy").await.unwrap();
    assert_eq!(empty, PolicyRequest::default());
}

#[tokio::test]
async fn a_policy_that_cannot_be_put_in_force_changes_nothing() {
    let running = Running::start();
    running.set("10.0.0.0/24", 8_000).await.unwrap();
    let before: PolicyRequest = running.client.get("/v1/policy").await.unwrap();
    for (policy, kind) in [
        (json!([]), Kind::Usage),
        (json!({"links": [{"interface": "eth9"}]}), Kind::NotFound),
        (json!({"limits": [{"prefix": "10.0.0.7", "group": "acme"}]}), Kind::Usage),
    ] {
        let error = running.put::<Value>("/v1/policy", &policy).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
    assert_eq!(running.client.get::<PolicyRequest>("/v1/policy").await.unwrap(), before);
}

#[tokio::test]
async fn a_policy_may_be_as_large_as_a_table_of_limits() {
    let running = Running::start();
    let prefix = |number: u32| std::net::Ipv4Addr::from(number << 8);
    let limits: Vec<_> = (0..100_000)
        .map(|number| json!({"prefix": format!("{}/24", prefix(number)), "down": sound()["down"]}))
        .collect();
    let applied: PolicyApplied =
        running.put("/v1/policy", &json!({"limits": limits})).await.unwrap();
    assert_eq!(applied.limits_set, 100_000);
}

#[tokio::test]
async fn limits_that_cannot_pace_earn_warnings() {
    let running = Running::start();
    let pace_ready = async || {
        let status: Value = running.client.get("/v1/status").await.unwrap();
        status["links"][0]["pace_ready"].clone()
    };
    assert_eq!(pace_ready().await, Value::Null, "no limit paces");
    let paced = json!({"action": "pace", "up": {"bits_per_second": 8_000_000}});
    let set: LimitSet = running.put("/v1/limits/10.0.0.0/24", &paced).await.unwrap();
    // Both links are far, so nothing that hosts send leaves by them, and neither has fq.
    assert_eq!(set.warnings.len(), 4, "{:?}", set.warnings);
    let policy: PolicyRequest = running.client.get("/v1/policy").await.unwrap();
    let applied: PolicyApplied = running.put("/v1/policy", &policy).await.unwrap();
    assert_eq!(applied.warnings.len(), 4, "{:?}", applied.warnings);
    assert_eq!(pace_ready().await, false);
    let status: StatusView = running.client.get("/v1/status").await.unwrap();
    assert_eq!(status.warnings.len(), 2);
    assert!(status.warnings[0].contains("tc qdisc replace dev eth1 root fq"));
}
