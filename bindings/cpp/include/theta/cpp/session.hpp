// Sessions. What a host and a guest share is `session`; what only one of them can do is in `host_session` and
// `joined_session`, so that a call in the wrong role does not compile.
//
// Threads: one thread at a time drives a session (poll, tick, spawn, send ...); a second one gets `code::concurrent`,
// never a data race, and so does a poll inside a poll's callback. Marked "any thread": info, peers, render_tick,
// sample, statistics, and everything on frames and writes, but for a write's commit.
#ifndef THETA_CPP_SESSION_HPP
#define THETA_CPP_SESSION_HPP

#include <theta/cpp/frame.hpp>
#include <theta/cpp/runtime.hpp>
#include <theta/cpp/types.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace theta {

/// How to host. Zeros and nulls mean the default. Texts are copied in; what a pointer or span names is read by `open`.
struct host_options {
    std::string bind_address;        ///< "ip:port"; empty = 127.0.0.1:0 in dev mode, else 0.0.0.0:0
    std::uint32_t max_peers = 0;     ///< 0 = 16
    std::uint32_t tick_rate_hz = 0;  ///< 0 = 90
    theta::basis basis = basis::openxr;
    role default_role = role::unset;       ///< unset = editor
    std::uint32_t resume_grace_ms = 0;     ///< how long the place of who is away is kept; 0 = 30000
    bool dev_mode = false;                 ///< no ticket needed; loopback addresses only
    bool manual_admission = false;         ///< join_request events wait for admit or deny
    bool takes_bearer = false;             ///< guests may come with a token; each waits for admit or deny
    const seed* authority_seed = nullptr;  ///< signs tickets and the host's certificate; null = fresh
    const seed* host_seed = nullptr;       ///< null = fresh
    const std::array<std::uint8_t, 32>* document_nonce =
        nullptr;                              ///< tells apart one authority's documents; null = zeros
    std::uint32_t term = 0;                   ///< this host's; 0 = 1
    span<const std::uint8_t> admission = {};  ///< invites and bans to begin with, as admission() gave them
    protocol_version least_version = {};      ///< guests of a lower one are refused; zeros = any that can be spoken
};

/// How to join. Zeros and nulls mean the default. Texts are copied in; what a pointer or span names is read by `open`.
struct join_options {
    std::string ticket;  ///< "theta://..."
    std::string name;    ///< shown to the others, UTF-8
    theta::basis basis = basis::openxr;
    span<const std::uint8_t> application = {};  ///< bytes for the host's admission
    const seed* identity_seed = nullptr;        ///< who you are; null = somebody new
    std::uint32_t interpolation_delay_ms = 0;   ///< 0 = 50
    std::uint32_t handshake_timeout_ms = 0;     ///< 0 = 5000
    bool manual_loaded = false;                 ///< the snapshot waits for loaded()
    span<const std::uint8_t> bearer = {};       ///< a token for the host's outside verifier, instead of a ticket's
    std::uint32_t least_term = 0;         ///< the highest info().term seen for the document; a lower one is refused
    protocol_version least_version = {};  ///< the lowest version we settle for; zeros = any that can be spoken
    transports allowed_transports = transports::any;     ///< the transports we settle for
    security_modes allowed_modes = security_modes::any;  ///< the security modes we settle for
};

/// What a signed ticket grants.
struct ticket_request {
    theta::role role = role::unset;          ///< the highest it grants; required
    std::uint64_t expires_unix_s = 0;        ///< seconds of Unix time; 0 = 24 hours from now
    const public_key* client_key = nullptr;  ///< only this identity may use it; required
    std::string endpoint;                    ///< the address to print on it; empty = the bound one
};

/// Names an invite.
using invite_id = std::array<std::uint8_t, 16>;
/// An invite as `host_session::invites` lists it.
using invite_info = theta_invite_info;

/// What an invite grants, and to how many.
struct invite_request {
    theta::role role = role::unset;    ///< the highest it grants, never admin; required
    std::uint32_t uses = 0;            ///< keys that it admits, at most 256; 0 = 1
    std::uint64_t expires_unix_s = 0;  ///< seconds of Unix time; 0 = 24 hours from now
    std::string endpoint;              ///< the address to print on it; empty = the bound one
};

/// An invite that was made: its name, and the ticket to hand over as you would a key.
struct invite {
    invite_id id{};
    std::string ticket;
};

namespace detail {

/// One at a time: false where another has entered and not left.
class entered {
public:
    explicit entered(std::atomic<bool>& flag) noexcept
        : flag_(flag),
          first_(!flag.exchange(true, std::memory_order_acquire)) {}
    entered(const entered&) = delete;
    entered& operator=(const entered&) = delete;
    ~entered() {
        if (first_) {
            flag_.store(false, std::memory_order_release);
        }
    }
    explicit operator bool() const noexcept { return first_; }

private:
    std::atomic<bool>& flag_;
    bool first_;
};

}  // namespace detail

/// What hosts and guests share.
class session {
public:
    session() noexcept = default;
    // Written out so that events which were fetched but not yet handed out move along and are not handed out twice.
    session(session&& other) noexcept
        : handle_(std::move(other.handle_)),
          events_(other.events_),
          next_event_(std::exchange(other.next_event_, 0)),
          event_count_(std::exchange(other.event_count_, 0)),
          text_(std::move(other.text_)),
          bearer_(std::move(other.bearer_)) {}
    session& operator=(session&& other) noexcept {
        handle_ = std::move(other.handle_);
        events_ = other.events_;
        next_event_ = std::exchange(other.next_event_, 0);
        event_count_ = std::exchange(other.event_count_, 0);
        text_ = std::move(other.text_);
        bearer_ = std::move(other.bearer_);
        return *this;
    }

    /// Hands every waiting event to `use(const theta::event&)` on this thread, in order, and returns how many there
    /// were. The text of an event lives until `use` returns. Should `use` throw, the events behind it come with the
    /// next poll. `use` may do everything with the session but poll it or end its life (`close` is fine).
    template <class Use> result<std::size_t> poll(Use&& use) {
        // The events that were fetched are this object's, so the library cannot tell a second poll from the first.
        const detail::entered alone(polling_);
        if (!alone) {
            return error{code::concurrent, "theta::session::poll",
                         "This session is being polled: one thread polls it, and not from inside the callback."};
        }
        std::size_t handled = 0;
        for (;;) {
            while (next_event_ < event_count_) {
                const theta_event& raw = events_[next_event_++];
                event shown;
                shown.kind = static_cast<event_kind>(raw.kind);
                shown.peer = raw.peer;
                shown.tick = raw.tick;
                shown.code = raw.code;
                shown.entity = entity_id{raw.entity};
                shown.value = raw.value;
                shown.time_ns = raw.time_ns;
                shown.text = text_of(raw.text_id, raw.text_length, text_);
                if (shown.kind == event_kind::join_request && raw.value != 0) {
                    shown.bearer = text_of(static_cast<std::uint32_t>(raw.value), THETA_MAX_BEARER_BYTES, bearer_);
                }
                ++handled;
                use(static_cast<const event&>(shown));
            }
            next_event_ = event_count_ = 0;
            std::uint32_t count = 0;
            const auto status = theta_session_poll(handle_.get(), events_.data(), sizeof(theta_event),
                                                   detail::narrow(events_.size()), &count);
            if (status < 0) {
                return error::last(status);
            }
            if (status == THETA_NOTHING_NEW || count == 0) {
                return handled;
            }
            event_count_ = count;
        }
    }

    /// The newest complete tick; an empty frame while there is none.
    [[nodiscard]] result<frame> newest_frame() noexcept { return acquire(THETA_FRAME_NEWEST); }
    /// The complete tick after the one acquired last; an empty frame when there is none yet.
    [[nodiscard]] result<frame> next_frame() noexcept { return acquire(THETA_FRAME_NEXT); }
    /// Hands every complete tick since the last one to `use(const theta::frame&)`, in order; returns how many.
    template <class Use> result<std::size_t> each_frame(Use&& use) {
        for (std::size_t seen = 0;; ++seen) {
            auto next = next_frame();
            if (!next) {
                return std::move(next).error();
            }
            if (!*next) {
                return seen;
            }
            use(static_cast<const frame&>(*next));
        }
    }

    /// How many ticks of the session fit the time since the last call, at most `cap` (1 to 64); counts them as taken.
    [[nodiscard]] result<std::uint32_t> ticks_due(std::uint64_t at_ns, std::uint32_t cap) noexcept {
        std::uint32_t due = 0;
        const auto status = theta_session_ticks_due(handle_.get(), at_ns, cap, &due);
        return detail::done(status, due);
    }

    /// State, role, ticks, identities. Any thread.
    [[nodiscard]] result<session_info> info() const noexcept {
        auto filled = detail::sized<theta_session_info>();
        const auto status = theta_session_info_get(handle_.get(), &filled);
        return detail::done(status, filled);
    }

    /// Everybody who is here now. Any thread.
    result<std::size_t> peers(std::vector<peer_info>& out) const noexcept {
        return detail::read_rows(out, [this](theta_peer_info* rows, std::uint32_t capacity, std::uint32_t* count) {
            return theta_session_peers(handle_.get(), rows, sizeof(theta_peer_info), capacity, count);
        });
    }

    /// Remembers a number of yours with an entity. Stays on this machine.
    result<void> set_host_tag(entity_id entity, std::uint64_t host_tag) noexcept {
        return detail::done(theta_entity_set_host_tag(handle_.get(), entity.bits, host_tag));
    }

    /// Says goodbye and keeps the session, so that the last events can be polled; on a host this ends it for everybody.
    /// `close` does it without a last event.
    result<void> leave() noexcept { return detail::done(theta_session_leave(handle_.get())); }

    /// Ends the session in an orderly way and makes this object empty. Any thread; never waits. The destructor does the
    /// same.
    void close() noexcept { handle_.reset(); }

    [[nodiscard]] theta_session raw() const noexcept { return handle_.get(); }
    explicit operator bool() const noexcept { return static_cast<bool>(handle_); }

protected:
    explicit session(theta_session handle) noexcept
        : handle_(handle) {}

    [[nodiscard]] result<link_statistics> statistics_of(peer_id peer) const noexcept {
        auto numbers = detail::sized<theta_statistics>();
        const auto status = theta_session_statistics(handle_.get(), peer, &numbers);
        return detail::done(status, numbers);
    }

private:
    result<frame> acquire(std::uint32_t which) noexcept {
        theta_frame handle{};
        const auto status = theta_frame_acquire(handle_.get(), which, &handle);
        if (status < 0) {
            return error::last(status);
        }
        return frame(status == THETA_NOTHING_NEW ? theta_frame{} : handle);
    }

    std::string_view text_of(std::uint32_t id, std::uint32_t most, std::string& into) noexcept {
        if (id == 0) {
            return {};
        }
        if (into.size() < most) {
            into.resize(most);
        }
        std::uint64_t length = 0;
        const auto status =
            theta_session_text(handle_.get(), id, reinterpret_cast<std::uint8_t*>(into.data()), into.size(), &length);
        if (status < 0) {
            return {};
        }
        return {into.data(), length < into.size() ? static_cast<std::size_t>(length) : into.size()};
    }

    detail::owned<theta_session, &detail::release> handle_;
    std::array<theta_event, 32> events_{};
    std::size_t next_event_ = 0;
    std::size_t event_count_ = 0;
    std::atomic<bool> polling_{false};
    std::string text_;
    std::string bearer_;
};

/// The session's authority: it owns the world, admits peers, and seals a tick at a time.
class host_session : public session {
public:
    host_session() noexcept = default;

    static result<host_session> open(const runtime& owner, const registry& components,
                                     const host_options& options) noexcept {
        auto config = detail::sized<theta_host_config>();
        config.flags = (options.dev_mode ? THETA_HOST_DEV_MODE : 0U)
                       | (options.manual_admission ? THETA_HOST_MANUAL_ADMISSION : 0U)
                       | (options.takes_bearer ? THETA_HOST_BEARER : 0U);
        config.bind_address = options.bind_address.data();
        config.bind_address_length = detail::narrow(options.bind_address.size());
        config.max_peers = options.max_peers;
        config.tick_rate_hz = options.tick_rate_hz;
        config.basis = static_cast<std::uint32_t>(options.basis);
        config.default_role = static_cast<std::uint32_t>(options.default_role);
        config.resume_grace_ms = options.resume_grace_ms;
        config.authority_seed = options.authority_seed != nullptr ? options.authority_seed->data() : nullptr;
        config.host_seed = options.host_seed != nullptr ? options.host_seed->data() : nullptr;
        config.document_nonce = options.document_nonce != nullptr ? options.document_nonce->data() : nullptr;
        config.term = options.term;
        config.least_major = options.least_version.major_number;
        config.least_minor = options.least_version.minor_number;
        config.least_patch = options.least_version.patch_number;
        config.admission = options.admission.data();
        config.admission_length = options.admission.size();
        theta_session handle{};
        const auto status = theta_session_host(owner.raw(), components.raw(), &config, &handle);
        return detail::done(status, host_session(handle));
    }

    /// The open ticket: endpoint, document and authority. In dev mode it is all a guest needs.
    [[nodiscard]] result<std::string> ticket() const noexcept {
        return detail::read_text([this](char* out, std::uint64_t capacity, std::uint64_t* length) {
            return theta_session_ticket(raw(), out, capacity, length);
        });
    }
    /// A signed ticket: this identity may enter with this role until then. Stolen, it opens nothing without the key.
    [[nodiscard]] result<std::string> issue_ticket(const ticket_request& request) const noexcept {
        auto wanted = detail::sized<theta_ticket_desc>();
        wanted.role = static_cast<std::uint32_t>(request.role);
        wanted.expires_unix_s = request.expires_unix_s;
        wanted.client_key = request.client_key != nullptr ? request.client_key->data() : nullptr;
        wanted.endpoint = request.endpoint.empty() ? nullptr : request.endpoint.data();
        wanted.endpoint_length = detail::narrow(request.endpoint.size());
        return detail::read_text([&](char* out, std::uint64_t capacity, std::uint64_t* length) {
            return theta_session_issue_ticket(raw(), &wanted, out, capacity, length);
        });
    }

    /// Lets a waiting peer in, with a role and bytes for it (its team, the level to load ...).
    result<void> admit(peer_id peer, role granted, span<const std::uint8_t> application = {}) noexcept {
        return detail::done(theta_session_admit(raw(), peer, static_cast<std::uint32_t>(granted), application.data(),
                                                detail::narrow(application.size())));
    }
    /// Sends a waiting peer away; it sees the reason.
    result<void> deny(peer_id peer, std::string_view reason) noexcept {
        return detail::done(theta_session_deny(raw(), peer, reason.data(), detail::narrow(reason.size())));
    }
    /// Sends a peer away; it sees the reason.
    result<void> kick(peer_id peer, std::string_view reason) noexcept {
        return detail::done(theta_session_kick(raw(), peer, reason.data(), detail::narrow(reason.size())));
    }

    /// An invite: whoever comes with its ticket first may enter with this role, and come back. An unused one admits
    /// whoever holds it.
    [[nodiscard]] result<invite> create_invite(const invite_request& request) noexcept {
        auto wanted = detail::sized<theta_invite_desc>();
        wanted.role = static_cast<std::uint32_t>(request.role);
        wanted.uses = request.uses;
        wanted.expires_unix_s = request.expires_unix_s;
        wanted.endpoint = request.endpoint.empty() ? nullptr : request.endpoint.data();
        wanted.endpoint_length = detail::narrow(request.endpoint.size());
        invite made;
        std::array<char, 1024> text{};
        std::uint64_t length = 0;
        const auto status =
            theta_session_create_invite(raw(), &wanted, made.id.data(), text.data(), text.size(), &length);
        if (status < 0) {
            return error::last(status);
        }
        made.ticket.assign(text.data(), static_cast<std::size_t>(length));
        return made;
    }
    /// The invite lets nobody in any more; who came in by it stays.
    result<void> revoke_invite(const invite_id& id) noexcept {
        return detail::done(theta_session_revoke_invite(raw(), id.data()));
    }
    /// Every invite that was made.
    result<std::size_t> invites(std::vector<invite_info>& out) const noexcept {
        return detail::read_rows(out, [this](theta_invite_info* rows, std::uint32_t capacity, std::uint32_t* count) {
            return theta_session_invites(raw(), rows, sizeof(theta_invite_info), capacity, count);
        });
    }
    /// Puts out who holds this key, at once, and does not let it in again.
    result<void> ban(const public_key& key) noexcept { return detail::done(theta_session_ban(raw(), key.data())); }
    /// Bans the key of a peer that is here or waits; returns that key.
    result<public_key> ban(peer_id peer) noexcept {
        public_key key{};
        const auto status = theta_session_ban_peer(raw(), peer, key.data());
        return detail::done(status, key);
    }
    /// A banned key may come again, by what admits it.
    result<void> unban(const public_key& key) noexcept { return detail::done(theta_session_unban(raw(), key.data())); }
    /// Invites and bans for the document's next host. Secrets are in it: keep it as you keep keys, after each change
    /// and each invite_bound event.
    [[nodiscard]] result<std::vector<std::uint8_t>> admission() const noexcept {
        std::vector<std::uint8_t> kept;
        for (;;) {
            std::uint64_t length = 0;
            const auto status = theta_session_admission(raw(), kept.data(), kept.size(), &length);
            if (status < 0) {
                return error::last(status);
            }
            const bool fits = length <= kept.size();
            kept.resize(static_cast<std::size_t>(length));
            if (fits) {
                return kept;
            }
        }
    }

    /// Every peer sees it complete, with the next tick.
    result<entity_id> spawn(const entity& what) noexcept {
        if (what.count_ > entity::most_components) {
            return error{code::range, "theta::host_session::spawn",
                         "An entity described with theta::entity has at most 64 components."};
        }
        entity_id spawned{};
        const auto status = what.spawn_in(raw(), spawned.bits);
        return detail::done(status, spawned);
    }
    result<void> despawn(entity_id entity) noexcept { return detail::done(theta_entity_despawn(raw(), entity.bits)); }
    result<void> set_owner(entity_id entity, peer_id owner) noexcept {
        return detail::done(theta_entity_set_owner(raw(), entity.bits, owner));
    }
    result<void> set_parent(entity_id entity, entity_id parent) noexcept {
        return detail::done(theta_entity_set_parent(raw(), entity.bits, parent.bits));
    }

    /// Opens this tick's batch of column writes.
    [[nodiscard]] result<write> begin_write() noexcept {
        theta_write handle{};
        const auto status = theta_write_begin(raw(), &handle);
        return detail::done(status, write(handle));
    }

    /// Seals what was written and sends it; returns the tick's number.
    result<std::uint32_t> tick() noexcept {
        std::uint32_t sealed = 0;
        const auto status = theta_session_tick(raw(), &sealed);
        return detail::done(status, sealed);
    }

    /// The newest input of a peer goes to `out`; true when it is newer than at the last call. False and untouched
    /// before the first.
    result<bool> input_of(peer_id peer, input& out) noexcept {
        const auto status = theta_session_input(raw(), peer, &out);
        return detail::done(status, status == THETA_OK);
    }

    /// Traffic and health of the link to one peer. Any thread.
    [[nodiscard]] result<link_statistics> statistics(peer_id peer) const noexcept { return statistics_of(peer); }

private:
    explicit host_session(theta_session handle) noexcept
        : session(handle) {}
};

/// A guest: it reads frames, sends input, and samples what others do.
class joined_session : public session {
public:
    joined_session() noexcept = default;

    /// Starts joining and returns at once; state_changed events tell how it goes.
    static result<joined_session> open(const runtime& owner, const registry& components,
                                       const join_options& options) noexcept {
        auto config = detail::sized<theta_join_config>();
        config.flags = options.manual_loaded ? THETA_JOIN_MANUAL_LOADED : 0U;
        config.ticket = options.ticket.data();
        config.ticket_length = detail::narrow(options.ticket.size());
        config.basis = static_cast<std::uint32_t>(options.basis);
        config.name = options.name.data();
        config.name_length = detail::narrow(options.name.size());
        config.application = options.application.data();
        config.application_length = detail::narrow(options.application.size());
        config.identity_seed = options.identity_seed != nullptr ? options.identity_seed->data() : nullptr;
        config.interpolation_delay_ms = options.interpolation_delay_ms;
        config.handshake_timeout_ms = options.handshake_timeout_ms;
        config.bearer = options.bearer.data();
        config.bearer_length = detail::narrow(options.bearer.size());
        config.least_term = options.least_term;
        config.least_major = options.least_version.major_number;
        config.least_minor = options.least_version.minor_number;
        config.least_patch = options.least_version.patch_number;
        config.transports = static_cast<std::uint32_t>(options.allowed_transports);
        config.security_modes = static_cast<std::uint32_t>(options.allowed_modes);
        theta_session handle{};
        const auto status = theta_session_join(owner.raw(), components.raw(), &config, &handle);
        return detail::done(status, joined_session(handle));
    }

    /// The level is loaded: send the world.
    result<void> loaded() noexcept { return detail::done(theta_session_loaded(raw())); }
    /// Nobody is there any more (a headset was taken off, the program goes to sleep): the host keeps our place for a
    /// while and sends nothing meanwhile.
    result<void> suspend() noexcept { return detail::done(theta_session_suspend(raw())); }
    /// Somebody is there again: the session goes on in the same place.
    result<void> resume() noexcept { return detail::done(theta_session_resume(raw())); }
    /// The system has another network: the session goes on from a new socket at once.
    result<void> network_changed() noexcept { return detail::done(theta_session_network_changed(raw())); }

    /// Sends what the player does now. Only the newest counts.
    result<void> send_input(const input& now) noexcept { return detail::done(theta_session_send_input(raw(), &now)); }

    /// The fractional tick to show at a time of `now_ns`'s clock. Any thread.
    [[nodiscard]] result<double> render_tick(std::uint64_t display_time_ns) const noexcept {
        double tick = 0;
        const auto status = theta_session_render_tick(raw(), display_time_ns, &tick);
        return detail::done(status, tick);
    }

    /// The component of many entities as it is to be shown at `tick`. One entry of `out` (and of `how`, unless it is
    /// empty) per entity; true when every entity was there. Any thread.
    template <class T>
    result<bool> sample(component_ref<T> component, span<const entity_id> entities, double tick, span<T> out,
                        span<sample_result> how = {}) const noexcept {
        return sample_column(component.id, 0, entities, tick, out.data(), out.size(), sizeof(T), how);
    }
    /// The same into a std::vector or an array of exactly T, of the same length as `entities`.
    template <class T, class Values>
    result<bool> sample(component_ref<T> component, span<const entity_id> entities, double tick, Values& out,
                        span<sample_result> how = {}) const noexcept {
        return sample(component, entities, tick, span<T>(out), how);
    }
    /// One field of many entities. Any thread.
    template <class M, class T>
    result<bool> sample_field(component_ref<T> component, std::uint16_t field, span<const entity_id> entities,
                              double tick, span<M> out, span<sample_result> how = {}) const noexcept {
        return sample_column(component.id, field, entities, tick, out.data(), out.size(), sizeof(M), how);
    }

    /// Traffic and health of the link to the host. Any thread.
    [[nodiscard]] result<link_statistics> statistics() const noexcept { return statistics_of(host_peer); }

private:
    explicit joined_session(theta_session handle) noexcept
        : session(handle) {}

    result<bool> sample_column(component_id component, std::uint32_t field, span<const entity_id> entities, double tick,
                               void* out, std::size_t values, std::size_t stride,
                               span<sample_result> how) const noexcept {
        if (values != entities.size() || (!how.empty() && how.size() != entities.size())) {
            return detail::lengths_differ("theta::joined_session::sample");
        }
        const auto status = theta_session_sample(raw(), component.bits, field, detail::bits_of(entities),
                                                 detail::narrow(entities.size()), tick, out, stride,
                                                 how.empty() ? nullptr : reinterpret_cast<std::uint8_t*>(how.data()));
        return detail::done(status, status != THETA_SOME_MISSING);
    }
};

}  // namespace theta

#endif
