//! `darkroom --healthcheck`: asks the process next door, for containers that hold no other program.

use anyhow::Context;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);

/// Asks for `/readyz` at `listen`.
///
/// # Errors
/// If nothing answers, or the answer is not 200; the message holds what was said.
pub fn healthcheck(listen: SocketAddr) -> anyhow::Result<()> {
    let address = reachable(listen);
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)
        .with_context(|| format!("nothing answers at {address}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(
        format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes(),
    )?;
    let mut answer = String::new();
    stream.take(64 * 1024).read_to_string(&mut answer).context("the answer cannot be read")?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    anyhow::ensure!(answer.starts_with("HTTP/1.1 200 "), "not ready: {body}");
    Ok(())
}

/// A process that listens everywhere is asked on its loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
