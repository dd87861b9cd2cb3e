//! TEMPORARY stand-in by the lead until the real configuration module is put here (overwrite it).
#![allow(missing_docs)]
use std::{net::SocketAddr, path::PathBuf, time::Duration};
use fanfare_protocol::app::*;
use fanfare_protocol::auth::*;
use serde::Deserialize;
pub struct Flags { pub listen: Option<SocketAddr>, pub admin_listen: Option<SocketAddr>, pub data_dir: Option<PathBuf> }
pub struct Sources { pub file: Option<PathBuf>, pub environment: Vec<(String, String)>, pub flags: Flags }
#[derive(Deserialize)] #[serde(default)]
pub struct Listen { pub addr: SocketAddr, pub admin_addr: SocketAddr, pub path_prefix: String, pub trusted_proxies: Vec<ipnet::IpNet>, pub version_required: bool }
impl Default for Listen { fn default() -> Self { Self { addr: "127.0.0.1:6001".parse().unwrap(), admin_addr: "127.0.0.1:9600".parse().unwrap(), path_prefix: String::new(), trusted_proxies: vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()], version_required: false } } }
#[derive(Deserialize)] #[serde(default)]
pub struct LimitsC { pub connections: usize, pub message_bytes: usize, pub outbox_bytes: usize, pub channels_per_connection: usize, pub request_bytes: usize, #[serde(flatten)] pub app: fanfare_apps::LimitOverrides }
impl Default for LimitsC { fn default() -> Self { Self { connections: 0, message_bytes: 32768, outbox_bytes: 1 << 20, channels_per_connection: 1000, request_bytes: 1 << 20, app: Default::default() } } }
#[derive(Deserialize)] #[serde(default)]
pub struct Timeouts { pub handshake: u64, pub activity: u32, pub pong: u64, pub drain: u64, pub authorize: u64 }
impl Default for Timeouts { fn default() -> Self { Self { handshake: 10, activity: 120, pong: 30, drain: 10, authorize: 30 } } }
impl Timeouts { pub fn drain(&self) -> Duration { Duration::from_secs(self.drain) } pub fn pong(&self) -> Duration { Duration::from_secs(self.pong) } pub fn activity(&self) -> Duration { Duration::from_secs(self.activity.into()) } pub fn authorize(&self) -> Duration { Duration::from_secs(self.authorize) } pub fn handshake(&self) -> Duration { Duration::from_secs(self.handshake) } }
#[derive(Deserialize, Clone)]
pub struct AppC { pub id: String, pub key: String, pub secret: String, #[serde(flatten)] pub rest: toml::Table }
#[derive(Deserialize)] #[serde(default)]
pub struct AppsC { pub cache_seconds: u64, pub list: Vec<AppC>, pub database: String, pub data_dir: PathBuf }
impl Default for AppsC { fn default() -> Self { Self { cache_seconds: 60, list: vec![], database: String::new(), data_dir: "fanfare-data".into() } } }
#[derive(Deserialize)] #[serde(rename_all = "lowercase")]
pub enum LogFormat { Text, Json }
#[derive(Deserialize)] #[serde(default)]
pub struct Log { pub format: LogFormat, pub filter: String }
impl Default for Log { fn default() -> Self { Self { format: LogFormat::Text, filter: "info".into() } } }
#[derive(Deserialize, Default)] #[serde(default)]
pub struct Config { pub listen: Listen, pub limits: LimitsC, pub timeouts: Timeouts, pub apps: AppsC, pub log: Log }
impl Config {
    pub fn load(s: &Sources) -> Result<Self, Vec<String>> {
        let text = s.file.as_ref().map(|f| std::fs::read_to_string(f).unwrap()).unwrap_or_default();
        let mut c: Config = toml::from_str(&text).map_err(|e| vec![e.to_string()])?;
        for p in ["PUSHER", "REVERB"] {
            let v = |n: &str| s.environment.iter().find(|(k, _)| *k == format!("{p}_APP_{n}")).map(|(_, v)| v.clone());
            if let (Some(id), Some(key), Some(secret)) = (v("ID"), v("KEY"), v("SECRET")) { c.apps.list.push(AppC { id, key, secret, rest: toml::Table::new() }); }
        }
        if let Some(a) = s.flags.listen { c.listen.addr = a }
        if let Some(a) = s.flags.admin_listen { c.listen.admin_addr = a }
        if let Some(a) = &s.flags.data_dir { c.apps.data_dir = a.clone() }
        Ok(c)
    }
    pub fn effective(&self) -> String { String::new() }
    pub fn fixed_apps(&self) -> Vec<App> { self.apps.list.iter().map(|a| { let s: fanfare_apps::AppSettings = a.rest.clone().try_into().unwrap(); s.into_app((&*a.id).into(), vec![Credential { key: (&*a.key).into(), secret: Secret::new(&a.secret) }], &self.default_limits()) }).collect() }
    pub fn database(&self) -> Option<fanfare_apps::Database> { self.is_embedded().then(|| fanfare_apps::Database::Sqlite(self.apps.data_dir.join("fanfare.db"))) }
    pub fn default_limits(&self) -> Limits { self.limits.app.resolve(&Limits::default()) }
    pub fn is_embedded(&self) -> bool { self.apps.list.is_empty() }
}
