//! Prefixes: the pattern of each for PSUBSCRIBE, and the longest prefix of a channel.

use std::collections::{BTreeMap, HashMap};

/// The pattern of all channels that begin with the prefix, as PSUBSCRIBE reads it.
#[must_use]
pub fn pattern(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len() + 1);
    for character in prefix.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('*');
    pattern
}

/// A value for each of several prefixes, found by the channels that begin with the prefix.
#[derive(Clone, Debug)]
pub struct Prefixes<T> {
    all: HashMap<Box<str>, T>,
    /// Number of prefixes of each length, in bytes: a channel is compared once for each length.
    lengths: BTreeMap<usize, usize>,
}

impl<T> Default for Prefixes<T> {
    fn default() -> Self {
        Self { all: HashMap::new(), lengths: BTreeMap::new() }
    }
}

impl<T> Prefixes<T> {
    /// Adds a prefix; returns the value that the same prefix had before.
    pub fn insert(&mut self, prefix: &str, value: T) -> Option<T> {
        let before = self.all.insert(Box::from(prefix), value);
        if before.is_none() {
            *self.lengths.entry(prefix.len()).or_default() += 1;
        }
        before
    }

    /// Removes a prefix.
    pub fn remove(&mut self, prefix: &str) -> Option<T> {
        let removed = self.all.remove(prefix)?;
        if let Some(count) = self.lengths.get_mut(&prefix.len()) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&prefix.len());
            }
        }
        Some(removed)
    }

    /// The longest prefix that the channel begins with, and the rest of the channel's name behind it.
    #[must_use]
    pub fn longest_of<'a>(&self, channel: &'a str) -> Option<(&T, &'a str)> {
        self.lengths.range(..=channel.len()).rev().find_map(|(&length, _)| {
            let (prefix, rest) = channel.split_at_checked(length)?;
            Some((self.all.get(prefix)?, rest))
        })
    }

    /// All prefixes with their values, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.all.iter().map(|(prefix, value)| (&**prefix, value))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_in_a_pattern_is_escaped() {
        for (prefix, escaped) in [
            ("", "*"),
            ("laravel_database_", "laravel_database_*"),
            ("laravel-database-", "laravel-database-*"),
            ("a*b?c[d]e\\f", r"a\*b\?c\[d\]e\\f*"),
            ("ü:", "ü:*"),
        ] {
            assert_eq!(pattern(prefix), escaped);
        }
    }

    #[test]
    fn a_channel_belongs_to_its_longest_prefix() {
        let mut prefixes = Prefixes::default();
        for prefix in ["", "shop_", "shop_de_", "café_"] {
            assert_eq!(prefixes.insert(prefix, prefix), None);
        }
        for (channel, prefix, rest) in [
            ("shop_de_news", "shop_de_", "news"),
            ("shop_de", "shop_", "de"),
            ("shop_", "shop_", ""),
            ("news", "", "news"),
            ("caf\u{e9}_a", "café_", "a"),
            ("cafés", "", "cafés"),
            ("", "", ""),
        ] {
            assert_eq!(prefixes.longest_of(channel), Some((&prefix, rest)), "{channel}");
        }
        assert_eq!(prefixes.remove("shop_de_"), Some("shop_de_"));
        assert_eq!(prefixes.longest_of("shop_de_news"), Some((&"shop_", "de_news")));
        assert_eq!(prefixes.remove(""), Some(""));
        assert_eq!(prefixes.longest_of("news"), None);
    }

    #[test]
    fn one_of_two_prefixes_of_a_length_may_go() {
        let mut prefixes = Prefixes::default();
        prefixes.insert("a_", 1);
        prefixes.insert("b_", 2);
        assert_eq!(prefixes.insert("b_", 3), Some(2));
        prefixes.remove("b_");
        prefixes.remove("c_");
        assert_eq!(prefixes.longest_of("a_x"), Some((&1, "x")));
        assert_eq!(prefixes.longest_of("b_x"), None);
    }
}
