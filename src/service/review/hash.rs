//! The hash of a review that was decided: the same for a dry run and for the run that follows it.

use crate::config::Config;
use crate::domain::fingerprint::sha256_hex;
use crate::domain::request::Common;
use crate::domain::review_plan::Depth;
use crate::prompt::{Fence, Prompt};
use crate::service::preflight::Preflight;

/// Characters that are told. Two plans of one user are never taken for each other by them.
const CHARS: usize = 16;

/// Hashes what decides what is sent and how it is looked at. The number drawn for a run is no part of it.
pub(super) fn plan_hash(
    prompts: &[Prompt],
    fence: &Fence,
    depth: Depth,
    common: &Common,
    preflight: &Preflight,
    config: &Config,
) -> String {
    let peer = preflight.program.peer;
    let mut text = format!(
        "review 1\n{peer}\n{}\n{}\n{:?}\n{:?}\n{}\n{:?}\n{}\n",
        depth.as_str(),
        depth.looks(),
        config.model(peer, common).map(String::from),
        config.effort(peer, common).map(String::from),
        common.options.isolation.unwrap_or_default().as_str(),
        preflight.tools,
        common.options.web_search,
    );
    for prompt in prompts {
        text.push_str(&sha256_hex(fence.without_number(prompt.as_str()).as_bytes()));
        text.push('\n');
    }
    let mut hash = sha256_hex(text.as_bytes());
    hash.truncate(CHARS);
    hash
}
