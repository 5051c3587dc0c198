//! Seeded randomness that is the same on every machine and in every version, because files are
//! identified by what made them.

/// SplitMix64, by Steele, Lea and Flood: 64 bits of state, and every seed is good.
#[derive(Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `from` to just below `to`.
    pub(super) fn between(&mut self, from: u64, to: u64) -> u64 {
        assert!(from < to, "a range has a number in it");
        let scaled = (u128::from(self.next()) * u128::from(to - from)) >> 64;
        from + u64::try_from(scaled).expect("it is below a number of 64 bits")
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.index(from.len())]
    }

    pub(super) fn word(&mut self, from: &[&'static str]) -> &'static str {
        from[self.index(from.len())]
    }

    /// An index into a list of this length.
    pub(super) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.between(0, length as u64)).expect("it is below a length")
    }
}

/// How often something happens, as a bound for 64 random bits, so that after `new` no rounding
/// differs between machines.
#[derive(Clone, Copy)]
pub(super) struct Chance(u64);

impl Chance {
    /// `share` is from 0 to 1.
    pub(super) fn new(share: f64) -> Chance {
        // The scale is a power of two, so the product is exact; the cast truncates and saturates.
        Chance((share * 18_446_744_073_709_551_616.0) as u64)
    }

    pub(super) fn happens(self, random: &mut Random) -> bool {
        self.0 > 0 && random.next() <= self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_sequence() {
        let mut random = Random::new(1_234_567);
        let drawn = [random.next(), random.next(), random.next()];
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn a_chance_is_kept() {
        let mut random = Random::new(7);
        let mut of = |share| (0..100_000).filter(|_| Chance::new(share).happens(&mut random)).count();
        assert_eq!((of(0.0), of(1.0)), (0, 100_000));
        assert!((900..1_100).contains(&of(0.01)));
    }
}
