//! Lists of columns to make: each with a name and the SQL text that makes it.

use volley_api::{Error, Result};
use volley_expr::SelectItem;

use super::{Aggregate, Expr, Tree};

/// The columns of a selection: by their alias, by the column that they are, or as text says.
pub(crate) fn select_items(items: Vec<Expr>) -> Result<Vec<(String, String)>> {
    let item = |item: Expr| match (item.alias, item.tree) {
        (Some(alias), tree) => Ok((alias, tree.to_string())),
        (None, Tree::Column(name)) => Ok((name.clone(), Tree::Column(name).to_string())),
        (None, Tree::Sql(text)) => item_of(&text),
        (None, tree) => Err(nameless(&tree.to_string())),
    };
    items.into_iter().map(item).collect()
}

/// The columns of an aggregation.
pub(crate) fn aggregates(items: Vec<Aggregate>) -> Result<Vec<(String, String)>> {
    if items.is_empty() {
        return Err(Error::config("there is no aggregate: name at least one, such as count()"));
    }
    let item = |item: Aggregate| match item.name() {
        Some(name) => Ok((name, item.to_string())),
        None if item.is_text() => item_of(&item.to_string()),
        None => Err(nameless(&item.to_string())),
    };
    items.into_iter().map(item).collect()
}

fn item_of(text: &str) -> Result<(String, String)> {
    let item = SelectItem::parse(text).map_err(Error::from)?;
    Ok((item.name, item.sql))
}

fn nameless(text: &str) -> Error {
    Error::config(format!("`{text}` makes a column without a name: add .alias(\"...\")"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{col, count, count_of, lit, sum};

    fn pairs(items: Result<Vec<(String, String)>>) -> Vec<String> {
        items.expect("named").into_iter().map(|(name, sql)| format!("{name}: {sql}")).collect()
    }

    #[test]
    fn every_column_has_a_name() {
        let items = vec![col("Dep Delay"), (col("a") + lit(1)).alias("b"), "upper(c) AS d".into(), "e".into()];
        assert_eq!(pairs(select_items(items)), ["Dep Delay: \"Dep Delay\"", "b: a + 1", "d: upper(c)", "e: e"]);
        let error = select_items(vec![col("a") + lit(1)]).expect_err("no name").to_string();
        assert_eq!(error, "`a + 1` makes a column without a name: add .alias(\"...\")");
        assert!(select_items(vec!["a + 1".into()]).is_err());
    }

    #[test]
    fn every_aggregate_has_a_name() {
        let late = col("delay").gt(lit(15));
        let items = vec![
            count(),
            sum("amount"),
            count_of(col("Dep Delay")).filter(late.clone()).filter("x"),
            sum(col("a") * lit(2)).alias("twice"),
            "avg(a) FILTER (WHERE b) AS mean".into(),
            Aggregate::from("max(a)").filter(late).alias("m"),
        ];
        assert_eq!(
            pairs(aggregates(items)),
            [
                "count: count(*)",
                "sum_amount: sum(amount)",
                "count_Dep Delay: count(\"Dep Delay\") FILTER (WHERE delay > 15 AND (x))",
                "twice: sum(a * 2)",
                "mean: avg(a) FILTER (WHERE b)",
                "m: max(a) FILTER (WHERE delay > 15)",
            ]
        );
        assert!(aggregates(Vec::new()).is_err());
        assert!(aggregates(vec![sum("a + 1")]).expect_err("no name").to_string().contains("alias"));
    }
}
