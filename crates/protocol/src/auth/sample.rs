//! The app of the official documentation's examples, for tests.

use super::{Credential, Secret};
use crate::app::App;
use crate::ids::{AppId, AppKey};

pub const KEY: &str = "278d425bdf160c739803";
pub const SECRET: &str = "7ad3773142a6692b25b8";

/// App 3, with a second credential besides the documented one.
pub fn official_app() -> App {
    let credential = |key: &str, secret| Credential { key: AppKey::from(key), secret: Secret::new(secret) };
    let credentials = vec![credential(KEY, SECRET), credential("second-key", "second-secret")];
    App::new(AppId::from("3"), credentials)
}
