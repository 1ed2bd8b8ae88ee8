//! Keys of clouds and of what runs on them.

use crate::redact::rules::rule::{Gate, Rule};

pub(super) static RULES: [Rule; 17] = [
    Rule::token(
        "aws-access-key",
        &["AKIA", "ASIA", "ABIA", "ACCA"],
        r"(?-u:\b)A(?:KIA|SIA|BIA|CCA)[A-Z2-7]{16}(?-u:\b)",
    )
    .gate(Gate::Token(16))
    .entropy(3.0),
    Rule::named(
        "aws-secret-key",
        &["ecret_access_key", "ecretAccessKey", "SECRET_ACCESS_KEY", "ecret_Access_Key", "secretaccesskey"],
        r#"(?i)secret_?access_?key["'`\]]{0,3}\s{0,8}(?:=>|:=|=|:|,)\s{0,8}["'`]?([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|$)"#,
    )
    .entropy(3.8),
    Rule::named(
        "azure-key",
        &["AccountKey=", "SharedAccessKey="],
        r"(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{43}=|[A-Za-z0-9+/]{86}==)",
    )
    .entropy(3.8),
    Rule::named(
        "azure-sas",
        &["?sig=", "&sig=", ";sig="],
        r"[?&;]sig=([A-Za-z0-9%+/]{43,}(?:%3[dD]|=))",
    )
    .entropy(3.8),
    Rule::named(
        "azure-client-secret",
        &["8Q~"],
        r"(?:^|[^A-Za-z0-9_~.-])([A-Za-z0-9_~.-]{3}[78]Q~[A-Za-z0-9_~.-]{31,34})(?:[^A-Za-z0-9_~.-]|$)",
    )
    .window(8, 64)
    .entropy(3.8),
    Rule::token(
        "digitalocean-token",
        &["dop_v1_", "doo_v1_", "dor_v1_"],
        r"(?-u:\b)do[opr]_v1_[a-f0-9]{64}",
    ),
    Rule::token(
        "heroku-key",
        &["HRKU-"],
        r"(?-u:\b)HRKU-[A-Za-z0-9_-]{36,}",
    ),
    Rule::named(
        "heroku-api-key",
        &["heroku", "Heroku", "HEROKU"],
        r#"(?i)heroku[a-z_-]{0,12}(?:key|token|secret)["'`\]]{0,3}\s{0,4}[:=]\s{0,4}["'`]?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"#,
    )
    .gate(Gate::Assigned),
    Rule::token(
        "databricks-token",
        &["dapi"],
        r"(?-u:\b)dapi[a-f0-9]{32}(?:-\d)?(?-u:\b)",
    )
    .gate(Gate::Token(32)),
    Rule::token(
        "vault-token",
        &["hvs.", "hvb.", "hvr."],
        r"(?-u:\b)hv[sbr]\.[A-Za-z0-9_-]{24,}",
    )
    .entropy(3.2),
    Rule::named(
        "terraform-cloud-token",
        &[".atlasv1."],
        r"(?-u:\b)([A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,})",
    )
    .window(16, 128),
    Rule::token(
        "platform-token",
        &["sbp_", "pscale_tkn_", "pscale_oauth_", "LTAI", "fm2_", "rnd_"],
        r"(?-u:\b)(?:sbp_[a-f0-9]{40}|pscale_(?:tkn|oauth)_[A-Za-z0-9_.-]{32,}|LTAI[A-Za-z0-9]{20}|fm2_[A-Za-z0-9+/=_-]{100,}|rnd_[A-Za-z0-9]{28})(?-u:\b)",
    )
    .gate(Gate::Token(20))
    .entropy(3.2),
    Rule::named(
        "aws-session-token",
        &["ession_token", "essionToken", "SESSION_TOKEN"],
        r#"(?i)session_?token["'`\]]{0,3}\s{0,8}(?:=>|:=|=|:|,)\s{0,8}["'`]?([A-Za-z0-9/+]{100,}={0,2})"#,
    )
    .gate(Gate::Assigned)
    .window(16, 2048)
    .entropy(4.0),
    Rule::named(
        "devops-token",
        &["AZDO"],
        r"(?:^|[^A-Za-z0-9])([A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4})(?:[^A-Za-z0-9]|$)",
    )
    .window(80, 8)
    .entropy(3.8),
    Rule::token(
        "cloud-key-id",
        &["AKID", "AQVN"],
        r"(?-u:\b)(?:AKID[A-Za-z0-9]{32}|AQVN[A-Za-z0-9_-]{35,38})(?-u:\b)",
    )
    .gate(Gate::Token(32))
    .entropy(3.8),
    Rule::token(
        "edge-token",
        &["v1.0-", "nfp_", "vercel_blob_rw_", "sb_secret_", "mdb_sa_sk_"],
        r"(?-u:\b)(?:v1\.0-[a-f0-9]{24}-[a-f0-9]{146}|nfp_[A-Za-z0-9]{36,}|vercel_blob_rw_[A-Za-z0-9_]{30,}|sb_secret_[A-Za-z0-9_-]{26,}|mdb_sa_sk_[A-Za-z0-9_-]{40,})",
    )
    .gate(Gate::Token(26))
    .entropy(3.2),
    Rule::named(
        "cluster-key",
        &["client-key-data"],
        r#"client-key-data["']?:\s{0,4}["']?([A-Za-z0-9+/=]{40,})"#,
    )
    .window(2, 4096)
    .entropy(3.5),
];

#[cfg(test)]
mod tests {
    use crate::redact::rules::examples::{base32, body, hex, keeps, masks};

    #[test]
    fn keys_of_clouds_are_masked() {
        masks("aws-access-key", &["id = AK", "IA", &base32(16)]);
        masks("aws-access-key", &["AS", "IA", &base32(16), "\n"]);
        masks(
            "aws-secret-key",
            &["aws_secret_access_key = ", &body(20), "/", &body(19)],
        );
        masks(
            "aws-secret-key",
            &["\"SecretAccessKey\": \"", &body(38), "+/", "\""],
        );
        masks(
            "azure-key",
            &["AccountName=a;Account", "Key=", &body(86), "==;Suffix=x"],
        );
        masks("azure-key", &["SharedAccess", "Key=", &body(43), "="]);
        masks(
            "azure-sas",
            &["https://a.b/c?sv=1&s", "ig=", &body(44), "%3D&se=2"],
        );
        masks(
            "azure-client-secret",
            &["secret ", &body(3), "8", "Q~", &body(34)],
        );
        masks("digitalocean-token", &["do", "p_v1_", &hex(64)]);
        masks("heroku-key", &["HR", "KU-", &body(40)]);
        masks(
            "heroku-api-key",
            &["HEROKU_API_KEY=", &hex(8), "-1a2b-3c4d-5e6f-", &hex(12)],
        );
        masks("databricks-token", &["da", "pi", &hex(32)]);
        masks("vault-token", &["hv", "s.", &body(90)]);
        masks("terraform-cloud-token", &[&body(14), ".atlas", "v1.", &body(67)]);
        masks("platform-token", &["sb", "p_", &hex(40)]);
        masks("platform-token", &["LT", "AI", &body(20)]);
        masks("aws-session-token", &["AWS_SESSION_TOKEN=", &body(180), "=="]);
        masks("devops-token", &["pat: ", &body(76), "AZ", "DO", &body(4)]);
        masks("cloud-key-id", &["AK", "ID", &body(32)]);
        masks("edge-token", &["v1.", "0-", &hex(24), "-", &hex(146)]);
        masks("edge-token", &["nf", "p_", &body(36)]);
        masks("cluster-key", &["    client-key-", "data: ", &body(200), "=="]);
    }

    #[test]
    fn what_only_looks_like_a_cloud_key_is_kept() {
        keeps(&["AKIAIOSFODNN7", "EXAMPLE"]);
        keeps(&["AK", "IA", &base32(15), "1"]);
        keeps(&["ASIAN_COUNTRIES_AND_PLACES"]);
        keeps(&[
            "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCY",
            "EXAMPLEKEY",
        ]);
        keeps(&["aws_secret_access_key = os.environ[\"AWS_SECRET_ACCESS_KEY\"]"]);
        keeps(&["secret_access_key: &'a SecretAccessKeyOfAnAccountWithALongName,"]);
        keeps(&["AccountKey=<key>"]);
        keeps(&["heroku_app_id = ", &hex(8), "-1a2b-3c4d-5e6f-", &hex(12)]);
        keeps(&["da", "pi", "_client_for_something_with_a_name"]);
        keeps(&["let session_token = self.session_token_of_the_user();"]);
        keeps(&["the AZDO pipeline"]);
        keeps(&["AK", "ID", &body(12)]);
        keeps(&["v1.0-beta and v1.0-rc"]);
        keeps(&["client-key-data: DATA+OMITTED"]);
        keeps(&["hv", "s.", "client.read_secret_version_of_a_path()"]);
    }
}
