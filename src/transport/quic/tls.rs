//! The TLS and QUIC settings of both ends. Public so that a test can stand where an attacker stands.

use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{IdleTimeout, VarInt};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};

use super::congestion::FlooredConfig;
use crate::transport::config::MAX_INBOUND_BULK;
use crate::transport::{TransportConfig, TransportError};

/// The protocol that both ends must name in their TLS handshake.
pub const ALPN: &[u8] = b"theta/1";
/// The label under which the channel binding is exported from TLS.
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-theta-1";
/// The name a client asks for. It names nothing: identity is not the certificate's.
pub const SERVER_NAME: &str = "theta";

/// What quinn may hold of unsent datagrams. It cannot be purged any more, so it is small: a burst of 14 packets.
const DATAGRAM_SEND_BYTES: usize = 16 << 10;
const DATAGRAM_RECEIVE_BYTES: usize = 256 << 10;
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;
/// Unacknowledged stream bytes that quinn keeps for resending. Lanes queue in front of it.
const SEND_WINDOW_BYTES: u64 = 1 << 20;

/// How many later packets must have arrived for one to count as lost: four ticks of sixteen packets.
const LOST_AFTER_PACKETS: u32 = 64;
/// Or for how long it must have been under way when a later one is known to have come, in round trips. Those that are
/// measured are the short ones, since it is the fast packets whose acknowledgements come first.
const LOST_AFTER_ROUND_TRIPS: f32 = 2.5;

/// Which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Accepts.
    Server,
    /// Connects.
    Client,
}

fn tls_error(error: impl std::fmt::Display) -> TransportError {
    TransportError::Tls(error.to_string())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Server settings with a certificate made for this call: it lives as long as the end point and means nothing.
pub fn server_config(limits: &TransportConfig) -> Result<quinn::ServerConfig, TransportError> {
    let made = rcgen::generate_simple_self_signed(vec![SERVER_NAME.to_owned()]).map_err(tls_error)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let mut tls = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(tls_error)?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .map_err(tls_error)?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    // Every connection proves itself in full: no resumption, hence no early data.
    tls.send_tls13_tickets = 0;
    tls.max_early_data_size = 0;
    let crypto = QuicServerConfig::try_from(tls).map_err(tls_error)?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    config.transport_config(transport_config(limits, Role::Server)?);
    config.max_incoming(limits.max_half_open.max(1));
    config.incoming_buffer_size(64 << 10);
    config.incoming_buffer_size_total(1 << 20);
    Ok(config)
}

/// Client settings that accept any certificate, see [`AcceptAnyCertificate`].
pub fn client_config(limits: &TransportConfig) -> Result<quinn::ClientConfig, TransportError> {
    let mut tls = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(tls_error)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AcceptAnyCertificate(provider())))
        .with_no_client_auth();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.resumption = rustls::client::Resumption::disabled();
    tls.enable_early_data = false;
    let crypto = QuicClientConfig::try_from(tls).map_err(tls_error)?;
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    config.transport_config(transport_config(limits, Role::Client)?);
    Ok(config)
}

fn transport_config(
    limits: &TransportConfig,
    role: Role,
) -> Result<Arc<quinn::TransportConfig>, TransportError> {
    let mut config = quinn::TransportConfig::default();
    // A client opens control; a server opens replication and bulk lanes. Nobody opens anything else.
    config.max_concurrent_bidi_streams(VarInt::from_u32(1));
    config.max_concurrent_uni_streams(match role {
        Role::Server => VarInt::from_u32(0),
        Role::Client => VarInt::from_u32(MAX_INBOUND_BULK),
    });
    config.max_idle_timeout(Some(IdleTimeout::try_from(limits.idle_timeout).map_err(tls_error)?));
    config.keep_alive_interval(None);
    config.initial_mtu(1200);
    // The specification's 333 ms would delay the first retransmission of a handshake by a second.
    config.initial_rtt(Duration::from_millis(100));
    config.stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES));
    config.receive_window(VarInt::from_u32(CONNECTION_WINDOW_BYTES));
    config.send_window(SEND_WINDOW_BYTES);
    // The specification takes a packet for lost when three later ones came, or an eighth of a round trip after one did.
    // Where jitter is wider than that, packets that only come late are counted as lost by the dozen.
    config.packet_threshold(LOST_AFTER_PACKETS);
    config.time_threshold(LOST_AFTER_ROUND_TRIPS);
    config.congestion_controller_factory(Arc::new(FlooredConfig));
    config.datagram_send_buffer_size(DATAGRAM_SEND_BYTES);
    config.datagram_receive_buffer_size(Some(DATAGRAM_RECEIVE_BYTES));
    Ok(Arc::new(config))
}

/// Accepts every certificate, but still checks that the server holds its key (the TLS signature).
///
/// That is not a hole: the certificate was never the identity. The session's handshake signs a transcript that
/// contains this connection's exporter value, so whoever answers here with a certificate of its own and forwards the
/// rest gets two different values and no valid proof. A browser needs other kinds of certificate, a LAN host has none;
/// identity that depended on them would not be portable.
#[derive(Debug)]
pub struct AcceptAnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        // QUIC is TLS 1.3 only.
        Err(rustls::Error::General("TLS 1.2 is not spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
