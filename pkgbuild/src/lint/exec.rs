//! What the command line of a service names in the package, and is not there: `missing-exec`, `missing-path`.

use copkg_spec::index::{EntryPath, Mode};

use super::{Finding, Rule, Subject};
use crate::collect::{Node, destination};

pub(super) fn check(subject: Subject<'_>) -> Vec<Finding> {
    let Some(named) = subject.named else { return Vec::new() };
    let program = named.program.iter().filter_map(|path| program(path, subject));
    let others = named.others.iter().filter(|path| find(path, subject).is_none());
    let other = |path: &String| {
        let message = format!("[service] exec names $SOFTWARE_DIR/{path}, and the package has nothing there");
        Finding::of_package(Rule::MissingPath, message)
    };
    program.chain(others.map(other)).collect()
}

fn program(path: &str, subject: Subject<'_>) -> Option<Finding> {
    let message = match find(path, subject) {
        Some(Node::File { mode: Mode::Executable, .. }) => return None,
        Some(Node::File { .. }) => {
            format!(
                "[service] exec starts {path}, which is not executable: `chmod +x`, or mode = \"0755\" in [[contents]]"
            )
        }
        Some(_) => format!("[service] exec starts {path}, which is no file"),
        None => {
            let same_name =
                subject.tree.files().map(|(path, _)| path).find(|there| there.name() == name(path));
            let hint = same_name.map(|there| format!("; did you mean {there}?")).unwrap_or_default();
            format!("[service] exec starts {path}, which is not in the package{hint}")
        }
    };
    Some(Finding::of_package(Rule::MissingExec, message))
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Returns what is at a path, or where the link there leads.
fn find<'a>(path: &str, subject: Subject<'a>) -> Option<&'a Node<copkg_spec::index::LinkTarget>> {
    let plain: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | "." | "*")).collect();
    // A class path may end in `*`, and the package itself is there.
    let Ok(path) = plain.join("/").parse::<EntryPath>() else {
        return subject.tree.iter().next().map(|(_, node)| node);
    };
    match subject.tree.get(&path)? {
        Node::Symlink { target } => subject.tree.get(&destination(&path, target)?),
        node => Some(node),
    }
}
