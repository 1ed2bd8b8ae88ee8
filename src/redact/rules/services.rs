//! Tokens of services for messages, money and work.

use crate::redact::rules::rule::{Check, Gate, Rule};

pub(super) static RULES: [Rule; 20] = [
    Rule::token(
        "slack-token",
        &["xoxa-", "xoxb-", "xoxe-", "xoxe.", "xoxo-", "xoxp-", "xoxr-", "xoxs-", "xapp-"],
        r"(?-u:\b)(?:xox[aeboprs]|xapp)[.-][A-Za-z0-9.-]{20,}",
    )
    .entropy(3.0),
    Rule::named(
        "slack-webhook",
        &["hooks.slack.com/"],
        r"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9+/]{30,})",
    )
    .window(0, 256)
    .entropy(3.2),
    Rule::token(
        "stripe-key",
        &["sk_live_", "rk_live_", "whsec_"],
        r"(?-u:\b)(?:[sr]k_live_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{32,})",
    )
    .entropy(3.2),
    Rule::token(
        "twilio-key",
        &["SK"],
        r"(?-u:\b)SK[0-9a-f]{32}(?-u:\b)",
    )
    .gate(Gate::Token(32))
    .entropy(3.0),
    Rule::token(
        "sendgrid-key",
        &["SG."],
        r"(?-u:\b)SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}",
    )
    .gate(Gate::Token(40))
    .entropy(3.5),
    Rule::token(
        "mailgun-key",
        &["key-"],
        r"(?-u:\b)key-[0-9a-f]{32}(?-u:\b)",
    )
    .gate(Gate::Token(32))
    .entropy(3.0),
    Rule::named(
        "telegram-token",
        &[":AA"],
        r"(?:^|[^0-9A-Za-z])([0-9]{8,10}:AA[A-Za-z0-9_-]{33})(?:[^A-Za-z0-9_-]|$)",
    )
    .gate(Gate::Followed(33))
    .window(12, 64)
    .entropy(3.5),
    Rule::named(
        "discord-token",
        &["discord", "Discord", "DISCORD"],
        r"(?i-u:discord)[^\n]{0,80}?(?-u:\b)((?-i)[MNO][A-Za-z0-9_-]{23,25}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38})",
    )
    .entropy(3.5),
    Rule::named(
        "discord-webhook",
        &["/api/webhooks/"],
        r"discord(?:app)?\.com/api/webhooks/[0-9]{15,21}/([A-Za-z0-9_-]{60,})",
    ),
    Rule::token(
        "shopify-token",
        &["shpat_", "shpca_", "shppa_", "shpss_"],
        r"(?-u:\b)shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",
    ),
    Rule::token(
        "square-token",
        &["sq0atp-", "sq0csp-", "sq0idp-"],
        r"(?-u:\b)sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{22,}",
    ),
    Rule::token(
        "workspace-token",
        &["lin_api_", "lin_oauth_", "ntn_", "secret_", "figd_", "PMAK-", "dp.pt.", "dp.st."],
        r"(?-u:\b)(?:lin_(?:api|oauth)_[A-Za-z0-9]{32,}|ntn_[A-Za-z0-9]{40,}|secret_[A-Za-z0-9]{43}|figd_[A-Za-z0-9_-]{40,}|PMAK-[a-f0-9]{24}-[a-f0-9]{34}|dp\.(?:pt|st)\.[A-Za-z0-9_.-]{40,})(?-u:\b)",
    )
    .gate(Gate::Token(24))
    .entropy(3.2),
    Rule::token(
        "monitoring-token",
        &["NRAK-", "glsa_", "glc_", "sntrys_", "sntryu_", "phx_"],
        r"(?-u:\b)(?:NRAK-[A-Z0-9]{27}|glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}|glc_[A-Za-z0-9+/=]{32,}|sntrys_[A-Za-z0-9+/=_-]{60,}|sntryu_[a-f0-9]{64}|phx_[A-Za-z0-9]{40,})",
    )
    .gate(Gate::Token(24))
    .entropy(3.2),
    Rule::token(
        "mail-service-key",
        &["xkeysib-", "xsmtpsib-", "re_"],
        r"(?-u:\b)(?:x(?:key|smtp)sib-[a-f0-9]{64}-[A-Za-z0-9]{16}|re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24})(?-u:\b)",
    )
    .gate(Gate::Token(30))
    .entropy(3.5),
    Rule::token(
        "payment-key",
        &["rzp_live_", "FLWSECK-", "shippo_live_", "EZAK", "sk_prod_"],
        r"(?-u:\b)(?:rzp_live_[A-Za-z0-9]{14,}|FLWSECK-[a-h0-9]{12,}|shippo_live_[a-f0-9]{40}|EZAK[A-Za-z0-9]{54}|sk_prod_[A-Za-z0-9_-]{24,})",
    )
    .gate(Gate::Token(12))
    .entropy(3.2),
    Rule::named(
        "payment-token",
        &["access_token$production$"],
        r"(access_token\$production\$[a-z0-9]{16}\$[a-f0-9]{32})",
    )
    .window(0, 64)
    .check(Check::Shape),
    Rule::named(
        "chat-webhook",
        &["webhook.office.com/", "hooks.zapier.com/"],
        r"(?:webhook\.office\.com/webhookb2/([0-9a-f@-]{70,}/IncomingWebhook/[0-9a-f]{32}/[0-9a-f-]{36})|hooks\.zapier\.com/hooks/catch/[0-9]{4,10}/[a-z0-9]{6,10})",
    )
    .group(0)
    .window(0, 256),
    Rule::named(
        "push-key",
        &[":APA91b"],
        r"(?:^|[^A-Za-z0-9_-])([A-Za-z0-9_-]{8,24}:APA91b[A-Za-z0-9_-]{100,})",
    )
    .window(26, 256)
    .entropy(3.8),
    Rule::token(
        "social-token",
        &["EAAC", "EAAB", "EAAG", "EAAJ"],
        r"(?-u:\b)EAA[BCGJ][A-Za-z0-9]{100,}",
    )
    .gate(Gate::Token(100))
    .entropy(4.0),
    Rule::token(
        "store-service-token",
        &["sl.", "sk.eyJ", "pat-na1-", "pat-eu1-", "os_v2_"],
        r"(?-u:\b)(?:sl\.[A-Za-z0-9._-]{130,}|sk\.eyJ[A-Za-z0-9_-]{60,}\.[A-Za-z0-9_-]{20,}|pat-(?:na|eu)1-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|os_v2_(?:app|org)_[a-z0-9]{80,})",
    )
    .gate(Gate::Token(36))
    .entropy(3.2),
];

#[cfg(test)]
mod tests {
    use crate::redact::rules::examples::{body, hex, keeps, masks};

    #[test]
    fn tokens_of_services_are_masked() {
        masks(
            "slack-token",
            &["xox", "b-", "2194857362-", "7483920165-", &body(24)],
        );
        masks("slack-token", &["xapp", "-1-", &body(60)]);
        masks(
            "slack-webhook",
            &[
                "https://hooks.slack",
                ".com/services/",
                "T",
                &body(9),
                "/B",
                &body(9),
                "/",
                &body(24),
            ],
        );
        masks("stripe-key", &["sk_", "live_", &body(24)]);
        masks("stripe-key", &["rk_", "live_", &body(24)]);
        masks("stripe-key", &["wh", "sec_", &body(32)]);
        masks("twilio-key", &["S", "K", &hex(32)]);
        masks("sendgrid-key", &["S", "G.", &body(22), ".", &body(43)]);
        masks("mailgun-key", &["ke", "y-", &hex(32)]);
        masks("telegram-token", &["bot", " 6482019375", ":A", "A", &body(33)]);
        masks(
            "discord-token",
            &["DISCORD_TOKEN=M", &body(23), ".", &body(6), ".", &body(30)],
        );
        masks(
            "discord-webhook",
            &[
                "https://discord.com/api/",
                "webhooks/",
                "927461850392746185",
                "/",
                &body(68),
            ],
        );
        masks("shopify-token", &["shp", "at_", &hex(32)]);
        masks("square-token", &["sq0", "atp-", &body(22)]);
        masks("workspace-token", &["lin_", "api_", &body(40)]);
        masks("workspace-token", &["nt", "n_", &body(46)]);
        masks("workspace-token", &["sec", "ret_", &body(43)]);
        masks("monitoring-token", &["gl", "sa_", &body(32), "_", &hex(8)]);
        masks("mail-service-key", &["xkey", "sib-", &hex(64), "-", &body(16)]);
        masks("mail-service-key", &["r", "e_", &body(8), "_", &body(24)]);
        masks("payment-key", &["rzp", "_live_", &body(14)]);
        masks("payment-key", &["shippo", "_live_", &hex(40)]);
        masks(
            "payment-token",
            &["access", "_token$production$", &hex(16), "$", &hex(32)],
        );
        masks(
            "chat-webhook",
            &[
                "https://hooks.zapier",
                ".com/hooks/catch/",
                "1234567",
                "/",
                "ab3cd4e",
            ],
        );
        masks("push-key", &["key=", &body(11), ":APA", "91b", &body(134)]);
        masks("social-token", &["EA", "AC", &body(120)]);
        masks("store-service-token", &["s", "l.", &body(140)]);
        masks(
            "store-service-token",
            &["pat-", "na1-", &hex(8), "-1a2b-3c4d-5e6f-", &hex(12)],
        );
    }

    #[test]
    fn what_only_looks_like_a_service_token_is_kept() {
        keeps(&["xox", "b-", "not-a-token"]);
        keeps(&[
            "https://hooks.slack",
            ".com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
        ]);
        keeps(&["sk_", "test_", &body(24)]);
        keeps(&["TASK", &hex(32)]);
        keeps(&["SK", &hex(40)]);
        keeps(&["MSG.", &body(22), ".", &body(43)]);
        keeps(&["monkey-", &hex(32)]);
        keeps(&["secret_key_of_the_application_that_has_a_long_name_here"]);
        keeps(&["12:AA", &body(33)]);
        keeps(&["re_export_of_the_types_that_this_module_has_got"]);
        keeps(&["rzp_live_", "key"]);
        keeps(&["access_token$production$", "..."]);
        keeps(&["https://hooks.zapier.com/", "hooks/catch"]);
        keeps(&["sl.", &body(40)]);
        keeps(&["EAAC", &body(20)]);
    }
}
