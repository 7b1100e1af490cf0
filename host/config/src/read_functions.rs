//! Plugins that are no operators: functions of expressions, and formats of files.

use crate::error::{ConfigError, ConfigErrors, Findings, Problem};
use crate::fields::Fields;
use crate::grants::{ColumnsGrant, GrantsSpec, grants};
use crate::place::Located;
use crate::read_spec::{determinism_sample, limits, plugin};
use crate::section::{Field, Section, View};
use crate::spec::{FunctionSpec, OnError, OnNoValue, PluginSpec};
use crate::suggest::Unknown;
use crate::tree::NodeKind;

const FUNCTION_KEYS: [&str; 7] = ["component", "config", "limits", "on_error", "trust", "grants", "determinism_sample"];

/// The longest name of a function, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// Reads `functions`; those with errors are left out.
pub(crate) fn functions(view: &View<'_>, findings: &mut Findings) -> Vec<FunctionSpec> {
    let Some(fields) = findings.note(view.fields()) else { return Vec::new() };
    fields.into_iter().filter_map(|Field { key, view }| function(key, &view, findings)).collect()
}

fn function(name: &str, view: &View<'_>, findings: &mut Findings) -> Option<FunctionSpec> {
    let begins_well = name.starts_with(|first: char| first.is_ascii_lowercase());
    let goes_on_well = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !begins_well || !goes_on_well || name.len() > NAME_BYTES_MAX {
        let message = format!(
            "`{name}` is no name of a function: use a lower-case letter, then letters, digits or `_`, at most \
             {NAME_BYTES_MAX} in all"
        );
        findings.push(&view.owner, Problem::Value(message));
        return None;
    }
    let mut fields = Fields::new(view, &FUNCTION_KEYS, findings)?;
    let component = fields.required("component").and_then(|view| fields.text(&view));
    let config = fields.get("config").map_or_else(|| Section::empty(&view.owner), |view| view.section());
    // The function gets its configuration as JSON, so what JSON cannot say is refused here.
    fields.findings.note(config.to_json());
    let on_error = match fields.get("on_error") {
        Some(view) => fields.findings.note(on_no_value(&view))?,
        None => OnNoValue::default(),
    };
    let trust = fields.read("trust").unwrap_or_default();
    let limits = fields.get("limits").and_then(|view| limits(&view, fields.findings)).unwrap_or_default();
    let grants = match fields.get("grants") {
        Some(view) => {
            let granted = grants(&view, fields.findings)?;
            if granted.columns != ColumnsGrant::All {
                let message = "a function sees its arguments, and no columns: leave `columns` out";
                fields.findings.push(&view.place, Problem::Value(message.to_owned()));
                return None;
            }
            granted
        }
        None => GrantsSpec::default(),
    };
    let determinism_sample = determinism_sample(&mut fields);
    let name = Located { value: name.to_owned(), place: view.owner.clone(), written: None };
    Some(FunctionSpec { name, component: component?, config, limits, on_error, trust, grants, determinism_sample })
}

/// `fail` or `null`, which YAML takes for no value where it stands without quotes.
fn on_no_value(view: &View<'_>) -> Result<OnNoValue, ConfigError> {
    const KNOWN: [&str; 2] = ["fail", "null"];
    match &view.node.kind {
        NodeKind::Scalar(scalar) if scalar.text == "fail" => Ok(OnNoValue::Fail),
        NodeKind::Scalar(scalar) if scalar.text == "null" => Ok(OnNoValue::Null),
        NodeKind::Scalar(scalar) if !scalar.text.is_empty() => {
            Err(view.place.problem(Problem::Unknown(Unknown::new("value", &scalar.text, &KNOWN))))
        }
        _ => Err(view.expected("`fail` or `null`")),
    }
}

/// The plugin of a connector's `format: { plugin: { component: … } }`; `None` where its options name no such format.
///
/// # Errors
/// Everything that is wrong with it, with its lines.
pub fn plugin_format(options: &Section) -> Result<Option<PluginSpec>, ConfigErrors> {
    let mut findings = Findings::default();
    let spec = read_format(options, &mut findings);
    findings.finish(spec)
}

fn read_format(options: &Section, findings: &mut Findings) -> Option<PluginSpec> {
    let of = |view: &View<'_>, key: &str| {
        let fields = view.fields().ok()?;
        fields
            .into_iter()
            .find(|field| field.key == key)
            .map(|field| (field.view.node.clone(), field.view.place, field.view.owner))
    };
    let (node, place, owner) = of(&options.view(), "format")?;
    if !matches!(node.kind, NodeKind::Mapping(_)) {
        return None;
    }
    let format = View { node: &node, place, owner };
    let fields = Fields::new(&format, &["plugin"], findings)?;
    let view = fields.get("plugin").or_else(|| {
        fields.findings.push(&format.owner, Problem::Missing("plugin".to_owned()));
        None
    })?;
    let spec = plugin(&view, findings)?;
    if spec.on_error != OnError::Fail {
        let message =
            "a format has no `on_error`: what it cannot read goes to the source's `errors`, where somebody reads it";
        findings.push(&view.place, Problem::Value(message.to_owned()));
        return None;
    }
    Some(spec)
}
