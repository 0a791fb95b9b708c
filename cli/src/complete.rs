//! Completion: the script of a shell, and the words that kubectl asks for.
//!
//! For `kubectl cortenlb <TAB>` kubectl (1.26 and later) runs a program `kubectl_complete-cortenlb` with the words that were
//! typed, the last of them unfinished. It expects a candidate a line, what that means behind a tab, and at the end `:` and a
//! number, cobra's `ShellCompDirective` (kubectl's `getPluginCompletions`). A link to this program by that name gives them.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::Path;

use clap::builder::StyledStr;
use clap::{Arg, CommandFactory as _, ValueHint};
use clap_complete::Shell;

use crate::args::Args;

/// The name under which kubectl asks.
const ASKED_AS: &str = "kubectl_complete-cortenlb";

/// `ShellCompDirectiveDefault`: where nothing is offered, the shell offers files.
const FILES: u8 = 0;

/// `ShellCompDirectiveNoFileComp`.
const NO_FILES: u8 = 4;

/// The script that completes `kubectl-cortenlb` in this shell.
pub(crate) fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "kubectl-cortenlb", &mut script);
    script
}

/// What kubectl is to be answered, if it asks: `words` are those of the process, its name first.
pub(crate) fn answer(words: &[OsString]) -> Option<String> {
    let (program, typed) = words.split_first()?;
    let is_asked = Path::new(program)
        .file_stem()
        .is_some_and(|name| name == ASKED_AS);
    let typed = typed.iter().map(|word| word.to_string_lossy().into_owned());
    is_asked.then(|| candidates(&typed.collect::<Vec<_>>()))
}

/// A word that may stand there, and what it means.
type Candidate = (String, String);

fn candidates(typed: &[String]) -> String {
    let mut root = Args::command();
    // What is valid for all commands, and `--help`, come to be known of each by that.
    root.build();
    let (last, before) = typed
        .split_last()
        .map_or(("", typed), |(last, before)| (last.as_str(), before));
    let mut command = &root;
    let mut awaiting = None;
    for word in before {
        if awaiting.take().is_none() {
            awaiting = with_value(command, word);
            command = command.find_subcommand(word).unwrap_or(command);
        }
    }
    let (candidates, directive) = match awaiting {
        Some(flag) if flag.get_value_hint() == ValueHint::AnyPath => (Vec::new(), FILES),
        Some(flag) => (values(flag), NO_FILES),
        None if last.starts_with('-') => (flags(command), NO_FILES),
        None => (words(command), NO_FILES),
    };
    let mut text = String::new();
    for (word, meaning) in candidates {
        if word.starts_with(last) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{word}\t{meaning}");
        }
    }
    let _ = writeln!(text, ":{directive}");
    text
}

/// The flag that this word is, if the next word is its value.
fn with_value<'a>(command: &'a clap::Command, word: &str) -> Option<&'a Arg> {
    let is_it = |arg: &Arg| match word.strip_prefix("--") {
        Some(long) => arg.get_long() == Some(long),
        None => arg.get_short().is_some_and(|short| word == format!("-{short}")),
    };
    let mut flags = command.get_arguments();
    flags.find(|arg| arg.get_action().takes_values() && is_it(arg))
}

fn flags(command: &clap::Command) -> Vec<Candidate> {
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let flags = shown.filter_map(|arg| Some((format!("--{}", arg.get_long()?), meaning(arg.get_help()))));
    flags.collect()
}

/// Commands, or what else may stand there without a flag.
fn words(command: &clap::Command) -> Vec<Candidate> {
    let shown = command.get_subcommands().filter(|inner| !inner.is_hide_set());
    let commands = shown.map(|inner| (inner.get_name().to_owned(), meaning(inner.get_about())));
    commands
        .chain(command.get_positionals().flat_map(values))
        .collect()
}

fn values(arg: &Arg) -> Vec<Candidate> {
    let values = arg.get_possible_values().into_iter();
    let values = values.map(|value| (value.get_name().to_owned(), meaning(value.get_help())));
    values.collect()
}

/// In one line.
fn meaning(help: Option<&StyledStr>) -> String {
    let text = help.map(ToString::to_string).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
