//! Runs PostgreSQL's programs so that none of them outlives darkroom.
//!
//! After `kill -9` nobody can send a signal any more, so the kernel is asked beforehand to send it
//! (`PR_SET_PDEATHSIG`, prctl(2)). It does so when the *thread* that forked ends, not the process: whoever
//! starts a program here must live as long as the program may, which a blocking-pool thread of tokio does
//! not.
#![allow(
    unsafe_code,
    reason = "only `CommandExt::pre_exec` can ask for the death signal; see `die_with_this_thread`"
)]

use super::account::Account;
use super::error::EmbeddedError;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};

/// What programs need of our environment. `PG*` would lead them astray, and secrets are none of their
/// business.
const PASSED_ON: [&str; 4] = ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TZ"];

/// A command that runs `program` as `account`, out of reach of a terminal's Ctrl-C, and ends with the calling
/// thread.
pub(super) fn command(program: &Path, account: &Account) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(PASSED_ON.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    // The stand-in may not be able to enter our current folder.
    command.current_dir("/").process_group(0).stdin(Stdio::null());
    account.run(&mut command);
    die_with_this_thread(&mut command);
    command
}

/// Lets the kernel send SIGINT (to PostgreSQL: a fast, clean shutdown) to the child when this thread ends.
#[cfg(target_os = "linux")]
fn die_with_this_thread(command: &mut Command) {
    let parent = rustix::process::getpid();
    let ask = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::INT))?;
        // Whoever died before the request was made will not be reported.
        match rustix::process::getppid() {
            Some(pid) if pid == parent => Ok(()),
            _ => Err(io::Error::from(rustix::io::Errno::SRCH)),
        }
    };
    // SAFETY: the closure runs in the forked child, where only async-signal-safe steps are allowed, as other
    // threads may have held locks at the fork. It makes two system calls, compares two numbers, and neither
    // allocates nor locks.
    unsafe { command.pre_exec(ask) };
}

/// Other systems have no such signal: there a server outlives a killed darkroom, and the next start names it.
#[cfg(not(target_os = "linux"))]
fn die_with_this_thread(_command: &mut Command) {}

/// Runs a short program to its end with `input`, and gives what it wrote to standard output.
///
/// # Errors
/// [`EmbeddedError::NotRun`]; [`EmbeddedError::Program`] with all it wrote if it fails.
pub(super) fn run(command: &mut Command, account: &Account, input: &str) -> Result<String, EmbeddedError> {
    let program = PathBuf::from(command.get_program());
    let not_run =
        |source| EmbeddedError::NotRun { program: program.clone(), user: account.to_string(), source };
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(not_run)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends without reading says why in its output, which is worth more than a broken pipe.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(not_run)?;
    let written = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(written);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let output_text = format!("{}\n{}", errors.trim(), written.trim()).trim().to_owned();
    Err(EmbeddedError::Program { program, how: output.status.to_string(), output: output_text })
}

/// A program that keeps running. Any thread may signal it while one waits for its end.
#[derive(Debug)]
pub(super) struct Running {
    pid: Pid,
    /// `None` once its end was collected: from then on its number may be another's.
    child: Mutex<Option<Child>>,
}

impl Running {
    /// Starts `command`.
    ///
    /// # Errors
    /// [`EmbeddedError::NotRun`].
    pub(super) fn spawn(command: &mut Command, account: &Account) -> Result<Self, EmbeddedError> {
        let program = PathBuf::from(command.get_program());
        let not_run = |source| EmbeddedError::NotRun { program, user: account.to_string(), source };
        match command.spawn() {
            Ok(child) => Ok(Self { pid: Pid::from_child(&child), child: Mutex::new(Some(child)) }),
            Err(error) => Err(not_run(error)),
        }
    }

    /// Its process number.
    pub(super) fn pid(&self) -> i32 {
        self.pid.as_raw_pid()
    }

    /// Sends a signal, unless it has ended.
    pub(super) fn signal(&self, signal: Signal) {
        let child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        if child.is_some()
            && let Err(error) = rustix::process::kill_process(self.pid, signal)
        {
            tracing::warn!("cannot send {signal:?} to PostgreSQL, process {}: {error}", self.pid());
        }
    }

    /// How it ended, if it has.
    pub(super) fn ended(&self) -> io::Result<Option<ExitStatus>> {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let status = child.as_mut().map_or(Ok(None), Child::try_wait)?;
        if status.is_some() {
            *child = None;
        }
        Ok(status)
    }

    /// Waits for its end. The wait itself leaves the dead process in place, and only then, under the lock, is
    /// it collected: so [`signal`](Self::signal) neither blocks meanwhile nor hits a stranger.
    pub(super) fn wait(&self) -> io::Result<ExitStatus> {
        let until_dead = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        loop {
            match rustix::process::waitid(WaitId::Pid(self.pid), until_dead) {
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
                Ok(_) => {
                    if let Some(status) = self.ended()? {
                        return Ok(status);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    fn shell(script: &str) -> Command {
        let mut command = command(Path::new("/bin/sh"), &Account::Own);
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_failure_quotes_the_program() {
        let told = run(&mut shell("read word; echo $word"), &Account::Own, "hello\n").unwrap();
        assert_eq!(told, "hello\n");
        let failed = run(&mut shell("echo some; echo reason >&2; exit 3"), &Account::Own, "").unwrap_err();
        assert_eq!(failed.to_string(), "/bin/sh failed, exit status: 3: reason\nsome");
        let missing = run(&mut command(Path::new("/no/such"), &Account::Own), &Account::Own, "").unwrap_err();
        assert!(missing.to_string().starts_with("cannot run /no/such as "), "{missing}");
    }

    #[test]
    fn the_environment_stays_here() {
        let told = run(&mut shell("env"), &Account::Own, "").unwrap();
        assert!(told.contains("PATH=") && !told.contains("CARGO"), "{told}");
    }

    #[test]
    fn a_signal_reaches_it_while_another_thread_waits() {
        let running = Running::spawn(&mut shell("exec sleep 600"), &Account::Own).unwrap();
        assert!(running.ended().unwrap().is_none());
        let status = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| running.wait());
            running.signal(Signal::TERM);
            waiting.join().unwrap().unwrap()
        });
        assert_eq!(status.signal(), Some(Signal::TERM.as_raw()));
        running.signal(Signal::TERM);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn it_ends_with_the_thread_that_started_it() {
        // A shell that starts the tests in the background has them ignore SIGINT, and a child inherits that; PostgreSQL, which
        // handles the signal itself, does not care. The thread lives until the child has the signal back.
        let running = std::thread::spawn(|| {
            let mut sleep = shell("exec env --default-signal=INT sleep 20");
            let running = Running::spawn(&mut sleep, &Account::Own).unwrap();
            let name = format!("/proc/{}/comm", running.pid());
            let begun = std::time::Instant::now();
            while std::fs::read_to_string(&name).unwrap().trim() != "sleep" {
                assert!(
                    begun.elapsed() < std::time::Duration::from_secs(10),
                    "the child never came to sleep"
                );
                std::thread::yield_now();
            }
            running
        });
        let running = running.join().unwrap();
        assert_eq!(running.wait().unwrap().signal(), Some(Signal::INT.as_raw()));
    }
}
