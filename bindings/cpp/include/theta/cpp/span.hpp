// A view of contiguous elements: pointer and count, owning nothing. C++17 has no std::span; this one converts from
// whatever has data() and size() (std::vector, std::array, std::span) or GetData() and Num() (Unreal's TArray and its
// kin), and from C arrays, and does nothing else.
#ifndef THETA_CPP_SPAN_HPP
#define THETA_CPP_SPAN_HPP

#include <cstddef>
#include <iterator>
#include <type_traits>
#include <utility>

namespace theta {

/// A non-owning view of `size()` contiguous elements. Valid as long as what it was made from.
template <class T> class span {
    // A pointer to Source may stand for a pointer to T: same type up to const. (Derived to base would break the
    // stride.)
    template <class Source> static constexpr bool compatible = std::is_convertible_v<Source (*)[], T (*)[]>;

    template <class Container> using data_of = std::remove_pointer_t<decltype(std::data(std::declval<Container&>()))>;
    template <class Container>
    using engine_data_of = std::remove_pointer_t<decltype(std::declval<Container&>().GetData())>;

public:
    using element_type = T;
    using value_type = std::remove_cv_t<T>;
    using iterator = T*;

    constexpr span() noexcept = default;
    constexpr span(T* first, std::size_t count) noexcept
        : data_(first),
          size_(count) {}

    template <std::size_t N>
    constexpr span(T (&array)[N]) noexcept
        : data_(array),
          size_(N) {}

    template <class Container,
              std::enable_if_t<!std::is_array_v<std::remove_reference_t<Container>> && compatible<data_of<Container>>,
                               int> = 0>
    constexpr span(Container&& container) noexcept
        : data_(std::data(container)),
          size_(std::size(container)) {}

    template <class Container, std::enable_if_t<compatible<engine_data_of<Container>>, long> = 0>
    constexpr span(Container&& container) noexcept
        : data_(container.GetData()),
          size_(static_cast<std::size_t>(container.Num())) {}

    [[nodiscard]] constexpr T* data() const noexcept { return data_; }
    [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }
    [[nodiscard]] constexpr bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] constexpr T* begin() const noexcept { return data_; }
    [[nodiscard]] constexpr T* end() const noexcept { return data_ + size_; }
    /// Unchecked, as in std::span.
    [[nodiscard]] constexpr T& operator[](std::size_t index) const noexcept { return data_[index]; }
    /// The part that starts at `offset` and has `count` elements; both must lie inside.
    [[nodiscard]] constexpr span subspan(std::size_t offset, std::size_t count) const noexcept {
        return {data_ + offset, count};
    }

private:
    T* data_ = nullptr;
    std::size_t size_ = 0;
};

template <class T, std::size_t N> span(T (&)[N]) -> span<T>;

}  // namespace theta

#endif
