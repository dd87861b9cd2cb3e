//! Messages that phpredis has serialized or compressed on their way to Redis: which option does that.
//!
//! Only recognises the format. Not every format can be read everywhere (igbinary, LZF), and no other client of
//! Laravel's broadcasts reads one either.

use fanfare_protocol::json;

/// The conversion of every value by phpredis, by the options of Laravel's Redis connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packed {
    /// `database.redis.options.serializer`, with the serializer's name.
    Serialized(&'static str),
    /// `database.redis.options.compression`, with the algorithm's name.
    Compressed(&'static str),
}

impl Packed {
    /// The name of the option in Laravel's configuration.
    #[must_use]
    pub const fn option(self) -> &'static str {
        match self {
            Self::Serialized(_) => "database.redis.options.serializer",
            Self::Compressed(_) => "database.redis.options.compression",
        }
    }

    /// The value that the option seems to have.
    #[must_use]
    pub const fn by(self) -> &'static str {
        match self {
            Self::Serialized(by) | Self::Compressed(by) => by,
        }
    }

    /// The conversion of a JSON object, judged by its first bytes; `None` if there seems to be none.
    #[must_use]
    pub fn of(message: &[u8]) -> Option<Self> {
        if message.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            return Some(Self::Compressed("zstd"));
        }
        if let Some(by) = serializer(message) {
            return Some(Self::Serialized(by));
        }
        match message {
            _ if is_lz4(message) => Some(Self::Compressed("lz4")),
            // A literal run of bytes, with the run's length less one in front.
            [run @ 0..32, rest @ ..] if rest.len() > usize::from(*run) && begins_object_or_text(rest) => {
                Some(Self::Compressed("lzf"))
            }
            _ => None,
        }
    }
}

/// The serializer that has made a text of a JSON object.
fn serializer(message: &[u8]) -> Option<&'static str> {
    let length = message.len();
    let text = std::str::from_utf8(message).unwrap_or_default();
    if let Some((digits, rest)) = text.strip_prefix("s:").and_then(|text| text.split_once(":\"")) {
        let is_php =
            !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && rest.starts_with('{');
        return is_php.then_some("php");
    }
    if text.starts_with('"') {
        return json::string(text).is_some_and(|inner| inner.starts_with('{')).then_some("json");
    }
    match message {
        // A header with a version, then a text with one, two or four bytes for its length.
        [0, 0, 0, 1 | 2, 0x11, _, b'{', ..]
        | [0, 0, 0, 1 | 2, 0x12, _, _, b'{', ..]
        | [0, 0, 0, 1 | 2, 0x13, _, _, _, _, b'{', ..] => Some("igbinary"),
        [short @ 0xa0..=0xbf, b'{', ..] if usize::from(short & 0x1f) + 1 == length => Some("msgpack"),
        [0xd9, size, b'{', ..] if usize::from(*size) + 2 == length => Some("msgpack"),
        [0xda, high, low, b'{', ..] if usize::from(u16::from_be_bytes([*high, *low])) + 3 == length => {
            Some("msgpack")
        }
        [0xdb, _, _, _, _, b'{', ..] => Some("msgpack"),
        _ => None,
    }
}

/// phpredis puts a checksum of the length, and the length, in front of LZ4's own bytes.
fn is_lz4(message: &[u8]) -> bool {
    let Some((sum, rest)) = message.split_first() else { return false };
    let Some((length, block)) = rest.split_first_chunk::<4>() else { return false };
    let bytes = u64::from(u32::from_le_bytes(*length));
    // No block is much longer than its content, or shorter than a 255th of it.
    let fits = block.len() as u64 <= bytes + bytes / 255 + 16 && bytes <= 255 * block.len() as u64;
    bytes > 0 && !block.is_empty() && fits && crc8(length) == *sum
}

fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0xff, |sum, byte| {
        (0..8).fold(sum ^ byte, |sum: u8, _| if sum & 0x80 == 0 { sum << 1 } else { (sum << 1) ^ 0x31 })
    })
}

/// Whether bytes begin as uncompressed content can: a JSON object, or a serializer's output for one.
fn begins_object_or_text(bytes: &[u8]) -> bool {
    let serialized =
        bytes.starts_with(b"s:") || bytes.starts_with(&[0, 0, 0, 2]) || bytes.starts_with(b"\"{");
    serialized || bytes.starts_with(b"{\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"event":"App\\Events\\Shipped","data":{"id":1,"socket":null},"socket":null}"#;

    fn behind(head: &[u8]) -> Vec<u8> {
        [head, EVENT.as_bytes()].concat()
    }

    #[test]
    fn what_phpredis_has_serialized_is_told_from_what_it_was() {
        let length = u8::try_from(EVENT.len()).expect("a short event");
        let php = format!("s:{length}:\"{EVENT}\";");
        let quoted = serde_json::Value::from(EVENT).to_string();
        for (message, by) in [
            (php.into_bytes(), "php"),
            (quoted.into_bytes(), "json"),
            (behind(&[0, 0, 0, 2, 0x11, length]), "igbinary"),
            (behind(&[0, 0, 0, 2, 0x12, 0, length]), "igbinary"),
            (behind(&[0xd9, length]), "msgpack"),
            (behind(&[0xda, 0, length]), "msgpack"),
            (b"\xa2{}".to_vec(), "msgpack"),
        ] {
            let packed = Packed::of(&message).expect(by);
            assert_eq!((packed.by(), packed.option()), (by, "database.redis.options.serializer"));
        }
    }

    #[test]
    fn what_phpredis_has_compressed_is_told_from_what_it_was() {
        // One run of 32 bytes, and the rest.
        let lzf = behind(&[31]);
        let length = u32::try_from(EVENT.len()).expect("a short event").to_le_bytes();
        let lz4 = behind(&[&[crc8(&length)][..], &length, &[0xf0, 60]].concat());
        let zstd = [0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x4c];
        for (message, by) in [(&lzf[..], "lzf"), (&lz4, "lz4"), (&zstd, "zstd")] {
            let packed = Packed::of(message).expect(by);
            assert_eq!((packed.by(), packed.option()), (by, "database.redis.options.compression"));
        }
    }

    #[test]
    fn whatever_else_an_application_publishes_is_neither() {
        for message in [
            EVENT.as_bytes(),
            b"",
            b"hello",
            b"\"hello\"",
            b"s:5:\"hello\";",
            b"s:x:\"{\";",
            b"{}",
            b"7",
            &[0, 0, 0, 2],
            &[0, 0, 0, 2, 0x14, 1],
            &[31, b'{', b'"'],
            &[1, 5, 0, 0, 0, 1],
            &[0xd9, 9, b'{'],
        ] {
            assert_eq!(Packed::of(message), None, "{message:?}");
        }
    }

    #[test]
    fn the_checksum_is_that_of_phpredis() {
        // The published form of CRC-8 with polynomial 0x31 and initial value 0xff.
        assert_eq!(crc8(b"123456789"), 0xf7);
        assert_eq!(crc8(&[0xbe, 0xef]), 0x92);
    }
}
