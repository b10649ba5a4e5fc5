//! `cargo xtask verify`: loads the program with the least privileges and as it is called, and prints what the verifier
//! made of it as JSON, for xtask to show.

use anyhow::Result;
use throttle_tests::verify;

fn main() -> Result<()> {
    // First, so that what aya finds out about the kernel it finds out with these.
    let least = verify::run_with_least_privileges()?;
    let own = verify::run()?;
    println!("{}", serde_json::to_string(&[own, least])?);
    Ok(())
}
