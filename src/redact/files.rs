//! Files that are withheld whole, by name and by content.

use crate::redact::scan::Redactor;

/// The rule that makes a whole file a secret.
pub(in crate::redact) const PRIVATE_KEY_RULE: &str = "private-key";

/// Whole names, in lower case.
const NAMES: [&str; 63] = [
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
    ".pnpmrc",
    ".yarnrc",
    ".condarc",
    ".curlrc",
    ".wgetrc",
    ".vault_pass",
    ".vault_pass.txt",
    ".vault-password",
    ".tfrc",
    "terraform.tfvars",
    "terraform.tfvars.json",
    ".databrickscfg",
    ".snowsql.cnf",
    ".passwd-s3fs",
    "service-account.json",
    "service_account.json",
    "serviceaccount.json",
    "client_secret.json",
    "google-credentials.json",
    "gcp-credentials.json",
    "firebase-adminsdk.json",
    "wp-config.php",
    "shadow",
    "secring.gpg",
    "wallet.dat",
];

/// Ends of names, in lower case. `.pub` and certificates (`.crt`, `.cer`) are public by purpose.
const ENDS: [&str; 20] = [
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
    ".bks",
    ".pkcs12",
    ".kdb",
    ".psafe3",
    ".gpg-key",
    ".keytab",
    ".auto.tfvars",
    ".tfstate.backup",
];

/// Folder and name, in lower case: the name alone says too little.
const PLACED: [(&str, &str); 25] = [
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
    (".azure", "msal_token_cache.json"),
    (".azure", "serviceprincipalentries.json"),
    ("gcloud", "access_tokens.db"),
    ("gcloud", "legacy_credentials"),
    (".m2", "settings.xml"),
    (".m2", "settings-security.xml"),
    (".gradle", "gradle.properties"),
    (".nuget", "nuget.config"),
    (".composer", "auth.json"),
    ("composer", "auth.json"),
    (".terraform.d", "credentials.tfrc.json"),
    ("containers", "auth.json"),
];

/// Parts of a path, in lower case, below which everything is a secret.
const FOLDERS: [&str; 4] = [".gnupg", ".password-store", "legacy_credentials", ".ssh"];
/// What a folder of secrets holds that everybody may see.
const PUBLIC: [&str; 4] = ["config", "known_hosts", "authorized_keys", "readme.md"];

/// What the beginning of a file says that is a secret as a whole: all texts of a row are in it. A file of another kind
/// that shows such an example loses its place in a prompt, and is named there, which is the lesser harm.
const CONTENTS: [&[&str]; 8] = [
    &["PuTTY-User-Key-File-", "Private-Lines:"],
    &["\"auths\"", "\"auth\":"],
    &["kind: Config", "clusters:", "client-key-data:"],
    &["kind: Config", "clusters:", "    token:"],
    &["\"terraform_version\"", "\"lineage\"", "\"serial\""],
    &["\"type\": \"service_account\"", "\"private_key\""],
    &["\"type\": \"authorized_user\"", "\"refresh_token\""],
    &["[pypi]", "password", "username"],
];
/// Bytes of a file that are its beginning.
const BEGINNING: usize = 16 * 1024;

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
        || is_key_named_json(name)
        || (path
            .split(['/', '\\'])
            .rev()
            .skip(1)
            .any(|part| FOLDERS.contains(&part))
            && name.rsplit('.').next() != Some("pub")
            && !PUBLIC.contains(&name))
}

/// Returns globs of the paths that [`is_secret_path`] tells by their names, for a program that can be kept from files by globs
/// alone. Each holds at any depth. They keep back a few files more, such as patterns of `.env` files and what is public in a
/// folder of secrets, since a glob has no exceptions.
pub fn secret_globs() -> Vec<String> {
    let names = NAMES.iter().map(|name| (*name).to_owned());
    let ends = ENDS.iter().map(|end| format!("*{end}"));
    let placed = PLACED.iter().map(|(folder, name)| format!("{folder}/{name}"));
    let folders = FOLDERS.iter().map(|folder| format!("{folder}/**"));
    let rest = [".env.*", "client_secret_*.json", "*firebase-adminsdk*.json"].map(str::to_owned);
    names
        .chain(ends)
        .chain(placed)
        .chain(folders)
        .chain(rest)
        .collect()
}

/// What the console of a cloud calls the key that it makes: `project-1a2b3c4d5e6f.json`, `client_secret_123.json`.
fn is_key_named_json(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".json") else {
        return false;
    };
    let console = stem.rsplit_once('-').is_some_and(|(project, key)| {
        !project.is_empty() && key.len() == 12 && key.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    console || stem.starts_with("client_secret_") || stem.contains("firebase-adminsdk")
}

/// Tells whether a text is a file of credentials, whatever its name, or holds a private key block.
pub fn is_secret_content(text: &str) -> bool {
    begins_as_secret(text)
        || Redactor::shared()
            .mask_found(text)
            .is_some_and(|masked| masked.rules.contains(PRIVATE_KEY_RULE))
}

/// Tells whether a file begins like one that is a secret as a whole.
pub(in crate::redact) fn begins_as_secret(text: &str) -> bool {
    let mut end = text.len().min(BEGINNING);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let beginning = &text[..end];
    CONTENTS
        .iter()
        .any(|row| row.iter().all(|words| beginning.contains(words)))
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
    fn every_glob_names_secrets_alone() {
        let globs = secret_globs();
        for name in [".env", "*.pem", ".ssh/**", ".aws/credentials"] {
            assert!(globs.iter().any(|glob| glob == name), "{name}");
        }
        for glob in globs {
            // A path that it fits.
            let path = format!("sub/{}", glob.replace("**", "own").replace('*', "x"));
            assert!(is_secret_path(path.as_bytes()), "{glob}: {path}");
        }
    }

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
            "home/.ssh/deploy",
            ".ssh/id_work",
            ".gnupg/private-keys-v1.d/0A1B.dat",
            "infra/prod.auto.tfvars",
            ".m2/settings.xml",
            "my-project-0a1b2c3d4e5f.json",
            "client_secret_123.apps.json",
            "etc/shadow",
            "krb5/http.keytab",
            "app/service-account.json",
            ".gradle/gradle.properties",
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
            ".ssh/config",
            ".ssh/id_ed25519.pub",
            "src/.ssh.rs",
            "gradle.properties",
            "settings.xml",
            "component-abcdefghijkl.json",
            "shadow.css",
            "package-lock.json",
        ] {
            check(path, false);
        }
    }

    #[test]
    fn secret_files_are_known_by_what_they_begin_with() {
        let check = |text: &str, secret: bool| assert_eq!(is_secret_content(text), secret, "{text}");
        check(
            "PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\nAAAA\n",
            true,
        );
        check("{\"auths\": {\"registry\": {\"auth\": \"dTpw\"}}}", true);
        check("kind: Config\nclusters:\nusers:\n- user:\n    token: abc\n", true);
        check(
            "{\"version\": 4, \"terraform_version\": \"1.9\", \"serial\": 3, \"lineage\": \"x\"}",
            true,
        );
        check("[distutils]\n[pypi]\nusername = __token__\npassword = x\n", true);
        check("{\"auths\": {}}", false);
        check("kind: Deployment\n", false);
        check("", false);
    }

    #[test]
    fn a_name_that_is_not_utf8_is_still_judged() {
        assert!(is_secret_path(b"\xff\xfe/.env"));
        assert!(is_secret_path(b"\xff.pem"));
    }
}
