//! Valid streams: a client's messages come out unchanged, for every cut.
//!
//! Owns the making of valid streams; never makes one that RFC 6455 forbids, but for a last text that
//! is not UTF-8.

use arbitrary::{Result, Unstructured};
use fanfare_protocol::ws::{DecodeError, Decoder};

use crate::stream::{Seen, Width, cuts, decode, frame, oracle, pieces};

/// Long enough for a length of eight bytes.
const LONGEST_MESSAGE: usize = 70_000;

/// Kept small, for the fuzzer's speed; longer streams show nothing new.
const MOST_MESSAGES: usize = 16;

const FINAL: u8 = 0x80;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// Bytes on the wire, and their meaning.
#[derive(Default)]
struct Sent {
    bytes: Vec<u8>,
    means: Vec<Seen>,
    /// The last text is not UTF-8, from the end of this part on.
    broken: Option<Broken>,
}

/// A text that is not UTF-8.
struct Broken {
    /// The part before the fault.
    sound: String,
    /// The fault is that the text ends within a character.
    is_cut_off: bool,
}

/// Makes a valid stream, and compares the decoder's and fastwebsockets' messages with those sent.
pub fn frames(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok(cuts) = cuts(&mut input) else { return };
    let mut sent = Sent::default();
    // At the end of the input, the stream stays as it is by then.
    let _ = fill(&mut sent, &mut input);
    let expected = sent.broken.as_ref().map(|_| DecodeError::InvalidUtf8);

    let read = decode(&mut Decoder::new(LONGEST_MESSAGE), pieces(&sent.bytes, &cuts));
    assert_eq!(read, (sent.means.clone(), expected), "ours, cut at {cuts:?}");
    let other = oracle(&sent.bytes);
    match sent.broken {
        None => assert_eq!(other, sent.means, "fastwebsockets"),
        Some(broken) => is_refused(&other, sent.means, broken),
    }
}

/// fastwebsockets reports the fault as soon as there is one, before control frames between
/// fragments. A character that is cut off at the end of the last fragment is dropped silently, which
/// RFC 6455 does not allow.
fn is_refused(other: &[Seen], mut means: Vec<Seen>, broken: Broken) {
    if broken.is_cut_off && other.len() > means.len() {
        means.push(Seen::Text(broken.sound));
    }
    assert!(means.starts_with(other), "fastwebsockets: {other:?} is no beginning of {means:?}");
}

fn fill(sent: &mut Sent, input: &mut Unstructured<'_>) -> Result<()> {
    for _ in 0..MOST_MESSAGES {
        if input.is_empty() || sent.broken.is_some() {
            break;
        }
        match input.arbitrary::<u8>()? % 16 {
            0..=2 => control(sent, input)?,
            3 => return close(sent, input),
            4..=9 => message(sent, TEXT, input)?,
            10..=12 => message(sent, BINARY, input)?,
            13 => long(sent, input)?,
            _ => raw_text(sent, input)?,
        }
    }
    Ok(())
}

fn control(sent: &mut Sent, input: &mut Unstructured<'_>) -> Result<()> {
    let is_ping = input.arbitrary()?;
    let payload = some_bytes(input)?;
    let payload = &payload[..payload.len().min(125)];
    sent.bytes.extend(frame(if is_ping { PING } else { PONG }, payload, input.arbitrary()?, Width::Least));
    sent.means.push(if is_ping { Seen::Ping(payload.to_vec()) } else { Seen::Pong });
    Ok(())
}

/// A close frame, with a code that may be sent and a reason or without.
fn close(sent: &mut Sent, input: &mut Unstructured<'_>) -> Result<()> {
    let code = match input.arbitrary::<u16>()? {
        0 => None,
        number => {
            let standard = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
            Some(*standard.get(usize::from(number) % 20).unwrap_or(&(3000 + number % 2000)))
        }
    };
    let mut payload = Vec::new();
    if let Some(code) = code {
        payload.extend(code.to_be_bytes());
        let reason = some_bytes(input)?;
        payload.extend(String::from_utf8_lossy(&reason[..reason.len().min(40)]).as_bytes());
    }
    sent.bytes.extend(frame(CLOSE, &payload, input.arbitrary()?, Width::Least));
    sent.means.push(Seen::Close(code));
    Ok(())
}

fn message(sent: &mut Sent, opcode: u8, input: &mut Unstructured<'_>) -> Result<()> {
    let content = some_bytes(input)?;
    if opcode == TEXT {
        let text = String::from_utf8_lossy(content).into_owned();
        fragments(sent, opcode, text.as_bytes(), input)?;
        sent.means.push(Seen::Text(text));
    } else {
        fragments(sent, opcode, content, input)?;
        sent.means.push(Seen::Binary(content.to_vec()));
    }
    Ok(())
}

/// A text that takes a longer length, of one letter over and over.
fn long(sent: &mut Sent, input: &mut Unstructured<'_>) -> Result<()> {
    let length = input.int_in_range(120..=LONGEST_MESSAGE)?;
    let text = "é".repeat(length / 2);
    fragments(sent, TEXT, text.as_bytes(), input)?;
    sent.means.push(Seen::Text(text));
    Ok(())
}

/// A text that may not be UTF-8, which ends the stream.
fn raw_text(sent: &mut Sent, input: &mut Unstructured<'_>) -> Result<()> {
    let content = some_bytes(input)?;
    fragments(sent, TEXT, content, input)?;
    match String::from_utf8(content.to_vec()) {
        Ok(text) => sent.means.push(Seen::Text(text)),
        Err(error) => {
            let fault = error.utf8_error();
            let sound = String::from_utf8_lossy(&content[..fault.valid_up_to()]).into_owned();
            sent.broken = Some(Broken { sound, is_cut_off: fault.error_len().is_none() });
        }
    }
    Ok(())
}

/// A message in up to six frames, with control frames between them. Always whole, input or not.
fn fragments(sent: &mut Sent, opcode: u8, content: &[u8], input: &mut Unstructured<'_>) -> Result<()> {
    let (mut rest, mut first) = (content, opcode);
    for _ in 0..input.arbitrary::<u8>().unwrap_or(0) % 6 {
        let cut = usize::from(input.arbitrary::<u16>().unwrap_or(0)) % (rest.len() + 1);
        let (fragment, after) = rest.split_at(cut);
        sent.bytes.extend(frame(first, fragment, mask(input), width(input)));
        if input.arbitrary().unwrap_or(false) {
            // Without input for a control frame, none is sent.
            let _ = control(sent, input);
        }
        (rest, first) = (after, 0);
    }
    sent.bytes.extend(frame(FINAL | first, rest, mask(input), width(input)));
    Ok(())
}

fn mask(input: &mut Unstructured<'_>) -> [u8; 4] {
    input.arbitrary().unwrap_or([0xa5, 0, 0xff, 0x3c])
}

fn width(input: &mut Unstructured<'_>) -> Width {
    match input.arbitrary::<u8>().unwrap_or(0) {
        254 => Width::Wider,
        255 => Width::Widest,
        _ => Width::Least,
    }
}

fn some_bytes<'a>(input: &mut Unstructured<'a>) -> Result<&'a [u8]> {
    let length = usize::from(input.arbitrary::<u8>()?).min(input.len());
    input.bytes(length)
}
