// Goal: NXML means what contract 2 says, every problem is named at its place, and printing loses
// nothing. Method: a golden file with one case for each construct and each error code; laws over
// the panels of examples/.
#include "panel/nxml/nxml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "base/testing/golden.h"

namespace nexus {
namespace {

std::string Shown(const std::vector<NxmlProblem>& problems, const char* kind) {
  std::string text;
  for (const NxmlProblem& problem : problems) {
    text += std::to_string(problem.position.line) + ":" + std::to_string(problem.position.column) +
            " " + kind + " " + problem.code + " " + problem.path + ": " + problem.message + "\n";
  }
  return text;
}

std::string Shown(const NxmlReport& report) {
  std::string text = Shown(report.errors, "error") + Shown(report.warnings, "warning");
  if (report.panel) text += PrintNxml(*report.panel);
  return text;
}

TEST(Nxml, Golden) {
  RunGoldenFile("src/panel/nxml/testdata/nxml.golden", 20, [](const std::string& input) {
    return Shown(ReadNxml(input, {.file = "test.nxml", .limits = {}}));
  });
}

std::vector<std::filesystem::path> Examples() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(NEXUS_SOURCE_DIR) + "/examples/panels")) {
    if (entry.path().extension() == ".nxml") files.push_back(entry.path());
  }
  return files;
}

TEST(Nxml, WhatIsPrintedReadsBackTheSame) {
  ASSERT_GE(Examples().size(), 8u);
  for (const auto& file : Examples()) {
    const auto source = ReadFile(file);
    ASSERT_TRUE(source.has_value());
    const NxmlReport first = ReadNxml(*source, {.file = file.string(), .limits = {}});
    ASSERT_TRUE(first.panel) << file << "\n" << Shown(first);
    const std::string printed = PrintNxml(*first.panel);
    const NxmlReport second = ReadNxml(printed, {.file = file.string(), .limits = {}});
    ASSERT_TRUE(second.panel) << file << "\n" << Shown(second);
    EXPECT_EQ(PanelToValue(*first.panel, true), PanelToValue(*second.panel, true)) << file;
    EXPECT_EQ(PrintNxml(*second.panel), printed) << file;
  }
}

TEST(Nxml, EveryExampleOfTheDocumentationReads) {
  const auto page = ReadFile(std::string(NEXUS_SOURCE_DIR) + "/docs/NXML.md");
  ASSERT_TRUE(page.has_value());
  int examples = 0;
  std::size_t at = 0;
  while ((at = page->find("```xml\n", at)) != std::string::npos) {
    at += 7;
    const std::string example = page->substr(at, page->find("```", at) - at);
    const NxmlReport report = ReadNxml(example, {.file = "docs/NXML.md", .limits = {}});
    EXPECT_TRUE(report.panel) << example << Shown(report);
    ++examples;
  }
  EXPECT_GE(examples, 4);
}

// Whatever end a file is cut off at, the reader says something and the place is in the file.
TEST(Nxml, EveryPrefixOfAPanelGetsAPlace) {
  const auto source = ReadFile(Examples().front());
  ASSERT_TRUE(source.has_value());
  for (std::size_t size = 0; size + 1 < source->size(); size += 7) {
    const NxmlReport report = ReadNxml(std::string_view(*source).substr(0, size));
    if (report.panel) continue;  // Only white space was cut off.
    ASSERT_FALSE(report.errors.empty()) << size;
    EXPECT_GE(report.errors.front().position.line, 1u) << size;
    EXPECT_FALSE(report.errors.front().message.empty()) << size;
  }
}

TEST(Nxml, LimitsHold) {
  const auto first_error = [](const std::string& text, NxmlLimits limits) {
    const NxmlReport report = ReadNxml(text, {.file = "p.nxml", .limits = limits});
    return report.errors.empty() ? std::string("none") : report.errors.front().message;
  };
  EXPECT_THAT(first_error(std::string(2000, ' '), {.source_bytes_max = 1000}),
              ::testing::HasSubstr("at most 1000 are read"));
  std::string deep = "<NexusPanel><View>";
  for (int i = 0; i < 100; ++i) deep += "<Card>";
  EXPECT_THAT(first_error(deep, {}), ::testing::HasSubstr("nested more than 64 deep"));
  std::string many = "<NexusPanel><Data>";
  for (int i = 0; i < 50; ++i) many += "<State/>";
  EXPECT_THAT(first_error(many + "</Data></NexusPanel>", {.elements_max = 10}),
              ::testing::HasSubstr("more than 10 elements"));
  const NxmlReport report =
      ReadNxml(many + "</Data></NexusPanel>", {.file = "p.nxml", .limits = {.problems_max = 5}});
  EXPECT_EQ(report.errors.size(), 5u);
}

TEST(Nxml, BytesThatAreNotUtf8AreNamed) {
  const NxmlReport report = ReadNxml("<NexusPanel id=\"p\"\ntitle=\"\xff\"/>");
  ASSERT_EQ(report.errors.size(), 1u);
  EXPECT_EQ(report.errors[0].position.line, 2u);
  EXPECT_EQ(report.errors[0].position.column, 8u);
}

TEST(Nxml, CodeKeepsItsPlace) {
  const NxmlReport report = ReadNxml(
      "<NexusPanel id=\"p\"><Logic>\n<Tool name=\"t\"><Handler><![CDATA[\n  return 1;\n]]>"
      "</Handler></Tool></Logic></NexusPanel>");
  ASSERT_TRUE(report.panel);
  const HandlerDefinition& handler = report.panel->tools[0].handler;
  EXPECT_EQ(handler.code, "         \n  return 1;\n   ");
  EXPECT_EQ(handler.code_position.line, 2u);
  EXPECT_EQ(handler.code_position.column, 25u);
}

TEST(Nxml, InferredExtensionsHaveTheirRegisteredName) {
  const NxmlReport report = ReadNxml(
      "<NexusPanel id=\"p\"><Logic><Extension name=\"acme.http\" alias=\"web\"/>"
      "<Tool name=\"t\"><Handler>await $ext.web.get('x')</Handler></Tool></Logic></NexusPanel>");
  ASSERT_TRUE(report.panel);
  ASSERT_EQ(report.panel->tools[0].handler.requested.size(), 1u);
  EXPECT_EQ(report.panel->tools[0].handler.requested[0].ToString(), "ext:acme.http.get");
}

TEST(PanelDefinition, ArgumentsBecomeASchema) {
  const NxmlReport report = ReadNxml(
      "<NexusPanel id=\"p\"><Logic><Tool name=\"t\"><Arg name=\"a\" type=\"number\" "
      "description=\"how many\"/><Arg name=\"b\" type=\"list\" default=\"1,2\"/>"
      "<Handler>return 1</Handler></Tool></Logic></NexusPanel>");
  ASSERT_TRUE(report.panel);
  EXPECT_EQ(ToJson(ToolInputSchema(report.panel->tools[0])),
            R"({"type":"object","properties":{"a":{"type":"number","description":"how many"},)"
            R"("b":{"type":"array","default":["1","2"]}},"required":["a"],)"
            R"("additionalProperties":false})");
}

TEST(Nxml, AByteOrderMarkIsNoCharacter) {
  const std::string text = "<NexusPanel id=\"p\" titel=\"x\"/>";
  const NxmlReport plain = ReadNxml(text);
  const NxmlReport marked = ReadNxml("\xEF\xBB\xBF" + text);
  ASSERT_EQ(plain.errors.size(), 1u);
  ASSERT_EQ(marked.errors.size(), 1u);
  EXPECT_EQ(marked.errors[0].position.column, plain.errors[0].position.column);
  EXPECT_TRUE(ReadNxml("\xEF\xBB\xBF<?xml version=\"1.0\"?>\n<NexusPanel id=\"p\"/>").panel);
}

// What once took the square of its number: attributes, tools, arguments, uses in one binding.
TEST(Nxml, ManyOfAKindTakeTimeInProportion) {
  const auto read = [](const std::string& text) {
    const auto begin = std::chrono::steady_clock::now();
    const NxmlReport report = ReadNxml(text);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
    return report;
  };
  std::string attributes = "<NexusPanel id=\"p\"><View><Text";
  for (int i = 0; i < 50'000; ++i) attributes += " a" + std::to_string(i) + "=\"{$state.x}\"";
  EXPECT_FALSE(read(attributes + "/></View></NexusPanel>").errors.empty());
  std::string data, tools, uses;
  for (int i = 0; i < 20'000; ++i) {
    const std::string n = std::to_string(i);
    data += "<State name=\"s" + n + "\"/>";
    tools += "<Tool name=\"t" + n + "\"><Handler/></Tool>";
    uses += "$state.s" + n + "+";
  }
  const NxmlReport report =
      read("<NexusPanel id=\"p\"><View><Text content=\"{" + uses + "1}\"/></View><Logic>" + tools +
           "</Logic><Data>" + data + "</Data></NexusPanel>");
  EXPECT_TRUE(report.errors.empty()) << report.errors[0].message;
}

}  // namespace
}  // namespace nexus
