//! The script that installs what the tests need: which files are there meanwhile, and what is left behind.
//!
//! The script runs in a root of the test's own; `apt-get` and `systemctl` are stand-ins, since a test must not
//! install anything.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/packages/install.sh");
const POLICY: &str = "usr/sbin/policy-rc.d";
const CLUSTER: &str = "etc/postgresql-common/createcluster.d/fanfare-tests.conf";
const SOURCES: &str = "etc/apt/sources.list.d";
const WANTS: &str = "etc/systemd/system/multi-user.target.wants";

/// Notes what a package's scripts would see, and enables a service as they do.
const APT_GET: &str = r#"#!/bin/sh
[ "$1" = indextargets ] && printf 'http://127.0.0.1/tools stable Tools\nhttp://127.0.0.1/debian bookworm Debian\n'
[ "$2" = install ] || exit 0
cat "$FANFARE_INSTALL_ROOT"/etc/apt/sources.list.d/*.list >"$FANFARE_INSTALL_ROOT/sources-said" 2>/dev/null
echo "$@" >"$FANFARE_INSTALL_ROOT/asked"
"$FANFARE_INSTALL_ROOT/usr/sbin/policy-rc.d" nginx start
echo $? >"$FANFARE_INSTALL_ROOT/policy-said"
cat "$FANFARE_INSTALL_ROOT"/etc/postgresql-common/createcluster.d/*.conf >"$FANFARE_INSTALL_ROOT/cluster-said"
ln -s /lib/systemd/system/nginx.service "$FANFARE_INSTALL_ROOT/etc/systemd/system/multi-user.target.wants/nginx.service"
ln -s ../init.d/redis-server "$FANFARE_INSTALL_ROOT/etc/rc2.d/S01redis-server"
touch "$FANFARE_INSTALL_ROOT/is-installing"
while [ -e "$FANFARE_INSTALL_ROOT/hold" ]; do sleep 0.01; done
[ ! -e "$FANFARE_INSTALL_ROOT/fail" ]
"#;

/// Knows every package but two: `from-backports`, until these are a source, and `nowhere`.
const APT_CACHE: &str = r#"#!/bin/sh
known=yes
[ "$2" = nowhere ] && known=
[ "$2" = from-backports ] && [ ! -e "$FANFARE_INSTALL_ROOT/etc/apt/sources.list.d/fanfare-tests.list" ] && known=
echo "  Candidate: ${known:+1.0}"
"#;

const DISABLE: &str = "#!/bin/sh\necho \"$@\" >>\"$FANFARE_INSTALL_ROOT/disabled\"\n";

/// A root with a service that was enabled before.
struct Machine(TempDir);

impl Machine {
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        for folder in ["bin", "usr/sbin", "etc/rc2.d", SOURCES, WANTS] {
            fs::create_dir_all(machine.path(folder)).unwrap();
        }
        symlink("/lib/systemd/system/ssh.service", machine.path(&format!("{WANTS}/ssh.service"))).unwrap();
        let programs = [
            ("apt-get", APT_GET),
            ("apt-cache", APT_CACHE),
            ("systemctl", DISABLE),
            ("update-rc.d", DISABLE),
        ];
        for (name, text) in programs {
            let program = machine.path(&format!("bin/{name}"));
            fs::write(&program, text).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        }
        machine
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn start(&self) -> Child {
        self.start_for(&["nginx-light", "redis-server"])
    }

    fn start_for(&self, packages: &[&str]) -> Child {
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        Command::new("sh")
            .arg(SCRIPT)
            .args(packages)
            .env("PATH", path)
            .env("FANFARE_INSTALL_ROOT", self.0.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn install(&self) -> bool {
        self.start().wait().unwrap().success()
    }

    fn assert_as_before(&self) {
        for left in [POLICY, CLUSTER, "etc/postgresql-common"] {
            assert!(!self.path(left).exists(), "{left} was left behind");
        }
        assert_eq!(fs::read_dir(self.path(SOURCES)).unwrap().count(), 0, "a source was left behind");
    }
}

fn wait_until_there(path: &Path) {
    let start = Instant::now();
    while !path.exists() {
        assert!(start.elapsed() < Duration::from_secs(10), "never: {}", path.display());
        std::thread::yield_now();
    }
}

#[test]
fn while_packages_are_installed_no_service_starts_and_postgres_makes_no_cluster() {
    let machine = Machine::new();
    assert!(machine.install());
    let asked = "--quiet install --yes --no-install-recommends nginx-light redis-server\n";
    assert_eq!(machine.text("asked"), asked);
    assert_eq!(machine.text("policy-said"), "101\n");
    assert!(machine.text("cluster-said").starts_with("create_main_cluster = false"));
    machine.assert_as_before();
}

#[test]
fn a_package_that_the_release_lacks_comes_from_its_backports_and_one_that_is_nowhere_is_left_out() {
    let machine = Machine::new();
    let packages = ["nginx-light", "nowhere", "from-backports"];
    assert!(machine.start_for(&packages).wait().unwrap().success());
    assert_eq!(machine.text("sources-said"), "deb http://127.0.0.1/debian bookworm-backports main\n");
    let asked = "--quiet install --yes --no-install-recommends nginx-light from-backports\n";
    assert_eq!(machine.text("asked"), asked);
    machine.assert_as_before();
}

#[test]
fn what_packages_enabled_is_disabled_and_nothing_else() {
    let machine = Machine::new();
    assert!(machine.install());
    assert_eq!(machine.text("disabled"), "disable nginx.service\nredis-server disable\n");
}

#[test]
fn a_policy_that_was_there_stays_as_it_is() {
    let machine = Machine::new();
    let theirs = "#!/bin/sh\nexit 104\n";
    fs::write(machine.path(POLICY), theirs).unwrap();
    fs::set_permissions(machine.path(POLICY), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(machine.install());
    assert_eq!(machine.text("policy-said"), "104\n");
    assert_eq!(machine.text(POLICY), theirs);
}

#[test]
fn an_install_that_fails_leaves_nothing_behind_and_says_so() {
    let machine = Machine::new();
    fs::write(machine.path("fail"), "").unwrap();
    assert!(!machine.install());
    assert_eq!(machine.text("disabled"), "disable nginx.service\nredis-server disable\n");
    machine.assert_as_before();
}

#[test]
fn an_install_that_is_interrupted_leaves_nothing_behind() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let machine = Machine::new();
        fs::write(machine.path("hold"), "").unwrap();
        let mut install = machine.start();
        wait_until_there(&machine.path("is-installing"));
        assert!(Command::new("kill").args([signal, &install.id().to_string()]).status().unwrap().success());
        fs::remove_file(machine.path("hold")).unwrap();
        assert!(!install.wait().unwrap().success());
        machine.assert_as_before();
    }
}

#[test]
fn a_policy_whose_install_was_killed_forbids_nothing_any_more() {
    let machine = Machine::new();
    fs::write(machine.path("hold"), "").unwrap();
    let mut install = machine.start();
    wait_until_there(&machine.path("is-installing"));
    install.kill().unwrap();
    install.wait().unwrap();
    let said = Command::new(machine.path(POLICY)).args(["nginx", "start"]).status().unwrap();
    fs::remove_file(machine.path("hold")).unwrap();
    assert!(said.success(), "{said}");
}
