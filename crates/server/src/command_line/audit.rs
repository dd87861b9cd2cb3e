//! `fanfare audit`.

use clap::Args;
use clap::builder::PossibleValuesParser;
use fanfare_apps::AuditAction;

use super::options::DataPlace;

/// `fanfare audit`.
#[derive(Debug, Args)]
pub struct AuditCommand {
    /// Where the audit log is.
    #[command(flatten)]
    pub place: DataPlace,
    /// Only what concerns this app
    #[arg(long, value_name = "ID")]
    pub app: Option<String>,
    /// Only this action
    #[arg(long, value_name = "ACTION", value_parser = PossibleValuesParser::new(AuditAction::ALL.map(AuditAction::as_str)))]
    pub action: Option<String>,
    /// Only what the token with this number did
    #[arg(long, value_name = "NUMBER")]
    pub token: Option<i64>,
    /// So many entries at most, the newest first
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
    pub limit: u16,
    /// Only entries that are older than the one with this number
    #[arg(long, value_name = "NUMBER")]
    pub after: Option<i64>,
}
