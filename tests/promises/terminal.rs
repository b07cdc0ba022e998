//! What a person sees in a terminal while a run goes on.

use std::fs::File;
use std::io::Read;
use std::process::{Child, Command};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::support::process::relaybench;

/// Ends a run that would go on, also when a test fails.
struct Going(Child);

impl Drop for Going {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a run with its stderr in a terminal of 100 columns, of which this gives the other end.
fn in_a_terminal(arguments: &[&str]) -> (Going, File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    tcsetwinsize(&ours, Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let theirs = open(ptsname(&ours, Vec::new()).unwrap(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    let child = relaybench(arguments).env("TERM", "xterm").stderr(File::from(theirs)).spawn().unwrap();
    (Going(child), File::from(ours))
}

/// What it shows until this was shown.
fn shown_until(terminal: &mut File, what: impl Fn(&str) -> bool) -> String {
    let (mut shown, mut buffer) = (String::new(), [0; 4096]);
    while !what(&shown) {
        let read = terminal.read(&mut buffer).unwrap_or(0);
        assert!(read > 0, "the run ended, and showed only {shown:?}");
        shown += &String::from_utf8_lossy(&buffer[..read]);
    }
    shown
}

#[test]
fn the_progress_goes_on_while_nothing_ends() {
    let directory = tempfile::tempdir().unwrap();
    let profile = directory.path().join("hangs.toml");
    std::fs::write(&profile, "[[fault]]\nfault = \"hang\"\n").unwrap();
    let out = directory.path().join("out");
    let [profile, out] = [&profile, &out].map(|path| path.to_str().unwrap());
    let arguments = ["run", "--profile", profile, "--rate", "50", "--duration", "60s", "--policy", "none", "--out", out];
    let (going, mut terminal) = in_a_terminal(&arguments);
    // The run's end ends the reading too, should nothing be shown.
    let id = going.0.id().to_string();
    let (over, is_over) = mpsc::channel::<()>();
    let watch = thread::spawn(move || {
        if is_over.recv_timeout(Duration::from_secs(120)) == Err(mpsc::RecvTimeoutError::Timeout) {
            Command::new("kill").arg(id).status().unwrap();
        }
    });
    // No request ever ends: whatever is drawn is drawn by time.
    let in_flight = |shown: &str| -> Vec<usize> {
        shown.split(" in flight").filter_map(|before| before.rsplit(' ').next()?.parse().ok()).collect()
    };
    let shown = shown_until(&mut terminal, |shown| in_flight(shown).into_iter().any(|count| count >= 25));
    assert!(in_flight(&shown).is_sorted(), "{shown:?}");
    assert!(shown.contains("s of 60s"), "{shown:?}");
    drop(over);
    watch.join().unwrap();
}
