//! The list of apps: narrowed by a beginning, and with the connections of each (CON-020, CON-026, CON-046).

use serde_json::{Value, json};

use crate::cluster_lists::{is_of_both, pair};
use crate::inspect_channels::{field, inspected, paged};
use crate::support::admin::Admin;
use crate::support::{APP, OTHER, eventually};

/// The ids of all pages.
fn ids(admin: &Admin, query: &str, limit: usize) -> Vec<Value> {
    let rows = paged(admin, &format!("/v1/apps?{query}&"), "apps", limit);
    rows.into_iter().map(|row| row["id"].clone()).collect()
}

/// The connections of the app in the list.
fn connections(list: &Value, app: &str) -> Value {
    let rows = list["apps"].as_array().expect("a list");
    rows.iter().find(|row| row["id"] == app).unwrap_or_else(|| panic!("{app}: {list}"))["connections"].clone()
}

#[test]
fn con_046_the_list_of_apps_is_narrowed_by_the_beginning_of_an_id_or_a_name() {
    let (server, admin) = inspected("read,write");
    for (id, name) in [("zz-1", "Shop"), ("44x", "other"), ("zz-22", "SHOP of Ann"), ("shopping", "")] {
        admin.post("/v1/apps", &json!({"id": id, "name": name}).to_string()).expect(201);
    }
    for limit in [1, 2, 100] {
        assert_eq!(ids(&admin, "q=sho", limit), ["zz-1", "zz-22", "shopping"], "{limit} at a time");
        assert_eq!(ids(&admin, "q=44", limit), [OTHER.id, "44x"]);
        assert_eq!(ids(&admin, "q=shop%20", limit), ["zz-22"]);
        assert_eq!(ids(&admin, "q=%25", limit), [""; 0], "no pattern");
    }
    assert_eq!(ids(&admin, "q=", 100), field(&admin.get("/v1/apps").expect(200), "apps", "id"));
    let long = format!("/v1/apps?q={}", "x".repeat(201));
    for path in [&*long, "/v1/apps?q=%00"] {
        admin.get(path).refused(400, "faulty-query", &["q is not a text of at most 200 bytes, without NUL"]);
    }
    let bound = ["token", "create", "--name", "b", "--scope", "read", "--app", "zz-1,44", "--json"];
    let made: Value = serde_json::from_str(&server.commanded(&bound)).expect("JSON");
    let bound = Admin::nobody(&server).bearing(made["token"].as_str().expect("a token"));
    assert_eq!(ids(&bound, "q=shop", 1), ["zz-1"], "those of the token alone");
    let listed = server.commanded(&["app", "list", "--prefix", "sHOP o", "--json"]);
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(field(&listed, "apps", "id"), ["zz-22"]);
    let none = server.commanded(&["app", "list", "--prefix", "nobody"]);
    assert_eq!(none, "No id and no name of an app begins with nobody.\n");
}

#[test]
fn con_020_the_list_of_apps_has_the_connections_of_each() {
    let (server, admin) = inspected("read");
    let _open = [server.connect(), server.connect()];
    let list = eventually("both connections", || {
        Some(admin.get("/v1/apps").expect(200)).filter(|list| connections(list, APP.id) == 2)
    });
    assert_eq!(connections(&list, OTHER.id), 0);
    assert_eq!((&list["of"], &list["missing"]), (&json!("this node"), &json!([])));
}

#[test]
fn con_026_the_connections_in_the_list_of_apps_are_of_all_nodes_whichever_is_asked() {
    let pair = pair();
    let _open = [pair.one.connect(), pair.two.connect(), pair.two.connect()];
    for admin in [&pair.at_one, &pair.at_two] {
        let list = eventually("the connections of both nodes", || {
            Some(admin.get("/v1/apps").expect(200)).filter(|list| connections(list, APP.id) == 3)
        });
        assert!(is_of_both(&list), "{list}");
    }
}
