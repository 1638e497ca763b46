// The parts that need no session: span, result, bounded strings and lists, texts of codes.
#include <theta/theta.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <unordered_set>

TEST_CASE("a span views whatever is contiguous") {
    int plain[3] = {1, 2, 3};
    std::vector<int> vector{4, 5};
    const std::array<int, 1> array{6};
    CHECK(theta::span<int>(plain).size() == 3);
    CHECK(theta::span<const int>(vector)[1] == 5);
    CHECK(theta::span<const int>(array).data() == array.data());
    CHECK(theta::span<const int>().empty());
    int sum = 0;
    for (const int value : theta::span<const int>(plain).subspan(1, 2)) {
        sum += value;
    }
    CHECK(sum == 5);
    // As Unreal's containers spell it.
    struct engine_array {
        std::vector<int> held;
        int* GetData() { return held.data(); }
        const int* GetData() const { return held.data(); }
        int Num() const { return static_cast<int>(held.size()); }
    };
    engine_array engine{{7, 8, 9}};
    const engine_array fixed{{1}};
    CHECK(theta::span<int>(engine)[2] == 9);
    CHECK(theta::span<const int>(engine).size() == 3);
    CHECK(theta::span<const int>(fixed).size() == 1);
    CHECK_FALSE(std::is_constructible_v<theta::span<int>, const engine_array&>);
    CHECK_FALSE(std::is_constructible_v<theta::span<const long>, engine_array&>);
    // Neither constness nor a base class is lost by accident.
    CHECK_FALSE(std::is_constructible_v<theta::span<int>, const std::vector<int>&>);
    struct base {};
    struct derived : base {};
    CHECK_FALSE(std::is_constructible_v<theta::span<base>, std::vector<derived>&>);
    CHECK_FALSE(std::is_constructible_v<theta::span<const int>, std::vector<long>&>);
}

TEST_CASE("a result holds a value or an error") {
    const auto half = [](int number) -> theta::result<int> {
        if (number % 2 != 0) {
            return theta::error{theta::code::range, "half", "Odd numbers have no half."};
        }
        return number / 2;
    };
    CHECK(*half(8) == 4);
    CHECK(half(8).code() == theta::code::ok);
    CHECK_FALSE(half(3));
    CHECK(half(3).error().message() == "Odd numbers have no half.");
    CHECK(half(3).value_or(7) == 7);
    CHECK(*half(8).and_then(half) == 2);
    CHECK(half(8).and_then(half).and_then(half).and_then(half).error().code() == theta::code::range);

    theta::result<std::unique_ptr<int>> owner = std::make_unique<int>(5);
    const std::unique_ptr<int> taken = std::move(owner).value();
    CHECK(*taken == 5);

    CHECK(theta::result<void>().has_value());
    const theta::result<void> failed = theta::error{theta::code::io, "write", "The disk is full."};
    CHECK(failed.code() == theta::code::io);
    CHECK(failed.error().function() == "write");
}

TEST_CASE("bounded strings cut between characters") {
    theta::bounded_string<5> name;
    CHECK(name.assign("Ada"));
    CHECK(name.view() == "Ada");
    CHECK_FALSE(name.assign("na\xC3\xAFve\xC3\xA9"));  // naïveé
    CHECK(name.view() == "na\xC3\xAFv");
    CHECK_FALSE(name.assign("abcd\xC3\xAF"));  // the fifth byte would be half a character
    CHECK(name.view() == "abcd");

    theta::bounded_list<std::int16_t, 2> list;
    const std::vector<std::int16_t> three{1, 2, 3};
    CHECK_FALSE(list.assign(three));
    CHECK(list.view().size() == 2);
    list.length = 99;  // as if it came from elsewhere
    CHECK(list.view().size() == 2);
}

TEST_CASE("entity ids order, hash and are false when empty") {
    const std::unordered_set<theta::entity_id> ids{{3}, {4}, {3}};
    CHECK(ids.size() == 2);
    CHECK(theta::entity_id{3} < theta::entity_id{4});
    CHECK_FALSE(static_cast<bool>(theta::entity_id{}));
    const std::unordered_set<theta::component_id> kinds{{3}, {4}, {3}};
    CHECK(kinds.size() == 2);
}

TEST_CASE("codes and disconnects have texts") {
    CHECK(theta::status_text(theta::code::ok).size() > 0);
    CHECK(theta::status_text(theta::code::handle_stale) != theta::status_text(theta::code::handle_kind));
    CHECK(theta::status_text(static_cast<theta::code>(-4711)).size() > 0);
    CHECK(theta::disconnect_text(0).size() > 0);
    CHECK(theta::build_info().find("0.1") != std::string_view::npos);
    CHECK(theta::abi_version() == THETA_ABI_VERSION);
}

TEST_CASE("the clock goes forward") {
    const auto before = theta::now_ns();
    CHECK(theta::now_ns() >= before);
}

TEST_CASE("a seed has one public key") {
    theta::seed secret{};
    secret[0] = 7;
    const auto key = theta::identity_public_key(secret);
    REQUIRE(key);
    CHECK(*key != theta::public_key{});
    CHECK(*theta::identity_public_key(secret) == *key);
    secret[31] = 1;
    CHECK(*theta::identity_public_key(secret) != *key);
}
