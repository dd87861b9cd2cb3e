//! Reading a JSON object as a struct: never from an array, and with any names of unknown members.
//!
//! A name with half a surrogate pair is legal JSON that no `str` can hold, so names are compared as bytes.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

/// Reads an object, and nothing else: a struct would also be read from an array of its members.
#[must_use]
pub fn object<'a, T: Deserialize<'a>>(json: &'a str) -> Option<T> {
    if holds_bare_control(json) {
        return None;
    }
    let mut reader = serde_json::Deserializer::from_str(json);
    let object = T::deserialize(Object(&mut reader)).ok()?;
    reader.end().ok()?;
    Some(object)
}

/// Whether a string of the JSON holds a control character without an escape. `serde_json` refuses such a string, but not
/// in a name that is read as bytes.
fn holds_bare_control(json: &str) -> bool {
    if !json.bytes().any(|byte| byte < b' ') {
        return false;
    }
    let (mut within_string, mut escaped) = (false, false);
    json.bytes().any(|byte| {
        let is_bare = within_string && byte < b' ';
        match byte {
            _ if within_string && escaped => escaped = false,
            b'\\' if within_string => escaped = true,
            b'"' => within_string = !within_string,
            _ => {}
        }
        is_bare
    })
}

/// Deserializes an object, also where serde asks for another shape.
struct Object<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Object<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(OfObject(visitor))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// Visits an object's members, and has their names read as bytes.
struct OfObject<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for OfObject<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Members(members))
    }
}

struct Members<A>(A);

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Members<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.0.next_key_seed(OfName(seed))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.0.next_value_seed(seed)
    }
}

struct OfName<S>(S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for OfName<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Name(name))
    }
}

/// A member's name, read as bytes where the name only has to be told from other names.
struct Name<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Name<D> {
    type Error = D::Error;

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_bytes(visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Point {
        x: u8,
    }

    #[test]
    fn only_an_object_is_read_as_one() {
        assert_eq!(object(" {\"x\":1} "), Some(Point { x: 1 }));
        for json in ["[1]", "", "null", "{", "{}", "\u{a0}{\"x\":1}", "{\"x\":1}{", "{\"x\":1,\"x\":1}"] {
            assert_eq!(object::<Point>(json), None, "{json}");
        }
    }

    #[test]
    fn a_name_with_a_control_character_is_no_json() {
        for json in ["{\"a\u{0}\":1,\"x\":1}", "{\"x\":1,\"\\\"\n\":2}", "{\"\t\":1,\"x\":1}"] {
            assert_eq!(object::<Point>(json), None, "{json:?}");
        }
        for json in ["{\n\t\"x\": 1\r\n}", r#"{"a\u0000\n":1,"x":1}"#] {
            assert_eq!(object(json), Some(Point { x: 1 }), "{json:?}");
        }
    }

    #[test]
    fn members_that_nobody_asks_for_may_be_called_anything() {
        for json in [
            r#"{"k\ud83d":1,"x":1}"#,
            r#"{"\udE00":{"\ud83d":"\ud83d"},"\u0078":1}"#,
            r#"{"":null,"x":1,"x\ud83d":2}"#,
        ] {
            assert_eq!(object(json), Some(Point { x: 1 }), "{json}");
        }
        assert_eq!(object::<Point>(r#"{"k\ud83":1,"x":1}"#), None, "an escape that is none");
    }
}
