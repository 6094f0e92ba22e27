//! Log-linear latency histogram: 32 sub-buckets per power of two (about 3 % resolution).

const SUB_BITS: u32 = 5;
const SUB: usize = 1 << SUB_BITS;
const BUCKETS: usize = 64 * SUB;

/// Counts of durations in nanoseconds.
pub struct Histogram {
    counts: Vec<u64>,
    /// How many were recorded.
    pub total: u64,
    /// The longest.
    pub max: u64,
}

impl Histogram {
    /// Nothing recorded yet.
    pub fn new() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0, max: 0 }
    }

    fn index(ns: u64) -> usize {
        if ns < SUB as u64 {
            return ns as usize;
        }
        let shift = 63 - ns.leading_zeros() - SUB_BITS;
        (((shift + 1) as usize) << SUB_BITS) + ((ns >> shift) as usize & (SUB - 1))
    }

    /// Upper edge of a bucket.
    fn value(i: usize) -> u64 {
        if i < SUB {
            return i as u64;
        }
        let shift = (i >> SUB_BITS) as u32 - 1;
        (((SUB | (i & (SUB - 1))) as u64 + 1) << shift) - 1
    }

    /// Adds one duration.
    pub fn record(&mut self, ns: u64) {
        self.counts[Self::index(ns)] += 1;
        self.total += 1;
        self.max = self.max.max(ns);
    }

    /// Adds another thread's counts.
    pub fn merge(&mut self, o: &Histogram) {
        for (a, b) in self.counts.iter_mut().zip(&o.counts) {
            *a += b;
        }
        self.total += o.total;
        self.max = self.max.max(o.max);
    }

    /// The duration that a share `q` of all stays under.
    pub fn quantile(&self, q: f64) -> u64 {
        let want = ((self.total as f64 * q).ceil() as u64).max(1);
        let mut seen = 0;
        for (i, c) in self.counts.iter().enumerate() {
            seen += c;
            if seen >= want {
                return Self::value(i).min(self.max);
            }
        }
        self.max
    }
}

#[cfg(test)]
mod tests {
    use super::Histogram;

    #[test]
    fn quantiles_are_within_a_bucket() {
        let mut h = Histogram::new();
        for v in 1..=100_000u64 {
            h.record(v * 10);
        }
        for q in [0.5, 0.9, 0.99, 0.999] {
            let want = q * 1_000_000.0;
            let got = h.quantile(q) as f64;
            assert!((got - want).abs() / want < 0.04, "{q}: {got} vs {want}");
        }
        assert_eq!(h.quantile(1.0), 1_000_000);
    }
}
