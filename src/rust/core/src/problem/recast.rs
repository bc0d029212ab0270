//! Bring the problem of the same model and data into another form.

use std::sync::Arc;

use super::exchange::exchanges;
use super::joint::Joint;
use super::normal_form::{NormalForm, Standing};
use super::theta::Route;
use super::Problem;
use crate::data::Records;
use crate::error::Result;
use crate::ode::Control;

impl Joint {
    /// The same model in which more effects are kept apart from their means, and some are absent: they have their means
    /// for values, and what says how far they vary is not free. `apart`, `absent`: one entry an effect of the model;
    /// `fixed`: coordinates that are held at `theta`.
    ///
    /// # Errors
    /// Those of a model that cannot be brought into this form.
    pub fn recast(
        &self,
        apart: &[bool],
        absent: &[bool],
        (fixed, theta): (&[usize], &[f64]),
    ) -> Result<Self> {
        let model = self.model();
        let records: Vec<Records> = self.parts.iter().map(|p| p.records.clone()).collect();
        let held = |k: usize| self.source.standings[k] == Standing::Held;
        let standing = |k: usize| match self.source.standings[k] {
            Standing::Free if apart[k] || absent[k] => Standing::Apart,
            known => known,
        };
        let standings: Vec<Standing> = (0..apart.len()).map(standing).collect();
        let mut new = self.theta.clone();
        for k in fixed {
            new.free[*k] = false;
            new.start[*k] = theta[*k];
        }
        let graph = &self.source.graph;
        let mut form = NormalForm::new(model, graph, &records, &new, &standings)?;
        form.dynamics.clone_from(&self.form.dynamics);
        new.routes = form.routes(model, &new.free);
        let mut parts: Vec<Problem> = (0..records.len())
            .map(|group| Problem::new(model, &form, &records, &new, group))
            .collect();
        for (part, old) in parts.iter_mut().zip(&self.parts) {
            part.held.clone_from(&old.held);
            let own = model.effects_of(part.group);
            for effect in own.filter(|k| absent[*k] && !held(*k)) {
                for level in 0..part.n_subjects() {
                    part.hold(effect, level, 0.0);
                }
            }
        }
        Ok(Self {
            exchanges: exchanges(model, &form, &records),
            parts,
            theta: new,
            form,
            ..self.clone()
        })
    }

    /// The same with other choices for the solver of the differential equations, if there are any.
    #[must_use]
    pub fn solved_by(&self, choose: impl Fn(&mut Control)) -> Self {
        let mut new = self.clone();
        if let Some(dynamics) = &self.form.dynamics {
            let dynamics = Arc::new(dynamics.solved_by(choose));
            new.form.dynamics = Some(dynamics.clone());
            for part in &mut new.parts {
                part.form.dynamics = part.form.dynamics.as_ref().map(|_| dynamics.clone());
            }
        }
        new
    }

    /// Send coordinates on other routes: their parameters then move along derivatives of the program.
    pub fn reroute(&mut self, routes: &[(usize, Route)]) {
        for (k, route) in routes {
            self.theta.routes[*k] = *route;
        }
        let records: Vec<Records> = self.parts.iter().map(|p| p.records.clone()).collect();
        for (group, part) in self.parts.iter_mut().enumerate() {
            let held = part.held.take();
            *part = Problem::new(&part.model, &self.form, &records, &self.theta, group);
            part.held = held;
        }
    }
}
