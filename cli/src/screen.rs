//! Where text goes, and whether a person looks on there.

use std::ffi::OsStr;
use std::io::{ErrorKind, IsTerminal, Write};

use crate::error::CliError;
use crate::page::{Format, Report, render};

/// An output of the process.
#[derive(Debug)]
pub(crate) struct Screen<W> {
    writer: W,
    is_terminal: bool,
}

impl<W: Write + IsTerminal> Screen<W> {
    pub(crate) fn of(writer: W) -> Self {
        let is_terminal = writer.is_terminal();
        Self::new(writer, is_terminal)
    }
}

impl<W: Write> Screen<W> {
    pub(crate) fn new(writer: W, is_terminal: bool) -> Self {
        Self { writer, is_terminal }
    }

    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Writes a report: on a terminal in colour, unless `no_color`, the variable `NO_COLOR`, is set (<https://no-color.org>).
    pub(crate) fn show(
        &mut self,
        report: &impl Report,
        format: Format,
        no_color: Option<&OsStr>,
    ) -> Result<(), CliError> {
        let colours = self.is_terminal && no_color.is_none_or(OsStr::is_empty);
        self.write(render(report, format, colours)?.as_bytes())
    }

    /// To whoever reads it: one that has read enough, such as `head`, is no error.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        match self.writer.write_all(bytes).and_then(|()| self.writer.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(CliError::Write(error.to_string())),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
