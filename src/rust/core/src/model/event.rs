//! Compile `event(hazard)`, the time to an event.
//!
//! A hazard of the time is integrated between rows by the program of the rows. One that reads a state of differential
//! equations is integrated with them: a hidden state `H`, `dH/dt = hazard`, of which a row reads what came up since the
//! row before. Covariates have the same meaning in both: the value of a row holds since the row before, unless
//! `covariates()` says how they run.

use super::random::arguments;
use super::scope::Scope;
use super::{ColumnSource, CovariateKind};
use crate::distributions::{event, OutcomeDensity};
use crate::error::{Error, Result};
use crate::ir::graph::{Node, Op};
use crate::language::expression::Expression;

impl Scope {
    /// The density of an event; `y`: its column, and the node of that.
    ///
    /// # Errors
    /// Those of the hazard, a model that has another `t`, covariates whose course is not followed.
    pub fn event(
        &mut self,
        dist: &Expression,
        (column, y): (u32, Node),
        text: &str,
    ) -> Result<OutcomeDensity> {
        let hazard = arguments(dist, &["hazard"])?[0];
        if self.kind("t").is_some() {
            return Err(Error::model(
                "name_used_twice",
                "`t` is a name of the model, but event() integrates the hazard over the time `t`.",
            )
            .field("name", "t")
            .hint("Give the parameter, effect or variable another name."));
        }
        let (_, time) = self.column("t", text);
        let hazard = self.scalar(hazard, text)?;
        if self.reads_state(hazard).is_some() {
            let cumulative = self.accrued(hazard, column, text);
            return Ok(event::density(&mut self.graph, y, hazard, cumulative));
        }
        self.refuse_time_varying(hazard)?;
        let source = ColumnSource::PreviousTime(column);
        let (_, previous) = self.sourced(".previous_time", source, text);
        let (g, panels) = (&mut self.graph, self.panels);
        let (cumulative, ruled) = event::cumulative(g, hazard, [time, previous], panels);
        self.ruled |= ruled;
        let g = &mut self.graph;
        Ok(event::density(g, y, hazard, cumulative))
    }

    /// What a hazard that reads states adds up to since the row before.
    fn accrued(&mut self, hazard: Node, column: u32, text: &str) -> Node {
        let (_, at_risk) = self.sourced(".at_risk", ColumnSource::AtRisk(column), text);
        let ahead = self.ahead(hazard, column, text);
        let rate = self.graph.mul(at_risk, ahead);
        let name = self.columns[column as usize].name.clone();
        let k = self.states.accrue((column, &name), rate, text);
        self.graph.state(super::parameter::index(k))
    }

    /// A value in which covariates of the rows, but those whose course `covariates()` names, look ahead to the next one.
    fn ahead(&mut self, node: Node, column: u32, text: &str) -> Node {
        let needed = self.graph.reachable(&[node]);
        let all: Vec<Node> = self.graph.nodes().collect();
        let mut moved = all.clone();
        for at in all.into_iter().filter(|at| needed[at.index()]) {
            moved[at.index()] = match self.graph.op(at) {
                Op::Data(i) if self.runs_by_rows(i) => {
                    let name = self.columns[i as usize].name.clone();
                    self.sourced(&name, ColumnSource::Ahead(column), text).1
                }
                op => self.graph.copied(op, &moved),
            };
        }
        moved[node.index()]
    }

    fn runs_by_rows(&self, i: u32) -> bool {
        let column = &self.columns[i as usize];
        let mut declared = self.covariates.iter().filter(|c| c.column == i);
        let said = |kind: &CovariateKind| !matches!(kind, CovariateKind::Factor { .. });
        column.source == ColumnSource::Data
            && column.name != super::equations::TIME
            && !declared.any(|covariate| said(&covariate.kind))
    }

    /// A hazard integrated by the rows reads covariates there; one that is said to move between them would be read wrongly
    /// without a word.
    fn refuse_time_varying(&self, hazard: Node) -> Result<()> {
        let needed = self.graph.reachable(&[hazard]);
        let reads = |column: u32| {
            let mut nodes = self.graph.nodes();
            nodes.any(|n| needed[n.index()] && self.graph.op(n) == Op::Data(column))
        };
        let moving = self.covariates.iter().find(|covariate| {
            matches!(covariate.kind, CovariateKind::TimeVarying(_)) && reads(covariate.column)
        });
        let Some(covariate) = moving else {
            return Ok(());
        };
        let name = &self.columns[covariate.column as usize].name;
        Err(Error::model(
            "time_varying_hazard",
            format!(
                "The hazard reads `{name}`, whose course between rows event() does not follow."
            ),
        )
        .field("name", name)
        .hint(format!(
            "Take `{name}` out of covariates(): its value at a row then holds since the row before."
        )))
    }
}
