//! Prompts from a file: lines of text, JSON Lines, or conversations as ShareGPT has them.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::load::draw::{Key, Purpose};

/// The prompts of a file, by its ending.
///
/// | ending | what it holds |
/// |---|---|
/// | `.jsonl` | a JSON object a line: `prompt`, a text, or `messages`, an array of `{role, content}`; further keys go into the request |
/// | `.json` | ShareGPT: an array of `{conversations: [{from, value}]}`, also written `{role, content}`; what `human` or `user` says is asked |
/// | any other | a prompt a line |
#[derive(Clone, Debug, PartialEq)]
pub struct PromptFile {
    /// The file.
    pub path: PathBuf,
    has_conversations: bool,
    entries: Arc<[Entry]>,
}

/// One prompt, or the user's side of one conversation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// What comes before, by role.
    pub(super) before: Vec<(String, String)>,
    /// What the user says, at least once.
    pub(super) turns: Vec<String>,
    /// Instead of the scenario's.
    pub(super) max_tokens: Option<u32>,
    /// Instead of the scenario's.
    pub(super) temperature: Option<f64>,
    /// Further fields of the request.
    pub(super) fields: Map<String, Value>,
}

/// Why there are no prompts.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PromptFileError {
    /// The file cannot be read.
    #[error("cannot read the prompts {}: {error}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// A line is no prompt.
    #[error("{}:{line}: {message}", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong, and what would be right.
        message: String,
    },
    /// Nothing can be asked.
    #[error("{}: there is no prompt in it", .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

impl PromptFile {
    /// Reads a file. All of it is kept.
    ///
    /// # Errors
    ///
    /// When it cannot be read, and the first line that is wrong.
    pub fn read(path: PathBuf) -> Result<Self, PromptFileError> {
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => return Err(PromptFileError::Unreadable { path, error }),
        };
        Self::parse(path, &text)
    }

    fn parse(path: PathBuf, text: &str) -> Result<Self, PromptFileError> {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let entries = match ending {
            "json" => share_gpt(text),
            "jsonl" => lines(text).map(|(line, text)| json_line(text).map_err(|message| (line, message))).collect(),
            _ => Ok(lines(text).map(|(_, text)| Entry::of(text)).collect()),
        };
        let has_conversations = ending == "json";
        match entries {
            Err((line, message)) => Err(PromptFileError::Line { path, line, message }),
            Ok(entries) if entries.is_empty() => Err(PromptFileError::Empty { path }),
            Ok(entries) => Ok(Self { path, has_conversations, entries: entries.into() }),
        }
    }

    /// How many prompts or conversations there are.
    #[expect(clippy::len_without_is_empty, reason = "there is at least one")]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Of the longest conversation.
    pub(in crate::load) fn most_turns(&self) -> u32 {
        self.entries.iter().map(|entry| entry.turns.len()).max().unwrap_or(1) as u32
    }

    pub(super) fn has_conversations(&self) -> bool {
        self.has_conversations
    }

    pub(super) fn of(&self, key: Key, index: u64) -> &Entry {
        let drawn = key.uniform(Purpose::Prompt, index) * self.entries.len() as f64;
        // Below the length, since what was drawn is below 1.
        &self.entries[(drawn as usize).min(self.entries.len() - 1)]
    }

    /// The longest answer that a line asks for; 0 where none does.
    pub(super) fn most_answer_tokens(&self) -> u32 {
        self.entries.iter().filter_map(|entry| entry.max_tokens).max().unwrap_or(0)
    }

    /// Of the longest, with all that is said in it.
    pub(super) fn most_bytes(&self) -> u64 {
        let bytes = |entry: &Entry| {
            let texts = entry.before.iter().map(|(_, text)| text).chain(&entry.turns);
            texts.map(|text| super::most_prompt_tokens(text)).sum()
        };
        self.entries.iter().map(bytes).max().unwrap_or(0)
    }
}

impl Entry {
    fn of(text: &str) -> Self {
        Self { before: Vec::new(), turns: vec![text.to_owned()], max_tokens: None, temperature: None, fields: Map::new() }
    }
}

/// The lines that are not blank, by number.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.trim_start_matches('\u{feff}').lines()).filter(|(_, line)| !line.trim().is_empty())
}

fn json_line(line: &str) -> Result<Entry, String> {
    const RIGHT: &str = "a line is an object with the text \"prompt\" or the array \"messages\" of {role, content}";
    let mut fields: Map<String, Value> = serde_json::from_str(line).map_err(|error| format!("{error}; {RIGHT}"))?;
    let (prompt, messages) = (fields.remove("prompt"), fields.remove("messages"));
    if let Some(field) = ["model", "stream", "stream_options"].into_iter().find(|field| fields.contains_key(*field)) {
        return Err(format!("\"{field}\" is set for all by [request]; remove it here"));
    }
    let (max_tokens, temperature) = (take(&mut fields, "max_tokens")?, take(&mut fields, "temperature")?);
    if max_tokens == Some(0) {
        return Err("max_tokens: 0 asks for no answer; write at least 1".to_owned());
    }
    if let Some(temperature) = temperature.filter(|temperature| !(0.0..=2.0).contains(temperature)) {
        return Err(format!("temperature: {temperature} is beyond what relays take; write 0 to 2"));
    }
    match (prompt, messages) {
        (Some(Value::String(prompt)), None) => Ok(Entry { max_tokens, temperature, fields, ..Entry::of(&prompt) }),
        (None, Some(messages)) => {
            let messages: Vec<Message> = serde_json::from_value(messages).map_err(|error| format!("{error}; {RIGHT}"))?;
            let mut said: Vec<_> = messages.into_iter().map(|message| (message.role, message.content)).collect();
            let (_, last) = said.pop().ok_or_else(|| format!("\"messages\" is empty; {RIGHT}"))?;
            Ok(Entry { before: said, max_tokens, temperature, fields, ..Entry::of(&last) })
        }
        _ => Err(RIGHT.to_owned()),
    }
}

fn take<T: DeserializeOwned>(fields: &mut Map<String, Value>, name: &str) -> Result<Option<T>, String> {
    let value = fields.remove(name).map(serde_json::from_value).transpose();
    value.map_err(|error| format!("{name}: {error}"))
}

#[derive(Deserialize)]
struct Message {
    #[serde(alias = "from")]
    role: String,
    #[serde(alias = "value")]
    content: String,
}

fn share_gpt(text: &str) -> Result<Vec<Entry>, (usize, String)> {
    #[derive(Deserialize)]
    struct Shared {
        #[serde(default, alias = "messages")]
        conversations: Vec<Message>,
    }
    let shared: Vec<Shared> = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| (error.line(), format!("{error}; ShareGPT is an array of {{conversations: [{{from, value}}]}}")))?;
    let entries = shared.into_iter().map(|shared| {
        let (users, others): (Vec<_>, Vec<_>) =
            shared.conversations.into_iter().partition(|message| matches!(&*message.role, "human" | "user"));
        let system = others.into_iter().filter(|message| message.role == "system").map(|message| (message.role, message.content));
        let turns = users.into_iter().map(|message| message.content).collect();
        Entry { before: system.collect(), turns, ..Entry::of("") }
    });
    // Some conversations there are begun by the model and have no user.
    Ok(entries.filter(|entry| !entry.turns.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(name: &str, text: &str) -> Vec<Entry> {
        PromptFile::parse(name.into(), text).unwrap().entries.to_vec()
    }

    #[test]
    fn each_line_of_a_text_is_a_prompt() {
        assert_eq!(entries("x.txt", "One.\n\n Two.\r\n"), [Entry::of("One."), Entry::of(" Two.")]);
    }

    #[test]
    fn a_json_line_may_bring_fields_of_its_own() {
        let entry = &entries("x.jsonl", "{\"prompt\": \"Hi\", \"max_tokens\": 7, \"user\": 8}\n")[0];
        assert_eq!((&entry.turns[0][..], entry.max_tokens, &entry.fields["user"]), ("Hi", Some(7), &Value::from(8)));
        let entry =
            &entries("x.jsonl", r#"{"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]}"#)[0];
        assert_eq!((&entry.before[..], &entry.turns[..]), (&[("system".to_owned(), "S".to_owned())][..], &["U".to_owned()][..]));
    }

    #[test]
    fn a_shared_conversation_is_what_its_user_says() {
        let text = r#"[{"id": "a", "conversations": [{"from": "human", "value": "One"}, {"from": "gpt", "value": "1"},
            {"from": "human", "value": "Two"}]}, {"conversations": [{"from": "gpt", "value": "alone"}]},
            {"conversations": [{"role": "user", "content": "Three"}]}]"#;
        let text = &format!("\u{feff}{text}");
        let turns: Vec<_> = entries("x.json", text).into_iter().map(|entry| entry.turns).collect();
        assert_eq!(turns, [vec!["One".to_owned(), "Two".to_owned()], vec!["Three".to_owned()]]);
    }

    #[test]
    fn what_is_no_prompt_is_refused_with_its_line() {
        let refusal = |name: &str, text| PromptFile::parse(name.into(), text).unwrap_err().to_string();
        assert!(refusal("x.jsonl", "{\"prompt\": \"Hi\"}\n\n{\"prompt\": 3}\n").starts_with("x.jsonl:3: a line is an object"));
        assert!(refusal("x.jsonl", "{\"prompt\": \"Hi\", \"stream\": true}").contains("\"stream\" is set for all"));
        assert!(refusal("x.jsonl", "{\"prompt\": \"Hi\", \"max_tokens\": 0}").contains("x.jsonl:1: max_tokens: 0"));
        assert!(refusal("x.jsonl", "{\"prompt\": \"Hi\", \"temperature\": 9}").contains("temperature: 9 is beyond"));
        assert!(refusal("x.json", "[\n{]").starts_with("x.json:2: "));
        assert_eq!(refusal("x.txt", "\n\n"), "x.txt: there is no prompt in it");
    }
}
