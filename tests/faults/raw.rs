//! HTTP by hand, for what no library would send.

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// The status of the answer that comes next.
pub async fn status(stream: &mut TcpStream) -> u16 {
    let mut line = [0; 12];
    stream.read_exact(&mut line).await.expect("an answer");
    std::str::from_utf8(&line[9..]).unwrap().parse().unwrap()
}

/// A form with this file, as it goes over the wire.
pub fn upload(file: &[u8]) -> Vec<u8> {
    let (before, after) = (
        &b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"s.jpg\"\r\n\r\n"[..],
        &b"\r\n--b--\r\n"[..],
    );
    let length = before.len() + file.len() + after.len();
    let head = format!(
        "POST /api/images HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), before, file, after].concat()
}
