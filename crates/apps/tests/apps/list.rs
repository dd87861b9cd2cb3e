//! The list of apps in pages, and the search for some.

use std::collections::BTreeSet;

use fanfare_apps::{AppSettings, Apps, AppsWanted, NewApp, Page};
use fanfare_protocol::app::Limits;
use fanfare_protocol::auth::{Credential, Secret};
use fanfare_protocol::ids::{AppId, AppKey};

use crate::support::Stage;

on_both!(
    apps_are_listed_in_the_order_of_their_ids_a_page_at_a_time,
    pages_of_any_length_join_without_a_gap_or_a_repetition,
    con_046_apps_are_found_by_the_beginning_of_id_or_name_the_exact_id_first,
);

/// Makes an app with this id and name.
async fn make(apps: &Apps, (id, name): (&str, &str)) {
    apps.create(NewApp { id: Some(id.to_owned()), name: name.to_owned(), ..NewApp::default() })
        .await
        .unwrap();
}

async fn apps_are_listed_in_the_order_of_their_ids_a_page_at_a_time(stage: Stage) {
    let apps = stage.open(60).await;
    for id in ["100", "20", "3", "21"] {
        make(&apps, (id, "")).await;
    }
    let ids = async |after, most| {
        let page = apps.list(AppsWanted { prefix: "", after, most }).await.unwrap();
        page.apps.into_iter().map(|app| app.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(None, 10).await, ["3", "20", "21", "100"]);
    assert_eq!(ids(None, 2).await, ["3", "20"]);
    assert_eq!(ids(Some("20"), 2).await, ["21", "100"]);
    assert_eq!(ids(Some("100"), 2).await, [] as [&str; 0]);
}

async fn pages_of_any_length_join_without_a_gap_or_a_repetition(stage: Stage) {
    let apps = stage.open(60).await;
    for app in [("1", "Shop 100 %"), ("2", ""), ("30", "sHOP_b"), ("40", "a shop"), ("500", "shop")] {
        make(&apps, app).await;
    }
    // The configuration uses two ids of the database, the last included, and adds two.
    let pair =
        |id: &str| Credential { key: AppKey::from(&*format!("key-{id}")), secret: Secret::new("hush") };
    let fixed = ["500", "7", "SHOPPING", "2"]
        .map(|id| AppSettings::default().into_app(AppId::from(id), vec![pair(id)], &Limits::default()));
    let kept = crate::support::kept(Limits::default(), 60);
    let apps = Apps::open(fixed.to_vec(), Some(stage.database()), kept).await.unwrap();
    let all = &["500", "7", "SHOPPING", "2", "1", "30", "40"][..];
    let cases = [
        ("", all),
        ("shop", &["SHOPPING", "1", "30"]),
        ("5", &["500"]),
        ("shop 100 %", &["1"]),
        ("%", &[]),
        ("sho_", &[]),
    ];
    let among = ["1", "30", "40", "SHOPPING", "gone"].map(str::to_owned).into();
    for (prefix, expected) in cases {
        for most in 1..=8 {
            let joined =
                pages(most, async |after| apps.list(AppsWanted { prefix, after, most }).await.unwrap()).await;
            assert_eq!(joined, expected, "{prefix:?}, {most} at a time");
            let joined = pages(most, async |after| {
                apps.list_among(&among, AppsWanted { prefix, after, most }).await.unwrap()
            })
            .await;
            let mut bound: Vec<&str> = expected.iter().copied().filter(|id| among.contains(*id)).collect();
            bound.sort_unstable();
            assert_eq!(joined, bound, "{prefix:?} of a token's apps, {most} at a time");
        }
    }
}

/// The ids of all pages.
async fn pages(most: usize, page: impl AsyncFn(Option<&str>) -> Page) -> Vec<String> {
    let (mut found, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = page(after.as_deref()).await;
        assert!(page.apps.len() <= most);
        found.extend(page.apps.into_iter().map(|app| app.id));
        match page.next {
            Some(next) => after = Some(next),
            None => return found,
        }
    }
}

async fn con_046_apps_are_found_by_the_beginning_of_id_or_name_the_exact_id_first(stage: Stage) {
    let apps = stage.open(60).await;
    for app in [("shop", "100 % off"), ("1001", "Shop of Ann"), ("1", ""), ("sho", "x"), ("10", "a_b")] {
        make(&apps, app).await;
    }
    let of = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<String>>();
    let found = async |text: &str, among: Option<&BTreeSet<String>>, most: usize| {
        let found = apps.search(text, among, most).await.unwrap();
        found.into_iter().map(|app| app.id).collect::<Vec<_>>()
    };
    assert_eq!(found("SHO", None, 10).await, ["sho", "1001", "shop"]);
    assert_eq!(found("shop", None, 10).await, ["shop", "1001"]);
    assert_eq!(found("10", None, 10).await, ["10", "1001", "shop"]);
    assert_eq!(found("1", None, 2).await, ["1", "10"]);
    assert_eq!(found("1", Some(&of(&["1001", "sho", "zzz"])), 10).await, ["1001"]);
    assert_eq!(found("shop", Some(&of(&[])), 10).await, [""; 0]);
    for text in ["%", "a%", "_", "zzz", "' OR '1'='1", "\u{fffd}\u{202e}"] {
        assert_eq!(found(text, None, 10).await, [""; 0], "{text}");
    }
}
