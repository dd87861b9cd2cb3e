//! The settings of an app's authorization: accepted, refused and shown values.

use super::{APP_3, Setup};
use crate::Config;

#[test]
fn an_app_says_how_its_application_is_asked() {
    let setup = Setup::file(&format!(
        "{APP_3}authorization.url = \"http://127.0.0.1:8000/auth\"\n\
         [[apps.list]]\nid = \"4\"\nkey = \"key-4\"\nsecret = \"hush-4\"\n[apps.list.authorization]\n\
         url = \"https://app.test/auth\"\nuser_url = \"https://app.test/user\"\n\
         origins = [\"https://*.app.test\"]\nheaders = [\"X-Tenant\"]\nmust_equal = 'meta.status = \"ok\"'\n"
    ));
    let config = setup.load();
    let [three, four] = &config.fixed_apps()[..] else { panic!("two apps") };
    assert_eq!(three.authorization.url.as_deref(), Some("http://127.0.0.1:8000/auth"));
    assert!(three.authorization.user_url.is_none() && three.authorization.origins.is_empty());
    let asked = &four.authorization;
    assert_eq!(asked.user_url.as_deref(), Some("https://app.test/user"));
    assert_eq!((asked.origins.len(), &*asked.headers), (1, &["X-Tenant".to_owned()][..]));
    assert_eq!(asked.must_equal.as_ref().unwrap().to_string(), "meta.status=\"ok\"");
    let shown = config.effective();
    for line in [
        "# authorization.url = \"https://app.test/auth\"",
        "# authorization.user_url = \"https://app.test/user\"",
        "# authorization.origins = [\"https://*.app.test\"]",
        "# authorization.headers = [\"X-Tenant\"]",
        "# authorization.must_equal = 'meta.status=\"ok\"'",
    ] {
        assert!(shown.lines().any(|found| found == line), "{line} is not in\n{shown}");
    }
}

#[test]
fn what_is_no_url_origin_header_or_rule_is_a_fault() {
    Setup::file(&format!(
        "{APP_3}[apps.list.authorization]\nurl = \"/broadcasting/auth\"\nuser_url = 5\n\
         origins = [\"https://app.test\", \"*\"]\nheaders = [\"Host\"]\nmust_equal = \"code\"\norigin = []\n"
    ))
    .expect_faults(&[
        "fanfare.toml:6: apps.list[1].authorization.url must be a URL such as \
         http://127.0.0.1:8000/broadcasting/auth, without a user or password in it; found the text \
         \"/broadcasting/auth\"",
        "fanfare.toml:7: apps.list[1].authorization.user_url must be a URL such as \
         http://127.0.0.1:8000/broadcasting/auth, without a user or password in it; found the number 5",
        "fanfare.toml:8: apps.list[1].authorization.origins must be a list of origins, such as \
         [\"https://app.example.com\", \"https://*.example.com\"]; found the text \"*\"",
        "fanfare.toml:9: apps.list[1].authorization.headers must be a list of headers that are not the \
         connection's or the question's own, such as [\"X-Tenant\"]; found the text \"Host\"",
        "fanfare.toml:10: apps.list[1].authorization.must_equal must be a field of the answer and its JSON \
         value, such as code=0; found the text \"code\"",
        "fanfare.toml:11: unknown key apps.list[1].authorization.origin; did you mean authorization.origins?",
    ]);
}

#[test]
fn what_holds_for_all_applications_has_bounds_and_defaults() {
    let config = Config::default();
    let limits = &config.limits;
    assert_eq!((limits.authorizations, limits.authorizations_waiting), (64, 1024));
    assert_eq!(limits.authorizations_node, 0);
    assert_eq!((limits.authorization_bytes, config.timeouts.application().as_secs()), (65_536, 5));
    let config = Setup::file("[limits]\nauthorizations_waiting = 0\n").load();
    assert_eq!(config.limits.authorizations_waiting, 0);
    Setup::file("[limits]\nauthorizations = 0\n[timeouts]\napplication = 61\n").expect_faults(&[
        "fanfare.toml:2: limits.authorizations must be a whole number from 1 to 10000; found the number 0",
        "fanfare.toml:4: timeouts.application must be a time from 1s to 1m, a whole number of seconds, bare or with a unit, \
         such as \"5s\"; found the number 61",
    ]);
}
