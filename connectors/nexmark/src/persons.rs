//! Persons.

use crate::column::{Column, date_time, int64, integers, text, time};
use crate::model::{EPOCH, Model, PERSON_ID_FIRST};
use crate::random::{Use, after, upper_below};
use crate::texts::{Texts, extra_length, letters, one_of};
use arrow::array::ArrayRef;

/// What a person has in bytes, on average.
const BYTES: usize = 200;
/// What the columns of one length are counted as: the id, e-mail address, credit card and state.
const FIXED: usize = 8 + EMAIL_BYTES + CARD_BYTES + 2;
const EMAIL_BYTES: usize = 17;
const CARD_BYTES: usize = 19;

const FIRST_NAMES: [&str; 11] =
    ["Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"];
const LAST_NAMES: [&str; 9] = ["Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"];
const CITIES: [&str; 10] =
    ["Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne"];
const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];

pub(crate) static COLUMNS: [Column; 8] = [
    Column::new("id", int64, |_, numbers| integers(numbers, |n| PERSON_ID_FIRST + n / EPOCH)),
    Column::new("name", text, |model, numbers| {
        made(model, numbers, Use::PersonName, 14, |texts, random| {
            let (first, last) = name(random);
            [first, " ", last].into_iter().for_each(|part| texts.push(part));
        })
    }),
    Column::new("email_address", text, |model, numbers| {
        made(model, numbers, Use::PersonEmail, EMAIL_BYTES, |texts, random| {
            texts.push_letters(random, 7);
            texts.push("@");
            texts.push_letters(after(random), 5);
            texts.push(".com");
        })
    }),
    Column::new("credit_card", text, |model, numbers| {
        made(model, numbers, Use::PersonCard, CARD_BYTES, |texts, random| {
            for group in 0..4 {
                if group > 0 {
                    texts.push(" ");
                }
                texts.push_four_digits((((random >> (16 * group)) & 0xffff) * 10_000) >> 16);
            }
        })
    }),
    Column::new("city", text, |model, numbers| {
        made(model, numbers, Use::PersonCity, 8, |texts, random| texts.push(one_of(&CITIES, random)))
    }),
    Column::new("state", text, |model, numbers| {
        made(model, numbers, Use::PersonState, 2, |texts, random| texts.push(one_of(&STATES, random)))
    }),
    Column::new("date_time", time, date_time),
    Column::new("extra", text, |model, numbers| {
        let (names, cities) = (model.draws(Use::PersonName), model.draws(Use::PersonCity));
        letters(model.draws(Use::PersonExtra), numbers, BYTES - FIXED, |n, random| {
            let (first, last) = name(names.of(n));
            let others = FIXED + first.len() + 1 + last.len() + one_of(&CITIES, cities.of(n)).len();
            extra_length(random, BYTES, others)
        })
    }),
];

fn name(random: u64) -> (&'static str, &'static str) {
    (one_of(&FIRST_NAMES, random), LAST_NAMES[upper_below(random, LAST_NAMES.len() as u64) as usize])
}

/// A column of text that `write` makes out of a random number each.
fn made(model: &Model, numbers: &[u64], what_for: Use, bytes_each: usize, write: impl Fn(&mut Texts, u64)) -> ArrayRef {
    let draws = model.draws(what_for);
    let mut texts = Texts::new(numbers.len(), bytes_each);
    for &n in numbers {
        write(&mut texts, draws.of(n));
        texts.end();
    }
    texts.finish()
}
