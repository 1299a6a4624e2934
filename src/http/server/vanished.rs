//! Clients that vanish without a word: their network is gone, or their machine. The system has to find out, and to end the
//! connection, or a stream of events would hold its place for as long as TCP tries: a quarter of an hour.

use rustix::io::Result;
use rustix::net::sockopt;
use std::os::fd::AsFd;
use std::time::Duration;

/// A connection ends when nothing has come from the other side for so long although an answer was due.
const VANISHED: Duration = Duration::from_secs(45);

/// Has the system end a connection whose other side is gone.
///
/// To the system, a client that takes nothing for so long is as good as gone, although it answers. Such a one may stall for
/// `stalled` here, so it is given that time at the least.
pub(super) fn notice(connection: impl AsFd, stalled: Duration) -> Result<()> {
    let patience = stalled.max(VANISHED);
    // Where nothing is under way, the other side is asked for a sign of life.
    sockopt::set_socket_keepalive(&connection, true)?;
    sockopt::set_tcp_keepidle(&connection, patience / 3)?;
    sockopt::set_tcp_keepintvl(&connection, patience / 3)?;
    // TCP_USER_TIMEOUT (RFC 5482, tcp(7)): what was sent and not acknowledged. Elsewhere the system has a bound of its own.
    #[cfg(target_os = "linux")]
    sockopt::set_tcp_user_timeout(&connection, u32::try_from(patience.as_millis()).unwrap_or(u32::MAX))?;
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_silent_connection_ends_in_time_and_not_before_a_client_may_stall() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        for (stalled, expected) in [(15, 45_000), (300, 300_000)] {
            notice(&accepted, Duration::from_secs(stalled)).unwrap();
            assert_eq!(sockopt::tcp_user_timeout(&accepted).unwrap(), expected);
        }
        assert!(sockopt::socket_keepalive(&accepted).unwrap());
        assert_eq!(sockopt::tcp_keepidle(&accepted).unwrap(), Duration::from_secs(100));
    }
}
