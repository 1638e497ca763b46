// How a call ends: a code, an error with its sentence, and result<T>, which holds a value or an error.
//
// Nothing here throws and nothing needs exceptions or RTTI. The library keeps the text of the last error per thread; an
// error copies it at once, so that it stays true however many calls follow before somebody prints it.
#ifndef THETA_CPP_RESULT_HPP
#define THETA_CPP_RESULT_HPP

#include <theta/theta.h>

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace theta {

/// Every status the header names. Values the library learns later arrive as other numbers; `status_text` knows them
/// all.
enum class code : std::int32_t {
    ok = THETA_OK,
    nothing_new = THETA_NOTHING_NEW,
    truncated = THETA_TRUNCATED,
    some_clamped = THETA_SOME_CLAMPED,
    some_missing = THETA_SOME_MISSING,
    null_argument = THETA_E_NULL,
    struct_size = THETA_E_STRUCT_SIZE,
    unsupported_field = THETA_E_UNSUPPORTED_FIELD,
    utf8 = THETA_E_UTF8,
    range = THETA_E_RANGE,
    not_a_number = THETA_E_NAN,
    abi_mismatch = THETA_E_ABI_MISMATCH,
    handle_zero = THETA_E_HANDLE_ZERO,
    handle_stale = THETA_E_HANDLE_STALE,
    handle_kind = THETA_E_HANDLE_KIND,
    handle_foreign = THETA_E_HANDLE_FOREIGN,
    shut_down = THETA_E_SHUT_DOWN,
    concurrent = THETA_E_CONCURRENT,
    limit = THETA_E_LIMIT,
    state = THETA_E_STATE,
    wrong_role = THETA_E_WRONG_ROLE,
    reentrant = THETA_E_REENTRANT,
    component_collision = THETA_E_COMPONENT_COLLISION,
    component_invalid = THETA_E_COMPONENT_INVALID,
    component_unknown = THETA_E_COMPONENT_UNKNOWN,
    field_unknown = THETA_E_FIELD_UNKNOWN,
    registry_sealed = THETA_E_REGISTRY_SEALED,
    ticket = THETA_E_TICKET,
    disconnected = THETA_E_DISCONNECTED,
    peer_unknown = THETA_E_PEER_UNKNOWN,
    entity_unknown = THETA_E_ENTITY_UNKNOWN,
    not_sampled = THETA_E_NOT_SAMPLED,
    address = THETA_E_ADDRESS,
    io = THETA_E_IO,
    panic = THETA_E_PANIC,
    internal = THETA_E_INTERNAL,
};

/// The fixed text of a code. Static, never null. Any thread.
[[nodiscard]] inline std::string_view status_text(code value) noexcept {
    return theta_status_text(static_cast<theta_status>(value));
}

/// Why a call failed: a code to branch on, the function that said so, and a sentence for a person.
/// Making one allocates (an error path may), and it owns its text.
class [[nodiscard]] error {
public:
    /// What the library says about `status`, which a call on this thread has just returned.
    static error last(theta_status status) noexcept {
        theta_error_info info{};
        info.struct_size = sizeof info;
        const auto read = theta_last_error(&info);
        if (read == THETA_OK && info.code == status && info.message_length <= sizeof info.message
            && info.function_length <= sizeof info.function) {
            return error{static_cast<enum code>(status), std::string(info.function, info.function_length),
                         std::string(info.message, info.message_length)};
        }
        return error{static_cast<enum code>(status), {}, theta_status_text(status)};
    }

    error(enum code value, std::string function, std::string message) noexcept
        : code_(value),
          function_(std::move(function)),
          message_(std::move(message)) {}

    [[nodiscard]] enum code code() const noexcept { return code_; }
    /// The C function that failed, such as `theta_entity_spawn`; empty when it is not known.
    [[nodiscard]] const std::string& function() const noexcept { return function_; }
    /// One sentence that says what to do.
    [[nodiscard]] const std::string& message() const noexcept { return message_; }

private:
    enum code code_;
    std::string function_;
    std::string message_;
};

/// A value or an error, in the manner of std::expected. Reading the value of an error ends the process, as does reading
/// an error that is not there: both are mistakes of the caller, and there may be no exceptions to say so.
template <class T> class [[nodiscard]] result {
public:
    using value_type = T;

    result(T value) noexcept
        : state_(std::in_place_index<0>, std::move(value)) {}
    result(::theta::error failure) noexcept
        : state_(std::in_place_index<1>, std::move(failure)) {}

    [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }

    [[nodiscard]] T& value() & noexcept { return checked(std::get_if<0>(&state_)); }
    [[nodiscard]] const T& value() const& noexcept { return checked(std::get_if<0>(&state_)); }
    [[nodiscard]] T&& value() && noexcept { return std::move(checked(std::get_if<0>(&state_))); }
    [[nodiscard]] T& operator*() & noexcept { return value(); }
    [[nodiscard]] const T& operator*() const& noexcept { return value(); }
    [[nodiscard]] T&& operator*() && noexcept { return std::move(*this).value(); }
    [[nodiscard]] T* operator->() noexcept { return &value(); }
    [[nodiscard]] const T* operator->() const noexcept { return &value(); }

    template <class U> [[nodiscard]] T value_or(U&& fallback) && noexcept {
        return has_value() ? std::move(*this).value() : static_cast<T>(std::forward<U>(fallback));
    }

    [[nodiscard]] const ::theta::error& error() const& noexcept { return checked(std::get_if<1>(&state_)); }
    [[nodiscard]] ::theta::error&& error() && noexcept { return std::move(checked(std::get_if<1>(&state_))); }
    /// The error's code, or `code::ok`: handy in a switch.
    [[nodiscard]] enum code code() const noexcept { return has_value() ? ::theta::code::ok : error().code(); }

    /// `next(value)` when there is one, else the same error. `next` returns a result.
    template <class Next> [[nodiscard]] auto and_then(Next&& next) && -> std::invoke_result_t<Next, T&&> {
        if (has_value()) {
            return std::forward<Next>(next)(std::move(*this).value());
        }
        return std::move(*this).error();
    }

private:
    template <class Pointer> static auto& checked(Pointer pointer) noexcept {
        if (pointer == nullptr) {
            std::abort();
        }
        return *pointer;
    }

    std::variant<T, ::theta::error> state_;
};

/// Success or an error.
template <> class [[nodiscard]] result<void> {
public:
    using value_type = void;

    result() noexcept = default;
    result(::theta::error failure) noexcept
        : failure_(std::move(failure)) {}

    [[nodiscard]] bool has_value() const noexcept { return !failure_.has_value(); }
    explicit operator bool() const noexcept { return has_value(); }

    [[nodiscard]] const ::theta::error& error() const& noexcept {
        if (!failure_) {
            std::abort();
        }
        return *failure_;
    }
    [[nodiscard]] enum code code() const noexcept { return failure_ ? failure_->code() : ::theta::code::ok; }

private:
    std::optional<::theta::error> failure_;
};

namespace detail {

/// Success and informative statuses become "no error"; a failure takes its text with it.
inline result<void> done(theta_status status) noexcept {
    if (status < 0) {
        return error::last(status);
    }
    return {};
}

/// The value on success (an informative status is one), the error otherwise.
template <class T> result<T> done(theta_status status, T value) noexcept {
    if (status < 0) {
        return error::last(status);
    }
    return result<T>(std::move(value));
}

/// Two batches that must have one entry per entity do not: said here, because the C call takes one count for both.
inline error lengths_differ(const char* function) noexcept {
    return error{code::range, function,
                 "The batch names another number of entities than it has values. Pass one value per entity."};
}

/// Reads a text whose length only the library knows: once with what is there, once more when that was too small.
template <class Call> result<std::string> read_text(Call&& call) noexcept {
    std::string text(256, '\0');
    for (;;) {
        std::uint64_t length = 0;
        const theta_status status = call(text.data(), static_cast<std::uint64_t>(text.size()), &length);
        if (status < 0) {
            return error::last(status);
        }
        const bool whole = status != THETA_TRUNCATED && length <= text.size();
        text.resize(static_cast<std::size_t>(length));
        if (whole) {
            return text;
        }
    }
}

}  // namespace detail
}  // namespace theta

#endif
