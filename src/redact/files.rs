//! Files that are withheld whole, by name and by content.

use crate::redact::scan::Redactor;

/// The rule that makes a whole file a secret.
pub(in crate::redact) const PRIVATE_KEY_RULE: &str = "private-key";

/// Whole names, in lower case.
const NAMES: [&str; 38] = [
    ".env",
    ".envrc",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pypirc",
    ".yarnrc.yml",
    ".git-credentials",
    ".gem-credentials",
    ".pgpass",
    ".my.cnf",
    ".mylogin.cnf",
    ".htpasswd",
    ".dockercfg",
    ".dockerconfigjson",
    ".s3cfg",
    ".boto",
    ".vault-token",
    ".terraformrc",
    "terraform.rc",
    "credentials.tfrc.json",
    "terraform.tfstate",
    "terraform.tfstate.backup",
    "kubeconfig",
    "secrets.yaml",
    "secrets.yml",
    "secrets.json",
    "secrets.toml",
    ".credentials.json",
    "application_default_credentials.json",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ecdsa_sk",
    "id_ed25519",
    "id_ed25519_sk",
    "master.key",
    "credentials.csv",
];

/// Ends of names, in lower case. `.pub` and certificates (`.crt`, `.cer`) are public by purpose.
const ENDS: [&str; 12] = [
    ".pem",
    ".key",
    ".p12",
    ".pfx",
    ".jks",
    ".keystore",
    ".ppk",
    ".p8",
    ".kdbx",
    ".ovpn",
    ".tfstate",
    ".agekey",
];

/// Folder and name, in lower case: the name alone says too little.
const PLACED: [(&str, &str); 13] = [
    (".aws", "credentials"),
    (".aws", "config"),
    (".docker", "config.json"),
    (".kube", "config"),
    (".codex", "auth.json"),
    (".claude", "credentials.json"),
    (".cargo", "credentials"),
    (".cargo", "credentials.toml"),
    (".gem", "credentials"),
    (".config", "hub"),
    ("gh", "hosts.yml"),
    ("gcloud", "credentials.db"),
    (".azure", "accesstokens.json"),
];

/// Last parts of `.env.*` names that say the file is a pattern for one, not one.
const ENV_PATTERNS: [&str; 6] = ["example", "sample", "template", "dist", "defaults", "schema"];

/// Tells whether a path names a secret file. Upper and lower case are the same; `/` and `\` both separate.
pub fn is_secret_path(path: &[u8]) -> bool {
    let path = String::from_utf8_lossy(path).to_ascii_lowercase();
    let mut parts = path.rsplit(['/', '\\']);
    let name = parts.next().unwrap_or_default();
    let folder = parts.next().unwrap_or_default();
    NAMES.contains(&name)
        || PLACED.contains(&(folder, name))
        || ENDS
            .iter()
            .any(|end| name.len() > end.len() && name.ends_with(end))
        || is_environment_file(name)
}

/// Tells whether a text holds a private key block.
pub fn is_secret_content(text: &str) -> bool {
    Redactor::shared()
        .mask_found(text)
        .is_some_and(|masked| masked.rules.contains(PRIVATE_KEY_RULE))
}

/// `.env.local` and `production.env` are, `.env.example` is not.
fn is_environment_file(name: &str) -> bool {
    if let Some(rest) = name.strip_prefix(".env.") {
        return !rest.rsplit('.').next().is_some_and(is_pattern);
    }
    name.strip_suffix(".env")
        .is_some_and(|stem| !stem.is_empty() && !stem.rsplit('.').next().is_some_and(is_pattern))
}

fn is_pattern(part: &str) -> bool {
    ENV_PATTERNS.contains(&part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_files_are_known_by_name() {
        let check = |path: &str, secret: bool| assert_eq!(is_secret_path(path.as_bytes()), secret, "{path}");
        for path in [
            ".env",
            "app/.ENV",
            "app/.env.local",
            ".env.production.local",
            "deploy/prod.env",
            "home/.ssh/id_rsa",
            "id_ed25519",
            "tls/server.PEM",
            "tls/server.key",
            "a.p12",
            "a.pfx",
            "a.jks",
            "release.keystore",
            ".netrc",
            ".npmrc",
            "x/.pypirc",
            "x/.aws/credentials",
            r"C:\Users\a\.aws\credentials",
            ".docker/config.json",
            "ops/kubeconfig",
            ".kube/config",
            ".git-credentials",
            "infra/terraform.tfstate",
            "infra/prod.tfstate",
            "k8s/secrets.yaml",
            "k8s/Secrets.yml",
            ".codex/auth.json",
            ".claude/.credentials.json",
            ".cargo/credentials.toml",
        ] {
            check(path, true);
        }
        for path in [
            "",
            ".env.example",
            ".env.sample",
            ".env.template",
            ".env.local.example",
            "example.env",
            "src/env.rs",
            "id_rsa.pub",
            "tls/server.crt",
            "src/key.rs",
            "docs/credentials",
            "config.json",
            "auth.json",
            ".key",
            "src/secrets.rs",
            "keystore.rs",
            "src/.env/readme.md",
        ] {
            check(path, false);
        }
    }

    #[test]
    fn a_name_that_is_not_utf8_is_still_judged() {
        assert!(is_secret_path(b"\xff\xfe/.env"));
        assert!(is_secret_path(b"\xff.pem"));
    }
}
