//! Say what is wrong, where, and the way out, as a value.

use std::fmt;

/// What kind of thing the user has to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// The model as written.
    Model,
    /// The data, or the model against the data.
    Data,
    /// A starting value or a fixed value.
    Start,
    /// An option of a method.
    Option,
    /// Numbers failed where they must not.
    Numeric,
    /// A defect of the program itself.
    Internal,
}

impl ErrorClass {
    /// Suffix of the R condition class `nlmers_error_<name>`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Data => "data",
            Self::Start => "start",
            Self::Option => "option",
            Self::Numeric => "numeric",
            Self::Internal => "internal",
        }
    }
}

/// An error in the user's own names.
#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    pub class: ErrorClass,
    /// Machine-readable reason, e.g. `unknown_symbol`.
    pub reason: &'static str,
    /// The problem in one sentence.
    pub problem: String,
    /// The statement, column, subject or row it stands in.
    pub place: Option<String>,
    /// The way out.
    pub hint: Option<String>,
    /// Fields for programs: subject, row, column, value, name.
    pub fields: Vec<(&'static str, String)>,
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn new(class: ErrorClass, reason: &'static str, problem: impl Into<String>) -> Self {
        Self {
            class,
            reason,
            problem: problem.into(),
            place: None,
            hint: None,
            fields: Vec::new(),
        }
    }

    pub fn model(reason: &'static str, problem: impl Into<String>) -> Self {
        Self::new(ErrorClass::Model, reason, problem)
    }

    pub fn data(reason: &'static str, problem: impl Into<String>) -> Self {
        Self::new(ErrorClass::Data, reason, problem)
    }

    /// Where it stands; an earlier place is kept.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place.get_or_insert_with(|| place.into());
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn field(mut self, name: &'static str, value: impl ToString) -> Self {
        self.fields.push((name, value.to_string()));
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.problem)?;
        if let Some(place) = &self.place {
            write!(f, "\nIn: {place}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n{hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
