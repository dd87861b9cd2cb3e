//! Every row of the table by which answers are read.

use fanfare_protocol::channel::ChannelName;

use super::*;
use crate::authorize::DenialKind;

const PRIVATE: &str = "private-orders";
const PRESENCE: &str = "presence-room";
const ENCRYPTED: &str = "private-encrypted-orders";
/// In place of a channel: a sign-in.
const USER: &str = "";

fn verdict_of(about: &str, status: u16, body: &str, rule: Option<&str>) -> Result<Yes, Denial> {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let answered = Answered { status, location: Some("http://app.test/login?token=hush#x"), body: &body };
    let rule = rule.map(|rule| MustEqual::parse(rule).unwrap());
    let channel = ChannelName::parse(about, 164);
    let subject = channel.as_ref().map_or(Subject::User, Subject::Channel);
    judge(&answered, subject, rule.as_ref(), &Limits::default())
}

fn verdict(about: &str, body: &str) -> Result<Yes, Denial> {
    verdict_of(about, 200, body, None)
}

fn unsigned(data: &str) -> Result<Yes, Denial> {
    Ok(Yes::Unsigned(Some(data.to_owned())))
}

#[test]
fn an_object_with_a_text_auth_is_handed_on_as_it_is() {
    let bodies = [
        r#"{"auth":"key:00"}"#,
        r#"{ "auth" : "key:00", "channel_data" : "{\"user_id\":\"7\"}", "more": 1.0 }"#,
        r#"{"auth":"key:00","shared_secret":"c2VjcmV0"}"#,
        r#"{"auth":"key:00","user_data":"{\"id\":\"7\"}"}"#,
    ];
    for about in [PRIVATE, PRESENCE, ENCRYPTED, USER] {
        for body in bodies {
            assert_eq!(verdict(about, body), Ok(Yes::Signed(body.into())), "{about} {body}");
        }
    }
}

#[test]
fn true_and_a_returned_array_are_a_yes_to_a_private_channel() {
    for body in ["true", " true\n", r#"{"channel_data":{"user_id":7}}"#, r#"{"channel_data":{}}"#] {
        assert_eq!(verdict(PRIVATE, body), Ok(Yes::Unsigned(None)), "{body}");
    }
}

#[test]
fn a_member_has_its_id_as_a_string_and_its_info_byte_for_byte() {
    let cases = [
        (r#"{"user_id":7}"#, r#"{"user_id":"7"}"#),
        (r#"{"user_id":"ann"}"#, r#"{"user_id":"ann"}"#),
        (r#"{"user_id":"\u00fc"}"#, r#"{"user_id":"\u00fc"}"#),
        (
            r#"{"user_id":123456789012345678901234567890,"user_info":{ "n" : 1.0, "x":"\/" }}"#,
            r#"{"user_id":"123456789012345678901234567890","user_info":{ "n" : 1.0, "x":"\/" }}"#,
        ),
        (r#"{"user_info":[],"user_id":-1,"other":2}"#, r#"{"user_id":"-1","user_info":[]}"#),
        (r#"{"user_id":7,"user_info":true}"#, r#"{"user_id":"7","user_info":true}"#),
    ];
    for (member, signed) in cases {
        let body = format!(r#"{{"channel_data":{member}}}"#);
        assert_eq!(verdict(PRESENCE, &body), unsigned(signed), "{body}");
    }
}

#[test]
fn a_presence_channel_is_not_joined_by_nobody() {
    for body in ["true", r#"{"channel_data":{}}"#, r#"{"channel_data":{"user_id":null}}"#] {
        assert_eq!(verdict(PRESENCE, body), Err(Denial::NobodyNamed), "{body}");
    }
    let long = format!(r#"{{"channel_data":{{"user_id":"{}"}}}}"#, "x".repeat(129));
    let large = format!(r#"{{"channel_data":{{"user_id":7,"user_info":"{}"}}}}"#, "x".repeat(1024));
    for body in [&long, &large, r#"{"channel_data":{"user_id":""}}"#] {
        let Err(Denial::Unfit(why)) = verdict(PRESENCE, body) else { panic!("{body}") };
        assert!(why.contains(' '), "{why}");
    }
}

#[test]
fn an_encrypted_channel_needs_an_application_that_signs() {
    for body in ["true", r#"{"channel_data":{"user_id":7}}"#, r#"{"shared_secret":"c2VjcmV0"}"#] {
        assert_eq!(verdict(ENCRYPTED, body), Err(Denial::Unsigned), "{body}");
    }
}

#[test]
fn a_user_that_is_not_signed_keeps_every_byte_but_for_a_number_as_its_id() {
    let cases = [
        (r#"{"id":"7","name":"\u00fc","n":1.0}"#, r#"{"id":"7","name":"\u00fc","n":1.0}"#),
        (r#" { "name" : "x", "id" : 7 } "#, r#"{ "name" : "x", "id" : "7" }"#),
        (r#"{"id":123456789012345678901234567890}"#, r#"{"id":"123456789012345678901234567890"}"#),
    ];
    for (body, signed) in cases {
        assert_eq!(verdict(USER, body), unsigned(signed), "{body}");
    }
    for body in ["true", "{}", r#"{"user_id":7}"#, "[]", r#"{"id":null}"#, r#"{"id":true}"#, r#"{"id":{}}"#] {
        assert!(matches!(verdict(USER, body), Err(Denial::NotAYes { .. })), "{body}");
    }
    for body in [r#"{"id":""}"#, r#"{"id":"a b"}"#, r#"{"id":1.5e3,"watchlist":7}"#] {
        assert!(matches!(verdict(USER, body), Err(Denial::Unfit(_))), "{body}");
    }
}

#[test]
fn any_other_200_is_a_no() {
    for about in [PRIVATE, PRESENCE, ENCRYPTED, USER] {
        assert_eq!(verdict(about, ""), Err(Denial::Empty));
        assert_eq!(verdict(about, " \n"), Err(Denial::Empty));
        assert_eq!(verdict(about, "<!DOCTYPE html><p>Login"), Err(Denial::WebPage));
    }
    let bodies = [
        "false",
        "null",
        "1",
        "\"true\"",
        "[]",
        "[true]",
        "{}",
        "ok",
        "{",
        r#"{"error":"no"}"#,
        r#"{"success":false}"#,
        r#"{"success":true}"#,
        r#"{"auth":true}"#,
        r#"{"auth":null}"#,
        r#"{"auth":"a:b","auth":"c:d"}"#,
        r#"{"channel_data":"{\"user_id\":7}"}"#,
        r#"{"channel_data":[7]}"#,
        r#"{"channel_data":true}"#,
    ];
    for body in bodies {
        for about in [PRIVATE, PRESENCE, USER] {
            let denial = verdict(about, body).expect_err(body);
            assert!(matches!(denial, Denial::NotAYes { status: 200, .. }), "{about} {body}: {denial:?}");
            assert_eq!((denial.status(), denial.kind()), (403, DenialKind::NotUnderstood));
        }
        verdict(ENCRYPTED, body).expect_err(body);
    }
}

#[test]
fn each_status_has_its_answer() {
    let cases: [(u16, u16, DenialKind); 17] = [
        (401, 401, DenialKind::Denied),
        (403, 403, DenialKind::Denied),
        (419, 419, DenialKind::Denied),
        (422, 422, DenialKind::Denied),
        (429, 429, DenialKind::Denied),
        (400, 403, DenialKind::Denied),
        (302, 401, DenialKind::Denied),
        (301, 401, DenialKind::Denied),
        (304, 401, DenialKind::Denied),
        (404, 502, DenialKind::Failed),
        (405, 502, DenialKind::Failed),
        (500, 502, DenialKind::Failed),
        (503, 502, DenialKind::Failed),
        (201, 403, DenialKind::NotUnderstood),
        (202, 403, DenialKind::NotUnderstood),
        (204, 403, DenialKind::NotUnderstood),
        (101, 502, DenialKind::Failed),
    ];
    for (answered, status, kind) in cases {
        // Not even the body of a yes makes such a status a yes.
        for (about, body) in [(PRIVATE, "true"), (USER, r#"{"auth":"key:00"}"#)] {
            let denial = verdict_of(about, answered, body, None).expect_err("no 200");
            assert_eq!((denial.status(), denial.kind()), (status, kind), "{answered}");
        }
    }
}

#[test]
fn a_denial_tells_what_to_look_for_and_nothing_secret() {
    let said = |about, status, body| verdict_of(about, status, body, None).expect_err("a denial").to_string();
    let redirected = said(PRIVATE, 302, "");
    assert!(
        redirected.contains("302 to http://app.test/login:") && !redirected.contains("hush"),
        "{redirected}"
    );
    assert!(said(PRIVATE, 200, "").contains("BROADCAST_CONNECTION"));
    assert!(said(PRESENCE, 200, "true").contains("must return an array"));
    assert!(said(PRIVATE, 404, "").contains("Broadcast::routes()"));
    assert!(said(USER, 404, "").contains("Broadcast::userRoutes()"));
    assert!(said(PRIVATE, 419, "").contains("CSRF"));
    assert!(!said(PRIVATE, 200, r#"{"message":"confidential"}"#).contains("confidential"));
}

#[test]
fn with_a_rule_only_what_meets_it_is_a_yes() {
    let by_rule = |about, body| verdict_of(about, 200, body, Some("code=0"));
    let not_met = || Err(Denial::RuleNotMet("code=0".to_owned()));
    let signed = r#"{"code":0,"auth":"key:00"}"#;
    assert_eq!(by_rule(PRIVATE, signed), Ok(Yes::Signed(signed.into())));
    assert_eq!(by_rule(PRIVATE, r#"{"code":0}"#), Ok(Yes::Unsigned(None)));
    for body in ["true", r#"{"auth":"key:00"}"#, r#"{"code":401,"auth":"key:00"}"#, r#"{"code":"0"}"#] {
        assert_eq!(by_rule(PRIVATE, body), not_met(), "{body}");
    }
    assert_eq!(
        by_rule(PRESENCE, r#"{"code":0,"channel_data":{"user_id":7}}"#),
        unsigned(r#"{"user_id":"7"}"#)
    );
    assert!(matches!(by_rule(PRESENCE, r#"{"code":0}"#), Err(Denial::NotAYes { .. })));
    assert_eq!(by_rule(PRESENCE, r#"{"channel_data":{"user_id":7}}"#), not_met());
    assert_eq!(by_rule(ENCRYPTED, r#"{"code":0}"#), Err(Denial::Unsigned));
    assert_eq!(by_rule(USER, r#"{"code":0,"id":7}"#), unsigned(r#"{"code":0,"id":"7"}"#));
}

#[test]
fn a_byte_order_mark_is_dropped_as_browsers_drop_it() {
    assert_eq!(verdict(PRIVATE, "\u{feff}true"), Ok(Yes::Unsigned(None)));
    assert_eq!(
        verdict(PRESENCE, "\u{feff} {\"channel_data\":{\"user_id\":7}}"),
        unsigned(r#"{"user_id":"7"}"#)
    );
    let signed = r#"{"auth":"key:00"}"#;
    assert_eq!(verdict(PRIVATE, &format!("\u{feff}{signed}")), Ok(Yes::Signed(signed.into())));
    assert_eq!(verdict(PRIVATE, "\u{feff}"), Err(Denial::Empty));
    assert!(verdict(PRIVATE, "\u{feff}\u{feff}true").is_err(), "one");
}

#[test]
fn a_text_that_is_cut_within_a_character_stays_as_it_is() {
    let body = r#"{"channel_data":{"user_id":7,"user_info":{"name":"cut \ud83d"}},"code":"0"}"#;
    let data = r#"{"user_id":"7","user_info":{"name":"cut \ud83d"}}"#;
    assert_eq!(verdict(PRESENCE, body), unsigned(data));
    assert_eq!(verdict_of(PRESENCE, 200, body, Some("code=\"0\"")), unsigned(data));
    assert_eq!(verdict(USER, r#"{"id":7,"name":"\ude00"}"#), unsigned(r#"{"id":"7","name":"\ude00"}"#));
    let id = r#"{"channel_data":{"user_id":"\ud83d"}}"#;
    assert!(verdict(PRESENCE, id).is_err(), "nobody can be called so");
}
