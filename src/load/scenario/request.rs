//! A request as it is written.

use relaybench_mock::config::{Problem, Spanned};
use relaybench_mock::dist::Distribution;
use relaybench_mock::profile::{Unit, Written};
use serde::Deserialize;

use super::load::beside;
use crate::load::request::{Length, Models, Prompt, PromptFile, RequestSpec};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRequest {
    model: Option<Spanned<String>>,
    models: Option<Spanned<Vec<Spanned<RawModel>>>>,
    prompt: Option<Spanned<String>>,
    prompts: Option<Spanned<String>>,
    prompt_tokens: Option<Spanned<Written>>,
    max_tokens: Option<Spanned<Written>>,
    temperature: Option<Spanned<f64>>,
    stream: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawModel {
    name: Spanned<String>,
    weight: Option<Spanned<f64>>,
}

impl RawRequest {
    pub(super) fn validate(self, origin: &str) -> Result<RequestSpec, Problem> {
        let default = RequestSpec::default();
        Ok(RequestSpec {
            models: self.models()?.unwrap_or(default.models),
            prices: default.prices,
            prompt: self.prompt(origin)?.unwrap_or(default.prompt),
            max_tokens: match &self.max_tokens {
                Some(written) => match written.get_ref().valid(Unit::TOKENS, origin)? {
                    Distribution::Fixed(tokens) => Length::Fixed(tokens as u32),
                    drawn => Length::Drawn(drawn),
                },
                None => default.max_tokens,
            },
            temperature: self.temperature()?.unwrap_or(default.temperature),
            stream: self.stream.unwrap_or(default.stream),
        })
    }

    fn temperature(&self) -> Result<Option<f64>, Problem> {
        let Some(written) = &self.temperature else { return Ok(None) };
        let temperature = *written.get_ref();
        if !(0.0..=2.0).contains(&temperature) {
            return Err(Problem::at(written, format!("{temperature} is beyond what relays take; write 0 to 2")));
        }
        Ok(Some(temperature))
    }

    fn models(&self) -> Result<Option<Models>, Problem> {
        let models = match (&self.model, &self.models) {
            (None, None) => return Ok(None),
            (Some(model), None) => return Ok(Some(Models::only(model.get_ref()))),
            (Some(_), Some(models)) => return Err(Problem::at(models, "model is given as well; remove one of them")),
            (None, Some(models)) => models,
        };
        let mut weighted: Vec<(&str, f64)> = Vec::new();
        for RawModel { name, weight } in models.get_ref().iter().map(Spanned::get_ref) {
            if weighted.iter().any(|(earlier, _)| earlier == name.get_ref()) {
                return Err(Problem::at(name, format!("\"{}\" is named twice", name.get_ref())));
            }
            if let Some(weight) = weight.as_ref().filter(|weight| !(weight.get_ref().is_finite() && *weight.get_ref() > 0.0)) {
                return Err(Problem::at(weight, format!("{} is no weight; write a number above 0", weight.get_ref())));
            }
            weighted.push((name.get_ref(), weight.as_ref().map_or(1.0, |weight| *weight.get_ref())));
        }
        match Models::weighted(weighted) {
            Some(models) => Ok(Some(models)),
            None => Err(Problem::at(models, "these models have no weights that can be added up; name at least one")),
        }
    }

    fn prompt(&self, origin: &str) -> Result<Option<Prompt>, Problem> {
        const RIGHT: &str = "write one of prompt, prompts and prompt_tokens";
        match (&self.prompt, &self.prompts, &self.prompt_tokens) {
            (None, None, None) => Ok(None),
            (Some(text), None, None) => Ok(Some(Prompt::Text(text.get_ref().as_str().into()))),
            (None, Some(file), None) => {
                let read = PromptFile::read(beside(origin, file.get_ref()));
                read.map(|file| Some(Prompt::File(file))).map_err(|error| Problem::at(file, error.to_string()))
            }
            (None, None, Some(tokens)) => Ok(Some(Prompt::Synthetic(tokens.get_ref().valid(Unit::TOKENS, origin)?))),
            (Some(prompt), Some(_), _) | (Some(prompt), _, Some(_)) => Err(Problem::at(prompt, RIGHT)),
            (None, Some(prompts), Some(_)) => Err(Problem::at(prompts, RIGHT)),
        }
    }
}
