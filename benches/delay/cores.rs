//! A core for each: so that the figures are of the servers, and not of who shared a core with whom.

use std::io;

/// How servers and driver share this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cores {
    /// Each keeps to a core of its own.
    Separate,
    /// The system may move them.
    Shared,
}

/// Who runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Server,
    Driver,
}

impl Cores {
    /// To be asked before any thread has taken its core.
    pub(crate) fn of_this_machine() -> Self {
        let has_two = std::thread::available_parallelism().is_ok_and(|cores| cores.get() >= 2);
        if cfg!(target_os = "linux") && has_two { Self::Separate } else { Self::Shared }
    }

    /// Keeps this thread, and those that it starts from now on, on the core of its role.
    pub(crate) fn take(self, role: Role) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        if self == Self::Separate {
            let mut core = rustix::thread::CpuSet::new();
            core.set(if role == Role::Server { 1 } else { 0 });
            rustix::thread::sched_setaffinity(None, &core)?;
        }
        let _ = role;
        Ok(())
    }

    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Separate => "each kept on a core of its own",
            Self::Shared => "sharing the cores",
        }
    }
}
