//! `POST /v1/embeddings`: unit vectors, the same for the same text, model and profile.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::dist::standard_normal;
use crate::draw::{self, Draws, Purpose};
use crate::relay::{Invalid, Refusal};
use crate::wire::answer::Answer;
use crate::wire::endpoint::{Ask, Manner};
use crate::wire::fields::{Fields, passages};
use crate::wire::prompt::{Passage, Prompt};

/// How many texts a request may have.
const MOST_TEXTS: usize = 2048;

/// Numbers in a vector of a model whose name does not end in `3-large`.
const DIMENSIONS: u32 = 1536;
/// And of one whose name does.
const LARGE_DIMENSIONS: u32 = 3072;

/// What is to be turned into vectors, and how they are written.
#[derive(Debug)]
pub(crate) struct Embeddings {
    texts: Vec<Passage>,
    dimensions: Option<u32>,
    encoding: Encoding,
}

#[derive(Clone, Copy, Debug)]
enum Encoding {
    Float,
    Base64,
}

pub(in crate::wire) fn ask(body: &[u8]) -> Result<Ask<'_>, Refusal> {
    let fields = Fields::parse(body)?;
    let texts = match fields.value("input") {
        None => return Err(Invalid::missing("input").into()),
        Some(input) => passages("input", input)?,
    };
    if texts.len() > MOST_TEXTS {
        return Err(Invalid::above_maximum("input", &format!("an array of at most {MOST_TEXTS} texts"), texts.len()).into());
    }
    let dimensions = fields.count("dimensions")?;
    if let Some(dimensions) = dimensions.filter(|dimensions| *dimensions > LARGE_DIMENSIONS) {
        let most = format!("an integer of at most {LARGE_DIMENSIONS}");
        return Err(Invalid::above_maximum("dimensions", &most, dimensions as usize).into());
    }
    let encoding = match fields.text("encoding_format")? {
        None | Some("float") => Encoding::Float,
        Some("base64") => Encoding::Base64,
        Some(other) => return Err(Invalid::unknown_value("encoding_format", other, "'float' or 'base64'").into()),
    };
    Ok(Ask {
        model: fields.model()?.into(),
        stream: false,
        max_tokens: Some(0),
        choices: 1,
        prompt: Prompt::Texts(texts.clone()),
        manner: Manner::Embeddings(Embeddings { texts, dimensions, encoding }),
    })
}

impl Embeddings {
    /// The body of the answer. `seed` is the profile's.
    pub(crate) fn body(&self, answer: &Answer, seed: u64) -> Vec<u8> {
        #[derive(Serialize)]
        struct List<'a> {
            object: &'static str,
            data: Vec<Embedding>,
            model: &'a str,
            usage: Usage,
        }
        #[derive(Serialize)]
        struct Usage {
            prompt_tokens: u32,
            total_tokens: u32,
        }
        let of_model = if answer.model.ends_with("3-large") { LARGE_DIMENSIONS } else { DIMENSIONS };
        let dimensions = self.dimensions.unwrap_or(of_model);
        let data = self.texts.iter().enumerate().map(|(index, text)| {
            let vector = vector(seed, &answer.model, text, dimensions);
            Embedding { object: "embedding", index, embedding: Vector::new(&vector, self.encoding) }
        });
        let prompt_tokens = answer.usage.prompt_tokens;
        let usage = Usage { prompt_tokens, total_tokens: prompt_tokens };
        let list = List { object: "list", data: data.collect(), model: &answer.model, usage };
        serde_json::to_vec(&list).expect("strings and finite numbers are always JSON")
    }
}

#[derive(Serialize)]
struct Embedding {
    object: &'static str,
    index: usize,
    embedding: Vector,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Vector {
    Float(Vec<f32>),
    /// The numbers as four bytes each, the least significant first.
    Base64(String),
}

impl Vector {
    fn new(vector: &[f32], encoding: Encoding) -> Self {
        match encoding {
            Encoding::Float => Self::Float(vector.to_vec()),
            Encoding::Base64 => {
                let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
                Self::Base64(STANDARD.encode(bytes))
            }
        }
    }
}

/// A direction, all of which are as likely: normal numbers, divided by their length. Fewer dimensions are the first of all.
fn vector(seed: u64, model: &str, text: &Passage, dimensions: u32) -> Vec<f32> {
    let text = match text {
        Passage::Text(text) => draw::hash(text.as_bytes()),
        Passage::Tokens(tokens) => draw::hash(&tokens.iter().flat_map(|token| token.to_le_bytes()).collect::<Vec<u8>>()),
    };
    let mut stream = Draws::new(seed, draw::hash(model.as_bytes()), text).stream(Purpose::Embedding);
    let numbers: Vec<f64> = (0..dimensions).map(|_| standard_normal::quantile(draw::uniform(&mut stream))).collect();
    let length = libm::sqrt(numbers.iter().map(|number| number * number).sum());
    numbers.into_iter().map(|number| (number / length) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(seed: u64, model: &str, text: &str, dimensions: u32) -> Vec<f32> {
        vector(seed, model, &Passage::Text(text.to_owned()), dimensions)
    }

    fn cosine(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    }

    #[test]
    fn every_vector_has_length_one() {
        for dimensions in [1, 2, 256, DIMENSIONS, LARGE_DIMENSIONS] {
            let vector = of(1, "m", "a text", dimensions);
            assert_eq!(vector.len(), dimensions as usize);
            assert!((cosine(&vector, &vector) - 1.0).abs() < 1e-6, "{dimensions}");
        }
    }

    #[test]
    fn the_same_text_has_the_same_direction_and_any_other_is_nearly_at_right_angles() {
        let one = of(1, "m", "a text", DIMENSIONS);
        assert_eq!(one, of(1, "m", "a text", DIMENSIONS));
        // Of random directions in so many dimensions the cosine has a standard deviation of 0.026.
        for other in [of(2, "m", "a text", DIMENSIONS), of(1, "n", "a text", DIMENSIONS), of(1, "m", "a text.", DIMENSIONS)] {
            assert!(cosine(&one, &other).abs() < 0.13, "{}", cosine(&one, &other));
        }
    }

    #[test]
    fn fewer_dimensions_are_the_first_of_all() {
        let (all, few) = (of(1, "m", "a text", DIMENSIONS), of(1, "m", "a text", 8));
        let ratio = few[0] / all[0];
        assert!(few.iter().zip(&all).all(|(few, all)| (few / all - ratio).abs() < 1e-4), "{few:?}");
    }
}
