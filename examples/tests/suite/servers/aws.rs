//! The HTTP client of AWS's SDKs, with nginx, which reports resumptions.

use lab::nginx::NginxServer;

use super::common::{identity, run};

#[test]
fn the_program_resumes() {
    let nginx = NginxServer::start(&identity()).expect("an nginx");
    let url = format!("https://localhost:{}/", nginx.port());
    let written = run(env!("CARGO_BIN_EXE_aws"), &url);
    assert_eq!(written, ["b\"hello\\n\"", "b\"hello\\n\"", "1 resumed"]);
    assert_eq!(nginx.resumed(2).expect("its log"), [false, true]);
}
