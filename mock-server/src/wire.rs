//! What goes over the wire: one file a dialect.

pub(crate) mod chunks;
pub(crate) mod content;
pub(crate) mod openai;

fn write_string(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a vector takes whatever is written, and a string is always JSON");
}
