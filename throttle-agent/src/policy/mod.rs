//! The policy: limits as an operator states them, validated and free of any map layout.

mod burst;
mod limit;
mod prefix;
mod range;
mod request;
mod view;

pub use burst::{Burst, BurstError};
pub use limit::{Action, ByteRate, Limit, PacketRate, Rates, Scope};
pub use prefix::{IPV6_HOST_PREFIX_BITS, parse_host, parse_prefix};
pub use request::{Checked, LimitRequest, RatesRequest};
pub use view::{LimitView, RatesView};
