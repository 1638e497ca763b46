/* The Theta C ABI. Generated from src/ffi by `./x gen`: do not edit.
 *
 * C99 and C++11. Every function says what it does, who owns what, which threads may call it and what it returns.
 * Outputs are untouched on failure. Text is UTF-8 with a length, not null-terminated.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */

#ifndef THETA_THETA_H
#define THETA_THETA_H

#include <stdint.h>

/* Define THETA_STATIC when linking the static library. */
#if defined(_WIN32) && !defined(THETA_STATIC)
#define THETA_API __declspec(dllimport)
#else
#define THETA_API
#endif

/**
 * OpenXR, three.js, the wire: right-handed, Y up, metres. Nothing is converted.
 */
#define THETA_BASIS_OPENXR 0u

/**
 * Unity: left-handed, Y up, Z forward, metres.
 */
#define THETA_BASIS_UNITY 1u

/**
 * Unreal: left-handed, Z up, X forward, centimetres.
 */
#define THETA_BASIS_UNREAL 2u

/**
 * The session's state changed: code = new `THETA_STATE_*`.
 */
#define THETA_EVENT_STATE_CHANGED 1u

/**
 * Host: peer asks to join, code = the role its ticket grants, text = its application bytes, value = the text id of its
 * bearer token, 0 without one. With THETA_HOST_MANUAL_ADMISSION, or with a token, answer with `theta_session_admit` or `theta_session_deny`.
 */
#define THETA_EVENT_JOIN_REQUEST 2u

/**
 * A peer is in the session: peer, code = its role, text = its name.
 */
#define THETA_EVENT_PEER_JOINED 3u

/**
 * A peer is gone: peer, code = disconnect code, text = reason.
 */
#define THETA_EVENT_PEER_LEFT 4u

/**
 * Joined: the host let us in. peer = our number, code = our role, value = milliseconds for which the host keeps our place
 * while we are away or our link is lost (0: not at all), text = the host's application bytes. Load your level; with THETA_JOIN_MANUAL_LOADED call `theta_session_loaded` then.
 */
#define THETA_EVENT_ADMITTED 5u

/**
 * Joined: the world is arriving. value = pieces here, code = pieces in all.
 */
#define THETA_EVENT_JOIN_PROGRESS 6u

/**
 * An entity appeared: entity, tick, value = type id, peer = owner.
 */
#define THETA_EVENT_ENTITY_SPAWNED 7u

/**
 * An entity was despawned: entity, tick.
 */
#define THETA_EVENT_ENTITY_DESPAWNED 8u

/**
 * An entity changed hands: entity, tick, peer = new owner.
 */
#define THETA_EVENT_OWNER_CHANGED 9u

/**
 * An entity changed its parent: entity, tick, value = new parent, 0 for none.
 */
#define THETA_EVENT_PARENT_CHANGED 10u

/**
 * A replica differed from the host and is being repaired: peer (host) or 0, tick, value = component id, code =
 * field id, text names both.
 */
#define THETA_EVENT_DIVERGED 11u

/**
 * The repair was applied: peer (host) or 0, tick.
 */
#define THETA_EVENT_REPAIRED 12u

/**
 * Joined: the session is over. code = disconnect code, text = why and what to do.
 */
#define THETA_EVENT_DISCONNECTED 13u

/**
 * Joined: the host refused a message of ours. code = reason, text = sentence.
 */
#define THETA_EVENT_REFUSED 14u

/**
 * Events were coalesced because nobody polled: list peers and entities again, they are the truth.
 */
#define THETA_EVENT_RESYNC 15u

/**
 * The session is faulted: code = status, text = why. Destroy it.
 */
#define THETA_EVENT_FAULTED 16u

/**
 * A line of the log: code = level (1 error, 2 warning, 3 information, 4 debug, 5 trace), text.
 */
#define THETA_EVENT_LOG 17u

/**
 * Host: a member has the world and follows it: peer.
 */
#define THETA_EVENT_PEER_LIVE 18u

/**
 * A peer is away (its headset is off), or its link is lost: peer, value = milliseconds for which it keeps its place, 0
 * where it was away before we came.
 */
#define THETA_EVENT_PEER_AWAY 19u

/**
 * A peer is back, in its place: peer.
 */
#define THETA_EVENT_PEER_BACK 20u

/**
 * Host: an invite was used by a key that had not used it before: text = its id (16 bytes), then the key (32). Keep
 * `theta_session_admission` now.
 */
#define THETA_EVENT_INVITE_BOUND 21u

/**
 * Joined, between ADMITTED and the world: the host has other components than ours, and its world is shown in ours.
 * value = how many things are not the same, code = how many of them are values that are converted or ours by default,
 * text = one line for each (200 at most, then how many more): what is skipped, absent, defaulted, converted, deprecated.
 */
#define THETA_EVENT_SCHEMA_MAPPED 22u

/**
 * A codec refused values: entity = the first, value = component id, code = its status for that one, tick, text = how
 * many and which way. They keep their old values until they change again.
 */
#define THETA_EVENT_CODEC_FAILED 24u

/**
 * The newest complete tick.
 */
#define THETA_FRAME_NEWEST 0u

/**
 * The complete tick after the last acquired one, in order.
 */
#define THETA_FRAME_NEXT 1u

/**
 * Read flag: quantised lanes (int64_t each) instead of the engine's layout; never converted between bases.
 */
#define THETA_READ_QUANTISED 1u

/**
 * The pose is there; without it the other fields are ignored.
 */
#define THETA_POSE_VALID 1u

/**
 * The pose is measured, not guessed.
 */
#define THETA_POSE_TRACKED 2u

/**
 * The version of this header. `theta_runtime_create` refuses a library of another version.
 */
#define THETA_ABI_VERSION 1u

/**
 * Signed integer, 8 bits.
 */
#define THETA_KIND_I8 1u

/**
 * Signed integer, 16 bits.
 */
#define THETA_KIND_I16 2u

/**
 * Signed integer, 32 bits.
 */
#define THETA_KIND_I32 3u

/**
 * Signed integer, 64 bits.
 */
#define THETA_KIND_I64 4u

/**
 * Unsigned integer, 8 bits.
 */
#define THETA_KIND_U8 5u

/**
 * Unsigned integer, 16 bits.
 */
#define THETA_KIND_U16 6u

/**
 * Unsigned integer, 32 bits.
 */
#define THETA_KIND_U32 7u

/**
 * Unsigned integer, 64 bits.
 */
#define THETA_KIND_U64 8u

/**
 * 1 to 64 flags in the smallest of uint8_t, uint16_t, uint32_t, uint64_t that holds them; `bits` says how many.
 */
#define THETA_KIND_FLAGS 9u

/**
 * float.
 */
#define THETA_KIND_F32 10u

/**
 * double.
 */
#define THETA_KIND_F64 11u

/**
 * float[2], one dirty unit.
 */
#define THETA_KIND_VEC2 12u

/**
 * float[3], one dirty unit.
 */
#define THETA_KIND_VEC3 13u

/**
 * float[4], one dirty unit.
 */
#define THETA_KIND_VEC4 14u

/**
 * double[3], one dirty unit, for large worlds.
 */
#define THETA_KIND_DVEC3 15u

/**
 * float[4], a unit quaternion x, y, z, w; `bits` per component (4 to 18, 0 = 11).
 */
#define THETA_KIND_QUAT 16u

/**
 * uint64_t: a reference to an entity.
 */
#define THETA_KIND_ENTITY 17u

/**
 * uint32_t length, then `max_length` bytes of UTF-8.
 */
#define THETA_KIND_STRING 18u

/**
 * uint32_t length, then `max_length` bytes.
 */
#define THETA_KIND_BYTES 19u

/**
 * uint32_t length, then `max_length` elements of `element_kind` (an integer kind or F32), element-aligned.
 */
#define THETA_KIND_LIST 20u

/**
 * The host writes the component.
 */
#define THETA_AUTHORITY_HOST 0u

/**
 * The entity's owner writes it.
 */
#define THETA_AUTHORITY_OWNER 1u

/**
 * It is input: the owner sends it and the host consumes it.
 */
#define THETA_AUTHORITY_INPUT 2u

/**
 * Numbers without a place in space; never converted.
 */
#define THETA_SEMANTIC_NONE 0u

/**
 * A place or anything with a length: offsets, linear velocities, extents. Axes and units are converted.
 */
#define THETA_SEMANTIC_POINT 1u

/**
 * A unit vector: axes are converted, units are not.
 */
#define THETA_SEMANTIC_DIRECTION 2u

/**
 * An orientation: QUAT, or VEC4 as x, y, z, w.
 */
#define THETA_SEMANTIC_ROTATION 3u

/**
 * Radians per second around the axes.
 */
#define THETA_SEMANTIC_ANGULAR_VELOCITY 4u

/**
 * A factor per axis.
 */
#define THETA_SEMANTIC_SCALE 5u

/**
 * Changes are coded against the value at the baseline.
 */
#define THETA_PREDICTOR_HOLD 0u

/**
 * Changes are coded whole.
 */
#define THETA_PREDICTOR_NONE 1u

/**
 * The baseline is carried on along its last change.
 */
#define THETA_PREDICTOR_LINEAR 2u

/**
 * Like linear, falling.
 */
#define THETA_PREDICTOR_BALLISTIC 3u

/**
 * Turned on about its axis.
 */
#define THETA_PREDICTOR_ANGULAR_VELOCITY 4u

/**
 * A change is written as its distance from the prediction.
 */
#define THETA_DIFF_RESIDUAL 0u

/**
 * A change is written as the new value.
 */
#define THETA_DIFF_REPLACE 1u

/**
 * Field flag: only the command log writes the field.
 */
#define THETA_FIELD_DOCUMENT 1u

/**
 * Between two ticks that are here.
 */
#define THETA_SAMPLE_INTERPOLATED 0u

/**
 * Carried on from the newest ticks, for a bounded time.
 */
#define THETA_SAMPLE_EXTRAPOLATED 1u

/**
 * The newest (or oldest) value that is known, or one that does not blend.
 */
#define THETA_SAMPLE_HELD 2u

/**
 * The entity is not here or does not carry the component; its row is untouched.
 */
#define THETA_SAMPLE_MISSING 3u

/**
 * Looks only.
 */
#define THETA_ROLE_VIEWER 1u

/**
 * Looks and comments.
 */
#define THETA_ROLE_COMMENTER 2u

/**
 * Plays and edits.
 */
#define THETA_ROLE_EDITOR 3u

/**
 * May do everything.
 */
#define THETA_ROLE_ADMIN 4u

/**
 * Host flag: nobody needs a ticket; loopback addresses only.
 */
#define THETA_HOST_DEV_MODE 1u

/**
 * Host flag: JOIN_REQUEST events wait for `theta_session_admit` or `theta_session_deny`.
 */
#define THETA_HOST_MANUAL_ADMISSION 2u

/**
 * Host flag: peers may come with a bearer token for an outside verifier. Each raises a JOIN_REQUEST event, which waits for
 * `theta_session_admit` or `theta_session_deny`.
 */
#define THETA_HOST_BEARER 4u

/**
 * Join flag: after ADMITTED the snapshot waits for `theta_session_loaded`.
 */
#define THETA_JOIN_MANUAL_LOADED 1u

/**
 * Within the process, over memory.
 */
#define THETA_TRANSPORT_MEMORY 1u

/**
 * Native QUIC.
 */
#define THETA_TRANSPORT_QUIC 2u

/**
 * WebRTC data channels.
 */
#define THETA_TRANSPORT_WEBRTC 4u

/**
 * HTTP/3 WebTransport.
 */
#define THETA_TRANSPORT_WEBTRANSPORT 8u

/**
 * Between both ends of the link: the transport encrypts.
 */
#define THETA_SECURITY_TRANSPORT 1u

/**
 * Members only: payloads are encrypted end to end as well. No host of this version offers it.
 */
#define THETA_SECURITY_END_TO_END 2u

/**
 * The transport is not up yet.
 */
#define THETA_STATE_CONNECTING 1u

/**
 * Proofs are under way.
 */
#define THETA_STATE_HANDSHAKE 2u

/**
 * Let in: load your level, then `theta_session_loaded`.
 */
#define THETA_STATE_ADMITTED 3u

/**
 * The world is arriving.
 */
#define THETA_STATE_JOINING 4u

/**
 * The world is here and ticks flow. A host is live from its start.
 */
#define THETA_STATE_LIVE 5u

/**
 * Over.
 */
#define THETA_STATE_CLOSED 6u

/**
 * The library panicked in a call on the session or on its thread; it answers nothing but info, poll and destroy.
 */
#define THETA_STATE_FAULTED 7u

/**
 * Longest bearer token, in bytes.
 */
#define THETA_MAX_BEARER_BYTES 8192u

/**
 * Joined: nobody is there, or the link is lost; the host keeps our place for a while.
 */
#define THETA_STATE_AWAY 8u

/**
 * Joined: on the way back, in the same place.
 */
#define THETA_STATE_RESUMING 9u

/**
 * Done.
 */
#define THETA_OK 0

/**
 * Nothing was there: no event, no new frame, no new input.
 */
#define THETA_NOTHING_NEW 1

/**
 * More was there than the buffer takes; the needed count or length is written, and as much as fits.
 */
#define THETA_TRUNCATED 2

/**
 * Done; some values were out of range and clamped, or not a number and ignored. The report says how many.
 */
#define THETA_SOME_CLAMPED 3

/**
 * Done; some entities of the batch are not here, or do not carry the component.
 */
#define THETA_SOME_MISSING 4

/**
 * A pointer that must point somewhere is null.
 */
#define THETA_E_NULL (-101)

/**
 * `struct_size` or an element size is zero or smaller than the first released version of the struct.
 */
#define THETA_E_STRUCT_SIZE (-102)

/**
 * A field or flag that this library does not know is not zero.
 */
#define THETA_E_UNSUPPORTED_FIELD (-103)

/**
 * Text is not UTF-8.
 */
#define THETA_E_UTF8 (-104)

/**
 * An argument is outside its documented limits.
 */
#define THETA_E_RANGE (-105)

/**
 * A number that must be finite is not.
 */
#define THETA_E_NAN (-106)

/**
 * The header and the library have different ABI versions.
 */
#define THETA_E_ABI_MISMATCH (-107)

/**
 * The handle is zero.
 */
#define THETA_E_HANDLE_ZERO (-201)

/**
 * What the handle named is gone.
 */
#define THETA_E_HANDLE_STALE (-202)

/**
 * The handle names something of another kind.
 */
#define THETA_E_HANDLE_KIND (-203)

/**
 * The handle belongs to another runtime.
 */
#define THETA_E_HANDLE_FOREIGN (-204)

/**
 * The runtime has been shut down.
 */
#define THETA_E_SHUT_DOWN (-301)

/**
 * Two threads are inside session-serial functions of one session.
 */
#define THETA_E_CONCURRENT (-302)

/**
 * A documented limit is reached.
 */
#define THETA_E_LIMIT (-303)

/**
 * The object is not in a state that allows this call.
 */
#define THETA_E_STATE (-304)

/**
 * A host's call on a joined session, or the reverse.
 */
#define THETA_E_WRONG_ROLE (-305)

/**
 * A function of a codec called the library.
 */
#define THETA_E_REENTRANT (-306)

/**
 * Two component names have one id, or one name was registered twice with different descriptions.
 */
#define THETA_E_COMPONENT_COLLISION (-401)

/**
 * A component or field description is not valid.
 */
#define THETA_E_COMPONENT_INVALID (-402)

/**
 * The component is not in this session's registry.
 */
#define THETA_E_COMPONENT_UNKNOWN (-403)

/**
 * The component has no such field.
 */
#define THETA_E_FIELD_UNKNOWN (-404)

/**
 * The registry is in use by a session and takes no more components.
 */
#define THETA_E_REGISTRY_SEALED (-405)

/**
 * The ticket cannot be read or used.
 */
#define THETA_E_TICKET (-501)

/**
 * The session is not connected any more.
 */
#define THETA_E_DISCONNECTED (-502)

/**
 * There is no such peer in the session.
 */
#define THETA_E_PEER_UNKNOWN (-503)

/**
 * There is no such entity in the session, or not any more.
 */
#define THETA_E_ENTITY_UNKNOWN (-601)

/**
 * The component keeps no history to sample from.
 */
#define THETA_E_NOT_SAMPLED (-602)

/**
 * An address cannot be read, resolved or used.
 */
#define THETA_E_ADDRESS (-701)

/**
 * The operating system refused a socket, a thread or a file.
 */
#define THETA_E_IO (-702)

/**
 * The library panicked inside this call, inside an earlier call on this session, or on the runtime's thread.
 */
#define THETA_E_PANIC (-901)

/**
 * A promise inside the library was broken; please report it with the last error's text.
 */
#define THETA_E_INTERNAL (-902)

/**
 * Status categories: the hundreds digit of an error, `theta_error_info.category`.
 */
#define THETA_CATEGORY_NONE 0u

/**
 * An argument is wrong.
 */
#define THETA_CATEGORY_ARGUMENT 1u

/**
 * A handle is wrong.
 */
#define THETA_CATEGORY_HANDLE 2u

/**
 * The call came at the wrong time or from the wrong thread.
 */
#define THETA_CATEGORY_LIFECYCLE 3u

/**
 * Components and fields.
 */
#define THETA_CATEGORY_SCHEMA 4u

/**
 * Peers, tickets, connection.
 */
#define THETA_CATEGORY_SESSION 5u

/**
 * Entities and their values.
 */
#define THETA_CATEGORY_WORLD 6u

/**
 * The operating system.
 */
#define THETA_CATEGORY_IO 7u

/**
 * The library itself.
 */
#define THETA_CATEGORY_INTERNAL 9u

/**
 * The result of a call: 0 ok, positive informative, negative an error. See the `THETA_*` constants.
 */
typedef int32_t theta_status;

/**
 * A session handle. Zero is none.
 */
typedef struct theta_session {
    /**
     * Opaque.
     */
    uint64_t bits;
} theta_session;

/**
 * An invite to make. Input; begins with its size.
 */
typedef struct theta_invite_desc {
    /**
     * `sizeof(theta_invite_desc)`.
     */
    uint32_t struct_size;
    /**
     * The highest role it grants, `THETA_ROLE_*`; never admin.
     */
    uint32_t role;
    /**
     * From when on it lets nobody in, in seconds of Unix time; 0 = 24 hours from now.
     */
    uint64_t expires_unix_s;
    /**
     * Where the host can be reached from outside, `host:port`, UTF-8, at most 256 bytes; empty = the listening address.
     */
    const char *endpoint;
    /**
     * Bytes of `endpoint`.
     */
    uint32_t endpoint_length;
    /**
     * How many keys it admits, 1 to 256; 0 = 1.
     */
    uint32_t uses;
} theta_invite_desc;

/**
 * A `theta_invite_desc` with its size set and every other field zero, which means its default.
 */
#define THETA_INVITE_DESC_INIT \
    { (uint32_t)sizeof(theta_invite_desc), 0, 0, 0, 0, 0 }

/**
 * An invite that was made. Element of an array with an element size.
 */
typedef struct theta_invite_info {
    /**
     * Its id.
     */
    uint8_t id[16];
    /**
     * The highest role it grants, `THETA_ROLE_*`.
     */
    uint32_t role;
    /**
     * How many keys it admits.
     */
    uint32_t uses;
    /**
     * How many keys it is bound to already.
     */
    uint32_t used;
    /**
     * 1 when it was revoked.
     */
    uint32_t is_revoked;
    /**
     * From when on it lets nobody in, in seconds of Unix time.
     */
    uint64_t expires_unix_s;
    /**
     * Zero.
     */
    uint64_t reserved[2];
} theta_invite_info;

/**
 * A registry handle. Zero is none.
 */
typedef struct theta_registry {
    /**
     * Opaque.
     */
    uint64_t bits;
} theta_registry;

/**
 * A field of a component. Element of an array with an element size; grows at its end. Zero means default.
 */
typedef struct theta_field_desc {
    /**
     * 1 to 65535, stable within the component, never reused.
     */
    uint16_t id;
    /**
     * `THETA_KIND_*`.
     */
    uint8_t kind;
    /**
     * Lists: `THETA_KIND_*` of an element, an integer kind or F32.
     */
    uint8_t element_kind;
    /**
     * Where the field stands in the engine's struct, in bytes; aligned to its type.
     */
    uint32_t offset_bytes;
    /**
     * For people and manifests, UTF-8, at most 128 bytes.
     */
    const char *name;
    /**
     * Bytes of `name`.
     */
    uint32_t name_length;
    /**
     * THETA_FIELD_DOCUMENT or 0.
     */
    uint32_t flags;
    /**
     * Least value of numbers, of each part of a vector, of each element of a list. Integers: 0 and 0 is the whole
     * type.
     */
    double minimum;
    /**
     * Largest value.
     */
    double maximum;
    /**
     * Distance of neighbouring float values. Integers: 0 or 1.
     */
    double step;
    /**
     * FLAGS: how many, 1 to 64. QUAT: bits per component, 4 to 18, 0 = 11.
     */
    uint32_t bits;
    /**
     * STRING, BYTES: capacity in bytes; LIST: in elements. 1 to 4096.
     */
    uint32_t max_length;
    /**
     * `THETA_SEMANTIC_*`: how the field converts between the session's basis and the wire's.
     */
    uint8_t semantic;
    /**
     * `THETA_PREDICTOR_*`.
     */
    uint8_t predictor;
    /**
     * `THETA_DIFF_*`.
     */
    uint8_t diff;
    /**
     * Zero.
     */
    uint8_t reserved0;
    /**
     * Zero.
     */
    uint32_t reserved1;
    /**
     * What a fresh row holds, for floats (the first), vectors and quaternions, in the wire's basis (OpenXR, metres).
     * All zero: zero clamped into the range; identity for QUAT.
     */
    double default_number[4];
    /**
     * What a fresh row holds, for integers and flags.
     */
    int64_t default_integer;
    /**
     * Zero.
     */
    uint64_t reserved2;
} theta_field_desc;

/**
 * A component: a struct of the engine. Input; begins with its size. Zero means default.
 */
typedef struct theta_component_desc {
    /**
     * `sizeof(theta_component_desc)`.
     */
    uint32_t struct_size;
    /**
     * Bytes of `name`.
     */
    uint32_t name_length;
    /**
     * Stable name, UTF-8, at most 128 bytes; its hash is the component's id.
     */
    const char *name;
    /**
     * `field_count` fields, `field_size` bytes apart.
     */
    const struct theta_field_desc *fields;
    /**
     * 1 to 64.
     */
    uint32_t field_count;
    /**
     * `sizeof(theta_field_desc)`.
     */
    uint32_t field_size;
    /**
     * sizeof the engine's struct, at most 65536; 0 lets C's rules decide.
     */
    uint32_t size_bytes;
    /**
     * `THETA_AUTHORITY_*`.
     */
    uint32_t authority;
    /**
     * The version of the application that brought the component, UTF-8, at most 32 bytes; may be empty.
     */
    const char *since_version;
    /**
     * Bytes of `since_version`.
     */
    uint32_t since_version_length;
    /**
     * Zero.
     */
    uint32_t reserved;
} theta_component_desc;

/**
 * A `theta_component_desc` with its size set and every other field zero, which means its default.
 */
#define THETA_COMPONENT_DESC_INIT \
    { (uint32_t)sizeof(theta_component_desc), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/**
 * Makes the struct of the wire fields from the engine's element. Called inside `theta_session_tick`, on its thread.
 *
 * `entity`: whose value it is. `element`: `element_bytes` bytes as they were written. `value`: the component's struct
 * as its fields describe it, in the session's basis, filled with the defaults; both aligned to 16 bytes and good
 * until the return. Returns 0; anything else leaves the entity's old value and comes as THETA_EVENT_CODEC_FAILED.
 */
typedef theta_status (*theta_encode_fn)(void *user_data, uint64_t entity, const void *element, void *value);

/**
 * Makes the engine's element from the struct of the wire fields. Called inside `theta_session_poll` of a joined
 * session and `theta_session_tick` of a host, on their thread.
 *
 * `entity`: whose value it is. `value`: the component's struct as its fields describe it, in the session's basis.
 * `element`: `element_bytes` bytes that hold the entity's old element (zeros before the first); both aligned to 16
 * bytes and good until the return. Returns 0; anything else leaves the old element and comes as
 * THETA_EVENT_CODEC_FAILED.
 */
typedef theta_status (*theta_decode_fn)(void *user_data, uint64_t entity, const void *value, void *element);

/**
 * Called once, after the last call of the other two: frees `user_data`.
 */
typedef void (*theta_drop_fn)(void *user_data);

/**
 * How a component's elements become its struct and back. Input; begins with its size.
 *
 * No function may call the library (THETA_E_REENTRANT, but for `theta_last_error`), throw, unwind or jump out.
 * Sessions that share a registry share its codecs: two of them on two threads call them at the same time.
 */
typedef struct theta_codec {
    /**
     * `sizeof(theta_codec)`.
     */
    uint32_t struct_size;
    /**
     * sizeof an element, 1 to 65536.
     */
    uint32_t element_bytes;
    /**
     * The first argument of every call.
     */
    void *user_data;
    /**
     * Element to struct.
     */
    theta_encode_fn encode;
    /**
     * Struct to element.
     */
    theta_decode_fn decode;
    /**
     * May be null. Called once and last: on the thread whose call lets go of the last registry, session, frame or
     * write that could need the codec, or inside `theta_registry_add_codec` when that fails.
     */
    theta_drop_fn drop;
} theta_codec;

/**
 * A `theta_codec` with its size set and every other field zero, which means its default.
 */
#define THETA_CODEC_INIT \
    { (uint32_t)sizeof(theta_codec), 0, 0, 0, 0, 0 }

/**
 * A new entity. Input; begins with its size. Zero means default.
 */
typedef struct theta_spawn_desc {
    /**
     * `sizeof(theta_spawn_desc)`.
     */
    uint32_t struct_size;
    /**
     * The application's type (prefab).
     */
    uint32_t type_id;
    /**
     * The number of the peer that owns it, up to 65535; 0 = the host. The peer may have left already.
     */
    uint32_t owner;
    /**
     * Components, 0 to 64.
     */
    uint32_t component_count;
    /**
     * Its parent; 0 = none.
     */
    uint64_t parent;
    /**
     * A number of this program's that comes back in every batch. Local, never sent.
     */
    uint64_t host_tag;
    /**
     * The application's stable id of a scene-placed object; 0 = none.
     */
    uint64_t persistent_id;
    /**
     * `component_count` component ids, each once.
     */
    const uint64_t *component_ids;
    /**
     * Null = defaults for all. Else `component_count` pointers beside `component_ids`, each null = defaults, or to the
     * component's struct, which is read as far as the size it was registered with (its element, if it has a codec).
     */
    const void *const *component_values;
    /**
     * What every peer learns with the spawn, at most 256 bytes.
     */
    const uint8_t *payload;
    /**
     * Bytes of `payload`.
     */
    uint32_t payload_length;
    /**
     * Zero.
     */
    uint32_t reserved;
} theta_spawn_desc;

/**
 * A `theta_spawn_desc` with its size set and every other field zero, which means its default.
 */
#define THETA_SPAWN_DESC_INIT \
    { (uint32_t)sizeof(theta_spawn_desc), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/**
 * Something that happened. Element of an array with an element size; kinds that a program does not know are
 * skipped. Fields that a kind does not name are 0.
 */
typedef struct theta_event {
    /**
     * `THETA_EVENT_*`.
     */
    uint32_t kind;
    /**
     * A peer's number.
     */
    uint32_t peer;
    /**
     * A tick.
     */
    uint32_t tick;
    /**
     * A number whose meaning the kind says.
     */
    int32_t code;
    /**
     * An entity.
     */
    uint64_t entity;
    /**
     * A number whose meaning the kind says.
     */
    uint64_t value;
    /**
     * When it was observed, on the clock of `theta_now_ns`.
     */
    uint64_t time_ns;
    /**
     * Names the text for `theta_session_text`; 0 when there is none.
     */
    uint32_t text_id;
    /**
     * Bytes of the text.
     */
    uint32_t text_length;
    /**
     * Zero.
     */
    uint64_t reserved[2];
} theta_event;

/**
 * A frame handle. Zero is none.
 */
typedef struct theta_frame {
    /**
     * Opaque.
     */
    uint64_t bits;
} theta_frame;

/**
 * What a frame is. Output; begins with its size.
 */
typedef struct theta_frame_info {
    /**
     * `sizeof(theta_frame_info)`; after the call, the bytes written.
     */
    uint32_t struct_size;
    /**
     * The tick.
     */
    uint32_t tick;
    /**
     * The newest tick that was compared equal when the frame was acquired.
     */
    uint32_t confirmed_tick;
    /**
     * Entities in the frame.
     */
    uint32_t entity_count;
    /**
     * When the tick was sealed (host) or became complete (joined), on the clock of `theta_now_ns`.
     */
    uint64_t time_ns;
    /**
     * The hash of the whole tick: equal on every peer that has the same state.
     */
    uint64_t fold;
    /**
     * The term of the command log the tick was made with.
     */
    uint32_t log_term;
    /**
     * Zero.
     */
    uint32_t reserved;
    /**
     * The position in the command log the tick was made with.
     */
    uint64_t log_index;
} theta_frame_info;

/**
 * A `theta_frame_info` with its size set and every other field zero, which means its default.
 */
#define THETA_FRAME_INFO_INIT \
    { (uint32_t)sizeof(theta_frame_info), 0, 0, 0, 0, 0, 0, 0, 0 }

/**
 * An entity of a frame. Element of an array with an element size.
 */
typedef struct theta_entity_row {
    /**
     * The entity.
     */
    uint64_t id;
    /**
     * Its parent; 0 = none.
     */
    uint64_t parent;
    /**
     * The application's stable id; 0 = none.
     */
    uint64_t persistent_id;
    /**
     * This program's tag; 0 when none was set.
     */
    uint64_t host_tag;
    /**
     * The application's type (prefab).
     */
    uint32_t type_id;
    /**
     * The peer that owns it; 0 = the host.
     */
    uint32_t owner;
    /**
     * A dense index, equal on all sides while the entity lives and reused after it: an array index, not an id.
     */
    uint32_t local_index;
    /**
     * Bytes of its spawn payload, for `theta_frame_payload`.
     */
    uint32_t payload_length;
    /**
     * Zero.
     */
    uint64_t reserved;
} theta_entity_row;

/**
 * A rigid pose with its velocities, in the session's basis and units. On the wire: 1/1024 m within 256 m, 11 bits
 * per quaternion component, 1/128 m/s and rad/s within 64; what does not fit is clamped.
 */
typedef struct theta_pose {
    /**
     * Place, in the basis' length unit.
     */
    float position[3];
    /**
     * Unit quaternion x, y, z, w.
     */
    float rotation[4];
    /**
     * Length units per second.
     */
    float linear_velocity[3];
    /**
     * Radians per second around the axes.
     */
    float angular_velocity[3];
    /**
     * THETA_POSE_VALID, THETA_POSE_TRACKED.
     */
    uint32_t flags;
} theta_pose;

/**
 * A player's input for one tick. Input and output; begins with its size.
 */
typedef struct theta_input {
    /**
     * `sizeof(theta_input)`.
     */
    uint32_t struct_size;
    /**
     * The tick the input is for. Input: 0 lets the session number it.
     */
    uint32_t input_tick;
    /**
     * When it was sampled, in microseconds on a clock that only the application knows.
     */
    uint64_t sampled_at_us;
    /**
     * The display time it was sampled for, on the same clock, in microseconds.
     */
    uint64_t target_display_us;
    /**
     * The headset.
     */
    struct theta_pose head;
    /**
     * The left hand or controller.
     */
    struct theta_pose left;
    /**
     * The right hand or controller.
     */
    struct theta_pose right;
    /**
     * Buttons, one bit each; the application knows which.
     */
    uint32_t buttons;
    /**
     * Application flags.
     */
    uint32_t flags;
    /**
     * Triggers and sticks, -1 to 1, 1/1023 apart.
     */
    float axes[8];
    /**
     * Bytes of `tail`, at most 64.
     */
    uint32_t tail_length;
    /**
     * Zero.
     */
    uint32_t reserved;
    /**
     * Bytes that only the application understands.
     */
    uint8_t tail[64];
} theta_input;

/**
 * A `theta_input` with its size set and every other field zero, which means its default.
 */
#define THETA_INPUT_INIT \
    { (uint32_t)sizeof(theta_input), 0, 0, 0, { { 0 }, { 0 }, { 0 }, { 0 }, 0 }, { { 0 }, { 0 }, { 0 }, { 0 }, 0 }, { { 0 }, { 0 }, { 0 }, { 0 }, 0 }, 0, 0, { 0 }, 0, 0, { 0 } }

/**
 * What the last failed call of this thread was, for a log or an exception. Output; begins with its size.
 */
typedef struct theta_error_info {
    /**
     * `sizeof(theta_error_info)`; after the call, the bytes written.
     */
    uint32_t struct_size;
    /**
     * The status it returned; 0 when no call of this thread has failed.
     */
    int32_t code;
    /**
     * `THETA_CATEGORY_*`.
     */
    uint32_t category;
    /**
     * Bytes of `function`.
     */
    uint32_t function_length;
    /**
     * Bytes of `message`.
     */
    uint32_t message_length;
    /**
     * Zero.
     */
    uint32_t reserved;
    /**
     * The function that failed, UTF-8, zero-filled.
     */
    char function[64];
    /**
     * What was wrong and what to do, UTF-8, zero-filled; cut at a character when longer.
     */
    char message[512];
} theta_error_info;

/**
 * A `theta_error_info` with its size set and every other field zero, which means its default.
 */
#define THETA_ERROR_INFO_INIT \
    { (uint32_t)sizeof(theta_error_info), 0, 0, 0, 0, 0, { 0 }, { 0 } }

/**
 * A member of the session. Element of an array with an element size.
 */
typedef struct theta_peer_info {
    /**
     * Its number, from 1.
     */
    uint32_t peer;
    /**
     * `THETA_ROLE_*`.
     */
    uint32_t role;
    /**
     * `THETA_STATE_*` as far as this side knows it.
     */
    uint32_t state;
    /**
     * Bytes of `name`.
     */
    uint32_t name_length;
    /**
     * Its name, UTF-8, zero-filled.
     */
    char name[64];
    /**
     * Its Ed25519 public key.
     */
    uint8_t identity_key[32];
    /**
     * Zero.
     */
    uint64_t reserved[2];
} theta_peer_info;

/**
 * Counters of a link since it opened. Output; begins with its size.
 */
typedef struct theta_statistics {
    /**
     * `sizeof(theta_statistics)`; after the call, the bytes written.
     */
    uint32_t struct_size;
    /**
     * Whose link.
     */
    uint32_t peer;
    /**
     * Smoothed round trip, in microseconds.
     */
    uint32_t rtt_us;
    /**
     * Mean deviation of the round trip, in microseconds.
     */
    uint32_t jitter_us;
    /**
     * The other side's clock minus ours, in microseconds.
     */
    int64_t clock_offset_us;
    /**
     * Packets (envelopes) sent.
     */
    uint64_t packets_sent;
    /**
     * Packets (envelopes) received.
     */
    uint64_t packets_received;
    /**
     * UDP payload bytes sent, as the transport counts them.
     */
    uint64_t bytes_sent;
    /**
     * UDP payload bytes received, as the transport counts them.
     */
    uint64_t bytes_received;
    /**
     * Datagrams dropped because they failed a check.
     */
    uint64_t packets_dropped_bad;
    /**
     * Datagrams dropped because they were old or repeated.
     */
    uint64_t packets_dropped_replay;
    /**
     * Datagrams of a past tick that were purged before they were sent.
     */
    uint64_t datagrams_purged;
    /**
     * Packets the transport declared lost.
     */
    uint64_t packets_lost;
    /**
     * Joined: ticks that became complete.
     */
    uint64_t ticks_complete;
    /**
     * Joined: ticks of which something arrived.
     */
    uint64_t ticks_started;
    /**
     * Repairs that were made.
     */
    uint64_t repairs;
    /**
     * Divergences that were found.
     */
    uint64_t divergences;
    /**
     * Values that were clamped when written here.
     */
    uint64_t values_clamped;
    /**
     * Values that were not a number when written here, or that a codec refused.
     */
    uint64_t values_nan;
    /**
     * Events that were coalesced because nobody polled.
     */
    uint64_t events_dropped;
    /**
     * Host: inputs received from the peer.
     */
    uint64_t inputs_received;
    /**
     * The newest tick that was compared equal.
     */
    uint32_t confirmed_tick;
    /**
     * 99th percentile of the round trip, in microseconds.
     */
    uint32_t rtt_p99_us;
    /**
     * Median of the round trip, in microseconds.
     */
    uint32_t rtt_p50_us;
    /**
     * Zero.
     */
    uint32_t reserved;
    /**
     * Host: inputs of the peer that were left out because they were for a tick more than two seconds ahead.
     */
    uint64_t inputs_refused;
} theta_statistics;

/**
 * A `theta_statistics` with its size set and every other field zero, which means its default.
 */
#define THETA_STATISTICS_INIT \
    { (uint32_t)sizeof(theta_statistics), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/**
 * A runtime handle. Zero is none.
 */
typedef struct theta_runtime {
    /**
     * Opaque.
     */
    uint64_t bits;
} theta_runtime;

/**
 * How to start a runtime. Input; begins with its size. Zero means default.
 */
typedef struct theta_runtime_config {
    /**
     * `sizeof(theta_runtime_config)`.
     */
    uint32_t struct_size;
    /**
     * THETA_ABI_VERSION of the header the program was built with.
     */
    uint32_t abi_version;
    /**
     * Zero.
     */
    uint32_t flags;
    /**
     * Zero.
     */
    uint32_t reserved;
} theta_runtime_config;

/**
 * A `theta_runtime_config` with its size set and every other field zero, which means its default.
 */
#define THETA_RUNTIME_CONFIG_INIT \
    { (uint32_t)sizeof(theta_runtime_config), 0, 0, 0 }

/**
 * What a shutdown did. Output; begins with its size.
 */
typedef struct theta_shutdown_report {
    /**
     * `sizeof(theta_shutdown_report)`; after the call, the bytes written.
     */
    uint32_t struct_size;
    /**
     * Threads that have ended.
     */
    uint32_t threads_joined;
    /**
     * Threads that had not ended when the deadline came; `text` names them.
     */
    uint32_t threads_left;
    /**
     * Sessions that were open and are closed now.
     */
    uint32_t sessions_closed;
    /**
     * Handles that became invalid, the runtime's included.
     */
    uint32_t handles_invalidated;
    /**
     * Bytes of `text`.
     */
    uint32_t text_length;
    /**
     * Names of the threads that were left, UTF-8, zero-filled.
     */
    char text[128];
} theta_shutdown_report;

/**
 * A `theta_shutdown_report` with its size set and every other field zero, which means its default.
 */
#define THETA_SHUTDOWN_REPORT_INIT \
    { (uint32_t)sizeof(theta_shutdown_report), 0, 0, 0, 0, 0, { 0 } }

/**
 * How to host. Input; begins with its size. Zero means default.
 */
typedef struct theta_host_config {
    /**
     * `sizeof(theta_host_config)`.
     */
    uint32_t struct_size;
    /**
     * `THETA_HOST_*`.
     */
    uint32_t flags;
    /**
     * Where to listen, `ip:port`, UTF-8; port 0 lets the system choose. Empty = 127.0.0.1:0 in dev mode and
     * 0.0.0.0:0 otherwise.
     */
    const char *bind_address;
    /**
     * Bytes of `bind_address`.
     */
    uint32_t bind_address_length;
    /**
     * Most joined peers, 1 to 1024; 0 = 16.
     */
    uint32_t max_peers;
    /**
     * Ticks per second, 1 to 240; 0 = 90.
     */
    uint32_t tick_rate_hz;
    /**
     * `THETA_BASIS_*`: the basis of this program's values.
     */
    uint32_t basis;
    /**
     * The highest role of peers without a ticket (dev mode, bearer tokens), `THETA_ROLE_*`; 0 = editor.
     */
    uint32_t default_role;
    /**
     * How long the place of a peer is kept that is away, or whose link is lost, in milliseconds, at
     * most 3600000; 0 = 30000.
     */
    uint32_t resume_grace_ms;
    /**
     * 32 bytes: the Ed25519 seed of the key that signs tickets and the host's certificate; null = a fresh one.
     */
    const uint8_t *authority_seed;
    /**
     * 32 bytes: the Ed25519 seed of this host's key; null = a fresh one.
     */
    const uint8_t *host_seed;
    /**
     * 32 bytes that tell apart the documents of one authority, which founds them; null = zeros. The same authority and
     * nonce make the same document; `theta_session_info` has its id.
     */
    const uint8_t *document_nonce;
    /**
     * Invites and bans to begin with: what `theta_session_admission` gave, or null for none.
     */
    const uint8_t *admission;
    /**
     * Bytes of `admission`.
     */
    uint64_t admission_length;
    /**
     * This host's term; 0 = 1. Peers refuse a term below one that they have seen for the document.
     */
    uint32_t term;
    /**
     * Zero.
     */
    uint32_t reserved2;
    /**
     * The floor: peers of a lower protocol version (`least_major.least_minor.least_patch`) are refused with VersionFloor
     * (33). Zeros = every version that this build can speak with; a floor above its own version lets nobody in.
     */
    uint16_t least_major;
    /**
     * Minor number of the floor.
     */
    uint16_t least_minor;
    /**
     * Patch number of the floor.
     */
    uint16_t least_patch;
    /**
     * Zero.
     */
    uint16_t reserved3;
} theta_host_config;

/**
 * A `theta_host_config` with its size set and every other field zero, which means its default.
 */
#define THETA_HOST_CONFIG_INIT \
    { (uint32_t)sizeof(theta_host_config), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/**
 * How to join. Input; begins with its size. Zero means default.
 */
typedef struct theta_join_config {
    /**
     * `sizeof(theta_join_config)`.
     */
    uint32_t struct_size;
    /**
     * `THETA_JOIN_*`.
     */
    uint32_t flags;
    /**
     * The ticket string, UTF-8, at most 1024 bytes: `theta://host:port/document#authority.member`.
     */
    const char *ticket;
    /**
     * Bytes of `ticket`.
     */
    uint32_t ticket_length;
    /**
     * `THETA_BASIS_*`: the basis of this program's values.
     */
    uint32_t basis;
    /**
     * The name others see, UTF-8, at most 64 bytes.
     */
    const char *name;
    /**
     * Bytes of `name`.
     */
    uint32_t name_length;
    /**
     * Bytes of `application`.
     */
    uint32_t application_length;
    /**
     * Bytes for the host's application to judge, at most 4096.
     */
    const uint8_t *application;
    /**
     * 32 bytes: the Ed25519 seed of this player's key; null = a fresh one.
     */
    const uint8_t *identity_seed;
    /**
     * How far behind the newest tick others are shown, in milliseconds, at most 1000; 0 = 50.
     */
    uint32_t interpolation_delay_ms;
    /**
     * How long the handshake may take, in milliseconds, at most 60000; 0 = 5000.
     */
    uint32_t handshake_timeout_ms;
    /**
     * A token for the host's outside verifier, at most 8192 bytes, shown instead of what the ticket has and only to a host
     * that has proved itself; null for none.
     */
    const uint8_t *bearer;
    /**
     * Bytes of `bearer`.
     */
    uint32_t bearer_length;
    /**
     * The highest `theta_session_info.term` seen for the document before: a host of a lower one is refused. 0 = none.
     */
    uint32_t least_term;
    /**
     * The floors: what we settle for, held against what the host has signed. A session of a lower protocol version
     * (`least_major.least_minor.least_patch`) ends with VersionFloor (33). Zeros = every version that this build can speak.
     */
    uint16_t least_major;
    /**
     * Minor number of the lowest version.
     */
    uint16_t least_minor;
    /**
     * Patch number of the lowest version.
     */
    uint16_t least_patch;
    /**
     * Zero.
     */
    uint16_t reserved;
    /**
     * Mask of `THETA_TRANSPORT_*` that will do, else the session ends with TransportFloor (35); 0 = any.
     */
    uint32_t transports;
    /**
     * Mask of `THETA_SECURITY_*` that will do, else the session ends with SecurityFloor (36); 0 = any that this build has.
     */
    uint32_t security_modes;
} theta_join_config;

/**
 * A `theta_join_config` with its size set and every other field zero, which means its default.
 */
#define THETA_JOIN_CONFIG_INIT \
    { (uint32_t)sizeof(theta_join_config), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/**
 * Where a session stands. Output; begins with its size.
 */
typedef struct theta_session_info {
    /**
     * `sizeof(theta_session_info)`; after the call, the bytes written.
     */
    uint32_t struct_size;
    /**
     * `THETA_STATE_*`.
     */
    uint32_t state;
    /**
     * 1 on a host, 0 on a joined session.
     */
    uint32_t is_host;
    /**
     * Our number in the session; 0 on a host and before ADMITTED.
     */
    uint32_t local_peer;
    /**
     * Our `THETA_ROLE_*`; 0 before ADMITTED.
     */
    uint32_t role;
    /**
     * Ticks per second; 0 before ADMITTED.
     */
    uint32_t tick_rate_hz;
    /**
     * Members besides us.
     */
    uint32_t peer_count;
    /**
     * Host: the UDP port it listens on.
     */
    uint32_t port;
    /**
     * Host: the last sealed tick. Joined: the newest complete one.
     */
    uint32_t tick;
    /**
     * The newest tick that was compared equal. Host: for all live peers.
     */
    uint32_t confirmed_tick;
    /**
     * Entities in `tick`.
     */
    uint32_t entity_count;
    /**
     * Why the session ended, for `theta_disconnect_text`; 0 while it lives.
     */
    uint32_t disconnect_code;
    /**
     * The schema hash of the session's registry.
     */
    uint64_t schema_hash;
    /**
     * The session's id; zero before ADMITTED.
     */
    uint8_t session_id[16];
    /**
     * The document's id.
     */
    uint8_t document_id[32];
    /**
     * The public key that signs its tickets and certifies its hosts.
     */
    uint8_t authority_key[32];
    /**
     * The host's term: keep the highest for the document, as `theta_join_config.least_term`. 0 before ADMITTED.
     */
    uint32_t term;
    /**
     * For how many milliseconds the host keeps the place of a peer that is away, or whose link is lost; 0 before ADMITTED,
     * and where it keeps none.
     */
    uint32_t resume_grace_ms;
    /**
     * The protocol version that is spoken (a host's own), major number; zeros before ADMITTED.
     */
    uint16_t version_major;
    /**
     * Its minor number.
     */
    uint16_t version_minor;
    /**
     * Its patch number.
     */
    uint16_t version_patch;
    /**
     * The floor of this side, as its configuration said: lowest protocol version, major number.
     */
    uint16_t least_major;
    /**
     * Minor number of the floor.
     */
    uint16_t least_minor;
    /**
     * Patch number of the floor.
     */
    uint16_t least_patch;
    /**
     * Zero.
     */
    uint32_t reserved;
} theta_session_info;

/**
 * A `theta_session_info` with its size set and every other field zero, which means its default.
 */
#define THETA_SESSION_INFO_INIT \
    { (uint32_t)sizeof(theta_session_info), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, { 0 }, { 0 }, { 0 }, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/**
 * A ticket to issue. Input; begins with its size.
 */
typedef struct theta_ticket_desc {
    /**
     * `sizeof(theta_ticket_desc)`.
     */
    uint32_t struct_size;
    /**
     * The highest role it grants, `THETA_ROLE_*`.
     */
    uint32_t role;
    /**
     * From when on it is worth nothing, in seconds of Unix time; 0 = 24 hours from now.
     */
    uint64_t expires_unix_s;
    /**
     * 32 bytes: the Ed25519 public key that may use it.
     */
    const uint8_t *client_key;
    /**
     * Where the host can be reached from outside, `host:port`, UTF-8, at most 256 bytes; empty = the listening address.
     */
    const char *endpoint;
    /**
     * Bytes of `endpoint`.
     */
    uint32_t endpoint_length;
    /**
     * Zero.
     */
    uint32_t reserved;
} theta_ticket_desc;

/**
 * A `theta_ticket_desc` with its size set and every other field zero, which means its default.
 */
#define THETA_TICKET_DESC_INIT \
    { (uint32_t)sizeof(theta_ticket_desc), 0, 0, 0, 0, 0, 0 }

/**
 * A write handle: the batches of one tick. Zero is none.
 */
typedef struct theta_write {
    /**
     * Opaque.
     */
    uint64_t bits;
} theta_write;

/**
 * What became of values. Output; begins with its size.
 */
typedef struct theta_write_report {
    /**
     * `sizeof(theta_write_report)`; after the call, the bytes written.
     */
    uint32_t struct_size;
    /**
     * Values (row and field) whose quantised state changed. Known at the commit; 0 from `theta_write_rows`.
     */
    uint32_t changed;
    /**
     * Values that were out of range and clamped.
     */
    uint32_t clamped;
    /**
     * Values that were not a number (or a rotation, or text); the old ones stay.
     */
    uint32_t not_a_number;
    /**
     * Entities that are not in the session or do not carry the component. Known at the commit; 0 from
     * `theta_write_rows`.
     */
    uint32_t missing;
    /**
     * Zero.
     */
    uint32_t reserved;
    /**
     * The first entity that was clamped, not a number or missing; 0 = none.
     */
    uint64_t first_bad_entity;
} theta_write_report;

/**
 * A `theta_write_report` with its size set and every other field zero, which means its default.
 */
#define THETA_WRITE_REPORT_INIT \
    { (uint32_t)sizeof(theta_write_report), 0, 0, 0, 0, 0, 0 }

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Makes an invite: a ticket text that lets in whoever comes with it first, and binds itself to that key, which may come
 * back. The secret in it never crosses the session's wire; an unused one admits whoever holds it, so hand it over as you
 * would a key.
 *
 * `session`: a host's. `desc`: input of `desc->struct_size` bytes. `id`: receives 16 bytes that name the invite; may be
 * null. `out`: `capacity` bytes, at least 1024; `length` receives the bytes of the text, not null-terminated.
 *
 * Returns THETA_OK, THETA_E_NULL, THETA_E_STRUCT_SIZE, THETA_E_UNSUPPORTED_FIELD, THETA_E_UTF8, THETA_E_RANGE (role, uses,
 * capacity), THETA_E_TICKET (endpoint), THETA_E_LIMIT (1024 invites), THETA_E_DISCONNECTED, the handle errors,
 * THETA_E_CONCURRENT, THETA_E_WRONG_ROLE, THETA_E_IO, THETA_E_PANIC. [serial]
 */
THETA_API
theta_status theta_session_create_invite(struct theta_session session,
                                         const struct theta_invite_desc *desc,
                                         uint8_t *id,
                                         char *out,
                                         uint64_t capacity,
                                         uint64_t *length);

/**
 * Takes an invite back: it lets nobody in any more. Who came in by it stays; see `theta_session_ban`.
 *
 * `session`: a host's. `id`: 16 bytes.
 *
 * Returns THETA_OK, THETA_E_NULL, THETA_E_TICKET (no such invite), THETA_E_LIMIT, THETA_E_DISCONNECTED, the handle
 * errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE, THETA_E_PANIC. [serial]
 */
THETA_API
theta_status theta_session_revoke_invite(struct theta_session session,
                                         const uint8_t *id);

/**
 * The invites that were made, used, revoked and expired ones too, by id.
 *
 * `session`: a host's. `out`: `capacity` elements, `element_size` (sizeof(theta_invite_info)) bytes apart; null with
 * capacity 0 asks for the count. `count` receives the number of invites there are, at most 1024.
 *
 * Returns THETA_OK, THETA_TRUNCATED, THETA_E_NULL, THETA_E_STRUCT_SIZE, the handle errors, THETA_E_CONCURRENT,
 * THETA_E_WRONG_ROLE, THETA_E_PANIC. [serial]
 */
THETA_API
theta_status theta_session_invites(struct theta_session session,
                                   struct theta_invite_info *out,
                                   uint32_t element_size,
                                   uint32_t capacity,
                                   uint32_t *count);

/**
 * Puts out who holds this key, at once, and does not let it in again, whatever ticket it has.
 *
 * `session`: a host's. `key`: 32 bytes, an Ed25519 public key, whether its holder is here or not.
 *
 * Returns THETA_OK, THETA_E_NULL, THETA_E_LIMIT (16384 keys), THETA_E_DISCONNECTED, the handle errors,
 * THETA_E_CONCURRENT, THETA_E_WRONG_ROLE, THETA_E_PANIC. [serial]
 */
THETA_API theta_status theta_session_ban(struct theta_session session, const uint8_t *key);

/**
 * Bans the key of a peer that is in the session or waits to be admitted.
 *
 * `session`: a host's. `peer`: its number. `key`: receives the 32 bytes of its key; may be null.
 *
 * Returns as `theta_session_ban`, and THETA_E_PEER_UNKNOWN. [serial]
 */
THETA_API theta_status theta_session_ban_peer(struct theta_session session, uint32_t peer, uint8_t *key);

/**
 * Lets a banned key in again, by what admits it. A key that was not banned is no error.
 *
 * `session`: a host's. `key`: 32 bytes.
 *
 * Returns as `theta_session_ban`. [serial]
 */
THETA_API theta_status theta_session_unban(struct theta_session session, const uint8_t *key);

/**
 * Invites with what they are bound to, and bans, as bytes for `theta_host_config.admission` of the document's next
 * host. The secrets of the invites are in it: keep it as you keep keys, after each change and each INVITE_BOUND event.
 *
 * `session`: a host's. `out`: `capacity` bytes, or null with capacity 0 to ask for the length, which is at most 9 MiB.
 *
 * Returns THETA_OK, THETA_TRUNCATED, THETA_E_NULL, the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE,
 * THETA_E_PANIC. [serial]
 */
THETA_API
theta_status theta_session_admission(struct theta_session session,
                                     uint8_t *out,
                                     uint64_t capacity,
                                     uint64_t *length);

/**
 * Adds a component whose rows are elements of the program's own. `theta_write_rows`, `theta_entity_spawn` and
 * `theta_frame_read` take and give whole rows as elements; single fields, quantised lanes and all that travels are
 * those of `desc`, and peers may have another codec for it or none. What is written or spawned with is encoded by the
 * next `theta_session_tick`; a frame can be acquired once `theta_session_poll` (on a host: the tick) has decoded it.
 * Elements have no in-between: `theta_session_sample` gives single fields of such a component.
 *
 * `desc`: the component, as `theta_registry_add` takes it. `codec`: input of `codec->struct_size` bytes; its functions
 * and `user_data` belong to the library from here on, also when this fails, unless `codec` itself cannot be read.
 * `component_id` receives the id and may be null.
 *
 * Returns THETA_OK, what `theta_registry_add` returns, THETA_E_NULL (encode, decode), THETA_E_RANGE (element_bytes),
 * THETA_E_COMPONENT_COLLISION (it has a codec already). [init]
 */
THETA_API
theta_status theta_registry_add_codec(struct theta_registry registry,
                                      const struct theta_component_desc *desc,
                                      const struct theta_codec *codec,
                                      uint64_t *component_id);

/**
 * Spawns an entity with its first values; every peer sees it complete, with the next `theta_session_tick`. A first
 * value out of range is clamped, one that is not a number is the field's default.
 *
 * `session`: a host's. `desc`: input of `desc->struct_size` bytes; nothing is kept of it. `out` receives the id.
 *
 * Returns THETA_OK, THETA_E_NULL, THETA_E_STRUCT_SIZE, THETA_E_UNSUPPORTED_FIELD, THETA_E_RANGE (payload, a
 * component twice), the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE, THETA_E_LIMIT (entities, components),
 * THETA_E_COMPONENT_UNKNOWN, THETA_E_PEER_UNKNOWN (no number of a peer), THETA_E_ENTITY_UNKNOWN (the parent),
 * THETA_E_PANIC. [serial]
 */
THETA_API
theta_status theta_entity_spawn(struct theta_session session,
                                const struct theta_spawn_desc *desc,
                                uint64_t *out);

/**
 * Ends an entity; its children lose their parent. Peers learn it with the next `theta_session_tick`.
 *
 * Returns THETA_OK, the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE, THETA_E_ENTITY_UNKNOWN,
 * THETA_E_PANIC. [serial]
 */
THETA_API theta_status theta_entity_despawn(struct theta_session session, uint64_t entity);

/**
 * Hands an entity to a peer, or back to the host with 0. Whether the peer is still there is not looked at: it may
 * leave at any moment.
 *
 * Returns THETA_OK, the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE, THETA_E_PEER_UNKNOWN (no number of a
 * peer: over 65535), THETA_E_ENTITY_UNKNOWN, THETA_E_PANIC. [serial]
 */
THETA_API
theta_status theta_entity_set_owner(struct theta_session session,
                                    uint64_t entity,
                                    uint32_t owner);

/**
 * Puts an entity under another, or under none with 0. At most 64 deep.
 *
 * Returns THETA_OK, THETA_E_RANGE (a circle, or too deep), the handle errors, THETA_E_CONCURRENT,
 * THETA_E_WRONG_ROLE, THETA_E_ENTITY_UNKNOWN, THETA_E_PANIC. [serial]
 */
THETA_API
theta_status theta_entity_set_parent(struct theta_session session,
                                     uint64_t entity,
                                     uint64_t parent);

/**
 * Keeps a number of this program beside an entity; it comes back in every `theta_entity_row`. Local, never sent. Host
 * and joined; also for an entity that has not arrived yet, so the entity is not looked up.
 *
 * Returns THETA_OK, THETA_E_ENTITY_UNKNOWN (0), the handle errors, THETA_E_CONCURRENT, THETA_E_LIMIT,
 * THETA_E_PANIC. [serial]
 */
THETA_API
theta_status theta_entity_set_host_tag(struct theta_session session,
                                       uint64_t entity,
                                       uint64_t host_tag);

/**
 * Takes what happened since the last poll, oldest first. All host code that reacts to events runs between polls, on
 * the calling thread; poll until THETA_NOTHING_NEW. Codecs of a joined session decode new frames in here.
 *
 * `out`: `capacity` (1 to 4096) events, `event_size` (sizeof(theta_event)) bytes apart. `count` receives how many were
 * written. Their texts stay readable until the next poll.
 *
 * Returns THETA_OK, THETA_NOTHING_NEW (count is 0), THETA_E_NULL, THETA_E_STRUCT_SIZE, THETA_E_RANGE, the handle
 * errors, THETA_E_CONCURRENT. [serial]
 */
THETA_API
theta_status theta_session_poll(struct theta_session session,
                                struct theta_event *out,
                                uint32_t event_size,
                                uint32_t capacity,
                                uint32_t *count);

/**
 * The text of an event of the last poll: UTF-8, or the application's bytes where the kind says so.
 *
 * `text_id`: the event's. `out`: `capacity` bytes, or null with capacity 0 to ask for the length. `length` receives
 * the text's bytes.
 *
 * Returns THETA_OK, THETA_TRUNCATED, THETA_E_NULL, THETA_E_RANGE (no text of the last poll), the handle errors,
 * THETA_E_CONCURRENT. [serial]
 */
THETA_API
theta_status theta_session_text(struct theta_session session,
                                uint32_t text_id,
                                uint8_t *out,
                                uint64_t capacity,
                                uint64_t *length);

/**
 * Holds a complete tick. It does not change while it is held, whatever is polled, written or received meanwhile, and
 * it stays readable after its session was destroyed.
 *
 * `which`: THETA_FRAME_NEWEST, or THETA_FRAME_NEXT for each tick in order (ticks that were too old to be kept are
 * left out). Where a component has a codec, ticks are there once `theta_session_poll` has decoded them. `out` receives the handle; end it with `theta_frame_release`. Three may be held at once per session.
 *
 * Returns THETA_OK, THETA_NOTHING_NEW (no tick is complete yet, or NEXT has shown the newest; `out` is untouched),
 * THETA_E_NULL, THETA_E_RANGE, the handle errors, THETA_E_CONCURRENT, THETA_E_LIMIT (the fourth frame),
 * THETA_E_PANIC (the session is faulted). [serial]
 */
THETA_API
theta_status theta_frame_acquire(struct theta_session session,
                                 uint32_t which,
                                 struct theta_frame *out);

/**
 * Gives a frame back. Reads that other threads are in the middle of finish first; new ones are stale.
 *
 * Returns THETA_OK, the handle errors. [any], never waits.
 */
THETA_API theta_status theta_frame_release(struct theta_frame frame);

/**
 * What the frame is.
 *
 * `out`: an output of `out->struct_size` bytes.
 *
 * Returns THETA_OK, THETA_E_NULL, THETA_E_STRUCT_SIZE, the handle errors. [any]
 */
THETA_API theta_status theta_frame_info_get(struct theta_frame frame, struct theta_frame_info *out);

/**
 * The frame's entities that carry a component, in an order that `theta_frame_read` shares.
 *
 * `component`: its id; 0 = all entities. `out`: `capacity` rows, `element_size` (sizeof(theta_entity_row)) bytes
 * apart; null with capacity 0 asks for the count. `count` receives the number of entities there are.
 *
 * Returns THETA_OK, THETA_TRUNCATED (more than `capacity`), THETA_E_NULL, THETA_E_STRUCT_SIZE, the handle errors,
 * THETA_E_COMPONENT_UNKNOWN. [any]
 */
THETA_API
theta_status theta_frame_entities(struct theta_frame frame,
                                  uint64_t component,
                                  struct theta_entity_row *out,
                                  uint32_t element_size,
                                  uint32_t capacity,
                                  uint32_t *count);

/**
 * Copies a column: the values of all entities that carry a component, in the order of `theta_frame_entities` for that
 * component, in the session's basis.
 *
 * `component`, `field`: the whole struct (field 0; the element, if it has a codec) or one field. `flags`: 0, or
 * THETA_READ_QUANTISED for the fixed
 * fields' lanes as int64_t (lane times step plus minimum is the value; the wire's basis). `out`: row i is written at
 * byte `i * stride_bytes`, the stride at least a row and at most 1 MiB, a multiple of 8 for lanes; bytes between rows
 * are left alone; null with capacity 0 asks for the count; the capacity is at most 1048576. `count` receives the
 * number of rows there are.
 *
 * Returns THETA_OK, THETA_TRUNCATED (more than `capacity`), THETA_E_NULL, THETA_E_RANGE, THETA_E_UNSUPPORTED_FIELD
 * (flags), the handle errors, THETA_E_COMPONENT_UNKNOWN, THETA_E_FIELD_UNKNOWN. [any]
 */
THETA_API
theta_status theta_frame_read(struct theta_frame frame,
                              uint64_t component,
                              uint32_t field,
                              uint32_t flags,
                              void *out,
                              uint64_t stride_bytes,
                              uint32_t capacity,
                              uint32_t *count);

/**
 * What the host said about an entity when it spawned it.
 *
 * `out`: `capacity` bytes, or null with capacity 0 to ask for the length. `length` receives the payload's length, at
 * most 256.
 *
 * Returns THETA_OK, THETA_TRUNCATED, THETA_E_NULL, the handle errors, THETA_E_ENTITY_UNKNOWN. [any]
 */
THETA_API
theta_status theta_frame_payload(struct theta_frame frame,
                                 uint64_t entity,
                                 uint8_t *out,
                                 uint64_t capacity,
                                 uint64_t *length);

/**
 * Sends the input of a tick to the host: at once, unreliably, repeated with the next ones. Send one per tick.
 *
 * `session`: a joined one. `input`: input of `input->struct_size` bytes, in the session's basis.
 *
 * Returns THETA_OK, THETA_E_NULL, THETA_E_STRUCT_SIZE, THETA_E_UNSUPPORTED_FIELD (pose flags), THETA_E_NAN,
 * THETA_E_RANGE (tail), the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE, THETA_E_STATE (not live yet),
 * THETA_E_DISCONNECTED, THETA_E_PANIC. [serial]
 */
THETA_API
theta_status theta_session_send_input(struct theta_session session,
                                      const struct theta_input *input);

/**
 * The newest input of a peer, as the wire carried it, in the host's basis.
 *
 * `session`: a host's. `out`: an output of `out->struct_size` bytes.
 *
 * Returns THETA_OK, THETA_NOTHING_NEW (none, then `out` is untouched; or the same as at the last call, then it is
 * written), THETA_E_NULL, THETA_E_STRUCT_SIZE, the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE,
 * THETA_E_PEER_UNKNOWN, THETA_E_PANIC. [serial]
 */
THETA_API
theta_status theta_session_input(struct theta_session session,
                                 uint32_t peer,
                                 struct theta_input *out);

/**
 * The ABI version of the library that was loaded; equal to THETA_ABI_VERSION of its header. [any]
 */
THETA_API uint32_t theta_abi_version(void);

/**
 * The library's version, target and build kind as a null-terminated text that lives as long as the process. [any]
 */
THETA_API
const char *theta_build_info(void);

/**
 * What a status means and what to do about it: one sentence, null-terminated, living as long as the process. An
 * unknown code has a sentence too. [any]
 */
THETA_API
const char *theta_status_text(theta_status code);

/**
 * The last failed call of the calling thread. Copy it at once: the next failure on this thread replaces it.
 *
 * `out` is an output of `out->struct_size` bytes; its code is 0 when no call of this thread has failed.
 *
 * Returns THETA_OK, THETA_E_NULL, THETA_E_STRUCT_SIZE. [any]
 */
THETA_API theta_status theta_last_error(struct theta_error_info *out);

/**
 * What a disconnect code means, what to do included: one sentence, null-terminated, living as long as the process. An
 * unknown code has a sentence too. [any]
 */
THETA_API
const char *theta_disconnect_text(uint32_t code);

/**
 * Lets a peer in that a JOIN_REQUEST event announced.
 *
 * `session`: a host's. `role`: `THETA_ROLE_*`, cut to what its ticket grants. `application`: `length` bytes for the
 * peer, at most 4096; they come with its ADMITTED event.
 *
 * Returns THETA_OK, THETA_E_NULL, THETA_E_RANGE, the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE,
 * THETA_E_PEER_UNKNOWN, THETA_E_PANIC. [serial]
 */
THETA_API
theta_status theta_session_admit(struct theta_session session,
                                 uint32_t peer,
                                 uint32_t role,
                                 const uint8_t *application,
                                 uint32_t length);

/**
 * Turns a peer away that a JOIN_REQUEST event announced.
 *
 * `session`: a host's. `reason`: `length` bytes, a sentence for the person, UTF-8, at most 1024.
 *
 * Returns THETA_OK, THETA_E_NULL, THETA_E_UTF8, THETA_E_RANGE, the handle errors, THETA_E_CONCURRENT,
 * THETA_E_WRONG_ROLE, THETA_E_PEER_UNKNOWN, THETA_E_PANIC. [serial]
 */
THETA_API
theta_status theta_session_deny(struct theta_session session,
                                uint32_t peer,
                                const char *reason,
                                uint32_t length);

/**
 * Removes a peer from the session.
 *
 * `session`: a host's. `reason`: `length` bytes, a sentence for the person, UTF-8, at most 1024.
 *
 * Returns THETA_OK, THETA_E_NULL, THETA_E_UTF8, THETA_E_RANGE, the handle errors, THETA_E_CONCURRENT,
 * THETA_E_WRONG_ROLE, THETA_E_PEER_UNKNOWN, THETA_E_PANIC. [serial]
 */
THETA_API
theta_status theta_session_kick(struct theta_session session,
                                uint32_t peer,
                                const char *reason,
                                uint32_t length);

/**
 * The other members of the session; on a host also those who wait to be admitted (THETA_STATE_HANDSHAKE).
 *
 * `out`: `capacity` elements, `element_size` (sizeof(theta_peer_info)) bytes apart; null with capacity 0 asks for the
 * count. `count` receives the number of members there are.
 *
 * Returns THETA_OK, THETA_TRUNCATED, THETA_E_NULL, THETA_E_STRUCT_SIZE, the handle errors. [any]
 */
THETA_API
theta_status theta_session_peers(struct theta_session session,
                                 struct theta_peer_info *out,
                                 uint32_t element_size,
                                 uint32_t capacity,
                                 uint32_t *count);

/**
 * Counters of a link, at most a tenth of a second old.
 *
 * `peer`: on a host a member's number; on a joined session 0, its own link. `out`: an output of `out->struct_size`
 * bytes.
 *
 * Returns THETA_OK, THETA_E_NULL, THETA_E_STRUCT_SIZE, the handle errors, THETA_E_PEER_UNKNOWN. [any]
 */
THETA_API
theta_status theta_session_statistics(struct theta_session session,
                                      uint32_t peer,
                                      struct theta_statistics *out);

/**
 * The id of the component with this stable name: SipHash-2-4 of its UTF-8 under the key 00..0f. Needs no registry.
 *
 * `name`: `name_length` bytes, 1 to 128. `out` receives the id.
 *
 * Returns THETA_OK, THETA_E_NULL, THETA_E_UTF8, THETA_E_RANGE. [any]
 */
THETA_API
theta_status theta_component_id(const char *name,
                                uint64_t name_length,
                                uint64_t *out);

/**
 * Creates an empty registry. It serves any number of sessions of this runtime.
 *
 * `out` receives the handle; end it with `theta_registry_destroy` or with the runtime.
 *
 * Returns THETA_OK, THETA_E_NULL, the handle errors, THETA_E_LIMIT. [init]
 */
THETA_API theta_status theta_registry_create(struct theta_runtime runtime, struct theta_registry *out);

/**
 * Adds a component. Nothing is kept of the caller's memory. The same description twice is one component.
 *
 * `desc`: input of `desc->struct_size` bytes. `component_id` receives the id and may be null.
 *
 * Returns THETA_OK, THETA_E_NULL, THETA_E_STRUCT_SIZE, THETA_E_UNSUPPORTED_FIELD, THETA_E_UTF8, THETA_E_RANGE, the
 * handle errors, THETA_E_CONCURRENT, THETA_E_COMPONENT_INVALID (the last error names the field and the rule),
 * THETA_E_COMPONENT_COLLISION, THETA_E_LIMIT (size, or what one registry takes), THETA_E_REGISTRY_SEALED (a session uses
 * the registry). [init]
 */
THETA_API
theta_status theta_registry_add(struct theta_registry registry,
                                const struct theta_component_desc *desc,
                                uint64_t *component_id);

/**
 * The hash of all that changes bits on the wire: component and field ids, kinds, quantisation, bounds. Peers with
 * equal hashes understand each other without translation.
 *
 * `out` receives the hash of the components added so far.
 *
 * Returns THETA_OK, THETA_E_NULL, the handle errors, THETA_E_CONCURRENT, THETA_E_COMPONENT_COLLISION. [init]
 */
THETA_API
theta_status theta_registry_schema_hash(struct theta_registry registry,
                                        uint64_t *out);

/**
 * The registry as `schema_manifest.json`: what the tools compare between versions of an application.
 *
 * `out`: `capacity` bytes, or null with capacity 0 to ask for the length. `length` receives the bytes of the whole
 * text, which is UTF-8 and not null-terminated.
 *
 * Returns THETA_OK, THETA_TRUNCATED, THETA_E_NULL, the handle errors, THETA_E_CONCURRENT. [init]
 */
THETA_API
theta_status theta_registry_manifest(struct theta_registry registry,
                                     char *out,
                                     uint64_t capacity,
                                     uint64_t *length);

/**
 * Ends the registry's handle. Sessions that use its components keep them.
 *
 * Returns THETA_OK, the handle errors. [any], never waits.
 */
THETA_API theta_status theta_registry_destroy(struct theta_registry registry);

/**
 * Starts a runtime: one thread of the library, and nothing else. A process may have many (editor play modes, rooms of
 * a server); handles of different runtimes do not mix.
 *
 * `config`: input of `config->struct_size` bytes, with THETA_ABI_VERSION. `out` receives the handle; end it with
 * `theta_runtime_shutdown` or `theta_runtime_detach`.
 *
 * Returns THETA_OK, THETA_E_NULL, THETA_E_STRUCT_SIZE, THETA_E_UNSUPPORTED_FIELD, THETA_E_ABI_MISMATCH (build against
 * the header that came with the library), THETA_E_LIMIT (65535 in the life of a process), THETA_E_IO. [init]
 */
THETA_API
theta_status theta_runtime_create(const struct theta_runtime_config *config,
                                  struct theta_runtime *out);

/**
 * Ends a runtime: closes its sessions, tells the other sides, joins its threads, and makes every handle of it answer
 * THETA_E_SHUT_DOWN from then on.
 *
 * `deadline_ms`: how long to wait for the threads, at most 60000. `report` may be null; else an output of
 * `report->struct_size` bytes that says what was joined and what was not.
 *
 * Returns THETA_OK, THETA_E_STRUCT_SIZE, THETA_E_RANGE, the handle errors, THETA_E_SHUT_DOWN (already). [init]
 */
THETA_API
theta_status theta_runtime_shutdown(struct theta_runtime runtime,
                                    uint32_t deadline_ms,
                                    struct theta_shutdown_report *report);

/**
 * Ends a runtime at once, for an editor's domain reload: handles answer THETA_E_SHUT_DOWN, the other sides are told as
 * far as that takes no waiting, and the thread ends by itself.
 *
 * Returns THETA_OK, the handle errors, THETA_E_SHUT_DOWN (already). [any], never waits.
 */
THETA_API
theta_status theta_runtime_detach(struct theta_runtime runtime);

/**
 * Values of entities at a moment of the session, in its basis. Positions and rotations are interpolated between
 * ticks and boundedly extrapolated after the newest; what does not blend is held.
 *
 * `session`: a joined one. `component`, `field`: the whole struct (field 0) or one field. `entities`: `count` ids, at
 * most 1048576. `render_tick`: a moment of `theta_session_render_tick`, finite. `out`: row i is written at byte
 * `i * stride_bytes`, the stride at least a row and at most 1 MiB. `results`: `count` bytes that receive
 * `THETA_SAMPLE_*`, or null. The three arrays do not overlap.
 *
 * Returns THETA_OK, THETA_SOME_MISSING, THETA_E_NULL, THETA_E_RANGE, THETA_E_NAN, the handle errors,
 * THETA_E_WRONG_ROLE, THETA_E_COMPONENT_UNKNOWN, THETA_E_FIELD_UNKNOWN, THETA_E_NOT_SAMPLED (no tick is complete
 * yet, or the whole struct has a codec), THETA_E_PANIC. [any]
 */
THETA_API
theta_status theta_session_sample(struct theta_session session,
                                  uint64_t component,
                                  uint32_t field,
                                  const uint64_t *entities,
                                  uint32_t count,
                                  double render_tick,
                                  void *out,
                                  uint64_t stride_bytes,
                                  uint8_t *results);

/**
 * Starts hosting: listens for peers and owns the world. Ticks are the caller's (`theta_session_tick`).
 *
 * `registry`: the components, which is sealed by this. `config`: input of `config->struct_size` bytes. `out` receives
 * the handle; end it with `theta_session_destroy`.
 *
 * Returns THETA_OK, THETA_E_NULL, THETA_E_STRUCT_SIZE, THETA_E_UNSUPPORTED_FIELD, THETA_E_UTF8,
 * THETA_E_RANGE, the handle errors, THETA_E_HANDLE_FOREIGN (two runtimes), THETA_E_CONCURRENT (the registry),
 * THETA_E_COMPONENT_COLLISION, THETA_E_TICKET (admission), THETA_E_ADDRESS (malformed, or not loopback in dev mode),
 * THETA_E_IO (the port is taken), THETA_E_LIMIT, THETA_E_PANIC (the runtime's thread panicked before). [init]
 */
THETA_API
theta_status theta_session_host(struct theta_runtime runtime,
                                struct theta_registry registry,
                                const struct theta_host_config *config,
                                struct theta_session *out);

/**
 * Starts joining: the handshake runs in the background and its steps come as events.
 *
 * `registry`: the components, which is sealed by this. `config`: input of `config->struct_size` bytes. `out` receives
 * the handle; end it with `theta_session_destroy`.
 *
 * Returns THETA_OK, THETA_E_NULL, THETA_E_STRUCT_SIZE, THETA_E_UNSUPPORTED_FIELD, THETA_E_UTF8,
 * THETA_E_RANGE, the handle errors, THETA_E_HANDLE_FOREIGN (two runtimes), THETA_E_CONCURRENT (the registry),
 * THETA_E_COMPONENT_COLLISION, THETA_E_TICKET, THETA_E_ADDRESS, THETA_E_IO, THETA_E_LIMIT, THETA_E_PANIC (the
 * runtime's thread panicked before). [init]
 */
THETA_API
theta_status theta_session_join(struct theta_runtime runtime,
                                struct theta_registry registry,
                                const struct theta_join_config *config,
                                struct theta_session *out);

/**
 * Ends the session's handle and leaves in the background: a host closes for everybody, a peer says goodbye. A call
 * that another thread is in the middle of finishes first; frames that are held stay readable.
 *
 * Returns THETA_OK, the handle errors. [any], never waits.
 */
THETA_API
theta_status theta_session_destroy(struct theta_session session);

/**
 * Leaves, and keeps the handle so that the last events can be polled. On a host this closes the session for everybody.
 * Once is enough; again is fine.
 *
 * Returns THETA_OK, the handle errors, THETA_E_CONCURRENT, THETA_E_PANIC. [serial]
 */
THETA_API
theta_status theta_session_leave(struct theta_session session);

/**
 * Where the session stands, as its own thread saw it last.
 *
 * `out`: an output of `out->struct_size` bytes.
 *
 * Returns THETA_OK, THETA_E_NULL, THETA_E_STRUCT_SIZE, the handle errors. [any]
 */
THETA_API theta_status theta_session_info_get(struct theta_session session, struct theta_session_info *out);

/**
 * Says that the level is up, so that the world may arrive. Needed with THETA_JOIN_MANUAL_LOADED only.
 *
 * `session`: a joined one, after its ADMITTED event.
 *
 * Returns THETA_OK, the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE, THETA_E_PANIC. [serial]
 */
THETA_API theta_status theta_session_loaded(struct theta_session session);

/**
 * Says that nobody is there any more: a headset was taken off, the application goes to sleep (Unity's
 * OnApplicationPause). The host keeps the place for its grace window and sends nothing meanwhile, the others see
 * PEER_AWAY. The state becomes THETA_STATE_AWAY. Should the link be lost meanwhile, it is looked for after
 * `theta_session_resume`; should the window pass, the session ends with DISCONNECTED, AwayTimeout (6) where the link still
 * stands, and can be joined anew. Without effect before ADMITTED, where the host does not offer it, and a second time.
 *
 * Returns THETA_OK, the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE (a host), THETA_E_PANIC. [serial]
 */
THETA_API
theta_status theta_session_suspend(struct theta_session session);

/**
 * Says that somebody is there again after `theta_session_suspend`: the session goes on in the same place, on the same
 * link or, should it be lost, on a new one, and gets what changed meanwhile. The state becomes THETA_STATE_RESUMING, then
 * THETA_STATE_LIVE; or the session ends with DISCONNECTED, ResumeRefused (74), when the place was kept no longer. Without
 * effect unless the session was suspended.
 *
 * Returns THETA_OK, the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE (a host), THETA_E_PANIC. [serial]
 */
THETA_API
theta_status theta_session_resume(struct theta_session session);

/**
 * Says that the system has another network (Wi-Fi to mobile, another access point): the session goes on from a new
 * socket at once, rather than when silence tells. Nobody else notices.
 *
 * Returns THETA_OK, the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE (a host), THETA_E_PANIC. [serial]
 */
THETA_API
theta_status theta_session_network_changed(struct theta_session session);

/**
 * The host's open ticket: endpoint, document id and authority key. It names no client: in dev mode it is enough to
 * join, elsewhere it tells a peer whom to expect.
 *
 * `out`: `capacity` bytes, or null with capacity 0 to ask for the length. `length` receives the bytes of the text,
 * at most 1024, not null-terminated.
 *
 * Returns THETA_OK, THETA_TRUNCATED, THETA_E_NULL, the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE,
 * THETA_E_PANIC. [serial]
 */
THETA_API
theta_status theta_session_ticket(struct theta_session session,
                                  char *out,
                                  uint64_t capacity,
                                  uint64_t *length);

/**
 * Signs a member ticket: this key may enter this document with this role until then. A stolen one opens nothing
 * without the key.
 *
 * `desc`: input of `desc->struct_size` bytes. `out`, `capacity`, `length`: as `theta_session_ticket`.
 *
 * Returns THETA_OK, THETA_TRUNCATED, THETA_E_NULL, THETA_E_STRUCT_SIZE, THETA_E_UNSUPPORTED_FIELD, THETA_E_UTF8,
 * THETA_E_RANGE (role), THETA_E_TICKET (endpoint), the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE,
 * THETA_E_PANIC. [serial]
 */
THETA_API
theta_status theta_session_issue_ticket(struct theta_session session,
                                        const struct theta_ticket_desc *desc,
                                        char *out,
                                        uint64_t capacity,
                                        uint64_t *length);

/**
 * The Ed25519 public key of a seed: what a host puts into a ticket for it.
 *
 * `seed`: 32 bytes. `out`: 32 bytes.
 *
 * Returns THETA_OK, THETA_E_NULL. [any]
 */
THETA_API theta_status theta_identity_public_key(const uint8_t *seed, uint8_t *out);

/**
 * The clock of this process: monotonic, in nanoseconds since an arbitrary moment. Events, frames and
 * `theta_session_render_tick` are on it. [any]
 */
THETA_API uint64_t theta_now_ns(void);

/**
 * How many ticks the simulation has to run in this display frame, so that a session of one rate serves a display of
 * another. The ticks count as run. What goes beyond `cap` (after a stall) is dropped: time does not run after itself.
 *
 * `now_ns`: a time of `theta_now_ns`, not before that of the last call. `cap`: 1 to 64. `due` receives the number.
 *
 * Returns THETA_OK, THETA_E_NULL, THETA_E_RANGE, the handle errors, THETA_E_CONCURRENT, THETA_E_PANIC. [serial]
 */
THETA_API
theta_status theta_session_ticks_due(struct theta_session session,
                                     uint64_t now_ns,
                                     uint32_t cap,
                                     uint32_t *due);

/**
 * Seals what was written since the last tick and sends it to every peer. Codecs encode what was written in here, and
 * decode what changed.
 *
 * `session`: a host's. `tick` receives the number of the sealed tick, from 1.
 *
 * Returns THETA_OK, THETA_E_NULL, the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE, THETA_E_DISCONNECTED
 * (the session was closed), THETA_E_PANIC. [serial]
 */
THETA_API
theta_status theta_session_tick(struct theta_session session,
                                uint32_t *tick);

/**
 * The moment of the session to show at a display time, as a tick and a fraction: the host's clock, as far as it is
 * known here, minus the interpolation delay. It never runs backwards by more than the clock is corrected.
 *
 * `session`: a joined one. `display_time_ns`: when the frame will be seen, on the clock of `theta_now_ns`. `tick`
 * receives the moment; 0 until the two clocks know each other, in the first tenths of a second of a session.
 *
 * Returns THETA_OK, THETA_E_NULL, the handle errors, THETA_E_WRONG_ROLE, THETA_E_PANIC. [any]
 */
THETA_API
theta_status theta_session_render_tick(struct theta_session session,
                                       uint64_t display_time_ns,
                                       double *tick);

/**
 * Opens a write: batches staged in it are applied together by `theta_write_commit`. Several may be open.
 *
 * `session`: a host's. `out` receives the handle; end it with `theta_write_commit`.
 *
 * Returns THETA_OK, THETA_E_NULL, the handle errors, THETA_E_WRONG_ROLE, THETA_E_LIMIT. [any]
 */
THETA_API theta_status theta_write_begin(struct theta_session session, struct theta_write *out);

/**
 * Converts and quantises rows on the calling thread and stages them. Any number of threads may stage into one write
 * at the same time, as long as they write different entities, components or fields. Nothing is kept of `data`.
 *
 * `component`, `field`: rows are the component's whole struct (field 0; document fields are left alone; its elements, if
 * it has a codec: the next `theta_session_tick` encodes them, and what becomes of them is not in a report) or one field
 * of it. `entities`: `count` ids, at most 1048576. `data`: row i begins at byte `i * stride_bytes`; the stride is at
 * least a row and at most 1 MiB. `report` may be null; what is out of range is clamped, what is not a number keeps
 * the old value, and both are counted in it.
 *
 * Returns THETA_OK, THETA_SOME_CLAMPED, THETA_E_NULL, THETA_E_STRUCT_SIZE, THETA_E_RANGE, the handle errors,
 * THETA_E_COMPONENT_UNKNOWN, THETA_E_FIELD_UNKNOWN, THETA_E_STATE (the field is the command log's), THETA_E_LIMIT.
 * [any]
 */
THETA_API
theta_status theta_write_rows(struct theta_write write,
                              uint64_t component,
                              uint32_t field,
                              const uint64_t *entities,
                              uint32_t count,
                              const void *data,
                              uint64_t stride_bytes,
                              struct theta_write_report *report);

/**
 * Applies everything that was staged and ends the handle. The values go out with the next `theta_session_tick`.
 * Only THETA_E_CONCURRENT leaves the handle open.
 *
 * Returns THETA_OK, THETA_SOME_CLAMPED, THETA_SOME_MISSING (entities that are gone or lack the component; the others
 * are written), the handle errors, THETA_E_CONCURRENT, THETA_E_PANIC (the session is faulted). [serial]
 */
THETA_API
theta_status theta_write_commit(struct theta_write write);

/**
 * As `theta_write_commit`, and says what became of all batches together.
 *
 * `report`: an output of `report->struct_size` bytes.
 *
 * Returns what `theta_write_commit` returns, THETA_E_NULL, THETA_E_STRUCT_SIZE. [serial]
 */
THETA_API theta_status theta_write_commit_report(struct theta_write write, struct theta_write_report *report);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* THETA_THETA_H */
