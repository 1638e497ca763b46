// The proof that everybody saw the same: a hash over the quantised columns of a frame, and the file it goes to.
// The bytes that are hashed are laid down in samples/README.md, "Tick hash".
#ifndef SAMPLES_TICK_HASH_HPP
#define SAMPLES_TICK_HASH_HPP

#include "components.hpp"

#include <theta/theta.hpp>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace samples {

class fnv1a {
public:
    void u32(std::uint32_t value) noexcept { bytes(value, 4); }
    void u64(std::uint64_t value) noexcept { bytes(value, 8); }
    [[nodiscard]] std::uint64_t value() const noexcept { return state_; }

private:
    void bytes(std::uint64_t value, int count) noexcept {
        for (int i = 0; i < count; ++i) {
            state_ = (state_ ^ (value & 0xFF)) * 0x100000001b3ULL;
            value >>= 8;
        }
    }
    std::uint64_t state_ = 0xcbf29ce484222325ULL;
};

/// Hashes frames; keeps its buffers from tick to tick.
class tick_hasher {
public:
    explicit tick_hasher(const components& known)
        : columns_{{{known.cube.id, cube_lanes}, {known.avatar.id, avatar_lanes}}} {
        std::sort(columns_.begin(), columns_.end(), [](const column& a, const column& b) { return a.id < b.id; });
    }

    theta::result<std::uint64_t> hash(const theta::frame& frame) noexcept {
        fnv1a sum;
        for (const column& one : columns_) {
            if (const auto rows = frame.entities(rows_, one.id); !rows) {
                return rows.error();
            }
            const auto read = frame.read_quantised(one.id, one.lanes, lanes_);
            if (!read) {
                return read.error();
            }
            if (*read != rows_.size()) {
                return theta::error{theta::code::internal, "tick_hasher",
                                    "a frame lists another number of entities than it has values"};
            }
            for (std::size_t row = 0; row < rows_.size(); ++row) {
                sum.u64(rows_[row].id.bits);
                sum.u32(rows_[row].type_id);
                sum.u32(rows_[row].owner);
                sum.u64(rows_[row].parent.bits);
                for (std::size_t lane = 0; lane < one.lanes; ++lane) {
                    sum.u64(static_cast<std::uint64_t>(lanes_[row * one.lanes + lane]));
                }
            }
        }
        return sum.value();
    }

private:
    struct column {
        theta::component_id id;
        std::size_t lanes;
    };
    std::array<column, 2> columns_;
    std::vector<theta::entity_row> rows_;
    std::vector<std::int64_t> lanes_;
};

/// Writes `tick hash` lines; without a path it writes nothing.
class hash_file {
public:
    bool open(const std::string& path) {
        if (path.empty()) {
            return true;
        }
        file_.reset(std::fopen(path.c_str(), "w"));
        return file_ != nullptr;
    }
    void line(std::uint32_t tick, std::uint64_t hash) noexcept {
        if (file_) {
            std::fprintf(file_.get(), "%" PRIu32 " %016" PRIx64 "\n", tick, hash);
        }
    }
    /// Whoever follows the file sees what there is.
    void flush() noexcept {
        if (file_) {
            std::fflush(file_.get());
        }
    }

private:
    struct closer {
        void operator()(std::FILE* file) const noexcept { std::fclose(file); }
    };
    std::unique_ptr<std::FILE, closer> file_;
};

}  // namespace samples

#endif
