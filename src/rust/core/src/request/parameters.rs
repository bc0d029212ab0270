//! Lay out what is known of the parameters: one entry an element (natural scale), or one a coordinate of `theta`.

use super::list;
use crate::model::Model;
use crate::problem::{natural, Element, Theta};
use crate::reply::ReplyValue;

/// A text of every element.
pub fn texts(theta: &Theta, text: impl Fn(&Element) -> String) -> ReplyValue {
    ReplyValue::Texts(theta.elements.iter().map(text).collect())
}

/// Elements before any data: names, parameters, starting values.
pub fn declared(model: &Model, theta: &Theta) -> ReplyValue {
    list(vec![
        ("name", texts(theta, |e| e.name.clone())),
        ("base", texts(theta, |e| e.base.clone())),
        ("start", ReplyValue::Numbers(natural(model, &theta.start))),
    ])
}

/// The route of every element.
pub fn routes(theta: &Theta) -> ReplyValue {
    texts(theta, |e| theta.routes[e.coordinate].words().to_string())
}

/// Elements after a fit; `roles` has one entry a coordinate. `transformed` is NaN where the elements of a parameter do
/// not correspond to its coordinates.
pub fn estimated(model: &Model, theta: &Theta, estimate: &[f64], roles: &[&str]) -> ReplyValue {
    let transformed = theta.elements.iter().map(|e| {
        if e.paired {
            estimate[e.coordinate]
        } else {
            f64::NAN
        }
    });
    let free = theta.elements.iter().map(|e| theta.free[e.coordinate]);
    list(vec![
        ("name", texts(theta, |e| e.name.clone())),
        ("base", texts(theta, |e| e.base.clone())),
        ("natural", ReplyValue::Numbers(natural(model, estimate))),
        ("transformed", ReplyValue::Numbers(transformed.collect())),
        ("start", ReplyValue::Numbers(natural(model, &theta.start))),
        ("free", ReplyValue::Flags(free.collect())),
        ("route", routes(theta)),
        ("role", texts(theta, |e| roles[e.coordinate].to_string())),
    ])
}

/// The coordinates of `theta`, transformed scale.
pub fn coordinates(theta: &Theta, estimate: &[f64]) -> ReplyValue {
    let words = theta.routes.iter().map(|r| r.words().to_string());
    list(vec![
        ("name", ReplyValue::Texts(theta.names.clone())),
        ("base", ReplyValue::Texts(theta.base.clone())),
        ("value", ReplyValue::Numbers(estimate.to_vec())),
        ("start", ReplyValue::Numbers(theta.start.clone())),
        ("free", ReplyValue::Flags(theta.free.clone())),
        ("route", ReplyValue::Texts(words.collect())),
    ])
}

/// Positions of the elements that are estimated and about which information is taken.
pub fn free_elements(theta: &Theta) -> Vec<usize> {
    let free = |e: &usize| theta.routes[theta.elements[*e].coordinate].is_informed();
    (0..theta.elements.len()).filter(free).collect()
}
