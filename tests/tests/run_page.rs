//! The web page in a browser.

use serde_json::Value;
use throttle_tests::browser::Browser;
use throttle_tests::flood::{Flood, RunningFlood};
use throttle_tests::lab::Lab;
use throttle_tests::require_root;
use throttle_tests::router::{End, Router};
use throttle_tests::traffic::{Direction, Family, MBIT};

const HOST: End = End::host(0);
const LIMIT: u64 = 10 * MBIT;
const ORIGIN: &str = "http://127.0.0.1:9190/";

#[test]
fn a_browser_shows_hosts_against_their_limits_and_finds_one() {
    require_root!();
    let (lab, _flood) = limited();
    let mut browser = Browser::start(lab.router.namespace(End::Router)).unwrap();
    browser.resize(1280).unwrap();
    browser.open(ORIGIN).unwrap();
    let host = HOST.address(Family::V4).to_string();
    let row = format!(
        "[...document.querySelectorAll('#hosts tbody tr')].map(row => row.innerText)
         .find(text => text.startsWith('{host}\\t')) ?? ''"
    );
    // What passes is what is allowed: 9.5 to 10.5mbit.
    let is_at_its_limit = |row: &Value| {
        let row = row.as_str().unwrap_or_default();
        let percents =
            row.split_whitespace().filter_map(|word| word.strip_suffix('%')?.parse().ok());
        percents.into_iter().any(|percent: u32| (95..=105).contains(&percent))
    };
    let row = browser.wait_for(&row, is_at_its_limit).unwrap();
    assert!(row.as_str().unwrap().contains("mbit"), "{row}");
    let reasons = text_of("#reasons tbody");
    browser.wait_for(&reasons, |text| text.as_str().unwrap().contains("host_bytes")).unwrap();
    assert!(browser.evaluate(&text_of("#links tbody")).unwrap().as_str().unwrap().contains("lan0"));
    assert_eq!(browser.evaluate("document.getElementById('trouble').hidden").unwrap(), true);

    let search = format!(
        "document.getElementById('address').value = '{host}';
         document.getElementById('search').requestSubmit()"
    );
    browser.evaluate(&search).unwrap();
    let panel = browser
        .wait_for(&text_of("#host"), |text| text.as_str().unwrap().contains("10.0mbit"))
        .unwrap();
    assert!(panel.as_str().unwrap().contains(&format!("limit {host}/32")), "{panel}");

    for width in [1280, 390] {
        browser.resize(width).unwrap();
        let widest = browser.evaluate("document.documentElement.scrollWidth").unwrap();
        assert!(widest.as_u64().unwrap() <= u64::from(width), "{widest} of {width} pixels");
    }
    assert_eq!(browser.errors, Vec::<String>::new());
    let foreign: Vec<_> =
        browser.requests.iter().filter(|url| !url.starts_with(ORIGIN) && !is_inline(url)).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}

#[test]
fn the_address_of_the_page_names_a_host_and_strangers_are_told_of() {
    require_root!();
    let (lab, _flood) = limited();
    let mut browser = Browser::start(lab.router.namespace(End::Router)).unwrap();
    let host = HOST.address(Family::V4);
    browser.open(&format!("{ORIGIN}#{host}")).unwrap();
    let is_shown = |text: &Value| text.as_str().unwrap().contains("10.0mbit");
    browser.wait_for(&text_of("#host-flows"), is_shown).unwrap();
    browser.evaluate("location.hash = '10.99.0.1'").unwrap();
    let is_unknown = |text: &Value| text.as_str().unwrap().contains("not known");
    browser.wait_for(&text_of("#host-words"), is_unknown).unwrap();
    browser.evaluate("document.getElementById('close').click()").unwrap();
    browser.wait_for("document.getElementById('host').hidden", |hidden| *hidden == true).unwrap();
}

#[test]
fn the_page_says_when_the_agent_is_gone_and_goes_on_when_it_is_back() {
    require_root!();
    let (mut lab, _flood) = limited();
    let mut browser = Browser::start(lab.router.namespace(End::Router)).unwrap();
    browser.open(ORIGIN).unwrap();
    let trouble = "document.getElementById('trouble').hidden ? '' \
                   : document.getElementById('trouble').innerText";
    browser.wait_for(&text_of("#links tbody"), |text| *text != "").unwrap();
    lab.agent.kill().unwrap();
    let tells = |text: &Value| text.as_str().unwrap().starts_with("No answer from the agent");
    browser.wait_for(trouble, tells).unwrap();
    lab.agent.restart().unwrap();
    browser.wait_for(trouble, |text| *text == "").unwrap();
}

/// A router with a host that sends four times what it may.
fn limited() -> (Lab, RunningFlood) {
    let options = ["--iface", "lan0", "--metrics", "9190"];
    let lab = Lab::with(Router::new().unwrap(), &options).unwrap();
    lab.limit(HOST, Family::V4, Direction::Up, LIMIT).unwrap();
    let flood = Flood::new(&lab.router, HOST, End::Server, Family::V4).rate(4 * LIMIT);
    let flood = flood.start().unwrap();
    (lab, flood)
}

fn text_of(selector: &str) -> String {
    format!("document.querySelector('{selector}')?.innerText ?? ''")
}

/// Whether an address needs nobody to answer.
fn is_inline(url: &str) -> bool {
    ["about:", "data:"].iter().any(|scheme| url.starts_with(scheme))
}
