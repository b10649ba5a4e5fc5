//! Every suite in one binary, which is linked once.

mod cli_errors;
mod cli_stats;
mod control_peers;
mod guest_delay;
mod guest_harness;
mod guest_vlan;
mod prog_limits;
mod prog_packets;
mod run_log;
mod run_start;
mod traffic_attack;
mod traffic_crash;
mod traffic_detach;
mod traffic_flood;
mod traffic_harness;
mod traffic_hosts;
mod traffic_levels;
mod traffic_links;
mod traffic_live;
mod traffic_neighbours;
mod traffic_packets;
mod traffic_tcp;
