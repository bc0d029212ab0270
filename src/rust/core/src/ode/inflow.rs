//! Say how a dose comes in, and how late, from the values of its inputs.

use super::dual::Dual;
use super::schedule::Administration;
use super::system::Dosing;
use super::task::Failure;

/// How a dose comes in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Inflow {
    Bolus {
        amount: f64,
        fraction: Option<usize>,
    },
    Infusion {
        rate: Dual,
        duration: Dual,
    },
}

pub(super) fn lag(lag: Option<Dual>) -> Result<Dual, Failure> {
    let lag = finite(lag.unwrap_or(Dual::constant(0.0)))?;
    if lag.value < 0.0 {
        return Err(Failure::ImpossibleDose);
    }
    Ok(lag)
}

pub(super) fn inflow(
    amount: f64,
    course: Administration,
    dosing: Dosing,
    read: impl Fn(usize) -> Dual,
) -> Result<Inflow, Failure> {
    if course == Administration::Bolus {
        return Ok(Inflow::Bolus {
            amount,
            fraction: dosing.fraction,
        });
    }
    let fraction = dosing.fraction.map_or(Dual::constant(1.0), &read);
    let amount = finite(fraction * amount)?;
    if amount.value < 0.0 {
        return Err(Failure::ImpossibleDose);
    }
    let (rate, duration) = match course {
        Administration::ModeledDuration => {
            let duration = above_zero(dosing.duration.map(read))?;
            (amount / duration, duration)
        }
        Administration::Duration(duration) => {
            let duration = Dual::constant(duration);
            (amount / duration, duration)
        }
        Administration::Rate(rate) => {
            let rate = Dual::constant(rate);
            (rate, amount / rate)
        }
        _ => {
            let rate = above_zero(dosing.rate.map(read))?;
            (rate, amount / rate)
        }
    };
    Ok(Inflow::Infusion {
        rate: finite(rate)?,
        duration: finite(duration)?,
    })
}

pub(super) fn above_zero(value: Option<Dual>) -> Result<Dual, Failure> {
    let value = finite(value.ok_or(Failure::ImpossibleDose)?)?;
    if value.value > 0.0 {
        Ok(value)
    } else {
        Err(Failure::ImpossibleDose)
    }
}

fn finite(value: Dual) -> Result<Dual, Failure> {
    if value.value.is_finite() {
        Ok(value)
    } else {
        Err(Failure::NotFinite)
    }
}
