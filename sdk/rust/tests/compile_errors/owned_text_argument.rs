//! Text is read as &str.
use volley_sdk::filter;

#[filter]
fn of_ann(user: String) -> bool {
    user == "ann"
}

fn main() {}
