// What a tick is made of on the engine's side: a frame to read from, a write to fill, an entity to spawn.
#ifndef THETA_CPP_FRAME_HPP
#define THETA_CPP_FRAME_HPP

#include <theta/cpp/runtime.hpp>
#include <theta/cpp/types.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace theta {

namespace detail {

/// Fills a vector whose size only the library knows. What the vector already holds is the first guess, so one that is
/// kept from tick to tick is neither allocated nor cleared again.
template <class T, class Call> result<std::size_t> read_rows(std::vector<T>& out, Call&& call) noexcept {
    for (;;) {
        std::uint32_t count = 0;
        const theta_status status = call(out.data(), narrow(out.size()), &count);
        if (status < 0) {
            return error::last(status);
        }
        const bool whole = status != THETA_TRUNCATED && count <= out.size();
        out.resize(count);
        if (whole) {
            return static_cast<std::size_t>(count);
        }
    }
}

/// A parameter that takes no part in deduction, so that what converts to it is taken.
template <class T> struct identity { using type = T; };
template <class T> using no_deduction = typename identity<T>::type;

}  // namespace detail

/// One complete tick, held still for as long as this object lives. Reading is free for any number of threads at once.
/// A session hands out three at most; a fourth is `code::limit`. An empty one (`!frame`) stands for "nothing new".
class frame {
public:
    frame() noexcept = default;

    [[nodiscard]] result<frame_info> info() const noexcept {
        auto filled = detail::sized<theta_frame_info>();
        const auto status = theta_frame_info_get(handle_.get(), &filled);
        return detail::done(status, filled);
    }

    /// Every entity of the tick; those with a component, when one is given. Their order is that of `read`.
    result<std::size_t> entities(std::vector<entity_row>& out, component_id component = {}) const noexcept {
        return detail::read_rows(out, [&](entity_row* rows, std::uint32_t capacity, std::uint32_t* count) {
            return theta_frame_entities(handle_.get(), component.bits, reinterpret_cast<theta_entity_row*>(rows),
                                        sizeof(entity_row), capacity, count);
        });
    }
    template <class T>
    result<std::size_t> entities(std::vector<entity_row>& out, component_ref<T> component) const noexcept {
        return entities(out, component.id);
    }

    /// The component of every entity that has one, one struct each. The vector is resized to the number of rows.
    template <class T> result<std::size_t> read(component_ref<T> component, std::vector<T>& out) const noexcept {
        return column(component.id, 0, 0, sizeof(T), out);
    }
    /// The same into memory of the caller: an array, a TArray, a span. Returns how many rows there are: more than `out`
    /// takes means that it was too small.
    template <class T>
    result<std::size_t> read(component_ref<T> component, detail::no_deduction<span<T>> out) const noexcept {
        return column(component.id, 0, 0, sizeof(T), out);
    }
    /// The same into structs that lie inside larger ones: `first` and then every `stride_bytes`, `capacity` of them.
    template <class T>
    result<std::size_t> read_strided(component_ref<T> component, T* first, std::size_t stride_bytes,
                                     std::size_t capacity) const noexcept {
        return column(component.id, 0, 0, stride_bytes, span<T>(first, capacity));
    }
    /// One field of every row, packed; `M` is laid out as the field is.
    template <class M, class T>
    result<std::size_t> read_field(component_ref<T> component, std::uint16_t field,
                                   std::vector<M>& out) const noexcept {
        return column(component.id, field, 0, sizeof(M), out);
    }
    template <class M, class T>
    result<std::size_t> read_field(component_ref<T> component, std::uint16_t field, span<M> out) const noexcept {
        return column(component.id, field, 0, sizeof(M), out);
    }
    /// The bits that travel: `lanes` integers a row, exactly equal on every peer. For hashes and tests. `out` holds
    /// rows * lanes.
    result<std::size_t> read_quantised(component_id component, std::size_t lanes,
                                       std::vector<std::int64_t>& out) const noexcept {
        const auto stride = lanes * sizeof(std::int64_t);
        if (stride == 0) {
            return error{code::range, "theta::frame::read_quantised", "A component has at least one lane."};
        }
        for (;;) {
            std::uint32_t count = 0;
            const auto status = theta_frame_read(handle_.get(), component.bits, 0, THETA_READ_QUANTISED, out.data(),
                                                 stride, detail::narrow(out.size() / lanes), &count);
            if (status < 0) {
                return error::last(status);
            }
            const bool whole = status != THETA_TRUNCATED && count * lanes <= out.size();
            out.resize(count * lanes);
            if (whole) {
                return static_cast<std::size_t>(count);
            }
        }
    }

    /// The bytes an entity was spawned with.
    result<std::string> payload(entity_id entity) const noexcept {
        return detail::read_text([&](char* out, std::uint64_t capacity, std::uint64_t* length) {
            return theta_frame_payload(handle_.get(), entity.bits, reinterpret_cast<std::uint8_t*>(out), capacity,
                                       length);
        });
    }

    [[nodiscard]] theta_frame raw() const noexcept { return handle_.get(); }
    explicit operator bool() const noexcept { return static_cast<bool>(handle_); }

private:
    friend class session;
    explicit frame(theta_frame handle) noexcept
        : handle_(handle) {}

    template <class E>
    result<std::size_t> column(component_id component, std::uint32_t field, std::uint32_t flags, std::size_t stride,
                               std::vector<E>& out) const noexcept {
        return detail::read_rows(out, [&](E* rows, std::uint32_t capacity, std::uint32_t* count) {
            return theta_frame_read(handle_.get(), component.bits, field, flags, rows, stride, capacity, count);
        });
    }
    template <class E>
    result<std::size_t> column(component_id component, std::uint32_t field, std::uint32_t flags, std::size_t stride,
                               span<E> out) const noexcept {
        std::uint32_t count = 0;
        const auto status = theta_frame_read(handle_.get(), component.bits, field, flags, out.data(), stride,
                                             detail::narrow(out.size()), &count);
        return detail::done(status, static_cast<std::size_t>(count));
    }

    detail::owned<theta_frame, &detail::release> handle_;
};

/// A batch of column writes of one tick. Any number of threads may fill it with rows of different entities. `commit`
/// ends it; so does going out of scope. What counts as changed is the quantised value: write whole columns without
/// comparing.
///
/// Each call reports what it clamped or ignored; how many values changed and which entities were not there is known
/// when the batches are applied, and stands in the report of `commit`.
class write {
public:
    write() noexcept = default;

    /// One struct per entity.
    template <class T>
    result<write_report> rows(component_ref<T> component, span<const entity_id> entities,
                              span<const T> values) noexcept {
        return put(component.id, 0, entities, values.data(), values.size(), sizeof(T));
    }
    /// One container of structs, when it is a std::vector or an array of exactly T.
    template <class T, class Values>
    result<write_report> rows(component_ref<T> component, span<const entity_id> entities,
                              const Values& values) noexcept {
        return rows(component, entities, span<const T>(values));
    }
    /// Structs that lie inside larger ones: `first` and then every `stride_bytes`, one per entity.
    template <class T>
    result<write_report> rows_strided(component_ref<T> component, span<const entity_id> entities, const T* first,
                                      std::size_t stride_bytes) noexcept {
        return put(component.id, 0, entities, first, entities.size(), stride_bytes);
    }
    /// One field only, `M` laid out as the field is; the other fields keep their values.
    template <class M, class T>
    result<write_report> field(component_ref<T> component, std::uint16_t id, span<const entity_id> entities,
                               span<const M> values) noexcept {
        return put(component.id, id, entities, values.data(), values.size(), sizeof(M));
    }

    /// Applies everything. After `code::concurrent` (another thread was inside the session) it may be tried again.
    result<write_report> commit() noexcept {
        auto report = detail::sized<write_report>();
        const auto status = theta_write_commit_report(handle_.get(), &report);
        if (status != THETA_E_CONCURRENT) {
            static_cast<void>(handle_.take());
        }
        return detail::done(status, report);
    }

    [[nodiscard]] theta_write raw() const noexcept { return handle_.get(); }
    explicit operator bool() const noexcept { return static_cast<bool>(handle_); }

private:
    friend class host_session;
    explicit write(theta_write handle) noexcept
        : handle_(handle) {}

    result<write_report> put(component_id component, std::uint32_t field, span<const entity_id> entities,
                             const void* data, std::size_t values, std::size_t stride) noexcept {
        if (values != entities.size()) {
            return detail::lengths_differ("theta::write::rows");
        }
        auto report = detail::sized<theta_write_report>();
        const auto status = theta_write_rows(handle_.get(), component.bits, field, detail::bits_of(entities),
                                             detail::narrow(entities.size()), data, stride, &report);
        return detail::done(status, report);
    }

    detail::owned<theta_write, &detail::release> handle_;
};

/// What to spawn. Everything is copied in, so one may be kept and spawned from many times.
///
///     host.spawn(theta::entity(avatar_type).owned_by(peer).payload(name).with(avatar, demo_avatar{}))
class entity {
public:
    /// `type_id` is the application's: which prefab this is.
    explicit entity(std::uint32_t type_id) noexcept { description_.type_id = type_id; }

    entity& owned_by(peer_id owner) noexcept {
        description_.owner = owner;
        return *this;
    }
    entity& child_of(entity_id parent) noexcept {
        description_.parent = parent.bits;
        return *this;
    }
    /// A number of yours that comes back with the entity in every batch. Stays on this machine.
    entity& tagged(std::uint64_t host_tag) noexcept {
        description_.host_tag = host_tag;
        return *this;
    }
    /// For objects placed in a scene: the same number in every session.
    entity& persistent(std::uint64_t id) noexcept {
        description_.persistent_id = id;
        return *this;
    }
    /// At most 256 bytes that every peer gets with the spawn.
    entity& payload(std::string_view bytes) noexcept {
        payload_ = bytes;
        return *this;
    }
    /// Gives it a component with this value.
    template <class T> entity& with(component_ref<T> component, const T& value) noexcept {
        static_assert(std::is_trivially_copyable_v<T>, "a component is copied as bytes");
        return attach(component.id, &value, sizeof(T));
    }
    /// Gives it a component with its defaults.
    template <class T> entity& with(component_ref<T> component) noexcept { return attach(component.id, nullptr, 0); }

private:
    friend class host_session;
    static constexpr std::size_t most_components = 64;
    static constexpr std::size_t no_value = ~std::size_t{0};
    // What operator new aligns to at least; the library reads the fields in place.
    static constexpr std::size_t alignment = alignof(std::max_align_t);

    entity& attach(component_id id, const void* value, std::size_t size) noexcept {
        if (count_ < most_components) {
            ids_[count_] = id.bits;
            starts_[count_] = value == nullptr ? no_value : bytes_.size();
            bytes_.resize(bytes_.size() + (size + alignment - 1) / alignment * alignment);
            if (value != nullptr) {
                std::memcpy(bytes_.data() + starts_[count_], value, size);
            }
        }
        ++count_;
        return *this;
    }

    theta_status spawn_in(theta_session session, std::uint64_t& spawned) const noexcept {
        std::array<const void*, most_components> values{};
        for (std::size_t i = 0; i < count_; ++i) {
            values[i] = starts_[i] == no_value ? nullptr : bytes_.data() + starts_[i];
        }
        auto description = description_;
        description.component_ids = ids_.data();
        description.component_values = values.data();
        description.component_count = detail::narrow(count_);
        description.payload = reinterpret_cast<const std::uint8_t*>(payload_.data());
        description.payload_length = detail::narrow(payload_.size());
        return theta_entity_spawn(session, &description, &spawned);
    }

    theta_spawn_desc description_ = detail::sized<theta_spawn_desc>();
    std::array<std::uint64_t, most_components> ids_{};
    std::array<std::size_t, most_components> starts_{};
    std::vector<unsigned char> bytes_;
    std::string payload_;
    std::size_t count_ = 0;
};

}  // namespace theta

#endif
