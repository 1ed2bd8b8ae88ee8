//! Tokens of code hosts and package registries.

use crate::redact::rules::rule::{Gate, Rule};

pub(super) static RULES: [Rule; 7] = [
    Rule::token(
        "github-token",
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
        r"(?-u:\b)(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})",
    )
    .entropy(3.2),
    Rule::token(
        "gitlab-token",
        &[
            "glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glsoat-", "glagent-", "gloas-",
        ],
        r"(?-u:\b)gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|oas)-[A-Za-z0-9_.-]{20,}",
    )
    .entropy(3.2),
    Rule::token(
        "atlassian-token",
        &["ATATT3", "ATBB", "ATCTT3"],
        r"(?-u:\b)(?:AT[AC]TT3[A-Za-z0-9_=-]{60,}|ATBB[A-Za-z0-9]{32})",
    )
    .entropy(3.5),
    Rule::token("npm-token", &["npm_"], r"(?-u:\b)npm_[A-Za-z0-9]{36,}").entropy(3.2),
    Rule::token("pypi-token", &["pypi-AgE"], r"(?-u:\b)pypi-AgE[A-Za-z0-9_-]{50,}"),
    Rule::token("crates-io-token", &["cio"], r"(?-u:\b)cio[A-Za-z0-9]{32}(?-u:\b)")
        .gate(Gate::Token(32))
        .entropy(3.8),
    Rule::token(
        "docker-token",
        &["dckr_pat_", "dckr_oat_"],
        r"(?-u:\b)dckr_[po]at_[A-Za-z0-9_-]{27,}",
    ),
];

#[cfg(test)]
mod tests {
    use crate::redact::rules::examples::{body, keeps, masks};

    #[test]
    fn tokens_of_code_hosts_are_masked() {
        for prefix in ["gh\u{70}_", "gh\u{6f}_", "gh\u{75}_", "gh\u{73}_", "gh\u{72}_"] {
            masks("github-token", &["token: ", prefix, &body(36)]);
        }
        masks("github-token", &["github", "_pat_", &body(22), "_", &body(59)]);
        masks("gitlab-token", &["gl", "pat-", &body(20)]);
        masks("gitlab-token", &["gl", "rt-", &body(20)]);
        masks("atlassian-token", &["AT", "ATT3", &body(180)]);
        masks("atlassian-token", &["AT", "BB", &body(32)]);
        masks("npm-token", &["//registry/:_authToken=npm", "_", &body(36)]);
        masks("pypi-token", &["pypi", "-AgE", &body(60)]);
        masks("crates-io-token", &["c", "io", &body(32)]);
        masks("docker-token", &["dckr", "_pat_", &body(27)]);
    }

    #[test]
    fn what_only_begins_like_a_token_is_kept() {
        keeps(&["gh", "p_", &body(20)]);
        keeps(&["gh", "p_", "EXAMPLEEXAMPLEEXAMPLEEXAMPLEEXAMPLEEX"]);
        keeps(&["high", "p_", &body(36)]);
        keeps(&["npm_config_registry_and_other_names_like_it"]);
        keeps(&["precio", &body(32)]);
        keeps(&["cio", &body(31), " "]);
        keeps(&["gl", "pat-", "${CI_JOB_TOKEN_OF_THIS_RUN}"]);
    }
}
