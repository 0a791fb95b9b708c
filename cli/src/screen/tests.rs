use std::io;

use super::*;
use crate::page::{Cell, Page, Tone};
use serde::Serialize;

#[derive(Serialize)]
struct Red;

impl Report for Red {
    fn print(&self, page: &mut Page) {
        page.line([Cell::new("x", Tone::Bad)]);
    }
}

fn shown(is_terminal: bool, format: Format, no_color: Option<&str>) -> String {
    let mut seen = Vec::new();
    let mut screen = Screen::new(&mut seen, is_terminal);
    screen.show(&Red, format, no_color.map(OsStr::new)).unwrap();
    String::from_utf8(seen).unwrap()
}

#[test]
fn colours_are_for_terminals_alone_and_for_those_who_want_them() {
    for format in [Format::Table, Format::Wide] {
        assert_eq!(shown(true, format, None), "\x1b[31mx\x1b[0m\n");
        assert_eq!(
            shown(true, format, Some("")),
            "\x1b[31mx\x1b[0m\n",
            "an empty one says nothing"
        );
        assert_eq!(shown(true, format, Some("1")), "x\n");
        assert_eq!(shown(false, format, None), "x\n");
    }
    assert_eq!(shown(true, Format::Json, None), "null\n");
}

/// Takes nothing.
struct Closed(ErrorKind);

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_has_read_enough_is_no_error() {
    let write = |kind| Screen::new(Closed(kind), false).write(b"x");
    assert!(write(ErrorKind::BrokenPipe).is_ok());
    let full = write(ErrorKind::StorageFull).unwrap_err().to_string();
    assert!(full.starts_with("the report cannot be written: "), "{full}");
}
