//! `[socketio]` and `listen.fallback`: accepted, refused and shown values.

use std::time::Duration;

use super::{APP_3, Setup, env};
use crate::Config;
use crate::effective::DEFAULTS;

const ON: &str = "[socketio]\nenabled = true\n";

const CLIENT: &str = "[[socketio.clients]]\napp_id = \"shop 1\"\nkey = \"hush-hush\"\n";

#[test]
fn socket_io_is_off_and_the_fallback_of_pusher_js_on_unless_set() {
    let config = Config::default();
    let socketio = &config.socketio;
    assert!(config.listen.fallback && !socketio.enabled && !socketio.has_api());
    assert_eq!((socketio.app.as_ref(), socketio.api_origin.as_str()), (None, ""));
    let (interval, timeout) = (socketio.ping_interval, socketio.ping_timeout);
    assert_eq!((interval, timeout), (Duration::from_secs(25), Duration::from_secs(20)));
    let off = env(&[("FANFARE__LISTEN__FALLBACK", "false"), ("FANFARE__SOCKETIO__PING_INTERVAL", "1m")]);
    let config = off.load();
    assert!(!config.listen.fallback);
    assert_eq!(config.socketio.ping_interval, Duration::from_secs(60));
}

#[test]
fn sio_080_the_app_is_the_one_named_or_the_only_one() {
    let app = |toml: &str| Setup::file(toml).load().socketio.app.map(|id| id.as_str().to_owned());
    let two = format!("{APP_3}[[apps.list]]\nid = \"4\"\nkey = \"key-4\"\nsecret = \"hush-4\"\n");
    assert_eq!(app(&format!("{ON}{APP_3}")).as_deref(), Some("3"));
    assert_eq!(app(&format!("{ON}app = \"4\"\n{two}")).as_deref(), Some("4"));
    assert_eq!(app(&format!("{ON}{two}")), None);
    assert_eq!(app(&format!("{ON}app = \"9\"\n[apps]\ndatabase = \"sqlite\"\n")).as_deref(), Some("9"));
    Setup::file(&format!("{ON}app = \"5\"\n{two}"))
        .expect_faults(&["fanfare.toml:3: socketio.app: there is no app 5"]);
}

#[test]
fn what_keeps_socket_io_from_working_is_warned_of() {
    let warnings = |toml: &str| Setup::file(toml).load().warnings;
    let two = format!("{APP_3}[[apps.list]]\nid = \"4\"\nkey = \"key-4\"\nsecret = \"hush-4\"\n");
    for without_app in [format!("{ON}{two}"), format!("{ON}[apps]\ndatabase = \"sqlite\"\n")] {
        let warned = warnings(&without_app);
        assert!(warned.len() == 1 && warned[0].contains("/socket.io/ refuses everybody"), "{warned:?}");
    }
    let warned = warnings(&format!("{ON}{APP_3}"));
    assert!(warned.len() == 1 && warned[0].contains("client_events of the app 3 is off"), "{warned:?}");
    assert_eq!(warnings(&format!("{ON}{APP_3}client_events = true\n")), Vec::<String>::new());
    assert_eq!(warnings(ON), Vec::<String>::new(), "the server's own app gets it");
    let warned = warnings(CLIENT);
    assert!(warned.len() == 1 && warned[0].contains("socketio.enabled is off"), "{warned:?}");
}

#[test]
fn sio_082_a_client_is_admitted_with_its_own_key_alone() {
    let second = "[[socketio.clients]]\napp_id = \"2\"\nkey = \"hush-2\"\n";
    let socketio = Setup::file(&format!("{ON}{CLIENT}{second}")).load().socketio;
    assert!(socketio.has_api());
    assert!(socketio.admits("shop 1", "hush-hush") && socketio.admits("2", "hush-2"));
    for (app_id, key) in [("shop 1", "hush-2"), ("2", "hush-hush"), ("2", "hush-"), ("2", ""), ("", "hush-2")]
    {
        assert!(!socketio.admits(app_id, key), "{app_id} {key}");
    }
    assert!(socketio.is_key("hush-2") && !socketio.is_key("hush-3"));
    assert!(!format!("{socketio:?}").contains("hush"));
    assert!(!Setup::file(CLIENT).load().socketio.has_api(), "off");
}

#[test]
fn all_faults_of_the_section_are_told_at_once_and_no_key() {
    Setup::file(
        "[socketio]\nenabled = 1\napp = \"no app\"\nping_interval = 0\nping_timeout = \"2h\"\napi_origin = \"shop\"\n\
         path = \"/x\"\n[[socketio.clients]]\napp_id = 12\nkey = \"\"\n[[socketio.clients]]\nkey = 12345\nkye = \"hush\"\n\
         [[socketio.clients]]\napp_id = \"3\"\nkey = \"write-a-long-random-text-here\"\n",
    )
    .expect_faults(&[
        "fanfare.toml:2: socketio.enabled must be true or false; found the number 1",
        "fanfare.toml:3: socketio.app must be the id of an app, or empty; found the text \"no app\"",
        "fanfare.toml:4: socketio.ping_interval must be a time from 1s to 1h, a whole number of seconds, bare or with a \
         unit, such as \"5s\"; found the number 0",
        "fanfare.toml:5: socketio.ping_timeout must be a time from 1s to 1h, a whole number of seconds, bare or with a \
         unit, such as \"5s\"; found the text \"2h\"",
        "fanfare.toml:6: socketio.api_origin must be an origin such as https://app.example.com, * for every origin, or \
         empty; found the text \"shop\"",
        "fanfare.toml:7: unknown key socketio.path; config/default.toml lists all that there are",
        "fanfare.toml:9: socketio.clients[1].app_id must be a text of 1 to 200 characters without control characters; \
         found the number 12; write it in quotes",
        "fanfare.toml:10: socketio.clients[1].key must be a text of 1 to 200 characters without control characters; \
         found an empty text",
        "fanfare.toml:11: socketio.clients[2] has no app_id; every client needs app_id and key",
        "fanfare.toml:12: socketio.clients[2].key must be a text of 1 to 200 characters without control characters; \
         found something else; write it in quotes",
        "fanfare.toml:13: unknown key socketio.clients[2].kye; did you mean key?",
        "fanfare.toml:16: socketio.clients[3].key is the secret of an example, which everybody knows; set a random one, \
         such as `openssl rand -hex 20` prints",
    ]);
    Setup::file(&format!("{APP_3}[[socketio.clients]]\napp_id = \"3\"\nkey = \"key-3\"\n")).expect_faults(&[
        "fanfare.toml:5: socketio.clients[1].key is the key of apps.list[1] as well, which every page of that app shows; \
         give the client another, such as `openssl rand -hex 20` prints",
    ]);
    for toml in ["[socketio]\nclients = 1\n", "[socketio]\nclients = [\"hush\"]\n"] {
        Setup::file(toml).expect_faults(&[
            "fanfare.toml:2: socketio.clients must be a list of clients; write [[socketio.clients]] above each",
        ]);
    }
    env(&[("FANFARE__SOCKETIO__CLIENTS", "shop:hush")]).expect_faults(&[
        "FANFARE__SOCKETIO__CLIENTS: clients cannot be listed in a variable; list them in the configuration file, with \
         [[socketio.clients]] above each",
    ]);
}

#[test]
fn clients_are_shown_without_their_keys() {
    let text = Setup::file(&format!("{ON}{CLIENT}")).load().effective();
    for line in ["[socketio]", "ping_interval = \"25s\"", "# app_id = \"shop 1\"", "# key = \"***\""] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(text.lines().any(|line| line.starts_with("# [[socketio.clients]] # ")), "{text}");
    assert!(!text.contains("hush"), "{text}");
}

#[test]
fn default_toml_shows_every_key_of_a_client() {
    let commented = DEFAULTS.lines().skip_while(|line| *line != "# [[socketio.clients]]");
    let example = commented.map_while(|line| line.strip_prefix("# ")).collect::<Vec<_>>().join("\n");
    // That secret is known to everybody.
    let config = Setup::file(&example.replace("write-a-long-random-text-here", "hush-1")).load();
    assert_eq!(config.socketio.clients.len(), 1);
}
