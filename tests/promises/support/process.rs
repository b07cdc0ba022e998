//! The `relaybench` command as a process of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

/// The command with these arguments, with none of the variables that would change what it does.
pub(crate) fn relaybench(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_relaybench"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in ["BASE_URL", "API_KEY", "MODEL", "MAX_REQUESTS", "MAX_COST_USD", "PROVIDERS_FILE", "MODELS_FILE"] {
        command.env_remove(format!("RELAYBENCH_{name}"));
    }
    for name in ["HOLYSHEEP_API_KEY", "OPENAI_API_KEY", "GROQ_API_KEY", "CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID"] {
        command.env_remove(name);
    }
    command
}

/// What a command that ended left behind.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// Runs it to its end.
pub(crate) fn ended(command: &mut Command) -> Ended {
    command.output().unwrap().into()
}

/// A mock relay in a process of its own, ended when dropped.
pub(crate) struct MockProcess {
    child: Child,
    pub(crate) addr: String,
}

impl MockProcess {
    /// Starts `relaybench mock` with these arguments on a free port.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = relaybench(&["mock", "--listen", "127.0.0.1:0"]).args(arguments).spawn().unwrap();
        let mut first_line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first_line).unwrap();
        let addr = first_line.trim().strip_prefix("listening on http://");
        let addr = addr.unwrap_or_else(|| panic!("the first line is {first_line:?}")).to_owned();
        Self { child, addr }
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    /// Ends it as Ctrl-C does, and waits for it.
    pub(crate) fn interrupt(mut self) -> Option<i32> {
        interrupt(&self.child);
        self.child.wait().unwrap().code()
    }
}

impl Drop for MockProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends SIGINT, as Ctrl-C does.
pub(crate) fn interrupt(child: &Child) {
    signal("-INT", child);
}

/// Sends a signal by its name, like `-TERM`.
pub(crate) fn signal(name: &str, child: &Child) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}
