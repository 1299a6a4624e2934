//! A RabbitMQ node that may be stopped, killed, alarmed and restarted. It shares nothing with another on this machine.

use super::keeper::{Keeper, command};
use super::{Scratch, free_port, wait_until};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

pub struct RabbitMq {
    keeper: Arc<Keeper>,
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    settings: Vec<String>,
    epmd: Child,
    server: Mutex<Child>,
}

impl RabbitMq {
    pub fn start(keeper: Arc<Keeper>, scratch: &Scratch) -> Self {
        let (programs, folder, port) = (programs(), scratch.folder("rabbitmq"), free_port());
        let settings = settings(&folder, port);
        let mut epmd = command(&folder, "rabbitmq", "TERM");
        epmd.args(&settings).args(["epmd", "-address", "127.0.0.1"]);
        epmd.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let epmd = keeper.spawn(epmd);
        let server = Mutex::new(spawn(&keeper, &programs, &folder, &settings));
        let node = Self { keeper, programs, folder, port, settings, epmd, server };
        wait_until("RabbitMQ answers", || node.answers());
        node
    }

    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    /// `rabbitmqctl` with these arguments.
    pub fn control(&self, arguments: &[&str]) -> String {
        let mut control = command(&self.folder, "rabbitmq", "TERM");
        control.args(&self.settings).arg(self.programs.join("rabbitmqctl")).args(arguments);
        let output = control.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "rabbitmqctl {arguments:?}: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        said
    }

    /// By `kill -9` of the node; the script around it then ends.
    pub fn kill(&self) {
        let pid = std::fs::read_to_string(self.folder.join("pid")).unwrap();
        Command::new("kill").args(["-KILL", pid.trim()]).status().unwrap();
        self.server.lock().unwrap().wait().unwrap();
    }

    /// After a [`RabbitMq::kill`].
    pub fn start_again(&self) {
        *self.server.lock().unwrap() = spawn(&self.keeper, &self.programs, &self.folder, &self.settings);
        wait_until("RabbitMQ is back", || self.answers());
    }

    /// Started, without alarms, whatever was done to it.
    pub fn mend(&self) {
        if self.server.lock().unwrap().try_wait().unwrap().is_some() {
            self.start_again();
        } else if !self.answers() {
            self.control(&["start_app"]);
        }
        self.control(&["set_vm_memory_high_watermark", "0.4"]);
        self.control(&["set_disk_free_limit", "50MB"]);
    }

    /// Whether it takes a connection and says which protocol it speaks: Connection.Start (AMQP 0-9-1, 2.2.4).
    pub fn answers(&self) -> bool {
        use std::io::{Read, Write};
        let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let mut frame = [0];
        stream.set_read_timeout(Some(std::time::Duration::from_secs(2))).unwrap();
        stream.write_all(b"AMQP\0\0\x09\x01").is_ok() && stream.read_exact(&mut frame).is_ok() && frame == [1]
    }
}

impl Drop for RabbitMq {
    fn drop(&mut self) {
        if let Ok(pid) = std::fs::read_to_string(self.folder.join("pid")) {
            Command::new("kill").args(["-KILL", pid.trim()]).status().unwrap();
        }
        self.server.lock().unwrap().wait().unwrap();
        self.epmd.kill().ok();
        self.epmd.wait().unwrap();
    }
}

fn spawn(
    keeper: &Keeper,
    programs: &std::path::Path,
    folder: &std::path::Path,
    settings: &[String],
) -> Child {
    let log = std::fs::File::options().create(true).append(true).open(folder.with_extension("log")).unwrap();
    let mut server = command(folder, "rabbitmq", "TERM");
    server.args(settings).arg(programs.join("rabbitmq-server"));
    server.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    keeper.spawn(server)
}

/// Folder, name, cookie, ports and epmd of its own.
fn settings(folder: &std::path::Path, port: u16) -> Vec<String> {
    let at = |name: &str| folder.join(name).display().to_string();
    let variables = [
        ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
        ("ERL_EPMD_PORT", free_port().to_string()),
        ("RABBITMQ_NODENAME", "darkroom-faults@localhost".to_owned()),
        ("RABBITMQ_CONF_ENV_FILE", at("rabbitmq-env.conf")),
        ("RABBITMQ_CONFIG_FILE", at("rabbitmq.conf")),
        ("RABBITMQ_ADVANCED_CONFIG_FILE", at("advanced.config")),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", at("enabled_plugins")),
        ("RABBITMQ_FEATURE_FLAGS_FILE", at("feature_flags")),
        ("RABBITMQ_MNESIA_BASE", at("data")),
        ("RABBITMQ_PID_FILE", at("pid")),
        ("RABBITMQ_LOG_BASE", at("log")),
        ("RABBITMQ_LOGS", "-".to_owned()),
        ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1".to_owned()),
        ("RABBITMQ_NODE_PORT", port.to_string()),
        ("RABBITMQ_DIST_PORT", free_port().to_string()),
        // Schedulers that spin while they wait would take the processors from what is being tested.
        (
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none".to_owned(),
        ),
    ];
    variables.map(|(name, value)| format!("{name}={value}")).to_vec()
}

/// The folder of the programs themselves: Debian's commands on the PATH only work for some accounts.
fn programs() -> PathBuf {
    let debian = PathBuf::from("/usr/lib/rabbitmq/bin");
    if debian.join("rabbitmq-server").exists() {
        return debian;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).find(|folder| folder.join("rabbitmq-server").exists());
    found.expect("RabbitMQ (apt-get install rabbitmq-server)")
}
