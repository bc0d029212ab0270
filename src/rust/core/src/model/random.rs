//! Compile `random()`: each line becomes a block of Gaussian coordinates `phi`.

use super::scope::{NameKind, Scope};
use super::value::ShapedValue;
use super::{Effect, EffectBlock, Law, Transform, WrittenCovariance};
use crate::distributions::{self, normal, Family, FamilyForm, FAMILIES};
use crate::error::{Error, Result};
use crate::ir::graph::{Node, Op};
use crate::ir::op::Unary;
use crate::language::expression::Expression;
use crate::language::specification::Random;
use crate::language::words;

/// Arguments of a distribution in the order of `wanted`, matched by name, then by position.
///
/// # Errors
/// Unknown, missing or superfluous arguments.
pub fn arguments<'a>(dist: &'a Expression, wanted: &[&str]) -> Result<Vec<&'a Expression>> {
    let Expression::Call { call, args, names } = dist else {
        return Err(Error::model(
            "not_a_distribution",
            format!("`{}` is not a distribution.", dist.show()),
        ));
    };
    let mut found: Vec<Option<&Expression>> = vec![None; wanted.len()];
    let mut positional = Vec::new();
    for (i, arg) in args.iter().enumerate() {
        match names.get(i).filter(|name| !name.is_empty()) {
            None => positional.push(arg),
            Some(name) => match wanted.iter().position(|w| w == name) {
                Some(k) => found[k] = Some(arg),
                None => {
                    return Err(Error::model(
                        "unknown_argument",
                        format!("`{call}()` has no argument `{name}`."),
                    )
                    .hint(format!("Its arguments are {}.", wanted.join(", "))))
                }
            },
        }
    }
    let mut rest = positional.into_iter();
    for slot in found.iter_mut().filter(|slot| slot.is_none()) {
        *slot = rest.next();
    }
    let complete: Option<Vec<&Expression>> = found.into_iter().collect();
    match (complete, rest.next()) {
        (Some(list), None) => Ok(list),
        _ => Err(Error::model(
            "argument_count",
            format!(
                "`{call}()` takes {} argument{}: {}.",
                wanted.len(),
                if wanted.len() == 1 { "" } else { "s" },
                wanted.join(", ")
            ),
        )),
    }
}

/// The family called, of those that `fits` chooses, or an error naming the nearest one.
pub fn family(dist: &Expression, fits: fn(&Family) -> bool) -> Result<&'static Family> {
    let Expression::Call { call, .. } = dist else {
        let problem = format!("`{}` is not a distribution.", dist.show());
        return Err(Error::model("not_a_distribution", problem));
    };
    if let Some(family) = distributions::family(call).filter(|family| fits(family)) {
        return Ok(family);
    }
    let all = FAMILIES.iter().filter(|family| fits(family));
    let names: Vec<&str> = all.map(|family| family.name).collect();
    Err(Error::model(
        "unknown_distribution",
        format!("Unknown distribution `{call}()`."),
    )
    .field("name", call)
    .hint(words::suggestion(call, "The distributions are", names)))
}

impl Scope {
    /// Compile one line of `random()`; `first` is its first coordinate of `phi`, `group` its grouping.
    ///
    /// # Errors
    /// Unknown distribution, shapes that do not fit, a name used twice, effects that depend on other effects.
    pub fn random(
        &mut self,
        spec: &Random,
        first: usize,
        group: usize,
    ) -> Result<(EffectBlock, Vec<Effect>)> {
        self.random_block(spec, first, group)
            .map_err(|e| e.at(spec.text.clone()))
    }

    fn random_block(
        &mut self,
        spec: &Random,
        first: usize,
        group: usize,
    ) -> Result<(EffectBlock, Vec<Effect>)> {
        if let Some(flow) = self.flow_of(&spec.dist)? {
            return self.flow_block(spec, (first, group), &flow);
        }
        let family = family(&spec.dist, |family| family.effect.is_some())?;
        let (arguments, (mean, covariance, scalar)) = match family.form {
            FamilyForm::Joint => {
                let normal = self.joint_normal(spec, family)?;
                self.by_level(normal)
            }
            FamilyForm::Normal(_) => {
                let values = self.values(spec, family)?;
                let normal = independent(&values, spec)?;
                self.by_level(normal)
            }
            _ => {
                let (arguments, one) = elementwise(&self.values(spec, family)?, spec)?;
                let reference = self.no_gaussian(arguments.len(), one);
                (arguments, reference)
            }
        };
        let gaussian = arguments.is_empty();
        let d = mean.len();
        if spec.names.len() != 1 && spec.names.len() != d {
            return Err(Error::model(
                "wrong_effect_length",
                format!(
                    "{} names are given to {d} random effects.",
                    spec.names.len()
                ),
            )
            .hint("Give one name to the whole vector, or one name to each element."));
        }
        let transform = family
            .effect
            .as_ref()
            .map_or(Transform::Identity, |e| e.transform);
        let names = self.define_effects(spec, first, d, transform, scalar)?;
        let effects = names.into_iter().map(|name| Effect {
            name,
            transform,
            gaussian,
            group,
        });
        let effects = effects.collect();
        let block = EffectBlock {
            first,
            group,
            mean,
            covariance,
            law: self.law(family, first, arguments),
            text: spec.text.clone(),
        };
        Ok((block, effects))
    }

    fn joint_normal(&mut self, spec: &Random, family: &Family) -> Result<GaussianArguments> {
        let args = arguments(&spec.dist, family.arguments)?;
        let mean = self.value(args[0], &spec.text)?;
        let cov = self.value(args[1], &spec.text)?;
        multivariate(mean, &cov, args[1], spec)
    }

    /// The arguments of a line whose effects are independent.
    fn values(&mut self, spec: &Random, family: &Family) -> Result<Vec<ShapedValue>> {
        let args = arguments(&spec.dist, family.arguments)?.into_iter();
        args.map(|arg| self.value(arg, &spec.text)).collect()
    }

    /// Independent normal effects whose SDs read data differ from level to level: no covariance holds for all, so they
    /// are distributions with the arguments mean and SD, as those that are not Gaussian are.
    fn by_level(&mut self, normal: GaussianArguments) -> (Vec<Vec<Node>>, GaussianArguments) {
        let (mean, covariance, scalar) = &normal;
        let of_data = self.graph.depends(|op| matches!(op, Op::Data(_)));
        let d = mean.len();
        let spreads: Vec<Node> = match covariance {
            WrittenCovariance::Sd(sds) => sds.clone(),
            WrittenCovariance::Matrix(nodes) => {
                let zero = |k: usize| self.graph.as_constant(nodes[k]) == Some(0.0);
                if !(0..d * d).all(|k| k % (d + 1) == 0 || zero(k)) {
                    return (Vec::new(), normal);
                }
                nodes.iter().step_by(d + 1).copied().collect()
            }
        };
        if !spreads.iter().any(|node| of_data[node.index()]) {
            return (Vec::new(), normal);
        }
        let variances = matches!(covariance, WrittenCovariance::Matrix(_));
        let mut arguments = Vec::with_capacity(d);
        for (mean, spread) in mean.iter().zip(spreads) {
            let sd = if variances {
                self.graph.unary(Unary::Sqrt, spread)
            } else {
                spread
            };
            arguments.push(vec![*mean, sd]);
        }
        let reference = self.no_gaussian(d, *scalar);
        (arguments, reference)
    }

    /// What stands in place of mean and covariance until the reference is known.
    fn no_gaussian(&mut self, d: usize, scalar: bool) -> GaussianArguments {
        let (zero, one) = (self.graph.constant(0.0), self.graph.constant(1.0));
        (vec![zero; d], WrittenCovariance::Sd(vec![one; d]), scalar)
    }

    /// Densities of effects from coordinate `first` on; `None` for Gaussian families.
    fn law(
        &mut self,
        family: &'static Family,
        first: usize,
        arguments: Vec<Vec<Node>>,
    ) -> Option<Law> {
        // Effects of mvnormal() that have a law are independent.
        let family = match family.form {
            FamilyForm::Joint => &normal::FAMILY,
            _ => family,
        };
        let effect = family.effect.as_ref()?;
        let mut densities = Vec::new();
        for (k, args) in arguments.iter().enumerate() {
            let phi = self.graph.phi(super::parameter::index(first + k));
            densities.push((effect.density)(&mut self.graph, phi, args));
        }
        (!densities.is_empty()).then_some(Law {
            family,
            arguments,
            densities,
        })
    }

    fn define_effects(
        &mut self,
        spec: &Random,
        first: usize,
        d: usize,
        transform: Transform,
        scalar: bool,
    ) -> Result<Vec<String>> {
        let mut nodes = Vec::with_capacity(d);
        for k in first..first + d {
            let phi = self.graph.phi(super::parameter::index(k));
            nodes.push(transform.node(&mut self.graph, phi));
        }
        self.name_effects(spec, nodes, scalar)
    }

    /// Let the names of a line stand for these values; the names of its effects.
    pub(super) fn name_effects(
        &mut self,
        spec: &Random,
        nodes: Vec<Node>,
        scalar: bool,
    ) -> Result<Vec<String>> {
        let d = nodes.len();
        let names: Vec<String> = match spec.names.as_slice() {
            [name] if scalar => vec![name.clone()],
            [name] if d > 1 => (1..=d).map(|i| format!("{name}[{i}]")).collect(),
            [name] => vec![format!("{name}[1]")],
            names => names.to_vec(),
        };
        match spec.names.as_slice() {
            [name] if scalar => {
                self.define(name, NameKind::Effect, ShapedValue::Scalar(nodes[0]))?
            }
            [name] => self.define(name, NameKind::Effect, ShapedValue::Vector(nodes))?,
            names => {
                for (name, node) in names.iter().zip(nodes) {
                    self.define(name, NameKind::Effect, ShapedValue::Scalar(node))?;
                }
            }
        }
        Ok(names)
    }
}

type GaussianArguments = (Vec<Node>, WrittenCovariance, bool);

fn multivariate(
    mean: ShapedValue,
    cov: &ShapedValue,
    arg: &Expression,
    spec: &Random,
) -> Result<GaussianArguments> {
    let ShapedValue::Matrix { rows, cols, nodes } = cov else {
        return Err(Error::model(
            "wrong_shape",
            format!(
                "The covariance `{}` is {}, not a matrix.",
                arg.show(),
                cov.shape()
            ),
        )
        .hint("Write diag(v) for a vector of variances, or use covariance_matrix() in fixed()."));
    };
    let mean = match mean {
        ShapedValue::Scalar(x) => vec![x; *rows],
        other => other.nodes().to_vec(),
    };
    if rows != cols || mean.len() != *rows {
        return Err(Error::model(
            "wrong_effect_length",
            format!(
                "`{}` has a mean of length {} and a covariance of size {rows} x {cols}.",
                spec.names.join(", "),
                mean.len()
            ),
        ));
    }
    Ok((mean, WrittenCovariance::Matrix(nodes.clone()), false))
}

fn independent(values: &[ShapedValue], spec: &Random) -> Result<GaussianArguments> {
    let (each, scalar) = elementwise(values, spec)?;
    let nth = |k: usize| each.iter().map(|args| args[k]).collect();
    Ok((nth(0), WrittenCovariance::Sd(nth(1)), scalar))
}

/// Arguments of each of several independent effects, scalars repeated; and whether there is one scalar effect.
fn elementwise(values: &[ShapedValue], spec: &Random) -> Result<(Vec<Vec<Node>>, bool)> {
    let longest = values.iter().map(|v| v.nodes().len()).max().unwrap_or(0);
    let d = longest.max(spec.names.len());
    let spread = |value: &ShapedValue| -> Result<Vec<Node>> {
        match value {
            ShapedValue::Scalar(x) => Ok(vec![*x; d]),
            ShapedValue::Vector(nodes) if nodes.len() == d => Ok(nodes.clone()),
            other => Err(Error::model(
                "wrong_effect_length",
                format!(
                    "`{}` has {d} elements, but an argument of its distribution is {}.",
                    spec.names.join(", "),
                    other.shape()
                ),
            )),
        }
    };
    let scalar =
        values.iter().all(|v| matches!(v, ShapedValue::Scalar(_))) && spec.names.len() == 1;
    let columns: Result<Vec<Vec<Node>>> = values.iter().map(spread).collect();
    let columns = columns?;
    let each = (0..d).map(|i| columns.iter().map(|c| c[i]).collect());
    Ok((each.collect(), scalar))
}
