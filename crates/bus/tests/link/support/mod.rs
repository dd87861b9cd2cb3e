//! A node with a bus, for the tests of links: what is brought to the node is written down.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fanfare_bus::message::LONGEST;
use fanfare_bus::partition::Partition;
use fanfare_bus::{
    Bus, ClusterQuestion, ClusterReply, HeardEvent, HeardKept, HeardReach, HookBatch, HooksDone, LinkState,
    Local, NodeAbout, NodeReply, NodeSubject, Settings,
};
use fanfare_outgoing::Trust;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::{Change, ClusterOutcome, Joined, KeptEvent, Telling};
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::{AppId, SocketId, UserId};
use fanfare_protocol::presence::UserInfo;
use fanfare_redis::RedisAddress;
use parking_lot::{Mutex, MutexGuard};
use tokio::runtime::Runtime;

/// The longest wait for anything that must come.
const DEADLINE: Duration = Duration::from_secs(60);

/// A running node; gone without a word when dropped.
pub struct Node {
    pub bus: Bus,
    page: Arc<Page>,
    runtime: Runtime,
    copies: AtomicU64,
}

/// What was brought to a node, in words.
#[derive(Default)]
struct Page {
    told: Mutex<Vec<String>>,
    live: Mutex<Vec<(AppId, Partition)>>,
    outcomes: Mutex<Vec<String>>,
    hooks: Mutex<Vec<HookBatch>>,
    /// Held by a test to keep workers from going on.
    gate: Mutex<()>,
}

impl Page {
    fn write(&self, text: String) {
        self.told.lock().push(text);
    }
}

impl Local for Page {
    fn reach(&self, _: &AppId, _: &str, _: Option<SocketId>) -> HeardReach {
        HeardReach::default()
    }

    fn asked(&self, app: &AppId, (_, about): (NodeSubject, &[u8]), reply: NodeReply) {
        match app.as_str() {
            "known" => reply.say(&[b"known here", about].concat()),
            "long" => reply.say(&vec![b'x'; LONGEST]),
            _ => {}
        }
    }

    fn event(&self, event: HeardEvent<'_>) {
        // Other tasks go on meanwhile.
        tokio::task::block_in_place(|| drop(self.gate.lock()));
        self.write(format!("{} {}", event.channel, String::from_utf8_lossy(event.frame.payload())));
    }

    fn kept(&self, event: HeardKept) {
        let whose = if event.is_own { "own" } else { "other" };
        let text = String::from_utf8_lossy(event.frame.payload()).into_owned();
        self.write(format!("kept {whose} {} {text}", event.channel.as_str()));
    }

    fn outcome(&self, _: &AppId, outcome: ClusterOutcome) {
        let users = |users: &[(UserId, _)]| {
            let mut users: Vec<&str> =
                users.iter().map(|(user, _): &(UserId, UserInfo)| user.as_str()).collect();
            users.sort_unstable();
            users.join(",")
        };
        let text = match &outcome {
            ClusterOutcome::Confirmed { channel, user, .. } => {
                format!("{} confirmed {user}", channel.as_str())
            }
            ClusterOutcome::Refused { channel, user, .. } => format!("{} refused {user}", channel.as_str()),
            ClusterOutcome::Added { channel, user, .. } => format!("{} added {user}", channel.as_str()),
            ClusterOutcome::Removed { channel, user, .. } => format!("{} removed {user}", channel.as_str()),
            ClusterOutcome::Roster { channel, users: all, only_adds, .. } => {
                let kind = if *only_adds { "partial roster" } else { "roster" };
                format!("{} {kind} {}", channel.as_str(), users(all))
            }
            ClusterOutcome::Serve { channel, .. } => format!("{} serve", channel.as_str()),
            ClusterOutcome::Cached { channel, found, .. } => {
                let found =
                    found.as_ref().map(|found| String::from_utf8_lossy(found.frame.payload()).into_owned());
                format!("{} cached {}", channel.as_str(), found.unwrap_or_default())
            }
            _ => return,
        };
        self.outcomes.lock().push(text);
    }

    fn live(&self, app: &AppId, partition: Partition, is_live: bool) {
        let mut live = self.live.lock();
        live.retain(|one| *one != (app.clone(), partition));
        if is_live {
            live.push((app.clone(), partition));
        }
    }

    fn close_user(&self, app: &AppId, user: &UserId) {
        self.write(format!("close {user} of {app}"));
    }

    fn app_changed(&self, app: &AppId) {
        self.write(format!("changed {app}"));
    }

    fn hooks(&self, batch: HookBatch, done: HooksDone) {
        self.hooks.lock().push(batch);
        done.done();
    }

    fn hooks_refused(&self, _: &AppId, _: u64) {}

    fn stop_hooks(&self, _: Partition) {}
}

pub fn app() -> AppId {
    AppId::from("1")
}

pub fn channel(name: &str) -> ChannelName {
    ChannelName::trusted(name)
}

/// Settings with sixteen partitions.
pub fn settings(urls: &[&str], id: u64) -> Settings {
    Settings {
        urls: urls.iter().map(|url| RedisAddress::parse(url).unwrap()).collect(),
        trust: Trust::public(),
        prefix: "fanfare:".to_owned(),
        partitions: 16,
        lease: Duration::from_secs(5),
        settling: Duration::from_secs(8),
        hook_delay: Duration::from_secs(3),
        hook_batch: Duration::from_millis(50),
        key_bytes: 16 << 20,
        node: NodeAbout {
            id,
            name: format!("node {id}"),
            version: "1.2.3".to_owned(),
            started: 77,
            counted_as: None,
        },
    }
}

impl Node {
    pub fn start(url: &str, id: u64) -> Self {
        Self::with(settings(&[url], id))
    }

    pub fn with(settings: Settings) -> Self {
        let runtime = Runtime::new().unwrap();
        let page = Arc::new(Page::default());
        let bus = runtime
            .block_on(async { Bus::start(settings, page.clone(), |_, task| drop(tokio::spawn(task))) });
        Self { bus, page, runtime, copies: AtomicU64::new(0) }
    }

    /// A node that is up.
    pub fn up(url: &str, id: u64) -> Self {
        let node = Self::start(url, id);
        node.wait_until_up();
        node
    }

    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    #[track_caller]
    pub fn wait_until_up(&self) {
        self.until("every link is up", || self.bus.links().iter().all(|link| link.is_up).then_some(()));
    }

    /// Waits until a link is away; returns why.
    #[track_caller]
    pub fn away(&self) -> String {
        let why = |link: LinkState| (!link.is_up).then_some(link.why).flatten();
        self.until("a link is away", || self.bus.links().into_iter().find_map(why))
    }

    /// Waits until a link is away for a reason that holds this text.
    #[track_caller]
    pub fn away_for(&self, reason: &str) {
        let is_it =
            |link: &LinkState| !link.is_up && link.why.as_ref().is_some_and(|why| why.contains(reason));
        self.until(reason, || self.bus.links().iter().any(is_it).then_some(()));
    }

    #[track_caller]
    pub fn until<T>(&self, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(answer) = ask() {
                return answer;
            }
            if Instant::now() > deadline {
                panic!("never: {what}; {:#?} {:#?}", self.bus.links(), self.outcomes());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Subscribes to a channel, and waits until its topic is.
    #[track_caller]
    pub fn open(&self, name: &str) {
        let copy = self.copies.fetch_add(1, Ordering::Relaxed);
        self.bus.changes(&app(), vec![Change::Opened { channel: channel(name), copy }]).unwrap();
        self.wait_until_live(name);
    }

    #[track_caller]
    pub fn wait_until_live(&self, name: &str) {
        let partition = self.bus.layout().partition(&app(), &channel(name));
        self.until("the topic is live", || self.page.live.lock().contains(&(app(), partition)).then_some(()));
    }

    /// Opens a channel without waiting for anything.
    pub fn begin(&self, name: &str) {
        let copy = self.copies.fetch_add(1, Ordering::Relaxed);
        self.bus.changes(&app(), vec![Change::Opened { channel: channel(name), copy }]).unwrap();
    }

    /// A user joins a channel, with a ticket of its own.
    pub fn join(&self, name: &str, user: &str) {
        let ticket = self.copies.fetch_add(1, Ordering::Relaxed);
        let (channel, user, info) = (channel(name), UserId::from(user), None);
        let joined = Joined { channel, user, info, ticket, most: None, hooked: true };
        self.bus.changes(&app(), vec![Change::Joined(joined)]).unwrap();
    }

    pub fn leave(&self, name: &str, user: &str) {
        let ticket = self.copies.fetch_add(1, Ordering::Relaxed);
        let (channel, user) = (channel(name), UserId::from(user));
        self.bus.changes(&app(), vec![Change::Left { channel, user, ticket }]).unwrap();
    }

    /// What the cluster has said about channels until now.
    pub fn outcomes(&self) -> Vec<String> {
        self.page.outcomes.lock().clone()
    }

    #[track_caller]
    pub fn is_told(&self, text: &str) {
        let is_there = || self.outcomes().iter().any(|told| told == text).then_some(());
        let deadline = Instant::now() + DEADLINE;
        while is_there().is_none() {
            assert!(Instant::now() < deadline, "never: {text}; but {:#?}", self.outcomes());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the node lists a user on a channel, or no longer does. A change and a roster say the same:
    /// which of the two a node is told depends on what the node had read before.
    #[track_caller]
    pub fn lists(&self, name: &str, user: &str, is_listed: bool) {
        let says = |told: &String| {
            let words = told.strip_prefix(name)?.trim_start();
            let named = |users: &str| users.split(',').any(|one| one == user);
            match words.split_once(' ').unwrap_or((words, "")) {
                ("added", one) => (one == user).then_some(true),
                ("removed", one) => (one == user).then_some(false),
                ("roster", users) => Some(named(users)),
                ("partial", users) => named(users.trim_start_matches("roster ")).then_some(true),
                _ => None,
            }
        };
        let last = || self.outcomes().iter().filter_map(says).next_back().unwrap_or(false);
        self.until(&format!("{user} is listed: {is_listed}"), || (last() == is_listed).then_some(()));
    }

    /// The webhooks that this node was to send.
    pub fn hooks(&self) -> Vec<HookBatch> {
        self.page.hooks.lock().clone()
    }

    /// Keeps workers from going on until the guard is dropped.
    pub fn shut_gate(&self) -> MutexGuard<'_, ()> {
        self.page.gate.lock()
    }

    pub fn change(&self, change: Change) {
        self.bus.changes(&app(), vec![change]).unwrap();
    }

    pub fn count(&self, name: &str, count: usize) {
        let (channel, told, hooked) = (channel(name), Telling::Off, true);
        self.bus.changes(&app(), vec![Change::Counted { channel, count, told, hooked }]).unwrap();
    }

    pub fn publish(&self, name: &str, text: &str) {
        self.bus.publish(&app(), &channel(name), Some(SocketId::from_bits(5)), text.as_bytes());
    }

    pub fn keep(&self, name: &str, text: &str) {
        self.keep_within(name, text, 16 * 1024 * 1024);
    }

    /// Keeps an event of a cache channel; all those of the app have so many bytes.
    pub fn keep_within(&self, name: &str, text: &str, most_bytes: usize) {
        let event = KeptEvent {
            channel: channel(name),
            frame: Frame::text(text.len(), |frame| frame.extend_from_slice(text.as_bytes())),
            except: None,
            lives: Duration::from_secs(60),
            most_bytes,
            quiet: false,
        };
        self.bus.changes(&app(), vec![Change::Kept(event)]).unwrap();
    }

    pub fn ask(&self, question: ClusterQuestion) -> Option<ClusterReply> {
        self.run(self.bus.ask(&app(), question)).ok()
    }

    /// What has been brought to the node until now.
    pub fn told(&self) -> Vec<String> {
        self.page.told.lock().clone()
    }

    /// Waits until something was brought to the node.
    #[track_caller]
    pub fn hears(&self, text: &str) {
        self.until(text, || self.told().iter().any(|told| told == text).then_some(()));
    }
}

/// Panics unless what one node publishes on a channel comes to the other.
#[track_caller]
pub fn assert_in_touch(one: &Node, other: &Node, name: &str) {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    // Both links know by themselves that they are up; the topic may be confirmed a moment later.
    other.wait_until_live(name);
    let text = format!("touch {number}");
    one.publish(name, &text);
    other.hears(&format!("{name} {text}"));
}
