//! The first questions on a new connection: which server, which version, which layout; and the scripts.

use std::collections::HashMap;

use fanfare_redis::RedisError;
use redis::aio::MultiplexedConnection;
use redis::{Pipeline, Value};

use super::error::{LinkError, is_fatal, text_of};
use crate::scripts::Script;

/// What adds up messages for quotas; its head says what it takes and answers.
pub(super) const USE: &str = include_str!("../lua/use.lua");

/// What agrees on publishes with an idempotency key; its head says what it takes and answers.
pub(super) const ONCE: &str = include_str!("../lua/once.lua");

/// The digests of the scripts, as Redis has named them.
#[derive(Clone, Debug, Default)]
pub(super) struct Digests {
    of: HashMap<Script, String>,
    pub usage: String,
    pub once: String,
}

impl Digests {
    pub fn of(&self, script: Script) -> &str {
        self.of.get(&script).map(String::as_str).unwrap_or_default()
    }
}

/// What a server says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct About {
    /// Why the settings of its memory are a danger, if so (CL-116).
    pub warning: Option<String>,
}

impl About {
    /// Reads `INFO`.
    ///
    /// # Errors
    /// The server is a replica, is loading, or is too old.
    pub fn read(info: &str) -> Result<Self, LinkError> {
        let field = |name: &str| {
            let value =
                |line: &'_ str| line.strip_prefix(name)?.strip_prefix(':').map(|rest| rest.trim().to_owned());
            info.lines().find_map(value).unwrap_or_default()
        };
        let version = field("redis_version");
        let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
        if version.is_empty() {
            return Err(RedisError::NotRedis.into());
        }
        if major < 7 {
            return Err(LinkError::TooOld(version));
        }
        if field("role") == "slave" {
            return Err(RedisError::Elsewhere("this server is a replica".to_owned()).into());
        }
        if field("loading") == "1" {
            return Err(RedisError::Refused("LOADING the data is not loaded yet".to_owned()).into());
        }
        // By these a new epoch is known (hello.lua).
        if field("run_id").is_empty() || field("master_replid").is_empty() {
            return Err(RedisError::NotRedis.into());
        }
        let policy = field("maxmemory_policy");
        let is_bounded = !matches!(&*field("maxmemory"), "" | "0");
        let is_good = matches!(&*policy, "" | "noeviction" | "volatile-ttl");
        let warning = (is_bounded && !is_good).then(|| {
            format!(
                "maxmemory-policy is {policy}: Redis may evict who is where; set noeviction or volatile-ttl"
            )
        });
        Ok(Self { warning })
    }
}

/// Asks a server about itself, and loads the scripts.
///
/// # Errors
/// The server is not one to work with.
pub(super) async fn greet(connection: &mut MultiplexedConnection) -> Result<(About, Digests), LinkError> {
    let mut questions = Pipeline::new();
    questions.cmd("INFO");
    for script in Script::ALL {
        questions.cmd("SCRIPT").arg("LOAD").arg(script.text());
    }
    questions.cmd("SCRIPT").arg("LOAD").arg(USE);
    questions.cmd("SCRIPT").arg("LOAD").arg(ONCE);
    let mut answers = ask(connection, &questions).await?.into_iter().map(text);
    let mut next = || answers.next().unwrap_or(Err(RedisError::NotRedis.into()));
    let about = About::read(&next()?)?;
    let mut digests = Digests::default();
    for script in Script::ALL {
        digests.of.insert(script, next()?);
    }
    digests.usage = next()?;
    digests.once = next()?;
    Ok((about, digests))
}

/// Writes down the layout, or compares it with what is written (CL-072).
///
/// # Errors
/// The data has another layout.
pub(super) async fn check_layout(
    connection: &mut MultiplexedConnection,
    key: &str,
    wanted: &str,
) -> Result<(), LinkError> {
    let mut questions = Pipeline::new();
    questions.cmd("SET").arg(key).arg(wanted).arg("NX");
    questions.cmd("GET").arg(key);
    let mut answers = ask(connection, &questions).await?;
    let found = answers.pop().unwrap_or(Value::Nil);
    match (answers.pop(), found) {
        // A full Redis takes no key, and has none: there is nothing to compare.
        (Some(Value::ServerError(error)), Value::Nil) if error.code() == "OOM" => Ok(()),
        (_, found) => match text(found)? {
            found if found == wanted => Ok(()),
            found => Err(LinkError::Layout { found, wanted: wanted.to_owned() }),
        },
    }
}

async fn ask(connection: &mut MultiplexedConnection, questions: &Pipeline) -> Result<Vec<Value>, LinkError> {
    let answers = connection.send_packed_commands(questions, 0, questions.len()).await?;
    let fatal = |value: &Value| match value {
        Value::ServerError(error) => is_fatal(error),
        _ => None,
    };
    answers.iter().find_map(fatal).map_or(Ok(answers), Err)
}

fn text(value: Value) -> Result<String, LinkError> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).map_err(|_| RedisError::NotRedis.into()),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Ok(text),
        Value::ServerError(error) => Err(RedisError::refused(&text_of(&error)).into()),
        _ => Err(RedisError::NotRedis.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\n# Replication\r\nrole:master\r\n\
        master_replid:def\r\nmaxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\nloading:0\r\n";

    #[test]
    fn a_server_that_does_not_say_whose_data_it_has_is_none_to_work_with() {
        assert_eq!(About::read(INFO), Ok(About { warning: None }));
        for field in ["run_id", "master_replid"] {
            assert_eq!(About::read(&INFO.replace(field, "id")), Err(RedisError::NotRedis.into()));
        }
    }

    #[test]
    fn a_policy_that_evicts_rows_is_warned_of_where_memory_is_bounded() {
        let bounded = INFO.replace("maxmemory:0", "maxmemory:1000000");
        assert!(About::read(&bounded).unwrap().warning.unwrap().contains("allkeys-lru"));
        for policy in ["noeviction", "volatile-ttl"] {
            assert_eq!(About::read(&bounded.replace("allkeys-lru", policy)).unwrap().warning, None);
        }
    }

    #[test]
    fn replicas_old_servers_and_servers_that_load_are_left() {
        let error = |from: &str, to: &str| About::read(&INFO.replace(from, to)).unwrap_err();
        assert!(error("role:master", "role:slave").is_elsewhere());
        assert_eq!(error("7.0.15", "6.2.7"), LinkError::TooOld("6.2.7".into()));
        assert!(error("loading:0", "loading:1").to_string().contains("LOADING"));
        assert_eq!(About::read("hello"), Err(RedisError::NotRedis.into()));
    }
}
