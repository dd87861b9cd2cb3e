//! The task that keeps the certificate: takes over what another node has got, and orders a new one when it is due.
//!
//! One node at a time orders, by a lease. What has failed is tried again after a time that doubles, also after a restart.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use fanfare_config::certificate::Certificate;
use fanfare_node::clock::unix_seconds;
use fanfare_protocol::utc::utc;
use sha2::{Digest as _, Sha256};
use tokio::time::{sleep, timeout};

use super::Acme;
use super::order::{Issued, OrderError, Ordering};
use super::storage::{AcmeRecords, StorageError};
use crate::state::State;
use crate::tls::ServerTls;

/// How often a node looks whether another has got a new certificate.
const CALM: Duration = Duration::from_secs(60);

/// The same while one is due, and another node may be about to get one.
const WAITING: Duration = Duration::from_secs(2);

/// Longest time of an order.
const LONGEST: Duration = Duration::from_secs(300);

/// How long a lease holds that its node neither extends nor gives back, because the node was killed.
const LEASE: Duration = Duration::from_secs(15);

/// How long failures are remembered.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);

/// Longest time between two attempts.
const LONGEST_BACKOFF: u64 = 6 * 3600;

/// Orders that have failed since the last that has not.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
struct Attempts {
    failures: u32,
    /// When the last one ended, in Unix seconds.
    at: u64,
    /// When the authority wants the next at the earliest, in Unix seconds.
    not_before: u64,
}

impl Attempts {
    /// When the next may begin, in Unix seconds: after `first` seconds, twice as long after each further failure, and six hours
    /// at most. An operator who asks need not wait, unless the authority wants that.
    fn next(&self, first: u64, is_asked: bool) -> u64 {
        if self.failures == 0 || is_asked {
            return self.not_before;
        }
        let doubled = first.saturating_mul(1 << (self.failures - 1).min(30));
        self.not_before.max(self.at.saturating_add(doubled.min(LONGEST_BACKOFF.max(first))))
    }
}

/// A certificate in use.
struct InUse {
    chain: String,
    expires: u64,
    /// When a new one is due, in Unix seconds.
    due: u64,
}

/// The task's state.
struct Follower {
    state: Arc<State>,
    tls: Arc<ServerTls>,
    acme: Arc<Acme>,
    /// This process, among the holders of the lease.
    holder: String,
    /// What names the records of these domains at this authority.
    id: String,
    in_use: Option<InUse>,
    /// What could not be stored yet.
    unstored: Option<Issued>,
    is_asked: bool,
    is_storage_away: bool,
}

/// Takes a stored certificate into use, then starts the task that follows it until the process ends.
pub async fn begin(state: &Arc<State>, tls: &Arc<ServerTls>, acme: &Arc<Acme>) {
    let section = &acme.section;
    let mut domains = section.domains.clone();
    domains.sort_unstable();
    let id = hex::encode(Sha256::digest(format!("{} {}", section.directory, domains.join(" "))));
    let mut follower = Follower {
        state: Arc::clone(state),
        tls: Arc::clone(tls),
        acme: Arc::clone(acme),
        holder: format!("{:016x}", random()),
        id,
        in_use: None,
        unstored: None,
        is_asked: false,
        is_storage_away: false,
    };
    state.metrics.acme().begin();
    if let Err(error) = follower.take_over().await {
        follower.note_storage(&error);
    }
    if follower.in_use.is_none() && !follower.use_former().await {
        state.metrics.acme().lacks_certificate(!tls.has_certificate());
        tracing::warn!(
            target: "fanfare::tls",
            domains = section.domains.join(" "),
            "there is no certificate for tls.acme.domains yet; it is ordered now, and until it is there clients that want one of these \
             names are not served over TLS"
        );
    }
    let answering = Arc::clone(acme);
    let read_others = async move { answering.challenges.read_others().await };
    state.node.tasks.spawn("answers to ACME's authority", read_others);
    state.node.tasks.spawn("ACME", follower.run());
}

impl Follower {
    async fn run(mut self) {
        loop {
            let rest = match self.look().await {
                Ok(rest) => {
                    self.is_storage_away = false;
                    rest
                }
                Err(error) => {
                    self.note_storage(&error);
                    WAITING
                }
            };
            tokio::select! {
                () = sleep(rest) => {}
                () = self.acme.hurry.notified() => self.is_asked = true,
            }
        }
    }

    /// Takes over, or orders if that is due; returns how long to wait.
    async fn look(&mut self) -> Result<Duration, StorageError> {
        self.take_over().await?;
        self.store().await?;
        let is_asked = std::mem::take(&mut self.is_asked);
        let (now, due) = (unix_seconds(), self.due());
        if now < due {
            return Ok(CALM.min(Duration::from_secs(due - now)));
        }
        let next = self.attempts().await?.next(self.acme.section.retry, is_asked);
        if now < next {
            // Until then no other node orders either.
            let left = Duration::from_secs(next - now);
            return Ok(if left > CALM { CALM } else { WAITING.min(left) });
        }
        let (storage, lease) = (Arc::clone(&self.acme.storage), self.record("lease"));
        if !storage.take_lease(&lease, &self.holder, LEASE).await? {
            return Ok(WAITING);
        }
        let holder = self.holder.clone();
        let ordered = tokio::select! {
            ordered = self.order(is_asked) => ordered,
            never = hold(&storage, &lease, &holder) => match never {},
        };
        storage.end_lease(&lease, &holder).await?;
        ordered.map(|()| Duration::ZERO)
    }

    /// Orders, under the lease, unless another node has done so meanwhile.
    async fn order(&mut self, is_asked: bool) -> Result<(), StorageError> {
        self.take_over().await?;
        let mut attempts = self.attempts().await?;
        let now = unix_seconds();
        if now < self.due() || now < attempts.next(self.acme.section.retry, is_asked) {
            return Ok(());
        }
        let acme = Arc::clone(&self.acme);
        let Acme { section, storage, challenges, client, rest, .. } = &*acme;
        let ordering = Ordering { section, storage, challenges, client, rest };
        let ordered = timeout(LONGEST, ordering.run()).await.unwrap_or(Err(OrderError::Late));
        challenges.end().await;
        let not_before = rest.take();
        let ordered = ordered.and_then(|issued| {
            self.put_into_use(&issued).map_err(OrderError::Unusable)?;
            Ok(issued)
        });
        let error = match ordered {
            Ok(issued) => {
                self.unstored = Some(issued);
                self.store().await?;
                if unix_seconds() < self.due() {
                    self.state.metrics.acme().ordered();
                    return storage.remove(&self.record("attempts")).await;
                }
                // An order at once would bring the same, again and again.
                OrderError::DueAlready
            }
            Err(error) => error,
        };
        attempts = Attempts { failures: attempts.failures + 1, at: unix_seconds(), not_before };
        self.state.metrics.acme().failed();
        self.log(&error, &attempts);
        let record = serde_json::to_string(&attempts).unwrap_or_default();
        storage.put(&self.record("attempts"), &record, REMEMBERED).await
    }

    /// Takes the stored certificate into use, if it is another one that holds longer.
    async fn take_over(&mut self) -> Result<(), StorageError> {
        let Some(record) = self.acme.storage.get(&self.record("certificate")).await? else { return Ok(()) };
        let Ok(stored) = serde_json::from_str::<Issued>(&record) else { return Ok(()) };
        if self.in_use.as_ref().is_some_and(|in_use| in_use.chain == stored.chain) {
            return Ok(());
        }
        match Certificate::from_pem(&stored.chain, &stored.key) {
            Ok(read) if self.in_use.as_ref().is_none_or(|in_use| in_use.expires < read.expires()) => {
                self.use_certificate(stored.chain, read);
            }
            Ok(_) => {}
            Err(error) => {
                tracing::error!(target: "fanfare::tls", %error, "the stored certificate cannot be used");
            }
        }
        Ok(())
    }

    /// Until there is one for just these domains, the last one of this authority that is for any of them; whether there is one.
    async fn use_former(&self) -> bool {
        let section = &self.acme.section;
        let Ok(Some(record)) = self.acme.storage.get(&latest(&section.directory)).await else { return false };
        let Ok(stored) = serde_json::from_str::<Issued>(&record) else { return false };
        match Certificate::from_pem(&stored.chain, &stored.key) {
            Ok(former) if section.domains.iter().any(|domain| former.is_for(domain)) => {
                former.log("TLS certificate (ACME) of before the names were changed", unix_seconds());
                self.tls.set_issued(former);
                true
            }
            _ => false,
        }
    }

    /// Stores what was issued and is not stored yet.
    async fn store(&mut self) -> Result<(), StorageError> {
        let Some(issued) = &self.unstored else { return Ok(()) };
        let record = serde_json::to_string(issued).unwrap_or_default();
        self.acme.storage.put(&self.record("certificate"), &record, Duration::ZERO).await?;
        self.acme.storage.put(&latest(&self.acme.section.directory), &record, Duration::ZERO).await?;
        self.unstored = None;
        Ok(())
    }

    fn put_into_use(&mut self, issued: &Issued) -> Result<(), String> {
        let read = Certificate::from_pem(&issued.chain, &issued.key).map_err(|error| error.to_string())?;
        let missing = self.acme.section.domains.iter().find(|domain| !read.is_for(domain));
        if let Some(missing) = missing {
            return Err(format!("it is not for {missing}"));
        }
        self.use_certificate(issued.chain.clone(), read);
        Ok(())
    }

    fn use_certificate(&mut self, chain: String, certificate: Certificate) {
        let expires = certificate.expires();
        let life = expires.saturating_sub(certificate.begins());
        // Not all servers of the world that have begun at once renew at once.
        let early = random() % (life / 30 + 1);
        self.in_use = Some(InUse { chain, expires, due: expires.saturating_sub(life / 3 + early) });
        certificate.log("new TLS certificate (ACME)", unix_seconds());
        self.tls.set_issued(certificate);
        self.state.metrics.set_certificates(self.tls.in_use());
        self.state.metrics.acme().lacks_certificate(false);
        self.state.metrics.acme().works();
    }

    fn due(&self) -> u64 {
        self.in_use.as_ref().map_or(0, |in_use| in_use.due)
    }

    async fn attempts(&self) -> Result<Attempts, StorageError> {
        let record = self.acme.storage.get(&self.record("attempts")).await?;
        Ok(record.and_then(|record| serde_json::from_str(&record).ok()).unwrap_or_default())
    }

    fn record(&self, what: &str) -> String {
        format!("{what}:{}", self.id)
    }

    fn log(&self, error: &OrderError, attempts: &Attempts) {
        let section = &self.acme.section;
        let advice = match error {
            OrderError::Invalid(_) if section.is_over_http() => {
                "the authority has to reach port 80 of each of these names, and from there tls.acme.http_addr: see to DNS, firewall \
                 and port forwarding"
            }
            OrderError::Invalid(_) => {
                "the authority has to reach port 443 of each of these names, and from there tls.addr, with nothing in between that \
                 ends TLS: see to DNS, firewall and port forwarding"
            }
            OrderError::NoAccount(_) if section.external_account.is_some() => {
                "tls.acme.eab_key_id and tls.acme.eab_key_file have to be those that the authority has given; some authorities take \
                 each key once"
            }
            OrderError::NoAccount(_) => {
                "if the authority asks for an account of its own, set tls.acme.eab_key_id and tls.acme.eab_key_file"
            }
            OrderError::DueAlready => "set the clock of this machine right",
            _ => "see docs/tls.md; SIGHUP has it tried at once",
        };
        let until = if matches!(error, OrderError::DueAlready) {
            "the one that was issued is in use"
        } else if self.in_use.is_some() {
            "the one before stays in use"
        } else {
            "there is none yet"
        };
        tracing::error!(
            target: "fanfare::tls",
            domains = section.domains.join(" "),
            failures = attempts.failures,
            next = utc(attempts.next(section.retry, false)),
            %error,
            "no new certificate, {until}: {advice}"
        );
    }

    fn note_storage(&mut self, error: &StorageError) {
        if !std::mem::replace(&mut self.is_storage_away, true) {
            tracing::error!(
                target: "fanfare::tls", %error,
                "the records of tls.acme cannot be used: no certificate is ordered until they can"
            );
        }
    }
}

/// Extends a lease for as long as it is needed.
async fn hold(storage: &AcmeRecords, lease: &str, holder: &str) -> Infallible {
    loop {
        sleep(LEASE / 3).await;
        // Whether that is possible or not, the order goes on: two orders do no harm, half an order is of no use.
        let _ = storage.take_lease(lease, holder, LEASE).await;
    }
}

/// The name of the record with an authority's last certificate, for whatever names.
fn latest(directory: &str) -> String {
    format!("latest:{directory}")
}

/// A random number; 0 if the system has none, which only makes the moment of a renewal less random.
fn random() -> u64 {
    let mut bytes = [0; 8];
    let _ = getrandom::fill(&mut bytes);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_with_each_failure_up_to_six_hours() {
        let next = |failures| Attempts { failures, at: 1000, not_before: 0 }.next(120, false);
        let waits: Vec<u64> = (1..=10).map(|failures| next(failures) - 1000).collect();
        assert_eq!(waits, [120, 240, 480, 960, 1920, 3840, 7680, 15360, 21600, 21600]);
        assert_eq!(next(4_000_000_000), 1000 + 21600);
    }

    #[test]
    fn who_asks_need_not_wait_but_for_the_authority() {
        let attempts = Attempts { failures: 5, at: 1000, not_before: 0 };
        assert_eq!((attempts.next(120, true), Attempts::default().next(120, false)), (0, 0));
        let attempts = Attempts { failures: 1, at: 1000, not_before: 5000 };
        assert_eq!((attempts.next(120, true), attempts.next(120, false)), (5000, 5000));
    }
}
