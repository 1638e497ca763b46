//! One link of the host: its stages, and what the peer at its other end may say.

use crate::mutants::Mutant;
use crate::replication::LinkKey;
use crate::types::{Lane, PeerId, Tick, Time};
use crate::wire::codes::{DisconnectCode, RefusalReason};
use crate::wire::envelope::RawMessage;
use crate::wire::message::{Heartbeat, Message, MessageType, Role, SessionControl};

use super::super::closing::Closing;
use super::super::closing_of_transport;
use super::super::courier::{Courier, SharedCompressor, packet_number};
use super::super::handshake::{Grant, Offer};
use super::super::heart::Heart;
use super::super::io::SourceId;
use super::super::io::{Binding, HostEvent, LinkId, LinkInput, PeerInfo};
use super::super::rate::{Rates, Window};
use super::super::role::{may_send, travels_on};
use super::asked::Asked;
use super::inputs::Inputs;
use super::refusal::Refusals;
use super::seats::{Claim, key_of};
use super::sync::Sync;
use super::{Common, HostConfig, LinkStatistics, closing, ending};

/// How far a link has come.
#[derive(Debug)]
pub(super) enum Stage {
    /// Nothing valid has come yet.
    AwaitHello,
    /// Acknowledged; the client's proof is next.
    AwaitConfirm { offer: Box<Offer>, claim: Option<Claim> },
    /// Proved; a place in the session is next: the one it claims, or a new one.
    AwaitPlace { granted: Grant, offer: Box<Offer>, claim: Option<Claim> },
    /// Proved; the application decides.
    AwaitAdmission { granted: Role, info: PeerInfo, has_bearer: bool },
    /// Let in; the client loads its level.
    Loading(PeerInfo),
    /// The world is on its way, or there.
    Playing(PeerInfo),
    /// Over.
    Ended,
}

/// See the module.
#[derive(Debug)]
pub(super) struct HostLink {
    pub(super) id: LinkId,
    pub(super) stage: Stage,
    pub(super) binding: Option<Binding>,
    pub(super) is_loopback: bool,
    handshake_deadline: Time,
    pub(super) half_open: bool,
    pub(super) courier: Courier,
    pub(super) heart: Heart,
    pub(super) sync: Sync,
    pub(super) asked: Asked,
    /// The peer was built with other components.
    pub(super) needs_manifest: bool,
    pub(super) inputs: Inputs,
    pub(super) refusals: Refusals,
    /// A lost link can be resumed.
    pub(super) may_resume: bool,
    /// The member says that nobody is there: it gets no deltas.
    pub(super) is_away: bool,
    /// How often it went away and came back.
    pub(super) away_changes: Window,
    /// The member was given a token that it may not have got yet.
    pub(super) token_pending: bool,
    rates: Rates,
    /// Where it comes from, while it counts as half open.
    pub(super) source: Option<SourceId>,
    scratch: Vec<u8>,
}

impl HostLink {
    pub fn new(id: LinkId, now: Time, config: &HostConfig, compressor: Option<SharedCompressor>) -> Self {
        Self {
            id,
            stage: Stage::AwaitHello,
            binding: None,
            is_loopback: false,
            handshake_deadline: now.plus_ms(config.handshake_timeout_ms),
            half_open: false,
            courier: Courier::new(compressor),
            heart: Heart::new(now, config.idle_timeout_ms),
            sync: Sync::default(),
            asked: Asked::default(),
            needs_manifest: false,
            inputs: Inputs::default(),
            refusals: Refusals::new(now),
            may_resume: false,
            is_away: false,
            away_changes: Window::default(),
            token_pending: false,
            rates: Rates::default(),
            source: None,
            scratch: Vec::new(),
        }
    }

    pub const fn id(&self) -> LinkId {
        self.id
    }

    pub fn courier(&mut self) -> &mut Courier {
        &mut self.courier
    }

    pub const fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Ended)
    }

    pub fn is_member(&self, key: &[u8; 32]) -> bool {
        self.info().is_some_and(|info| &info.identity_key == key)
    }

    pub(super) fn info(&self) -> Option<&PeerInfo> {
        match &self.stage {
            Stage::AwaitAdmission { info, .. } | Stage::Loading(info) | Stage::Playing(info) => Some(info),
            _ => None,
        }
    }

    /// What the application's no means to this client.
    pub const fn denial(&self) -> DisconnectCode {
        match self.stage {
            Stage::AwaitAdmission { has_bearer: true, .. } => DisconnectCode::AdmissionRefused,
            _ => DisconnectCode::DeniedByApplication,
        }
    }

    /// True between the proof and a place.
    pub const fn awaits_place(&self) -> bool {
        matches!(self.stage, Stage::AwaitPlace { .. })
    }

    /// The member at the other end, once admitted.
    pub fn member_info(&self) -> Option<PeerInfo> {
        match &self.stage {
            Stage::Loading(info) | Stage::Playing(info) => Some(info.clone()),
            _ => None,
        }
    }

    /// What replication calls the member at the other end.
    pub(super) fn key(&self) -> LinkKey {
        key_of(self.peer().unwrap_or(PeerId::HOST))
    }

    /// The seat that a proved client came back for, its key, and the epoch it agreed on.
    pub fn claim(&self) -> Option<(Claim, [u8; 32], u16)> {
        match &self.stage {
            Stage::AwaitPlace { offer, claim: Some(claim), .. } => {
                Some((*claim, offer.client_key, offer.agreement.epoch))
            }
            _ => None,
        }
    }

    pub fn next_wake(&self) -> Time {
        match self.stage {
            // The heart of a link beats from its admission on.
            Stage::Loading(_) | Stage::Playing(_) => self.heart.next_wake(),
            Stage::Ended => Time(u64::MAX),
            _ => self.handshake_deadline,
        }
    }

    pub fn statistics(&self) -> LinkStatistics {
        let clock = self.heart.clock();
        LinkStatistics {
            rtt_us: clock.rtt_us(),
            last_rtt_us: clock.last_rtt_us(),
            rtt_samples: clock.echoes() as u64,
            jitter_us: clock.jitter_us(),
            clock_offset_us: clock.offset_us().unwrap_or(0),
            packets: *self.courier.counters(),
            confirmed_tick: self.sync.confirmed(),
            divergences: self.sync.divergences(),
            repairs: self.sync.repairs(),
            inputs: self.inputs.taken,
            inputs_refused: self.inputs.refused,
        }
    }

    pub fn handle(&mut self, common: &mut Common, now: Time, input: LinkInput<'_>) {
        if matches!(self.stage, Stage::Ended) {
            return;
        }
        let outcome = match input {
            LinkInput::Opened { binding, max_datagram_bytes, is_loopback, source } => {
                self.source = source;
                self.opened(common, binding, max_datagram_bytes, is_loopback)
            }
            LinkInput::StreamOpened { lane, schema_hash } => self.courier.check_preface(lane, schema_hash),
            LinkInput::DatagramLimit(bytes) => {
                self.courier.set_max_datagram_bytes(bytes);
                Ok(())
            }
            LinkInput::Packet { lane, bytes } => self.packet(common, now, lane, bytes),
            LinkInput::Closed { code, reason } => {
                self.courier.transport_closed();
                self.end(common, &closing_of_transport(code, reason).by_client());
                Ok(())
            }
        };
        if let Err(closing) = outcome {
            self.close(common, &closing);
        }
    }

    pub fn handle_timeout(&mut self, common: &mut Common, now: Time) {
        let waiting = !matches!(self.stage, Stage::Loading(_) | Stage::Playing(_) | Stage::Ended);
        if common.mutants.active(Mutant::NeverIdle) && self.heart.is_idle(now) {
            self.heart.heard(now);
        }
        if waiting && now >= self.handshake_deadline {
            self.close(common, &Closing::new(DisconnectCode::HandshakeTimeout));
        } else if self.member_info().is_some() && self.heart.is_idle(now) {
            self.close(common, &Closing::new(DisconnectCode::IdleTimeout));
        } else if self.member_info().is_some()
            && let Some(stamps) = self.heart.beat(now)
        {
            let heartbeat = Heartbeat {
                newest_tick: common.newest_tick,
                confirmed_tick: self.sync.confirmed(),
                lanes: self.courier.lane_counts(),
                host_time_us: common.newest_sealed_at.0,
                host_tick: common.newest_tick,
                ..stamps
            };
            self.send(common, Lane::Control, &Message::Heartbeat(heartbeat));
            self.keep_epoch(common);
        }
    }

    /// Begins the next epoch before a lane of either direction has no sequence left. The announcement is the last
    /// packet of the old one on control. A session that has had every epoch there is ends when its sequences do.
    fn keep_epoch(&mut self, common: &mut Common) {
        if self.courier.is_epoch_spent(common.config.sequences_per_epoch)
            && let Some(epoch) = self.courier.epoch_out().checked_add(1)
        {
            let change = SessionControl::EpochChange { epoch };
            self.send(common, Lane::Control, &Message::SessionControl(change));
            self.courier.begin_epoch(epoch);
            if let Some(seat) = self.peer().and_then(|peer| common.slots.get_mut(&peer)) {
                seat.epoch = epoch;
            }
        }
    }

    fn opened(
        &mut self,
        common: &mut Common,
        binding: Binding,
        datagram: usize,
        loopback: bool,
    ) -> Result<(), Closing> {
        if self.binding.is_some() {
            return Err(Closing::because(DisconnectCode::InternalFault, "a link was opened twice"));
        }
        self.binding = Some(binding);
        self.is_loopback = loopback;
        self.courier.set_max_datagram_bytes(datagram);
        if common.half_open >= common.config.max_half_open
            && !common.mutants.active(Mutant::HalfOpenWithoutLimit)
        {
            return Err(Closing::new(DisconnectCode::TooManyHandshakes));
        }
        if let Some(source) = self.source {
            let from_there = common.half_open_sources.entry(source).or_insert(0);
            // So that one stranger cannot take every place at the door.
            if *from_there >= common.config.max_half_open_per_source
                && !common.mutants.active(Mutant::IgnoreSources)
            {
                return Err(Closing::because(DisconnectCode::TooManyHandshakes, "Most of them are yours"));
            }
            *from_there += 1;
        }
        self.half_open = true;
        common.half_open += 1;
        self.courier.open_lane(Lane::Control);
        Ok(())
    }

    fn packet(&mut self, common: &mut Common, now: Time, lane: Lane, bytes: &[u8]) -> Result<(), Closing> {
        // Before it is looked into: what is not worth reading costs as much to check.
        self.spend(common, now, lane, 1, bytes.len())?;
        let mut scratch = core::mem::take(&mut self.scratch);
        let outcome = match self.courier.receive(lane, bytes, &mut scratch) {
            Ok(Some(packet)) => {
                self.heart.heard(now);
                if self.token_pending
                    && let Some(peer) = self.peer()
                {
                    self.token_pending = false;
                    common.token_arrived(peer);
                }
                let number = packet_number(packet.header().epoch, packet.header().sequence);
                packet.messages().enumerate().try_for_each(|(at, raw)| {
                    self.spend(common, now, lane, usize::from(at > 0), 0)?;
                    self.message(common, now, lane, number, raw)
                })
            }
            Ok(None) => Ok(()),
            Err(closing) => Err(closing),
        };
        self.scratch = scratch;
        outcome
    }

    fn spend(
        &mut self,
        common: &Common,
        now: Time,
        lane: Lane,
        messages: usize,
        bytes: usize,
    ) -> Result<(), Closing> {
        let spent = self.rates.spend(now, lane, messages, bytes);
        if common.mutants.active(Mutant::CountNoMessages) { Ok(()) } else { spent }
    }

    fn message(
        &mut self,
        common: &mut Common,
        now: Time,
        lane: Lane,
        number: u64,
        raw: RawMessage<'_>,
    ) -> Result<(), Closing> {
        let sequence = number as u32;
        match &self.stage {
            Stage::Ended => return Ok(()),
            Stage::AwaitHello => return self.hello(common, lane, raw),
            Stage::AwaitConfirm { .. } => return self.confirm(common, lane, raw),
            Stage::AwaitPlace { .. } | Stage::AwaitAdmission { .. } => {
                return Err(Closing::because(
                    DisconnectCode::ProtocolViolation,
                    "a message before admission",
                ));
            }
            Stage::Loading(info) | Stage::Playing(info) => {
                if !may_send(info.role, raw.message_type) && !common.mutants.active(Mutant::SkipRoleCheck) {
                    let reason = RefusalReason::RoleForbids;
                    return self.refuse(common, now, lane, sequence, raw.message_type, reason);
                }
                if !travels_on(raw.message_type, lane) {
                    return Err(Closing::misplaced(raw.message_type, lane));
                }
            }
        }
        let message = raw.decode().map_err(|error| Closing::from_message(&error))?;
        match message {
            Message::Heartbeat(heartbeat) => {
                self.heart.on_heartbeat(now, &heartbeat);
                Ok(())
            }
            Message::SessionControl(_) if lane != Lane::Control => {
                Err(Closing::misplaced(MessageType::SessionControl, lane))
            }
            Message::SessionControl(SessionControl::Away { .. }) => {
                self.away_or_back(common, now, sequence, true)
            }
            Message::SessionControl(SessionControl::Back { .. }) => {
                self.away_or_back(common, now, sequence, false)
            }
            Message::SessionControl(control) => self.control(common, control),
            Message::StateAck(ack) => self.state_ack(common, number, &ack),
            Message::StateHashReport(report) => self.hash_report(common, &report),
            Message::NackRequest(request) => self.nack(common, now, lane, sequence, &request),
            Message::InputPredictiveState(input) => self.input(common, number, &input),
            // Known, allowed, and for parts of the protocol this host does not offer: it says so.
            other => {
                self.refuse(common, now, lane, sequence, other.message_type(), RefusalReason::NotGranted)
            }
        }
    }

    fn control(&mut self, common: &mut Common, control: SessionControl) -> Result<(), Closing> {
        match control {
            SessionControl::Loaded => {
                let Stage::Loading(info) = &self.stage else {
                    return Err(Closing::because(DisconnectCode::ProtocolViolation, "loaded twice"));
                };
                self.stage = Stage::Playing(info.clone());
                if self.is_away { Ok(()) } else { self.go_on(common) }
            }
            SessionControl::Leave(leave) => {
                let closing = Closing { code: DisconnectCode::Left, reason: leave.text };
                self.close(common, &closing);
                Ok(())
            }
            SessionControl::Close(words) => {
                let closing = Closing { code: words.code, reason: words.text }.by_client();
                self.close(common, &closing);
                Ok(())
            }
            _ => Err(Closing::because(
                DisconnectCode::ProtocolViolation,
                "a control message that only a host sends",
            )),
        }
    }

    /// Sends a message of our own. That it cannot be sealed means a limit of ours was passed: the link ends.
    pub(super) fn send(&mut self, common: &mut Common, lane: Lane, message: &Message<'_>) -> Option<u32> {
        match self.courier.send(lane, core::slice::from_ref(message)) {
            Ok(sequence) => Some(sequence),
            Err(closing) => {
                self.close(common, &closing);
                None
            }
        }
    }

    pub fn send_control(&mut self, common: &mut Common, message: &Message<'_>) {
        self.send(common, Lane::Control, message);
    }

    /// Ends the link from our side, with words for the person at the other end.
    pub fn dismiss(&mut self, common: &mut Common, code: DisconnectCode, detail: &str) {
        if self.info().is_some() {
            let words = ending(code, detail);
            let control = match code {
                DisconnectCode::Kicked => SessionControl::Kick(words),
                DisconnectCode::DeniedByApplication | DisconnectCode::AdmissionRefused => {
                    SessionControl::Denied(words)
                }
                _ => SessionControl::Close(words),
            };
            self.send(common, Lane::Control, &Message::SessionControl(control));
        }
        if code == DisconnectCode::Kicked && common.mutants.active(Mutant::KickWithoutClose) {
            return;
        }
        self.close(common, &closing(code, detail));
    }

    pub(super) fn close(&mut self, common: &mut Common, closing: &Closing) {
        self.courier.close(closing);
        self.end(common, closing);
    }

    fn end(&mut self, common: &mut Common, closing: &Closing) {
        self.leave_half_open(common);
        let stage = core::mem::replace(&mut self.stage, Stage::Ended);
        let code = closing.code;
        let reason = closing.reason.clone();
        match stage {
            Stage::Loading(info) | Stage::Playing(info) => {
                let is_lost = matches!(code, DisconnectCode::LinkLost | DisconnectCode::IdleTimeout);
                if is_lost && self.may_resume {
                    self.park(common, info.peer);
                    common.set_away(info.peer);
                } else {
                    common.give_up_seat(info.peer, code, reason);
                }
            }
            Stage::AwaitAdmission { info, .. } => {
                common.slots.remove(&info.peer);
                common.event(HostEvent::HandshakeFailed { link: self.id, code, reason });
            }
            Stage::AwaitHello | Stage::AwaitConfirm { .. } | Stage::AwaitPlace { .. } => {
                common.event(HostEvent::HandshakeFailed { link: self.id, code, reason });
            }
            Stage::Ended => {}
        }
    }

    pub(super) const fn newest_input(&self) -> Tick {
        self.inputs.newest
    }

    pub(super) fn peer(&self) -> Option<PeerId> {
        self.info().map(|info| info.peer)
    }

    pub(super) const fn is_playing(&self) -> bool {
        matches!(self.stage, Stage::Playing(_))
    }

    pub(super) fn sync(&mut self) -> (&mut Sync, &mut Courier) {
        (&mut self.sync, &mut self.courier)
    }
}
