//! The header `traceparent` of W3C Trace Context: the trace and the span that a request is a part of.

/// What a request says of its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceParent {
    pub trace: [u8; 16],
    pub span: [u8; 8],
    /// Whether the one who asks keeps this trace.
    pub is_sampled: bool,
}

impl TraceParent {
    /// Reads the header; `None` if it is not one, which begins a trace anew.
    pub fn parse(header: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(header).ok()?;
        let mut parts = text.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let [version] = bytes(version)?;
        // Later versions may have more parts; version 255 is forbidden.
        if version == 0xff || (version == 0 && parts.next().is_some()) {
            return None;
        }
        let (trace, span, [flags]) = (bytes(trace)?, bytes(span)?, bytes(flags)?);
        let is_real = trace != [0; 16] && span != [0; 8];
        is_real.then_some(Self { trace, span, is_sampled: flags & 1 == 1 })
    }
}

/// Lower-case hex of exactly so many bytes.
fn bytes<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let digits: Vec<u8> = hex.as_bytes().iter().map(digit).collect::<Option<_>>()?;
    let mut all = [0; N];
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in all.iter_mut().zip(digits.chunks(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn trace_span_and_whether_the_trace_is_kept_are_read() {
        let parent = TraceParent::parse(HEADER.as_bytes()).unwrap();
        assert_eq!((parent.trace[0], parent.trace[15], parent.span[7]), (0x0a, 0x9c, 0x31));
        assert!(parent.is_sampled);
        assert!(!TraceParent::parse(HEADER.replace("-01", "-00").as_bytes()).unwrap().is_sampled);
        assert!(TraceParent::parse(format!("cc{}-more", &HEADER[2..]).as_bytes()).is_some());
    }

    #[test]
    fn what_is_no_traceparent_is_passed_over() {
        let faulty = [
            String::new(),
            "00".to_owned(),
            format!("{HEADER}-more"),
            format!("ff{}", &HEADER[2..]),
            HEADER.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            HEADER.replace("b7ad6b7169203331", &"0".repeat(16)),
            HEADER.to_uppercase(),
            HEADER.replace("b7ad", "b7"),
        ];
        for header in faulty {
            assert_eq!(TraceParent::parse(header.as_bytes()), None, "{header}");
        }
    }
}
