//! Tickets: the string a person is given, and the signed statement inside it that lets one key in.
//!
//! `theta://HOST:PORT[/DOCUMENT#AUTHORITY[.PASS]]`, the parts in unpadded base64url: the document id (32 bytes), the
//! key that certifies its hosts (32 bytes) and what lets somebody in. With document and authority the client knows whom
//! it talks to; without them it trusts only its own machine. PASS is a member ticket, which names the client's key, so a
//! stolen one opens nothing; or `invite.` and an invite, which lets in whoever comes first with it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::admission::InviteKey;
use super::keys::{AdminKey, DocumentId, Membership, PublicKey, Signature, Statement, verify};
use crate::wire::message::{Role, WireEnum};

/// Longest ticket string that is looked at, in bytes.
pub const MAX_TICKET_CHARS: usize = 1024;
/// Length of an encoded member ticket, in bytes.
pub const MEMBER_TICKET_BYTES: usize = SIGNED_BYTES + 64;
const SIGNED_BYTES: usize = 1 + 32 + 32 + 1 + 8 + 32;
const MEMBER_TICKET_VERSION: u8 = 1;

/// Why a ticket is not one, or does not open this door.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// Not `theta://...`.
    #[error("a ticket starts with theta://")]
    Scheme,
    /// No `host:port`.
    #[error("the ticket names no host:port")]
    Endpoint,
    /// A part is not base64url of the right length.
    #[error("the ticket's {0} is damaged; copy it again as a whole")]
    Damaged(&'static str),
    /// The string is too long to be one.
    #[error("the ticket is longer than {MAX_TICKET_CHARS} characters")]
    TooLong,
    /// The member ticket's signature is not the authority's.
    #[error("the ticket is not signed by this document's authority; ask for one from it")]
    Signature,
    /// It was made for another document.
    #[error("the ticket is for another document")]
    Document,
    /// It was made for another key.
    #[error("the ticket was issued to another key; join with the key it names")]
    Key,
    /// Its time is over.
    #[error("the ticket has expired; ask for a new one")]
    Expired,
}

/// Whom a client expects at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The document the session is about.
    pub document: DocumentId,
    /// The key that certifies its hosts.
    pub authority: PublicKey,
}

/// A parsed ticket string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// `host:port`.
    pub endpoint: String,
    /// Whom to expect; without it only this machine is trusted.
    pub pin: Option<Pin>,
    /// What lets the client in.
    pub pass: Pass,
}

/// What lets somebody in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Pass {
    /// Nothing; enough for a host in dev mode on this machine.
    #[default]
    None,
    /// An encoded member ticket.
    Member(Vec<u8>),
    /// An invite.
    Invite(InviteKey),
}

/// What stands in front of an invite. No base64url of a member ticket has a point in it.
const INVITE_MARK: &str = "invite.";

impl Ticket {
    /// Reads a ticket string.
    pub fn parse(text: &str) -> Result<Self, TicketError> {
        if text.len() > MAX_TICKET_CHARS {
            return Err(TicketError::TooLong);
        }
        let rest = text.trim().strip_prefix("theta://").ok_or(TicketError::Scheme)?;
        let (endpoint, pins) = match rest.split_once('/') {
            Some((endpoint, pins)) => (endpoint, Some(pins)),
            None => (rest, None),
        };
        let port = endpoint.rsplit_once(':').and_then(|(host, port)| (!host.is_empty()).then_some(port));
        if port.and_then(|port| port.parse::<u16>().ok()).is_none() {
            return Err(TicketError::Endpoint);
        }
        let (pin, pass) = match pins {
            None | Some("") => (None, Pass::None),
            Some(pins) => {
                let (document, keys) = pins.split_once('#').ok_or(TicketError::Damaged("authority key"))?;
                let (authority, pass) = match keys.split_once('.') {
                    Some((authority, pass)) => (authority, decode_pass(pass)?),
                    None => (keys, Pass::None),
                };
                let pin = Pin {
                    document: decode_32(document, "document id")?,
                    authority: decode_32(authority, "authority key")?,
                };
                (Some(pin), pass)
            }
        };
        Ok(Self { endpoint: endpoint.to_owned(), pin, pass })
    }
}

impl core::fmt::Display for Ticket {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(out, "theta://{}", self.endpoint)?;
        if let Some(pin) = &self.pin {
            write!(
                out,
                "/{}#{}",
                URL_SAFE_NO_PAD.encode(pin.document),
                URL_SAFE_NO_PAD.encode(pin.authority)
            )?;
            match &self.pass {
                Pass::None => {}
                Pass::Member(member) => write!(out, ".{}", URL_SAFE_NO_PAD.encode(member))?,
                Pass::Invite(invite) => {
                    write!(out, ".{INVITE_MARK}{}", URL_SAFE_NO_PAD.encode(invite.encode()))?;
                }
            }
        }
        Ok(())
    }
}

fn decode_32(text: &str, what: &'static str) -> Result<[u8; 32], TicketError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| TicketError::Damaged(what))?;
    bytes.try_into().map_err(|_| TicketError::Damaged(what))
}

fn decode_pass(text: &str) -> Result<Pass, TicketError> {
    if let Some(invite) = text.strip_prefix(INVITE_MARK) {
        let bytes = URL_SAFE_NO_PAD.decode(invite).ok();
        let invite = bytes.and_then(|bytes| InviteKey::decode(&bytes));
        return invite.map(Pass::Invite).ok_or(TicketError::Damaged("invite"));
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| TicketError::Damaged("member part"))?;
    MemberTicket::decode(&bytes)?;
    Ok(Pass::Member(bytes))
}

/// An authority's statement: this key may enter this document with this role until then.
///
/// Encoded as version (1) | document id (32) | client key (32) | role (1) | expiry, Unix seconds, u64 LE (8) |
/// authority key (32) | signature (64) over all before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberTicket {
    /// The document it opens.
    pub document: DocumentId,
    /// The key it opens for.
    pub client_key: PublicKey,
    /// The highest role it grants.
    pub role: Role,
    /// Unix time in seconds from which it is worth nothing.
    pub expires_unix_s: u64,
    /// Who says so.
    pub authority: PublicKey,
    signature: Signature,
}

impl MemberTicket {
    /// Signs a ticket.
    #[must_use]
    pub fn issue(
        authority: &AdminKey,
        document: DocumentId,
        client_key: PublicKey,
        role: Role,
        expires_unix_s: u64,
    ) -> Self {
        let mut ticket = Self {
            document,
            client_key,
            role,
            expires_unix_s,
            authority: authority.public_key(),
            signature: [0; 64],
        };
        ticket.signature = authority.sign(&ticket.statement());
        ticket
    }

    fn signed_bytes(&self) -> [u8; SIGNED_BYTES] {
        let mut bytes = [0; SIGNED_BYTES];
        bytes[0] = MEMBER_TICKET_VERSION;
        bytes[1..33].copy_from_slice(&self.document);
        bytes[33..65].copy_from_slice(&self.client_key);
        bytes[65] = self.role as u8;
        bytes[66..74].copy_from_slice(&self.expires_unix_s.to_le_bytes());
        bytes[74..106].copy_from_slice(&self.authority);
        bytes
    }

    fn statement(&self) -> Statement<Membership> {
        Statement::over(&[&self.signed_bytes()])
    }

    /// The bytes that travel.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.signed_bytes().to_vec();
        bytes.extend_from_slice(&self.signature);
        bytes
    }

    /// Reads the bytes; says nothing yet about whether they are true.
    pub fn decode(bytes: &[u8]) -> Result<Self, TicketError> {
        const DAMAGED: TicketError = TicketError::Damaged("member part");
        if bytes.len() != MEMBER_TICKET_BYTES || bytes[0] != MEMBER_TICKET_VERSION {
            return Err(DAMAGED);
        }
        let take = |at: usize| -> [u8; 32] {
            let mut part = [0; 32];
            part.copy_from_slice(&bytes[at..at + 32]);
            part
        };
        let mut expires = [0; 8];
        expires.copy_from_slice(&bytes[66..74]);
        let mut signature = [0; 64];
        signature.copy_from_slice(&bytes[SIGNED_BYTES..]);
        Ok(Self {
            document: take(1),
            client_key: take(33),
            role: Role::from_number(u16::from(bytes[65])).map_err(|_| DAMAGED)?,
            expires_unix_s: u64::from_le_bytes(expires),
            authority: take(74),
            signature,
        })
    }

    /// The role it grants to `client_key` for this document now, or why it grants nothing.
    pub fn grant(&self, pin: &Pin, client_key: &PublicKey, now_unix_s: u64) -> Result<Role, TicketError> {
        if self.document != pin.document {
            return Err(TicketError::Document);
        }
        if self.authority != pin.authority || !verify(&self.authority, &self.statement(), &self.signature) {
            return Err(TicketError::Signature);
        }
        if &self.client_key != client_key {
            return Err(TicketError::Key);
        }
        if now_unix_s >= self.expires_unix_s {
            return Err(TicketError::Expired);
        }
        Ok(self.role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority() -> AdminKey {
        AdminKey::from_seed(&[1; 32])
    }

    fn pin() -> Pin {
        Pin { document: [9; 32], authority: authority().public_key() }
    }

    fn ticket() -> MemberTicket {
        MemberTicket::issue(&authority(), [9; 32], [5; 32], Role::Editor, 1000)
    }

    #[test]
    fn a_ticket_survives_its_string() {
        let whole = Ticket {
            endpoint: "192.0.2.1:4433".into(),
            pin: Some(pin()),
            pass: Pass::Member(ticket().encode()),
        };
        let invite = InviteKey { id: [3; 16], secret: [0xfe; 32] };
        let inviting = Ticket { pass: Pass::Invite(invite), ..whole.clone() };
        assert!(inviting.to_string().contains(".invite."));
        assert_eq!(Ticket::parse(&inviting.to_string()), Ok(inviting));
        assert_eq!(Ticket::parse(&whole.to_string()), Ok(whole));
        let bare = Ticket { endpoint: "[::1]:4433".into(), pin: None, pass: Pass::None };
        assert_eq!(Ticket::parse(&bare.to_string()), Ok(bare));
    }

    #[test]
    fn what_is_not_a_ticket_says_why() {
        assert_eq!(Ticket::parse("http://x:1"), Err(TicketError::Scheme));
        assert_eq!(Ticket::parse("theta://nowhere"), Err(TicketError::Endpoint));
        assert_eq!(Ticket::parse("theta://:12"), Err(TicketError::Endpoint));
        assert_eq!(Ticket::parse("theta://h:1/AAAA#AAAA"), Err(TicketError::Damaged("document id")));
        assert_eq!(Ticket::parse(&format!("theta://{}", "h".repeat(2000))), Err(TicketError::TooLong));
        let pinned = Ticket { endpoint: "h:1".into(), pin: Some(pin()), pass: Pass::None };
        for invite in ["invite.", "invite.AAAA", &format!("invite.{}", "A".repeat(65)), "invite.!"] {
            assert_eq!(Ticket::parse(&format!("{pinned}.{invite}")), Err(TicketError::Damaged("invite")));
        }
    }

    #[test]
    fn a_ticket_opens_one_door_for_one_key_in_time() {
        let ticket = ticket();
        assert_eq!(ticket.grant(&pin(), &[5; 32], 999), Ok(Role::Editor));
        assert_eq!(ticket.grant(&pin(), &[5; 32], 1000), Err(TicketError::Expired));
        assert_eq!(ticket.grant(&pin(), &[6; 32], 1), Err(TicketError::Key));
        assert_eq!(
            ticket.grant(&Pin { document: [8; 32], ..pin() }, &[5; 32], 1),
            Err(TicketError::Document)
        );
        let stranger = AdminKey::from_seed(&[2; 32]);
        let forged = MemberTicket::issue(&stranger, [9; 32], [5; 32], Role::Admin, 1000);
        assert_eq!(forged.grant(&pin(), &[5; 32], 1), Err(TicketError::Signature));
    }

    #[test]
    fn no_bit_of_a_ticket_can_be_changed() {
        let bytes = ticket().encode();
        for bit in 0..bytes.len() * 8 {
            let mut forged = bytes.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            let granted = MemberTicket::decode(&forged).and_then(|ticket| ticket.grant(&pin(), &[5; 32], 1));
            assert!(granted.is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(MemberTicket::decode(&bytes[..length]).is_err());
        }
    }
}
