// Goal: lines become messages whatever the pieces they come in, answers leave whole, and the end of
// the input ends the service behind what was under way. Method: pipes.
#include "mcp/server/stdio.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>

#include "mcp/server/testing/fake_provider.h"

namespace nexus::mcp {
namespace {

using testing::FakeProvider;

constexpr const char* kMeta = R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
                              R"("io.modelcontextprotocol/clientCapabilities":{}})";

std::string Call(int id, const std::string& tool) {
  return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) +
         R"(,"method":"tools/call","params":{"name":")" + tool + R"(",)" + kMeta + "}}";
}

class StdioTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(pipe(in_.data()), 0);
    ASSERT_EQ(pipe(out_.data()), 0);
    auto caller = std::make_shared<Caller>();
    caller->everything = true;
    thread_ = std::thread([this, caller] {
      status_ = ServeStdio(*server_, caller,
                           {.in = in_[0],
                            .out = out_[1],
                            .stop_fd = -1,
                            .line_bytes_max = line_bytes_max_,
                            .drain_ms = 2'000});
      close(out_[1]);
    });
  }
  void TearDown() override {
    End();
    close(in_[0]);
    close(out_[0]);
  }
  void Send(std::string_view text) {
    ASSERT_EQ(write(in_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  /// Ends the input and the service; everything it said.
  std::string End() {
    if (in_[1] >= 0) close(in_[1]);
    in_[1] = -1;
    std::string all;
    std::array<char, 4096> bytes{};
    for (ssize_t n = 0; (n = read(out_[0], bytes.data(), bytes.size())) > 0;) {
      all.append(bytes.data(), static_cast<std::size_t>(n));
    }
    if (thread_.joinable()) thread_.join();
    return all;
  }
  static std::size_t CountOf(const std::string& text, std::string_view part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
      ++count;
    }
    return count;
  }

  std::size_t line_bytes_max_ = 1 << 20;
  FakeProvider provider_;
  std::unique_ptr<Server> server_ = Server::Create({}, provider_);
  std::array<int, 2> in_{-1, -1}, out_{-1, -1};
  Status status_;
  std::thread thread_;
};

TEST_F(StdioTest, LinesComeInAnyPieces) {
  const std::string text =
      Call(1, "echo") + "\n" + Call(2, "echo") + "\r\n\n  \n" + Call(3, "echo");
  for (const char c : text) Send({&c, 1});
  const std::string all = End();
  for (const char* id : {"\"id\":1,", "\"id\":2,", "\"id\":3,"}) {
    EXPECT_EQ(CountOf(all, id), 1u) << all;
  }
  EXPECT_EQ(CountOf(all, "\n"), 3u);
  EXPECT_TRUE(status_.has_value());
}

TEST_F(StdioTest, ABurstIsAnswered) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += Call(i, "echo") + "\n";
  std::thread sender([&] { Send(text); });
  sender.join();
  EXPECT_EQ(CountOf(End(), "\"result\""), 300u);
}

TEST_F(StdioTest, TheEndOfTheInputLetsAnswersFinish) {
  Send(Call(1, "wait") + "\n");
  while (provider_.waiting() == 0) std::this_thread::yield();
  std::thread later([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    provider_.Release();
  });
  EXPECT_EQ(CountOf(End(), "released"), 1u);
  later.join();
}

class ShortLinesTest : public StdioTest {
 protected:
  ShortLinesTest() { line_bytes_max_ = 70'000; }
};

TEST_F(ShortLinesTest, ALineThatIsTooLongIsRefusedOnce) {
  std::thread sender([this] { Send(std::string(300'000, 'x') + "\n" + Call(2, "echo") + "\n"); });
  sender.join();
  const std::string all = End();
  EXPECT_EQ(CountOf(all, "-32700"), 1u) << all.substr(0, 500);
  EXPECT_EQ(CountOf(all, "\"id\":2,"), 1u);
}

}  // namespace
}  // namespace nexus::mcp
