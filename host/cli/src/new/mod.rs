//! New projects from templates: names that are allowed, folders that are empty, words that are filled in.

pub mod pipeline;

use std::path::{Path, PathBuf};

use crate::Error;

/// The longest name of a project.
pub const NAME_CHARS_MAX: usize = 64;

/// A file of a template: its path in the project, and its text with `{{words}}` to fill in.
pub(crate) type Template = (&'static str, &'static str);

/// Checks that a name follows the form that pipeline files and Cargo both take.
///
/// # Errors
/// [`Error::BadName`], which says what is wrong with it.
pub(crate) fn check_name(what: &'static str, name: &str) -> Result<(), Error> {
    let bad = |why: &str| Error::BadName { what, name: name.to_owned(), why: why.to_owned(), max: NAME_CHARS_MAX };
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Err(bad("it does not begin with a lower-case letter"));
    }
    if let Some(strange) = name.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-' | '_')) {
        return Err(bad(&format!("`{strange}` is not allowed in it")));
    }
    if name.len() > NAME_CHARS_MAX {
        return Err(bad("it is too long"));
    }
    Ok(())
}

/// Writes a project into `dir`, which must not exist or be empty, and lists the files in the order of the template.
///
/// # Errors
/// [`Error::NotEmpty`], or [`Error::Io`]; after the latter, files written before it remain.
pub(crate) fn write_project(dir: &Path, files: &[Template], words: &[(&str, &str)]) -> Result<Vec<PathBuf>, Error> {
    if dir.exists() {
        let mut entries = std::fs::read_dir(dir).map_err(Error::io("look into", dir))?;
        if entries.next().is_some() {
            return Err(Error::NotEmpty { path: dir.into() });
        }
    }
    let mut written = Vec::new();
    for (name, text) in files {
        let path = dir.join(name);
        let parent = path.parent().expect("a file in a folder has a parent");
        std::fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
        std::fs::write(&path, fill(text, words)).map_err(Error::io("write", &path))?;
        written.push(path);
    }
    Ok(written)
}

/// Replaces each `{{word}}`.
pub(crate) fn fill(text: &str, words: &[(&str, &str)]) -> String {
    words.iter().fold(text.to_owned(), |text, (word, value)| text.replace(&format!("{{{{{word}}}}}"), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_break_a_rule_are_refused_with_the_rule() {
        for (name, why) in
            [("Delays", "lower-case"), ("1st", "lower-case"), ("", "lower-case"), ("a b", "` `"), ("a/../b", "`/`")]
        {
            let message = check_name("pipeline", name).unwrap_err().to_string();
            assert!(message.contains(why), "{name}: {message}");
        }
        assert!(check_name("pipeline", &"a".repeat(65)).is_err());
        assert!(check_name("pipeline", "delays-by_carrier2").is_ok());
    }

    #[test]
    fn a_folder_with_something_in_it_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let project = dir.path().join("p");
        let written = write_project(&project, &[("a/b.txt", "{{x}} {{y}}")], &[("x", "1"), ("y", "2")]).unwrap();
        assert_eq!(std::fs::read_to_string(&written[0]).unwrap(), "1 2");
        let again = write_project(&project, &[("c.txt", "")], &[]).unwrap_err();
        assert!(matches!(again, Error::NotEmpty { .. }) && !project.join("c.txt").exists());
    }
}
