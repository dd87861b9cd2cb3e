//! One entry: its name, and its value with quotes and escapes taken off.
//!
//! Marks where `${NAME}` stands; the caller knows the replacement.

use std::iter::Peekable;
use std::str::CharIndices;

use super::error::DotEnvFault;

/// A piece of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A plain text.
    Text(String),
    /// `${NAME}`.
    Name(String),
}

/// The name of an entry and its value, if the entry has a value.
pub(super) fn entry(text: &str) -> Result<(&str, Option<Vec<Piece>>), DotEnvFault> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (trimmed(name), Some(trimmed(value))),
        None => (trimmed(text), None),
    };
    if name.is_empty() {
        return Err(DotEnvFault::NoName);
    }
    let name =
        unquoted(name.strip_prefix("export").filter(|rest| rest.starts_with(is_space)).unwrap_or(name));
    let legal = |character: char| character.is_alphanumeric() || matches!(character, '_' | '.');
    if name.is_empty() || !name.chars().all(legal) {
        return Err(DotEnvFault::Name);
    }
    let value = value.map(|value| Reader { text: value, rest: value.char_indices().peekable() }.read());
    Ok((name, value.transpose()?))
}

fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\n', '\r', '\t', '\u{b}', '\0'])
}

/// A name may stand in quotes.
fn unquoted(name: &str) -> &str {
    let name = trimmed(name);
    let within = |quote| name.strip_prefix(quote)?.strip_suffix(quote).filter(|name: &&str| !name.is_empty());
    within('"').or_else(|| within('\'')).unwrap_or(name)
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

struct Reader<'a> {
    text: &'a str,
    rest: Peekable<CharIndices<'a>>,
}

impl Reader<'_> {
    fn read(mut self) -> Result<Vec<Piece>, DotEnvFault> {
        let mut pieces = Pieces::default();
        match self.rest.peek() {
            Some((_, '\'')) => self.single_quoted(&mut pieces)?,
            Some((_, '"')) => self.double_quoted(&mut pieces)?,
            _ => self.bare(&mut pieces),
        }
        self.nothing_more()?;
        Ok(pieces.0)
    }

    fn bare(&mut self, pieces: &mut Pieces) {
        while let Some((at, character)) = self.rest.next_if(|(_, next)| *next != '#' && !is_space(*next)) {
            if character == '$' { self.name(at, pieces) } else { pieces.push(character) }
        }
    }

    fn single_quoted(&mut self, pieces: &mut Pieces) -> Result<(), DotEnvFault> {
        self.rest.next();
        for (_, character) in self.rest.by_ref() {
            match character {
                '\'' => return Ok(()),
                _ => pieces.push(character),
            }
        }
        Err(DotEnvFault::Unclosed)
    }

    fn double_quoted(&mut self, pieces: &mut Pieces) -> Result<(), DotEnvFault> {
        self.rest.next();
        while let Some((at, character)) = self.rest.next() {
            match character {
                '"' => return Ok(()),
                '\\' => pieces.push(self.escaped()?),
                '$' => self.name(at, pieces),
                _ => pieces.push(character),
            }
        }
        Err(DotEnvFault::Unclosed)
    }

    fn escaped(&mut self) -> Result<char, DotEnvFault> {
        match self.rest.next().ok_or(DotEnvFault::Unclosed)?.1 {
            same @ ('"' | '\\' | '$') => Ok(same),
            'f' => Ok('\u{c}'),
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            't' => Ok('\t'),
            'v' => Ok('\u{b}'),
            _ => Err(DotEnvFault::Escape),
        }
    }

    /// The text behind a `$`: a variable's name in braces, or plain text.
    fn name(&mut self, dollar: usize, pieces: &mut Pieces) {
        let legal = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '.');
        let name = self.text.get(dollar + 1..).and_then(|rest| rest.strip_prefix('{')?.split_once('}'));
        match name.map(|(name, _)| name).filter(|name| !name.is_empty() && name.chars().all(legal)) {
            Some(name) => {
                pieces.0.push(Piece::Name(name.to_owned()));
                let end = dollar + "${}".len() + name.len();
                while self.rest.next_if(|(at, _)| *at < end).is_some() {}
            }
            None => pieces.push('$'),
        }
    }

    /// Behind a value only a comment may follow.
    fn nothing_more(&mut self) -> Result<(), DotEnvFault> {
        match self.rest.find(|(_, character)| !is_space(*character)) {
            None | Some((_, '#')) => Ok(()),
            Some(_) => Err(DotEnvFault::Space),
        }
    }
}

#[derive(Default)]
struct Pieces(Vec<Piece>);

impl Pieces {
    fn push(&mut self, character: char) {
        match self.0.last_mut() {
            Some(Piece::Text(text)) => text.push(character),
            _ => self.0.push(Piece::Text(character.to_string())),
        }
    }
}
