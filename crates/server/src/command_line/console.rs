//! `fanfare console`.

use clap::Args;
use fanfare_apps::Scope;

use super::options::DataPlace;

/// `fanfare console`.
#[derive(Debug, Args)]
pub struct ConsoleCommand {
    /// Where the tokens are.
    #[command(flatten)]
    pub place: DataPlace,
    /// Who logs in, for the audit log
    #[arg(long, default_value = "console")]
    pub name: String,
    /// What the session is good for, parted by commas [default: all scopes]
    #[arg(long, value_name = "SCOPES", value_delimiter = ',')]
    pub scope: Vec<Scope>,
    /// For these apps alone, and nothing of the node: ids, parted by commas [default: all apps, and the node]
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    pub app: Vec<String>,
    /// How the browser reaches the operators' listener, behind a proxy or a tunnel [default: http:// and listen.admin_addr]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}
