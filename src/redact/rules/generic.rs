//! Secrets of any owner: keys in PEM form, web tokens, passwords in addresses, values with telling names.

use crate::redact::rules::rule::{Check, Gate, Rule};

/// Bytes around a PEM border in which the rest of the block is looked for; a 16,384-bit RSA key has 13 kB.
const PEM_REACH: usize = 16 * 1024;
/// Bytes behind the first letters of a web token in which its three parts must stand.
const JWT_REACH: usize = 8 * 1024;

// Three forms: a whole block, the beginning of one, and the end of one, because a hunk may show only a part. Between the
// lines may stand what a diff, a comment or a string literal puts there. Two hyphens more than a border has end the
// block, so a mention of a border in code never swallows what follows.
pub(super) static PRIVATE_KEYS: [Rule; 1] = [Rule::named(
    "private-key",
    &["PRIVATE KEY"],
    concat!(
        r"-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----",
        r#"(?:[ \t\r\n"'`+,|>#*/\\-]|\\[nr]){1,64}"#,
        r"(?:[A-Za-z-]{4,20}: [ -\[\]-~]{0,120}(?:[ \t\r\n+|>#*/-]|\\[nr]){1,32}){0,4}",
        r"[A-Za-z0-9+/=]{32,}",
        r"(?:(?:[^-]|-{1,3}[^-])*-{5,6}END (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----",
        r#"|(?:(?:[ \t\r\n"'`,|>#*\\-]){1,16}[A-Za-z0-9+/=]{16,})*)"#,
        r#"|[A-Za-z0-9+/=]{40,}[ \t\r\n"'`,|>#*\\-]{1,16}(?:[A-Za-z0-9+/=]{4,}[ \t\r\n"'`,|>#*\\-]{1,16})*"#,
        r"-{5,6}END (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----",
    ),
)
.group(0)
.entropy(0.0)
.check(Check::Shape)
.window(PEM_REACH, PEM_REACH)];

pub(super) static RULES: [Rule; 14] = [
    Rule::token(
        "jwt",
        &["eyJ"],
        r"(?-u:\b)eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{16,}",
    )
    .window(1, JWT_REACH),
    Rule::named(
        "url-password",
        &["://"],
        r#"(?-u:\b)[a-zA-Z][a-zA-Z0-9+.-]{1,24}://[^\s:/?#@"'`<>\[\]]{0,64}:([^\s/?#@"'`<>]{6,128})@[A-Za-z0-9\[]"#,
    )
    .gate(Gate::Address)
    .window(32, 256)
    .check(Check::NotWords)
    .entropy(2.5),
    Rule::named(
        "authorization-header",
        &["uthorization", "UTHORIZATION"],
        r#"(?i)authorization["'`\])]{0,3}\s{0,4}[:=,]\s{0,4}["'`]?\s{0,4}(?:bearer|basic|token)\s{1,4}([A-Za-z0-9._~+/=-]{16,})"#,
    )
    .check(Check::NotWords)
    .entropy(3.2),
    Rule::named(
        "bearer-token",
        &["Bearer ", "bearer "],
        r"[Bb]earer ([A-Za-z0-9_~+/=-]{0,400}[0-9][A-Za-z0-9._~+/=-]{19,})",
    )
    .check(Check::NotWords)
    .entropy(3.7),
    Rule::named(
        "api-key-header",
        &["x-api-key", "X-Api-Key", "X-API-Key", "X-API-KEY"],
        r#"(?i)x-api-key["'`\])]{0,3}\s{0,4}[:=,]\s{0,4}["'`]?([A-Za-z0-9._~+/=-]{20,})"#,
    )
    .check(Check::NotWords)
    .entropy(3.5),
    Rule::named(
        "registry-login",
        &["_authToken=", "_auth=", "_password="],
        r#"_(?:authToken|auth|password)=["']?([A-Za-z0-9_+/=.~-]{16,})"#,
    )
    .check(Check::NotWords)
    .entropy(3.5),
    Rule::named(
        "docker-login",
        &["\"auth\""],
        r#""auth"\s{0,4}:\s{0,4}"([A-Za-z0-9+/]{16,}={0,2})""#,
    )
    .check(Check::NotWords)
    .entropy(3.5),
    Rule::named(
        "netrc-password",
        &["machine "],
        r"machine\s+[A-Za-z0-9._-]+\s+login\s+\S{1,80}\s+password\s+(\S{6,200})",
    )
    .window(0, 512)
    .check(Check::NotWords)
    .entropy(2.5),
    Rule::named(
        "connection-password",
        &["assword=", "ASSWORD=", "wd=", "WD="],
        r#"(?i)(?:user id|uid|user|server|data source|host|username)\s?=[^;"'\n]{1,100};\s?(?:[A-Za-z ]{2,30}=[^;"'\n]{0,100};\s?){0,8}(?:password|pwd)\s?=\s?([^;"'\s<>{}$]{8,128})"#,
    )
    .window(400, 160)
    .check(Check::NotWords)
    .entropy(2.8),
    Rule::named(
        "one-time-seed",
        &["otpauth://"],
        r#"otpauth://[^\s"'<>]{1,200}[?&]secret=([A-Za-z2-7]{16,})"#,
    )
    .entropy(3.0),
    Rule::named(
        "jwk-private-key",
        &["\"kty\""],
        r#""kty"[^{}]{1,3000}"d"\s{0,4}:\s{0,4}"([A-Za-z0-9_-]{40,})"|"d"\s{0,4}:\s{0,4}"([A-Za-z0-9_-]{40,})"[^{}]{1,3000}"kty""#,
    )
    .group(0)
    .window(4096, 4096)
    .entropy(3.0),
    Rule::named(
        "wrapped-secret",
        WRAPPED,
        concat!(
            r"[A-Za-z0-9+/_-]{16,}",
            r#"(?:[ \t\r\n"'`,+\\|>#*]{1,16}[A-Za-z0-9+/_-]{16,})*"#,
            r#"(?:[ \t\r\n"'`,+\\|>#*]{1,16}[A-Za-z0-9+/_-]{1,64}={1,2}|={0,2})"#,
        ),
    )
    .group(0)
    .window(0, 512)
    .entropy(3.0)
    .check(Check::Wrapped),
    Rule::named(
        "secret-assignment",
        SECRET_NAMES,
        concat!(
            r"(?i)(?:secret|passwo?r?d|passphrase|token|api[_-]?key|access[_-]?key|auth[_-]?key|private[_-]?key|credential|encryption[_-]?key|signing[_-]?key)",
            r#"[A-Za-z0-9_-]{0,24}["'`\])\\]{0,3}[ \t]{0,8}(?::\s{0,2}(?:&?(?:'static\s)?[A-Za-z]{1,12}\s{0,2}=)?\s{0,40}|(?::=|=>|=)\s{0,40}|,[ \t]?)"#,
            r#"[bfr]?\\?["'`]([A-Za-z0-9_+/=.~!@#%^&*-]{16,200})\\?["'`]"#,
        ),
    )
    .gate(Gate::Assigned)
    .check(Check::NotWords)
    .entropy(3.8),
    Rule::named(
        "secret-variable",
        SECRET_NAMES,
        concat!(
            r"(?im)^[+\- ]?\s{0,16}(?:export\s+|set\s+|env\s+|-\s+)?[A-Za-z0-9_.-]{0,40}",
            r"(?:secret|passwo?r?d|passphrase|token|api[_-]?key|access[_-]?key|auth[_-]?key|private[_-]?key|credential|encryption[_-]?key|signing[_-]?key)",
            r"[A-Za-z0-9_]{0,24}(?:=|:\s{1,4})([A-Za-z0-9_+/=~-]{20,200})\s*$",
        ),
    )
    .gate(Gate::Assigned)
    .window(128, 512)
    .check(Check::NotWords)
    .entropy(4.0),
];

/// How the beginnings of well-known secrets look in base64, for each of the three places in a group of three bytes in which
/// they may stand. What is shorter than five letters would be met by chance too often and is left out.
const WRAPPED: &[&str] = &[
    // The border of a private key.
    "UFJJVkFURSBLRV",
    "BSSVZBVEUgS0VZ",
    "QUklWQVRFIEtFW",
    // Tokens of code hosts and registries.
    "Z2hwX",
    "naHBf",
    "Z2l0aHViX3BhdF",
    "dpdGh1Yl9wYXRf",
    "naXRodWJfcGF0X",
    "Z2xwYXQt",
    "dscGF0L",
    "nbHBhdC",
    "bnBtX",
    "X2F1dGhUb2tlbj",
    "9hdXRoVG9rZW49",
    "fYXV0aFRva2VuP",
    // Keys of model providers.
    "c2stYW50L",
    "NrLWFudC",
    "zay1hbnQt",
    "c2stcHJvai",
    "NrLXByb2ot",
    "zay1wcm9qL",
    // Clouds and services.
    "QUtJQ",
    "BS0lB",
    "QVNJQ",
    "BU0lB",
    "eG94Yi",
    "hveGIt",
    "4b3hiL",
    "c2tfbGl2ZV",
    "NrX2xpdmVf",
    "za19saXZlX",
];

/// The spellings that occur; matching them in every case would let them hit far more often.
const SECRET_NAMES: &[&str] = &[
    "secret",
    "Secret",
    "SECRET",
    "passwd",
    "Passwd",
    "PASSWD",
    "password",
    "Password",
    "PASSWORD",
    "passphrase",
    "Passphrase",
    "PASSPHRASE",
    "token",
    "Token",
    "TOKEN",
    "api_key",
    "apiKey",
    "ApiKey",
    "API_KEY",
    "apikey",
    "APIKEY",
    "api-key",
    "Api-Key",
    "access_key",
    "accessKey",
    "AccessKey",
    "ACCESS_KEY",
    "access-key",
    "auth_key",
    "authKey",
    "AuthKey",
    "AUTH_KEY",
    "private_key",
    "privateKey",
    "PrivateKey",
    "PRIVATE_KEY",
    "credential",
    "Credential",
    "CREDENTIAL",
    "encryption_key",
    "encryptionKey",
    "ENCRYPTION_KEY",
    "signing_key",
    "signingKey",
    "SIGNING_KEY",
];

#[cfg(test)]
mod tests {
    use crate::redact::rules::examples::{base32, body, hex, keeps, masks};
    use crate::redact::scan::Redactor;

    fn border(word: &str, kind: &str) -> String {
        ["-----", word, " ", kind, "PRIVATE", " KEY-----"].concat()
    }

    fn key_lines(kind: &str, prefix: &str) -> String {
        let lines = [
            border("BEGIN", kind),
            body(64),
            body(64),
            body(31) + "=",
            border("END", kind),
        ];
        lines.map(|line| format!("{prefix}{line}")).join("\n")
    }

    #[test]
    fn private_keys_are_masked_line_by_line() {
        for prefix in ["", "+", "-", " ", "    ", "# ", "\t\""] {
            let text = format!("before\n{}\nafter", key_lines("RSA ", prefix));
            let masked = Redactor::shared().mask(&text);
            assert_eq!(masked.count, 1, "{}", masked.text);
            assert_eq!(masked.text.lines().count(), text.lines().count());
            assert!(
                masked.text.starts_with("before\n") && masked.text.ends_with("\nafter"),
                "{}",
                masked.text
            );
            assert!(!masked.text.contains(&body(31)), "{}", masked.text);
        }
    }

    #[test]
    fn a_part_of_a_private_key_is_masked() {
        masks(
            "private-key",
            &[&border("BEGIN", ""), "\n", &body(64), "\n", &body(64), "\n"],
        );
        masks(
            "private-key",
            &[&body(64), "\n", &body(64), "\n", &border("END", "EC ")],
        );
        let escaped = key_lines("", "").replace('\n', "\\n");
        masks("private-key", &["{\"private_key\": \"", &escaped, "\\n\"}"]);
        let headed =
            key_lines("RSA ", "").replacen('\n', "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES,00\n\n", 1);
        masks("private-key", &[&headed]);
    }

    #[test]
    fn private_keys_of_every_program_are_masked() {
        for kind in ["", "RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED "] {
            masks("private-key", &[&key_lines(kind, "")]);
        }
        // OpenSSH keys hold long runs of one letter, and PGP puts a header before the body.
        let body_lines = [
            "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAA",
            &body(70),
        ]
        .join("\n");
        let (begin, end) = (border("BEGIN", "OPENSSH "), border("END", "OPENSSH "));
        masks("private-key", &[&begin, "\n", &body_lines, "\n", &end]);
        let block = |word: &str| ["-----", word, " PGP ", "PRIVATE", " KEY BLOCK-----"].concat();
        let (begin, end) = (block("BEGIN"), block("END"));
        masks(
            "private-key",
            &[&begin, "\nVersion: GnuPG v1\n\n", &body(64), "\n=aB3d\n", &end],
        );
    }

    #[test]
    fn a_mention_of_a_private_key_is_kept() {
        keeps(&["if line == \"", &border("BEGIN", ""), "\" { start(); }"]);
        keeps(&[&border("BEGIN", "RSA "), "\n...\n", &border("END", "RSA ")]);
        keeps(&[
            "const BEGIN: &str = \"",
            &border("BEGIN", ""),
            "\";\nconst END: &str = \"",
            &border("END", ""),
            "\";",
        ]);
    }

    #[test]
    fn web_tokens_and_headers_are_masked() {
        masks(
            "jwt",
            &["ey", "J", &body(17), ".ey", "J", &body(60), ".", &body(43)],
        );
        masks(
            "authorization-header",
            &["Authorization: Basic ", &body(24), "=="],
        );
        masks(
            "authorization-header",
            &["-H 'authorization: bearer ", &body(40), "'"],
        );
        masks(
            "authorization-header",
            &["{\"Authorization\": \"token ", &body(30), "\"}"],
        );
        masks("bearer-token", &["headers: Bearer ", &body(40)]);
        keeps(&["Authorization: Bearer <token>"]);
        keeps(&["Authorization: Bearer ${TOKEN}"]);
        keeps(&["the bearer authentication-scheme-of-the-server is used"]);
    }

    #[test]
    fn passwords_in_addresses_are_masked() {
        masks(
            "url-password",
            &["postgres://app:", "kJ8s02mQpZ", "@db.internal/app"],
        );
        masks("url-password", &["https://x:", &hex(40), "@git.host/a.git"]);
        let check = |url: &str| keeps(&[url]);
        check("postgres://user:password@localhost/db");
        check("https://user:${PASSWORD}@host/");
        check("https://user:<password>@host/");
        check("http://host:8080/a@b");
        check("mongodb://{user}:{password}@{host}");
    }

    #[test]
    fn logins_of_programs_are_masked() {
        masks("api-key-header", &["-H 'x-api-key: ", &body(32), "'"]);
        masks(
            "registry-login",
            &["//registry.internal/:_auth", "Token=", &body(36)],
        );
        masks(
            "docker-login",
            &["{\"auths\": {\"r\": {\"auth\": \"", &body(40), "==\"}}}"],
        );
        masks(
            "netrc-password",
            &["machine git.host login me password ", "kJ8s02mQpZ", "\n"],
        );
        masks(
            "connection-password",
            &["Server=db;Database=app;User Id=app;Password=", "kJ8s02mQpZ", ";"],
        );
        masks(
            "one-time-seed",
            &["otpauth://totp/a:b?issuer=a&secret=", &base32(32)],
        );
        masks(
            "jwk-private-key",
            &["{\"kty\":\"EC\",\"crv\":\"P-256\",\"d\":\"", &body(43), "\"}"],
        );
        keeps(&["x-api-key: <key>"]);
        keeps(&["//registry.internal/:_authToken=${NPM_TOKEN}"]);
        keeps(&["\"auth\": \"none\""]);
        keeps(&["the state machine login of the user has a password field"]);
        keeps(&["Server=db;User Id=app;Password={password};"]);
        keeps(&["otpauth://totp/a:b?issuer=a"]);
        keeps(&["{\"kty\":\"EC\",\"x\":\"", &body(43), "\"}"]);
    }

    #[test]
    fn what_is_wrapped_in_base64_is_unwrapped_and_masked() {
        let wrap = |text: &str| crate::redact::base64::encode(text.as_bytes());
        let token = ["gh", "p_", &body(36)].concat();
        for before in ["", "u:", "me:", "user:"] {
            let wrapped = wrap(&format!("{before}{token}"));
            masks("wrapped-secret", &["value: ", &wrapped, "\n"]);
        }
        let key = wrap(&key_lines("RSA ", ""));
        masks("wrapped-secret", &["tls.key: ", &key]);
        let lines: Vec<&str> = key
            .as_bytes()
            .chunks(76)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        let text = format!("key: |\n    {}\nnext: 1", lines.join("\n    "));
        let masked = Redactor::shared().mask(&text).text;
        assert!(lines.iter().all(|line| !masked.contains(line)), "{masked}");
        assert!(masked.ends_with("\nnext: 1"), "{masked}");
        keeps(&[
            "value: ",
            &wrap("an ordinary text that was wrapped for no reason"),
        ]);
        keeps(&["value: ", &wrap("how to make a gh\u{70}_ token: see the manual")]);
    }

    #[test]
    fn random_values_with_telling_names_are_masked() {
        masks("secret-assignment", &["let api_key = \"", &body(24), "\";"]);
        masks("secret-assignment", &["const TOKEN: &str = \"", &body(24), "\";"]);
        masks("secret-assignment", &["\"client_secret\": \"", &body(32), "\","]);
        masks("secret-assignment", &["dbPassword: '", &body(20), "'"]);
        masks("secret-variable", &["export DB_PASSWORD=", &body(28), "\n"]);
        masks("secret-assignment", &["auth_token = '", &hex(32), "'"]);
        masks(
            "secret-assignment",
            &["client_secret: '", &hex(8), "-1a2b-3c4d-5e6f-", &hex(12), "'"],
        );
        masks("secret-variable", &["+SECRET_KEY=", &body(28)]);
        masks("secret-variable", &["a: 1\n  auth_token: ", &body(28), "\nb: 2"]);
        keeps(&["password = \"hunter2\""]);
        keeps(&["names = ['disableToken',\n    'disableL4LbFirewallReconciliation',\n]"]);
        keeps(&["token = \"application/x-www-form-urlencoded\""]);
        keeps(&["api_key = \"YOUR_API_KEY_GOES_RIGHT_HERE_1\""]);
        keeps(&["let token = parser.next_token_or_end_of_input();"]);
        keeps(&["secret: process.env.CLIENT_SECRET_4f9a2b7c"]);
        keeps(&["PASSWORD=${DB_PASSWORD_OF_THE_SERVICE}"]);
        keeps(&["use token::SomethingWithALongNameThatHas1Digit;"]);
    }
}
