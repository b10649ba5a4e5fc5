//! `link set|show|list`.

use hyper::Method;

use super::{Context, done_word, rates_words};
use crate::{cli::LinkSetArgs, control::LinkSet, error::Result, policy::LinkLimitView};

pub(super) async fn set(context: &Context, args: &LinkSetArgs) -> Result<()> {
    let request = args.request()?;
    // The agent checks again; here, a mistake is found without an agent as well.
    request.check()?;
    let path = path(&args.interface);
    let answer: LinkSet = context.client.send(Method::PUT, &path, &request).await?;
    context.warn(&answer.warnings);
    let LinkSet { link, change, .. } = &answer;
    let mut rates = rates_words(link.up, link.down, link.total);
    if rates.is_empty() {
        rates.push("not limited".to_owned());
    }
    if link.overhead_bytes > 0 {
        rates.push(format!("overhead {}b", link.overhead_bytes));
    }
    let (done, name, action) = (done_word(*change), &link.interface, link.action);
    context
        .output
        .done(&answer, format_args!("{done} link {name} ({action}): {}", rates.join("; ")))
}

pub(super) async fn show(context: &Context, interface: &str) -> Result<()> {
    let link: LinkLimitView = context.client.get(&path(interface)).await?;
    context.output.show(&link)
}

pub(super) async fn list(context: &Context) -> Result<()> {
    let links: Vec<LinkLimitView> = context.client.get("/v1/links").await?;
    context.output.show(&links)
}

/// The kernel lets an interface be called almost anything; what an address cannot hold is escaped.
fn path(interface: &str) -> String {
    let escaped = interface.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    });
    format!("/v1/links/{}", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_interfaces_are_escaped() {
        assert_eq!(path("eth0.100"), "/v1/links/eth0.100");
        assert_eq!(path("a?b#c%d/e\u{e4}"), "/v1/links/a%3Fb%23c%25d%2Fe%C3%A4");
    }
}
