//! Evaluate an expression of the language one number at a time, by walking its tree.

use std::collections::HashMap;

use nlmers_core::ir::vmath;
use serde_json::Value as Json;

/// Names and their values.
pub type Environment = HashMap<String, f64>;

pub fn evaluate(tree: &Json, env: &Environment) -> f64 {
    if let Some(number) = tree["num"].as_f64() {
        return number;
    }
    if let Some(name) = tree["sym"].as_str() {
        return *env
            .get(name)
            .unwrap_or_else(|| panic!("no value of `{name}`"));
    }
    let call = tree["call"].as_str().expect("a call");
    let args: Vec<f64> = tree["args"]
        .as_array()
        .expect("arguments")
        .iter()
        .map(|arg| evaluate(arg, env))
        .collect();
    match args.as_slice() {
        [x] => one(call, *x),
        [x, y] => two(call, *x, *y),
        [c, x, y] => match call {
            "ifelse" | "if" => {
                if *c != 0.0 {
                    *x
                } else {
                    *y
                }
            }
            _ => many(call, &args),
        },
        _ => many(call, &args),
    }
}

fn one(call: &str, x: f64) -> f64 {
    match call {
        "-" => -x,
        "+" | "sum" | "prod" | "mean" | "min" | "max" => x,
        "!" => truth(x == 0.0),
        "exp" => x.exp(),
        "log" => x.ln(),
        "log2" => x.log2(),
        "log10" => x.log10(),
        "log1p" => x.ln_1p(),
        "expm1" => x.exp_m1(),
        "sqrt" => x.sqrt(),
        "abs" => x.abs(),
        "sin" => x.sin(),
        "cos" => x.cos(),
        "tan" => x.tan(),
        "tanh" => x.tanh(),
        "atan" => x.atan(),
        "plogis" => 1.0 / (1.0 + (-x).exp()),
        "qlogis" => (x / (1.0 - x)).ln(),
        "softplus" => x.exp().ln_1p(),
        "lgamma" => vmath::lgamma::<false>(x),
        "gamma" => vmath::gamma::<false>(x),
        "digamma" => vmath::digamma::<false>(x),
        "trigamma" => vmath::trigamma::<false>(x),
        "pnorm" => vmath::pnorm::<false>(x),
        "qnorm" => vmath::qnorm::<false>(x),
        _ => panic!("no function `{call}` of one argument"),
    }
}

fn two(call: &str, x: f64, y: f64) -> f64 {
    match call {
        "+" => x + y,
        "-" => x - y,
        "*" => x * y,
        "/" => x / y,
        "^" => x.powf(y),
        "<" => truth(x < y),
        ">" => truth(x > y),
        "<=" => truth(x <= y),
        ">=" => truth(x >= y),
        "==" => truth(x == y),
        "!=" => truth(x != y),
        "&" | "&&" => truth(x != 0.0 && y != 0.0),
        "|" | "||" => truth(x != 0.0 || y != 0.0),
        "log" => x.ln() / y.ln(),
        "pmin" => x.min(y),
        "pmax" => x.max(y),
        _ => many(call, &[x, y]),
    }
}

fn many(call: &str, args: &[f64]) -> f64 {
    match call {
        "sum" => args.iter().sum(),
        "prod" => args.iter().product(),
        "mean" => args.iter().sum::<f64>() / args.len() as f64,
        "min" => args.iter().copied().fold(f64::INFINITY, f64::min),
        "max" => args.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        _ => panic!("no function `{call}` of {} arguments", args.len()),
    }
}

fn truth(condition: bool) -> f64 {
    f64::from(u8::from(condition))
}
