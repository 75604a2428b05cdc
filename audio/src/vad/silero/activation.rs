//! Rectifier, sigmoid and hyperbolic tangent, in forms that the compiler can vectorise.
//!
//! The exponential is Cephes' `expf` (S. Moshier): a polynomial on [-ln 2 / 2, ln 2 / 2] and a
//! power of two put into the exponent's bits. No table, no call into the C library.

use std::f32::consts::LOG2_E;

/// Adding this rounds to the nearest integer and leaves that integer in the low bits.
const ROUNDER: f32 = 12_582_912.0;
/// ln 2 in two parts, the first of few bits, so that `n * LN_2_HIGH` is exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// Beyond this, `exp` leaves the normal numbers; a sigmoid is 0 or 1 long before.
const EXPONENT_LIMIT: f32 = 87.0;

#[inline(always)]
fn exp(x: f32) -> f32 {
    let x = x.clamp(-EXPONENT_LIMIT, EXPONENT_LIMIT);
    let rounded = x * LOG2_E + ROUNDER;
    let n = rounded - ROUNDER;
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_199_9e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 0.5;
    let mantissa = p * r * r + r + 1.0;
    let power = rounded.to_bits().wrapping_sub(ROUNDER.to_bits()).wrapping_add(127) << 23;
    mantissa * f32::from_bits(power)
}

/// The logistic function, within 3e-7.
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The hyperbolic tangent, within 5e-7.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    2.0 * sigmoid(2.0 * x) - 1.0
}

/// Replaces what is below zero by zero.
#[inline(always)]
pub(super) fn rectify(values: &mut [f32]) {
    for value in values {
        *value = value.max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_far_ends_are_flat() {
        for (x, low) in [(-1e30_f32, 0.0), (-200.0, 0.0), (200.0, 1.0), (1e30, 1.0)] {
            assert!((sigmoid(x) - low).abs() < 1e-30, "{x}");
            assert_eq!(tanh(x), 2.0 * low - 1.0);
        }
    }

    proptest! {
        #[test]
        fn the_approximations_keep_their_word(x in -100.0_f32..100.0) {
            let exact = 1.0 / (1.0 + f64::from(-x).exp());
            prop_assert!((f64::from(sigmoid(x)) - exact).abs() < 3e-7);
            prop_assert!((f64::from(tanh(x)) - f64::from(x).tanh()).abs() < 5e-7);
        }
    }
}
