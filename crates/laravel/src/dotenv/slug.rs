//! Laravel's `Str::slug`, for names in ASCII.
//!
//! Never guesses how Laravel transliterates other letters to ASCII: its table has thousands.

/// The words of a name, joined by a separator; `None` for a name with a letter beyond ASCII.
pub(super) fn slug(name: &str, separator: char) -> Option<String> {
    if !name.is_ascii() {
        return None;
    }
    let mut words = String::new();
    for character in name.chars() {
        match character {
            '-' | '_' => words.push(' '),
            '@' => words.push_str(" at "),
            _ if character.is_ascii_alphanumeric() => words.push(character.to_ascii_lowercase()),
            _ if character.is_ascii_whitespace() || character == '\u{b}' => words.push(' '),
            _ => {}
        }
    }
    Some(words.split_whitespace().collect::<Vec<_>>().join(&separator.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_the_words_that_laravel_makes_of_it() {
        for (name, underscored, hyphened) in [
            ("Laravel", "laravel", "laravel"),
            ("My App 2.0", "my_app_20", "my-app-20"),
            ("my-app_name", "my_app_name", "my-app-name"),
            ("  A--b__c  ", "a_b_c", "a-b-c"),
            ("shop@home", "shop_at_home", "shop-at-home"),
            ("Tom & Jerry's", "tom_jerrys", "tom-jerrys"),
            ("!!!", "", ""),
        ] {
            assert_eq!(slug(name, '_').unwrap(), underscored, "{name}");
            assert_eq!(slug(name, '-').unwrap(), hyphened, "{name}");
        }
    }

    #[test]
    fn a_name_beyond_ascii_is_not_guessed_at() {
        assert_eq!(slug("Café", '_'), None);
    }
}
