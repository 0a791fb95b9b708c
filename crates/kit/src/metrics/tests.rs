use super::{registry, render};

#[test]
fn the_process_shows_itself() {
    let text = render(&registry());
    for name in ["process_resident_memory_bytes ", "process_open_fds "] {
        let line = text
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_else(|| panic!("no {name}in {text}"));
        let value: f64 = line[name.len()..].parse().unwrap();
        assert!(value > 0.0, "{line}");
    }
    assert!(text.ends_with("# EOF\n"));
}
