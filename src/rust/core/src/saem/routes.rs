//! Send parameters on the routes that the options ask for.

use super::numeric::glm_coordinates;
use super::optimizer::OptimizerOptions;
use super::options::{BuiltinStats, MStepOptions, SaemOptions};
use crate::problem::{Joint, Route};

/// Move coordinates away from closed forms that are not wanted, and to the optimizer where there is one.
///
/// Returns the parameters named as targets of a closed form they do not have, and why not.
pub fn choose_routes(joint: &mut Joint, options: &SaemOptions) -> Vec<(String, String)> {
    let refused = refused(joint, &options.mstep);
    let numeric = options.optimizer != OptimizerOptions::Score;
    let open = if numeric {
        Route::Numeric
    } else {
        Route::Score
    };
    let theta = &joint.theta;
    let changes = |joint: &Joint, wanted: &dyn Fn(usize) -> Route| -> Vec<(usize, Route)> {
        let routes = joint.theta.routes.iter().enumerate();
        routes
            .map(|(k, _)| (k, wanted(k)))
            .filter(|(k, route)| joint.theta.routes[*k] != *route)
            .collect()
    };
    let wanted = |k: usize| match theta.routes[k] {
        Route::Fixed => Route::Fixed,
        Route::Gradient => Route::Gradient,
        route if !route.is_open() && keeps(joint, &options.mstep, k) => route,
        _ => open,
    };
    let moved = changes(joint, &wanted);
    if !moved.is_empty() {
        joint.reroute(&moved);
    }
    let means = glm_coordinates(joint, options);
    let wanted = |k: usize| {
        if means.contains(&k) {
            Route::Numeric
        } else {
            joint.theta.routes[k]
        }
    };
    let moved = changes(joint, &wanted);
    if !moved.is_empty() {
        joint.reroute(&moved);
    }
    refused
}

/// Names of the parameters that are targets of a route.
fn targets(options: &MStepOptions, route: Route) -> &[String] {
    match route {
        Route::Mean => &options.re_mean_params,
        Route::Covariance | Route::Law => &options.re_cov_params,
        Route::Residual | Route::Outcome => &options.resid_var_param,
        _ => &[],
    }
}

/// Whether a coordinate keeps its closed form.
fn keeps(joint: &Joint, options: &MStepOptions, k: usize) -> bool {
    match options.builtin_stats {
        // An objective of the user is not what the closed forms maximize.
        BuiltinStats::Auto => !options.maximizes_users(),
        BuiltinStats::None => false,
        BuiltinStats::ClosedForm => {
            let base = &joint.theta.base[k];
            targets(options, joint.theta.routes[k]).contains(base)
        }
    }
}

fn refused(joint: &Joint, options: &MStepOptions) -> Vec<(String, String)> {
    if options.builtin_stats == BuiltinStats::None {
        return Vec::new();
    }
    let lists = [
        (
            &options.resid_var_param,
            "an outcome",
            [Route::Residual, Route::Outcome],
        ),
        (
            &options.re_cov_params,
            "a covariance of random effects",
            [Route::Covariance, Route::Law],
        ),
        (
            &options.re_mean_params,
            "a mean of random effects",
            [Route::Mean; 2],
        ),
    ];
    let mut refused = Vec::new();
    for (names, role, routes) in lists {
        for name in names {
            if let Some(reason) = reason(joint, name, role, &routes) {
                refused.push((name.clone(), reason));
            }
        }
    }
    refused
}

/// Why a parameter has no closed form as the parameter of `role`.
fn reason(joint: &Joint, name: &str, role: &str, routes: &[Route]) -> Option<String> {
    let theta = &joint.theta;
    let own: Vec<usize> = (0..theta.len())
        .filter(|k| theta.base[*k] == name)
        .collect();
    if own.is_empty() {
        return Some("the model has no such parameter".into());
    }
    if own.iter().all(|k| theta.routes[*k] == Route::Fixed) {
        return Some("it is fixed".into());
    }
    let found = own.iter().all(|k| {
        let route = theta.routes[*k];
        route == Route::Fixed || routes.contains(&route)
    });
    (!found).then(|| format!("it has no closed form as a parameter of {role}"))
}
