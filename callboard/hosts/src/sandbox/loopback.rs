//! A network of its own for a process: brings up the loopback in it and listens there, and hands the listener out.

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType};
use std::io;
use std::net::TcpListener;

/// Message type that changes an interface.
const RTM_NEWLINK: u16 = 16;
/// A request whose receipt is to be said.
const NLM_F_REQUEST_ACK: u16 = 1 | 4;
const IFF_UP: u32 = 1;
/// The loopback is the first interface of every network.
const LOOPBACK: i32 = 1;

/// Brings the loopback up, and listens on a free port of it.
pub(super) fn listen() -> io::Result<TcpListener> {
    let netlink = rustix::net::socket(AddressFamily::NETLINK, SocketType::RAW, None)?;
    rustix::net::send(&netlink, &request(), SendFlags::empty())?;
    let mut answer = [0; 512];
    let (size, _) = rustix::net::recv(&netlink, &mut answer[..], RecvFlags::empty())?;
    // Behind a header of 16 bytes stands the error, negative, or 0.
    let code = answer[..size].get(16..20).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    match code {
        Some(0) => TcpListener::bind("127.0.0.1:0"),
        Some(code) => Err(Errno::from_raw_os_error(-code).into()),
        None => Err(io::Error::other("the kernel says nothing about the loopback")),
    }
}

/// `struct nlmsghdr` with `struct ifinfomsg`: the loopback is to be up.
fn request() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(32);
    bytes.extend(32_u32.to_ne_bytes());
    bytes.extend(RTM_NEWLINK.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST_ACK.to_ne_bytes());
    bytes.extend(1_u32.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend(LOOPBACK.to_ne_bytes());
    bytes.extend(IFF_UP.to_ne_bytes());
    bytes.extend(IFF_UP.to_ne_bytes());
    bytes
}
