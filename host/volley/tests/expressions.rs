//! What is built prints to SQL that means the same: each built expression is evaluated and compared with its meaning.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Float64Type, Int64Type};
use proptest::prelude::*;
use volley::{Expr, call, col, lit, not};
use volley_expr::Expression;

/// One row: the column `name` with that value.
fn one_row(name: &str, value: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([(name, value, true)]).expect("one column")
}

fn evaluate(expr: &Expr, batch: &RecordBatch) -> ArrayRef {
    let text = expr.to_string();
    let parsed = Expression::parse(&text, &batch.schema()).unwrap_or_else(|error| panic!("{text}: {error}"));
    parsed.evaluate(batch).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A condition, and what it is for a row in which `x` is that number or null.
#[derive(Debug, Clone)]
struct Meant {
    expr: Expr,
    /// The same by hand, with parentheses everywhere.
    sql: String,
}

fn number() -> impl Strategy<Value = Meant> {
    let leaf = prop_oneof![
        Just(Meant { expr: col("x"), sql: "x".into() }),
        (-5_i64..5).prop_map(|value| Meant { expr: lit(value), sql: format!("({value})") }),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone(), 0_usize..3).prop_map(|(a, b, operator)| {
                let expr = match operator {
                    0 => a.expr + b.expr,
                    1 => a.expr - b.expr,
                    _ => a.expr * b.expr,
                };
                Meant { expr, sql: format!("({} {} {})", a.sql, ["+", "-", "*"][operator], b.sql) }
            }),
            inner.prop_map(|a| Meant { expr: -a.expr, sql: format!("(-{})", a.sql) }),
        ]
    })
}

fn condition() -> impl Strategy<Value = Meant> {
    let comparison = (number(), number(), 0_usize..6).prop_map(|(a, b, operator)| {
        let expr = match operator {
            0 => a.expr.eq(b.expr),
            1 => a.expr.not_eq(b.expr),
            2 => a.expr.lt(b.expr),
            3 => a.expr.lt_eq(b.expr),
            4 => a.expr.gt(b.expr),
            _ => a.expr.gt_eq(b.expr),
        };
        Meant { expr, sql: format!("({} {} {})", a.sql, ["=", "<>", "<", "<=", ">", ">="][operator], b.sql) }
    });
    let tests = (number(), number(), number(), 0_usize..4).prop_map(|(a, b, c, test)| match test {
        0 => Meant { expr: a.expr.is_null(), sql: format!("({} IS NULL)", a.sql) },
        1 => Meant { expr: a.expr.is_not_null(), sql: format!("({} IS NOT NULL)", a.sql) },
        2 => Meant {
            expr: a.expr.between(b.expr, c.expr),
            sql: format!("(({a} >= {b}) AND ({a} <= {c}))", a = a.sql, b = b.sql, c = c.sql),
        },
        _ => Meant {
            expr: a.expr.in_list([b.expr, c.expr]),
            sql: format!("(({a} = {b}) OR ({a} = {c}))", a = a.sql, b = b.sql, c = c.sql),
        },
    });
    prop_oneof![comparison, tests].prop_recursive(4, 16, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| Meant { expr: a.expr.and(b.expr), sql: format!("({} AND {})", a.sql, b.sql) }),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| Meant { expr: a.expr.or(b.expr), sql: format!("({} OR {})", a.sql, b.sql) }),
            inner.clone().prop_map(|a| Meant { expr: not(a.expr), sql: format!("(NOT {})", a.sql) }),
            (inner.clone(), inner)
                .prop_map(|(a, b)| Meant { expr: a.expr.eq(b.expr), sql: format!("({} = {})", a.sql, b.sql) }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn parentheses_keep_the_meaning(meant in condition()) {
        let x = Int64Array::from(vec![Some(-3), Some(0), Some(1), Some(4), None]);
        let batch = one_row("x", Arc::new(x));
        let expected = Expression::parse(&meant.sql, &batch.schema()).expect("by hand").evaluate(&batch).expect("runs");
        let found = evaluate(&meant.expr, &batch);
        prop_assert_eq!(&found, &expected, "{} for {}", meant.expr, meant.sql);
    }

    #[test]
    fn any_name_is_a_column(name in "[ -~äß€\\n]{1,12}|[a-z]{1,8}|[A-Z_]{1,4}") {
        let batch = one_row(&name, Arc::new(Int64Array::from(vec![7])));
        let found = evaluate(&(col(&*name) + lit(1)).gt(col(&*name)), &batch);
        prop_assert_eq!(found.as_boolean(), &BooleanArray::from(vec![true]));
    }

    #[test]
    fn any_text_is_a_literal(text in "[ -~äß€\\n\\\\']{0,20}|\\PC{0,8}") {
        let batch = one_row("x", Arc::new(StringArray::from(vec![&*text])));
        let found = evaluate(&col("x").eq(lit(&*text)), &batch);
        prop_assert_eq!(found.as_boolean(), &BooleanArray::from(vec![true]));
    }

    #[test]
    fn any_number_is_a_literal(int in any::<i64>(), float in any::<f64>()) {
        let batch = one_row("x", Arc::new(Int64Array::from(vec![int])));
        let found = evaluate(&lit(int), &batch);
        prop_assert_eq!(found.as_primitive::<Int64Type>().value(0), int);
        let found = evaluate(&lit(float), &batch);
        let found = found.as_primitive::<Float64Type>().value(0);
        prop_assert!(found.to_bits() == float.to_bits() || found.is_nan() && float.is_nan(), "{found} for {float}");
    }
}

#[test]
fn every_word_of_sql_is_a_column_too() {
    let words = "all and any array as asc at between by case cast collate create current_date date day desc distinct div \
                 else end escape exists extract false first float from group having hour if in int interval into is join \
                 last left like limit map match minute mod month not null nulls offset on operator or order overlay \
                 position prior right row rows second select session_user set similar some struct substring table then \
                 time timestamp to trim true try_cast union unnest user using value values when where window with xor year \
                 zone regexp rlike ilike binary bytea json uuid numeric decimal dec bigint text char character isnull \
                 notnull global local temp return default ceil floor convert lambda sum count min max abs";
    for word in words.split_whitespace() {
        let batch = one_row(word, Arc::new(Int64Array::from(vec![7])));
        let word = || col(word);
        let used =
            word().eq(lit(7)).and(lit(7).eq(word())).and(not(word().is_null())).and((word() + word()).gt(word()));
        let used = used.and(word().in_list([word()])).and(word().between(word(), word()));
        let used = used.and(call("abs", [-word()]).eq(word())).and(word().cast("BIGINT").eq(word() % lit(8)));
        assert_eq!(evaluate(&used, &batch).as_boolean(), &BooleanArray::from(vec![true]), "{used}");
    }
}

#[test]
fn floats_at_the_extremes_are_literals() {
    let batch = one_row("x", Arc::new(Float64Array::from(vec![0.0])));
    for value in [f64::MAX, f64::MIN_POSITIVE, f64::INFINITY, f64::NEG_INFINITY, f64::EPSILON, -0.5, 1e21, 5e-324] {
        assert_eq!(evaluate(&lit(value), &batch).as_primitive::<Float64Type>().value(0), value);
    }
    for value in [i64::MIN, i64::MAX] {
        assert_eq!(evaluate(&lit(value), &batch).as_primitive::<Int64Type>().value(0), value);
    }
    assert!(evaluate(&lit(None::<i64>).is_null(), &batch).as_boolean().value(0));
}
