//! Keying material that both ends derive (RFC 5705, RFC 9266).

use std::io::ErrorKind;

use lab::server::Protocol;
use tls_resume::{Backend, Resumption};

use super::clients::{client, last, visit, visit_in_memory};
use crate::servers::{each, listen, server};

pub(crate) fn both_ends_export_the_same_keying_material<B: Backend>() {
    each(|library, version| {
        let (server, client) = (server(library, version), client::<B>());
        let mut seen = Vec::new();
        for expected in [Resumption::Full, Resumption::Resumed] {
            let mut stream = visit_in_memory(&client, &server);
            assert_eq!(stream.resumption(), expected);
            for (label, context) in [
                ("EXPORTER-one", None),
                ("EXPORTER-one", Some(&b"a context"[..])),
                ("EXPORTER-two", Some(b"a context")),
                ("EXPORTER-two", Some(b"another")),
            ] {
                let mut material = [0; 32];
                let exported = stream.export_keying_material(&mut material, label, context);
                exported.expect("keying material");
                let server = stream.get_mut().0.server();
                let other_end = server.export_keying_material(label, context);
                assert_eq!(Some(material), other_end, "{library} {version:?} {label}");
                assert!(!seen.contains(&material), "{label} {context:?}");
                seen.push(material);
            }
            let [mut none, mut empty] = [[0; 32]; 2];
            let label = "EXPORTER-three";
            let exported = stream.export_keying_material(&mut none, label, None);
            exported.expect("without a context");
            let exported = stream.export_keying_material(&mut empty, label, Some(b""));
            exported.expect("with an empty one");
            assert_eq!(none == empty, version == Protocol::Tls13, "{library}");
            let (long, long_label) = (vec![0; 65_536], "x".repeat(250));
            for (length, label, context) in [
                (0, label, None),
                (8_161, label, None),
                (32, &*long_label, None),
                (32, label, Some(&*long)),
            ] {
                let exported = stream.export_keying_material(&mut vec![0; length], label, context);
                let error = exported.expect_err("too short or too long");
                assert_eq!(error.kind(), ErrorKind::InvalidInput, "{library}");
            }
            let is_openssl = client.backend_name() == "openssl";
            let most = match version {
                Protocol::Tls12 if is_openssl => 958 - 249, // before 3.3
                _ => 65_535,
            };
            let (label, context) = (&long_label[1..], Some(&long[..most]));
            let exported = stream.export_keying_material(&mut [0; 8_160], label, context);
            exported.expect("the most of everything");
        }
    });
}

pub(crate) fn the_channel_binding_is_the_servers<B: Backend>() {
    each(|library, version| {
        let (server, client) = (listen(server(library, version)), client::<B>());
        for count in 1..=2 {
            let stream = visit(&client, &server);
            let seen = last(&server, count);
            assert_eq!(seen.resumed, count == 2);
            let is_known = version == Protocol::Tls13 || client.backend_name() == "openssl";
            let expected = seen.tls_exporter.filter(|_| is_known);
            assert_eq!(stream.tls_exporter(), expected, "{library} {version:?}");
            assert!(seen.tls_exporter.is_some());
        }
    });
}
