//! Tokens of the tools around a project: pipelines, registries, networks, stores of secrets.

use crate::redact::rules::rule::{Gate, Rule};

pub(super) static RULES: [Rule; 13] = [
    Rule::token(
        "pipeline-token",
        &["CCIPAT_", "CCIPRJ_", "bkua_", "sgp_", "pnu_"],
        r"(?-u:\b)(?:CCIP(?:AT|RJ)_[A-Za-z0-9]{18,}_[a-f0-9]{40}|bkua_[a-z0-9]{40}|sgp_(?:[a-fA-F0-9]{16}_|local_)?[a-fA-F0-9]{40}|pnu_[a-zA-Z0-9]{36})(?-u:\b)",
    )
    .gate(Gate::Token(36))
    .entropy(3.0),
    Rule::token(
        "tailnet-key",
        &["tskey-"],
        r"(?-u:\b)tskey-[a-z]{2,12}-[A-Za-z0-9]{8,24}(?:CNTRL)?-[A-Za-z0-9]{20,}",
    )
    .gate(Gate::Token(30))
    .entropy(3.2),
    Rule::token("rubygems-key", &["rubygems_"], r"(?-u:\b)rubygems_[a-f0-9]{48}(?-u:\b)"),
    Rule::token("nuget-key", &["oy2"], r"(?-u:\b)oy2[a-z0-9]{43}(?-u:\b)")
        .gate(Gate::Token(43))
        .entropy(3.5),
    Rule::token("clojars-token", &["CLOJARS_"], r"(?-u:\b)CLOJARS_[a-z0-9]{60}(?-u:\b)").entropy(3.2),
    Rule::token(
        "artifact-store-key",
        &["AKCp", "cmVmdGtu"],
        r"(?-u:\b)(?:AKCp[A-Za-z0-9]{69}|cmVmdGtu[A-Za-z0-9]{56})(?-u:\b)",
    )
    .gate(Gate::Token(56))
    .entropy(3.8),
    Rule::token("pulumi-token", &["pul-"], r"(?-u:\b)pul-[a-f0-9]{40}(?-u:\b)").gate(Gate::Token(40)),
    Rule::token(
        "one-password-token",
        &["ops_eyJ"],
        r"(?-u:\b)ops_eyJ[A-Za-z0-9_-]{200,}",
    )
    .gate(Gate::Token(200))
    .window(1, 2048)
    .entropy(3.5),
    Rule::token(
        "age-secret-key",
        &["AGE-SECRET-KEY-1"],
        r"(?-u:\b)AGE-SECRET-KEY-1[0-9A-Z]{58}(?-u:\b)",
    ),
    Rule::token(
        "quality-token",
        &["squ_", "sqp_", "sqa_", "CFPAT-", "tfp_", "rdme_"],
        r"(?-u:\b)(?:sq[upa]_[a-f0-9]{40}|CFPAT-[A-Za-z0-9_-]{43}|tfp_[A-Za-z0-9_.=-]{43,}|rdme_[a-z0-9]{70})",
    )
    .gate(Gate::Token(40))
    .entropy(3.2),
    Rule::token(
        "observability-token",
        &["dt0c01.", "dt0s01.", "dt0s02.", "hcaik_", "essu_"],
        r"(?-u:\b)(?:dt0[cs]0[12]\.[A-Z0-9]{24}\.[A-Z0-9]{64}|hcaik_[a-z0-9]{50,}|essu_[A-Za-z0-9+/=]{40,})",
    )
    .gate(Gate::Token(40))
    .entropy(3.2),
    Rule::named(
        "relic-licence-key",
        &["NRAL"],
        r"(?:^|[^A-Za-z0-9])([a-f0-9]{36}NRAL)(?:[^A-Za-z0-9]|$)",
    )
    .window(42, 8),
    Rule::named(
        "okta-token",
        &["SSWS "],
        r"SSWS (00[A-Za-z0-9_-]{40})(?:[^A-Za-z0-9_-]|$)",
    )
    .entropy(3.5),
];

#[cfg(test)]
mod tests {
    use crate::redact::rules::examples::{base32, body, hex, keeps, masks};

    #[test]
    fn tokens_of_tools_are_masked() {
        masks("pipeline-token", &["CCI", "PAT_", &body(22), "_", &hex(40)]);
        masks("pipeline-token", &["bk", "ua_", &hex(40)]);
        masks("pipeline-token", &["sg", "p_", &hex(40)]);
        masks("tailnet-key", &["ts", "key-auth-", &body(17), "-", &body(32)]);
        masks("rubygems-key", &["ruby", "gems_", &hex(48)]);
        masks("nuget-key", &["oy", "2", &body(43).to_lowercase()]);
        masks("clojars-token", &["CLO", "JARS_", &body(60).to_lowercase()]);
        masks("artifact-store-key", &["AK", "Cp", &body(69)]);
        masks("pulumi-token", &["pu", "l-", &hex(40)]);
        masks("one-password-token", &["op", "s_ey", "J", &body(260)]);
        masks("age-secret-key", &["AGE-SECRET", "-KEY-1", &base32(58)]);
        masks("quality-token", &["sq", "u_", &hex(40)]);
        masks("quality-token", &["CF", "PAT-", &body(43)]);
        masks(
            "observability-token",
            &["dt0", "c01.", &base32(24), ".", &base32(64)],
        );
        masks("relic-licence-key", &["key: ", &hex(36), "NR", "AL"]);
        masks("okta-token", &["Authorization: SS", "WS 0", "0", &body(40)]);
    }

    #[test]
    fn what_only_looks_like_a_tools_token_is_kept() {
        keeps(&["CCI", "PAT_the_token_of_the_pipeline"]);
        keeps(&["sg", "p_", &hex(20)]);
        keeps(&["ts", "key-auth-from-the-admin-console"]);
        keeps(&["ruby", "gems_version_and_other_settings"]);
        keeps(&["oy", "2", &body(20)]);
        keeps(&["AK", "Cp", &body(30)]);
        keeps(&["pu", "l-request"]);
        keeps(&["op", "s_eyJust a word"]);
        keeps(&["AGE-SECRET", "-KEY-1EXAMPLE"]);
        keeps(&["CFPAT-", "your-token"]);
        keeps(&["GENERAL and NRAL"]);
        keeps(&["SSWS ", "{token}"]);
    }
}
