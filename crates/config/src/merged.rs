//! All sources, merged in their order: the node's settings, apps, clients of laravel-echo-server's HTTP API, and certificates.
//!
//! Only reads and merges; rules between settings are checked elsewhere.

use fanfare_laravel::dotenv::Project;

use super::effective::Effective;
use super::fault::{Cause, Fault};
use super::given::{Gathered, GivenApp, GivenEntry};
use super::keys::Keys;
use super::laravel_echo_server::Former;
use super::sources::Sources;
use super::{environment, file, laravel};

/// What the sources say together.
pub(super) struct Merged {
    pub effective: Effective,
    pub apps: Vec<GivenApp>,
    pub clients: Vec<GivenEntry>,
    pub certificates: Vec<GivenEntry>,
    /// The Laravel project of `--laravel`.
    pub project: Option<Project>,
    /// The laravel-echo-server of `--laravel-echo-server`.
    pub former: Option<Former>,
}

impl Merged {
    /// Reads every source; what cannot be read becomes a fault.
    pub fn of(sources: &Sources, keys: &Keys, faults: &mut Vec<Fault>) -> Self {
        let mut gathered = Gathered::default();
        let mut effective = Effective::of_defaults();
        if let Some(path) = sources.defaults() {
            file::read(&path, keys, &mut gathered, faults);
            effective.put_all(std::mem::take(&mut gathered.settings), keys, faults);
        }
        if let Some(path) = sources.file() {
            file::read(&path, keys, &mut gathered, faults);
        }
        let project = sources.laravel.as_deref();
        let project = project.and_then(|path| laravel::open(path, &sources.environment, faults));
        if let Some(project) = &project {
            let given = laravel::settings(project, &effective.text("listen.addr"), faults);
            effective.put_all(given, keys, faults);
        }
        let mut former = Former::open(sources, faults);
        if let Some(former) = &former {
            effective.put_all(former.settings(), keys, faults);
        }
        effective.put_all(std::mem::take(&mut gathered.settings), keys, faults);
        let port_of = effective.text("listen.addr");
        // Beside an application's settings that variable belongs to the application.
        let is_alone = project.is_none() && former.is_none();
        let is_ours = |name: &str| is_alone || name != "DATABASE_URL";
        let ours: Vec<_> = sources.environment.iter().filter(|(name, _)| is_ours(name)).cloned().collect();
        environment::read(&ours, port_of, keys, &mut gathered, faults);
        environment::read_apps(&sources.environment, project.as_ref(), &mut gathered, faults);
        if sources.apps_in_part {
            faults.retain(|fault| !matches!(fault.cause, Cause::VariableMissing { .. }));
        }
        gathered.settings.extend(sources.flags.given(faults));
        effective.put_all(std::mem::take(&mut gathered.settings), keys, faults);
        if let Some(former) = &mut former {
            former.settle(&mut effective, &mut gathered, faults);
        }
        let Gathered { apps, clients, certificates, .. } = gathered;
        Self { effective, apps, clients, certificates, project, former }
    }
}
