//! Harness for tests with real traffic: throw-away network namespaces, packet floods, independent
//! measurement and a running agent. Everything it makes is undone on drop, also after a panic.

pub mod agent;
pub mod bars;
pub mod command;
pub mod flood;
pub mod hooks;
pub mod interrupt;
pub mod lab;
pub mod leftovers;
pub mod measure;
pub mod netns;
pub mod packets;
pub mod prog;
pub mod promise;
pub mod public;
pub mod restrict;
pub mod router;
pub mod scenario;
pub mod shim;
pub mod sink;
pub mod table;
pub mod tcp;
pub mod traffic;
