//! The texts of what nodes tell each other about taps (CON-037): a tap of one node to all others, and what one of them has seen.

use std::time::Duration;

use bytes::Buf as _;

use crate::local::{HeardTap, HeardTapPart};

/// Tap and lease.
const LEASE_HEAD: usize = 8 + 4;

/// Tap, beginning, number.
const PART_HEAD: usize = 8 + 8 + 8;

/// A tap with its lease; every node hears it.
pub(crate) fn write_tap(tap: u64, lease: Duration, about: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(LEASE_HEAD + about.len());
    bytes.extend(tap.to_be_bytes());
    bytes.extend(u32::try_from(lease.as_millis()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend_from_slice(about);
    bytes
}

/// A tap of the node; `None` for bytes that are none.
pub(crate) fn read_tap(node: u64, bytes: &[u8]) -> Option<HeardTap<'_>> {
    let (mut head, about) = bytes.split_at_checked(LEASE_HEAD)?;
    let (tap, lease) = (head.get_u64(), Duration::from_millis(head.get_u32().into()));
    Some(HeardTap { node, tap, lease, about })
}

/// A part of what the taps of another node are told; that node alone hears it.
pub(crate) fn write_part(part: &HeardTapPart<'_>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(PART_HEAD + part.text.len());
    for number in [part.tap, part.begun, part.number] {
        bytes.extend(number.to_be_bytes());
    }
    bytes.extend_from_slice(part.text);
    bytes
}

/// A part that the node has told; `None` for bytes that are none.
pub(crate) fn read_part(node: u64, bytes: &[u8]) -> Option<HeardTapPart<'_>> {
    let (mut head, text) = bytes.split_at_checked(PART_HEAD)?;
    let (tap, begun, number) = (head.get_u64(), head.get_u64(), head.get_u64());
    Some(HeardTapPart { node, tap, begun, number, text })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn con_037_taps_and_parts_are_read_as_they_were_written_and_nothing_shorter(
            node: u64, tap: u64, begun: u64, number: u64, lease: u32,
            text in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let lease = Duration::from_millis(lease.into());
            let bytes = write_tap(tap, lease, &text);
            prop_assert_eq!(read_tap(node, &bytes), Some(HeardTap { node, tap, lease, about: &text }));
            prop_assert!((0..LEASE_HEAD).all(|end| read_tap(node, &bytes[..end]).is_none()));
            let part = HeardTapPart { node, tap, begun, number, text: &text };
            let bytes = write_part(&part);
            prop_assert_eq!(read_part(node, &bytes), Some(part));
            prop_assert!((0..PART_HEAD).all(|end| read_part(node, &bytes[..end]).is_none()));
        }
    }
}
