//! The dialect, value by value, and the settings found for an application.

use proptest::prelude::*;

use super::{AppNames, Application, DotEnv, DotEnvError, DotEnvFault, Driver, MOST_BYTES};

fn read(text: &str) -> DotEnv {
    DotEnv::parse(text, |_| None).unwrap_or_else(|error| panic!("{text:?}: {} in line {}", error, error.line))
}

#[track_caller]
fn expect(text: &str, values: &[(&str, &str)]) {
    let read = read(text);
    let found: Vec<(&str, &str)> =
        read.entries().filter_map(|entry| Some((&*entry.name, entry.value.as_deref()?))).collect();
    assert_eq!(found, values, "{text}");
}

#[track_caller]
fn expect_fault(text: &str, line: usize, what: DotEnvFault) {
    let error = DotEnv::parse(text, |_| None).err();
    assert_eq!(error, Some(DotEnvError { line, what }), "{text:?}");
}

fn application(text: &str) -> Application {
    Application::new(read(text), &[])
}

#[test]
fn bare_values_end_at_a_space_or_a_hash() {
    expect("A=b", &[("A", "b")]);
    expect("  A = b  ", &[("A", "b")]);
    expect("A=b # comment", &[("A", "b")]);
    expect("A=b#c", &[("A", "b")]);
    expect("A=#c", &[("A", "")]);
    expect("A=a=b", &[("A", "a=b")]);
    expect("A=a\"b'c\\d", &[("A", "a\"b'c\\d")]);
    expect("A=$5$", &[("A", "$5$")]);
    expect("A=", &[("A", "")]);
    expect("export A=b\nexport\tB='c'", &[("A", "b"), ("B", "c")]);
    expect("\u{feff}A=b\r\n# x\r\n\r\n  #y\nB=c\rC=d", &[("A", "b"), ("B", "c"), ("C", "d")]);
    expect("'A'=b\n\"B\"=c\nC.d_1=e", &[("A", "b"), ("B", "c"), ("C.d_1", "e")]);
}

#[test]
fn quotes_keep_spaces_and_hashes_and_double_ones_know_escapes() {
    expect("A=\"a b # c\" # d", &[("A", "a b # c")]);
    expect("A='a b # c ${B} \\n' # d", &[("A", "a b # c ${B} \\n")]);
    expect(r#"A="\"\\\$\n\t\r\v\f|""#, &[("A", "\"\\$\n\t\r\u{b}\u{c}|")]);
    expect("A=\"\"\nB=''", &[("A", ""), ("B", "")]);
}

#[test]
fn a_double_quoted_value_may_go_on_over_lines() {
    expect("A=\"one\ntwo # 2\n\n  three\"\nB=c", &[("A", "one\ntwo # 2\n\n  three"), ("B", "c")]);
    expect("A=\"one\n\"\nB=c", &[("A", "one\n"), ("B", "c")]);
    assert_eq!(read("A=\"one\ntwo\"\nB=c").get("B").map(|entry| entry.line), Some(3));
}

#[test]
fn names_in_braces_are_replaced_where_they_are_known() {
    expect("A=b\nB=\"${A}-${A}\"\nC=${B}c", &[("A", "b"), ("B", "b-b"), ("C", "b-bc")]);
    expect("A=\"${LATER}\"\nLATER=x", &[("A", "${LATER}"), ("LATER", "x")]);
    expect("A=b\nB=\"\\${A} $A ${A ${}\"", &[("A", "b"), ("B", "${A} $A ${A ${}")]);
    let outside = |name: &str| (name == "A").then(|| "outside".to_owned());
    let read = DotEnv::parse("A=b\nB=${A}", outside).unwrap();
    assert_eq!(read.get("B").unwrap().value.as_deref(), Some("outside"));
}

#[test]
fn of_a_name_that_comes_twice_the_last_holds_and_one_without_a_value_has_none() {
    assert_eq!(read("A=b\nA=c").get("A").unwrap().value.as_deref(), Some("c"));
    assert_eq!(read("A").get("A").unwrap().value, None);
}

#[test]
fn faults_name_their_line_and_no_value() {
    expect_fault("A=b\nB=hush hush", 2, DotEnvFault::Space);
    expect_fault("A='hush' hush", 1, DotEnvFault::Space);
    expect_fault("\nA='hush", 2, DotEnvFault::Unclosed);
    expect_fault("A=\"hush\nB=c\n", 1, DotEnvFault::Unclosed);
    expect_fault("A=\"\\hush\"", 1, DotEnvFault::Escape);
    expect_fault("=hush", 1, DotEnvFault::NoName);
    expect_fault("A B=hush", 1, DotEnvFault::Name);
    expect_fault("A-B=hush", 1, DotEnvFault::Name);
}

#[test]
fn a_file_that_is_too_large_is_refused_and_values_do_not_grow_without_end() {
    expect_fault(&"A".repeat(MOST_BYTES + 1), 0, DotEnvFault::TooLarge);
    let mut doubling = String::from("A0=0123456789\n");
    for number in 1..60 {
        doubling.push_str(&format!("A{number}=${{A{}}}${{A{}}}\n", number - 1, number - 1));
    }
    let read = read(&doubling);
    assert!(read.entries().all(|entry| entry.value.as_ref().is_some_and(|value| value.len() <= MOST_BYTES)));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[A-C=\"'\\\\$#{}\n\r ü]{0,60}") {
        let _ = DotEnv::parse(&text, |_| None);
    }

    #[test]
    fn what_is_written_in_single_quotes_comes_back(value in "[^'\n\r]{0,40}") {
        let text = format!("A='{value}'");
        // Laravel takes `="` for the beginning of a longer value, wherever it stands.
        prop_assume!(!text.contains("=\""));
        let read = DotEnv::parse(&text, |_| None).unwrap();
        prop_assert_eq!(read.get("A").unwrap().value.as_deref(), Some(&*value));
    }
}

#[test]
fn the_driver_is_known_by_either_name() {
    let driver = |text: &str| application(text).driver().map(|(driver, _)| driver);
    assert_eq!(driver("BROADCAST_DRIVER=pusher"), Some(Driver::Pusher));
    assert_eq!(driver("BROADCAST_DRIVER=log\nBROADCAST_CONNECTION=reverb"), Some(Driver::Reverb));
    assert_eq!(driver("BROADCAST_CONNECTION=redis"), Some(Driver::Redis));
    assert_eq!(driver("BROADCAST_CONNECTION=ably"), Some(Driver::Other("ably".to_owned())));
    assert_eq!(driver("BROADCAST_CONNECTION=null\nBROADCAST_DRIVER=log"), Some(Driver::Silent));
    assert_eq!(driver("BROADCAST_CONNECTION="), None);
}

#[test]
fn an_app_is_that_of_the_driver_or_the_first_that_is_whole() {
    const BOTH: &str = "PUSHER_APP_ID=1\nPUSHER_APP_KEY=k\nPUSHER_APP_SECRET=s\nREVERB_APP_ID=2\n\
                        REVERB_APP_KEY=k\nREVERB_APP_SECRET=s\n";
    let names = |text: &str| application(text).names();
    assert_eq!(names(BOTH), Some(AppNames::Pusher));
    assert_eq!(names(&format!("{BOTH}BROADCAST_CONNECTION=reverb")), Some(AppNames::Reverb));
    assert_eq!(names(&format!("{BOTH}PUSHER_APP_ID=")), Some(AppNames::Reverb));
    assert_eq!(names("PUSHER_APP_ID=1"), None);
}

#[test]
fn values_are_those_of_env() {
    let said = |text: &str| application(text).said("A").map(|said| said.value);
    assert_eq!(said("A=null"), None);
    assert_eq!(said("A=(empty)"), Some(String::new()));
    assert_eq!(said("A=\"'x'\""), Some("x".to_owned()));
    let environment = [("A".to_owned(), "outside".to_owned())];
    let said = Application::new(read("A=b"), &environment).said("A").unwrap();
    assert_eq!((&*said.value, said.line), ("outside", None));
}

#[test]
fn where_php_sends_to_has_the_skeletons_defaults() {
    let target = application("PUSHER_HOST=ws.example.com").target("PUSHER").unwrap();
    assert_eq!((target.url().as_str(), target.loopback()), ("https://ws.example.com:443", None));
    let text = "REVERB_HOST=\"localhost\"\nREVERB_PORT=8080\nREVERB_SCHEME=http";
    let target = application(text).target("REVERB").unwrap();
    assert_eq!(target.url(), "http://localhost:8080");
    assert!(target.loopback().is_some());
    assert!(application(text).target("PUSHER").is_none());
}

#[test]
fn redis_is_a_url_however_it_is_written() {
    let url = |text: &str| application(text).redis_url().map(|said| said.value);
    assert_eq!(
        url("REDIS_HOST=127.0.0.1\nREDIS_PASSWORD=null\nREDIS_PORT=6379").unwrap(),
        "redis://127.0.0.1:6379"
    );
    assert_eq!(
        url("REDIS_HOST=redis\nREDIS_USERNAME=app\nREDIS_PASSWORD=\"p@ss/word\"\nREDIS_PORT=6380").unwrap(),
        "redis://app:p%40ss%2Fword@redis:6380"
    );
    assert_eq!(url("REDIS_HOST=r\nREDIS_PASSWORD=x").unwrap(), "redis://:x@r:6379");
    assert_eq!(url("REDIS_HOST=tls://r\nREDIS_PORT=6380").unwrap(), "rediss://r:6380");
    assert_eq!(url("REDIS_HOST=r\nREDIS_SCHEME=tls").unwrap(), "rediss://r:6379");
    assert_eq!(url("REDIS_HOST=/run/redis.sock").unwrap(), "unix:///run/redis.sock");
    assert_eq!(url("REDIS_HOST=::1").unwrap(), "redis://[::1]:6379");
    assert_eq!(url("REDIS_URL=redis://x\nREDIS_HOST=r").unwrap(), "redis://x");
    assert_eq!(url("APP_NAME=x"), None);
}
