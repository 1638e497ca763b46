// What happens between a host and a guest: joining, events, entities, input, sampling, tickets, leaving.
#include "meeting.hpp"

#include <algorithm>

using meeting::find;
using meeting::must;
using theta::event_kind;

TEST_CASE("joining ends live, with events and a roster on both sides") {
    meeting::pair pair;
    meeting::add_pulse(pair.registry);
    pair.open_and_join();
    REQUIRE(pair.until([&] { return find(pair.host_events, event_kind::peer_joined) != nullptr; }));
    const auto* joined = find(pair.host_events, event_kind::peer_joined);
    CHECK(joined->text == "Grace");
    CHECK(joined->code == THETA_ROLE_EDITOR);
    CHECK(joined->peer == pair.guest_peer());
    CHECK(pair.until([&] { return find(pair.guest_events, event_kind::admitted) != nullptr; }));
    CHECK(pair.until([&] {
        return std::any_of(pair.guest_events.begin(), pair.guest_events.end(), [](const auto& event) {
            return event.kind == event_kind::state_changed && event.code == THETA_STATE_LIVE;
        });
    }));
    REQUIRE(pair.until([&] { return find(pair.host_events, event_kind::peer_live) != nullptr; }));
    CHECK(find(pair.host_events, event_kind::peer_live)->peer == pair.guest_peer());

    std::vector<theta::peer_info> peers;
    REQUIRE(must(pair.host.peers(peers)) == 1);
    CHECK(std::string_view(peers[0].name, peers[0].name_length) == "Grace");
    CHECK(peers[0].peer == pair.guest_peer());
    const auto hosting = must(pair.host.info());
    CHECK(hosting.is_host == 1);
    CHECK(hosting.port != 0);
    const auto guesting = must(pair.guest.info());
    CHECK(guesting.is_host == 0);
    CHECK(guesting.schema_hash == hosting.schema_hash);
    CHECK(std::equal(std::begin(guesting.session_id), std::end(guesting.session_id), hosting.session_id));
}

TEST_CASE("a guest may come before the host's first tick") {
    meeting::pair pair;
    meeting::add_pulse(pair.registry);
    pair.open();
    pair.join();
    // The host's engine is still loading: it polls, and seals nothing.
    const auto admitted = [&] {
        must(pair.host.poll([](const theta::event&) {}));
        must(pair.guest.poll([&](const theta::event& event) { keep(pair.guest_events, event); }));
        return find(pair.guest_events, event_kind::admitted) != nullptr;
    };
    for (int turn = 0; turn < 6000 && !admitted(); ++turn) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    REQUIRE(find(pair.guest_events, event_kind::admitted) != nullptr);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    CHECK(pair.until([&] { return pair.guest_is(theta::session_state::live); }));
    const auto* ended = find(pair.guest_events, event_kind::disconnected);
    CHECK_MESSAGE(ended == nullptr, (ended != nullptr ? ended->text : ""));
}

TEST_CASE("a spawn, an owner, a parent and a despawn are seen as events") {
    meeting::pair pair;
    const auto pulse = meeting::add_pulse(pair.registry);
    pair.open_and_join();
    const auto parent = must(pair.host.spawn(theta::entity(7).with(pulse)));
    const auto child = must(pair.host.spawn(
        theta::entity(8).with(pulse).child_of(parent).owned_by(pair.guest_peer()).persistent(99).payload("p")));
    const auto saw = [&](event_kind kind, theta::entity_id id) {
        return [&pair, kind, id] {
            return std::any_of(pair.guest_events.begin(), pair.guest_events.end(),
                               [&](const auto& e) { return e.kind == kind && e.entity == id; });
        };
    };
    REQUIRE(pair.until(saw(event_kind::entity_spawned, child)));
    for (const auto& event : pair.guest_events) {
        if (event.kind == event_kind::entity_spawned && event.entity == child) {
            CHECK(event.value == 8);
            CHECK(event.peer == pair.guest_peer());
        }
    }
    std::vector<theta::entity_row> rows;
    {
        const auto frame = pair.frame_at(must(pair.host.info()).tick);
        must(frame.entities(rows));
        const auto row = std::find_if(rows.begin(), rows.end(), [&](const auto& r) { return r.id == child; });
        REQUIRE(row != rows.end());
        CHECK(row->parent == parent);
        CHECK(row->owner == pair.guest_peer());
        CHECK(row->type_id == 8);
        CHECK(row->persistent_id == 99);
        CHECK(row->payload_length == 1);
    }
    must(pair.host.set_owner(child, theta::host_peer));
    REQUIRE(pair.until(saw(event_kind::owner_changed, child)));
    must(pair.host.set_parent(child, {}));
    REQUIRE(pair.until(saw(event_kind::parent_changed, child)));
    must(pair.host.despawn(child));
    REQUIRE(pair.until(saw(event_kind::entity_despawned, child)));
    CHECK(pair.host.despawn(child).code() == theta::code::entity_unknown);
    CHECK(pair.host.spawn(theta::entity(1).payload(std::string(257, 'x'))).code() != theta::code::ok);
}

TEST_CASE("host tags come back on the side that set them") {
    meeting::pair pair;
    const auto pulse = meeting::add_pulse(pair.registry);
    pair.open_and_join();
    const auto id = must(pair.host.spawn(theta::entity(1).with(pulse).tagged(1234)));
    const auto tick = must(pair.host.tick());
    std::vector<theta::entity_row> rows;
    must(must(pair.host.newest_frame()).entities(rows));
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].host_tag == 1234);
    must(pair.frame_at(tick).entities(rows));
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].host_tag == 0);
    must(pair.guest.set_host_tag(id, 77));
    must(pair.frame_at(must(pair.host.tick())).entities(rows));
    CHECK(rows[0].host_tag == 77);
}

TEST_CASE("frames come in order and none twice") {
    meeting::pair pair;
    const auto pulse = meeting::add_pulse(pair.registry);
    pair.open_and_join();
    const std::vector<theta::entity_id> ids{must(pair.host.spawn(theta::entity(1).with(pulse)))};
    std::vector<std::uint32_t> ticks;
    std::uint32_t beat = 0;
    REQUIRE(pair.until([&] {
        auto write = must(pair.host.begin_write());
        must(write.rows(pulse, ids, std::vector<meeting::pulse>{{{}, ++beat}}));
        must(write.commit());
        const auto before = ticks.size();
        const auto given =
            must(pair.guest.each_frame([&](const theta::frame& frame) { ticks.push_back(must(frame.info()).tick); }));
        CHECK(ticks.size() == before + given);
        return ticks.size() >= 40;
    }));
    CHECK(std::is_sorted(ticks.begin(), ticks.end()));
    CHECK(std::adjacent_find(ticks.begin(), ticks.end()) == ticks.end());
}

TEST_CASE("input arrives at the host as it was sent") {
    meeting::pair pair;
    meeting::add_pulse(pair.registry);
    pair.open_and_join();
    const auto peer = pair.guest_peer();
    theta::input received;
    CHECK_FALSE(must(pair.host.input_of(peer, received)));

    theta::input sent;
    sent.input_tick = 1;
    sent.sampled_at_us = 123'456'789;
    sent.head.position[1] = 1.625F;
    sent.head.rotation[3] = 1;
    sent.head.flags = theta::pose_valid | theta::pose_tracked;
    sent.left.position[0] = -0.25F;
    sent.left.rotation[3] = 1;
    sent.left.flags = theta::pose_valid;
    sent.right.rotation[3] = 1;
    sent.buttons = 0b101;
    sent.axes[2] = 0.5F;
    sent.tail_length = 3;
    sent.tail[2] = 9;
    bool arrived = false;
    REQUIRE(pair.until([&] {
        ++sent.input_tick;
        must(pair.guest.send_input(sent));
        arrived = arrived || must(pair.host.input_of(peer, received));
        return arrived;
    }));
    CHECK(received.sampled_at_us == 123'456'789);
    CHECK(received.head.position[1] == doctest::Approx(1.625F).epsilon(0.001));
    CHECK(received.head.flags == (theta::pose_valid | theta::pose_tracked));
    CHECK(received.left.position[0] == doctest::Approx(-0.25F).epsilon(0.001));
    CHECK(received.buttons == 0b101);
    CHECK(received.axes[2] == doctest::Approx(0.5F).epsilon(0.01));
    CHECK(received.tail_length == 3);
    CHECK(received.tail[2] == 9);
    CHECK(pair.host.input_of(999, received).code() == theta::code::peer_unknown);
}

TEST_CASE("values in motion are sampled between ticks, from any thread") {
    meeting::pair pair;
    const auto pulse = meeting::add_pulse(pair.registry);
    pair.open_and_join();
    const auto id = must(pair.host.spawn(theta::entity(1).with(pulse)));
    const std::vector<theta::entity_id> ids{id};
    std::uint32_t tick = must(pair.host.info()).tick;
    const auto move = [&] {
        auto write = must(pair.host.begin_write());
        // The position says which tick it belongs to: a hundredth of a metre each.
        must(
            write.rows(pulse, ids,
                       std::vector<meeting::pulse>{{{0.01F * static_cast<float>((tick + 1) % 4000), 0, 0}, tick + 1}}));
        must(write.commit());
        pair.step();
        tick = must(pair.host.info()).tick;
    };
    const auto first = tick;
    REQUIRE(pair.until([&] {
        move();
        const auto frame = must(pair.guest.newest_frame());
        return frame && must(frame.info()).tick > first + 20;
    }));
    const auto newest = must(must(pair.guest.newest_frame()).info()).tick;
    std::vector<meeting::pulse> out(1);
    std::vector<theta::sample_result> how(1);
    const double between = newest - 2.5;
    std::thread([&] { CHECK(must(pair.guest.sample(pulse, ids, between, out, how))); }).join();
    CHECK(how[0] == theta::sample_result::interpolated);
    CHECK(out[0].position.x == doctest::Approx(0.01 * between).epsilon(0.02));

    std::vector<theta::vec3> places(1);
    CHECK(must(pair.guest.sample_field<theta::vec3>(pulse, 1, ids, newest - 3.0, places)));
    CHECK(places[0].x == doctest::Approx(0.01 * (newest - 3.0)).epsilon(0.02));

    const std::vector<theta::entity_id> nobody{{0xFFFF'0000'0001}};
    CHECK_FALSE(must(pair.guest.sample(pulse, nobody, between, out, how)));
    CHECK(how[0] == theta::sample_result::missing);
    std::vector<meeting::pulse> too_many(2);
    CHECK(pair.guest.sample(pulse, nobody, between, too_many).code() == theta::code::range);

    double now = 0;
    REQUIRE(pair.until([&] {  // until the clocks know each other
        now = must(pair.guest.render_tick(theta::now_ns()));
        return now > 0;
    }));
    CHECK(must(pair.guest.render_tick(theta::now_ns() + 100'000'000)) > now);
}

TEST_CASE("a host decides who comes in") {
    meeting::pair pair;
    meeting::add_pulse(pair.registry);
    pair.open(true);
    const std::uint8_t password[] = {'s', 'e', 's', 'a', 'm', 'e'};
    pair.join(true, password);
    REQUIRE(pair.until([&] { return find(pair.host_events, event_kind::join_request) != nullptr; }));
    const auto* request = find(pair.host_events, event_kind::join_request);
    CHECK(request->text == "sesame");
    const std::uint8_t level[] = {3};
    must(pair.host.admit(request->peer, theta::role::viewer, level));
    REQUIRE(pair.until([&] { return find(pair.guest_events, event_kind::admitted) != nullptr; }));
    CHECK(find(pair.guest_events, event_kind::admitted)->code == THETA_ROLE_VIEWER);
    CHECK(find(pair.guest_events, event_kind::admitted)->text == "\x03");
    for (int i = 0; i < 20; ++i) {
        pair.step();
    }
    CHECK_FALSE(pair.guest_is(theta::session_state::live));  // the level is not loaded yet
    must(pair.guest.loaded());
    CHECK(pair.until([&] { return pair.guest_is(theta::session_state::live); }));
}

TEST_CASE("who is denied or kicked is told why") {
    meeting::pair pair;
    meeting::add_pulse(pair.registry);
    pair.open(true);
    pair.join();
    REQUIRE(pair.until([&] { return find(pair.host_events, event_kind::join_request) != nullptr; }));
    SUBCASE("denied") {
        must(pair.host.deny(find(pair.host_events, event_kind::join_request)->peer, "the team is full"));
    }
    SUBCASE("kicked") {
        must(pair.host.admit(find(pair.host_events, event_kind::join_request)->peer, theta::role::editor));
        REQUIRE(pair.until([&] { return pair.guest_is(theta::session_state::live); }));
        must(pair.host.kick(pair.guest_peer(), "the team is full"));
    }
    REQUIRE(pair.until([&] { return find(pair.guest_events, event_kind::disconnected) != nullptr; }));
    CHECK(find(pair.guest_events, event_kind::disconnected)->text.find("the team is full") != std::string::npos);
    CHECK(pair.until([&] { return pair.guest_is(theta::session_state::closed); }));
    CHECK(pair.host.kick(999, "x").code() == theta::code::peer_unknown);
}

TEST_CASE("a guest that leaves is gone, and what it did not own stays") {
    meeting::pair pair;
    const auto pulse = meeting::add_pulse(pair.registry);
    pair.open_and_join();
    must(pair.host.spawn(theta::entity(1).with(pulse)));
    SUBCASE("by saying so") { must(pair.guest.leave()); }
    SUBCASE("by going out of scope") { pair.guest.close(); }
    REQUIRE(pair.until([&] { return find(pair.host_events, event_kind::peer_left) != nullptr; }));
    std::vector<theta::peer_info> peers;
    CHECK(must(pair.host.peers(peers)) == 0);
    CHECK(must(pair.host.info()).entity_count == 1);
}

TEST_CASE("a live link has numbers") {
    meeting::pair pair;
    const auto pulse = meeting::add_pulse(pair.registry);
    pair.open_and_join();
    must(pair.host.spawn(theta::entity(1).with(pulse)));
    theta::link_statistics guest{};
    CHECK(pair.until([&] {
        guest = must(pair.guest.statistics());
        return guest.packets_received > 10 && guest.bytes_received > 100 && guest.ticks_complete > 10;
    }));
    CHECK(guest.ticks_complete <= guest.ticks_started);
    CHECK(guest.divergences == 0);
    CHECK(pair.until([&] {
        const auto host = must(pair.host.statistics(pair.guest_peer()));
        return host.packets_sent > 10 && host.bytes_sent > 100;
    }));
    CHECK(pair.host.statistics(999).code() == theta::code::peer_unknown);
}

TEST_CASE("a tick is due once") {
    meeting::pair pair;
    meeting::add_pulse(pair.registry);
    pair.open();
    const auto start = theta::now_ns();
    static_cast<void>(must(pair.host.ticks_due(start, 64)));
    std::uint32_t due = 0;
    for (std::uint64_t ms = 1; ms <= 1000; ++ms) {
        due += must(pair.host.ticks_due(start + ms * 1'000'000, 64));
    }
    CHECK(due >= 89);
    CHECK(due <= 91);
    CHECK(must(pair.host.ticks_due(start + 10'000'000'000, 4)) == 4);
    CHECK(pair.host.ticks_due(start, 0).code() == theta::code::range);
}

TEST_CASE("tickets: a bad one is refused at once, a signed one is good for its owner") {
    meeting::pair pair;
    meeting::add_pulse(pair.registry);
    theta::join_options options;
    options.ticket = "https://example.com";
    const auto bad = theta::joined_session::open(pair.runtime, pair.registry, options);
    REQUIRE_FALSE(bad);
    CHECK(bad.code() == theta::code::ticket);
    CHECK(bad.error().message().find("theta://") != std::string::npos);

    // Not in dev mode: the open ticket alone does not say who may come.
    pair.host = must(theta::host_session::open(pair.runtime, pair.registry, {}));
    theta::seed secret{};
    secret[5] = 5;
    const auto key = must(theta::identity_public_key(secret));
    theta::ticket_request request;
    request.role = theta::role::commenter;
    request.expires_unix_s =
        static_cast<std::uint64_t>(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())) + 3600;
    request.client_key = &key;
    const std::string ticket = must(pair.host.issue_ticket(request));
    options.ticket = ticket;
    options.name = "Ada";
    options.identity_seed = &secret;
    pair.guest = must(theta::joined_session::open(pair.runtime, pair.registry, options));
    REQUIRE(pair.until([&] { return pair.guest_is(theta::session_state::live); }));
    CHECK(must(pair.guest.info()).role == THETA_ROLE_COMMENTER);
    std::vector<theta::peer_info> peers;
    must(pair.host.peers(peers));
    REQUIRE(peers.size() == 1);
    CHECK(std::equal(key.begin(), key.end(), peers[0].identity_key));
}

TEST_CASE("invites, bans and bearer tokens decide who comes in") {
    meeting::pair pair;
    meeting::add_pulse(pair.registry);
    const theta::seed authority{{4}};
    theta::host_options hosting;
    hosting.authority_seed = &authority;
    hosting.takes_bearer = true;
    pair.host = must(theta::host_session::open(pair.runtime, pair.registry, hosting));
    theta::invite_request request;
    request.role = theta::role::admin;
    CHECK(pair.host.create_invite(request).code() == theta::code::range);
    request.role = theta::role::commenter;
    const auto invite = must(pair.host.create_invite(request));
    CHECK(invite.ticket.find(".invite.") != std::string::npos);

    const auto come = [&](std::string_view ticket, std::uint8_t who, theta::span<const std::uint8_t> bearer = {}) {
        const theta::seed secret{{who}};
        theta::join_options options;
        options.ticket = ticket;
        options.identity_seed = &secret;
        options.bearer = bearer;
        pair.guest_events.clear();
        pair.guest = must(theta::joined_session::open(pair.runtime, pair.registry, options));
    };
    const auto ends_with = [&](std::int32_t code) {
        return [&pair, code] {
            const auto* ended = find(pair.guest_events, event_kind::disconnected);
            return ended != nullptr && ended->code == code;
        };
    };
    come(invite.ticket, 1);
    REQUIRE(pair.until([&] { return pair.guest_is(theta::session_state::live); }));
    CHECK(must(pair.guest.info()).role == THETA_ROLE_COMMENTER);
    REQUIRE(pair.until([&] { return find(pair.host_events, event_kind::invite_bound) != nullptr; }));
    const auto* bound = find(pair.host_events, event_kind::invite_bound);
    CHECK(std::equal(invite.id.begin(), invite.id.end(), bound->text.begin(),
                     [](std::uint8_t a, char b) { return a == static_cast<std::uint8_t>(b); }));
    std::vector<theta::invite_info> invites;
    REQUIRE(must(pair.host.invites(invites)) == 1);
    CHECK(invites[0].used == 1);

    const auto key = must(pair.host.ban(pair.guest_peer()));
    CHECK(key == must(theta::identity_public_key(theta::seed{{1}})));
    CHECK(pair.until(ends_with(71)));
    come(invite.ticket, 2);
    CHECK(pair.until(ends_with(68)));
    come(invite.ticket, 1);
    CHECK(pair.until(ends_with(71)));
    must(pair.host.unban(key));
    must(pair.host.revoke_invite(invite.id));
    come(invite.ticket, 1);
    CHECK(pair.until(ends_with(68)));

    // A token reaches the application, which says no.
    const std::string open = must(pair.host.ticket());
    const std::array<std::uint8_t, 5> token{{'t', 'o', 'k', 'e', 'n'}};
    come(open, 3, token);
    std::string seen;
    REQUIRE(pair.until([&] {
        must(pair.host.poll([&](const theta::event& event) {
            if (event.kind == event_kind::join_request) {
                seen = std::string(event.bearer);
                must(pair.host.deny(event.peer, "unknown"));
            }
        }));
        return !seen.empty();
    }));
    CHECK(seen == "token");
    CHECK(pair.until(ends_with(70)));

    must(pair.host.ban(key));
    const auto kept = must(pair.host.admission());
    pair.guest.close();
    hosting.admission = kept;
    pair.host = must(theta::host_session::open(pair.runtime, pair.registry, hosting));
    come(invite.ticket, 1);
    CHECK_FALSE(kept.empty());
    pair.guest.close();
    REQUIRE(must(pair.host.invites(invites)) == 1);
    CHECK(invites[0].is_revoked == 1);
}

TEST_CASE("events that a throwing callback left behind come with the next poll") {
    meeting::pair pair;
    const auto pulse = meeting::add_pulse(pair.registry);
    pair.open_and_join();
    pair.guest_events.clear();
    std::vector<theta::entity_id> spawned;
    for (int i = 0; i < 5; ++i) {
        spawned.push_back(must(pair.host.spawn(theta::entity(1).with(pulse))));
    }
    must(pair.host.tick());
    std::vector<theta::entity_id> seen;
    const auto note = [&](const theta::event& event) {
        if (event.kind == event_kind::entity_spawned) {
            seen.push_back(event.entity);
            if (seen.size() == 2) {
                throw 42;
            }
        }
    };
    bool thrown = false;
    REQUIRE(pair.until([&] {
        try {
            must(pair.guest.poll(note));
        } catch (int) {
            thrown = true;
        }
        // Moving a session takes the events with it that were fetched already.
        theta::joined_session moved = std::move(pair.guest);
        pair.guest = std::move(moved);
        try {
            must(pair.guest.poll(note));
        } catch (int) {
            thrown = true;
        }
        return seen.size() >= 5;
    }));
    CHECK(thrown);
    std::sort(seen.begin(), seen.end());
    std::sort(spawned.begin(), spawned.end());
    CHECK(seen == spawned);
}

TEST_CASE("a poll inside a poll is refused, and no event is lost by it") {
    meeting::pair pair;
    const auto pulse = meeting::add_pulse(pair.registry);
    pair.open_and_join();
    for (int i = 0; i < 5; ++i) {
        must(pair.host.spawn(theta::entity(1).with(pulse)));
    }
    std::size_t spawned = 0;
    bool refused = false;
    REQUIRE(pair.until([&] {
        must(pair.guest.poll([&](const theta::event& event) {
            spawned += event.kind == event_kind::entity_spawned ? 1U : 0U;
            const auto again = pair.guest.poll([](const theta::event&) {});
            refused = again.code() == theta::code::concurrent;
        }));
        must(pair.host.tick());
        for (const auto& event : pair.guest_events) {
            spawned += event.kind == event_kind::entity_spawned ? 1U : 0U;
        }
        pair.guest_events.clear();
        return spawned >= 5;
    }));
    CHECK(spawned == 5);
    CHECK(refused);
    must(pair.guest.poll([](const theta::event&) {}));
}

TEST_CASE("a description of an entity keeps nothing of what it was made from") {
    meeting::pair pair;
    const auto pulse = meeting::add_pulse(pair.registry);
    pair.open();
    theta::entity prefab(3);
    for (const float x : {1.0F}) {
        const meeting::pulse passing{{x, 2, 3}, 9};
        prefab.with(pulse, passing).payload(std::string(100, 'p'));
    }
    must(pair.host.spawn(prefab));
    const theta::entity copy = prefab;
    prefab = theta::entity(4);
    must(pair.host.spawn(copy));
    must(pair.host.tick());
    const auto frame = must(pair.host.newest_frame());
    std::vector<theta::entity_row> rows;
    std::array<meeting::pulse, 3> values{};
    must(frame.entities(rows, pulse));
    REQUIRE(must(frame.read(pulse, values)) == 2);
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK(rows[i].type_id == 3);
        CHECK(values[i].position.z == 3);
        CHECK(values[i].beats == 9);
        CHECK(must(frame.payload(rows[i].id)) == std::string(100, 'p'));
    }
    CHECK(values[2].beats == 0);
    // Into an engine's own objects.
    struct object {
        double before = 1;
        meeting::pulse state;
        double after = 2;
    };
    std::array<object, 2> objects;
    CHECK(must(frame.read_strided(pulse, &objects[0].state, sizeof(object), objects.size())) == 2);
    CHECK(objects[1].state.beats == 9);
    CHECK(objects[1].before == 1);
    CHECK(objects[0].after == 2);
    CHECK(must(frame.read_strided(pulse, &objects[0].state, sizeof(object), 1)) == 2);

    const std::vector<theta::entity_id> ids{rows[0].id, rows[1].id};
    objects[0].state.beats = 10;
    objects[1].state.beats = 11;
    auto write = must(pair.host.begin_write());
    must(write.rows_strided(pulse, ids, &objects[0].state, sizeof(object)));
    CHECK(must(write.commit()).changed == 2);
    must(pair.host.tick());
    must(must(pair.host.newest_frame()).read(pulse, values));
    CHECK(values[0].beats + values[1].beats == 21);
}

TEST_CASE("an entity has at most 64 components, and says so") {
    meeting::pair pair;
    const auto pulse = meeting::add_pulse(pair.registry);
    pair.open();
    theta::entity crowded(1);
    for (int i = 0; i < 65; ++i) {
        crowded.with(pulse);
    }
    CHECK(pair.host.spawn(crowded).code() == theta::code::range);
    theta::entity doubled(1);
    CHECK(pair.host.spawn(doubled.with(pulse).with(pulse)).code() == theta::code::range);
}

TEST_CASE("a host that leaves says goodbye to everybody and still hears its last events") {
    meeting::pair pair;
    meeting::add_pulse(pair.registry);
    pair.open_and_join();
    must(pair.host.leave());
    must(pair.host.leave());
    const auto over = [&] {
        must(pair.host.poll([&](const theta::event& event) { keep(pair.host_events, event); }));
        must(pair.guest.poll([&](const theta::event& event) { keep(pair.guest_events, event); }));
        return find(pair.guest_events, event_kind::disconnected) != nullptr
               && must(pair.host.info()).state == THETA_STATE_CLOSED;
    };
    for (int turn = 0; turn < 6000 && !over(); ++turn) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    CHECK(over());
    CHECK(pair.host.tick().code() == theta::code::disconnected);
}
