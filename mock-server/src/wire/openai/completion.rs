//! A chat completion in one piece.

use super::write_number;
use crate::wire::answer::Answer;
use crate::wire::content::Choices;

/// The body of a completion.
pub(crate) fn body(answer: &Answer, mut choices: Choices) -> Vec<u8> {
    // All but the content takes some 400 bytes.
    let mut out = Vec::with_capacity(512 + choices.size());
    answer.write_head("chatcmpl-", "chat.completion", &mut out);
    out.extend_from_slice(b",\"choices\":[");
    for (choice, content) in choices.iter_mut().enumerate() {
        out.extend_from_slice(if choice == 0 { b"{\"index\":" } else { b",{\"index\":" });
        write_number(choice as u64, &mut out);
        out.extend_from_slice(b",\"message\":{\"role\":\"assistant\",\"content\":\"");
        content.write(content.remaining(), &mut out);
        out.extend_from_slice(b"\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":");
        out.extend_from_slice(answer.finish_reason());
        out.push(b'}');
    }
    out.extend_from_slice(b"],\"usage\":");
    answer.usage.write(&mut out);
    answer.write_fingerprint(&mut out);
    out.push(b'}');
    out
}
