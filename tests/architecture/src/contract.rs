//! A contract that is released does not change: what its files mean is written down beside them, and compared.

use crate::Finding;

/// What a contract means: of each file, by name, its lines without comments and without space around them.
///
/// Comments may be mended after a release; a word of WIT may not, since components that are built see it.
#[must_use]
pub fn meaning<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut meaning = String::new();
    for (name, text) in files {
        meaning += &format!("== {name}\n");
        let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default().trim());
        lines.filter(|line| !line.is_empty()).for_each(|line| meaning += &format!("{line}\n"));
    }
    meaning
}

/// The first word of a released contract that has changed since. `contract` is its folder.
#[must_use]
pub fn check(contract: &str, released: &str, now: &str) -> Vec<Finding> {
    if released == now {
        return Vec::new();
    }
    let differs = released.lines().zip(now.lines()).find(|(released, now)| released != now);
    let (before, after) = differs.unwrap_or_else(|| {
        let both = released.lines().count().min(now.lines().count());
        let rest = |text| str::lines(text).nth(both).unwrap_or("the end");
        (rest(released), rest(now))
    });
    vec![format!(
        "{contract} is released and says `{after}` where it said `{before}`: put it back, and put what is new into a folder of \
         the next version, which hosts know beside this one"
    )]
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELEASED: &str = "// Words.\ninterface a {\n    /// Adds.\n    add: func(x: u32) -> u32;\n}\n";

    fn findings(now: &str) -> Vec<Finding> {
        check("wit/x", &meaning([("a.wit", RELEASED)]), &meaning([("a.wit", now)]))
    }

    #[test]
    fn comments_may_change_and_nothing_else() {
        assert_eq!(findings(&RELEASED.replace("Adds.", "Adds one.")), [""; 0]);
        let changed = findings(&RELEASED.replace("x: u32", "x: u64"));
        assert!(
            changed[0].contains("says `add: func(x: u64) -> u32;` where it said `add: func(x: u32)"),
            "{changed:?}"
        );
        let longer = findings(&format!("{RELEASED}interface b {{}}\n"));
        assert!(longer[0].contains("says `interface b {}` where it said `the end`"), "{longer:?}");
        let other = check("wit/x", &meaning([("a.wit", RELEASED)]), &meaning([("b.wit", RELEASED)]));
        assert_eq!(other.len(), 1);
    }
}
