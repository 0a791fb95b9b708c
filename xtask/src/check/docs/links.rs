//! The table of contents has every page once, and every link leads to a file, and to a heading in it.

use super::Pages;
use super::markdown::{anchors, links};

/// Where the book's pages are.
const BOOK: &str = "docs/";

/// The book's table of contents.
const SUMMARY: &str = "docs/SUMMARY.md";

/// What is wrong. `exists` says whether there is a file or folder of this path below the workspace.
pub(super) fn wrong(pages: &Pages, exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut wrong = contents(pages);
    for (path, page) in pages {
        for (line, target) in links(page) {
            if let Err(why) = follow(pages, exists, path, &target) {
                wrong.push(format!("{path}:{line}: link {target:?}: {why}"));
            }
        }
    }
    wrong
}

fn contents(pages: &Pages) -> Vec<String> {
    let Some(summary) = pages.get(SUMMARY) else {
        return vec![format!("{SUMMARY} is not there: it lists the pages of the book")];
    };
    let listed: Vec<String> = links(summary)
        .into_iter()
        .map(|(_, target)| resolve(SUMMARY, &target))
        .collect();
    let pages = pages
        .keys()
        .filter(|path| path.starts_with(BOOK) && *path != SUMMARY);
    let wrong = pages.filter_map(|path| match listed.iter().filter(|one| *one == path).count() {
        1 => None,
        0 => Some(format!("{path} is not in {SUMMARY}: give it a place there")),
        more => Some(format!("{path} is {more} times in {SUMMARY}: once is enough")),
    });
    wrong.collect()
}

/// Whether the link `target` on the page `from` leads somewhere.
fn follow(
    pages: &Pages,
    exists: &dyn Fn(&str) -> bool,
    from: &str,
    target: &str,
) -> Result<(), &'static str> {
    if ["https://", "http://", "mailto:"]
        .iter()
        .any(|scheme| target.starts_with(scheme))
    {
        return Ok(());
    }
    let (file, heading) = match target.split_once('#') {
        Some((file, heading)) => (file, Some(heading)),
        None => (target, None),
    };
    let path = if file.is_empty() {
        from.to_owned()
    } else {
        resolve(from, file)
    };
    let page = pages.get(&path);
    if page.is_none() && !exists(&path) {
        return Err("there is no such file");
    }
    match (heading, page) {
        (None, _) => Ok(()),
        (Some(_), None) => Err("a heading of a file that is no page"),
        (Some(heading), Some(page)) if anchors(page).iter().any(|anchor| anchor == heading) => Ok(()),
        (Some(_), Some(_)) => Err("the page has no such heading"),
    }
}

/// The path that a relative `target` on the page of the path `from` means.
pub(crate) fn resolve(from: &str, target: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}
