//! `fanfare live`.

use clap::Args;

use super::options::DataPlace;

/// `fanfare live`.
#[derive(Debug, Args)]
pub struct LiveCommand {
    /// Where the tokens are, and the address of the operators' listener.
    #[command(flatten)]
    pub place: DataPlace,
    /// The app's id
    #[arg(value_name = "APP")]
    pub app: String,
    /// Only these kinds, parted by commas, such as event,client_event,refused [default: all]
    #[arg(long, value_name = "KINDS")]
    pub kinds: Option<String>,
    /// Only this channel; with a * at the end, all that begin so
    #[arg(long, value_name = "NAME")]
    pub channel: Option<String>,
    /// Only events of this name
    #[arg(long, value_name = "NAME")]
    pub event: Option<String>,
    /// Only this connection
    #[arg(long, value_name = "SOCKET")]
    pub socket: Option<String>,
    /// Only this user
    #[arg(long, value_name = "ID")]
    pub user: Option<String>,
    /// What events carry, too; the audit log says so
    #[arg(long)]
    pub data: bool,
    /// How the operators' listener is reached, behind a proxy or a tunnel [default: http:// and listen.admin_addr]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}
