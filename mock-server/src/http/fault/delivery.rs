//! What the system has taken for a caller and not delivered yet: a reset throws it away.
//!
//! Linux tells by its socket diagnostics (sock_diag(7)), which need no privilege and find one socket by its addresses, so that asking
//! costs the same however many there are. Elsewhere nobody is asked, and what was handed over counts as delivered.

use std::any::Any;
#[cfg(target_os = "linux")]
use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpStream;

use super::abort::tcp;

/// How many bytes the caller's side has not acknowledged; none where the system does not tell, or has nothing to deliver.
pub(super) fn undelivered<IO: Any>(io: &IO) -> Option<u32> {
    tcp(io).and_then(pending)
}

#[cfg(not(target_os = "linux"))]
fn pending(_stream: &TcpStream) -> Option<u32> {
    None
}

#[cfg(target_os = "linux")]
fn pending(stream: &TcpStream) -> Option<u32> {
    use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};

    let question = question(stream.local_addr().ok()?, stream.peer_addr().ok()?);
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let system = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(netlink::SOCK_DIAG)).ok()?;
    send(&system, &question, SendFlags::empty()).ok()?;
    let mut answer = [0; 1024];
    // The system answers while it is asked.
    let (_, length) = recv(&system, &mut answer[..], RecvFlags::empty()).ok()?;
    write_queue(&answer[..length.min(answer.len())])
}

/// `SOCK_DIAG_BY_FAMILY`, the type of questions and answers (linux/sock_diag.h).
#[cfg(target_os = "linux")]
const BY_FAMILY: u16 = 20;

/// A `nlmsghdr` (linux/netlink.h) and an `inet_diag_req_v2` (linux/inet_diag.h) about the socket with these addresses.
#[cfg(target_os = "linux")]
fn question(local: SocketAddr, peer: SocketAddr) -> Vec<u8> {
    const LENGTH: u32 = 16 + 56;
    const REQUEST: u16 = 1;
    const TCP: u8 = 6;
    let family = if local.is_ipv4() { 2 } else { 10 };
    let any_interface_and_cookie = [[0; 4], [0xff; 4], [0xff; 4]].concat();
    [
        &LENGTH.to_ne_bytes()[..],
        &BY_FAMILY.to_ne_bytes(),
        &REQUEST.to_ne_bytes(),
        &[0; 8],
        &[family, TCP, 0, 0],
        // In whatever state it is.
        &u32::MAX.to_ne_bytes(),
        &local.port().to_be_bytes(),
        &peer.port().to_be_bytes(),
        &address(local.ip()),
        &address(peer.ip()),
        &any_interface_and_cookie,
    ]
    .concat()
}

#[cfg(target_os = "linux")]
fn address(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&ip.octets());
            bytes
        }
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// `idiag_wqueue` of an `inet_diag_msg` behind a `nlmsghdr`: what was written and is not acknowledged.
#[cfg(target_os = "linux")]
fn write_queue(answer: &[u8]) -> Option<u32> {
    const KIND: usize = 4;
    const QUEUE: usize = 16 + 60;
    let is_answer = answer.get(KIND..KIND + 2)? == BY_FAMILY.to_ne_bytes();
    let queue = answer.get(QUEUE..QUEUE + 4)?.try_into().ok()?;
    is_answer.then(|| u32::from_ne_bytes(queue))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// Whether the system says what an end that writes and an end that reads know.
    fn is_told(listener: &TcpListener, to: SocketAddr) {
        let mut near = std::net::TcpStream::connect(to).unwrap();
        let (far, _) = listener.accept().unwrap();
        far.set_nonblocking(true).unwrap();
        let (mut written, far) = (0, far);
        while let Ok(length) = (&far).write(&[0; 65_536]) {
            written += length;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _inside = runtime.enter();
        let far = TcpStream::from_std(far).unwrap();
        let before = undelivered(&far).unwrap();
        assert!(before > 0 && before as usize <= written, "{before} of {written}");
        near.read_exact(&mut vec![0; written]).unwrap();
        while undelivered(&far) != Some(0) {
            std::thread::yield_now();
        }
    }

    #[test]
    fn the_system_tells_what_is_on_its_way_over_either_version_of_ip() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        is_told(&listener, listener.local_addr().unwrap());
        // Callers of version 4 come as addresses of version 6 there.
        let Ok(listener) = TcpListener::bind("[::]:0") else { return };
        let port = listener.local_addr().unwrap().port();
        is_told(&listener, SocketAddr::new("127.0.0.1".parse().unwrap(), port));
        is_told(&listener, SocketAddr::new("::1".parse().unwrap(), port));
    }

    #[test]
    fn what_is_no_answer_tells_nothing() {
        assert_eq!(write_queue(&[]), None);
        assert_eq!(write_queue(&[0; 200]), None);
    }
}
