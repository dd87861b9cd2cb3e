//! One order of a certificate, from the account to the chain.
//!
//! Never logs a secret; an error has the authority's words, cut to a bounded length.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use fanfare_config::{AcmeSection, bounded_file};
use fanfare_node::clock::unix_seconds;
use fanfare_outgoing::Client;
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::account_key::{AccountKey, BadKey, Signer, digest_of, encoded};
use super::authority::{Authority, AuthorityAnswer, AuthorityError, Problem, Rest, parsed};
use super::challenges::{Asked, Challenges};
use super::storage::{AcmeRecords, StorageError};

/// Shortest and longest time between two looks at an order; the authority may want a longer time.
const LOOKS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// What authorities answer to a new account that is not bound to one of their own as they want it.
const ABOUT_BINDING: [&str; 3] = ["externalAccountRequired", "unauthorized", "malformed"];

/// A chain of certificates and its key, as PEM.
#[derive(Serialize, Deserialize)]
pub struct Issued {
    /// The certificate, followed by its intermediate certificates.
    pub chain: String,
    /// The certificate's key.
    pub key: String,
}

/// Why an order has failed.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// The authority refuses, or cannot be reached.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The authority does not accept what it was shown.
    #[error("the authority could not make sure of the names: {0}")]
    Invalid(String),
    /// The authority does not offer the challenge.
    #[error("the authority does not offer the challenge that tls.acme.challenge names")]
    NotOffered,
    /// The key for the external account.
    #[error("tls.acme.eab_key_file, {}: {fault}", path.display())]
    ExternalAccount {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        fault: String,
    },
    /// The records.
    #[error("the records of tls.acme: {0}")]
    Storage(#[from] StorageError),
    /// A key or a request for a certificate could not be made.
    #[error("no request for a certificate can be made: {0}")]
    Request(#[from] rcgen::Error),
    /// The account's key.
    #[error(transparent)]
    Key(#[from] BadKey),
    /// The authority makes no account.
    #[error("no account can be made: {0}")]
    NoAccount(AuthorityError),
    /// What was issued has come to the time of its renewal, by the clock of this machine.
    #[error("what the authority has issued just now is due for renewal by the clock of this machine")]
    DueAlready,
    /// What was issued is not what was ordered.
    #[error("what the authority has issued cannot be used: {0}")]
    Unusable(String),
    /// The whole order took too long.
    #[error("the authority has not issued in time")]
    Late,
}

/// What an order needs.
pub struct Ordering<'a> {
    pub section: &'a AcmeSection,
    pub storage: &'a AcmeRecords,
    pub challenges: &'a Challenges,
    pub client: &'a Client,
    pub rest: &'a Rest,
}

/// An account, as it is stored.
#[derive(Serialize, Deserialize)]
struct StoredAccount {
    url: String,
    key: String,
}

struct Account {
    url: String,
    key: AccountKey,
}

#[derive(Deserialize)]
struct Order {
    status: String,
    authorizations: Vec<String>,
    finalize: String,
    certificate: Option<String>,
    error: Option<Problem>,
}

#[derive(Deserialize)]
struct Authorization {
    status: String,
    identifier: Identifier,
    challenges: Vec<Challenge>,
}

#[derive(Deserialize)]
struct Identifier {
    value: String,
}

#[derive(Deserialize)]
struct Challenge {
    r#type: String,
    url: String,
    #[serde(default)]
    token: String,
    error: Option<Problem>,
}

impl Account {
    /// Sends a request in the account's name.
    async fn ask(
        &self,
        authority: &Authority<'_>,
        url: &str,
        payload: Option<&Value>,
    ) -> Result<AuthorityAnswer, AuthorityError> {
        authority.ask(&self.key, &Signer::Account(&self.url), url, payload).await
    }
}

impl Ordering<'_> {
    /// Orders a certificate for all domains. An account that the authority does not know any more is replaced, once. The whole
    /// time is the caller's to bound.
    pub async fn run(&self) -> Result<Issued, OrderError> {
        let authority = &Authority::open(self.client, self.rest, &self.section.directory).await?;
        let mut account = match self.stored_account().await? {
            Some(account) => account,
            None => self.new_account(authority).await?,
        };
        let names: Vec<Value> =
            self.section.domains.iter().map(|name| json!({ "type": "dns", "value": name })).collect();
        let wanted = json!({ "identifiers": names });
        let new_order = &authority.directory.new_order;
        let mut begun = account.ask(authority, new_order, Some(&wanted)).await;
        if let Some(error) = begun.as_ref().err().filter(|error| is_about_account(error)) {
            tracing::warn!(
                target: "fanfare::tls", account = account.url, %error,
                "the authority does not take the account any more: a new one is made"
            );
            account = self.new_account(authority).await?;
            begun = account.ask(authority, new_order, Some(&wanted)).await;
        }
        let begun = begun?;
        let url =
            begun.location.ok_or_else(|| AuthorityError::Unexpected("the order has no URL".to_owned()))?;
        let order: Order = parsed(&begun.body)?;
        for authorization in &order.authorizations {
            self.prove(authority, &account, authorization).await?;
        }
        let order = settled(authority, &account, &url, "ready").await?;
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(self.section.domains.clone())?;
        params.distinguished_name = DistinguishedName::new();
        let request = json!({ "csr": encoded(params.serialize_request(&key)?.der()) });
        account.ask(authority, &order.finalize, Some(&request)).await?;
        let order = settled(authority, &account, &url, "valid").await?;
        let place = order.certificate;
        let place = place.ok_or_else(|| AuthorityError::Unexpected("there is no certificate".to_owned()))?;
        let chain = account.ask(authority, &place, None).await?.body;
        let chain =
            String::from_utf8(chain.to_vec()).map_err(|error| OrderError::Unusable(error.to_string()))?;
        Ok(Issued { chain, key: key.serialize_pem() })
    }

    fn account_record(&self) -> String {
        format!("account:{}", self.section.directory)
    }

    /// The account of all nodes; a record that cannot be read is as good as none.
    async fn stored_account(&self) -> Result<Option<Account>, OrderError> {
        let Some(record) = self.storage.get(&self.account_record()).await? else { return Ok(None) };
        let Ok(StoredAccount { url, key }) = serde_json::from_str(&record) else { return Ok(None) };
        Ok(AccountKey::stored(&key).ok().map(|key| Account { url, key }))
    }

    /// Makes an account, and stores its key for all nodes.
    async fn new_account(&self, authority: &Authority<'_>) -> Result<Account, OrderError> {
        let key = AccountKey::generate()?;
        let place = &authority.directory.new_account;
        let contact: Vec<String> =
            self.section.contact.iter().map(|address| format!("mailto:{address}")).collect();
        let mut wanted = json!({ "termsOfServiceAgreed": true, "contact": contact });
        if let Some((id, secret)) = self.external_account().await? {
            wanted["externalAccountBinding"] = key.bound_to(&id, &secret, place);
        }
        let made = authority.ask(&key, &Signer::New, place, Some(&wanted)).await;
        let made = made.map_err(|error| match error {
            AuthorityError::Problem(ref problem) if ABOUT_BINDING.contains(&problem.kind()) => {
                OrderError::NoAccount(error)
            }
            other => other.into(),
        })?;
        let url =
            made.location.ok_or_else(|| AuthorityError::Unexpected("the account has no URL".to_owned()))?;
        let stored = StoredAccount { url: url.clone(), key: key.to_store() };
        let record = serde_json::to_string(&stored).unwrap_or_default();
        self.storage.put(&self.account_record(), &record, Duration::ZERO).await?;
        tracing::info!(target: "fanfare::tls", account = url, "a new account with the certificate authority");
        Ok(Account { url, key })
    }

    /// The id of the external account, and its key.
    async fn external_account(&self) -> Result<Option<(String, Vec<u8>)>, OrderError> {
        let Some((id, path)) = &self.section.external_account else { return Ok(None) };
        let failed = |fault: String| OrderError::ExternalAccount { path: path.clone(), fault };
        let file = path.clone();
        // The disk of a file may not answer.
        let read = spawn_blocking(move || bounded_file::text(&file)).await;
        let text = read.map_err(io::Error::other).flatten().map_err(|error| failed(error.to_string()))?;
        let key = BASE64_URL_SAFE_NO_PAD.decode(text.trim().trim_end_matches('='));
        match key {
            Ok(key) if !key.is_empty() => Ok(Some((id.clone(), key))),
            _ => Err(failed("is no key in base64url".to_owned())),
        }
    }

    /// Has every node show the authority what it asks to see for a name, and tells the authority to look.
    async fn prove(&self, authority: &Authority<'_>, account: &Account, url: &str) -> Result<(), OrderError> {
        let asked: Authorization = parsed(&account.ask(authority, url, None).await?.body)?;
        // It may remember that the name was proved before.
        if asked.status != "pending" {
            return Ok(());
        }
        let kind = if self.section.is_over_http() { "http-01" } else { "tls-alpn-01" };
        let challenge = asked.challenges.into_iter().find(|challenge| challenge.r#type == kind);
        let challenge = challenge.ok_or(OrderError::NotOffered)?;
        let shown = account.key.authorization(&challenge.token);
        let (about, shown) = if self.section.is_over_http() {
            (Asked::Token(challenge.token), shown)
        } else {
            (Asked::Host(asked.identifier.value.to_ascii_lowercase()), digest_of(&shown))
        };
        self.challenges.prepare(about, shown).await?;
        account.ask(authority, &challenge.url, Some(&json!({}))).await?;
        Ok(())
    }
}

/// The order as soon as it has this status.
async fn settled(
    authority: &Authority<'_>,
    account: &Account,
    url: &str,
    wanted: &str,
) -> Result<Order, OrderError> {
    let mut rest = LOOKS.0;
    loop {
        let answered = account.ask(authority, url, None).await?;
        let order: Order = parsed(&answered.body)?;
        match &*order.status {
            status if status == wanted => return Ok(order),
            "valid" => return Ok(order),
            "invalid" => return Err(OrderError::Invalid(why_invalid(authority, account, order).await)),
            _ => {}
        }
        let asked = Duration::from_secs(answered.again_at.saturating_sub(unix_seconds()));
        sleep(rest.max(asked)).await;
        rest = (rest * 3 / 2).min(LOOKS.1);
    }
}

/// The authority's words about the first name that it could not make sure of.
async fn why_invalid(authority: &Authority<'_>, account: &Account, order: Order) -> String {
    for url in &order.authorizations {
        let Ok(answered) = account.ask(authority, url, None).await else { continue };
        let Ok(Authorization { identifier, challenges, .. }) = parsed(&answered.body) else { continue };
        if let Some(problem) = challenges.into_iter().find_map(|challenge| challenge.error) {
            return format!("{}: {}", identifier.value, problem.shown());
        }
    }
    order.error.unwrap_or_default().shown()
}

/// Whether the authority does not know the account, or has ended it.
fn is_about_account(error: &AuthorityError) -> bool {
    matches!(error, AuthorityError::Problem(problem)
        if matches!(problem.kind(), "accountDoesNotExist" | "unauthorized"))
}
