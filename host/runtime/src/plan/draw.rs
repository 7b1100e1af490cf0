//! The plan for people (a drawing) and for scripts (plain structs that serialise).

use std::fmt::{self, Write as _};

use serde::Serialize;

use super::check::EdgePort;
use super::columns;
use super::logical::NodeKind;
use super::physical::{ExchangeKind, PhysicalPlan};

/// A plan in plain words, for `plan --json`.
#[derive(Debug, Clone, Serialize)]
pub struct PlanView {
    /// The job's name.
    pub name: String,
    /// All nodes in stream order.
    pub nodes: Vec<NodeView>,
    /// All edges.
    pub edges: Vec<EdgeView>,
}

/// One node of a [`PlanView`].
#[derive(Debug, Clone, Serialize)]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// `source`, `operator` or `sink`.
    pub role: &'static str,
    /// What it is, in a few words.
    pub label: String,
    /// How many instances it has.
    pub parallelism: u32,
    /// Number of the chain that it belongs to; none for a sink.
    pub chain: Option<usize>,
    /// Its outputs, each with its columns.
    pub outputs: Vec<PortView>,
    /// What a sink promises; none for other nodes.
    pub guarantee: Option<&'static str>,
}

/// One output of a [`NodeView`].
#[derive(Debug, Clone, Serialize)]
pub struct PortView {
    /// The port's name.
    pub name: String,
    /// Its columns, `name: type`, with `?` behind the type where nulls may occur.
    pub columns: Vec<String>,
}

/// One edge of a [`PlanView`].
#[derive(Debug, Clone, Serialize)]
pub struct EdgeView {
    /// The node that rows come from.
    pub from: String,
    /// The output that they leave by.
    pub port: String,
    /// The node that they go to.
    pub to: String,
    /// `chained`, `forward`, `rebalance` or `key`.
    pub exchange: &'static str,
}

impl PhysicalPlan {
    /// The plan in plain words.
    #[must_use]
    pub fn view(&self) -> PlanView {
        let nodes = &self.checked.nodes;
        let view = |(index, node): (usize, &super::check::CheckedNode)| {
            let (role, label, guarantee) = match &node.kind {
                NodeKind::Source(source) => ("source", source.label(), None),
                NodeKind::Operator(operator) => ("operator", operator.label(), None),
                NodeKind::Sink(sink) => ("sink", sink.label(), Some(sink.guarantee().as_str())),
            };
            let outputs = node
                .ports
                .iter()
                .map(|port| PortView { name: port.name.to_string(), columns: columns::of(&port.schema) });
            NodeView {
                name: node.name.to_string(),
                role,
                label,
                parallelism: node.parallelism,
                chain: self.chain_of[index],
                outputs: outputs.collect(),
                guarantee,
            }
        };
        let edges = self.checked.edges.iter().map(|edge| EdgeView {
            from: nodes[edge.from].name.to_string(),
            port: match edge.port {
                EdgePort::Declared(port) => nodes[edge.from].ports[port].name.to_string(),
                EdgePort::Errors => "errors".to_owned(),
            },
            to: nodes[edge.to].name.to_string(),
            exchange: match (self.is_local(edge), self.exchange(edge)) {
                (true, _) => "chained",
                (false, ExchangeKind::Forward) => "forward",
                (false, ExchangeKind::Rebalance) => "rebalance",
                (false, ExchangeKind::Key) => "key",
            },
        });
        PlanView {
            name: self.checked.name.clone(),
            nodes: nodes.iter().enumerate().map(view).collect(),
            edges: edges.collect(),
        }
    }
}

/// A tree from the sources down, and the columns of every output below it. `─` leads to a node on the same thread, `═` through a channel, `≡` through a channel
/// that deals batches out in turn, `≈` by key. A node with several inputs is drawn below the first and referred to below the others.
impl fmt::Display for PlanView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tree = Tree { plan: self, lines: Vec::new(), drawn: vec![false; self.nodes.len()] };
        let roots: Vec<usize> = (0..self.nodes.len()).filter(|&node| self.nodes[node].role == "source").collect();
        for root in roots {
            tree.node(root, String::new(), String::new());
        }
        let width = tree.lines.iter().map(|(left, _)| left.chars().count()).max().unwrap_or(0);
        for (left, right) in &tree.lines {
            let padding = width - left.chars().count();
            let line = format!("{left}{:padding$}  {right}", "");
            writeln!(f, "{}", line.trim_end())?;
        }
        writeln!(f)?;
        columns::write(self, f)
    }
}

struct Tree<'a> {
    plan: &'a PlanView,
    lines: Vec<(String, String)>,
    drawn: Vec<bool>,
}

impl Tree<'_> {
    /// Draws a node behind `lead`, and what it feeds behind `indent`.
    fn node(&mut self, index: usize, lead: String, indent: String) {
        let node = &self.plan.nodes[index];
        if std::mem::replace(&mut self.drawn[index], true) {
            self.lines.push((format!("{lead}{}", node.name), "(see above)".to_owned()));
            return;
        }
        let mut right = node.label.clone();
        if node.parallelism > 1 {
            let _ = write!(right, "  ×{}", node.parallelism);
        }
        self.lines.push((format!("{lead}{}", node.name), right));
        let edges: Vec<&EdgeView> = self.plan.edges.iter().filter(|edge| edge.from == node.name).collect();
        for (position, edge) in edges.iter().enumerate() {
            let last = position + 1 == edges.len();
            let line = match edge.exchange {
                "chained" => "─",
                "forward" => "═",
                "key" => "≈",
                _ => "≡",
            };
            let port = if edge.port == "out" { String::new() } else { format!(" {} ", edge.port) };
            let lead = format!("{indent}{}{line}{port}{line} ", if last { "└" } else { "├" });
            let indent = format!("{indent}{}", if last { "    " } else { "│   " });
            let to = self.plan.nodes.iter().position(|node| node.name == edge.to);
            self.node(to.expect("edges lead to nodes"), lead, indent);
        }
    }
}
