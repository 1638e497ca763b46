// How a C++ struct becomes a replicated component:
//
//     struct transform {
//         theta::vec3 position;
//         theta::quat rotation;
//         std::uint8_t team = 1;
//     };
//     const auto description = theta::component<transform>("demo.transform")
//                                  .field(1, "position", &transform::position, theta::metres(-512, 512, 1 / 1024.))
//                                  .field(2, "rotation", &transform::rotation, theta::rotation(10))
//                                  .field(3, "team", &transform::team, theta::integer(0, 7));
//
// Kind, offset and default come from the member itself. The default is what a value-initialised struct holds, in the
// wire's basis (OpenXR, metres); it is part of the schema hash. So a member whose type leaves itself uninitialised, as
// some engines' vectors do, needs an initialiser. A member whose type cannot be replicated, or a
// quantisation that does not fit it, is refused by the compiler.
//
// A field's id is its identity for good: names may change, ids are never reused.
#ifndef THETA_CPP_COMPONENT_HPP
#define THETA_CPP_COMPONENT_HPP

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

/// Steps of equal size between two bounds, for floats and vectors of floats. What lies outside is clamped and counted.
struct linear {
    double minimum;
    double maximum;
    double step;
    theta::semantic meaning = semantic::none;
};

/// Bounds of an integer. Without them an integer keeps its type's whole range.
struct integer {
    double minimum;
    double maximum;
    constexpr integer(double lowest, double highest) noexcept
        : minimum(lowest),
          maximum(highest) {}
};

/// The lowest `Count` bits of an unsigned integer, each on its own. The integer is the smallest that holds them.
template <std::uint32_t Count> struct flags {
    static_assert(Count >= 1 && Count <= 64, "1 to 64 flags");
    static constexpr std::size_t size_bytes = Count <= 8 ? 1 : Count <= 16 ? 2 : Count <= 32 ? 4 : 8;
};

/// A unit quaternion as its smallest three components with `bits` bits each; also turns four plain floats into a
/// quaternion.
struct rotation {
    std::uint32_t bits;
    explicit constexpr rotation(std::uint32_t bits_per_component) noexcept
        : bits(bits_per_component) {}
};

/// A number or vector that does not turn with the coordinate system.
[[nodiscard]] constexpr linear range(double minimum, double maximum, double step) noexcept {
    return {minimum, maximum, step, semantic::none};
}
/// A place or anything else with a length, in metres: offsets, extents, velocities (metres per second). Axes and units
/// are converted.
[[nodiscard]] constexpr linear metres(double minimum, double maximum, double step) noexcept {
    return {minimum, maximum, step, semantic::point};
}
/// A unit vector: its axes are converted, it has no unit.
[[nodiscard]] constexpr linear direction(double minimum, double maximum, double step) noexcept {
    return {minimum, maximum, step, semantic::direction};
}
/// A turn, in radians per second about each axis.
[[nodiscard]] constexpr linear angular_velocity(double minimum, double maximum, double step) noexcept {
    return {minimum, maximum, step, semantic::angular_velocity};
}
/// A factor along each axis.
[[nodiscard]] constexpr linear scale(double minimum, double maximum, double step) noexcept {
    return {minimum, maximum, step, semantic::scale};
}

/// What a member type is to the library. Specialise it for an engine's own types of the same layout:
///
///     template <> struct theta::field_traits<glm::vec3> : theta::field_traits<theta::vec3> {};
template <class Member, class = void> struct field_traits {
    static constexpr std::uint8_t kind = 0;  // not replicable
};

namespace detail {

// Numbers: `scalars` of them of type `scalar`, in memory order.
template <std::uint8_t Kind, class Scalar, unsigned Scalars> struct number_traits {
    static constexpr std::uint8_t kind = Kind;
    static constexpr std::uint8_t element_kind = 0;
    static constexpr std::uint32_t max_length = 0;
    using scalar = Scalar;
    static constexpr unsigned scalars = Scalars;
};

// Length and elements: strings, bytes, lists.
template <std::uint8_t Kind, std::uint8_t ElementKind, std::size_t Capacity> struct bounded_traits {
    static constexpr std::uint8_t kind = Kind;
    static constexpr std::uint8_t element_kind = ElementKind;
    static constexpr std::uint32_t max_length = static_cast<std::uint32_t>(Capacity);
    using scalar = void;
    static constexpr unsigned scalars = 0;
};

template <class T> constexpr std::uint8_t scalar_kind() noexcept {
    if constexpr (std::is_same_v<T, float>) {
        return THETA_KIND_F32;
    } else if constexpr (std::is_same_v<T, double>) {
        return THETA_KIND_F64;
    } else if constexpr (std::is_same_v<T, bool> || !std::is_integral_v<T>) {
        return 0;
    } else {
        constexpr std::uint8_t width = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
        return static_cast<std::uint8_t>((std::is_signed_v<T> ? THETA_KIND_I8 : THETA_KIND_U8) + width);
    }
}

template <class T>
inline constexpr bool is_quaternion_shape =
    field_traits<T>::kind == THETA_KIND_QUAT || field_traits<T>::kind == THETA_KIND_VEC4;
template <class T>
inline constexpr bool is_float_shape =
    field_traits<T>::kind >= THETA_KIND_F32&& field_traits<T>::kind <= THETA_KIND_DVEC3;
template <class T>
inline constexpr bool is_integer_shape =
    field_traits<T>::kind >= THETA_KIND_I8&& field_traits<T>::kind <= THETA_KIND_U64;
template <class T>
inline constexpr bool is_unsigned_shape =
    field_traits<T>::kind >= THETA_KIND_U8&& field_traits<T>::kind <= THETA_KIND_U64;
template <class T> inline constexpr bool is_list_shape = field_traits<T>::kind == THETA_KIND_LIST;
template <class T>
inline constexpr bool needs_no_bounds =
    is_integer_shape<T> || field_traits<T>::kind == THETA_KIND_ENTITY || field_traits<T>::kind == THETA_KIND_STRING
    || field_traits<T>::kind == THETA_KIND_BYTES || is_list_shape<T>;

}  // namespace detail

template <class T>
struct field_traits<T, std::enable_if_t<std::is_arithmetic_v<T> && !std::is_same_v<T, bool>>>
    : detail::number_traits<detail::scalar_kind<T>(), T, 1> {};
template <class T>
struct field_traits<T, std::enable_if_t<std::is_enum_v<T>>> : field_traits<std::underlying_type_t<T>> {};
template <> struct field_traits<float[2]> : detail::number_traits<THETA_KIND_VEC2, float, 2> {};
template <> struct field_traits<float[3]> : detail::number_traits<THETA_KIND_VEC3, float, 3> {};
template <> struct field_traits<float[4]> : detail::number_traits<THETA_KIND_VEC4, float, 4> {};
template <> struct field_traits<double[3]> : detail::number_traits<THETA_KIND_DVEC3, double, 3> {};
template <class T, std::size_t N>
struct field_traits<std::array<T, N>, std::enable_if_t<std::is_floating_point_v<T>>> : field_traits<T[N]> {};
template <> struct field_traits<vec2> : field_traits<float[2]> {};
template <> struct field_traits<vec3> : field_traits<float[3]> {};
template <> struct field_traits<vec4> : field_traits<float[4]> {};
template <> struct field_traits<dvec3> : field_traits<double[3]> {};
template <> struct field_traits<quat> : detail::number_traits<THETA_KIND_QUAT, float, 4> {};
template <> struct field_traits<entity_id> : detail::bounded_traits<THETA_KIND_ENTITY, 0, 0> {};
template <std::size_t N> struct field_traits<bounded_string<N>> : detail::bounded_traits<THETA_KIND_STRING, 0, N> {};
template <std::size_t N> struct field_traits<bounded_bytes<N>> : detail::bounded_traits<THETA_KIND_BYTES, 0, N> {};
template <class T, std::size_t N>
struct field_traits<bounded_list<T, N>> : detail::bounded_traits<THETA_KIND_LIST, detail::scalar_kind<T>(), N> {};

/// Describes a component held by `T`. Build it once, give it to registry::add; it is plain data and may be kept or
/// thrown away.
template <class T> class component {
    static_assert(std::is_standard_layout_v<T> && std::is_trivially_copyable_v<T>,
                  "a component is a plain struct: it is copied as bytes and read by offset");
    static_assert(std::is_default_constructible_v<T>, "a component's defaults are those of T{}");

public:
    explicit component(std::string_view name)
        : name_(name) {}

    /// An integer with its whole range, an entity reference, a string, bytes, or a list of integers.
    template <class Member> component& field(std::uint16_t id, std::string_view name, Member T::*member) & {
        static_assert(field_traits<Member>::kind != 0,
                      "this member's type cannot be replicated: see theta::field_traits");
        static_assert(
            field_traits<Member>::kind == 0 || detail::needs_no_bounds<Member>,
            "floats, vectors and quaternions need a quantisation: theta::range, metres, direction, rotation ...");
        add(id, name, member);
        return *this;
    }
    /// A float, a vector of floats, or a list of floats, in equal steps.
    template <class Member>
    component& field(std::uint16_t id, std::string_view name, Member T::*member, linear steps) & {
        static_assert(detail::is_float_shape<Member> || detail::is_list_shape<Member>,
                      "bounds and a step are for floats, vectors of floats and lists");
        auto& added = add(id, name, member);
        added.minimum = steps.minimum;
        added.maximum = steps.maximum;
        added.step = steps.step;
        added.semantic = static_cast<std::uint8_t>(steps.meaning);
        return *this;
    }
    /// An integer, or a list of integers, between bounds.
    template <class Member>
    component& field(std::uint16_t id, std::string_view name, Member T::*member, integer bounds) & {
        static_assert(detail::is_integer_shape<Member> || detail::is_list_shape<Member>,
                      "integer bounds are for integers and lists of them");
        auto& added = add(id, name, member);
        added.minimum = bounds.minimum;
        added.maximum = bounds.maximum;
        return *this;
    }
    /// A quaternion: theta::quat, or four floats x y z w.
    template <class Member>
    component& field(std::uint16_t id, std::string_view name, Member T::*member, rotation precision) & {
        static_assert(detail::is_quaternion_shape<Member>, "a rotation is four floats, x y z w");
        auto& added = add(id, name, member);
        added.kind = THETA_KIND_QUAT;
        added.bits = precision.bits;
        added.semantic = THETA_SEMANTIC_ROTATION;
        return *this;
    }
    /// Bits of an unsigned integer.
    template <class Member, std::uint32_t Count>
    component& field(std::uint16_t id, std::string_view name, Member T::*member, flags<Count>) & {
        static_assert(detail::is_unsigned_shape<Member>, "flags live in an unsigned integer");
        static_assert(!detail::is_unsigned_shape<Member> || sizeof(Member) == flags<Count>::size_bytes,
                      "flags live in the smallest unsigned integer that holds them");
        auto& added = add(id, name, member);
        added.kind = THETA_KIND_FLAGS;
        added.bits = Count;
        return *this;
    }
    /// The same on a temporary, so that a description can be one expression.
    template <class Member, class... Quantisation>
    component&& field(std::uint16_t id, std::string_view name, Member T::*member, Quantisation... quantisation) && {
        static_cast<component&>(*this).field(id, name, member, quantisation...);
        return std::move(*this);
    }

    /// How changes of the field described last are coded; part of the schema hash. `hold` and `residual` unless said
    /// otherwise.
    component& coded(theta::predictor against, theta::diff as = theta::diff::residual) & noexcept {
        if (!fields_.empty()) {
            fields_.back().first.predictor = static_cast<std::uint8_t>(against);
            fields_.back().first.diff = static_cast<std::uint8_t>(as);
        }
        return *this;
    }
    component&& coded(theta::predictor against, theta::diff as = theta::diff::residual) && noexcept {
        return std::move(static_cast<component&>(*this).coded(against, as));
    }
    /// Only the command log writes the field described last.
    component& document() & noexcept {
        if (!fields_.empty()) {
            fields_.back().first.flags |= THETA_FIELD_DOCUMENT;
        }
        return *this;
    }
    component&& document() && noexcept { return std::move(static_cast<component&>(*this).document()); }

    /// Who writes it; the host unless said otherwise.
    component& written_by(theta::authority who) & noexcept {
        authority_ = who;
        return *this;
    }
    component&& written_by(theta::authority who) && noexcept {
        authority_ = who;
        return std::move(*this);
    }
    /// The application version that brought this component, for the manifest.
    component& since(std::string_view version) & {
        since_ = version;
        return *this;
    }
    component&& since(std::string_view version) && {
        since_ = version;
        return std::move(*this);
    }

    /// Calls `use(const theta_component_desc&)`, whose pointers are good for that call only.
    template <class Use> auto described(Use&& use) const {
        std::vector<theta_field_desc> fields;
        fields.reserve(fields_.size());
        for (const auto& [description, name] : fields_) {
            fields.push_back(description);
            fields.back().name = name.data();
            fields.back().name_length = detail::narrow(name.size());
        }
        auto description = detail::sized<theta_component_desc>();
        description.name = name_.data();
        description.name_length = detail::narrow(name_.size());
        description.fields = fields.data();
        description.field_count = detail::narrow(fields.size());
        description.field_size = sizeof(theta_field_desc);
        description.size_bytes = sizeof(T);
        description.authority = static_cast<std::uint32_t>(authority_);
        description.since_version = since_.data();
        description.since_version_length = detail::narrow(since_.size());
        return std::forward<Use>(use)(static_cast<const theta_component_desc&>(description));
    }

private:
    template <class Member> theta_field_desc& add(std::uint16_t id, std::string_view name, Member T::*member) {
        using traits = field_traits<Member>;
        // A real object, because the offset of a member pointer has no other portable spelling, and because it holds
        // the defaults.
        const T probe{};
        const auto* const base = reinterpret_cast<const unsigned char*>(&probe);
        const auto* const place = reinterpret_cast<const unsigned char*>(&(probe.*member));

        theta_field_desc description{};
        description.id = id;
        description.kind = traits::kind;
        description.element_kind = traits::element_kind;
        description.max_length = traits::max_length;
        description.offset_bytes = static_cast<std::uint32_t>(place - base);
        if constexpr (traits::scalars > 0) {
            using scalar = typename traits::scalar;
            static_assert(sizeof(Member) == sizeof(scalar) * traits::scalars,
                          "the member's size does not fit its kind");
            scalar numbers[traits::scalars];
            std::memcpy(numbers, place, sizeof numbers);
            if constexpr (std::is_integral_v<scalar>) {
                description.default_integer = static_cast<std::int64_t>(numbers[0]);
            } else {
                for (unsigned i = 0; i < traits::scalars; ++i) {
                    description.default_number[i] = numbers[i];
                }
            }
        }
        fields_.emplace_back(description, std::string(name));
        return fields_.back().first;
    }

    std::string name_;
    std::string since_;
    theta::authority authority_ = theta::authority::host;
    std::vector<std::pair<theta_field_desc, std::string>> fields_;
};

}  // namespace theta

#endif
