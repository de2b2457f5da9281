//! The terminal: the only place that prints.
//!
//! Standard output carries data alone, exactly as it was rendered. Notes, warnings and progress go to standard error,
//! where failing to write is ignored: there is nobody left to tell.

use std::fmt::{self, Display};
use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, Mutex};

use anstream::AutoStream;
use clap::builder::styling::{AnsiColor, Style};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// How much is said on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// Warnings and errors.
    Quiet,
    /// Also notes and progress.
    #[default]
    Normal,
    /// Also details.
    Verbose,
}

/// When standard error is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR or CLICOLOR_FORCE say otherwise.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Why data did not reach standard output.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The reader went away (`speclora runs list | head -1`): it has what it wanted, so this is no failure.
    #[error("standard output was closed")]
    Closed,
    /// Writing failed.
    #[error("cannot write to standard output")]
    Write(#[source] io::Error),
}

impl From<io::Error> for OutputError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::Closed } else { Self::Write(error) }
    }
}

/// The terminal of a command.
pub struct Ui {
    verbosity: Verbosity,
    stdout: Mutex<Box<dyn Write + Send>>,
    stderr: Arc<Mutex<Box<dyn Write + Send>>>,
    bars: MultiProgress,
    /// Whether what people read on standard output may be coloured.
    colors_data: bool,
}

/// Standard error for another thread.
pub struct Speaker {
    verbosity: Verbosity,
    stderr: Arc<Mutex<Box<dyn Write + Send>>>,
    bars: MultiProgress,
}

impl Speaker {
    /// Says how a command is getting on.
    pub fn status(&self, message: impl Display) {
        if self.verbosity >= Verbosity::Normal {
            say(&self.bars, &self.stderr, &message);
        }
    }
}

impl Ui {
    /// Speaks through the process's own streams.
    pub fn new(verbosity: Verbosity, color: Color) -> Self {
        let choice = match color {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        };
        let mut ui = Self::with_writers(verbosity, io::stdout(), AutoStream::new(io::stderr(), choice));
        ui.colors_data = match color {
            Color::Auto => AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never,
            Color::Always => true,
            Color::Never => false,
        };
        if verbosity > Verbosity::Quiet {
            // Draws on a terminal only.
            ui.bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        }
        ui
    }

    /// Speaks to other streams, without progress bars.
    pub fn with_writers(
        verbosity: Verbosity,
        stdout: impl Write + Send + 'static,
        stderr: impl Write + Send + 'static,
    ) -> Self {
        Self {
            verbosity,
            stdout: Mutex::new(Box::new(stdout)),
            stderr: Arc::new(Mutex::new(Box::new(stderr))),
            bars: MultiProgress::with_draw_target(ProgressDrawTarget::hidden()),
            colors_data: false,
        }
    }

    /// Writes data to standard output, byte for byte.
    ///
    /// # Errors
    /// If the reader went away, or writing failed.
    pub fn data(&self, text: &str) -> Result<(), OutputError> {
        self.bars.suspend(|| {
            let mut stdout = self.stdout.lock().expect("no writer panics");
            stdout.write_all(text.as_bytes())?;
            Ok(stdout.flush()?)
        })
    }

    /// Colours the marks that begin lines of a table, `+` and `−`, where standard output takes colours.
    pub fn with_colored_marks(&self, table: &str) -> String {
        if !self.colors_data {
            return table.to_owned();
        }
        let colored = |line: &str| {
            let marks = [("+", AnsiColor::Green), ("−", AnsiColor::Red)];
            let found = marks.iter().find_map(|(mark, color)| {
                let rest = line.strip_prefix(' ')?.strip_prefix(mark)?;
                let style: Style = color.on_default().bold();
                Some(format!(" {style}{mark}{style:#}{rest}\n"))
            });
            found.unwrap_or_else(|| format!("{line}\n"))
        };
        table.lines().map(colored).collect()
    }

    /// Standard output for what is written piece by piece. Errors are the stream's own: [`OutputError`] tells them apart.
    pub fn data_writer(&self) -> DataWriter<'_> {
        DataWriter(self)
    }

    /// Whether data goes to a terminal, where bytes that are no text would do harm.
    pub fn is_on_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// The same voice for another thread.
    pub fn speaker(&self) -> Speaker {
        Speaker { verbosity: self.verbosity, stderr: Arc::clone(&self.stderr), bars: self.bars.clone() }
    }

    /// Characters that a line of standard output holds: the terminal's, or 110 where there is none.
    pub fn width(&self) -> usize {
        terminal_width(io::stdout().is_terminal().then_some(1)).unwrap_or(DEFAULT_WIDTH)
    }

    /// Says something that only the curious want to know.
    pub fn detail(&self, message: impl Display) {
        if self.verbosity >= Verbosity::Verbose {
            self.say(&message);
        }
    }

    /// Says how a command is getting on.
    pub fn status(&self, message: impl Display) {
        if self.verbosity >= Verbosity::Normal {
            self.say(&message);
        }
    }

    /// Says what the user may want to know.
    pub fn note(&self, message: impl Display) {
        if self.verbosity >= Verbosity::Normal {
            self.say_labelled("note", AnsiColor::Cyan, &message);
        }
    }

    /// Says what the user ought to know.
    pub fn warning(&self, message: impl Display) {
        self.say_labelled("warning", AnsiColor::Yellow, &message);
    }

    /// Says why a command failed.
    pub fn error(&self, message: impl Display) {
        self.say_labelled("error", AnsiColor::Red, &message);
    }

    /// Shows progress through a number of items, whose `unit` is a word in the plural; the bar vanishes when it is
    /// dropped.
    ///
    /// It is drawn only when it is told of progress, so that nothing runs beside a measurement. What has no room on a
    /// narrow terminal is left out: first the bar, then the end of the line.
    pub fn progress(&self, label: &str, unit: &str, num_items: u64) -> Progress {
        let is_wide = terminal_width(io::stderr().is_terminal().then_some(2)).is_none_or(|width| width >= 90);
        let bar = if is_wide { "{bar:20} " } else { "" };
        let template = format!("{{prefix}} {bar}{{pos}}/{{len}} {unit} · {{elapsed}}{{left}} {{wide_msg}}");
        let style = ProgressStyle::with_template(&template);
        let style = style.expect("the template is well formed").with_key("left", write_time_left);
        let bar = self.bars.add(ProgressBar::new(num_items).with_style(style).with_prefix(label.to_owned()));
        bar.tick();
        Progress(bar)
    }

    fn say_labelled(&self, label: &str, color: AnsiColor, message: &dyn Display) {
        let style: Style = color.on_default().bold();
        self.say(&format_args!("{style}{label}:{style:#} {message}"));
    }

    /// Writes a line to standard error, above any bar.
    fn say(&self, message: &dyn Display) {
        say(&self.bars, &self.stderr, message);
    }
}

/// Standard output, piece by piece.
pub struct DataWriter<'a>(&'a Ui);

impl Write for DataWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.bars.suspend(|| self.0.stdout.lock().expect("no writer panics").write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.stdout.lock().expect("no writer panics").flush()
    }
}

fn say(bars: &MultiProgress, stderr: &Mutex<Box<dyn Write + Send>>, message: &dyn Display) {
    bars.suspend(|| {
        let mut stderr = stderr.lock().expect("no writer panics");
        let _ = writeln!(stderr, "{message}").and_then(|()| stderr.flush());
    });
}

/// Width of a line where no terminal has one.
const DEFAULT_WIDTH: usize = 110;

/// The width of the terminal behind a file descriptor, if there is one.
#[cfg(unix)]
fn terminal_width(descriptor: Option<std::ffi::c_int>) -> Option<usize> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one `winsize`, and `size` is one that outlives the call.
    let code = unsafe { libc::ioctl(descriptor?, libc::TIOCGWINSZ, &raw mut size) };
    (code == 0 && size.ws_col > 0).then(|| usize::from(size.ws_col))
}

#[cfg(not(unix))]
fn terminal_width(_: Option<i32>) -> Option<usize> {
    None
}

/// A progress bar, which vanishes when it is dropped.
pub struct Progress(ProgressBar);

impl Progress {
    /// Goes on by so many items.
    pub fn advance(&self, count: u64) {
        self.0.inc(count);
    }

    /// Says what is at work, behind the bar.
    pub fn describe(&self, message: impl Display) {
        self.0.set_message(message.to_string());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Writes how long it may still take, as soon as there is something to judge by.
fn write_time_left(state: &ProgressState, text: &mut dyn fmt::Write) {
    if state.pos() > 0 {
        let _ = write!(text, ", about {:#} left", indicatif::HumanDuration(state.eta()));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// A stream that remembers what was written.
    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Buffer {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A stream whose reader went away, or whose disk is full.
    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What reaches standard error, colours stripped, when everything is said.
    fn spoken(verbosity: Verbosity) -> String {
        let (stdout, stderr) = (Buffer::default(), Buffer::default());
        let plain = anstream::StripStream::new(Box::new(stderr.clone()) as Box<dyn Write + Send>);
        let ui = Ui::with_writers(verbosity, stdout.clone(), plain);
        ui.detail("d");
        ui.status("s");
        ui.note("n");
        ui.warning("w");
        ui.error("e");
        assert_eq!(stdout.text(), "", "messages are no data");
        stderr.text()
    }

    #[test]
    fn verbosity_decides_what_is_said() {
        assert_eq!(spoken(Verbosity::Quiet), "warning: w\nerror: e\n");
        assert_eq!(spoken(Verbosity::Normal), "s\nnote: n\nwarning: w\nerror: e\n");
        assert_eq!(spoken(Verbosity::Verbose), "d\ns\nnote: n\nwarning: w\nerror: e\n");
    }

    #[test]
    fn labels_are_coloured_where_the_stream_allows() {
        let stderr = Buffer::default();
        Ui::with_writers(Verbosity::Normal, io::sink(), stderr.clone()).error("no run 15");
        assert_eq!(stderr.text(), "\u{1b}[1m\u{1b}[31merror:\u{1b}[0m no run 15\n");
    }

    #[test]
    fn data_passes_unchanged_even_when_quiet() {
        let stdout = Buffer::default();
        let ui = Ui::with_writers(Verbosity::Quiet, stdout.clone(), io::sink());
        ui.data("a\u{1b}[31m\r\n").unwrap();
        assert_eq!(stdout.text(), "a\u{1b}[31m\r\n");
    }

    #[test]
    fn data_in_pieces_is_data() {
        let stdout = Buffer::default();
        let ui = Ui::with_writers(Verbosity::Normal, stdout.clone(), io::sink());
        let mut writer = ui.data_writer();
        writer
            .write_all(&[0, 255])
            .and_then(|()| writer.write_all(b"\r\n"))
            .and_then(|()| writer.flush())
            .unwrap();
        assert_eq!(stdout.0.lock().unwrap().as_slice(), [0, 255, b'\r', b'\n']);
    }

    #[test]
    fn closed_pipe_is_told_apart_from_failure() {
        let write = |kind| Ui::with_writers(Verbosity::Normal, Broken(kind), io::sink()).data("x");
        assert!(matches!(write(io::ErrorKind::BrokenPipe), Err(OutputError::Closed)));
        assert!(matches!(write(io::ErrorKind::StorageFull), Err(OutputError::Write(_))));
    }

    #[test]
    fn broken_standard_error_is_ignored() {
        let ui = Ui::with_writers(Verbosity::Normal, io::sink(), Broken(io::ErrorKind::BrokenPipe));
        ui.warning("unheard");
    }

    #[test]
    fn progress_draws_nothing_without_a_terminal() {
        let stderr = Buffer::default();
        let ui = Ui::with_writers(Verbosity::Normal, io::sink(), stderr.clone());
        let progress = ui.progress("bench", "generations", 2);
        progress.describe("spec_base");
        progress.advance(1);
        ui.note("between");
        ui.speaker().status("from afar");
        drop(progress);
        assert!(stderr.text().ends_with("between\nfrom afar\n") && stderr.text().lines().count() == 2);
    }
}
