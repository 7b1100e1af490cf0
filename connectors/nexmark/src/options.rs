//! The options of the generator, as they stand in a pipeline file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::column::Column;
use crate::error::{Error, Result};
use crate::kind::EventKind;

/// The most splits: each has a reader and a place in every checkpoint.
pub(crate) const SPLITS_MAX: u32 = 1024;
/// The most events: their times, in milliseconds, stay within 64 bits even at one event a second.
pub(crate) const EVENTS_MAX: u64 = 1 << 52;
/// The last millisecond of the year 9999.
pub(crate) const BASE_TIME_MS_MAX: i64 = 253_402_300_799_999;
/// The beginning of the published benchmark's time, 2015-07-15 at midnight: runs at different times give the same rows.
const BASE_TIME_MS: i64 = 1_436_918_400_000;
const EVENTS_PER_SECOND: u32 = 10_000;
const SPLITS: u32 = 4;

/// Makes up the events of the Nexmark benchmark, an auction house: the same ones at every run.
///
/// Of every 50 events one is a new person, three are new auctions and 46 are bids. Several sources with other `events`
/// and otherwise the same options are parts of one stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NexmarkOptions {
    /// Which events: `persons`, `auctions` or `bids`, each a table of its own, or `all` in one table, with a structure
    /// for each kind. Events of other kinds are not made, but counted: they have their numbers, and their time.
    pub events: EventKind,
    /// The columns, in this order; others are not made. Default: all that the kind has.
    #[schemars(length(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// How many events there are in all, of all kinds together: 50 give 46 bids. Default: it goes on until it is
    /// stopped.
    #[schemars(range(max = 4_503_599_627_370_496_u64))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_count: Option<u64>,
    /// Another seed gives other random numbers. Default: 0.
    #[serde(default)]
    pub seed: u64,
    /// How many parts there are that can be read at the same time: 1 to 1024. Rows are dealt out to them in turns; which
    /// rows there are does not depend on it. Default: 4.
    #[serde(default = "default_splits")]
    #[schemars(range(min = 1, max = 1024))]
    pub splits: u32,
    /// Events of all kinds per second of event time, at least 1: event `n` happens `n / events_per_second` seconds after
    /// the first. Rows come as fast as they are taken all the same. Default: 10000.
    #[serde(default = "default_events_per_second")]
    #[schemars(range(min = 1))]
    pub events_per_second: u32,
    /// How far event times are out of order, in milliseconds: each is put back by a random time of at most this. With
    /// the same `max_out_of_orderness` no row is late. Default: 0, event times ascend in each part.
    #[serde(default)]
    pub out_of_order_ms: u32,
    /// The time of the first event, in milliseconds since 1970. Default: 1436918400000, which is 2015-07-15 00:00 UTC.
    #[serde(default = "default_base_time_ms")]
    #[schemars(range(min = 0, max = 253_402_300_799_999_i64))]
    pub base_time_ms: i64,
}

fn default_splits() -> u32 {
    SPLITS
}

fn default_events_per_second() -> u32 {
    EVENTS_PER_SECOND
}

fn default_base_time_ms() -> i64 {
    BASE_TIME_MS
}

impl NexmarkOptions {
    /// Options with defaults for everything but the kind of events.
    #[must_use]
    pub fn new(events: EventKind) -> Self {
        Self {
            events,
            columns: None,
            event_count: None,
            seed: 0,
            splits: SPLITS,
            events_per_second: EVENTS_PER_SECOND,
            out_of_order_ms: 0,
            base_time_ms: BASE_TIME_MS,
        }
    }

    /// Checks each option against its range, and the columns against those that there are.
    ///
    /// # Errors
    /// All but [`Error::NoSuchSplit`] and [`Error::Offset`].
    pub fn check(&self) -> Result<()> {
        if !(1..=SPLITS_MAX).contains(&self.splits) {
            return Err(Error::Splits(self.splits));
        }
        if let Some(events) = self.event_count.filter(|&events| events > EVENTS_MAX) {
            return Err(Error::EventCount(events));
        }
        if self.events_per_second == 0 {
            return Err(Error::EventsPerSecond);
        }
        if !(0..=BASE_TIME_MS_MAX).contains(&self.base_time_ms) {
            return Err(Error::BaseTime(self.base_time_ms));
        }
        self.columns().map(|_| ())
    }

    /// The columns that are wanted.
    pub(crate) fn columns(&self) -> Result<Vec<&'static Column>> {
        let all = self.events.columns();
        let Some(names) = &self.columns else { return Ok(all.iter().collect()) };
        if names.is_empty() {
            return Err(Error::NoColumns);
        }
        let find = |(at, name): (usize, &String)| match all.iter().find(|column| column.name == *name) {
            _ if names[..at].contains(name) => Err(Error::ColumnTwice(name.clone())),
            Some(column) => Ok(column),
            None => Err(Error::UnknownColumn {
                column: name.clone(),
                events: self.events.name(),
                columns: all.iter().map(|column| column.name).collect::<Vec<_>>().join(", "),
            }),
        };
        names.iter().enumerate().map(find).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<NexmarkOptions, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_fill_what_is_not_said() {
        let options = parse(r#"{ "events": "bids" }"#).unwrap();
        assert_eq!(options, NexmarkOptions::new(EventKind::Bids));
        options.check().unwrap();
        let text = serde_json::to_string(&options).unwrap();
        assert_eq!(parse(&text), Ok(options));
    }

    #[test]
    fn what_is_not_possible_is_refused() {
        assert!(parse(r#"{ "events": "bids", "rows": 1 }"#).unwrap_err().contains("unknown field `rows`"));
        assert!(parse(r#"{ "seed": 1 }"#).unwrap_err().contains("missing field `events`"));
        assert!(parse(r#"{ "events": "bid" }"#).unwrap_err().contains("unknown variant `bid`"));
        let check = |more: &str| {
            parse(&format!(r#"{{ "events": "bids", {more} }}"#)).unwrap().check().map_err(|error| error.to_string())
        };
        assert_eq!(check(r#""splits": 0"#).unwrap_err(), "nexmark: splits is 0, and 1 to 1024 are possible");
        assert!(check(r#""splits": 1025"#).is_err());
        assert!(check(r#""event_count": 4503599627370497"#).is_err());
        assert!(check(r#""events_per_second": 0"#).is_err());
        assert!(check(r#""base_time_ms": -1"#).is_err());
        assert!(check(r#""columns": []"#).is_err());
        assert_eq!(
            check(r#""columns": ["price", "seller"]"#).unwrap_err(),
            "nexmark: bids have no column `seller`; they have auction, bidder, price, channel, url, date_time, extra"
        );
        assert_eq!(
            check(r#""columns": ["price", "price"]"#).unwrap_err(),
            "nexmark: the column `price` is given twice"
        );
        assert_eq!(check(r#""columns": ["price"], "splits": 1024, "event_count": 0"#), Ok(()));
    }

    #[test]
    fn the_schema_documents_every_option() {
        let schema = serde_json::to_value(schemars::schema_for!(NexmarkOptions)).unwrap();
        let properties = schema["properties"].as_object().unwrap();
        assert_eq!(properties.len(), 8);
        for (option, property) in properties {
            let text = property["description"].as_str();
            assert!(text.is_some_and(|text| text.len() > 20), "{option}: {text:?}");
        }
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["required"], serde_json::json!(["events"]));
    }
}
