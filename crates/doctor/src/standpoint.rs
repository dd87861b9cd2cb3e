//! From where the doctor examines: beside a server, or from inside of one.

use fanfare_outgoing::Client;

/// What differs by where the doctor runs.
#[derive(Default)]
pub(super) struct Standpoint {
    pub descriptors: Descriptors,
    /// Asks the application, where not every address may be asked.
    pub applications: Option<Client>,
}

impl Standpoint {
    /// How to have a hop examined that was skipped: beside a server by options of the command, inside of one without.
    pub const fn either<'a>(&self, beside: &'a str, inside: &'a str) -> &'a str {
        if self.applications.is_some() { inside } else { beside }
    }
}

/// What is told of file descriptors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Descriptors {
    /// The limit of a server of this machine, which is asked.
    #[default]
    Asked,
    /// The limit of this process.
    OfThisProcess,
    /// Nothing.
    Untold,
}
