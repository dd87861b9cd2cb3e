//! Who uses which key of an app, as operators see it before they revoke one (CON-052).

use serde_json::json;

use crate::inspect_channels::inspected;
use crate::support::admin::Admin;
use crate::support::{APP, App, eventually};

/// Connections and requests of the key.
fn used(admin: &Admin, key: &str) -> (u64, u64) {
    let answer = admin.get("/v1/apps/3/keys").expect(200);
    let rows = answer["keys"].as_array().expect("a list");
    let row = rows.iter().find(|row| row["key"] == key).expect("the key is listed");
    let number = |name: &str| row[name].as_u64().expect("a number");
    (number("connections"), number("requests_last_hour"))
}

#[test]
fn con_052_each_key_has_its_connections_and_its_requests_of_the_last_hour() {
    let (server, admin) = inspected("read,write");
    let made = admin.post("/v1/apps/3/keys", "").expect(201);
    let part = |name: &str| made[name].as_str().expect("a text").to_owned().leak() as &'static str;
    let newer = App { id: APP.id, key: part("key"), secret: part("secret") };
    // The server was asked for the app until it knew the app.
    let (none, before) = used(&admin, APP.key);
    assert_eq!((none, used(&admin, newer.key)), (0, (0, 0)));

    let old = [server.connect(), server.connect()];
    let new = server.connect_to(newer);
    for _ in 0..3 {
        server.api_of(newer).publish("news", "e", "x");
    }
    server.api().get("/channels", &[]).expect("{\"channels\":{}}");
    assert_eq!((used(&admin, APP.key), used(&admin, newer.key)), ((2, before + 1), (1, 3)));

    // Refused requests are none of the key's.
    server.api_of(App { secret: "wrong", ..newer }).post("/events", "{}").refused(401, "signature");
    assert_eq!(used(&admin, newer.key), (1, 3));

    // A revoked key says who is still there by it.
    admin.delete(&format!("/v1/apps/3/keys/{}", APP.key)).expect(204);
    assert_eq!(used(&admin, APP.key), (2, before + 1));
    drop(old);
    eventually("the old connections are gone", || (used(&admin, APP.key).0 == 0).then_some(()));
    assert_eq!(used(&admin, newer.key).0, 1);
    drop(new);
    let listed = &admin.get("/v1/apps").expect(200)["apps"][0]["keys"][0];
    assert_eq!(listed.get("connections"), None, "a list of apps counts nothing");
    assert_eq!(admin.get("/v1/apps/44/keys").expect(200)["keys"][0]["connections"], json!(0));
}
