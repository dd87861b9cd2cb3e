//! How long keys are remembered, and how many.

use super::*;

fn request(place: u32, body: u8) -> KeyedRequest {
    let mut all = [0; 16];
    all[..4].copy_from_slice(&place.to_be_bytes());
    KeyedRequest { place: all, fingerprint: [body; 16] }
}

fn answer(json: &str) -> FirstAnswer {
    FirstAnswer { id: EventId::new(1, 2), json: json.into() }
}

fn bounded(app_bytes: usize, bytes: usize) -> IdempotencyKeys {
    IdempotencyKeys::new(IdempotencySection { app_bytes, bytes })
}

fn is_new(keys: &IdempotencyKeys, app: &str, place: u32, now: u64) -> bool {
    keys.begin(&AppId::from(app), &request(place, 0), now).is_ok()
}

#[test]
fn api_022_a_key_is_under_way_then_answered_again_and_free_after_five_minutes() {
    let (keys, app) = (bounded(1 << 20, 1 << 20), AppId::from("1"));
    let Ok(turn) = keys.begin(&app, &request(1, 0), 10) else { panic!("it is new") };
    assert!(matches!(keys.begin(&app, &request(1, 0), 10), Err(KnownKey::UnderWay)));
    assert!(matches!(keys.begin(&app, &request(1, 1), 10), Err(KnownKey::OtherRequest)));
    keys.end(&app, &request(1, 0), (turn, 20), answer("{}"));
    let Err(KnownKey::Again(again)) = keys.begin(&app, &request(1, 0), 300_009) else {
        panic!("it is known")
    };
    assert_eq!(again, answer("{}"));
    assert!(matches!(keys.begin(&app, &request(1, 1), 300_009), Err(KnownKey::OtherRequest)));
    assert!(keys.begin(&app, &request(1, 1), 300_010).is_ok());
}

#[test]
fn api_023_an_attempt_that_is_given_up_frees_its_own_key_and_no_later_one() {
    let (keys, app) = (bounded(1 << 20, 1 << 20), AppId::from("1"));
    let Ok(first) = keys.begin(&app, &request(1, 0), 0) else { panic!("it is new") };
    keys.forget(&request(1, 0), first);
    let Ok(second) = keys.begin(&app, &request(1, 1), 0) else { panic!("it is free") };
    keys.forget(&request(1, 0), first);
    keys.end(&app, &request(1, 0), (first, 0), answer("first"));
    keys.end(&app, &request(1, 1), (second, 0), answer("second"));
    let Err(KnownKey::Again(again)) = keys.begin(&app, &request(1, 1), 0) else { panic!("it is known") };
    assert_eq!(&*again.json, "second");
}

#[test]
fn api_022_a_key_that_had_to_go_and_was_remembered_anew_holds_up_no_other_beyond_its_time() {
    let (keys, app) = (bounded(KEY_COST + 2, 1 << 20), AppId::from("1"));
    let Ok(slow) = keys.begin(&app, &request(1, 0), 0) else { panic!("it is new") };
    assert!(is_new(&keys, "1", 2, 10), "the first one goes");
    assert!(is_new(&keys, "other", 3, 10));
    keys.end(&app, &request(1, 0), (slow, 200_000), answer("{}"));
    assert!(is_new(&keys, "other", 3, 300_010), "five minutes are over");
    assert!(!is_new(&keys, "1", 1, 300_010));
}

#[test]
fn api_022_a_key_that_another_node_answered_is_free_when_its_five_minutes_are_over_there() {
    let (keys, app) = (bounded(1 << 20, 1 << 20), AppId::from("1"));
    assert!(is_new(&keys, "1", 1, 299_000), "an older one is still in time");
    let Ok(turn) = keys.begin(&app, &request(2, 0), 299_999) else { panic!("it is new here") };
    keys.end(&app, &request(2, 0), (turn, 0), answer("{}"));
    assert!(matches!(keys.begin(&app, &request(2, 0), 299_999), Err(KnownKey::Again(_))));
    assert!(is_new(&keys, "1", 2, 300_000));
    assert!(!is_new(&keys, "1", 2, 300_000), "this one is under way");
}

#[test]
fn api_024_an_app_has_room_for_so_many_bytes_and_its_oldest_keys_go() {
    let keys = bounded(10 * KEY_COST, 15 * KEY_COST);
    for place in 0..1000 {
        assert!(is_new(&keys, "1", place, 0));
    }
    let numbers = keys.numbers();
    assert_eq!((numbers.keys, numbers.bytes, numbers.evicted), (10, 10 * KEY_COST, 990));
    assert!(!is_new(&keys, "1", 990, 0) && is_new(&keys, "1", 989, 0), "the newest are kept");
    // All apps together have a bound, too: the oldest of all goes.
    for place in 2000..2008 {
        assert!(is_new(&keys, "2", place, 0));
    }
    let table = keys.table.lock();
    assert_eq!((table.keys.len(), table.bytes, table.apps["2"].turns.len()), (15, 15 * KEY_COST, 8));
    assert_eq!((table.order.len(), table.apps["1"].bytes), (15, 7 * KEY_COST));
}

#[test]
fn api_024_an_answer_counts_and_one_that_is_too_large_is_not_kept() {
    let keys = bounded(10 * KEY_COST, 10 * KEY_COST);
    let app = AppId::from("1");
    let end = |place: u32, bytes: usize| {
        let Ok(turn) = keys.begin(&app, &request(place, 0), 0) else { panic!("it is new") };
        keys.end(&app, &request(place, 0), (turn, 0), answer(&"x".repeat(bytes)));
        keys.table.lock().keys.len()
    };
    assert_eq!([end(1, 0), end(2, 4 * KEY_COST), end(3, 4 * KEY_COST)], [1, 2, 2]);
    assert_eq!(end(4, 10 * KEY_COST), 1, "the smaller ones have gone for its attempt, or stay");
    let table = keys.table.lock();
    let bytes: usize = table.keys.values().map(Used::cost).sum();
    assert_eq!((table.bytes, table.apps["1"].bytes), (bytes, bytes));
}

#[test]
fn a_sweep_leaves_nothing_of_keys_that_nobody_uses() {
    let keys = bounded(1 << 20, 1 << 20);
    assert!((0..100).all(|place| is_new(&keys, "1", place, 5)));
    keys.sweep(300_004);
    assert_eq!(keys.table.lock().keys.len(), 100);
    keys.sweep(300_005);
    let table = keys.table.lock();
    assert!(table.keys.is_empty() && table.order.is_empty() && table.apps.is_empty() && table.bytes == 0);
    assert_eq!(table.keys.capacity(), 0);
}

#[test]
fn each_outcome_has_its_number() {
    for (at, outcome) in KeyOutcome::ALL.into_iter().enumerate() {
        assert_eq!(outcome as usize, at, "{outcome:?}");
    }
}

#[test]
fn an_answer_reads_as_it_was_written() {
    let answer = answer(r#"{"channels":{}}"#);
    assert_eq!(FirstAnswer::read(&answer.write()), Some(answer));
    assert_eq!(FirstAnswer::read(b"short"), None);
}
