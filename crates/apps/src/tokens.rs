//! The tokens of the administration API: created, listed, revoked, checked.
//!
//! A token leaves once, as a [`Secret`], at its creation; only its SHA-256 is stored. Checks cache
//! nothing, so that a revoked token is refused from then on.

mod scope;

use std::collections::BTreeSet;

use fanfare_protocol::auth::Secret;
use fanfare_protocol::ids::is_app_id;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

pub use self::scope::{NotAScope, Scope};
use crate::apps::Apps;
use crate::operations::{OperationError, check_name};
use crate::store::{KeptToken, ListedToken, ValidToken};

/// The prefix of every token, by which people and secret scanners recognise one.
const PREFIX: &str = "fanfare_";

/// Random bytes of a token, which follow the prefix in hex.
const TOKEN_BYTES: usize = 32;

/// Seconds of a day.
const DAY: i64 = 24 * 60 * 60;

/// Longest validity of a token in days, for tokens that expire.
const MOST_DAYS: i64 = 3650;

/// Most apps that a token is bound to.
const MOST_APPS: usize = 100;

/// Stands before each scope of a bound token in the database, so that a server that knows no bound tokens gives no right.
const BOUND: &str = "bound";

/// Most tokens of a page.
pub const MOST_TOKENS_LISTED: usize = 1000;

/// A token to be created.
#[derive(Clone, Debug, Default)]
pub struct NewToken {
    /// The token's owner or purpose.
    pub name: String,
    /// At least one scope.
    pub scopes: BTreeSet<Scope>,
    /// The ids of the apps that the token is bound to; `None` for all apps and the node.
    pub apps: Option<BTreeSet<String>>,
    /// Validity in seconds; `None` for a token that never expires.
    pub seconds: Option<i64>,
    /// The number of the token that makes this one, which ends no later; `None` for a command.
    pub made_by: Option<i64>,
}

/// A stored token.
#[derive(Clone, Debug)]
pub struct TokenRecord {
    /// The token's number.
    pub id: i64,
    /// The token's owner or purpose.
    pub name: String,
    /// The token's scopes.
    pub scopes: BTreeSet<Scope>,
    /// The apps that the token is bound to; `None` for all.
    pub apps: Option<BTreeSet<String>>,
    /// In milliseconds since 1970.
    pub created_at: i64,
    /// The token's expiry.
    pub expires_at: Option<i64>,
    /// When the token was revoked.
    pub revoked_at: Option<i64>,
    /// When the token or one of its sessions was last used, to the minute.
    pub used_at: Option<i64>,
}

/// A part of the tokens, the newest first.
#[derive(Debug)]
pub struct TokenPage {
    /// The tokens, invalid ones included.
    pub tokens: Vec<TokenRecord>,
    /// The number before which the next page begins; `None` on the last.
    pub next: Option<i64>,
}

/// The bearer of a valid token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// The token's number.
    pub id: i64,
    /// The token's name.
    pub name: String,
    /// The token's scopes.
    pub scopes: BTreeSet<Scope>,
    /// The apps that the token is bound to; `None` for all apps and the node.
    pub apps: Option<BTreeSet<String>>,
}

impl Bearer {
    /// Whether the token gives any right to the app (CON-016).
    #[must_use]
    pub fn is_for(&self, app: &str) -> bool {
        self.apps.as_ref().is_none_or(|apps| apps.contains(app))
    }
}

impl Apps {
    /// Creates a token.
    ///
    /// # Errors
    /// Every fault of `new`, or the database is away.
    pub async fn create_token(&self, new: &NewToken) -> Result<(TokenRecord, Secret), OperationError> {
        self.create_token_for(new, new.seconds.map(|seconds| seconds.saturating_mul(1000))).await
    }

    /// [`Apps::create_token`], valid for so many milliseconds.
    pub(crate) async fn create_token_for(
        &self,
        new: &NewToken,
        life: Option<i64>,
    ) -> Result<(TokenRecord, Secret), OperationError> {
        let stored = self.writable()?;
        let mut faults = Vec::new();
        check_name(&new.name, &mut faults);
        if new.name.is_empty() {
            faults.push("a token needs a name, by which it is known again".to_owned());
        }
        if new.scopes.is_empty() {
            faults
                .push("a token needs a scope: read, write, secrets, publish, payloads or operate".to_owned());
        }
        if new.seconds.is_some_and(|seconds| !(1..=MOST_DAYS * DAY).contains(&seconds)) {
            faults.push(format!("a token is valid for a second to {MOST_DAYS} days"));
        }
        if let Some(apps) = &new.apps {
            self.check_bound(apps, &mut faults).await?;
        }
        if !faults.is_empty() {
            return Err(OperationError::Faults(faults));
        }
        let token = format!("{PREFIX}{}", random_hex::<TOKEN_BYTES>()?);
        let apps =
            new.apps.as_ref().map(|apps| apps.iter().map(String::as_str).collect::<Vec<_>>().join(","));
        let kept = KeptToken {
            name: &new.name,
            hash: &hash(&token),
            scopes: &as_text(&new.scopes, apps.is_some()),
            apps: apps.as_deref(),
            life,
            made_by: new.made_by,
        };
        let id = stored.noting(stored.store.add_token(&kept).await)?;
        Ok((self.token(id).await?, Secret::new(&token)))
    }

    /// Finds the faults of the apps that a token is to be bound to.
    async fn check_bound(
        &self,
        apps: &BTreeSet<String>,
        faults: &mut Vec<String>,
    ) -> Result<(), OperationError> {
        if apps.is_empty() || apps.len() > MOST_APPS {
            faults.push(format!("a token is bound to 1 to {MOST_APPS} apps, not {}", apps.len()));
            return Ok(());
        }
        for id in apps {
            if !is_app_id(id) {
                faults.push(
                    "a token is bound to ids of apps: 1 to 64 of the characters A-Z a-z 0-9 _ -".to_owned(),
                );
                continue;
            }
            match self.show(id).await {
                Ok(_) => {}
                Err(OperationError::NoSuchApp(id)) => faults.push(format!("there is no app {id}")),
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    /// One token, valid or not.
    ///
    /// # Errors
    /// No token has the number, or the database is away.
    pub async fn token(&self, id: i64) -> Result<TokenRecord, OperationError> {
        let listed = self.writable()?.store.token(id).await?;
        listed.map(TokenRecord::from).ok_or(OperationError::NoSuchToken(id))
    }

    /// Tokens with smaller numbers than `before`, or the newest; at most `limit`.
    ///
    /// # Errors
    /// The database is away.
    pub async fn tokens(&self, before: Option<i64>, limit: usize) -> Result<TokenPage, OperationError> {
        let limit = limit.clamp(1, MOST_TOKENS_LISTED);
        // One more than wanted tells whether there is another page.
        let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
        let listed = self.writable()?.store.tokens(before, most).await?;
        let mut tokens: Vec<TokenRecord> = listed.into_iter().map(TokenRecord::from).collect();
        let has_more = tokens.len() > limit;
        tokens.truncate(limit);
        let next = tokens.last().filter(|_| has_more).map(|token| token.id);
        Ok(TokenPage { tokens, next })
    }

    /// Revokes a token, at once and for good.
    ///
    /// # Errors
    /// No valid token has the number, or the database is away.
    pub async fn revoke_token(&self, id: i64) -> Result<(), OperationError> {
        let stored = self.writable()?;
        let revoked = stored.noting(stored.store.revoke_token(id).await)?;
        if revoked { Ok(()) } else { Err(OperationError::NoSuchToken(id)) }
    }

    /// The bearer of a token; `None` for an unknown, malformed, expired or revoked token.
    ///
    /// # Errors
    /// There is no database, or the database is away.
    pub async fn bearer_of(&self, token: &str) -> Result<Option<Bearer>, OperationError> {
        let stored = self.writable()?;
        if !is_token(token) {
            return Ok(None);
        }
        let hash = hash(token);
        let Some(found) = stored.store.valid_token(&hash, &stored.look_ups).await? else { return Ok(None) };
        // An index compares in variable time. The row's hash is compared once more, in constant time.
        let same = found.token.hash.as_bytes().ct_eq(hash.as_bytes());
        if !bool::from(same) {
            return Ok(None);
        }
        if found.is_stale {
            // A database that stores nothing is noted; the list then tells of an earlier use.
            let _ = stored.noting(stored.store.touch_token(found.token.id).await);
        }
        Ok(Some(Bearer::from(found.token)))
    }

    /// The bearer of the token with this number; `None` if it is not valid any more.
    ///
    /// # Errors
    /// There is no database, or the database is away.
    pub async fn bearer_of_number(&self, id: i64) -> Result<Option<Bearer>, OperationError> {
        Ok(self.writable()?.store.valid_token_of(id).await?.map(Bearer::from))
    }

    /// Whether there is a database, without which there are no tokens.
    #[must_use]
    pub const fn has_database(&self) -> bool {
        self.stored.is_some()
    }
}

/// Whether a text has the form of a token; other texts need no look-up.
fn is_token(text: &str) -> bool {
    text.strip_prefix(PREFIX).is_some_and(|hex| is_hex(hex, TOKEN_BYTES))
}

/// Whether a text is so many bytes in lower-case hex.
pub(crate) fn is_hex(text: &str, bytes: usize) -> bool {
    text.len() == 2 * bytes && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Random bytes in lower-case hex.
pub(crate) fn random_hex<const BYTES: usize>() -> Result<String, OperationError> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(hex::encode(bytes))
}

pub(crate) fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

fn as_text(scopes: &BTreeSet<Scope>, is_bound: bool) -> String {
    let before = if is_bound { BOUND } else { "" };
    scopes.iter().map(|scope| format!("{before}{scope}")).collect::<Vec<_>>().join(",")
}

/// A scope of a newer version gives no right here.
fn from_text(text: &str, is_bound: bool) -> BTreeSet<Scope> {
    let before = if is_bound { BOUND } else { "" };
    text.split(',').filter_map(|scope| scope.strip_prefix(before)?.parse().ok()).collect()
}

/// The apps of a bound token.
fn bound(apps: Option<String>) -> Option<BTreeSet<String>> {
    apps.map(|apps| apps.split(',').map(str::to_owned).collect())
}

impl From<ValidToken> for Bearer {
    fn from(row: ValidToken) -> Self {
        let scopes = from_text(&row.scopes, row.apps.is_some());
        Self { id: row.id, name: row.name, scopes, apps: bound(row.apps) }
    }
}

impl From<ListedToken> for TokenRecord {
    fn from(row: ListedToken) -> Self {
        Self {
            id: row.id,
            name: row.name,
            scopes: from_text(&row.scopes, row.apps.is_some()),
            apps: bound(row.apps),
            created_at: row.made_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            used_at: row.used_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_the_form_of_a_token_is_looked_for() {
        let hex = "0123456789abcdef".repeat(4);
        assert!(is_token(&format!("fanfare_{hex}")));
        for text in [
            "",
            "fanfare_",
            &hex,
            &format!("fanfare_{hex}0"),
            &format!("fanfare_{}", &hex[1..]),
            &format!("Fanfare_{hex}"),
            &format!("fanfare_{}", hex.to_uppercase()),
        ] {
            assert!(!is_token(text), "{text}");
        }
    }

    #[test]
    fn scopes_are_read_as_they_are_written() {
        let all = BTreeSet::from(Scope::ALL);
        assert_eq!(as_text(&all, false), "read,write,secrets,publish,payloads,operate");
        assert_eq!(from_text("read,write,secrets,publish,payloads,operate", false), all);
        assert_eq!(from_text("read,everything", false), BTreeSet::from([Scope::Read]));
        let few = BTreeSet::from([Scope::Read, Scope::Write]);
        assert_eq!(as_text(&few, true), "boundread,boundwrite");
        assert_eq!(from_text("boundread,boundwrite", true), few);
        // Of a server that knows no bound tokens, and of a row that somebody has changed by hand.
        assert_eq!(from_text("boundread,boundwrite", false), BTreeSet::new());
        assert_eq!(from_text("read", true), BTreeSet::new());
        assert_eq!("all".parse::<Scope>(), Err(NotAScope));
    }
}
