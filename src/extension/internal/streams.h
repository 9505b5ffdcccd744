#pragma once
/// What arrives piece by piece and is fetched by a program with one call after the other: bodies of
/// HTTP responses, answers of language models. Each fetch is a suspension of the run, so what the
/// program did with the pieces before it is seen by everybody who watches.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sandbox/bindings.h"

namespace nexus::internal {

/// Thread-safe. Streams belong to the run that opened them.
class StreamTable {
 public:
  struct Options {
    std::size_t streams_max = 32;  ///< Open at once; above, Open fails.
    std::size_t buffer_max = std::size_t{256} << 10;
    std::chrono::milliseconds idle{300'000};  ///< One that nobody asks for is closed.
  };
  struct Piece {
    std::string data;
    bool done = false;
    bool binary = false;  ///< As SetBinary said.
    Answer last;          ///< When done: how it ended.
  };
  using Deliver = std::move_only_function<void(Result<Piece>)>;
  /// Where the data comes from. Called outside the table's lock.
  struct Source {
    std::function<void()> resume;
    std::function<void()> cancel;
  };
  /// How many bytes at the front of `buffer` may go out now; may rewrite it. `ended`: no more come.
  using Prepare = std::function<std::size_t(std::string& buffer, bool ended)>;
  enum class Taken : std::uint8_t { kYes, kFull, kGone };

  explicit StreamTable(Options options) : options_(options) {}

  /// A number that names the stream. Errors: kResourceExhausted.
  Result<std::uint64_t> Open(std::string_view run_id, Prepare prepare = {});
  void SetSource(std::uint64_t id, Source source);
  /// The pieces are no text.
  void SetBinary(std::uint64_t id);
  /// kFull: not taken; the source's resume is called when there is room.
  Taken Push(std::uint64_t id, std::string_view data);
  /// The last thing a source says. Nothing happens when the stream is gone.
  void End(std::uint64_t id, Answer last);

  /// The next piece, as soon as there is one. Errors: kNotFound for a stream that is none of this
  /// run's, kInvalidArgument while another Next waits.
  void Next(std::uint64_t id, std::string_view run_id, Deliver deliver);
  /// False when there was no such stream.
  bool Close(std::uint64_t id, std::string_view run_id);
  /// Closes all streams of the run.
  void Abandon(std::string_view run_id);

 private:
  struct Stream {
    std::string run_id;
    Prepare prepare;
    Source source;
    std::string buffer;
    bool ended = false;
    bool paused = false;
    bool binary = false;
    Answer last;
    Deliver waiting;
    std::chrono::steady_clock::time_point touched;
  };
  using Streams = std::map<std::uint64_t, Stream>;

  bool TakePiece(Stream& stream, Piece& piece);
  void Offer(std::unique_lock<std::mutex> lock, Streams::iterator stream);
  void CloseIf(const std::function<bool(const Stream&)>& unwanted);

  const Options options_;
  std::mutex mutex_;
  Streams streams_;            // guarded by mutex_
  std::uint64_t last_id_ = 0;  // guarded by mutex_
};

/// The id a program hands back. Errors: kInvalidArgument.
Result<std::uint64_t> ReadStreamId(const ExtensionCall& call);

/// How many bytes of `buffer` end with a whole UTF-8 character.
std::size_t WholeCharacters(std::string_view buffer);

}  // namespace nexus::internal
