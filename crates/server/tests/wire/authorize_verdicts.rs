//! The meaning of an application's answer, row by row: the client's answer, and the log line.

use serde_json::json;

use crate::support::application::{Application, Reply};
use crate::support::authorization::{Post, SOCKET, expect_denial_logged};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::signing::{channel_auth, user_auth};
use crate::support::{APP, eventually};

const PRIVATE: &str = "private-orders";
const PRESENCE: &str = "presence-room";
const ENCRYPTED: &str = "private-encrypted-orders";

fn server_of(application: &Application) -> TestServer {
    Setup::with_app(&application.settings()).start()
}

#[test]
fn auth_020_true_is_signed_for_a_private_channel_whatever_its_content_type() {
    let application = Application::saying(200, "true");
    let server = server_of(&application);
    let mut socket = server.connect();
    let form = format!("socket_id={}&channel_name={PRIVATE}", socket.id);
    let answer = Post::form(&form).send(&server);
    let auth = channel_auth(APP, &socket.id, PRIVATE, None);
    answer.expect(&format!(r#"{{"auth":"{auth}"}}"#));
    assert_eq!(answer.head.header("cache-control"), Some("no-store"));
    socket
        .send(&format!(r#"{{"event":"pusher:subscribe","data":{{"auth":"{auth}","channel":"{PRIVATE}"}}}}"#));
    socket.expect_succeeded(PRIVATE);
    server.expect_metric("fanfare_authorizations_total{app=\"3\",outcome=\"allowed\"}", 1.0);
}

#[test]
fn an_array_that_a_callback_returned_is_a_yes_to_a_private_channel() {
    let application = Application::saying(200, r#"{"channel_data":{"user_id":7,"user_info":{}}}"#);
    let auth = channel_auth(APP, SOCKET, PRIVATE, None);
    Post::channel(PRIVATE).send(&server_of(&application)).expect(&format!(r#"{{"auth":"{auth}"}}"#));
}

#[test]
fn auth_020_a_member_is_signed_as_a_string_with_the_digits_and_bytes_that_came() {
    let application = Application::saying(
        200,
        r#"{"channel_data":{"user_id":12345678901234567890123,"user_info":{"n": 1.0,"x":"\/\u00fc"}}}"#,
    );
    let server = server_of(&application);
    let data = r#"{"user_id":"12345678901234567890123","user_info":{"n": 1.0,"x":"\/\u00fc"}}"#;
    let auth = channel_auth(APP, SOCKET, PRESENCE, Some(data));
    Post::channel(PRESENCE).send(&server).expect_json(&json!({ "auth": auth, "channel_data": data }));
}

#[test]
fn an_application_that_signs_by_itself_is_handed_on_byte_for_byte() {
    let answer = r#"{ "auth" : "key:00", "channel_data":"{}", "shared_secret":"c2VjcmV0" }"#;
    let application = Application::saying(200, answer);
    let server = server_of(&application);
    for channel in [PRIVATE, PRESENCE, ENCRYPTED] {
        Post::channel(channel).send(&server).expect(answer);
    }
    Post::user().send(&server).expect(answer);
}

#[test]
fn auth_030_a_user_that_the_application_did_not_sign_is_signed() {
    let application = Application::saying(200, r#"{"id":7,"user_info":{"name":"\u00fc"}}"#);
    let server = server_of(&application);
    let mut socket = server.connect();
    let path = format!("/app/{}/user-auth", APP.key);
    let answer = Post::form(&format!("socket_id={}", socket.id)).path(&path).send(&server);
    let data = r#"{"id":"7","user_info":{"name":"\u00fc"}}"#;
    let auth = user_auth(APP, &socket.id, data);
    answer.expect_json(&json!({ "auth": auth, "user_data": data }));
    assert_eq!(application.questions()[0].line, "POST /broadcasting/user-auth");
    let signin = json!({ "event": "pusher:signin", "data": { "auth": auth, "user_data": data } });
    socket.send(&signin.to_string());
    assert_eq!(socket.json()["event"], "pusher:signin_success");
}

/// The application's answer, the client's answer, and the log line.
type Row = (&'static str, u16, &'static str, u16, &'static str);

const ROWS: [Row; 23] = [
    (PRIVATE, 200, "", 403, "BROADCAST_CONNECTION"),
    (PRIVATE, 200, "false", 403, "200 with false"),
    (PRIVATE, 200, "null", 403, "200 with null"),
    (PRIVATE, 200, r#"{"error":"confidential"}"#, 403, "an object with an error in it"),
    (PRIVATE, 200, r#"{"success":false}"#, 403, "an object without auth"),
    (PRIVATE, 200, "<!DOCTYPE html><form>confidential</form>", 403, "a web page"),
    (PRIVATE, 200, "OK", 403, "no JSON"),
    (PRIVATE, 201, "true", 403, "answered 201"),
    (PRIVATE, 204, "", 403, "answered 204"),
    (PRESENCE, 200, "true", 403, "must return an array with the user"),
    (PRESENCE, 200, r#"{"channel_data":{"user_info":{}}}"#, 403, "without naming anybody"),
    (PRESENCE, 200, r#"{"channel_data":{"user_id":""}}"#, 403, "cannot be let in"),
    (ENCRYPTED, 200, "true", 403, "pusher or reverb broadcaster"),
    (PRIVATE, 400, "", 403, "answered 400"),
    (PRIVATE, 401, "", 401, "nobody is logged in"),
    (PRIVATE, 403, r#"{"message":"confidential"}"#, 403, "the channel's callback said no"),
    (PRIVATE, 404, "", 502, "Broadcast::routes()"),
    (PRIVATE, 405, "", 502, "Broadcast::routes()"),
    (PRIVATE, 419, "", 419, "CSRF"),
    (PRIVATE, 422, "", 422, "answered 422"),
    (PRIVATE, 429, "", 429, "answered 429"),
    (PRIVATE, 500, "", 502, "answered 500"),
    (PRIVATE, 503, "", 502, "answered 503"),
];

#[test]
fn whatever_else_an_application_answers_is_a_no_that_the_log_explains() {
    let application = Application::start(|question| {
        let row = question.header("x-row").and_then(|row| row.parse::<usize>().ok()).expect("a row");
        let (_, status, body, ..) = ROWS[row];
        Reply::Body(status, body)
    });
    let server =
        Setup::with_app(&format!("{}authorization.headers = [\"X-Row\"]", application.settings())).start();
    for (number, (channel, answered, body, status, logged)) in ROWS.into_iter().enumerate() {
        let answer = Post::channel(channel).header("X-Row", &number.to_string()).send(&server);
        answer.refused(status, "pplication");
        assert!(!answer.body.contains("confidential"), "{answered} {body}");
        expect_denial_logged(&server, &[&format!("status={status}"), "app=\"3\"", channel, SOCKET, logged]);
    }
    assert!(!server.process.stderr().contains("confidential"), "an answer is not logged");
    for (outcome, count) in [("denied", 6.0), ("not_understood", 13.0), ("failed", 4.0)] {
        server.expect_metric(
            &format!("fanfare_authorizations_total{{app=\"3\",outcome=\"{outcome}\"}}"),
            count,
        );
    }
    assert_eq!(application.questions().len(), ROWS.len());
}

#[test]
fn a_redirect_is_not_followed_and_says_that_a_login_is_wanted() {
    let login = Application::saying(200, "true");
    let answer = format!(
        "HTTP/1.1 302 Found\r\nLocation: http://{}/login?hush=1\r\nContent-Length: 0\r\n\r\n",
        login.addr
    );
    let application = Application::raw(&answer);
    let server = server_of(&application);
    Post::channel(PRIVATE).send(&server).refused_with(401, "The application wants its users to log in first");
    expect_denial_logged(&server, &["status=401", "302 to http://", "/login", "redirects are not followed"]);
    assert!(!server.process.stderr().contains("hush"));
    assert_eq!(login.questions().len(), 0);
}

#[test]
fn a_request_without_a_user_is_told_so_in_the_log_of_a_refusal() {
    let application = Application::saying(403, "{}");
    let asked = format!("asked=\"{}\"", application.addr);
    let server = server_of(&application);
    Post::channel("private-known").header("Cookie", "s=hush").send(&server).refused(403, "");
    expect_denial_logged(&server, &["private-known", "the channel's callback said no", &asked]);
    let word = "neither a cookie nor an Authorization header: pusher-js sends cookies to the page's own origin alone";
    assert!(!server.process.stderr().contains(word) && !server.process.stderr().contains("hush"));
    Post::channel("private-unknown").send(&server).refused(403, "");
    expect_denial_logged(&server, &["private-unknown", "the channel's callback said no", word]);
}

#[test]
fn an_answer_of_ten_megabytes_is_not_read_to_its_end() {
    let ten_megabytes = format!("HTTP/1.1 200 OK\r\n\r\n{}", " ".repeat(10_000_000));
    let application = Application::raw(&ten_megabytes);
    let server = server_of(&application);
    Post::channel(PRIVATE).send(&server).refused(502, "could not be asked");
    expect_denial_logged(&server, &["larger than 65536 bytes"]);
    let announced = Application::raw("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\ntrue");
    Post::channel(PRIVATE).send(&server_of(&announced)).refused(502, "could not be asked");
}

#[test]
fn an_application_that_is_not_there_or_breaks_off_is_a_bad_gateway() {
    let gone = Application::saying(200, "true");
    let asked = format!("asked=\"{}\"", gone.addr);
    let settings = gone.settings().replace("/auth\"", "/auth?hush=1\"");
    drop(gone);
    let server = Setup::with_app(&settings).start();
    let answer = eventually("the port is closed", || {
        let answer = Post::channel(PRIVATE).send(&server);
        (answer.head.status != 200).then_some(answer)
    });
    answer.refused(502, "could not be asked");
    eventually("the log says that it is refused", || {
        let _ = Post::channel(PRIVATE).send(&server);
        server.process.stderr().contains("the connection was refused").then_some(())
    });
    expect_denial_logged(&server, &["the connection was refused", &asked]);
    assert!(!server.process.stderr().contains("hush"));
    for answer in ["HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ntrue", "SSH-2.0-OpenSSH\r\n", ""] {
        Post::channel(PRIVATE).send(&server_of(&Application::raw(answer))).refused(502, "could not be asked");
    }
}

#[test]
fn an_application_that_hangs_is_waited_for_no_longer_than_the_setting() {
    let application = Application::start(|_| Reply::Hang);
    let setup = Setup::with_app(&application.settings()).config("[timeouts]\napplication = 1");
    let server = setup.start();
    Post::channel(PRIVATE).send(&server).refused(504, "did not answer in time");
    expect_denial_logged(&server, &["status=504", "too slow"]);
    server.expect_metric("fanfare_authorizations_total{app=\"3\",outcome=\"late\"}", 1.0);
}

#[test]
fn with_a_rule_an_answer_of_200_with_an_error_in_it_is_a_no() {
    let application = Application::start(|question| {
        let is_known = question.header("authorization").is_some();
        Reply::Body(200, if is_known { r#"{"code":0}"# } else { r#"{"code":401,"auth":"key:00"}"# })
    });
    let server =
        Setup::with_app(&format!("{}authorization.must_equal = \"code=0\"", application.settings())).start();
    Post::channel(PRIVATE).send(&server).refused(403, "does not let this client in");
    expect_denial_logged(&server, &["does not have code=0"]);
    let auth = channel_auth(APP, SOCKET, PRIVATE, None);
    let answer = Post::channel(PRIVATE).header("Authorization", "Bearer x").send(&server);
    answer.expect(&format!(r#"{{"auth":"{auth}"}}"#));
}
