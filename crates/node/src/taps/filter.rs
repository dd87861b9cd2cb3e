//! Which entries a tap wants: all conditions together (CON-029), also as other nodes are told (CON-037).

use fanfare_protocol::ids::SocketId;
use serde::{Deserialize, Serialize};

use super::fact::LiveFact;
use super::kind::{KindSet, LiveKind};

/// The conditions of a tap; one that is absent holds for everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveFilter {
    kinds: KindSet,
    channel: Option<NamePattern>,
    event: Option<String>,
    socket: Option<SocketId>,
    user: Option<String>,
}

/// The conditions as nodes tell each other. A node of a release that does not know all of them does not look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToldFilter {
    /// The names of the kinds.
    kinds: Vec<String>,
    channel: Option<NamePattern>,
    event: Option<String>,
    socket: Option<u64>,
    user: Option<String>,
    /// Whether entries are to show what events carry.
    pub data: bool,
}

/// A name, or what names begin with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamePattern {
    /// This name.
    Exact(String),
    /// All names that begin so.
    Prefix(String),
}

impl NamePattern {
    /// A pattern as written: with a `*` at the end, a prefix, which no name has.
    #[must_use]
    pub fn of(text: &str) -> Self {
        match text.strip_suffix('*') {
            Some(prefix) => Self::Prefix(prefix.to_owned()),
            None => Self::Exact(text.to_owned()),
        }
    }

    fn fits(&self, name: &str) -> bool {
        match self {
            Self::Exact(own) => own == name,
            Self::Prefix(prefix) => name.starts_with(prefix),
        }
    }
}

impl Default for LiveFilter {
    /// Everything.
    fn default() -> Self {
        Self { kinds: KindSet::ALL, channel: None, event: None, socket: None, user: None }
    }
}

impl LiveFilter {
    /// Only these kinds.
    #[must_use]
    pub fn kinds(self, kinds: &[LiveKind]) -> Self {
        Self { kinds: KindSet::of(kinds), ..self }
    }

    /// Only entries of these channels.
    #[must_use]
    pub fn channel(self, channel: Option<NamePattern>) -> Self {
        Self { channel, ..self }
    }

    /// Only entries of events with this name.
    #[must_use]
    pub fn event(self, event: Option<String>) -> Self {
        Self { event, ..self }
    }

    /// Only entries of this connection.
    #[must_use]
    pub fn socket(self, socket: Option<SocketId>) -> Self {
        Self { socket, ..self }
    }

    /// Only entries of this user.
    #[must_use]
    pub fn user(self, user: Option<String>) -> Self {
        Self { user, ..self }
    }

    /// The filter of another node's tap. Of a change of the app each node hears by itself, so that the tap's own node shows it.
    pub(super) fn of_other_node(told: &ToldFilter) -> Self {
        // A kind of a later release does not happen here.
        let kinds: Vec<LiveKind> = told.kinds.iter().filter_map(|name| LiveKind::named(name)).collect();
        Self {
            kinds: KindSet::of(&kinds).without(LiveKind::AppChanged),
            channel: told.channel.clone(),
            event: told.event.clone(),
            socket: told.socket.map(SocketId::from_bits),
            user: told.user.clone(),
        }
    }

    /// The filter for other nodes; `data` if entries are to show what events carry.
    pub(super) fn told(&self, data: bool) -> ToldFilter {
        let kinds = LiveKind::ALL.into_iter().filter(|kind| self.kinds.contains(*kind));
        ToldFilter {
            kinds: kinds.map(|kind| kind.name().to_owned()).collect(),
            channel: self.channel.clone(),
            event: self.event.clone(),
            socket: self.socket.map(SocketId::bits),
            user: self.user.clone(),
            data,
        }
    }

    /// Whether an entry of this kind may be wanted at all.
    #[must_use]
    pub const fn wants_kind(&self, kind: LiveKind) -> bool {
        self.kinds.contains(kind)
    }

    /// Whether the fact is wanted; one without a name is not wanted under that name.
    #[must_use]
    pub fn wants(&self, fact: &LiveFact<'_>) -> bool {
        let is = |wanted: &Option<String>, own: Option<&str>| {
            wanted.as_ref().is_none_or(|wanted| own == Some(wanted.as_str()))
        };
        self.kinds.contains(fact.kind)
            && self.channel.as_ref().is_none_or(|wanted| fact.channel.is_some_and(|own| wanted.fits(own)))
            && is(&self.event, fact.event)
            && self.socket.is_none_or(|wanted| fact.socket == Some(wanted))
            && is(&self.user, fact.user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn con_029_all_conditions_hold_together_and_a_name_with_a_star_is_a_prefix() {
        let event = LiveFact {
            channel: Some("private-orders.7"),
            event: Some("shipped"),
            user: Some("42"),
            ..LiveFact::of(LiveKind::Event)
        };
        let channel = |text: &str| LiveFilter::default().channel(Some(NamePattern::of(text)));
        assert!(LiveFilter::default().wants(&event));
        for (wanted, is_wanted) in [
            ("private-orders.7", true),
            ("private-orders.*", true),
            ("private-orders.", false),
            ("private-orders.7*", true),
            ("orders*", false),
            ("*", true),
        ] {
            assert_eq!(channel(wanted).wants(&event), is_wanted, "{wanted}");
        }
        assert!(!channel("*").wants(&LiveFact::of(LiveKind::Connected)), "of no channel");
        let both = channel("private-*").event(Some("shipped".to_owned()));
        assert!(both.wants(&event));
        assert!(!both.clone().user(Some("43".to_owned())).wants(&event));
        assert!(!both.clone().socket(Some(SocketId::from_bits(1))).wants(&event));
        assert!(!both.kinds(&[LiveKind::ClientEvent]).wants(&event));
    }

    #[test]
    fn con_037_other_nodes_are_told_all_conditions_and_leave_changes_of_the_app_to_the_taps_node() {
        let filter = LiveFilter::default()
            .kinds(&[LiveKind::Event, LiveKind::AppChanged])
            .channel(Some(NamePattern::of("private-*")))
            .event(Some("shipped".to_owned()))
            .socket(Some(SocketId::from_bits(7)))
            .user(Some("42".to_owned()));
        let text = serde_json::to_string(&filter.told(true)).unwrap();
        let told: ToldFilter = serde_json::from_str(&text).unwrap();
        assert_eq!((LiveFilter::of_other_node(&told), told.data), (filter.kinds(&[LiveKind::Event]), true));
        let everything = LiveFilter::of_other_node(&LiveFilter::default().told(false));
        assert!(
            LiveKind::ALL
                .into_iter()
                .all(|kind| everything.wants_kind(kind) != (kind == LiveKind::AppChanged))
        );
        let more = text.replacen('{', r#"{"address":"10.0.0.1","#, 1);
        assert!(serde_json::from_str::<ToldFilter>(&more).is_err(), "a condition that is not known");
    }
}
