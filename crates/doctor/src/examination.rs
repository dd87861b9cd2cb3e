//! The examination: hop after hop; a hop that depends on a failed one is skipped.
//!
//! Owns the order of the hops; each hop's checks are in a file of their own.

use fanfare_outgoing::{Client, Options};

use super::base_url::BaseUrl;
use super::hop::{Finding, Hop, Outcome};
use super::plan::{Plan, Way};
use super::reach::Io;
use super::socket::Socket;
use super::standpoint::Descriptors;
use super::{
    authorization, bus, clock, descriptors, fallback, reach, redis, round_trip, signed, socket_io, tls,
    upgrade,
};

/// The findings so far.
struct Examination<'a> {
    plan: &'a Plan,
    client: Client,
    /// The client for the server itself, whose connections may need an opening.
    own: Client,
    hops: Vec<Hop>,
    /// Hears of each hop as it ends.
    told: &'a mut (dyn FnMut(&Hop) + Send),
}

/// Checks every hop of the plan in order; a hop that depends on a failed one is skipped.
pub async fn examine(plan: &Plan) -> Vec<Hop> {
    let mut hops = Vec::new();
    examine_each(plan, &mut |hop| hops.push(hop.clone())).await;
    hops
}

/// As [`examine`]; tells of each hop as it ends.
pub async fn examine_each(plan: &Plan, told: &mut (dyn FnMut(&Hop) + Send)) {
    let opening = plan.back_end.as_ref().map_or("", |place| place.opening);
    let own = Client::with(&plan.trust, Options { opening, ..Options::default() });
    let client = Client::new(&plan.trust);
    let mut examination = Examination { plan, client, own, hops: Vec::new(), told };
    for warning in &plan.warnings {
        examination.remark("configuration", warning.clone());
    }
    // Without the Redis between nodes a server answers queries with errors, so that the cause is told first.
    examination.bus().await;
    let socket = examination.browsers_way().await;
    let date = examination.back_ends_way(socket.as_ref().is_some()).await;
    examination.clock(date);
    let has_socket = socket.is_some();
    let socket = examination.round_trip(socket).await;
    let socket_id = socket.as_ref().map(|socket| socket.id().to_owned());
    // The app may have one place, which the next connection needs.
    if let Some(socket) = socket {
        socket.leave().await;
    }
    examination.fallback(has_socket).await;
    examination.socket_io().await;
    examination.descriptors().await;
    examination.redis().await;
    examination.authorization(socket_id.as_deref()).await;
}

impl Examination<'_> {
    fn add(&mut self, hop: Hop) {
        (self.told)(&hop);
        self.hops.push(hop);
    }

    /// Records a finding; `None` for a failure.
    fn note(&mut self, name: &str, finding: Finding) -> Option<()> {
        let outcome = match finding {
            Ok(what) => Outcome::Passed(what),
            Err(complaint) => Outcome::Failed(complaint),
        };
        let passed = matches!(outcome, Outcome::Passed(_));
        self.add(Hop { name: name.to_owned(), outcome });
        passed.then_some(())
    }

    fn skip(&mut self, name: &str, why: &str) {
        self.add(Hop { name: name.to_owned(), outcome: Outcome::Skipped(why.to_owned()) });
    }

    fn remark(&mut self, name: &str, what: String) {
        self.add(Hop { name: name.to_owned(), outcome: Outcome::Noted(what) });
    }

    /// The client for a server.
    fn client_of(&self, place: &BaseUrl) -> &Client {
        if place.opening.is_empty() { &self.client } else { &self.own }
    }

    fn has_failed(&self, name: &str) -> bool {
        self.hops.iter().any(|hop| hop.name == name && matches!(hop.outcome, Outcome::Failed(_)))
    }

    /// Name, TCP and TLS of one path to the server.
    async fn connect(&mut self, way: Way, place: &BaseUrl) -> Option<Box<dyn Io>> {
        let (tcp, tls) = match way {
            Way::Both => ("TCP", "TLS"),
            Way::Browser => ("TCP of browsers", "TLS of browsers"),
            Way::BackEnd => ("TCP of the back end", "TLS of the back end"),
        };
        let stream = match reach::connect(place, self.plan.standpoint.wording).await {
            Ok((what, stream)) => {
                self.note(tcp, Ok(what));
                stream
            }
            Err(complaint) => {
                self.note(tcp, Err(complaint));
                return None;
            }
        };
        if !place.tls {
            return Some(Box::new(stream));
        }
        match tls::begin(place, &self.plan.trust, stream).await {
            Ok((finding, stream)) => self.note(tls, finding).map(|()| stream),
            Err(complaint) => self.note(tls, Err(complaint)).and(None),
        }
    }

    /// Connects like a browser.
    async fn browsers_way(&mut self) -> Option<Socket> {
        const UPGRADE: &str = "WebSocket upgrade";
        const KEY: &str = "app key";
        let plan = self.plan;
        let Some(place) = &plan.browser else {
            self.skip(UPGRADE, "no server is named: use --url, --config, --laravel or --laravel-echo-server");
            return None;
        };
        let Some(stream) = self.connect(plan.way_of_browsers(), place).await else {
            self.skip(UPGRADE, "there is no connection");
            return None;
        };
        let Some(app) = &plan.app else {
            self.skip(UPGRADE, plan.standpoint.wording.no_key());
            return None;
        };
        let socket = match upgrade::ask(place, &app.key, plan.origin.as_deref(), stream).await {
            Ok((what, socket)) => {
                self.note(UPGRADE, Ok(what));
                socket
            }
            Err(complaint) => {
                self.note(UPGRADE, Err(complaint));
                self.skip(KEY, "there is no WebSocket");
                return None;
            }
        };
        match socket.established(place, &app.key).await {
            Ok((what, socket)) => self.note(KEY, Ok(what)).map(|()| socket),
            Err(complaint) => self.note(KEY, Err(complaint)).and(None),
        }
    }

    /// Sends requests like a back end; returns the answer's date, and its time of arrival.
    async fn back_ends_way(&mut self, connected: bool) -> Option<clock::Reading> {
        const SIGNATURE: &str = "signature";
        let plan = self.plan;
        let place = plan.back_end.as_ref()?;
        if plan.way_of_browsers() == Way::Browser {
            if self.connect(Way::BackEnd, place).await.is_none() {
                self.skip(SIGNATURE, "there is no connection");
                return None;
            }
        } else if !connected && (self.has_failed("TCP") || self.has_failed("TLS")) {
            self.skip(SIGNATURE, "there is no connection");
            return None;
        }
        match plan.signer() {
            Some(signer) => {
                let (finding, reading) = signed::channels(self.client_of(place), place, &signer).await;
                self.note(SIGNATURE, finding);
                reading
            }
            None => {
                self.skip(SIGNATURE, plan.unsigned);
                clock::ask(self.client_of(place), place).await
            }
        }
    }

    fn clock(&mut self, reading: Option<clock::Reading>) {
        match reading {
            Some(reading) => {
                self.note("clock", reading.finding());
            }
            None if self.plan.back_end.is_some() => {
                self.skip("clock", "no answer has told the server's time")
            }
            None => {}
        }
    }

    /// Publishes an event that the socket should receive.
    async fn round_trip(&mut self, socket: Option<Socket>) -> Option<Socket> {
        const ROUND_TRIP: &str = "publish and receive";
        let (Some(place), true) = (&self.plan.back_end, self.plan.browser.is_some()) else { return socket };
        let signer = self.plan.signer().filter(|_| !self.has_failed("signature"));
        match (socket, signer) {
            (Some(socket), Some(signer)) => {
                let (finding, socket) = round_trip::make(self.client_of(place), place, &signer, socket).await;
                self.note(ROUND_TRIP, finding).and(socket)
            }
            (socket, _) => {
                let why = if socket.is_none() { "there is no WebSocket" } else { "nothing can be published" };
                self.skip(ROUND_TRIP, why);
                socket
            }
        }
    }

    /// Whether browsers have no connection to the server.
    fn cannot_connect(&self) -> bool {
        ["TCP", "TLS", "TCP of browsers", "TLS of browsers"].iter().any(|name| self.has_failed(name))
    }

    /// Connects like a page whose network lets no WebSocket through.
    async fn fallback(&mut self, has_socket: bool) {
        const FALLBACK: &str = "HTTP fallback";
        let plan = self.plan;
        let (Some(place), Some(app)) = (&plan.browser, &plan.app) else { return };
        if self.cannot_connect() {
            return self.skip(FALLBACK, "there is no connection");
        }
        if self.has_failed("app key") {
            return self.skip(FALLBACK, "the app refuses its clients");
        }
        // Name and certificate are examined already.
        let stream = match reach::connect(place, plan.standpoint.wording).await {
            Ok((_, stream)) if place.tls => {
                tls::begin(place, &plan.trust, stream).await.map(|(_, stream)| stream)
            }
            Ok((_, stream)) => Ok(Box::new(stream) as Box<dyn Io>),
            Err(complaint) => Err(complaint),
        };
        let outcome = match stream {
            Ok(stream) => fallback::ask(place, &app.key, plan.origin.as_deref(), stream, has_socket).await,
            Err(complaint) => Outcome::Failed(complaint),
        };
        self.add(Hop { name: FALLBACK.to_owned(), outcome });
    }

    /// Nothing is said of a server that does not speak Socket.IO.
    async fn socket_io(&mut self) {
        const SOCKET_IO: &str = "Socket.IO";
        let plan = self.plan;
        let (Some(asked), Some(place)) = (&plan.socket_io, &plan.browser) else { return };
        if self.cannot_connect() {
            return self.skip(SOCKET_IO, "there is no connection");
        }
        let finding = socket_io::ask(self.client_of(place), place, asked).await;
        self.note(SOCKET_IO, finding);
    }

    async fn descriptors(&mut self) {
        let near = match self.plan.standpoint.descriptors {
            Descriptors::Asked => {
                [&self.plan.browser, &self.plan.back_end].into_iter().flatten().any(BaseUrl::is_near)
            }
            Descriptors::OfThisProcess => false,
            Descriptors::Untold => return,
        };
        let what = descriptors::look(&self.client, near).await;
        self.remark("file descriptors", what);
    }

    async fn redis(&mut self) {
        let Some(asked) = &self.plan.redis else {
            return self.skip("Redis", self.plan.standpoint.wording.no_redis());
        };
        let seen = redis::watch(asked, self.plan.watch).await;
        match seen {
            Err(complaint) => {
                self.note("Redis", Err(complaint));
                self.skip("Redis prefix", "there is no subscription");
            }
            Ok((what, seen)) => {
                self.note("Redis", Ok(what));
                let outcome = redis::judge(asked, &seen, self.plan.watch);
                self.add(Hop { name: "Redis prefix".to_owned(), outcome });
            }
        }
    }

    /// Every Redis between nodes; nothing is said of a server that stands alone.
    async fn bus(&mut self) {
        let plan = self.plan;
        for asked in &plan.bus {
            let name = match &plan.bus[..] {
                [_] => "bus".to_owned(),
                _ => format!("bus {}", asked.address),
            };
            let (finding, remarks) = bus::look(asked).await;
            self.note(&name, finding);
            for remark in remarks {
                self.remark(&format!("{name} buffers"), remark);
            }
        }
    }

    async fn authorization(&mut self, socket_id: Option<&str>) {
        const AUTHORIZATION: &str = "authorization";
        let Some(question) = &self.plan.question else {
            return self.skip(AUTHORIZATION, self.plan.standpoint.wording.no_channel());
        };
        let socket_id = socket_id.unwrap_or("1.1");
        let app = self.plan.app.as_ref();
        let client = self.plan.standpoint.applications.as_ref().unwrap_or(&self.client);
        let finding = authorization::ask(client, question, socket_id, app).await;
        self.note(AUTHORIZATION, finding);
    }
}
