//! `Config`: what is read from a file, and the connectors that are built from it.

mod building;
mod parsing;

use tls_resume::Config;

/// Reads a configuration; an error is one line with the key, as the documentation of `Config` has it.
fn toml(text: &str) -> Result<Config, String> {
    let toml = ::toml::Deserializer::parse(text).map_err(|error| error.message().to_owned())?;
    serde_path_to_error::deserialize(toml)
        .map_err(|error| format!("{}: {}", error.path(), error.inner().message()))
}

fn json(text: &str) -> Result<Config, String> {
    let mut json = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut json).map_err(|error| error.to_string())
}

on_backends! {
    building:
        invalid_settings_are_rejected,
        memory_is_a_store_for_every_backend,
        a_configuration_replaces_what_was_set_before,
        client_certificates_are_sent_and_sessions_resumed,
        client_certificates_are_read_again;
}
