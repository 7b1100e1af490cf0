//! A row-wise function stands alone.
use volley_sdk::filter;

struct Limit(f64);

impl Limit {
    #[filter]
    fn below(&self, n: f64) -> bool {
        n < self.0
    }
}

fn main() {}
