//! Secrets that stand in Fanfare's own examples: everybody knows them, so that no app may have one.

/// Every secret of the README, the pages of `docs` and the files of `config`; a test finds those that are missing here.
const KNOWN: [&str; 4] =
    ["my-secret", "a-long-random-secret", "write-a-long-random-secret-here", "write-a-long-random-text-here"];

/// The fault of such a secret.
pub(crate) const PLACEHOLDER: &str = "secret is the one of an example, which everybody knows; give a random one, such as \
                                      `openssl rand -hex 20` prints";

/// Whether a secret is one of the examples'.
#[must_use]
pub fn is_placeholder(secret: &str) -> bool {
    KNOWN.contains(&secret)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The secrets that a text of the documentation gives away.
    fn secrets(text: &str) -> Vec<String> {
        let starts = ["secret = \"", "PUSHER_APP_SECRET=", "REVERB_APP_SECRET="];
        let found = starts.iter().flat_map(|start| text.split(start).skip(1));
        let legal = |character: &char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
        found
            .map(|rest| rest.chars().take_while(legal).collect())
            .filter(|secret: &String| secret.len() > 3)
            .collect()
    }

    #[test]
    fn every_secret_of_the_examples_is_known() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut files = vec![root.join("README.md"), root.join("config/default.toml")];
        for folder in ["docs", "config/examples"] {
            let entries = fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
            // Folders beside the texts hold pictures.
            files.extend(entries.filter(|path| path.is_file()));
        }
        let mut seen = 0;
        for file in files {
            for secret in secrets(&fs::read_to_string(&file).unwrap()) {
                assert!(is_placeholder(&secret), "{}: {secret}", file.display());
                seen += 1;
            }
        }
        assert!(seen > 3, "the examples have secrets");
    }
}
