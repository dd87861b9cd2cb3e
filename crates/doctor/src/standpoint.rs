//! From where the doctor examines: beside a server, or from inside of one.

use fanfare_outgoing::Client;

use super::wording::Wording;

/// What differs by where the doctor runs.
#[derive(Default)]
pub(super) struct Standpoint {
    pub wording: Wording,
    pub descriptors: Descriptors,
    /// Asks the application, where not every address may be asked.
    pub applications: Option<Client>,
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
