//! `fanfare reload`.

use clap::Args;

use super::options::DataPlace;

/// `fanfare reload`.
#[derive(Debug, Args)]
pub struct ReloadCommand {
    /// Where the tokens are, and the address of the operators' listener.
    #[command(flatten)]
    pub place: DataPlace,
    /// How the operators' listener is reached, behind a proxy or a tunnel [default: http:// and listen.admin_addr]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}
