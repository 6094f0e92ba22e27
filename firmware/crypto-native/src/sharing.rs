//! Shamir's secret sharing over GF(2^8), by `vsss-rs`: no tables and no branches on secrets. Coefficients come from AWS-LC's DRBG.

use aws_lc_rs::rand;
use coloa_engine::CryptoError;
use coloa_engine::crypto::SharePoint;
use rand_core::{TryCryptoRng, TryRng};
use std::cell::Cell;
use std::convert::Infallible;
use vsss_rs::Gf256;
use zeroize::Zeroizing;

/// The DRBG as `rand_core` asks for one. `vsss-rs` knows no failing source: what was split with a failed one is thrown away.
struct Drbg<'a>(&'a Cell<bool>);

impl Drbg<'_> {
    fn fill(&self, out: &mut [u8]) {
        if rand::fill(out).is_err() {
            self.0.set(true);
        }
    }

    fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }
}

impl TryRng for Drbg<'_> {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(self.bytes()))
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(self.bytes()))
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        self.fill(out);
        Ok(())
    }
}

impl TryCryptoRng for Drbg<'_> {}

pub(crate) fn split(secret: &[u8], threshold: u8, count: u8) -> Result<Vec<SharePoint>, CryptoError> {
    let failed = Cell::new(false);
    let shares = Gf256::split_array(usize::from(threshold), usize::from(count), secret, Drbg(&failed));
    let shares: Vec<_> = shares.map_err(|_| CryptoError::Invalid)?.into_iter().map(Zeroizing::new).collect();
    if failed.get() {
        return Err(CryptoError::Entropy);
    }
    let point = |share: &Zeroizing<Vec<u8>>| {
        let (index, value) = share.split_first().ok_or(CryptoError::Invalid)?;
        Ok((*index, Zeroizing::new(value.to_vec())))
    };
    shares.iter().map(point).collect()
}

pub(crate) fn join(points: &[SharePoint]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let share = |(index, value): &SharePoint| {
        let mut share = Vec::with_capacity(value.len() + 1);
        share.push(*index);
        share.extend_from_slice(value);
        share
    };
    let shares: Zeroizing<Vec<Vec<u8>>> = Zeroizing::new(points.iter().map(share).collect());
    Gf256::combine_array(&*shares).map(Zeroizing::new).map_err(|_| CryptoError::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::subsequence;

    /// A threshold, a number of points, and which of them come, in some order.
    fn choices() -> impl Strategy<Value = (u8, u8, Vec<usize>)> {
        let chosen = |threshold: u8, count: u8| {
            subsequence((0..usize::from(count)).collect::<Vec<_>>(), usize::from(threshold)).prop_shuffle()
        };
        (2..=16u8)
            .prop_flat_map(|count| (2..=count, Just(count)))
            .prop_flat_map(move |(threshold, count)| (Just(threshold), Just(count), chosen(threshold, count)))
    }

    proptest! {
        /// R2: any M of N join, in any order; one fewer gives something else.
        #[test]
        fn as_many_as_the_threshold_join(secret: [u8; 32], (threshold, count, chosen) in choices()) {
            let all = split(&secret, threshold, count).unwrap();
            let mut given: Vec<_> = chosen.iter().map(|at| all[*at].clone()).collect();
            prop_assert_eq!(&join(&given).unwrap()[..], &secret[..]);
            given.pop();
            prop_assert!(join(&given).map_or(true, |joined| joined[..] != secret[..]));
        }
    }

    /// R2: what one share of two says of a secret's byte is nothing: each of its values comes about as often for one secret as
    /// for another (a chi-squared test of 255 degrees of freedom; above 400 comes once in 10^8 runs).
    #[test]
    fn a_share_alone_is_uniform() {
        for byte in [0, 0xff, 0x5a] {
            let mut seen = [0u32; 256];
            for _ in 0..512 {
                let points = split(&[byte; 32], 2, 2).unwrap();
                points[0].1.iter().for_each(|value| seen[usize::from(*value)] += 1);
            }
            let expected = 512.0 * 32.0 / 256.0;
            let squared: f64 = seen.iter().map(|n| (f64::from(*n) - expected).powi(2) / expected).sum();
            assert!(squared < 400.0, "{squared} for {byte}");
        }
    }

    #[test]
    fn what_makes_no_scheme_is_refused() {
        let secret = [1; 32];
        for (threshold, count) in [(0, 2), (1, 2), (3, 2), (2, 0)] {
            assert_eq!(split(&secret, threshold, count).err(), Some(CryptoError::Invalid), "{threshold} of {count}");
        }
        let points = split(&secret, 2, 3).unwrap();
        assert_eq!(join(&[points[0].clone(), points[0].clone()]).err(), Some(CryptoError::Invalid));
        let short = (points[1].0, Zeroizing::new(points[1].1[1..].to_vec()));
        assert_eq!(join(&[points[0].clone(), short]).err(), Some(CryptoError::Invalid));
    }

    /// Shares of a printed page must still join when this code is another: computed by hand for 0x42 + 0x99 x over
    /// x^8 + x^4 + x^3 + x + 1, at 1 and 2.
    #[test]
    fn the_field_is_that_of_aes() {
        let points = [(1, Zeroizing::new(vec![0x42 ^ 0x99])), (2, Zeroizing::new(vec![0x42 ^ 0x29]))];
        assert_eq!(&join(&points).unwrap()[..], [0x42]);
    }
}
