// Goal: a saved run comes back as it was, and a damaged one never comes back at all.
#include "cli/run_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "base/testing/temp_folder.h"
#include "cli/exit_codes.h"
#include "cli/output.h"
#include "cli/terminal.h"

namespace nexus {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

SavedRun Sample(std::string run_id) {
  return {.run_id = std::move(run_id),
          .program_key = "key",
          .spec = {.name = "a.js",
                   .text = "return 1",
                   .form = ProgramForm::kBody,
                   .author_text = "author"},
          .source_map = "",
          .recording = std::string("\0\xff", 2),
          .result_json = "{}"};
}

TEST(SavedRun, ComesBackAsItWas) {
  const Result<SavedRun> run = DecodeSavedRun(EncodeSavedRun(Sample("01ARZ3NDEKTSV4RRFFQ69G5FAV")));
  ASSERT_TRUE(run.has_value()) << run.error().message();
  EXPECT_EQ(run->spec.text, "return 1");
  EXPECT_EQ(run->spec.form, ProgramForm::kBody);
  EXPECT_EQ(run->recording, std::string("\0\xff", 2));
}

TEST(SavedRun, EveryDamageIsFound) {
  const std::string good = EncodeSavedRun(Sample("01ARZ3NDEKTSV4RRFFQ69G5FAV"));
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    EXPECT_FALSE(DecodeSavedRun(bad).has_value()) << i;
    EXPECT_FALSE(DecodeSavedRun(good.substr(0, i)).has_value()) << i;
  }
}

TEST(RunArchive, FindsByBeginningAndLast) {
  const testing::TempFolder temp;
  const std::string name = temp.path().string();
  const RunArchive archive{fs::path(name) / "runs"};
  EXPECT_EQ(archive.Load("last").error().code(), Code::kNotFound);
  ASSERT_TRUE(archive.Save(Sample("01ARZ3NDEKTSV4RRFFQ69G5FAV")).has_value());
  ASSERT_TRUE(archive.Save(Sample("01BRZ3NDEKTSV4RRFFQ69G5FAV")).has_value());
  EXPECT_EQ(archive.Load("last")->run_id, "01BRZ3NDEKTSV4RRFFQ69G5FAV");
  EXPECT_EQ(archive.Load("01ar")->run_id, "01ARZ3NDEKTSV4RRFFQ69G5FAV");
  EXPECT_EQ(archive.Load("01").error().code(), Code::kInvalidArgument);
  EXPECT_EQ(archive.Load("02").error().code(), Code::kNotFound);
  std::ofstream(fs::path(name) / "bad.nxr") << "bad";
  EXPECT_EQ(archive.Load(name + "/bad.nxr").error().code(), Code::kDataLoss);
}

TEST(ExitCodes, SayWhatAScriptBranchesOn) {
  EXPECT_EQ(ExitCodeOf(RunErrorCode::kExecutionError), 1);
  EXPECT_EQ(ExitCodeOf(RunErrorCode::kPermissionDenied), 3);
  EXPECT_EQ(ExitCodeOf(RunErrorCode::kTimeout), 4);
  EXPECT_EQ(ExitCodeOf(RunErrorCode::kMemoryLimit), 4);
  EXPECT_EQ(ExitCodeOf(RunErrorCode::kExtensionNotFound), 5);
  EXPECT_EQ(ExitCodeOf(RunErrorCode::kInternalError), 70);
  EXPECT_EQ(ExitCodeOf(Code::kInvalidArgument), 2);
}

TEST(Output, HintsAreWordsForTheCommandLine) {
  EXPECT_EQ(HintFor({.code = RunErrorCode::kPermissionDenied, .capability = "ext:http.get"}),
            "--cap ext:http.get");
  EXPECT_EQ(HintFor({.code = RunErrorCode::kTimeout, .limit = "wall"}), "--limit wall=30s");
  EXPECT_EQ(HintFor({.code = RunErrorCode::kExecutionError}), "");
}

TEST(Output, ForeignTextCannotDriveTheTerminal) {
  EXPECT_EQ(Printable("a\x1b[31mb\tc\nd\x07\x7f"), "a\\x1b[31mb\tc\nd\\x07\\x7f");
  EXPECT_EQ(Printable("\xC2\x9b"
                      "31m\xC3\xA9"),
            "\\u009b31m\xC3\xA9");
}

}  // namespace
}  // namespace nexus
