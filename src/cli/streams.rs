//! The three streams of a command, and what is known of the terminals behind them.

use std::io::{self, IsTerminal, Read, Write};

use crate::domain::environment::Environment;

/// Columns when nobody says how wide the output is.
const WIDTH_DEFAULT: usize = 80;
/// Narrower than this, tables and help cannot be read at all.
const WIDTH_MIN: usize = 40;
/// Wider than this, lines of text are hard to read.
const WIDTH_MAX: usize = 120;

/// What a stream leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// Somebody watches.
    Terminal,
    /// A file or a pipe.
    Other,
}

impl Device {
    fn of(stream: &impl IsTerminal) -> Self {
        if stream.is_terminal() {
            Self::Terminal
        } else {
            Self::Other
        }
    }
}

/// The streams of one command.
pub struct Streams<'a> {
    /// What is read when a text is `-`, or when no prompt is given.
    pub stdin: Box<dyn Read + 'a>,
    /// What stdin comes from. Nothing is read from a terminal unless `-` asks for it.
    pub stdin_device: Device,
    /// Where data goes.
    pub stdout: Box<dyn Write + 'a>,
    /// What stdout leads to; colour is for terminals only.
    pub stdout_device: Device,
    /// Where everything else goes.
    pub stderr: Box<dyn Write + 'a>,
    /// What stderr leads to; progress is for terminals only.
    pub stderr_device: Device,
    /// Columns of a line.
    pub width: usize,
    /// Whether colour is wanted where there is a terminal.
    pub colour: bool,
}

impl Streams<'static> {
    /// Takes the streams of this process.
    pub fn of_process(environment: &Environment) -> Self {
        Self {
            stdin: Box::new(io::stdin()),
            stdin_device: Device::of(&io::stdin()),
            stdout: Box::new(io::stdout().lock()),
            stdout_device: Device::of(&io::stdout()),
            // Not locked: the progress line writes to it from a thread of its own.
            stderr: Box::new(io::stderr()),
            stderr_device: Device::of(&io::stderr()),
            width: width(environment),
            colour: environment.get("NO_COLOR").is_none() && environment.text("TERM") != Some("dumb"),
        }
    }
}

impl Streams<'_> {
    /// Tells whether stdout gets colour.
    pub(super) fn colours_stdout(&self) -> bool {
        self.colour && self.stdout_device == Device::Terminal
    }

    /// Returns the columns and lines of the terminal as it is now: it may have been resized.
    pub(super) fn size(&self) -> (usize, usize) {
        const HEIGHT_DEFAULT: usize = 24;
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
        let size = size.filter(|size| size.ws_col > 0 && size.ws_row > 0);
        size.map_or((self.width, HEIGHT_DEFAULT), |size| {
            (usize::from(size.ws_col), usize::from(size.ws_row))
        })
    }

    /// Tells whether stderr gets colour.
    pub(super) fn colours_stderr(&self) -> bool {
        self.colour && self.stderr_device == Device::Terminal
    }
}

fn width(environment: &Environment) -> usize {
    let said = environment.text("COLUMNS").and_then(|text| text.parse().ok());
    let measured = || {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
        (size.ws_col > 0).then_some(usize::from(size.ws_col))
    };
    said.or_else(measured)
        .unwrap_or(WIDTH_DEFAULT)
        .clamp(WIDTH_MIN, WIDTH_MAX)
}
