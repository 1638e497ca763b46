// The small vocabulary: identifiers that cannot be mixed up, the header's constants as enums, vectors, bounded strings
// and lists. Everything a component may contain has the memory layout that the C header prescribes, asserted below.
#ifndef THETA_CPP_TYPES_HPP
#define THETA_CPP_TYPES_HPP

#include <theta/theta.h>
#include <theta/cpp/result.hpp>
#include <theta/cpp/span.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string_view>
#include <type_traits>

namespace theta {

/// A replicated object. The same number on every peer; 0 is none. As a component field it is an entity reference.
struct entity_id {
    std::uint64_t bits = 0;
    explicit constexpr operator bool() const noexcept { return bits != 0; }
    friend constexpr bool operator==(entity_id a, entity_id b) noexcept { return a.bits == b.bits; }
    friend constexpr bool operator!=(entity_id a, entity_id b) noexcept { return a.bits != b.bits; }
    friend constexpr bool operator<(entity_id a, entity_id b) noexcept { return a.bits < b.bits; }
};

/// A kind of component: SipHash of its name, equal in every language.
struct component_id {
    std::uint64_t bits = 0;
    friend constexpr bool operator==(component_id a, component_id b) noexcept { return a.bits == b.bits; }
    friend constexpr bool operator!=(component_id a, component_id b) noexcept { return a.bits != b.bits; }
    friend constexpr bool operator<(component_id a, component_id b) noexcept { return a.bits < b.bits; }
};

/// A registered component together with the struct that holds it, so that reads and writes are typed.
template <class T> struct component_ref { component_id id; };

/// A participant of the session; 0 is the host.
using peer_id = std::uint32_t;
inline constexpr peer_id host_peer = 0;

enum class role : std::uint32_t {
    unset = 0,
    viewer = THETA_ROLE_VIEWER,
    commenter = THETA_ROLE_COMMENTER,
    editor = THETA_ROLE_EDITOR,
    admin = THETA_ROLE_ADMIN,
};

/// A version of the protocol. Not `major`: some systems have a macro of that name.
struct protocol_version {
    std::uint16_t major_number = 0;
    std::uint16_t minor_number = 0;
    std::uint16_t patch_number = 0;
    friend constexpr bool operator==(protocol_version a, protocol_version b) noexcept {
        return a.major_number == b.major_number && a.minor_number == b.minor_number && a.patch_number == b.patch_number;
    }
    friend constexpr bool operator!=(protocol_version a, protocol_version b) noexcept { return !(a == b); }
};

/// What carries a link; a mask of these says what will do.
enum class transports : std::uint32_t {
    any = 0,
    memory = THETA_TRANSPORT_MEMORY,
    quic = THETA_TRANSPORT_QUIC,
    web_rtc = THETA_TRANSPORT_WEBRTC,
    web_transport = THETA_TRANSPORT_WEBTRANSPORT,
};
constexpr transports operator|(transports a, transports b) noexcept {
    return static_cast<transports>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}

/// Who can read what is sent; a mask of these says what will do.
enum class security_modes : std::uint32_t {
    any = 0,
    transport = THETA_SECURITY_TRANSPORT,
    end_to_end = THETA_SECURITY_END_TO_END,
};
constexpr security_modes operator|(security_modes a, security_modes b) noexcept {
    return static_cast<security_modes>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}

/// The coordinate system of the engine; the library converts while it copies columns.
enum class basis : std::uint32_t {
    openxr = THETA_BASIS_OPENXR,
    unity = THETA_BASIS_UNITY,
    unreal = THETA_BASIS_UNREAL
};

/// Who writes a component.
enum class authority : std::uint32_t {
    host = THETA_AUTHORITY_HOST,
    owner = THETA_AUTHORITY_OWNER,
    input = THETA_AUTHORITY_INPUT
};

/// How a field turns with the coordinate system.
enum class semantic : std::uint8_t {
    none = THETA_SEMANTIC_NONE,
    point = THETA_SEMANTIC_POINT,
    direction = THETA_SEMANTIC_DIRECTION,
    rotation = THETA_SEMANTIC_ROTATION,
    angular_velocity = THETA_SEMANTIC_ANGULAR_VELOCITY,
    scale = THETA_SEMANTIC_SCALE,
};

/// What a field's change is coded against.
enum class predictor : std::uint8_t {
    hold = THETA_PREDICTOR_HOLD,
    none = THETA_PREDICTOR_NONE,
    linear = THETA_PREDICTOR_LINEAR,
    ballistic = THETA_PREDICTOR_BALLISTIC,
    angular_velocity = THETA_PREDICTOR_ANGULAR_VELOCITY,
};

/// How a field's change is written: as its distance from the prediction, or as the new value.
enum class diff : std::uint8_t {
    residual = THETA_DIFF_RESIDUAL,
    replace = THETA_DIFF_REPLACE,
};

enum class session_state : std::uint32_t {
    connecting = THETA_STATE_CONNECTING,
    handshake = THETA_STATE_HANDSHAKE,
    admitted = THETA_STATE_ADMITTED,
    joining = THETA_STATE_JOINING,
    live = THETA_STATE_LIVE,
    closed = THETA_STATE_CLOSED,
    faulted = THETA_STATE_FAULTED,
    away = THETA_STATE_AWAY,
    resuming = THETA_STATE_RESUMING,
};

/// Kinds of events. A newer library may send others: leave them alone.
enum class event_kind : std::uint32_t {
    state_changed = THETA_EVENT_STATE_CHANGED,
    join_request = THETA_EVENT_JOIN_REQUEST,
    peer_joined = THETA_EVENT_PEER_JOINED,
    peer_left = THETA_EVENT_PEER_LEFT,
    admitted = THETA_EVENT_ADMITTED,
    join_progress = THETA_EVENT_JOIN_PROGRESS,
    entity_spawned = THETA_EVENT_ENTITY_SPAWNED,
    entity_despawned = THETA_EVENT_ENTITY_DESPAWNED,
    owner_changed = THETA_EVENT_OWNER_CHANGED,
    parent_changed = THETA_EVENT_PARENT_CHANGED,
    diverged = THETA_EVENT_DIVERGED,
    repaired = THETA_EVENT_REPAIRED,
    disconnected = THETA_EVENT_DISCONNECTED,
    refused = THETA_EVENT_REFUSED,
    resync = THETA_EVENT_RESYNC,
    faulted = THETA_EVENT_FAULTED,
    log = THETA_EVENT_LOG,
    peer_live = THETA_EVENT_PEER_LIVE,
    peer_away = THETA_EVENT_PEER_AWAY,
    peer_back = THETA_EVENT_PEER_BACK,
    invite_bound = THETA_EVENT_INVITE_BOUND,
    schema_mapped = THETA_EVENT_SCHEMA_MAPPED,
    codec_failed = THETA_EVENT_CODEC_FAILED,
};

/// One event. `text` points into the session and is valid while the callback runs; copy it to keep it.
struct event {
    event_kind kind{};
    peer_id peer = 0;
    std::uint32_t tick = 0;
    std::int32_t code = 0;
    entity_id entity;
    std::uint64_t value = 0;
    std::uint64_t time_ns = 0;
    std::string_view text;
    /// join_request: the token for an outside verifier that the guest came with; empty without one. Lives as `text`
    /// does.
    std::string_view bearer = {};
};

/// How a sampled value came about.
enum class sample_result : std::uint8_t {
    interpolated = THETA_SAMPLE_INTERPOLATED,
    extrapolated = THETA_SAMPLE_EXTRAPOLATED,
    held = THETA_SAMPLE_HELD,
    missing = THETA_SAMPLE_MISSING,
};

// Plain numbers with the layout of the kinds of the same name. Engines' own types do as well: see field_traits.
struct vec2 {
    float x = 0, y = 0;
};
struct vec3 {
    float x = 0, y = 0, z = 0;
};
struct vec4 {
    float x = 0, y = 0, z = 0, w = 0;
};
struct dvec3 {
    double x = 0, y = 0, z = 0;
};
struct quat {
    float x = 0, y = 0, z = 0, w = 1;
};

/// A list of at most `Capacity` numbers inside a component: length, then the elements.
template <class T, std::size_t Capacity> struct bounded_list {
    static_assert((std::is_integral_v<T> || std::is_same_v<T, float>)&&!std::is_same_v<T, bool> && Capacity > 0
                      && Capacity <= 4096,
                  "a list holds 1 to 4096 integers or floats");
    std::uint32_t length = 0;
    T elements[Capacity]{};

    [[nodiscard]] span<const T> view() const noexcept { return {elements, length < Capacity ? length : Capacity}; }
    /// Takes as many as fit; false when that was not all.
    bool assign(span<const T> source) noexcept {
        length = static_cast<std::uint32_t>(source.size() < Capacity ? source.size() : Capacity);
        for (std::size_t i = 0; i < length; ++i) {
            elements[i] = source[i];
        }
        return source.size() <= Capacity;
    }
};

/// At most `Capacity` bytes inside a component.
template <std::size_t Capacity> struct bounded_bytes : bounded_list<std::uint8_t, Capacity> {};

/// At most `Capacity` bytes of UTF-8 inside a component.
template <std::size_t Capacity> struct bounded_string {
    static_assert(Capacity > 0 && Capacity <= 4096, "a string has room for 1 to 4096 bytes");
    std::uint32_t length = 0;
    char bytes[Capacity]{};

    bounded_string() noexcept = default;
    template <class Text, std::enable_if_t<std::is_convertible_v<const Text&, std::string_view>, int> = 0>
    bounded_string(const Text& text) noexcept {
        assign(text);
    }

    [[nodiscard]] std::string_view view() const noexcept { return {bytes, length < Capacity ? length : Capacity}; }
    /// Cuts at a character's boundary when the text is too long; false when it had to.
    bool assign(std::string_view text) noexcept {
        std::size_t size = text.size() < Capacity ? text.size() : Capacity;
        if (size < text.size()) {
            while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) {
                --size;
            }
        }
        std::memcpy(bytes, text.data(), size);
        std::memset(bytes + size, 0, Capacity - size);
        length = static_cast<std::uint32_t>(size);
        return size == text.size();
    }
};

/// An entity as a frame lists it: identity and what never changes per tick. The layout of theta_entity_row.
struct entity_row {
    entity_id id;
    entity_id parent;
    std::uint64_t persistent_id = 0;
    std::uint64_t host_tag = 0;
    std::uint32_t type_id = 0;
    peer_id owner = 0;
    std::uint32_t local_index = 0;
    std::uint32_t payload_length = 0;
    std::uint64_t reserved = 0;
};

static_assert(sizeof(entity_id) == 8 && sizeof(component_id) == 8, "identifiers are passed as arrays of u64");
static_assert(sizeof(entity_row) == sizeof(theta_entity_row)
                  && offsetof(entity_row, host_tag) == offsetof(theta_entity_row, host_tag)
                  && offsetof(entity_row, owner) == offsetof(theta_entity_row, owner)
                  && offsetof(entity_row, payload_length) == offsetof(theta_entity_row, payload_length),
              "entity_row is read in place of theta_entity_row");
static_assert(sizeof(vec2) == 8 && sizeof(vec3) == 12 && sizeof(vec4) == 16 && sizeof(quat) == 16
                  && sizeof(dvec3) == 24,
              "vectors are packed");

using pose = theta_pose;
using link_statistics = theta_statistics;
using session_info = theta_session_info;
using peer_info = theta_peer_info;
using frame_info = theta_frame_info;
using write_report = theta_write_report;
using shutdown_report = theta_shutdown_report;
/// A secret of 32 bytes: the seed of an Ed25519 key.
using seed = std::array<std::uint8_t, 32>;
using public_key = std::array<std::uint8_t, 32>;

inline constexpr std::uint32_t pose_valid = THETA_POSE_VALID;
inline constexpr std::uint32_t pose_tracked = THETA_POSE_TRACKED;

/// One input of a player: head, two hands, buttons and axes. `sampled_at_us` is the application's own motion clock.
struct input : theta_input {
    input() noexcept
        : theta_input{} {
        struct_size = sizeof(theta_input);
    }
};

namespace detail {

inline const std::uint64_t* bits_of(span<const entity_id> ids) noexcept {
    return reinterpret_cast<const std::uint64_t*>(ids.data());
}

template <class Struct> Struct sized() noexcept {
    Struct value{};
    value.struct_size = sizeof(Struct);
    return value;
}

inline std::uint32_t narrow(std::size_t size) noexcept {
    constexpr std::uint32_t most = 0xFFFF'FFFFU;
    return size > most ? most : static_cast<std::uint32_t>(size);
}

}  // namespace detail

/// The version that a session speaks; zeros before it is admitted.
[[nodiscard]] constexpr protocol_version version_of(const session_info& info) noexcept {
    return {info.version_major, info.version_minor, info.version_patch};
}

/// The lowest version that this side of a session settles for, as its options said.
[[nodiscard]] constexpr protocol_version least_version_of(const session_info& info) noexcept {
    return {info.least_major, info.least_minor, info.least_patch};
}

/// The process's monotonic clock, nanoseconds since an arbitrary start. Any thread.
[[nodiscard]] inline std::uint64_t now_ns() noexcept { return theta_now_ns(); }

/// The ABI version of the loaded library; runtime::create refuses another one than the header's. Any thread.
[[nodiscard]] inline std::uint32_t abi_version() noexcept { return theta_abi_version(); }

/// Version, target and features of the loaded library. Static text. Any thread.
[[nodiscard]] inline std::string_view build_info() noexcept { return theta_build_info(); }

/// What a disconnect code means, as a sentence. Static text. Any thread.
[[nodiscard]] inline std::string_view disconnect_text(std::uint32_t code) noexcept {
    return theta_disconnect_text(code);
}

/// The public key that belongs to a secret seed. Any thread.
[[nodiscard]] inline result<public_key> identity_public_key(const seed& secret) noexcept {
    public_key key{};
    return detail::done(theta_identity_public_key(secret.data(), key.data()), key);
}

}  // namespace theta

template <> struct std::hash<theta::entity_id> {
    std::size_t operator()(theta::entity_id id) const noexcept { return std::hash<std::uint64_t>{}(id.bits); }
};
template <> struct std::hash<theta::component_id> {
    std::size_t operator()(theta::component_id id) const noexcept { return std::hash<std::uint64_t>{}(id.bits); }
};

#endif
