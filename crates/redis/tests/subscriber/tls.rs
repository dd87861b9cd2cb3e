//! Redis over TLS, with a private authority.

use fanfare_outgoing::Trust;
use fanfare_redis::RedisError;
use tempfile::TempDir;

use crate::support::Listening;
use fanfare_testing::certificates;
use fanfare_testing::redis::Redis;

fn trust(directory: &TempDir) -> Trust {
    Trust::with_file(&directory.path().join("ca.pem")).unwrap()
}

#[test]
fn a_private_authority_is_believed_once_it_is_named() {
    let certificates = certificates::directory();
    let redis = Redis::tls(certificates.path());
    let url = redis.url().replace("redis:", "rediss:");
    let feed = Listening::trusting(&url, &["a_"], &trust(&certificates));
    assert_eq!(feed.subscribed(), (redis.port, None));
    redis.publish("a_x", "m");
    feed.expect_message("a_x", "m");
}

#[test]
fn an_authority_that_is_not_believed_is_told_with_the_setting_that_names_it() {
    let certificates = certificates::directory();
    let redis = Redis::tls(certificates.path());
    let url = redis.url().replace("redis:", "rediss:");
    for trust in [Trust::public(), trust(&certificates::directory())] {
        let error = Listening::trusting(&url, &["a_"], &trust).away();
        assert!(matches!(error, RedisError::Tls { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("invalid peer certificate") && text.contains("redis_feed.ca_file"), "{text}");
    }
}

#[test]
fn a_certificate_for_another_name_is_not_believed() {
    let certificates = certificates::directory();
    let redis = Redis::tls(certificates.path());
    let url = format!("rediss://localhost:{}", redis.port);
    let error = Listening::trusting(&url, &["a_"], &trust(&certificates)).away();
    assert!(error.to_string().contains("not valid for name"), "{error}");
}

#[test]
fn tls_where_there_is_none_and_none_where_it_is_wanted_is_told() {
    let plain = Redis::start();
    let error = Listening::to(&plain.url().replace("redis:", "rediss:"), &["a_"]).away();
    assert!(error.to_string().ends_with("no answer in time; does it speak TLS?"), "{error}");
    let certificates = certificates::directory();
    let tls = Redis::tls(certificates.path());
    let error = Listening::to(&tls.url(), &["a_"]).away();
    assert!(matches!(error, RedisError::Closed | RedisError::NotRedis | RedisError::Lost(_)), "{error}");
}
