//! Virtual environments of Python, below the target directory: nothing is installed beside them.

use std::path::PathBuf;

use crate::log::Log;
use crate::once::once_for;
use crate::step::command;
use crate::workspace::{root, target};

/// A folder of tests with a `requirements.txt`, and an environment that has what it pins.
pub struct Environment {
    /// Where the tests are.
    pub tests: PathBuf,
    place: PathBuf,
}

impl Environment {
    /// The environment `name` for the tests in `folder`.
    pub fn of(folder: &str, name: &str) -> Self {
        Self { tests: root().join(folder), place: target().join(name) }
    }

    /// Makes the environment, unless it has these very packages already.
    ///
    /// # Errors
    /// In words: what could not be made or installed.
    pub fn fill(&self, log: &Log) -> Result<(), String> {
        once_for(log, &self.tests.join("requirements.txt"), &self.place, || {
            let place = self.place.to_string_lossy();
            log.execute(&mut command("python3", &["-m", "venv", "--clear", &place], self.tests.clone()))?;
            let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
            let mut fill = command(&self.program("python"), &pip, self.tests.clone());
            log.execute(fill.args(["--requirement", "requirements.txt"]))
        })
    }

    /// Where the programs of the environment are.
    pub fn programs(&self) -> PathBuf {
        self.place.join("bin")
    }

    /// The path of a program of the environment.
    pub fn program(&self, name: &str) -> String {
        self.programs().join(name).to_string_lossy().into_owned()
    }
}
