//! A completion in one piece.

use super::Answer;
use crate::wire::content::Content;

/// The body of a completion.
pub(crate) fn body(answer: &Answer, mut content: Content) -> Vec<u8> {
    // All but the content takes some 400 bytes.
    let mut out = Vec::with_capacity(512 + content.size());
    answer.write_head("chat.completion", &mut out);
    out.extend_from_slice(b",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"");
    content.write(content.remaining(), &mut out);
    out.extend_from_slice(b"\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":");
    out.extend_from_slice(answer.finish_reason());
    out.extend_from_slice(b"}],\"usage\":");
    answer.usage.write(&mut out);
    answer.write_fingerprint(&mut out);
    out.push(b'}');
    out
}
