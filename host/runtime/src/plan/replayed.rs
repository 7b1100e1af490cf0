//! Whether what a plan makes of rows can be made again, to rebuild a damaged checkpoint.

use volley_api::{OperatorIdentity, Replayed};

use super::{NodeKind, PhysicalPlan};

impl PhysicalPlan {
    /// Why state cannot be made again by reading again, if so: the node, and what it is about it.
    ///
    /// Rows come in another order then, and late ones are not told from others. What an operator with state has put out may
    /// therefore differ, so that no other may keep state of it.
    #[must_use]
    pub fn not_replayed(&self) -> Option<String> {
        let nodes = &self.checked.nodes;
        // Nodes stand in stream order: whether there is state before each, or in it.
        let mut keeps: Vec<Option<usize>> = vec![None; nodes.len()];
        for (index, node) in nodes.iter().enumerate() {
            let before = self.checked.edges.iter().filter(|edge| edge.to == index).find_map(|edge| keeps[edge.from]);
            let NodeKind::Operator(factory) = &node.kind else { continue };
            let replayed = node.input.as_ref().map_or(Replayed::Otherwise, |input| factory.replayed(input));
            keeps[index] = match (replayed, before) {
                (Replayed::RowByRow, before) => before,
                (Replayed::AsASet, None) => Some(index),
                (Replayed::AsASet, Some(before)) => {
                    return Some(format!(
                        "`{}` keeps state of what `{}` puts out, which may be other rows the second time",
                        node.name, nodes[before].name
                    ));
                }
                (Replayed::Otherwise, _) => {
                    return Some(format!(
                        "what `{}` ({}) makes of rows depends on more than which they are: their order, time, or what it asks for",
                        node.name,
                        factory.label()
                    ));
                }
            };
        }
        None
    }

    /// What every operator says that it is.
    pub fn identities(&self) -> impl Iterator<Item = (&str, OperatorIdentity)> {
        self.checked.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::Operator(factory) => Some((node.name.as_str(), factory.identity())),
            _ => None,
        })
    }
}
