//! A server that machines share: Redis or Valkey.
