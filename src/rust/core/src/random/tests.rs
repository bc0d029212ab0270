use super::*;
use crate::ir::vmath::pnorm;
use std::collections::HashSet;

fn lanes() -> LaneIds {
    LaneIds {
        subject: std::array::from_fn(|j| j as u32 / 4),
        chain: std::array::from_fn(|j| j as u32 % 4),
    }
}

fn stream(purpose: Purpose) -> Stream {
    Stream {
        seed: 0x0123_4567_89ab_cdef,
        purpose,
    }
}

fn normal_column(stream: Stream, lanes: &LaneIds, iteration: u32, draw: u32) -> Column {
    let mut column = [Column::ZERO];
    stream.normals(Isa::detect(), lanes, iteration, draw, &mut column);
    column[0]
}

fn bits(columns: &[Column]) -> Vec<u64> {
    columns.iter().flat_map(|c| c.0).map(f64::to_bits).collect()
}

/// A million normal numbers.
fn many_normals() -> Vec<f64> {
    let mut columns = [Column::ZERO; 4];
    let mut all = Vec::new();
    for iteration in 0..1_000_000 / (4 * LANES as u32) {
        stream(Purpose::Sampler).normals(Isa::detect(), &lanes(), iteration, 0, &mut columns);
        all.extend(columns.iter().flat_map(|c| c.0));
    }
    all
}

/// The block function on words of 32 bits.
fn block(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    philox(counter.map(u64::from), key).map(|word| (word & LOW) as u32)
}

#[test]
fn block_function_matches_the_published_answers() {
    let counter = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
    let answer = [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1];
    assert_eq!(block(counter, [0xa409_3822, 0x299f_31d0]), answer);
}

#[test]
fn block_function_matches_rand_philox() {
    let mut word = 1u32;
    let mut next = || {
        word = word.wrapping_mul(0x9e37_79b9) ^ (word >> 15);
        word
    };
    for _ in 0..10_000 {
        let counter = [next(), next(), next(), next()];
        let key = [next(), next()];
        assert_eq!(
            block(counter, key),
            rand_philox::philox4x32_10(counter, key)
        );
    }
}

#[test]
fn normals_have_the_moments_of_the_normal_distribution() {
    let z = many_normals();
    let n = z.len() as f64;
    let moment = |power: i32| z.iter().map(|z| z.powi(power)).sum::<f64>() / n;
    // Five standard errors of the mean of z^k: Var(z^k) = E z^2k - (E z^k)^2.
    for (power, expected, variance) in
        [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)]
    {
        let error = (moment(power) - expected).abs();
        assert!(
            error < 5.0 * f64::sqrt(variance / n),
            "moment {power}: {error}"
        );
    }
    let lag = |k: usize| z.iter().zip(&z[k..]).map(|(a, b)| a * b).sum::<f64>() / n;
    for k in [1, 4, LANES, 2 * LANES, 4 * LANES] {
        assert!(lag(k).abs() < 5.0 / n.sqrt(), "lag {k}: {}", lag(k));
    }
}

#[test]
fn normals_pass_kolmogorov_and_smirnov() {
    let mut z = many_normals();
    z.sort_by(f64::total_cmp);
    let n = z.len() as f64;
    let gap = |(i, &z): (usize, &f64)| {
        let p = pnorm::<false>(z);
        (p - i as f64 / n).max((i as f64 + 1.0) / n - p)
    };
    let distance = z.iter().enumerate().map(gap).fold(0.0, f64::max);
    // Exceeded with probability 1e-4.
    assert!(distance * n.sqrt() < 2.23, "{}", distance * n.sqrt());
}

#[test]
fn uniforms_fill_the_open_unit_interval_evenly() {
    let mut columns = [Column::ZERO; 3];
    let mut counts = [0.0; 20];
    for iteration in 0..5_000 {
        stream(Purpose::Sampler).uniforms(Isa::detect(), &lanes(), iteration, 0, &mut columns);
        for u in columns.iter().flat_map(|c| c.0) {
            assert!(u > 0.0 && u < 1.0);
            counts[(u * 20.0) as usize] += 1.0;
        }
    }
    let expected = 5_000.0 * 3.0 * LANES as f64 / 20.0;
    let chi_square: f64 = counts
        .iter()
        .map(|c| (c - expected).powi(2) / expected)
        .sum();
    // The 0.9999 quantile for 19 degrees of freedom.
    assert!(chi_square < 50.8, "{chi_square}");
    assert_eq!(uniform(0, 0), 0.25 * f64::EPSILON * 2.0);
    assert_eq!(uniform(!0, !0), 1.0 - 0.5 * f64::EPSILON);
}

#[test]
fn every_instruction_set_gives_the_same_bits() {
    let stream = stream(Purpose::Start);
    let mut expected = [[Column::ZERO; 5]; 2];
    for isa in Isa::available() {
        for iteration in 0..500 {
            let mut columns = [[Column::ZERO; 5]; 2];
            stream.normals(isa, &lanes(), iteration, 3, &mut columns[0]);
            stream.uniforms(isa, &lanes(), iteration, 3, &mut columns[1]);
            let [normals, uniforms] = &mut expected;
            stream.normals(Isa::Baseline, &lanes(), iteration, 3, normals);
            stream.uniforms(Isa::Baseline, &lanes(), iteration, 3, uniforms);
            assert_eq!(bits(&columns[0]), bits(&expected[0]));
            assert_eq!(bits(&columns[1]), bits(&expected[1]));
        }
    }
}

#[test]
fn a_draw_depends_neither_on_its_lane_nor_on_the_columns_asked_for() {
    let stream = stream(Purpose::Start);
    let mut reversed = lanes();
    reversed.subject.reverse();
    reversed.chain.reverse();
    let mut all = [Column::ZERO; 6];
    stream.normals(Isa::detect(), &lanes(), 7, 0, &mut all);
    for draw in 0..6 {
        let mut column = normal_column(stream, &reversed, 7, draw);
        column.0.reverse();
        assert_eq!(bits(&[column]), bits(&[all[draw as usize]]));
    }
    let mut middle = [Column::ZERO; 3];
    stream.normals(Isa::detect(), &lanes(), 7, 1, &mut middle);
    assert_eq!(bits(&middle), bits(&all[1..4]));
}

#[test]
fn every_part_of_an_address_matters() {
    let base = stream(Purpose::Sampler);
    let mut seen = HashSet::new();
    let mut count = 0;
    let mut note = |column: Column| {
        seen.extend(bits(&[column]));
        count += LANES;
    };
    note(normal_column(base, &lanes(), 0, 0));
    note(normal_column(base, &lanes(), 1, 0));
    note(normal_column(base, &lanes(), 0, 1));
    note(normal_column(base, &lanes(), 0, 2));
    note(normal_column(base, &lanes(), 0, MAX_DRAWS - 1));
    note(normal_column(stream(Purpose::Start), &lanes(), 0, 0));
    for seed in [base.seed + 1, base.seed ^ (1 << 63)] {
        note(normal_column(Stream { seed, ..base }, &lanes(), 0, 0));
    }
    let mut uniforms = [Column::ZERO];
    base.uniforms(Isa::detect(), &lanes(), 0, 0, &mut uniforms);
    note(uniforms[0]);
    assert_eq!(seen.len(), count);
}
