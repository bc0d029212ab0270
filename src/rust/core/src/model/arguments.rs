//! Put the arguments of a function in the order of its definition: by name, then by position, as R does.

use crate::error::{Error, Result};
use crate::language::expression::Expression;

/// One slot for each of `formals`; a slot without an argument is empty.
///
/// # Errors
/// An argument the function does not have, or more than it takes.
pub fn arranged<'a>(
    call: &str,
    args: &'a [Expression],
    names: &[String],
    formals: &[&str],
) -> Result<Vec<Option<&'a Expression>>> {
    let mut slots: Vec<Option<&Expression>> = vec![None; formals.len()];
    let name_of = |i: usize| names.get(i).filter(|name| !name.is_empty());
    for (i, arg) in args.iter().enumerate() {
        let Some(name) = name_of(i) else { continue };
        match formals.iter().position(|formal| formal == name) {
            Some(k) if slots[k].is_none() => slots[k] = Some(arg),
            Some(_) => {
                let problem = format!("`{call}()` has the argument `{name}` twice.");
                return Err(Error::model("argument_count", problem));
            }
            None => {
                return Err(Error::model(
                    "unknown_argument",
                    format!("`{call}()` has no argument `{name}` here."),
                )
                .field("name", name)
                .hint(format!("Its arguments are {}.", formals.join(", "))))
            }
        }
    }
    let mut rest = (0..args.len()).filter(|i| name_of(*i).is_none());
    for slot in slots.iter_mut().filter(|slot| slot.is_none()) {
        *slot = rest.next().map(|i| &args[i]);
    }
    if rest.next().is_some() {
        return Err(Error::model(
            "argument_count",
            format!(
                "`{call}()` takes at most {} arguments, {} are given.",
                formals.len(),
                args.len()
            ),
        ));
    }
    Ok(slots)
}
