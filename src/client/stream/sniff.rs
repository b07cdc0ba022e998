//! Whether a response is an event stream: by its type, or else by how it begins.

/// Whether a response's `content-type` is that of event streams. Any other proves nothing: relays and servers of files write
/// `application/json`, `application/octet-stream` or nothing over streams, and to ask again could be billed twice.
///
/// A media type is compared without regard to case, and without its parameters (RFC 9110, section 8.3.1).
pub(super) fn is_type_of_event_stream(content_type: Option<&str>) -> bool {
    let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("text/event-stream")
}

/// Whether a body that begins so is an event stream: after a byte order mark and empty lines, if there are any, it begins with a
/// comment or a field. `None` while too little is there to tell.
pub(super) fn is_event_stream(beginning: &[u8]) -> Option<bool> {
    const MARK: &[u8] = b"\xEF\xBB\xBF";
    const FIRST: [&[u8]; 5] = [b":", b"data:", b"event:", b"id:", b"retry:"];
    if beginning.len() < MARK.len() && MARK.starts_with(beginning) {
        return None;
    }
    let lines = beginning.strip_prefix(MARK).unwrap_or(beginning);
    let start = lines.iter().position(|byte| !matches!(byte, b'\n' | b'\r'))?;
    let line = &lines[start..];
    match FIRST.iter().any(|first| line.starts_with(first)) {
        true => Some(true),
        false if FIRST.iter().any(|first| first.starts_with(line)) => None,
        false => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_compared_without_case_and_parameters() {
        for (content_type, expected) in [
            (Some("text/event-stream"), true),
            (Some("Text/Event-Stream; charset=UTF-8"), true),
            (Some(" TEXT/EVENT-STREAM ;charset=utf-8"), true),
            (Some("text/event-streams"), false),
            (Some("application/json"), false),
            (Some(""), false),
            (None, false),
        ] {
            assert_eq!(is_type_of_event_stream(content_type), expected, "{content_type:?}");
        }
    }

    #[test]
    fn a_stream_is_known_by_its_beginning_wherever_that_is_cut() {
        for (body, expected) in [
            ("data: {}", true),
            ("data:{}", true),
            (": ping", true),
            ("event: error", true),
            ("id: 1", true),
            ("retry: 100", true),
            ("\u{feff}\r\n\n\rdata: x", true),
            ("{\"choices\":[]}", false),
            ("datum: x", false),
            (" data: x", false),
            ("<html>", false),
            ("\u{feff}\u{feff}data: x", false),
        ] {
            assert_eq!(is_event_stream(body.as_bytes()), Some(expected), "{body:?}");
            for cut in 0..body.len() {
                let early = is_event_stream(&body.as_bytes()[..cut]);
                assert!(early.is_none_or(|early| early == expected), "{body:?} cut at {cut}");
            }
        }
        for undecided in ["", "\n\n", "\u{feff}", "dat", "re", "\u{feff}\nevent"] {
            assert_eq!(is_event_stream(undecided.as_bytes()), None, "{undecided:?}");
        }
    }
}
