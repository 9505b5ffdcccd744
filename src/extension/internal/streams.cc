#include "extension/internal/streams.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "extension/internal/call_arguments.h"

namespace nexus::internal {

using Clock = std::chrono::steady_clock;

Result<std::uint64_t> StreamTable::Open(std::string_view run_id, Prepare prepare) {
  const Clock::time_point stale = Clock::now() - options_.idle;
  CloseIf([&](const Stream& stream) { return !stream.waiting && stream.touched < stale; });
  const std::scoped_lock lock(mutex_);
  if (streams_.size() >= options_.streams_max) {
    return Fail(Code::kResourceExhausted,
                fmt::format("{} streams are open already: close one, or read fewer at once",
                            options_.streams_max));
  }
  Stream& stream = streams_[++last_id_];
  stream.run_id = run_id;
  stream.prepare = std::move(prepare);
  stream.touched = Clock::now();
  return last_id_;
}

void StreamTable::SetSource(std::uint64_t id, Source source) {
  const std::function<void()> cancel = source.cancel;
  const std::function<void()> resume = source.resume;
  bool known = false;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = streams_.find(id);
    known = found != streams_.end();
    if (known && !found->second.ended) found->second.source = std::move(source);
  }
  // It may have been closed, or filled up, before its source was known.
  if (known && resume) resume();
  if (!known && cancel) cancel();
}

void StreamTable::SetBinary(std::uint64_t id) {
  const std::scoped_lock lock(mutex_);
  const auto found = streams_.find(id);
  if (found != streams_.end()) found->second.binary = true;
}

// Moves what may go out of `stream` into `piece`. With the lock.
bool StreamTable::TakePiece(Stream& stream, Piece& piece) {
  const std::size_t ready =
      stream.prepare ? stream.prepare(stream.buffer, stream.ended) : stream.buffer.size();
  if (ready == 0 && !stream.ended) return false;
  piece.data = stream.buffer.substr(0, ready);
  piece.binary = stream.binary;
  stream.buffer.erase(0, ready);
  piece.done = stream.ended && stream.buffer.empty();
  if (piece.done) piece.last = std::move(stream.last);
  return true;
}

// Gives the one who waits what there is. The lock is let go before anything outside is called.
void StreamTable::Offer(std::unique_lock<std::mutex> lock, Streams::iterator found) {
  Stream& stream = found->second;
  Piece piece;
  if (!stream.waiting || !TakePiece(stream, piece)) return;
  Deliver deliver = std::move(stream.waiting);
  stream.waiting = nullptr;
  stream.touched = Clock::now();
  std::function<void()> resume;
  if (std::exchange(stream.paused, false)) resume = stream.source.resume;
  if (piece.done) streams_.erase(found);
  lock.unlock();
  deliver(std::move(piece));
  if (resume) resume();
}

StreamTable::Taken StreamTable::Push(std::uint64_t id, std::string_view data) {
  std::unique_lock lock(mutex_);
  const auto found = streams_.find(id);
  if (found == streams_.end()) return Taken::kGone;
  Stream& stream = found->second;
  if (!stream.buffer.empty() && stream.buffer.size() + data.size() > options_.buffer_max &&
      !stream.waiting) {
    stream.paused = true;
    return Taken::kFull;
  }
  stream.buffer.append(data);
  Offer(std::move(lock), found);
  return Taken::kYes;
}

void StreamTable::End(std::uint64_t id, Answer last) {
  std::unique_lock lock(mutex_);
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  found->second.ended = true;
  found->second.last = std::move(last);
  found->second.source = {};
  Offer(std::move(lock), found);
}

void StreamTable::Next(std::uint64_t id, std::string_view run_id, Deliver deliver) {
  std::unique_lock lock(mutex_);
  const auto found = streams_.find(id);
  if (found == streams_.end() || found->second.run_id != run_id) {
    lock.unlock();
    return deliver(Fail(Code::kNotFound,
                        "the stream has ended, was closed, or was lost when the host started anew: "
                        "open it again"));
  }
  if (found->second.waiting) {
    lock.unlock();
    return deliver(Fail(Code::kInvalidArgument,
                        "another call waits for the same stream: await one before the next"));
  }
  found->second.waiting = std::move(deliver);
  found->second.touched = Clock::now();
  Offer(std::move(lock), found);
}

bool StreamTable::Close(std::uint64_t id, std::string_view run_id) {
  {
    const std::scoped_lock lock(mutex_);
    const auto found = streams_.find(id);
    if (found == streams_.end() || found->second.run_id != run_id) return false;
    found->second.touched = {};
    found->second.run_id.clear();
  }
  CloseIf([](const Stream& stream) { return stream.run_id.empty(); });
  return true;
}

void StreamTable::Abandon(std::string_view run_id) {
  CloseIf([&](const Stream& stream) { return stream.run_id == run_id; });
}

void StreamTable::CloseIf(const std::function<bool(const Stream&)>& unwanted) {
  std::vector<Stream> closed;
  {
    const std::scoped_lock lock(mutex_);
    for (auto it = streams_.begin(); it != streams_.end();) {
      if (!unwanted(it->second)) {
        ++it;
        continue;
      }
      closed.push_back(std::move(it->second));
      it = streams_.erase(it);
    }
  }
  for (Stream& stream : closed) {
    if (stream.source.cancel) stream.source.cancel();
    if (stream.waiting) {
      Piece piece{.data = {},
                  .done = true,
                  .last = Answer::Failed("the stream was closed", RunErrorCode::kCancelled)};
      stream.waiting(std::move(piece));
    }
  }
}

Result<std::uint64_t> ReadStreamId(const ExtensionCall& call) {
  const double* number = call.args.empty() ? nullptr : call.args[0].As<double>();
  if (number != nullptr && *number >= 1 && *number < 9e15 && std::trunc(*number) == *number) {
    return static_cast<std::uint64_t>(*number);
  }
  return Fail(Code::kInvalidArgument,
              CallArguments(call).Place() + ": argument 1 (id) must be the id of a stream");
}

std::size_t WholeCharacters(std::string_view buffer) {
  // At most three bytes of a character that is not complete can stand at the end.
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, buffer.size()); ++back) {
    const auto byte = static_cast<unsigned char>(buffer[buffer.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return length > back ? buffer.size() - back : buffer.size();
  }
  return buffer.size();
}

}  // namespace nexus::internal
