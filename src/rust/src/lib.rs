//! Receive one call from R, hand it to the core, give back plain values.

mod error;
mod host;
mod input;
mod line;
mod output;
mod question;
mod self_test;

use extendr_api::prelude::*;
use nlmers_core::request;

use self_test::SelfTest;

/// Run the task that `request` (JSON) names on `columns`, telling `progress` how far it is and asking `hooks` for the
/// functions of the user.
///
/// Returns `list(ok = TRUE, value =)` or `list(ok = FALSE, error =)`.
#[extendr]
fn nlmers_run(request: &str, columns: List, progress: Robj, hooks: Robj) -> List {
    let answer = input::columns(&columns).and_then(|columns| {
        host::run(progress.as_function(), hooks.as_function(), |monitor| {
            match SelfTest::from_request(request) {
                Some(test) => test.run(columns, monitor),
                None => request::run(request, columns, monitor),
            }
        })
    });
    output::answer(answer)
}

extendr_module! {
    mod nlmers;
    fn nlmers_run;
}
