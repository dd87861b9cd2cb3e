//! The texts of a question to all nodes, and of an answer (CON-054).

use bytes::Buf as _;

/// A question of one node to all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodeQuestionText<'a> {
    /// Which of the node's questions.
    pub question: u64,
    /// What is asked about.
    pub subject: u8,
    /// What the subject needs, if it needs something.
    pub about: &'a [u8],
}

/// An answer of one node to another; every node hears it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodeAnswerText<'a> {
    /// The node that has asked.
    pub to: u64,
    /// Which of its questions.
    pub question: u64,
    /// The answer.
    pub text: &'a [u8],
}

impl<'a> NodeQuestionText<'a> {
    pub fn write(self) -> Vec<u8> {
        let mut bytes = self.question.to_be_bytes().to_vec();
        bytes.push(self.subject);
        bytes.extend_from_slice(self.about);
        bytes
    }

    /// `None` for bytes that are no question.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let (mut head, about) = bytes.split_at_checked(9)?;
        Some(Self { question: head.get_u64(), subject: head.get_u8(), about })
    }
}

impl<'a> NodeAnswerText<'a> {
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16 + self.text.len());
        bytes.extend(self.to.to_be_bytes());
        bytes.extend(self.question.to_be_bytes());
        bytes.extend_from_slice(self.text);
        bytes
    }

    /// `None` for bytes that are no answer.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let (mut head, text) = bytes.split_at_checked(16)?;
        Some(Self { to: head.get_u64(), question: head.get_u64(), text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn con_054_questions_and_answers_are_read_as_they_were_written_and_nothing_shorter() {
        let question = NodeQuestionText { question: u64::MAX, subject: 7, about: b"" };
        let bytes = question.write();
        assert_eq!(NodeQuestionText::read(&bytes), Some(question));
        let about = NodeQuestionText { about: b"more", ..question };
        assert_eq!(NodeQuestionText::read(&about.write()), Some(about));
        assert!((0..bytes.len()).all(|end| NodeQuestionText::read(&bytes[..end]).is_none()));
        let answer = NodeAnswerText { to: 9, question: 8, text: b"[]" };
        let bytes = answer.write();
        assert_eq!(NodeAnswerText::read(&bytes), Some(answer));
        assert!((0..16).all(|end| NodeAnswerText::read(&bytes[..end]).is_none()));
    }
}
