//! The texts of a question to one node about what a client has missed, of the answer, and of the note that a client has come
//! to another node (RES-009, RES-014).
//!
//! What a later release puts behind a text is ignored.

use bytes::{Buf as _, BufMut as _};
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::resume::ResumeToken;

use super::frame;
use crate::local::{AskedMissed, FoundMissed};

/// Most bytes of an answer, so that its message is not longer than messages may be.
const MOST_BYTES: usize = super::LONGEST - 1024;

/// A question to the node that has given out a token; the channel, and the client's new connection, stand in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MissedQuestion {
    /// Which question of the node that asks.
    pub number: u64,
    pub asked: AskedMissed,
}

impl MissedQuestion {
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + 16 + 8);
        bytes.put_u64(self.number);
        bytes.put_u128(self.asked.token.bits());
        bytes.put_u64(self.asked.count);
        bytes
    }

    /// `None` for bytes that are no question.
    pub fn read(mut bytes: &[u8], newcomer: Option<SocketId>) -> Option<Self> {
        let number = bytes.try_get_u64().ok()?;
        let token = ResumeToken::from_bits(bytes.try_get_u128().ok()?);
        let (count, newcomer) = (bytes.try_get_u64().ok()?, newcomer?);
        Some(Self { number, asked: AskedMissed { token, count, newcomer } })
    }
}

/// The answer for the node that has asked; without what was missed, a refusal. `None` if the answer would be too long.
pub(crate) fn write_answer(to: u64, number: u64, found: Option<&FoundMissed>) -> Option<Vec<u8>> {
    let frames = found.map_or(&[][..], |found| &found.frames);
    let bytes: usize = frames.iter().map(|frame| 4 + frame.payload().len()).sum();
    if bytes > MOST_BYTES {
        return None;
    }
    let own = found.map_or(&[][..], |found| &found.own);
    let mut text = Vec::with_capacity(8 + 8 + 1 + 2 + 8 * own.len() + bytes);
    text.put_u64(to);
    text.put_u64(number);
    text.put_u8(u8::from(found.is_some()));
    text.put_u16(u16::try_from(own.len()).ok()?);
    own.iter().for_each(|socket| text.put_u64(socket.bits()));
    for frame in frames {
        text.put_u32(u32::try_from(frame.payload().len()).ok()?);
        text.put_slice(frame.payload());
    }
    Some(text)
}

/// The node that an answer is for, the number of its question, and what was missed; `None` for bytes that are no answer.
pub(crate) fn read_answer(mut bytes: &[u8]) -> Option<(u64, u64, Option<FoundMissed>)> {
    let (to, number) = (bytes.try_get_u64().ok()?, bytes.try_get_u64().ok()?);
    if bytes.try_get_u8().ok()? == 0 {
        return Some((to, number, None));
    }
    let own = bytes.try_get_u16().ok()?;
    let own: Option<Vec<SocketId>> =
        (0..own).map(|_| bytes.try_get_u64().ok().map(SocketId::from_bits)).collect();
    let mut found = FoundMissed { own: own?, frames: Vec::new() };
    while !bytes.is_empty() {
        let length = usize::try_from(bytes.try_get_u32().ok()?).ok()?;
        let (text, rest) = bytes.split_at_checked(length)?;
        found.frames.push(frame(text));
        bytes = rest;
    }
    Some((to, number, Some(found)))
}

/// A client has come to another node, which does not know its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CameBackNote {
    pub token: ResumeToken,
    /// The client's new connection.
    pub newcomer: SocketId,
}

impl CameBackNote {
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16 + 8);
        bytes.put_u128(self.token.bits());
        bytes.put_u64(self.newcomer.bits());
        bytes
    }

    /// `None` for bytes that are no note.
    pub fn read(mut bytes: &[u8]) -> Option<Self> {
        let token = ResumeToken::from_bits(bytes.try_get_u128().ok()?);
        Some(Self { token, newcomer: SocketId::from_bits(bytes.try_get_u64().ok()?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payloads(found: &FoundMissed) -> Vec<Vec<u8>> {
        found.frames.iter().map(|frame| frame.payload().to_vec()).collect()
    }

    #[test]
    fn res_014_questions_and_notes_are_read_as_they_were_written_and_nothing_shorter() {
        let (token, newcomer) = (ResumeToken::from_bits(u128::MAX - 7), SocketId::from_bits(9));
        let question = MissedQuestion { number: 3, asked: AskedMissed { token, count: 412, newcomer } };
        let note = CameBackNote { token, newcomer };
        let (bytes, noted) = (question.write(), note.write());
        assert_eq!(MissedQuestion::read(&[&*bytes, b"more"].concat(), Some(newcomer)), Some(question));
        assert_eq!(CameBackNote::read(&[&*noted, b"more"].concat()), Some(note));
        assert_eq!(MissedQuestion::read(&bytes, None), None);
        (0..bytes.len())
            .for_each(|end| assert_eq!(MissedQuestion::read(&bytes[..end], Some(newcomer)), None));
        (0..noted.len()).for_each(|end| assert_eq!(CameBackNote::read(&noted[..end]), None));
    }

    #[test]
    fn res_014_an_answer_is_read_as_it_was_written_and_a_cut_one_is_none_or_another() {
        let own = vec![SocketId::from_bits(1), SocketId::from_bits(u64::MAX)];
        let found = FoundMissed { own: own.clone(), frames: vec![frame(b"{}"), frame(b""), frame(b"[1]")] };
        let bytes = write_answer(5, 6, Some(&found)).unwrap();
        let (to, number, read) = read_answer(&bytes).unwrap();
        let read = read.unwrap();
        assert_eq!((to, number, &read.own, payloads(&read)), (5, 6, &own, payloads(&found)));
        for end in 0..bytes.len() {
            let read = read_answer(&bytes[..end]).and_then(|(_, _, found)| found);
            assert!(read.is_none_or(|read| read.frames.len() < 3), "{end}");
        }
        let refused = write_answer(5, 6, None).unwrap();
        assert!(matches!(read_answer(&refused), Some((5, 6, None))));
    }

    #[test]
    fn res_014_an_answer_is_not_longer_than_a_message_may_be() {
        let frames = vec![frame(&[b'x'; 1000]); 2000];
        assert!(write_answer(5, 6, Some(&FoundMissed { own: Vec::new(), frames })).is_none());
    }
}
