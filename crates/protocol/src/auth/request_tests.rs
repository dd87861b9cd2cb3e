//! Signed requests: the worked examples of the specification, and faults.

use proptest::prelude::*;

use super::sample::{KEY, SECRET, official_app};
use super::{Clock, Query, RequestError, Secret, SignedBody, SignedRequest};

/// The clock of the worked examples.
const NOW: u64 = 1_700_000_000;

/// The auth parameters of a request at `NOW`, without a signature.
const AUTH: &str = "auth_key=278d425bdf160c739803&auth_timestamp=1700000000&auth_version=1.0";

fn verify(method: &str, path: &str, query: &str, body: &str) -> Result<(), RequestError> {
    verify_behind("", method, path, query, body)
}

fn verify_behind(
    prefix: &str,
    method: &str,
    path: &str,
    query: &str,
    body: &str,
) -> Result<(), RequestError> {
    let full_path = format!("{prefix}{path}");
    let query = Query::parse(query);
    SignedRequest { method, path, full_path: &full_path, query: &query }.verify(
        &official_app(),
        Clock { now: NOW, window: 600 },
        !body.is_empty(),
    )?;
    SignedBody::of(&query).check(body.as_bytes())
}

/// A query with the signature of a text, which is given in full.
fn signed(text: &str, query: &str) -> String {
    format!("{query}&auth_signature={}", Secret::new(SECRET).sign(&[text.as_bytes()]))
}

fn refusal(query: &str) -> String {
    match verify("GET", "/apps/3/channels", query, "") {
        Ok(()) => "accepted".to_owned(),
        Err(error) => {
            assert_eq!(error.status(), 401);
            error.message().into_owned()
        }
    }
}

struct Example {
    number: u8,
    request: &'static str,
    query: &'static str,
    body: &'static str,
    signature: &'static str,
}

/// Examples 2 to 11; the first has another clock.
const EXAMPLES: [Example; 10] = [
    Example {
        number: 2,
        request: "GET /apps/3/channels",
        query: "filter_by_prefix=presence-&info=user_count",
        body: "",
        signature: "5142c71a4248ef5f3ec45e8793d8997773f1d19ce69ee6f6b1d75131d8aa0a6a",
    },
    Example {
        number: 3,
        request: "GET /apps/3/channels",
        query: "body_md5=d41d8cd98f00b204e9800998ecf8427e&filter_by_prefix=presence-&info=user_count",
        body: "",
        signature: "3fc9da7cb4e6d626b1c5a1b1f0179acebb2b238818aab773b9aa682659ddfe10",
    },
    Example {
        number: 4,
        request: "GET /apps/3/channels/cache-news",
        query: "info=subscription_count,cache",
        body: "",
        signature: "b184a3cc6b9e646beaaa7ffc0aa5d2aa345e3f6b4874f3d88e510e21d6b9b48a",
    },
    Example {
        number: 5,
        request: "GET /apps/3/channels/presence-foobar/users",
        query: "",
        body: "",
        signature: "9e7cd451c60103a5a50ac29611500f874871a63a6c627727ac333981759139a1",
    },
    Example {
        number: 6,
        request: "POST /apps/3/users/12345/terminate_connections",
        query: "body_md5=99914b932bd37a50b983c5e7c90ae93b",
        body: "{}",
        signature: "1cd9554f74ae79a6907349b2b5317ab9521b603905905e9e48a86c5952b7a5b9",
    },
    Example {
        number: 7,
        request: "POST /apps/3/batch_events",
        query: "body_md5=1fb169d7a008ff62dbcf5976ca8344a0",
        body: r#"{"batch":[{"channel":"a","name":"e1","data":"x"},{"channel":"b","name":"e2","data":"{\"n\":1}","socket_id":"1234.1234"}]}"#,
        signature: "115ad1f6357969854db56d66747ed510ad28c6af4ae5dbc6a0c60199b2e2c59f",
    },
    Example {
        number: 8,
        request: "POST /apps/3/events",
        query: "body_md5=d7cf1e7ab8e1a0d7d60b10f31ca0c1e7",
        body: r#"{"name":"é-event","data":"\u00e9 & = ü","channels":["a","b"],"socket_id":"1234.1234"}"#,
        signature: "de4e3da5356924fd9a88758d5f7fce037256ed6b6223b91bbca9b87acebe61f8",
    },
    Example {
        number: 9,
        request: "POST /apps/3/events",
        query: "body_md5=c7ae0072940bc610b1726ff0fcd4dc5e",
        body: r##"{"name":"hello","data":"{\"a\":1}","channels":["#server-to-user-12345"]}"##,
        signature: "f752607868ad8fd4dc7884f3312393d84a8ec4042f20707e38272da47a3be222",
    },
    Example {
        number: 10,
        request: "POST /apps/3/events",
        query: "name=e&data=hi&channels[]=a&channels[]=b",
        body: "",
        signature: "53dd98d7ee096f52b8868388940baf5ea847eaefdfc5d3be186b479fc38355a3",
    },
    Example {
        number: 11,
        request: "POST /apps/3/channels/my-channel/events",
        query: "name=my-event&body_md5=5d41402abc4b2a76b9719d911017c592",
        body: "hello",
        signature: "9d3b187e3b588a886cbb1baefe7aa1f33ada41cc8224524497a63d0e8293877f",
    },
];

#[test]
fn auth_002_worked_example_1_of_the_official_documentation() {
    let query = Query::parse(
        "auth_signature=da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c&auth_version=1.0\
         &auth_key=278d425bdf160c739803&body_md5=ec365a775a4cd0599faeb73354201b6f&auth_timestamp=1353088179",
    );
    let request =
        SignedRequest { method: "POST", path: "/apps/3/events", full_path: "/apps/3/events", query: &query };
    let body = br#"{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}"#;
    assert_eq!(request.verify(&official_app(), Clock { now: 1_353_088_179, window: 600 }, true), Ok(()));
    assert_eq!(SignedBody::of(&query).check(body), Ok(()));
}

#[test]
fn auth_002_to_auth_008_worked_examples_2_to_11() {
    for Example { number, request, query, body, signature } in EXAMPLES {
        let (method, path) = request.split_once(' ').expect("a method and a path");
        let accepted = verify(method, path, &format!("{AUTH}&{query}&auth_signature={signature}"), body);
        assert_eq!(accepted, Ok(()), "example {number}");
        let first = format!("auth_signature={signature}&{query}&{AUTH}");
        assert_eq!(verify(method, path, &first, body), Ok(()), "example {number}, other order on the wire");
        let more = format!("{AUTH}&{query}&auth_signature={signature}&x=1");
        verify(method, path, &more, body).expect_err("a parameter that was not signed");
        verify("PUT", path, &first, body).expect_err("another method");
        verify(method, &format!("{path}/"), &first, body).expect_err("another path");
    }
}

#[test]
fn auth_002_the_method_is_signed_in_upper_case() {
    let query = signed(&format!("GET\n/apps/3/channels\n{AUTH}"), AUTH);
    assert_eq!(verify("get", "/apps/3/channels", &query, ""), Ok(()));
}

#[test]
fn auth_003_body_md5_is_checked_against_the_bytes_of_the_body() {
    let example = &EXAMPLES[4];
    let query = format!("{AUTH}&{}&auth_signature={}", example.query, example.signature);
    let path = "/apps/3/users/12345/terminate_connections";
    assert_eq!(verify("POST", path, &query, "{}"), Ok(()));
    for changed in ["{} ", "{\"a\":1}", ""] {
        let error = verify("POST", path, &query, changed).expect_err("the body was changed");
        assert_eq!(error, RequestError::BodyMd5Mismatch, "{changed:?}");
        assert_eq!(error.message(), "Invalid body_md5: it is not the MD5 hex digest of the request body");
    }
}

#[test]
fn auth_006_escaped_values_have_the_signature_of_raw_ones() {
    let signature = EXAMPLES[2].signature;
    for info in ["subscription_count%2Ccache", "subscription%5Fcount%2ccache"] {
        let query = format!("{AUTH}&info={info}&auth_signature={signature}");
        assert_eq!(verify("GET", "/apps/3/channels/cache-news", &query, ""), Ok(()), "{info}");
    }
}

#[test]
fn auth_007_the_path_may_be_signed_as_received_or_decoded() {
    let received = "/apps/3/users/a%40b%20c+d/terminate_connections";
    for path in [received, "/apps/3/users/a@b c+d/terminate_connections"] {
        let query = signed(&format!("POST\n{path}\n{AUTH}"), AUTH);
        assert_eq!(verify("POST", received, &query, ""), Ok(()), "{path}");
    }
    let spaced = signed(&format!("POST\n/apps/3/users/a@b c d/terminate_connections\n{AUTH}"), AUTH);
    verify("POST", received, &spaced, "").expect_err("a plus in a path is no space");
}

#[test]
fn auth_008_body_md5_is_required_for_a_body_only() {
    let query = signed(&format!("POST\n/apps/3/events\n{AUTH}"), AUTH);
    assert_eq!(verify("POST", "/apps/3/events", &query, ""), Ok(()));
    let error = verify("POST", "/apps/3/events", &query, "{}").expect_err("a body");
    assert_eq!(error.message(), "Missing parameter: body_md5 (required when the request has a body)");
}

#[test]
fn auth_009_a_timestamp_600_seconds_away_is_expired_and_599_is_not() {
    for (given, valid) in [
        (NOW - 599, true),
        (NOW + 599, true),
        (NOW - 600, false),
        (NOW + 600, false),
        (0, false),
        (u64::MAX, false),
    ] {
        let parameters = format!("auth_key={KEY}&auth_timestamp={given}&auth_version=1.0");
        let query = signed(&format!("GET\n/apps/3/channels\n{parameters}"), &parameters);
        let expected =
            if valid { Ok(()) } else { Err(RequestError::TimestampExpired { given, now: NOW, window: 600 }) };
        assert_eq!(verify("GET", "/apps/3/channels", &query, ""), expected, "{given}");
    }
}

#[test]
fn auth_009_a_timestamp_is_decimal_digits() {
    for given in ["now", "-1700000000", "%2B1700000000", "1700000000.5", "0x6553f100", " 1700000000", "1e9"] {
        assert_eq!(
            refusal(&format!("auth_key={KEY}&auth_version=1.0&auth_timestamp={given}&auth_signature=00")),
            "Timestamp invalid: auth_timestamp must be Unix time in whole seconds",
            "{given}"
        );
    }
    let huge = refusal(&format!("auth_key={KEY}&auth_version=1.0&auth_timestamp={}", "9".repeat(40)));
    assert!(huge.starts_with("Timestamp expired: "), "{huge}");
}

#[test]
fn auth_010_every_fault_has_its_text_and_the_first_one_is_told() {
    // Each query mends the fault for which the query before was refused.
    let steps = [
        ("", "Missing parameter: auth_key"),
        ("auth_key=", "Missing parameter: auth_key"),
        ("auth_key=nobody", "Unknown auth_key"),
        ("auth_key=278d425bdf160c739803", "Version required"),
        ("auth_key=278d425bdf160c739803&auth_version=2.0", "Version not supported"),
        ("auth_key=278d425bdf160c739803&auth_version=1.0", "Timestamp required"),
        (
            "auth_key=278d425bdf160c739803&auth_version=1.0&auth_timestamp=1699999400",
            "Timestamp expired: Given timestamp (2023-11-14T22:03:20Z) not within 600s of server time \
             (2023-11-14T22:13:20Z) (setting timeouts.clock_skew)",
        ),
        (AUTH, "Missing parameter: auth_signature"),
        (
            "auth_key=278d425bdf160c739803&auth_version=1.0&auth_timestamp=1700000000&auth_signature=abc",
            "Invalid signature: you should have sent HmacSHA256Hex(\"GET\\n/apps/3/channels\\n\
             auth_key=278d425bdf160c739803&auth_timestamp=1700000000&auth_version=1.0\", your_secret_key), \
             but you sent \"abc\"",
        ),
    ];
    for (query, text) in steps {
        assert_eq!(refusal(query), text, "{query}");
    }
}

#[test]
fn auth_010_a_missing_body_md5_is_told_before_the_signature_and_a_wrong_one_after() {
    let told = |query: &str| verify("POST", "/apps/3/events", query, "{}").expect_err("a fault");
    assert_eq!(told(AUTH), RequestError::BodyMd5Missing);
    let both = told(&format!("{AUTH}&body_md5=00&auth_signature=00"));
    assert!(matches!(both, RequestError::SignatureMismatch { .. }), "{both:?}");
}

#[test]
fn auth_010_no_answer_tells_the_secret() {
    let query = format!("{AUTH}&auth_signature=00");
    assert!(!refusal(&query).contains(SECRET));
}

#[test]
fn auth_011_any_key_of_the_app_signs_but_only_with_its_own_secret() {
    let parameters = "auth_key=second-key&auth_timestamp=1700000000&auth_version=1.0";
    let text = format!("GET\n/apps/3/channels\n{parameters}");
    let own = Secret::new("second-secret").sign(&[text.as_bytes()]);
    assert_eq!(refusal(&format!("{parameters}&auth_signature={own}")), "accepted");
    assert!(refusal(&signed(&text, parameters)).starts_with("Invalid signature: "));
}

#[test]
fn auth_012_a_prefix_before_apps_may_be_signed_or_left_out() {
    for path in ["/apps/3/channels", "/ws%20/apps/3/channels"] {
        let query = signed(&format!("GET\n{path}\n{AUTH}"), AUTH);
        assert_eq!(verify_behind("/ws%20", "GET", "/apps/3/channels", &query, ""), Ok(()), "{path}");
    }
    let query = signed(&format!("GET\n/other/apps/3/channels\n{AUTH}"), AUTH);
    verify_behind("/ws", "GET", "/apps/3/channels", &query, "").expect_err("another prefix");
}

proptest! {
    #[test]
    fn no_request_panics(
        method in any::<String>(),
        path in any::<String>(),
        query in "(auth_(key=278d425bdf160c739803|version=1.0|timestamp=[0-9]{1,25}|signature=[0-9a-f]{0,66})&|\\PC){0,8}",
        body in any::<String>(),
    ) {
        if let Err(error) = verify_behind("/p", &method, &path, &query, &body) {
            prop_assert!(!error.message().is_empty());
        }
    }

    #[test]
    fn auth_004_no_other_signature_is_accepted(signature in "[0-9a-f]{64}") {
        let query = format!("{AUTH}&auth_signature={signature}");
        prop_assert!(verify("GET", "/apps/3/channels", &query, "").is_err());
    }
}
