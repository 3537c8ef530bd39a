//! Addresses: the one rule of what an address may not hold, wherever one is taken, and how one is shown.
//!
//! What a recipe, a configuration or a published description holds is read by others. A password or a token in an address
//! would go to all of them, so it is refused there and given by reference instead; and no message repeats it.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use thiserror::Error;

/// What is shown in the place of a secret.
const HIDDEN: &str = "…";

/// Names of parameters that hold a secret, in lower case without `-` and `_`. One that ends like this counts too.
const SECRET_NAMES: [&str; 22] = [
    "accesskey",
    "accesskeyid",
    "apikey",
    "apitoken",
    "assertion",
    "auth",
    "authkey",
    "authorization",
    "bearer",
    "credential",
    "credentials",
    "jwt",
    "key",
    "pass",
    "passphrase",
    "passwd",
    "password",
    "pwd",
    "secret",
    "sig",
    "signature",
    "token",
];

/// How the tokens of well-known issuers begin: GitHub, GitLab, Slack, npm, the Python index, AWS, Google, Stripe, and JSON Web Tokens.
const TOKEN_BEGINNINGS: [&str; 20] = [
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "gldt-",
    "glcbt-",
    "xoxb-",
    "xoxp-",
    "npm_",
    "pypi-",
    "AKIA",
    "ASIA",
    "AIza",
    "ya29.",
    "sk_live_",
    "dop_v1_",
    "eyJ",
];
/// How long such a token is at least, with its beginning.
const TOKEN_LENGTH: usize = 16;

/// A secret that stands in an address. It never says which.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AddressSecret {
    /// Before the host.
    #[error("it holds a user name or a password before the host")]
    UserInfo,
    /// In a parameter of the query or the fragment.
    #[error("its parameter {0:?} holds a secret")]
    Parameter(String),
    /// A part that begins like the tokens of a known issuer.
    #[error("it holds a token")]
    Token,
}

/// Checks that an address holds no secret.
///
/// The account of an `ssh` address, which has no password beside it, is none.
///
/// # Errors
/// When there is one.
pub fn without_secret(address: &str) -> Result<(), AddressSecret> {
    let parts = Parts::of(address);
    if parts.user_info.is_some_and(|info| !is_account(parts.scheme, info)) {
        return Err(AddressSecret::UserInfo);
    }
    if let Some((name, _)) = parameters(parts.rest).find(|(name, value)| is_secret(name, value)) {
        return Err(AddressSecret::Parameter(name.into_owned()));
    }
    if pieces(address).any(|piece| is_token(&piece)) { Err(AddressSecret::Token) } else { Ok(()) }
}

/// Returns the address with `…` in the place of every secret, for messages.
pub fn redacted(address: &str) -> String {
    let parts = Parts::of(address);
    let info = match parts.user_info {
        Some(info) if is_account(parts.scheme, info) => format!("{info}@"),
        Some(_) => format!("{HIDDEN}@"),
        None => String::new(),
    };
    let scheme = parts.scheme.map(|scheme| format!("{scheme}://")).unwrap_or_default();
    let shown = |piece: &str| {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        match piece.contains('=') && is_secret(&decoded(name), &decoded(value)) {
            true => format!("{name}={HIDDEN}"),
            false if is_token(&decoded(piece)) || is_token(&decoded(value)) => HIDDEN.to_owned(),
            false => piece.to_owned(),
        }
    };
    let mut text = format!("{scheme}{info}{}", parts.host);
    let mut rest = parts.rest;
    while !rest.is_empty() {
        let end = rest.find(is_separator).unwrap_or(rest.len());
        text.push_str(&shown(&rest[..end]));
        let after = rest[end..].chars().next().map_or(0, char::len_utf8);
        text.push_str(&rest[end..end + after]);
        rest = &rest[end + after..];
    }
    text
}

/// Returns a text with the secrets hidden of each URL in it.
pub fn redacted_in(text: &str) -> String {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '<' | '>' | '`' | '(' | ')');
    let words = text.split_inclusive(is_end);
    let shown = |word: &str| {
        let url = word.trim_end_matches(is_end);
        if url.contains("://") { format!("{}{}", redacted(url), &word[url.len()..]) } else { word.to_owned() }
    };
    words.map(shown).collect()
}

/// An address, taken apart as browsers and git do: leniently, since what is no address may hold a secret, too.
struct Parts<'a> {
    scheme: Option<&'a str>,
    user_info: Option<&'a str>,
    host: &'a str,
    /// Path, query and fragment.
    rest: &'a str,
}

impl<'a> Parts<'a> {
    fn of(address: &'a str) -> Self {
        let (scheme, after) = match address.split_once("://") {
            Some((scheme, after)) => (Some(scheme), after),
            None => (None, address),
        };
        let end = after.find(['/', '?', '#', '\\']).unwrap_or(after.len());
        // A password with a slash in it, as people write it, ends at the last @ before the query.
        let query = after.find(['?', '#']).unwrap_or(after.len());
        let at = after[..end].rfind('@').or_else(|| {
            let colon = after[..end].rfind(':')?;
            let port = after[colon + 1..end].bytes().all(|byte| byte.is_ascii_digit()) && colon + 1 < end;
            if scheme.is_none() || port { None } else { after[..query].rfind('@') }
        });
        let (user_info, from) = match at {
            Some(at) => (Some(&after[..at]), at + 1),
            None => (None, 0),
        };
        let end = after[from..].find(['/', '?', '#', '\\']).map_or(after.len(), |end| from + end);
        Self { scheme, user_info, host: &after[from..end], rest: &after[end..] }
    }
}

/// Tells whether what stands before a host is an account without a password, as `git@host:path` and `ssh://git@host` have it.
fn is_account(scheme: Option<&str>, user_info: &str) -> bool {
    let by_key = scheme.is_none_or(|scheme| {
        matches!(scheme.to_ascii_lowercase().as_str(), "ssh" | "git+ssh" | "sftp" | "s3" | "file")
    });
    by_key && !user_info.contains(':') && !is_token(user_info)
}

fn is_separator(c: char) -> bool {
    matches!(c, '/' | '?' | '#' | '&' | ';')
}

/// Returns the parameters of the query and of the fragment, decoded.
fn parameters(rest: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    let from = rest.find(['?', '#', ';']).unwrap_or(rest.len());
    let parameters = rest[from..].split(is_separator).filter_map(|piece| piece.split_once('='));
    parameters.map(|(name, value)| (decoded(name), decoded(value)))
}

fn pieces(address: &str) -> impl Iterator<Item = Cow<'_, str>> {
    address.split(|c| is_separator(c) || matches!(c, '=' | '@' | ':')).map(decoded)
}

fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

fn is_secret(name: &str, value: &str) -> bool {
    if value.is_empty() {
        return false;
    }
    let plain: String =
        name.chars().filter(|c| !matches!(c, '-' | '_' | '.')).map(|c| c.to_ascii_lowercase()).collect();
    SECRET_NAMES.iter().any(|secret| plain == *secret || (secret.len() > 3 && plain.ends_with(secret)))
}

fn is_token(piece: &str) -> bool {
    piece.len() >= TOKEN_LENGTH && TOKEN_BEGINNINGS.iter().any(|beginning| piece.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each with what is shown of it.
    const WITH_SECRET: [(&str, &str); 17] = [
        ("https://deploy:s3cr3t@example.com/x.tar", "https://…@example.com/x.tar"),
        ("https://s3cr3t@example.com/x", "https://…@example.com/x"),
        ("https://oauth2:s3cr3t@example.com/r.git", "https://…@example.com/r.git"),
        ("https://u:s3cr3t/x@example.com/r", "https://…@example.com/r"),
        ("HTTPS://u:s3cr3t@example.com", "HTTPS://…@example.com"),
        ("ssh://git:s3cr3t@example.com/r.git", "ssh://…@example.com/r.git"),
        ("https://example.com/x?token=s3cr3t", "https://example.com/x?token=…"),
        (
            "https://example.com/x?a=1&private_token=s3cr3t&b=2",
            "https://example.com/x?a=1&private_token=…&b=2",
        ),
        ("https://example.com/x?X-Amz-Signature=s3cr3t", "https://example.com/x?X-Amz-Signature=…"),
        ("https://example.com/x?X-Amz-Security-Token=s3cr3t", "https://example.com/x?X-Amz-Security-Token=…"),
        ("https://example.com/x?sv=1&sig=s3cr3t%3D", "https://example.com/x?sv=1&sig=…"),
        ("https://example.com/x?%74oken=s3cr3t", "https://example.com/x?%74oken=…"),
        ("https://example.com/x#access_token=s3cr3t", "https://example.com/x#access_token=…"),
        ("https://example.com/x?p=1;password=s3cr3t", "https://example.com/x?p=1;password=…"),
        ("https://example.com/x?t=ghp_s3cr3ts3cr3ts3cr3t", "https://example.com/x?…"),
        ("https://example.com/glpat-s3cr3ts3cr3t/x", "https://example.com/…/x"),
        ("u:s3cr3t@example.com/r.git", "…@example.com/r.git"),
    ];

    const WITHOUT: [&str; 13] = [
        "https://example.com/x.tar.gz",
        "https://example.com:8443/a@b/x",
        "https://example.com/?p=repo.git;a=snapshot;h=0123456789012345678901234567890123456789;sf=tgz",
        "https://example.com/download?file=x.zip&version=1.2&monkey=yes",
        "https://example.com/x?token=",
        "ssh://git@example.com/r.git",
        "git@example.com:team/r.git",
        "git://example.com/r.git",
        "../lib",
        "/srv/repo@2",
        "file:///srv/repo",
        "https://example.com/keys/eyJ",
        "https://[::1]:8080/x",
    ];

    #[test]
    fn an_address_with_a_secret_is_refused_and_shown_without_it() {
        for (address, shown) in WITH_SECRET {
            let refused = without_secret(address).unwrap_err().to_string();
            assert!(!refused.contains("s3cr3t"), "{refused}");
            assert_eq!(redacted(address), shown);
        }
    }

    #[test]
    fn every_url_of_a_text_is_shown_without_its_secret() {
        let text = "fatal: unable to access 'https://u:s3cr3t@example.com/r.git/': 403\nsee https://example.com/?a=1";
        let shown =
            "fatal: unable to access 'https://…@example.com/r.git/': 403\nsee https://example.com/?a=1";
        assert_eq!(redacted_in(text), shown);
    }

    #[test]
    fn an_address_without_a_secret_is_accepted_and_shown_as_it_is() {
        for address in WITHOUT {
            assert_eq!(without_secret(address), Ok(()), "{address}");
            assert_eq!(redacted(address), address);
        }
    }
}
