//! The folders that calls may be about, where the user narrows them.

use crate::config::Config;
use crate::service::context::Service;
use crate::service::doctor::finding::Finding;
use crate::service::setup::call::harmless;

/// Says which of them admit nothing or too much; nothing is said where there are none.
pub(super) fn finding(service: &Service, config: &Config) -> Option<Finding> {
    const WHAT: &str = "roots";
    let roots = &config.roots.value;
    if roots.is_empty() {
        return None;
    }
    for root in roots {
        if let Err(fault) = harmless(service, root) {
            return Some(Finding::attention(
                WHAT,
                format!("`{}` of [policy] roots: {}", root.display(), fault.message),
                format!("correct or remove it ({})", config.roots.origin),
            ));
        }
    }
    let names: Vec<String> = roots.iter().map(|root| root.display().to_string()).collect();
    Some(Finding::ready(
        WHAT,
        format!("calls may be about what is in {}", names.join(", ")),
    ))
}
