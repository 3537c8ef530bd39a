//! Makes every symbolic link direct: through no other link, and inside the package.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use copkg_spec::index::{EntryPath, LinkTarget};
use copkg_spec::policy::{Refused, Rule};

use super::CollectError;
use super::tree::{Collected, Node, Tree};
use crate::refusals::Refusals;

/// How many links a path may lead through, as on Linux.
const HOPS: usize = 40;

/// The links of a tree and where they were found to lead.
type Links = BTreeMap<String, PathBuf>;

/// Replaces the target of each link by the place that it finally leads to, relative to the link.
pub(super) fn make_direct(tree: Tree) -> Result<Collected, CollectError> {
    let (nodes, mut refused) = tree.into_nodes();
    let links = nodes.iter().filter_map(|(path, node)| match node {
        Node::Symlink { target } => Some((path.as_str().to_owned(), target.clone())),
        _ => None,
    });
    let links: Links = links.collect();
    // What is no link, most of a tree, is moved and not copied.
    let direct = nodes.into_iter().filter_map(|(path, node)| {
        let node = match node {
            Node::Directory { found_mode } => Node::Directory { found_mode },
            Node::File { content, size, mode, found_mode } => Node::File { content, size, mode, found_mode },
            Node::Symlink { target } => match direct_target(&path, &target, &links) {
                Ok(target) => Node::Symlink { target },
                Err(rule) => {
                    refused.add_link(Refused::new(path.as_str(), rule), target.as_os_str().as_bytes());
                    return None;
                }
            },
        };
        Some((path, node))
    });
    let direct = Collected::of(direct.collect());
    Refusals::of(refused).map_or(Ok(direct), |refusals| Err(refusals.into()))
}

fn direct_target(path: &EntryPath, target: &Path, links: &Links) -> Result<LinkTarget, Rule> {
    let above: Vec<String> =
        path.parent().map(|parent| parent.split('/').map(str::to_owned).collect()).unwrap_or_default();
    let leads_to = resolve(above.clone(), target, links, path)?;
    if leads_to.is_empty() {
        // The package itself: as many steps up as the link is deep.
        let up = vec![".."; above.len()].join("/");
        return if up.is_empty() { Err(Rule::LinkEscapes) } else { up.parse() };
    }
    relative(&above, &leads_to).parse()
}

/// Walks `target` from the directory `at`, through every link on the way.
fn resolve(mut at: Vec<String>, target: &Path, links: &Links, path: &EntryPath) -> Result<Vec<String>, Rule> {
    let mut hops = 0;
    // What is still to be walked, the next part last.
    let mut rest = parts_of(target)?;
    while let Some(part) = rest.pop() {
        if part == ".." {
            at.pop().ok_or(Rule::LinkEscapes)?;
            continue;
        }
        at.push(part);
        let here = at.join("/");
        if let Some(next) = links.get(here.as_str()) {
            hops += 1;
            if hops > HOPS || here == path.as_str() {
                return Err(Rule::LinkChain(here));
            }
            at.pop();
            rest.extend(parts_of(next)?);
        }
    }
    Ok(at)
}

/// Returns the parts of a target in reverse, without those that mean nothing.
fn parts_of(target: &Path) -> Result<Vec<String>, Rule> {
    let bytes = target.as_os_str().as_bytes();
    if bytes.starts_with(b"/") {
        return Err(Rule::LinkAbsolute);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Rule::LinkTarget(Box::new(Rule::NotUtf8)))?;
    let parts = text.split('/').filter(|part| !part.is_empty() && *part != ".");
    Ok(parts.rev().map(str::to_owned).collect())
}

/// Returns the way from the directory `from` to `to`.
fn relative(from: &[String], to: &[String]) -> String {
    let shared = from.iter().zip(to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", from.len() - shared);
    let mut way: Vec<&str> = up.chain(to[shared..].iter().map(String::as_str)).collect();
    if way.is_empty() {
        // A link to its own directory.
        way = match to.last() {
            Some(name) => vec!["..", name],
            None => vec![".."],
        };
    }
    way.join("/")
}

/// Returns where a direct link leads, as a path in the package; `None` for the package itself.
pub(crate) fn destination(path: &EntryPath, target: &LinkTarget) -> Option<EntryPath> {
    let mut at: Vec<&str> = path.parent().map(|parent| parent.split('/').collect()).unwrap_or_default();
    for part in target.as_str().split('/') {
        if part == ".." {
            at.pop();
        } else {
            at.push(part);
        }
    }
    at.join("/").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(links: &[(&str, &str)]) -> Result<Collected, CollectError> {
        let mut tree = Tree::default();
        for (path, target) in links {
            tree.add(path.parse().unwrap(), Node::Symlink { target: PathBuf::from(target) }).unwrap();
        }
        make_direct(tree)
    }

    fn target(links: &[(&str, &str)], path: &str) -> String {
        match tree(links).unwrap().get(&path.parse().unwrap()) {
            Some(Node::Symlink { target }) => target.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_chain_becomes_a_direct_link() {
        let links =
            [("lib/a.so", "a.so.1"), ("lib/a.so.1", "../real/a.so.1.2"), ("x/y/z", "./../../lib//a.so")];
        assert_eq!(target(&links, "lib/a.so"), "../real/a.so.1.2");
        assert_eq!(target(&links, "x/y/z"), "../../real/a.so.1.2");
    }

    #[test]
    fn a_link_through_a_linked_directory_becomes_direct() {
        let links = [("current", "versions/2"), ("bin/tool", "../current/tool")];
        assert_eq!(target(&links, "bin/tool"), "../versions/2/tool");
    }

    #[test]
    fn a_link_to_its_own_directory_stays_one() {
        assert_eq!(target(&[("a/b", ".")], "a/b"), "../a");
        assert_eq!(target(&[("a/b/c", "../..")], "a/b/c"), "../..");
    }

    #[test]
    fn a_link_out_of_the_package_is_refused() {
        for leads_to in ["../x", "a/../../x", "../../../etc/passwd"] {
            let error = tree(&[("x", leads_to)]).unwrap_err();
            assert!(error.to_string().contains("leaves the package"), "{error}");
        }
    }

    #[test]
    fn an_absolute_link_is_refused() {
        let error = tree(&[("sh", "/bin/sh")]).unwrap_err();
        assert!(error.to_string().contains("absolute"), "{error}");
    }

    #[test]
    fn links_that_lead_in_a_circle_are_refused() {
        for links in [&[("a", "b"), ("b", "a")][..], &[("a", "a")], &[("c", "d/x"), ("d", "e"), ("e", "d")]] {
            let error = tree(links).unwrap_err();
            assert!(error.to_string().contains("symbolic link"), "{error}");
        }
    }
}
