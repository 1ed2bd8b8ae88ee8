//! Keys of model providers.

use crate::redact::rules::rule::{Gate, Rule};

pub(super) static RULES: [Rule; 8] = [
    Rule::token(
        "anthropic-key",
        &["sk-ant-"],
        r"(?-u:\b)sk-ant-[A-Za-z0-9_-]{24,}",
    ),
    // Old keys have a fixed word in the middle, project and service keys a second prefix; the last form is also used by
    // services that copy the interface.
    Rule::token(
        "openai-key",
        &["sk-"],
        r"(?-u:\b)sk-(?:(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{32,}|or-v1-[a-f0-9]{64}|[A-Za-z0-9]{32,})",
    )
    .entropy(3.2),
    Rule::token(
        "huggingface-token",
        &["hf_", "api_org_"],
        r"(?-u:\b)(?:hf|api_org)_[A-Za-z0-9]{34,}",
    )
    .entropy(3.5),
    Rule::token("google-key", &["AIza"], r"(?-u:\b)AIza[0-9A-Za-z_-]{35,}").entropy(3.2),
    Rule::token(
        "google-oauth",
        &["ya29.", "GOCSPX-"],
        r"(?-u:\b)(?:ya29\.[0-9A-Za-z_-]{20,}|GOCSPX-[0-9A-Za-z_-]{28,})",
    )
    .entropy(3.2),
    Rule::token(
        "model-provider-key",
        &["gsk_", "xai-", "pplx-", "r8_", "nvapi-"],
        r"(?-u:\b)(?:gsk_|xai-|pplx-|r8_|nvapi-)[A-Za-z0-9_-]{36,}",
    )
    .entropy(3.5),
    Rule::token(
        "model-tool-key",
        &["lsv2_", "pcsk_", "tvly-", "csk-", "esecret_", "fw_", "ABSK"],
        r"(?-u:\b)(?:lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}|pcsk_[A-Za-z0-9_]{60,}|tvly-[A-Za-z0-9-]{32,}|csk-[a-z0-9]{48}|esecret_[a-z0-9]{26,}|fw_[A-Za-z0-9]{22,24}(?-u:\b)|ABSK[A-Za-z0-9+/=]{100,})",
    )
    .gate(Gate::Token(22))
    .entropy(3.5),
    Rule::token(
        "model-tracing-key",
        &["sk-lf-"],
        r"(?-u:\b)sk-lf-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    ),
];

#[cfg(test)]
mod tests {
    use crate::redact::rules::examples::{body, hex, keeps, masks};

    #[test]
    fn keys_of_model_providers_are_masked() {
        masks("anthropic-key", &["key: sk-", "ant-", "api03-", &body(90), "-AA"]);
        masks("openai-key", &["OPENAI=sk-", "proj-", &body(48), "_", &body(40)]);
        masks("openai-key", &["sk-", "svcacct-", &body(60)]);
        masks("openai-key", &["\"sk-", &body(48), "\""]);
        masks("openai-key", &["sk-", "or-v1-", &hex(64)]);
        masks("huggingface-token", &["h", "f_", &body(34)]);
        masks("google-key", &["?key=AI", "za", &body(35)]);
        masks("google-oauth", &["ya", "29.", &body(80)]);
        masks("google-oauth", &["GOC", "SPX-", &body(28)]);
        masks("model-provider-key", &["gs", "k_", &body(52)]);
        masks("model-provider-key", &["r", "8_", &body(37)]);
        masks("model-tool-key", &["ls", "v2_pt_", &hex(32), "_", &hex(10)]);
        masks("model-tool-key", &["pc", "sk_", &body(70)]);
        masks("model-tool-key", &["AB", "SK", &body(120)]);
        masks(
            "model-tracing-key",
            &["sk-", "lf-", &hex(8), "-1a2b-3c4d-5e6f-", &hex(12)],
        );
    }

    #[test]
    fn what_only_begins_like_a_key_is_kept() {
        keeps(&["task-", &body(40)]);
        keeps(&["sk-learn and sk-linear-regression-with-many-parts-in-it"]);
        keeps(&["sk-", "proj-", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]);
        keeps(&["sk-", "ant-", "your-key-goes-here-in-this-place"]);
        keeps(&["hf_hub_download(repo_id, filename)"]);
        keeps(&["AI", "za short"]);
        keeps(&["shelf_", &body(40)]);
        keeps(&["pcsk_of_the_vector_store"]);
        keeps(&["fw_version = 3"]);
        keeps(&["sk-", "lf-something"]);
    }
}
