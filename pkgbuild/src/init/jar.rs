//! A Java program: a jar at the top.

use std::path::Path;

use super::Tree;
use super::template::{Draft, Launch};

pub(super) fn look(tree: &Tree) -> Option<Draft> {
    let jars: Vec<&String> = tree
        .entries
        .iter()
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "jar"))
        .collect();
    let (jar, others) = jars.split_first()?;
    let is_plain = jar.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    let mut notes = vec![format!("{jar} is started with `java -jar`, by the Java of the host")];
    if !others.is_empty() {
        notes.push(format!("there are {} more: name the one that starts", others.len()));
    }
    let launch =
        if is_plain { Launch::Exec(format!("java -jar $SOFTWARE_DIR/{jar}")) } else { Launch::NoService };
    Some(Draft { contents: Some(super::plain::CONTENTS.to_owned()), launch, notes, ..Draft::default() })
}
