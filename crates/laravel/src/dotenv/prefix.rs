//! The prefix of an application's Redis channels, as far as its files tell.
//!
//! The sources are the variable, else `config/database.php`, else the version of the framework. Without any of these
//! the prefix is marked as a guess: only the traffic itself is proof.

use super::slug::slug;

/// A prefix, and its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The text in front of the names of channels; may be empty.
    pub value: String,
    /// The source.
    pub origin: PrefixOrigin,
}

/// The source of a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrefixOrigin {
    /// `REDIS_PREFIX` sets the prefix.
    Variable,
    /// `config/database.php` makes the prefix of `APP_NAME`, or holds the prefix as a plain text.
    DatabaseConfig,
    /// The framework's version, by `composer.lock`, makes the prefix of `APP_NAME`.
    Framework(u32),
    /// No file tells: the shape that most applications have. The field holds the other shape.
    Guess(String),
}

/// The default's two shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// `my_app_database_`: skeletons up to 12.0, framework up to 12.
    Underscores,
    /// `my-app-database-`: later skeletons and frameworks.
    Hyphens,
}

impl Shape {
    fn of(self, app_name: &str) -> Option<String> {
        Some(match self {
            Self::Underscores => format!("{}_database_", slug(app_name, '_')?),
            Self::Hyphens => format!("{}-database-", slug(app_name, '-')?),
        })
    }
}

/// Sources for an application's default prefix.
#[derive(Clone, Copy, Default)]
pub(super) struct Evidence<'a> {
    pub app_name: &'a str,
    pub database_php: Option<&'a str>,
    pub composer_lock: Option<&'a str>,
}

impl Evidence<'_> {
    /// The default prefix; `None` for a name with letters that Laravel transliterates and this crate does not.
    pub fn prefix(self) -> Option<Prefix> {
        if let Some(expression) = self.database_php.and_then(default_expression)
            && let Some(value) = self.evaluate(expression)
        {
            return Some(Prefix { value, origin: PrefixOrigin::DatabaseConfig });
        }
        let (shape, origin) = match self.composer_lock.and_then(framework) {
            Some(version @ 13..) => (Shape::Hyphens, PrefixOrigin::Framework(version)),
            Some(version) => (Shape::Underscores, PrefixOrigin::Framework(version)),
            None => (Shape::Underscores, PrefixOrigin::Guess(Shape::Hyphens.of(self.app_name)?)),
        };
        Some(Prefix { value: shape.of(self.app_name)?, origin })
    }

    /// The value of one of the skeletons' expressions, or of a plain text.
    fn evaluate(self, expression: &str) -> Option<String> {
        let text = expression.strip_prefix('\'').and_then(|rest| rest.split_once('\''));
        let text = text.or_else(|| expression.strip_prefix('"')?.split_once('"'));
        match text {
            Some((text, rest)) if rest.trim_start().starts_with(')') && !text.contains(['$', '\\']) => {
                Some(text.to_owned())
            }
            _ if expression.contains("_database_") => Shape::Underscores.of(self.app_name),
            _ if expression.contains("-database-") => Shape::Hyphens.of(self.app_name),
            _ => None,
        }
    }
}

/// The text behind `env('REDIS_PREFIX',` to the end of its line.
fn default_expression(php: &str) -> Option<&str> {
    let is_comment = |line: &&str| ["//", "#", "*", "/*"].iter().any(|start| line.starts_with(start));
    php.lines().map(str::trim).filter(|line| !is_comment(line)).find_map(|line| {
        let (_, rest) = line.split_once("'REDIS_PREFIX'").or_else(|| line.split_once("\"REDIS_PREFIX\""))?;
        Some(rest.trim_start().strip_prefix(',')?.trim_start())
    })
}

/// The framework's major version in a `composer.lock`.
fn framework(lock: &str) -> Option<u32> {
    let (_, package) = lock.split_once("\"name\": \"laravel/framework\"")?;
    let (_, version) = package.split_once("\"version\": \"")?;
    let digits =
        version.trim_start_matches('v').split(|character: char| !character.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TO_12_0: &str = "            'prefix' => env('REDIS_PREFIX', Str::slug(env('APP_NAME', 'laravel'), '_').'_database_'),";
    const FROM_12_1: &str = "            'prefix' => env('REDIS_PREFIX', Str::slug((string) env('APP_NAME', 'laravel')).'-database-'),";

    fn found(database_php: &str, composer_lock: &str) -> Prefix {
        let evidence = Evidence {
            app_name: "My App 2.0",
            database_php: Some(database_php).filter(|text| !text.is_empty()),
            composer_lock: Some(composer_lock).filter(|text| !text.is_empty()),
        };
        evidence.prefix().unwrap()
    }

    #[test]
    fn the_expression_of_the_configuration_tells_the_shape() {
        assert_eq!(found(TO_12_0, "").value, "my_app_20_database_");
        assert_eq!(found(FROM_12_1, "").value, "my-app-20-database-");
        assert_eq!(found("'prefix' => env('REDIS_PREFIX', 'shop:'),", "").value, "shop:");
        assert_eq!(found("'prefix' => env('REDIS_PREFIX', ''),", "").value, "");
        assert_eq!(found(FROM_12_1, "").origin, PrefixOrigin::DatabaseConfig);
    }

    #[test]
    fn a_comment_and_an_expression_of_ones_own_tell_nothing() {
        let commented = format!("// {}\n{TO_12_0}", FROM_12_1.trim());
        assert_eq!(found(&commented, "").value, "my_app_20_database_");
        let own = found("'prefix' => env('REDIS_PREFIX', prefix_of(env('APP_ENV'))),", "");
        assert_eq!(own.origin, PrefixOrigin::Guess("my-app-20-database-".to_owned()));
    }

    #[test]
    fn without_a_configuration_the_frameworks_version_tells() {
        let lock = |version: &str| {
            format!(
                "{{\"packages\": [{{\n \"name\": \"laravel/framework\",\n \"version\": \"{version}\",\n}}]}}"
            )
        };
        let twelve = found("", &lock("v12.67.0"));
        assert_eq!((&*twelve.value, &twelve.origin), ("my_app_20_database_", &PrefixOrigin::Framework(12)));
        let thirteen = found("", &lock("v13.0.1"));
        assert_eq!(
            (&*thirteen.value, &thirteen.origin),
            ("my-app-20-database-", &PrefixOrigin::Framework(13))
        );
        let none = found("", "");
        assert_eq!(none.origin, PrefixOrigin::Guess("my-app-20-database-".to_owned()));
        assert_eq!(none.value, "my_app_20_database_");
    }
}
