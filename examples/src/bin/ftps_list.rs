//! Lists the files of an FTP server over TLS, twice: `ftps_list HOST:PORT [ROOTS.pem]`.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use tls_resume::ConnectOptions;
use tls_resume::openssl::Connector; // or tls_resume::rustls::Connector

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let server = arguments.next().ok_or("give HOST:PORT")?;
    let (host, port) = server.split_once(':').ok_or("give HOST:PORT")?;
    let mut builder = Connector::builder();
    if let Some(roots) = arguments.next() {
        builder = builder.roots_pem_file(roots); // instead of Mozilla's
    }
    let connector = builder.build()?;

    let mut tcp = TcpStream::connect(&server)?;
    reply(&mut tcp)?;
    ask(&mut tcp, "AUTH TLS")?;
    let keep = ConnectOptions::new().keep_session(true);
    let mut control = connector.connect_stream_with(host, port.parse()?, tcp, &keep)?;
    for command in ["USER anonymous", "PASS me@localhost", "PBSZ 0", "PROT P"] {
        ask(&mut control, command)?;
    }
    for _ in 0..2 {
        let passive = ask(&mut control, "EPSV")?; // 229 ... (|||PORT|)
        let data_port = passive.split('|').nth(3).ok_or("no port")?;
        let tcp = TcpStream::connect((host, data_port.parse()?))?;
        ask(&mut control, "LIST")?;
        let mut data = connector.connect_stream_resuming(&control, tcp)?;
        println!("{:?}", data.resumption());
        io::copy(&mut data, &mut io::stdout())?; // to the end: tickets are among it
        data.close()?;
        reply(&mut control)?;
    }
    ask(&mut control, "QUIT")?;
    control.close()?;
    Ok(())
}

/// Sends a command and reads the reply.
fn ask(server: &mut (impl Read + Write), command: &str) -> io::Result<String> {
    write!(server, "{command}\r\n")?;
    reply(server)
}

/// Reads the last line of a reply. An error if it begins with 4 or 5.
fn reply(server: &mut impl Read) -> io::Result<String> {
    loop {
        let mut line = String::new();
        while !line.ends_with('\n') {
            let mut byte = [0];
            server.read_exact(&mut byte)?; // no byte after the line: they may be TLS
            line.push(byte[0].into());
        }
        match line.as_bytes() {
            [b'1'..=b'3', _, _, b' ', ..] => return Ok(line),
            [_, _, _, b' ', ..] => return Err(io::Error::other(line)),
            _ => {}
        }
    }
}
