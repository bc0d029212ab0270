//! Put a model together: parameters, random effects, then statements in the order written.

use super::covariates::declare;
use super::equations;
use super::learned;
use super::mixture::{spread, ClassParts};
use super::parameter::ModelParameter;
use super::scope::{NameKind, Scope};
use super::solver::control;
use super::statements::statements;
use super::{Equation, Model, ModelOutcome, SubjectClasses};
use crate::error::{Error, Result};
use crate::ir::graph::{Node, Op};
use crate::language::specification::{DeclaredParameter, Random, Specification};

/// Compile a specification.
///
/// # Errors
/// Everything that is wrong with the model itself, with the statement it stands in.
pub fn compile(spec: &Specification) -> Result<Model> {
    let mut scope = Scope::new();
    scope.censoring = spec.censoring;
    scope.n_doses = spec.n_doses;
    scope.panels = spec.hazard_panels.max(1);
    scope.clocks.clone_from(&spec.clocks);
    let mut parameters = Vec::new();
    let mut n_theta = 0;
    for entry in &spec.parameters {
        let parameter = declared(&mut scope, entry, n_theta)
            .map_err(|e| e.at(format!("parameter `{}`", entry.name)))?;
        n_theta += parameter.n_coordinates();
        parameters.push(parameter);
    }
    if parameters.is_empty() {
        return Err(Error::model(
            "no_free_parameter",
            "The model has no parameter to estimate.",
        )
        .hint("Name at least one in fixed(), for example fixed(ka = positive(1))."));
    }
    declare(&mut scope, &spec.covariates)?;
    equations::find(&mut scope, spec)?;
    let (mut blocks, effects, groups) = random_effects(&mut scope, spec)?;
    let (mut outcomes, mut assigned) = statements(&mut scope, spec)?;
    let mut equations = scope.equations()?;
    // Outcomes tell of the class, and so of each other; that is no reading of their columns.
    mark_outcomes(&mut scope, &blocks, &equations, &outcomes);
    let parts = ClassParts {
        blocks: &mut blocks,
        outcomes: &mut outcomes,
        assigned: &mut assigned,
        equations: &mut equations,
    };
    let mixture = spread(&mut scope, parts)?;
    let model = Model {
        graph: scope.graph,
        parameters,
        n_theta,
        effects,
        blocks,
        groups,
        columns: scope.columns,
        covariates: scope.covariates,
        outcomes,
        assigned,
        ruled: scope.ruled,
        mixture,
        control: control(&spec.ode, !equations.is_empty())?,
        equations,
    };
    match model.groups.get(1) {
        Some(Some(group)) if model.takes_whole_subjects() => Err(model.grouping_error(group)),
        _ => Ok(model),
    }
}

/// Bring a parameter into force, and the function whose weights it holds.
fn declared(scope: &mut Scope, entry: &DeclaredParameter, first: usize) -> Result<ModelParameter> {
    let parameter = ModelParameter::new(entry, first, &mut scope.graph)?;
    let value = parameter.value(&mut scope.graph);
    scope.define(&entry.name, NameKind::Parameter, value)?;
    if let Some(form) = &entry.learned {
        learned::check(&parameter, form)?;
        scope.functions.insert(entry.name.clone(), form.clone());
    }
    Ok(parameter)
}

impl SubjectClasses {
    /// The error of a random effect grouped by `group`, which is not the subject.
    pub(super) fn grouping_error(&self, group: &str) -> Error {
        let problem = format!(
            "A random effect is grouped by `{group}`, but `{}` is of a whole subject.",
            self.shown
        );
        Error::model("mixture_grouping", problem)
            .at(self.text.clone())
            .field("group", group)
            .hint(
                "Group all random effects by the subject. For variability between occasions give it one effect an \
                 occasion and choose: `kappa <- ifelse(occ == 1, kappa1, kappa2)`.",
            )
    }
}

type Randoms = (
    Vec<super::EffectBlock>,
    Vec<super::Effect>,
    Vec<Option<String>>,
);

fn random_effects(scope: &mut Scope, spec: &Specification) -> Result<Randoms> {
    let (mut blocks, mut effects) = (Vec::new(), Vec::new());
    let groups = groups(spec);
    for (group, name) in groups.iter().enumerate() {
        let named = |line: &&Random| line.group == *name || (line.group.is_none() && group == 0);
        for line in spec.random.iter().filter(named) {
            let (block, names) = scope.random(line, effects.len(), group)?;
            blocks.push(block);
            effects.extend(names);
        }
    }
    let on_effects = scope.graph.depends(|op| matches!(op, Op::Phi(_)));
    for block in &blocks {
        if block.arguments().any(|node| on_effects[node.index()]) {
            return Err(Error::model(
                "effect_of_effect",
                "The distribution of a random effect depends on another random effect.",
            )
            .at(block.text.clone()));
        }
        if let Some(state) = block.arguments().find_map(|node| scope.reads_state(*node)) {
            return Err(Error::model(
                "effect_of_state",
                format!("The distribution of a random effect depends on the state `{state}`."),
            )
            .at(block.text.clone())
            .field("name", state)
            .hint("Parameters and covariates that are constant in the group may stand here."));
        }
    }
    Ok((blocks, effects, groups))
}

/// The groups in the order of their first lines; a line that names none belongs to the first.
fn groups(spec: &Specification) -> Vec<Option<String>> {
    let mut groups: Vec<Option<String>> = Vec::new();
    for name in spec.random.iter().filter_map(|line| line.group.as_ref()) {
        if !groups.iter().any(|g| g.as_ref() == Some(name)) {
            groups.push(Some(name.clone()));
        }
    }
    if groups.is_empty() {
        groups.push(None);
    }
    groups
}

/// Find the columns that may be missing: outcomes read by nothing but their own distribution.
fn mark_outcomes(
    scope: &mut Scope,
    blocks: &[super::EffectBlock],
    equations: &[Equation],
    outcomes: &[ModelOutcome],
) {
    for outcome in outcomes {
        let first = |o: &ModelOutcome| o.together.map(|together| together.first);
        let own = |o: &ModelOutcome| {
            o.column == outcome.column || first(o).is_some() && first(o) == first(outcome)
        };
        let others = outcomes.iter().filter(|o| !own(o));
        let roots: Vec<Node> = others
            .map(|o| o.density.log_density)
            .chain(blocks.iter().flat_map(|b| b.arguments().copied()))
            .chain(equations.iter().flat_map(Equation::nodes))
            .collect();
        let needed = scope.graph.reachable(&roots);
        let mut read = scope.graph.nodes().filter(|node| needed[node.index()]);
        let elsewhere = read.any(|node| scope.graph.op(node) == Op::Data(outcome.column));
        scope.columns[outcome.column as usize].outcome = !elsewhere;
    }
}
