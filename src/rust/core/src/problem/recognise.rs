//! Find the route of every coordinate of `theta`: which parameters have a closed-form update.

use super::bare;
use super::closed_form::{covariance_updates, residuals};
use super::normal_form::NormalForm;
use super::theta::Route;
use crate::data::Records;
use crate::ir::level::NodeLevels;
use crate::ir::linear::{linear_form, LinearForm};
use crate::model::Model;

impl NormalForm {
    /// Find the parameters that have a closed-form update.
    pub(super) fn recognise(
        &mut self,
        model: &Model,
        records: &[Records],
        free: &[bool],
        levels: &mut NodeLevels,
    ) {
        let is_free = |k: u32| free[k as usize];
        let forms: Vec<LinearForm> = self
            .means
            .clone()
            .iter()
            .map(|mean| linear_form(&mut self.graph, levels, *mean, &is_free))
            .collect();
        let mut elsewhere = self.thetas_of(self.program_roots());
        for nodes in forms.iter().map(|f| f.rest.clone()) {
            merge_flags(&mut elsewhere, &self.thetas_of(nodes));
        }
        self.designs = forms
            .iter()
            .map(|form| {
                let terms = form.terms.iter();
                terms
                    .map(|(k, coefficient)| (*k as usize, *coefficient))
                    .filter(|(k, _)| !elsewhere.contains(k))
                    .collect()
            })
            .collect();
        let in_means = self.thetas_of(self.means.clone());
        let densities = self.densities.iter().map(|d| d.log_density);
        let corrections = self.corrections.iter().map(|c| c.term);
        let in_densities = self.thetas_of(densities.chain(corrections).collect());
        let mut taken = in_means.clone();
        merge_flags(&mut taken, &in_densities);
        covariance_updates(
            &self.graph,
            &mut self.covariance,
            &self.parameters,
            model,
            free,
            &taken,
        );
        let in_covariance = self.thetas_of(
            self.covariance
                .iter()
                .flat_map(|c| c.nodes.clone())
                .collect(),
        );
        let mut taken = in_means;
        merge_flags(&mut taken, &in_covariance);
        let densities = self.densities.iter().map(|d| d.log_density).collect();
        let elsewhere = [taken.clone(), self.thetas_of(densities)].concat();
        self.bare_laws = bare::laws(self, model, records, free, &elsewhere);
        let corrections = self.corrections.iter().map(|c| c.term).collect();
        merge_flags(&mut taken, &self.thetas_of(corrections));
        self.residuals = residuals(self, model, free, &taken);
        self.bare_outcomes = bare::outcomes(self, model, free, &taken);
    }

    /// Route of every coordinate.
    pub fn routes(&self, model: &Model, free: &[bool]) -> Vec<Route> {
        let mut routes = vec![Route::Score; model.n_theta];
        for (k, _) in self.designs.iter().flatten() {
            routes[*k] = Route::Mean;
        }
        for k in self
            .covariance
            .iter()
            .flat_map(|block| block.update.coordinates())
        {
            routes[k] = Route::Covariance;
        }
        for residual in &self.residuals {
            routes[residual.theta] = Route::Residual;
        }
        for law in &self.bare_laws {
            routes[law.scale.theta] = Route::Law;
        }
        for k in self.bare_outcomes.iter().flat_map(|b| b.coordinates()) {
            routes[k] = Route::Outcome;
        }
        // Weights that are means of effects, all of them, keep their closed form; one bias that is a mean does not.
        for parameter in model.parameters.iter().filter(|p| p.trained) {
            let own = &mut routes[parameter.coordinates()];
            if own.iter().any(|route| *route != Route::Mean) {
                own.fill(Route::Gradient);
            }
        }
        // A parameter on which the likelihood does not depend stays where it is.
        let used = self.thetas_of(
            self.means
                .iter()
                .copied()
                .chain(self.program_roots())
                .collect(),
        );
        for (k, route) in routes.iter_mut().enumerate() {
            if !free[k] || !used.contains(&k) {
                *route = Route::Fixed;
            }
        }
        routes
    }
}

fn merge_flags(into: &mut Vec<usize>, more: &[usize]) {
    for k in more {
        if !into.contains(k) {
            into.push(*k);
        }
    }
}
