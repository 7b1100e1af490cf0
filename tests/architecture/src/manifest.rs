//! A Cargo manifest as the rules see it: a path, a package name and its dependencies.

/// The sections of a manifest that can hold dependencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// `[dependencies]`, also those of one target only.
    Normal,
    /// `[build-dependencies]`.
    Build,
    /// `[dev-dependencies]`: compiled for tests alone.
    Dev,
}

impl Section {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Normal, "dependencies"), (Self::Build, "build-dependencies"), (Self::Dev, "dev-dependencies")];
}

/// One line of a dependency section.
#[derive(Debug, Clone, PartialEq)]
pub struct Dependency {
    /// Where it stands.
    pub section: Section,
    /// The crate's own name, also where it is renamed.
    pub name: String,
    /// What is written to the right of the name.
    pub value: toml::Value,
}

/// A manifest: where it is and what it says.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// Relative to the root of the repository, with `/`.
    pub path: String,
    /// The parsed file.
    pub table: toml::Table,
}

impl Manifest {
    /// Parses the text of a manifest.
    ///
    /// # Panics
    /// When the text is not TOML: cargo would refuse it too.
    pub fn parse(path: &str, text: &str) -> Self {
        let table = text.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
        Self { path: path.to_owned(), table }
    }

    /// `package.name`; `None` for a manifest that only holds a workspace.
    pub fn package(&self) -> Option<&str> {
        self.table.get("package")?.get("name")?.as_str()
    }

    /// The dependencies of every section, those under `[target.'…']` included.
    pub fn dependencies(&self) -> Vec<Dependency> {
        let targets = self.table.get("target").and_then(toml::Value::as_table);
        let per_target = targets.into_iter().flat_map(|targets| targets.values().filter_map(toml::Value::as_table));
        std::iter::once(&self.table).chain(per_target).flat_map(dependencies_of).collect()
    }
}

fn dependencies_of(table: &toml::Table) -> Vec<Dependency> {
    let lines = |key| table.get(key).and_then(toml::Value::as_table).into_iter().flatten();
    Section::ALL
        .iter()
        .flat_map(|&(section, key)| {
            lines(key).map(move |(name, value)| {
                let renamed = value.get("package").and_then(toml::Value::as_str);
                Dependency { section, name: renamed.unwrap_or(name).to_owned(), value: value.clone() }
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_of_every_section_and_target_are_seen_under_their_own_names() {
        let text = r#"
            [package]
            name = "a"
            [dependencies]
            one = "1"
            alias = { package = "two", version = "2" }
            [build-dependencies]
            three = { workspace = true }
            [target.'cfg(unix)'.dev-dependencies]
            four = { workspace = true }
        "#;
        let manifest = Manifest::parse("a/Cargo.toml", text);
        assert_eq!(manifest.package(), Some("a"));
        let seen: Vec<_> = manifest.dependencies().into_iter().map(|d| (d.section, d.name)).collect();
        let expected =
            [(Section::Normal, "two"), (Section::Normal, "one"), (Section::Build, "three"), (Section::Dev, "four")];
        for (section, name) in expected {
            assert!(seen.contains(&(section, name.to_owned())), "{name} is missing from {seen:?}");
        }
        assert_eq!(seen.len(), expected.len());
    }
}
