// The C functions behind registry::add_codec: they find the program's two callables behind `user_data` and let no
// exception into the library.
#ifndef THETA_CPP_CODEC_HPP
#define THETA_CPP_CODEC_HPP

#include <theta/cpp/types.hpp>

#include <cstdint>
#include <type_traits>

namespace theta {

/// The status of a value that a codec refused by returning false.
inline constexpr theta_status codec_refused = 1;
/// The status of a value at which a codec threw.
inline constexpr theta_status codec_threw = 2;

namespace detail {

template <class Element, class Value, class Encode, class Decode> struct codec_functions {
    static_assert(std::is_trivially_copyable_v<Element> && std::is_trivially_copyable_v<Value>,
                  "the library keeps elements as bytes: let the element be a handle of what is not trivially copyable");
    static_assert(alignof(Element) <= 16 && alignof(Value) <= 16, "elements and values are aligned to 16 bytes");
    static_assert(std::is_invocable_v<Encode&, entity_id, const Element&, Value&>,
                  "encode is called as encode(theta::entity_id, const Element&, Value&)");
    static_assert(std::is_invocable_v<Decode&, entity_id, const Value&, Element&>,
                  "decode is called as decode(theta::entity_id, const Value&, Element&)");

    Encode encode;
    Decode decode;

    static theta_status encode_one(void* user_data, std::uint64_t entity, const void* element, void* value) noexcept {
        return guarded(static_cast<codec_functions*>(user_data)->encode, entity_id{entity},
                       *static_cast<const Element*>(element), *static_cast<Value*>(value));
    }
    static theta_status decode_one(void* user_data, std::uint64_t entity, const void* value, void* element) noexcept {
        return guarded(static_cast<codec_functions*>(user_data)->decode, entity_id{entity},
                       *static_cast<const Value*>(value), *static_cast<Element*>(element));
    }
    static void drop(void* user_data) noexcept { delete static_cast<codec_functions*>(user_data); }

private:
    template <class Function, class From, class To>
    static theta_status guarded(Function& function, entity_id entity, const From& from, To& to) noexcept {
#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
        try {
            return call(function, entity, from, to);
        } catch (...) {
            return codec_threw;
        }
#else
        return call(function, entity, from, to);
#endif
    }
    template <class Function, class From, class To>
    static theta_status call(Function& function, entity_id entity, const From& from, To& to) {
        if constexpr (std::is_void_v<std::invoke_result_t<Function&, entity_id, const From&, To&>>) {
            function(entity, from, to);
            return THETA_OK;
        } else {
            return function(entity, from, to) ? THETA_OK : codec_refused;
        }
    }
};

}  // namespace detail
}  // namespace theta

#endif
