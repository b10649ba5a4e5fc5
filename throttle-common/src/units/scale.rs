//! What the four quantities have in common: a table of units, parsing and the normal form.

use core::fmt;

use super::{
    decimal::Decimal,
    error::{ParseError, Problem, Quantity},
};

/// A unit and how many base units it is worth.
pub(super) struct Unit {
    pub(super) name: &'static str,
    pub(super) worth: u64,
}

/// Shorthand for the tables of units.
pub(super) const fn unit(name: &'static str, worth: u64) -> Unit {
    Unit { name, worth }
}

/// Reads `text` as a number of base units of `quantity`.
pub(super) fn parse(quantity: Quantity, units: &[Unit], text: &str) -> Result<u64, ParseError> {
    base_units(units, text).map_err(|problem| ParseError::new(quantity, problem, text))
}

fn base_units(units: &[Unit], text: &str) -> Result<u64, Problem> {
    let (number, typed) = Decimal::split(text)?;
    if typed.is_empty() {
        return Err(Problem::NoUnit);
    }
    if let Some(unit) = units.iter().find(|unit| unit.name == typed) {
        return number.times(unit.worth);
    }
    if units.iter().any(|unit| unit.name.eq_ignore_ascii_case(typed)) {
        return Err(Problem::Capitals);
    }
    Err(Problem::UnknownUnit)
}

/// Writes `value` in the largest of `units` that divides it; the last one divides every value.
///
/// `units` holds the units of the normal form, largest first.
pub(super) fn write(f: &mut fmt::Formatter<'_>, units: &[Unit], value: u64) -> fmt::Result {
    let largest = units.iter().find(|unit| value != 0 && value.is_multiple_of(unit.worth));
    match largest.or(units.last()) {
        Some(unit) => write!(f, "{}{}", value / unit.worth, unit.name),
        None => Ok(()),
    }
}
