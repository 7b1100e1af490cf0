//! The columns of every output of a plan, as text: in full where they begin, as a difference below.

use std::fmt;

use arrow::datatypes::{FieldRef, SchemaRef};

use super::draw::{NodeView, PlanView, PortView};

/// How long a line may be, in characters.
const LINE_WIDTH_MAX: usize = 110;

/// `name: type` for each column, with `?` behind the type where nulls may occur.
pub(crate) fn of(schema: &SchemaRef) -> Vec<String> {
    let nullable = |field: &FieldRef| if field.is_nullable() { "?" } else { "" };
    schema.fields().iter().map(|field| format!("{}: {}{}", field.name(), field.data_type(), nullable(field))).collect()
}

/// One paragraph for each output.
pub(crate) fn write(plan: &PlanView, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let outputs: Vec<_> =
        plan.nodes.iter().flat_map(|node| node.outputs.iter().map(move |port| (node, port))).collect();
    let width = outputs.iter().map(|(node, port)| name(node, port).len()).max().unwrap_or(0);
    for (node, port) in outputs {
        let mut lines = wrap(&describe(plan, node, port), LINE_WIDTH_MAX.saturating_sub(width + 2)).into_iter();
        writeln!(f, "{:width$}  {}", name(node, port), lines.next().unwrap_or_default())?;
        for line in lines {
            writeln!(f, "{:width$}  {line}", "")?;
        }
    }
    Ok(())
}

fn name(node: &NodeView, port: &PortView) -> String {
    if port.name == "out" { node.name.clone() } else { format!("{}.{}", node.name, port.name) }
}

/// The columns of an output, told from those of the first input where most are the same.
fn describe(plan: &PlanView, node: &NodeView, port: &PortView) -> Vec<String> {
    let input = plan.edges.iter().find(|edge| edge.to == node.name).and_then(|edge| {
        let from = plan.nodes.iter().find(|node| node.name == edge.from)?;
        Some((from, from.outputs.iter().find(|port| port.name == edge.port)?))
    });
    let Some((from, input)) = input else { return port.columns.clone() };
    match port.columns.strip_prefix(input.columns.as_slice()) {
        Some([]) => vec![format!("as {}", name(from, input))],
        Some(added) => {
            let mut words = added.to_vec();
            words[0] = format!("as {}, and {}", name(from, input), words[0]);
            words
        }
        None => port.columns.clone(),
    }
}

/// Words joined by commas, in lines of at most `width` characters where single words allow it.
fn wrap(words: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let word = if index + 1 < words.len() { format!("{word},") } else { word.clone() };
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}
