//! The text of an answer to "whom does an event reach on your node?" (CON-042).

use bytes::Buf as _;

use crate::local::HeardReach;

/// Node, question, and three numbers.
const LENGTH: usize = 8 + 8 + 3 * 4;

/// An answer of one node to another; every node hears it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReachAnswer {
    /// The node that has asked.
    pub to: u64,
    /// Which of its questions.
    pub question: u64,
    /// The answer.
    pub reach: HeardReach,
}

impl ReachAnswer {
    pub fn write(&self) -> Vec<u8> {
        let HeardReach { took, excluded, slow } = self.reach;
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend(self.to.to_be_bytes());
        bytes.extend(self.question.to_be_bytes());
        for number in [took, excluded, slow] {
            bytes.extend(u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes());
        }
        bytes
    }

    /// `None` for bytes that are no answer; what a later release puts behind it is ignored.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut bytes = bytes.get(..LENGTH)?;
        let (to, question) = (bytes.get_u64(), bytes.get_u64());
        let mut number = || bytes.get_u32() as usize;
        let reach = HeardReach { took: number(), excluded: number(), slow: number() };
        Some(Self { to, question, reach })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn con_042_an_answer_is_read_as_it_was_written_and_nothing_shorter() {
        let reach = HeardReach { took: 7, excluded: 1, slow: 2 };
        let answer = ReachAnswer { to: u64::MAX, question: 9, reach };
        let bytes = answer.write();
        assert_eq!(ReachAnswer::read(&bytes), Some(answer));
        assert_eq!(ReachAnswer::read(&[&*bytes, b"more"].concat()), Some(answer));
        for end in 0..bytes.len() {
            assert_eq!(ReachAnswer::read(&bytes[..end]), None);
        }
    }
}
