//! Which refusals share a row, which go, and that the bytes are bounded, at moments that the tests choose.

use std::fmt::Display;

use super::ring::MOST_OF_AN_APP;
use super::*;

fn refusal<'a>(cause: &'static str, text: &'a dyn Display) -> NotedRefusal<'a> {
    NotedRefusal::new(RefusalKind::Message, Some(4301), cause, text)
}

fn causes(count: usize) -> Vec<&'static str> {
    (0..count).map(|number| &*Box::leak(format!("cause {number}").into_boxed_str())).collect()
}

#[test]
fn con_044_equal_refusals_take_one_row_with_the_first_and_the_last_moment() {
    let (refusals, app) = (Refusals::default(), AppId::from("1"));
    for now in [1000, 1500, 9000] {
        refusals.keep(Some(&app), &refusal("unsigned", &"Auth info required"), now);
    }
    refusals.keep(Some(&app), &refusal("wrong_key", &"Invalid key"), 9001);
    let rows = refusals.show(Some(&app));
    let seen: Vec<_> = rows.iter().map(|row| (&*row.text, row.count, row.first_at, row.last_at)).collect();
    assert_eq!(seen, [("Invalid key", 1, 9001, 9001), ("Auth info required", 3, 1000, 9000)]);
    assert_eq!(refusals.show(None), []);
}

#[test]
fn con_044_a_flood_of_made_up_texts_pushes_nothing_out_and_is_counted_whole() {
    let (refusals, app) = (Refusals::default(), AppId::from("1"));
    refusals.keep(Some(&app), &refusal("over_quota", &"quota"), 1);
    for number in 0..100_000_u64 {
        let text = format!("Invalid channel name: {number}");
        refusals.keep(Some(&app), &refusal("invalid_channel_name", &text), 2 + number);
    }
    let rows = refusals.show(Some(&app));
    assert!(rows.iter().any(|row| &*row.text == "quota"));
    assert_eq!(rows.len(), 1 + ring::MOST_OF_A_CAUSE);
    let flood: Vec<_> = rows.iter().filter(|row| row.cause == "invalid_channel_name").collect();
    assert_eq!(flood.iter().map(|row| row.count).sum::<u64>(), 100_000);
    assert!(flood.iter().all(|row| row.is_of_several && row.last_at - row.shown_at() < 2000), "{flood:?}");
}

#[test]
fn con_044_the_two_hundred_first_row_takes_the_place_of_the_one_that_was_quiet_longest() {
    let (refusals, app) = (Refusals::default(), AppId::from("1"));
    let causes = causes(MOST_REFUSALS + 1);
    for (now, cause) in (0..).zip(&causes[..MOST_REFUSALS]) {
        refusals.keep(Some(&app), &refusal(cause, &"no"), now);
    }
    refusals.keep(Some(&app), &refusal(causes[0], &"no"), 1000);
    refusals.keep(Some(&app), &refusal(causes[MOST_REFUSALS], &"no"), 1001);
    let kept: Vec<_> = refusals.show(Some(&app)).iter().map(|row| row.cause).collect();
    assert_eq!(kept.len(), MOST_REFUSALS);
    assert_eq!(kept[..2], [causes[MOST_REFUSALS], causes[0]]);
    assert!(!kept.contains(&causes[1]));
}

#[test]
fn con_044_the_bytes_are_bounded_for_an_app_and_for_all_whatever_strangers_send() {
    let bounds = Bounds { apps: 40, bytes: 2 * MOST_OF_AN_APP };
    let (refusals, long, causes) = (Refusals::new(bounds), "é".repeat(5000), causes(250));
    for number in 0..100 {
        let app = AppId::from(&*number.to_string());
        for cause in &causes {
            let noted = NotedRefusal { channel: Some(&long), signed: Some(&long), ..refusal(cause, &long) };
            refusals.keep(Some(&app), &noted, number);
        }
        let rows = refusals.show(Some(&app));
        let bytes: usize = rows.iter().map(RefusalRow::cost).sum();
        assert!((MOST_OF_AN_APP / 10 * 9..=MOST_OF_AN_APP).contains(&bytes), "{bytes} bytes");
        assert!(refusals.bytes.load(Ordering::Relaxed) <= bounds.bytes);
    }
    let kept = |app: &str| !refusals.show(Some(&AppId::from(app))).is_empty();
    assert!(kept("99") && !kept("0"), "the apps that were quiet longest go");
    let in_all: usize =
        refusals.of_apps.read().values().flat_map(|ring| ring.show()).map(|row| row.cost()).sum();
    assert_eq!(in_all, refusals.bytes.load(Ordering::Relaxed));
}

#[test]
fn con_044_the_number_of_apps_with_refusals_is_bounded_and_those_of_no_app_stay() {
    let refusals = Refusals::new(Bounds { apps: 16, bytes: MOST_BYTES });
    refusals.keep(None, &refusal("unknown_key", &"App key k"), 0);
    for number in 0..1000 {
        refusals.keep(Some(&AppId::from(&*number.to_string())), &refusal("unsigned", &"no"), number);
        assert!(refusals.of_apps.read().len() <= 16);
    }
    assert_eq!(refusals.show(None).len(), 1);
    assert_eq!(refusals.show(Some(&AppId::from("999"))).len(), 1);
    refusals.forget(&AppId::from("999"));
    assert_eq!(refusals.show(Some(&AppId::from("999"))), []);
}
