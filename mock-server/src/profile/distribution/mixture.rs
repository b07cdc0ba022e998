//! Mixtures as they are written: `{ dist = "mixture", of = [ { weight = 0.98, dist = … }, { weight = 0.02, dist = … } ] }`.

use toml::Spanned;

use super::fields::Fields;
use super::value::RawValue;
use super::{Directory, Unit, valid};
use crate::config::Problem;
use crate::dist::{Distribution, Mixture};

/// So that the sum of as many as a file can hold is still a number.
const HEAVIEST: f64 = 1e12;

pub(super) fn mixture(fields: &Fields<'_>, directory: Directory<'_>) -> Result<Mixture, Problem> {
    fields.only(&["of"])?;
    let of = fields.required("of")?;
    let Some(components) = of.get_ref().as_array() else {
        return Err(Problem::at(of, format!("{} is no array; write [ {{ weight = 0.9, dist = … }}, … ]", of.get_ref())));
    };
    let weighted: Vec<_> = components.iter().map(|raw| component(raw, fields.unit, directory)).collect::<Result<_, _>>()?;
    Mixture::new(weighted).ok_or_else(|| Problem::at(of, "the array is empty; write at least one { weight = …, dist = … }"))
}

fn component(raw: &Spanned<RawValue>, unit: Unit, directory: Directory<'_>) -> Result<(f64, Distribution), Problem> {
    let RawValue::Table(table) = raw.get_ref() else {
        return Err(Problem::at(raw, format!("{} is no component; write {{ weight = 0.9, dist = … }}", raw.get_ref())));
    };
    // Without its weight a component is a distribution like any other.
    let mut table = table.clone();
    let weight = table.take("weight").ok_or_else(|| Problem::at(raw, "the key \"weight\" is missing"))?;
    let is_weight = |weight: &f64| *weight > 0.0 && *weight <= HEAVIEST;
    let share = weight.get_ref().as_number().filter(is_weight).ok_or_else(|| {
        let message =
            format!("{} is no weight; write a number above 0 and up to 1e12; the weights need not add up to 1", weight.get_ref());
        Problem::at(&weight, message)
    })?;
    Ok((share, valid(&Spanned::new(raw.span(), table), unit, directory)?))
}
