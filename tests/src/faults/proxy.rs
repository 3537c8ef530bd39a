//! A TCP proxy that spoils what a server answers.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// What happens to the bytes of a connection: to those from the server to the client, unless it says otherwise.
#[derive(Debug, Clone, Copy)]
pub enum Spoil {
    /// The connection ends after so many bytes.
    CloseAt(usize),
    /// One bit of that byte is another.
    FlipAt(usize),
    /// The connection ends after so many bytes from the client.
    CutRequestAt(usize),
}

/// A running proxy. It ends with the process.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Proxy {
    /// Listens on a free port for connections to `server`, and spoils the first `spoiled` of them.
    ///
    /// # Errors
    /// When no port is free.
    pub fn start(server: u16, spoil: Spoil, spoiled: usize) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let number = counter.fetch_add(1, Ordering::SeqCst);
                let spoil = (number < spoiled).then_some(spoil);
                thread::spawn(move || pass(&client, server, spoil));
            }
        });
        Ok(Self { port, connections })
    }

    /// Returns `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Returns how many connections there were.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Carries one connection to its end. A side that goes away ends the other.
fn pass(client: &TcpStream, server: u16, spoil: Option<Spoil>) -> io::Result<()> {
    let server = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, server)))?;
    let (mut requests, mut to_server) = (client.try_clone()?, server.try_clone()?);
    let most = if let Some(Spoil::CutRequestAt(at)) = spoil { at as u64 } else { u64::MAX };
    thread::spawn(move || {
        let passed = io::copy(&mut (&mut requests).take(most), &mut to_server);
        let is_cut = passed.is_ok_and(|passed| passed == most);
        let _ = to_server.shutdown(if is_cut { Shutdown::Both } else { Shutdown::Write });
    });
    let result = answer(&server, client, spoil);
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
    result
}

fn answer(mut server: &TcpStream, mut client: &TcpStream, spoil: Option<Spoil>) -> io::Result<()> {
    let mut passed = 0;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = server.read(&mut buffer)?;
        let piece = &mut buffer[..length];
        match spoil {
            _ if length == 0 => return Ok(()),
            Some(Spoil::CloseAt(at)) if passed + length >= at => {
                return client.write_all(&piece[..at - passed]);
            }
            Some(Spoil::FlipAt(at)) if (passed..passed + length).contains(&at) => piece[at - passed] ^= 1,
            _ => {}
        }
        client.write_all(piece)?;
        passed += length;
    }
}
