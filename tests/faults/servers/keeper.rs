//! A thread that starts the servers, and lives as long as this process.
//!
//! The kernel is asked to end each server when the *thread* that started it ends (prctl(2), PR_SET_PDEATHSIG), so that
//! none outlives the harness, however that ends; the thread of a test would be too short-lived.

use std::io;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc;

type Order = (Command, mpsc::Sender<io::Result<Child>>);

pub struct Keeper {
    orders: mpsc::Sender<Order>,
}

impl Keeper {
    pub fn start() -> Self {
        let (orders, taken) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in taken {
                answer.send(command.spawn()).ok();
            }
        });
        Self { orders }
    }

    pub fn spawn(&self, command: Command) -> Child {
        let (answer, answered) = mpsc::channel();
        let program = format!("{command:?}");
        self.orders.send((command, answer)).expect("the keeper lives as long as the harness");
        answered.recv().unwrap().unwrap_or_else(|error| panic!("cannot start {program}: {error}"))
    }
}

/// A command in `folder` that gets `signal` when its starter dies. Servers refuse to run as root: then it is `account`,
/// or nobody.
pub fn command(folder: &Path, account: &str, signal: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", signal]);
    if is_root() {
        let account = if id(&["-u", account]).is_some() { account } else { "nobody" };
        let group = id(&["-g", account]).expect("nobody has a group");
        command.args(["--reuid", account, "--regid", &group, "--clear-groups"]);
        let owned = Command::new("chown").arg("-R").arg(account).arg(folder).status();
        assert!(owned.is_ok_and(|status| status.success()), "cannot give {} away", folder.display());
    }
    command.arg("env").arg("--chdir").arg(folder).arg(format!("HOME={}", folder.display()));
    command
}

pub fn is_root() -> bool {
    id(&["-u"]).as_deref() == Some("0")
}

fn id(arguments: &[&str]) -> Option<String> {
    let output = Command::new("id").args(arguments).output().expect("id, of the coreutils");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
