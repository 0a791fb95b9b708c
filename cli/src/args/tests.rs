use super::*;
use clap::CommandFactory as _;

fn said(words: &[&str]) -> Option<String> {
    let words = ["kubectl-cortenlb"].iter().chain(words);
    mistake(&Args::try_parse_from(words).unwrap_err())
}

#[test]
fn the_command_line_is_sound() {
    Args::command().debug_assert();
}

#[test]
fn a_service_is_named_with_its_namespace() {
    assert_eq!("shop/web".parse(), Ok(Target(ServiceKey::new("shop", "web"))));
    for text in ["web", "/web", "shop/", "a/b/c", ""] {
        assert_eq!(
            text.parse::<Target>(),
            Err("write NAMESPACE/NAME, such as shop/web".to_owned()),
            "{text:?}"
        );
    }
}

#[test]
fn bad_input_is_told_in_one_line_that_says_how_to_mend_it() {
    assert_eq!(
        said(&["why", "service", "web"]).unwrap(),
        "error: invalid value 'web' for '<SERVICE>': write NAMESPACE/NAME, such as shop/web; --help shows examples"
    );
    assert_eq!(
        said(&["why", "service"]).unwrap(),
        "error: the following required arguments were not provided: <SERVICE>; --help shows examples"
    );
    let format = said(&["why", "service", "a/b", "-o", "xml"]).unwrap();
    assert!(
        format.contains("[possible values: table, wide, json, yaml]"),
        "{format}"
    );
    for line in [said(&["statsu"]), said(&["why", "service", "a/b", "--nod", "x"])] {
        let line = line.unwrap();
        assert!(!line.contains('\n') && line.starts_with("error: "), "{line}");
    }
}

/// The lines that this command and all below it give as examples.
fn examples(command: &clap::Command) -> Vec<String> {
    let name = command.get_name();
    let help = command
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let (_, rest) = help
        .split_once("Examples:\n")
        .unwrap_or_else(|| panic!("{name}: {help:?}"));
    let lines = rest.lines().map_while(|line| line.strip_prefix("  "));
    let mut found: Vec<String> = lines.map(str::to_owned).collect();
    assert!(!found.is_empty(), "{name}: {help:?}");
    found.extend(command.get_subcommands().flat_map(examples));
    found
}

#[test]
fn each_command_has_examples_that_are_understood() {
    for example in examples(&Args::command()) {
        let (_, words) = example.rsplit_once("kubectl cortenlb ").unwrap();
        let words = words.split(['|', ')']).next().unwrap().split_whitespace();
        let parsed = Args::try_parse_from(["kubectl-cortenlb"].into_iter().chain(words));
        let wrong = parsed.err().and_then(|error| mistake(&error));
        assert_eq!(wrong, None, "{example}");
    }
}

#[test]
fn help_and_version_are_no_mistakes() {
    assert_eq!(said(&["--help"]), None);
    assert_eq!(said(&["--version"]), None);
    assert_eq!(said(&["why", "service", "--help"]), None);
    assert_eq!(said(&[]), None);
}

#[test]
fn flags_may_stand_behind_the_command() {
    let words = "kubectl-cortenlb why svc shop/web --context lab -n lb -o wide --node n1".split(' ');
    let Args { common, command } = Args::try_parse_from(words).unwrap();
    assert_eq!(common.context.as_deref(), Some("lab"));
    assert_eq!((common.namespace.as_str(), common.output), ("lb", Format::Wide));
    let Command::Why(Why::Service { service, node }) = command else {
        panic!("{command:?}");
    };
    assert_eq!(
        (service.0.to_string(), node.as_deref()),
        ("shop/web".to_owned(), Some("n1"))
    );
}
