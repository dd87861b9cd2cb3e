//! How an app's own application is asked who may join a channel: the URL, the allowed pages, and the form of a yes.
//!
//! Plain values, which are checked where they are read.

use std::fmt;

use serde_json::Value;

/// The setting `authorization` of an app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authorization {
    /// URL of the application's endpoint for channels; `None`: the application is not asked.
    pub url: Option<String>,
    /// URL of the application's endpoint for sign-ins; `None`: the application is not asked.
    pub user_url: Option<String>,
    /// Other origins whose pages may ask, such as `https://app.example.com` or `https://*.example.com`.
    pub origins: Vec<String>,
    /// Headers of the client that are forwarded to the application besides the usual ones.
    pub headers: Vec<String>,
    /// Condition that an answer has to meet to be a yes.
    pub must_equal: Option<MustEqual>,
}

/// A field of the application's answer, and the field's value in a yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MustEqual {
    /// The names on the path to the field, joined by dots.
    field: String,
    value: Value,
}

impl MustEqual {
    /// Reads `field=JSON`, such as `code=0` or `meta.status="ok"`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (field, value) = text.split_once('=')?;
        let field = field.trim();
        let is_path = field.split('.').all(|name| !name.trim().is_empty());
        let value = serde_json::from_str(value).ok()?;
        is_path.then(|| Self { field: field.to_owned(), value })
    }

    /// Whether the answer has the field with this value.
    #[must_use]
    pub fn is_met_by(&self, answer: &Value) -> bool {
        let found = self.field.split('.').try_fold(answer, |value, name| value.get(name));
        found == Some(&self.value)
    }
}

impl fmt::Display for MustEqual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.field, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_must_have_the_very_value() {
        let cases = [
            ("code=0", r#"{"code":0}"#, true),
            ("code=0", r#"{"code":"0"}"#, false),
            ("code=0", r#"{"code":1}"#, false),
            ("code=0", r#"{"other":0}"#, false),
            ("code=0", "true", false),
            ("code=0", "[0]", false),
            (r#"meta.status = "ok""#, r#"{"meta":{"status":"ok"}}"#, true),
            (r#"meta.status="ok""#, r#"{"meta.status":"ok"}"#, false),
            ("success=true", r#"{"success":true}"#, true),
            ("error=null", r#"{"error":null}"#, true),
            ("error=null", "{}", false),
        ];
        for (rule, answer, met) in cases {
            let answer = serde_json::from_str(answer).expect("JSON");
            let rule = MustEqual::parse(rule).expect(rule);
            assert_eq!(rule.is_met_by(&answer), met, "{rule} {answer}");
        }
    }

    #[test]
    fn what_is_no_field_with_a_json_value_is_no_rule() {
        for text in ["", "code", "=0", "code=", "status=ok", ".a=1", "a..b=1"] {
            assert_eq!(MustEqual::parse(text), None, "{text}");
        }
        let rule = MustEqual::parse(r#"a.b = "x""#).expect("a rule");
        assert_eq!(MustEqual::parse(&rule.to_string()), Some(rule), "it is printed as it is read");
    }
}
