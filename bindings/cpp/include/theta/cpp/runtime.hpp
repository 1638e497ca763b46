// The two objects that exist before any session: the runtime, which owns the library's threads, and the registry, which
// knows the components.
#ifndef THETA_CPP_RUNTIME_HPP
#define THETA_CPP_RUNTIME_HPP

#include <theta/cpp/codec.hpp>
#include <theta/cpp/component.hpp>
#include <theta/cpp/types.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace theta {

namespace detail {

/// One C handle with one owner: moves, never copies, and lets go exactly once. `Release` runs on a live handle only.
template <class Handle, void (*Release)(Handle) noexcept> class owned {
public:
    owned() noexcept = default;
    explicit owned(Handle handle) noexcept
        : handle_(handle) {}
    owned(owned&& other) noexcept
        : handle_(std::exchange(other.handle_, Handle{})) {}
    owned& operator=(owned&& other) noexcept {
        if (this != &other) {
            reset();
            handle_ = std::exchange(other.handle_, Handle{});
        }
        return *this;
    }
    owned(const owned&) = delete;
    owned& operator=(const owned&) = delete;
    ~owned() { reset(); }

    [[nodiscard]] Handle get() const noexcept { return handle_; }
    /// Gives the handle away without releasing it.
    Handle take() noexcept { return std::exchange(handle_, Handle{}); }
    void reset() noexcept {
        if (handle_.bits != 0) {
            Release(take());
        }
    }
    explicit operator bool() const noexcept { return handle_.bits != 0; }

private:
    Handle handle_{};
};

// A destructor has nobody to tell; what it calls is safe on a stale handle.
inline void release(theta_runtime handle) noexcept { static_cast<void>(theta_runtime_shutdown(handle, 2000, nullptr)); }
inline void release(theta_registry handle) noexcept { static_cast<void>(theta_registry_destroy(handle)); }
inline void release(theta_session handle) noexcept { static_cast<void>(theta_session_destroy(handle)); }
inline void release(theta_write handle) noexcept { static_cast<void>(theta_write_commit(handle)); }
inline void release(theta_frame handle) noexcept { static_cast<void>(theta_frame_release(handle)); }

}  // namespace detail

/// Owns the library's threads. Many may live in one process. Any thread may use it; one at a time may shut it down.
/// Going out of scope shuts it down with two seconds of patience; sessions that are still open become stale, not
/// dangling.
class runtime {
public:
    runtime() noexcept = default;

    /// Starts a runtime. Refuses, with both versions in the sentence, when the loaded library is not the header's.
    static result<runtime> create() noexcept {
        auto config = detail::sized<theta_runtime_config>();
        config.abi_version = THETA_ABI_VERSION;
        theta_runtime handle{};
        const auto status = theta_runtime_create(&config, &handle);
        return detail::done(status, runtime(handle));
    }

    /// Closes the sessions and joins the threads, waiting at most `patience`, and never more than a minute; the report
    /// names what was left. Should it fail, this object still owns the runtime.
    result<shutdown_report> shutdown(std::chrono::milliseconds patience) noexcept {
        constexpr std::uint32_t longest_ms = 60'000;
        auto report = detail::sized<theta_shutdown_report>();
        const auto count = patience.count();
        const auto deadline_ms = count <= 0 ? 0U : count > longest_ms ? longest_ms : static_cast<std::uint32_t>(count);
        const auto status = theta_runtime_shutdown(handle_.get(), deadline_ms, &report);
        if (status >= 0) {
            static_cast<void>(handle_.take());
        }
        return detail::done(status, report);
    }

    /// Lets go at once and leaves the clean-up to the library's own threads: for an editor that is about to unload
    /// code. Should it fail, this object still owns the runtime.
    result<void> detach() noexcept {
        const auto status = theta_runtime_detach(handle_.get());
        if (status >= 0) {
            static_cast<void>(handle_.take());
        }
        return detail::done(status);
    }

    /// The C handle, still owned by this object.
    [[nodiscard]] theta_runtime raw() const noexcept { return handle_.get(); }
    explicit operator bool() const noexcept { return static_cast<bool>(handle_); }

private:
    explicit runtime(theta_runtime handle) noexcept
        : handle_(handle) {}
    detail::owned<theta_runtime, &detail::release> handle_;
};

/// The components of an application. Fill it, then host or join with it: the first session seals it.
/// Sessions keep what they need, so it may go away afterwards.
class registry {
public:
    registry() noexcept = default;

    static result<registry> create(const runtime& owner) noexcept {
        theta_registry handle{};
        const auto status = theta_registry_create(owner.raw(), &handle);
        return detail::done(status, registry(handle));
    }

    /// Registers a component and returns the typed reference by which it is read and written.
    /// Fails on a name that is taken, an id used twice, bounds that make no sense, or a registry that is in use.
    template <class T> result<component_ref<T>> add(const component<T>& description) noexcept {
        component_ref<T> added{};
        const auto status = description.described(
            [&](const theta_component_desc& c) { return theta_registry_add(handle_.get(), &c, &added.id.bits); });
        return detail::done(status, added);
    }

    /// Registers a component whose rows here are `Element`s, which no field layout describes: bit fields, variants,
    /// handles of engine objects. `encode(entity_id, const Element&, Value&)` and `decode(entity_id, const Value&,
    /// Element&)` convert to and from the struct that travels; each returns nothing, or false to refuse a value, which
    /// then keeps its old one and comes as event_kind::codec_failed. An exception refuses, too. `Value` is handed over
    /// with the component's defaults, `Element` with the entity's old one (zeros before the first).
    ///
    /// They run inside poll and tick, on the calling thread, and may not call the library. They are moved in, and
    /// destroyed when the last registry, session, frame or write that may need them is gone; at once if this fails.
    template <class Element, class Value, class Encode, class Decode>
    result<component_ref<Element>> add_codec(const component<Value>& description, Encode encode, Decode decode) {
        using functions = detail::codec_functions<Element, Value, Encode, Decode>;
        component_ref<Element> added{};
        const auto status = description.described([&](const theta_component_desc& c) {
            auto codec = detail::sized<theta_codec>();
            codec.element_bytes = sizeof(Element);
            codec.user_data = new functions{std::move(encode), std::move(decode)};
            codec.encode = &functions::encode_one;
            codec.decode = &functions::decode_one;
            codec.drop = &functions::drop;
            return theta_registry_add_codec(handle_.get(), &c, &codec, &added.id.bits);
        });
        return detail::done(status, added);
    }

    /// Two programs can meet in a session exactly if this number agrees.
    [[nodiscard]] result<std::uint64_t> schema_hash() const noexcept {
        std::uint64_t hash = 0;
        const auto status = theta_registry_schema_hash(handle_.get(), &hash);
        return detail::done(status, hash);
    }

    /// The schema as text, for diffing and for tools.
    [[nodiscard]] result<std::string> manifest() const noexcept {
        return detail::read_text([this](char* out, std::uint64_t capacity, std::uint64_t* length) {
            return theta_registry_manifest(handle_.get(), out, capacity, length);
        });
    }

    [[nodiscard]] theta_registry raw() const noexcept { return handle_.get(); }
    explicit operator bool() const noexcept { return static_cast<bool>(handle_); }

private:
    explicit registry(theta_registry handle) noexcept
        : handle_(handle) {}
    detail::owned<theta_registry, &detail::release> handle_;
};

/// The id a component of this name has, in every language and session.
[[nodiscard]] inline result<component_id> component_id_of(std::string_view name) noexcept {
    component_id id{};
    const auto status = theta_component_id(name.data(), name.size(), &id.bits);
    return detail::done(status, id);
}

}  // namespace theta

#endif
