//! Turn a panic of the core into an error value that says where it happened.

use std::any::Any;
use std::panic;
use std::sync::{Mutex, Once, PoisonError};

use nlmers_core::error::{Error, ErrorClass};

/// File and line of the latest panic, on whichever thread it happened.
static PLACE: Mutex<Option<String>> = Mutex::new(None);

/// Note the place of every panic, then go on to the hook that was set before.
pub fn note_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let earlier = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let place = info.location().map(ToString::to_string);
            *PLACE.lock().unwrap_or_else(PoisonError::into_inner) = place;
            earlier(info);
        }));
    });
}

/// The error for a caught panic.
pub fn from_panic(payload: &(dyn Any + Send)) -> Error {
    let message = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_string())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_string());
    let error = Error::new(ErrorClass::Internal, "panic", message)
        .hint("This is a defect of nlmers, please report it; the session is unharmed.");
    let place = PLACE.lock().unwrap_or_else(PoisonError::into_inner).take();
    match place {
        Some(place) => error.at(place),
        None => error,
    }
}

/// The worker could not be started or left without an answer.
pub fn no_answer(problem: &str) -> Error {
    Error::new(ErrorClass::Internal, "worker", problem)
}
