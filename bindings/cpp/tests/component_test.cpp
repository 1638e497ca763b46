// Describing and registering components.
#include "meeting.hpp"

using meeting::must;

namespace {

struct transform {
    theta::vec3 position;
    theta::quat rotation;
    std::uint8_t team = 1;
};

auto describe_transform() {
    return theta::component<transform>("test.transform")
        .field(1, "position", &transform::position, theta::metres(-512, 512, 1 / 1024.))
        .field(2, "rotation", &transform::rotation, theta::rotation(10))
        .field(3, "team", &transform::team, theta::integer(0, 7));
}

enum class mood : std::uint8_t { calm, angry };

// An engine's own vector: the same layout under another name.
struct engine_vector {
    float v[3];
};

}  // namespace

static_assert(theta::range(-1, 1, 0.5).meaning == theta::semantic::none);
static_assert(theta::metres(-1, 1, 0.5).meaning == theta::semantic::point);
static_assert(theta::direction(-1, 1, 0.5).meaning == theta::semantic::direction);
static_assert(theta::angular_velocity(-1, 1, 0.5).meaning == theta::semantic::angular_velocity);
static_assert(theta::scale(-1, 2, 0.5).meaning == theta::semantic::scale && theta::scale(-1, 2, 0.5).maximum == 2);
static_assert(theta::component_id{1} < theta::component_id{2} && theta::entity_id{1} != theta::entity_id{2});

template <> struct theta::field_traits<engine_vector> : theta::field_traits<theta::vec3> {};

TEST_CASE("kind, offset, bounds and default come from the struct") {
    describe_transform().described([](const theta_component_desc& component) {
        CHECK(std::string_view(component.name, component.name_length) == "test.transform");
        CHECK(component.size_bytes == sizeof(transform));
        CHECK(component.authority == THETA_AUTHORITY_HOST);
        REQUIRE(component.field_count == 3);
        const auto& [position, rotation, team] =
            *reinterpret_cast<const std::array<theta_field_desc, 3>*>(component.fields);
        CHECK(position.kind == THETA_KIND_VEC3);
        CHECK(position.offset_bytes == 0);
        CHECK(position.minimum == -512);
        CHECK(position.step == 1 / 1024.);
        CHECK(position.semantic == THETA_SEMANTIC_POINT);
        CHECK(rotation.kind == THETA_KIND_QUAT);
        CHECK(rotation.offset_bytes == offsetof(transform, rotation));
        CHECK(rotation.bits == 10);
        CHECK(rotation.semantic == THETA_SEMANTIC_ROTATION);
        CHECK(rotation.default_number[3] == 1);
        CHECK(team.kind == THETA_KIND_U8);
        CHECK(team.offset_bytes == offsetof(transform, team));
        CHECK(team.default_integer == 1);
        CHECK(team.maximum == 7);
        CHECK(std::string_view(team.name, team.name_length) == "team");
    });
}

TEST_CASE("arrays, enums, engine types and lists have kinds") {
    struct mixed {
        float plane[4];
        float turn[4];
        std::array<double, 3> far;
        mood feeling;
        engine_vector place;
        std::int64_t big;
        theta::bounded_bytes<16> blob;
        theta::bounded_list<float, 3> weights;
    };
    const auto description = theta::component<mixed>("test.mixed")
                                 .written_by(theta::authority::owner)
                                 .since("2.0")
                                 .field(1, "plane", &mixed::plane, theta::range(-1, 1, 0.01))
                                 .field(2, "turn", &mixed::turn, theta::rotation(9))
                                 .field(3, "far", &mixed::far, theta::metres(-1e6, 1e6, 0.01))
                                 .field(4, "feeling", &mixed::feeling)
                                 .field(5, "place", &mixed::place, theta::metres(-1, 1, 0.01))
                                 .field(6, "big", &mixed::big)
                                 .field(7, "blob", &mixed::blob)
                                 .field(8, "weights", &mixed::weights, theta::range(0, 1, 0.1));
    description.described([](const theta_component_desc& component) {
        const std::uint8_t kinds[] = {THETA_KIND_VEC4, THETA_KIND_QUAT, THETA_KIND_DVEC3, THETA_KIND_U8,
                                      THETA_KIND_VEC3, THETA_KIND_I64,  THETA_KIND_LIST,  THETA_KIND_LIST};
        REQUIRE(component.field_count == 8);
        for (std::size_t i = 0; i < 8; ++i) {
            // Bytes are a kind of their own, below.
            if (i != 6) {
                CHECK(component.fields[i].kind == kinds[i]);
            }
        }
        CHECK(component.fields[6].kind == THETA_KIND_BYTES);
        CHECK(component.fields[6].max_length == 16);
        CHECK(component.fields[7].element_kind == THETA_KIND_F32);
        CHECK(component.fields[7].max_length == 3);
        CHECK(component.authority == THETA_AUTHORITY_OWNER);
        CHECK(std::string_view(component.since_version, component.since_version_length) == "2.0");
    });
}

TEST_CASE("a registered component has the id of its name") {
    auto runtime = must(theta::runtime::create());
    auto registry = must(theta::registry::create(runtime));
    const auto before = must(registry.schema_hash());
    const auto added = must(registry.add(describe_transform()));
    CHECK(added.id == must(theta::component_id_of("test.transform")));
    CHECK(added.id != must(theta::component_id_of("test.transform2")));
    CHECK(must(registry.schema_hash()) != before);
    const std::string manifest = must(registry.manifest());
    CHECK(manifest.find("test.transform") != std::string::npos);
    CHECK(manifest.find("rotation") != std::string::npos);
}

TEST_CASE("the schema hash is that of the description, not of the moment") {
    auto runtime = must(theta::runtime::create());
    const auto hash_of = [&](const theta::component<transform>& description) {
        auto registry = must(theta::registry::create(runtime));
        must(registry.add(description));
        return must(registry.schema_hash());
    };
    CHECK(hash_of(describe_transform()) == hash_of(describe_transform()));
    const auto coarser = theta::component<transform>("test.transform")
                             .field(1, "position", &transform::position, theta::metres(-512, 512, 1 / 512.))
                             .field(2, "rotation", &transform::rotation, theta::rotation(10))
                             .field(3, "team", &transform::team, theta::integer(0, 7));
    CHECK(hash_of(coarser) != hash_of(describe_transform()));
}

TEST_CASE("how a field's changes are coded belongs to the field described last") {
    const auto description = theta::component<transform>("test.transform")
                                 .field(1, "position", &transform::position, theta::metres(-512, 512, 1 / 1024.))
                                 .coded(theta::predictor::linear, theta::diff::replace)
                                 .field(2, "rotation", &transform::rotation, theta::rotation(10))
                                 .field(3, "team", &transform::team, theta::integer(0, 7))
                                 .coded(theta::predictor::none)
                                 .document();
    description.described([](const theta_component_desc& component) {
        REQUIRE(component.field_count == 3);
        CHECK(component.fields[0].predictor == THETA_PREDICTOR_LINEAR);
        CHECK(component.fields[0].diff == THETA_DIFF_REPLACE);
        CHECK(component.fields[0].flags == 0);
        CHECK(component.fields[1].predictor == THETA_PREDICTOR_HOLD);
        CHECK(component.fields[1].diff == THETA_DIFF_RESIDUAL);
        CHECK(component.fields[2].predictor == THETA_PREDICTOR_NONE);
        CHECK(component.fields[2].flags == THETA_FIELD_DOCUMENT);
    });
    auto runtime = must(theta::runtime::create());
    auto registry = must(theta::registry::create(runtime));
    auto plain = must(theta::registry::create(runtime));
    must(registry.add(description));
    must(plain.add(describe_transform()));
    CHECK(must(registry.schema_hash()) != must(plain.schema_hash()));
    // On nothing, nothing happens.
    theta::component<transform> empty("test.empty");
    empty.coded(theta::predictor::linear).document();
}

TEST_CASE("what makes no sense is refused with a sentence") {
    auto runtime = must(theta::runtime::create());
    auto registry = must(theta::registry::create(runtime));

    const auto upside_down = registry.add(theta::component<transform>("test.bounds")
                                              .field(1, "position", &transform::position, theta::metres(5, -5, 0.1)));
    REQUIRE_FALSE(upside_down);
    CHECK(upside_down.code() == theta::code::component_invalid);
    CHECK(upside_down.error().function() == "theta_registry_add");
    CHECK(upside_down.error().message().find("position") != std::string::npos);

    const auto twice = registry.add(theta::component<transform>("test.twice")
                                        .field(1, "team", &transform::team)
                                        .field(1, "team", &transform::team));
    CHECK(twice.code() == theta::code::component_invalid);

    const auto nameless = registry.add(theta::component<transform>("").field(1, "team", &transform::team));
    CHECK_FALSE(nameless);

    must(registry.add(describe_transform()));
    const auto other = registry.add(theta::component<transform>("test.transform").field(1, "team", &transform::team));
    CHECK(other.code() == theta::code::component_collision);
}

TEST_CASE("a session seals its registry") {
    meeting::pair pair;
    meeting::add_pulse(pair.registry);
    pair.open();
    const auto late = pair.registry.add(describe_transform());
    CHECK(late.code() == theta::code::registry_sealed);
}
