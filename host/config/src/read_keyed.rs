//! Event time, windows, aggregates and deduplication, read from the tree.

use volley_api::PortName;

use crate::error::{Findings, Problem};
use crate::fields::{Fields, only};
use crate::keyed::{
    AggregateSpec, DEDUPE_KEYS, DedupeSpec, EVENT_TIME_KEYS, EventTimeSpec, KEY_COLUMNS_MAX, LATENESS_LIMITS,
    SLIDING_KEYS, SlidingSpec, WATERMARK_KEYS, WINDOW_KEYS, WINDOW_KINDS, WINDOW_LIMITS, WINDOW_ROWS_MAX,
    WatermarkSpec, WindowKind, WindowSpec,
};
use crate::section::View;
use crate::spec::NamedExpressions;

pub(crate) fn event_time(view: &View<'_>, findings: &mut Findings) -> Option<EventTimeSpec> {
    let keys = [&EVENT_TIME_KEYS[..1], &WATERMARK_KEYS, &EVENT_TIME_KEYS[1..]].concat();
    let mut fields = Fields::new(view, &keys, findings)?;
    let column = fields.required("column").and_then(|view| fields.text(&view));
    let idle_after = fields.event_span("idle_after", WINDOW_LIMITS);
    let ordered = fields.read("ordered").unwrap_or_default();
    let rule = "one key says how watermarks follow from rows";
    let watermark = match only(&mut fields, &WATERMARK_KEYS, rule, "keep one of them")? {
        ("max_out_of_orderness", _) => {
            WatermarkSpec::MaxOutOfOrderness(fields.required_span("max_out_of_orderness", LATENESS_LIMITS)?)
        }
        ("strategy", _) => WatermarkSpec::Strategy(fields.read("strategy")?),
        (_, view) => WatermarkSpec::WatermarkColumn(fields.text(&view)?),
    };
    Some(EventTimeSpec { column: column?, watermark, idle_after, ordered, place: view.place.clone() })
}

/// What stands beside `aggregate`, whose value is `results`.
pub(crate) fn aggregate(fields: &mut Fields<'_, '_>, results: Option<NamedExpressions>) -> Option<AggregateSpec> {
    let key_by = fields.required("key_by").and_then(|view| fields.column_names(&view, KEY_COLUMNS_MAX));
    let window = beside(fields)?;
    Some(AggregateSpec { key_by: key_by?, window, aggregate: results? })
}

/// The window that stands beside, if there is one.
pub(crate) fn beside(fields: &mut Fields<'_, '_>) -> Option<Option<WindowSpec>> {
    match fields.get("window") {
        Some(view) => window(&view, fields.findings).map(Some),
        None => Some(None),
    }
}

fn window(view: &View<'_>, findings: &mut Findings) -> Option<WindowSpec> {
    let keys = [&WINDOW_KINDS[..], &WINDOW_KEYS].concat();
    let mut fields = Fields::new(view, &keys, findings)?;
    let allowed_lateness = fields.event_span("allowed_lateness", LATENESS_LIMITS);
    let late = fields.get("late").filter(|view| !view.node.is_null()).map(|view| late(&view, fields.findings));
    let kind = match only(&mut fields, &WINDOW_KINDS, "a window is cut in one way", "keep one of them")? {
        ("tumbling", _) => WindowKind::Tumbling(fields.required_span("tumbling", WINDOW_LIMITS)?),
        ("sliding", view) => WindowKind::Sliding(sliding(&view, fields.findings)?),
        ("session", _) => WindowKind::Session(fields.required_span("session", WINDOW_LIMITS)?),
        (_, view) => {
            if view.node.is_null() {
                let error = view.expected(&format!("a whole number from 1 to {WINDOW_ROWS_MAX}"));
                return fields.findings.note(Err(error));
            }
            WindowKind::Count(fields.bounded("count", WINDOW_ROWS_MAX)?)
        }
    };
    if !kind.is_of_time()
        && let Some(key) = WINDOW_KEYS.iter().find(|key| fields.get(key).is_some())
    {
        let place = fields.view.place.at(fields.get(key)?.owner.position);
        let message = format!("`{key}` is for windows of time: for a window of rows none comes late");
        fields.findings.push(&place, Problem::Value(message));
        return None;
    }
    let late = match late {
        Some(late) => Some(late?),
        None => None,
    };
    Some(WindowSpec { kind, allowed_lateness, late })
}

fn late(view: &View<'_>, findings: &mut Findings) -> Option<PortName> {
    let name: String = findings.note(view.read())?;
    let port = findings.note(PortName::new(&name).map_err(|invalid| view.place.problem(invalid.into())))?;
    if port == PortName::main() || port == PortName::errors() {
        let message = format!("`{port}` is the name of another output of every window: call it `late_rows`");
        findings.push(&view.place, Problem::Value(message));
        return None;
    }
    Some(port)
}

fn sliding(view: &View<'_>, findings: &mut Findings) -> Option<SlidingSpec> {
    let mut fields = Fields::new(view, &SLIDING_KEYS, findings)?;
    let size = fields.required_span("size", WINDOW_LIMITS);
    let slide = fields.required_span("slide", WINDOW_LIMITS);
    let (size, slide) = (size?, slide?);
    if slide > size {
        let message = format!("`{slide}` is more than the size, `{size}`: rows in between would be in no window");
        let place = fields.get("slide")?.place;
        fields.findings.push(&place, Problem::Value(message));
        return None;
    }
    Some(SlidingSpec { size, slide })
}

pub(crate) fn dedupe(view: &View<'_>, findings: &mut Findings) -> Option<DedupeSpec> {
    let mut fields = Fields::new(view, &DEDUPE_KEYS, findings)?;
    let by = fields.required("by").and_then(|view| fields.column_names(&view, KEY_COLUMNS_MAX));
    let within = fields.required_span("within", WINDOW_LIMITS);
    Some(DedupeSpec { by: by?, within: within? })
}
