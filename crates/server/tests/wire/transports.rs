//! Back ends and operators are told the same of a client, whatever its transport and dialect.

use crate::support::api::Request;
use crate::support::application::Application;
use crate::support::echo::{Echo, ON, subscribe};
use crate::support::echo_polling::Polling;
use crate::support::fallback::Fallback;
use crate::support::receiver::{ALL, Receiver};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::socket::Socket;
use crate::support::{APP, PONG, quoted};

const ROOM: &str = "presence-room";
const MEMBER: &str = r#"{"user_id":"u1","user_info":{"n":1}}"#;

/// A client, by what carries its messages.
enum Client {
    Socket(Socket),
    Fallback(Fallback),
    Echo(Echo),
    Polling(Polling),
}

use Client::{Echo as OfEcho, Fallback as OfFallback, Polling as OfPolling, Socket as OfSocket};

/// Every transport of either dialect.
const TRANSPORTS: [fn(&TestServer) -> Client; 6] = [
    |server| OfSocket(server.connect()),
    |server| OfFallback(Fallback::streaming(server)),
    |server| OfFallback(Fallback::polling(server)),
    |server| OfEcho(Echo::connect(server, 3)),
    |server| OfPolling(Polling::connect(server, 4)),
    |server| OfEcho(Polling::connect(server, 4).upgraded()),
];

impl Client {
    fn id(&self) -> &str {
        match self {
            OfSocket(socket) => &socket.id,
            OfFallback(session) => &session.id,
            OfEcho(echo) => &echo.id,
            OfPolling(session) => &session.id,
        }
    }

    /// Joins the room, and hears who is there.
    fn join(&mut self) {
        let heard = match self {
            OfSocket(socket) => {
                socket.ask_signed(APP, ROOM, Some(MEMBER));
                socket.text()
            }
            OfFallback(session) => {
                session.ask_signed(APP, ROOM, Some(MEMBER));
                session.message()
            }
            OfEcho(echo) => {
                echo.subscribe(ROOM);
                echo.socket.text()
            }
            OfPolling(session) => {
                session.post(&subscribe(ROOM, "{}"));
                session.packet()
            }
        };
        assert!(heard.contains("subscri"), "{heard}");
    }

    /// A command for the room: the event of one dialect, and that of the other, each with more members of its object.
    fn command(&mut self, pusher: &str, socket_io: &str) {
        let pusher = format!(r#"{{{pusher}}}"#);
        let socket_io = format!(r#"42[{socket_io}]"#);
        match self {
            OfSocket(socket) => socket.send(&pusher),
            OfFallback(session) => session.send(&pusher),
            OfEcho(echo) => echo.send(&socket_io),
            OfPolling(session) => session.post(&socket_io),
        }
    }

    fn whisper(&mut self) {
        let (channel, data) = (quoted(ROOM), r#"{"a": 1}"#);
        self.command(
            &format!(r#""event":"client-e","channel":{channel},"data":{data}"#),
            &format!(r#""client event",{{"event":"client-e","channel":{channel},"data":{data}}}"#),
        );
    }

    fn leave(&mut self) {
        let channel = format!(r#"{{"channel":{}}}"#, quoted(ROOM));
        self.command(
            &format!(r#""event":"pusher:unsubscribe","data":{channel}"#),
            &format!(r#""unsubscribe",{channel}"#),
        );
    }

    /// Ends the session without leaving.
    fn end(self) {
        match self {
            OfSocket(socket) => socket.close(),
            OfFallback(mut session) => {
                // The older one stays open: a stream that its client breaks off may have lost what was on its way.
                let _older = session.stream();
                // A stream that has brought nothing may be broken off: its client may come back.
                session.send(r#"{"event":"pusher:ping","data":{}}"#);
                while session.message() != PONG {}
                session.break_off();
            }
            OfEcho(echo) => echo.socket.close(),
            OfPolling(mut session) => session.post("1"),
        }
    }
}

/// An application that lets everybody in as the same member.
fn application() -> Application {
    Application::saying(200, r#"{"channel_data":{"user_id":"u1","user_info":{"n":1}}}"#)
}

fn server(settings: &str) -> TestServer {
    Setup::bare().config(ON).config("[webhooks]\ndelay = 0").app(APP, settings).start()
}

#[test]
fn sio_106_webhooks_tell_the_same_of_a_client_of_every_transport() {
    let (application, receiver) = (application(), Receiver::new());
    let settings = format!("client_events = true\n{}{}", application.settings(), receiver.setting(ALL));
    let server = server(&settings);
    let mut told = Vec::new();
    for connect in TRANSPORTS {
        let mut client = connect(&server);
        let (entered, left) = (["channel_occupied", "member_added"], ["member_removed", "channel_vacated"]);
        let of_room = |name: &str| match name.strip_prefix("member_") {
            Some(_) => format!(r#"{name} {ROOM} user_id="u1""#),
            None => format!("{name} {ROOM}"),
        };
        let whispered = format!(
            r#"client_event {ROOM} data="{{\"a\":1}}" event="client-e" socket_id="{}" user_id="u1""#,
            client.id()
        );
        client.join();
        client.whisper();
        client.leave();
        client.join();
        told.extend(entered.map(of_room));
        told.push(whispered);
        told.extend(left.map(of_room));
        told.extend(entered.map(of_room));
        receiver.expect(&told.iter().map(String::as_str).collect::<Vec<_>>());
        client.end();
        told.extend(left.map(of_room));
        receiver.expect(&told.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[test]
fn sio_100_and_sio_106_quotas_and_counters_count_clients_of_every_transport() {
    let application = application();
    let quota = TRANSPORTS.len();
    let settings = format!("client_events = true\nmessages_per_day = {quota}\n{}", application.settings());
    let server = server(&settings);
    let mut clients = TRANSPORTS.map(|connect| connect(&server));
    server.expect_metric("fanfare_connections{app=\"3\"}", 6.0);
    for client in &mut clients {
        client.join();
    }
    server.expect_metric("fanfare_subscriptions{app=\"3\"}", 6.0);
    for client in &mut clients {
        client.whisper();
    }
    server.expect_metric("fanfare_client_events_total{app=\"3\"}", 6.0);
    // Each client event went to the five others.
    server.expect_metric("fanfare_deliveries_total{app=\"3\"}", 30.0);
    let refused = "fanfare_messages_refused_total{app=\"3\",quota=\"messages_per_day\"}";
    for (at, client) in clients.iter_mut().enumerate() {
        client.whisper();
        server.expect_metric(refused, f64::from(u8::try_from(at + 1).expect("six")));
    }
    let publish = Request::post("/apps/3/channels/news/events", "data").param("name", "e");
    assert_eq!(server.api().send(&publish).head.status, 403, "back ends and clients share the quota");
    server.expect_metric("fanfare_client_events_total{app=\"3\"}", 6.0);
    server.expect_metric("fanfare_deliveries_total{app=\"3\"}", 30.0);
    for client in clients {
        client.end();
    }
    for gauge in ["connections", "subscriptions", "channels"] {
        server.expect_metric(&format!("fanfare_{gauge}{{app=\"3\"}}"), 0.0);
    }
    server.expect_metric("fanfare_fallback_sessions", 0.0);
}
