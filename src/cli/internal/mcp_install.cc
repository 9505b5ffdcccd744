#include "cli/internal/mcp_install.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "base/json.h"
#include "base/text.h"
#include "cli/exit_codes.h"
#include "cli/internal/command.h"

namespace nexus::internal {
namespace {

/// How a client is configured: the file, the member that holds servers, and the form of one.
struct Client {
  std::string_view name, where, member;
  bool typed = false;  ///< Each server says "type".
  std::string_view url_member = "url";
};

constexpr std::array<Client, 8> kClients = {{
    {.name = "claude-code", .where = ".mcp.json", .member = "mcpServers", .typed = true},
    {.name = "claude-desktop", .where = "claude_desktop_config.json", .member = "mcpServers"},
    {.name = "cursor", .where = ".cursor/mcp.json", .member = "mcpServers"},
    {.name = "vscode", .where = ".vscode/mcp.json", .member = "servers", .typed = true},
    {.name = "windsurf",
     .where = "~/.codeium/windsurf/mcp_config.json",
     .member = "mcpServers",
     .url_member = "serverUrl"},
    {.name = "gemini-cli",
     .where = ".gemini/settings.json",
     .member = "mcpServers",
     .url_member = "httpUrl"},
    {.name = "zed", .where = "settings.json", .member = "context_servers"},
    {.name = "codex", .where = "~/.codex/config.toml", .member = "mcp_servers"},
}};

std::string Absolute(const std::string& file) {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::absolute(file, error);
  return error ? file : path.lexically_normal().string();
}

std::string OwnProgram() {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "nexus" : path.string();
}

std::string Toml(const std::string& name, const std::vector<std::string>& words,
                 const std::string& url) {
  std::string text = "[mcp_servers." + name + "]\n";
  if (!url.empty()) return text + "url = " + ToJson(Value(url));
  ValueArray arguments;
  for (std::size_t i = 1; i < words.size(); ++i) arguments.emplace_back(words[i]);
  return text + "command = " + ToJson(Value(words[0])) +
         "\nargs = " + ToJson(Value(std::move(arguments)));
}

Value Server(const Client& client, const std::vector<std::string>& words, const std::string& url) {
  ValueObject server;
  if (client.typed) server.Append("type", url.empty() ? "stdio" : "http");
  if (!url.empty()) {
    server.Append(std::string(client.url_member), url);
    return Value(std::move(server));
  }
  ValueArray arguments;
  for (std::size_t i = 1; i < words.size(); ++i) arguments.emplace_back(words[i]);
  server.Append("command", words[0]);
  server.Append("args", std::move(arguments));
  return Value(std::move(server));
}

}  // namespace

void McpInstall::Declare(CLI::App& mcp) {
  app_ = mcp.add_subcommand("install", "Print what to put into a client's configuration");
  std::string names;
  for (const Client& client : kClients) {
    if (!names.empty()) names += ", ";
    names += client.name;
  }
  app_->add_option("--client", client_, names)->type_name("NAME")->required();
  app_->add_option("--name", name_, "How the client calls the server")->type_name("NAME");
  app_->add_option("--url", url_, "A running `nexus serve` instead of a command")->type_name("URL");
  app_->add_option("FILE", files_, "Panels: .nxml files, or folders of them");
  AddJsonFlag(*app_, json_);
}

int McpInstall::Run() {
  std::vector<std::string_view> names;
  for (const Client& client : kClients) names.push_back(client.name);
  const auto* const found = std::find_if(kClients.begin(), kClients.end(),
                                         [&](const Client& each) { return each.name == client_; });
  if (found == kClients.end()) {
    return FailWith(Error(Code::kInvalidArgument,
                          fmt::format("mcp install: there is no client '{}'{}: nexus mcp install "
                                      "--help lists them",
                                      client_, DidYouMean(client_, names))),
                    json_);
  }
  if (files_.empty() == url_.empty()) {
    return FailWith(Error(Code::kInvalidArgument,
                          "mcp install: name either panels, or --url of a running server"),
                    json_);
  }
  std::vector<std::string> words = {OwnProgram(), "mcp"};
  for (const std::string& file : files_) words.push_back(Absolute(file));
  std::string snippet;
  if (found->name == "codex") {
    snippet = Toml(name_, words, url_);
  } else {
    const Value server = Server(*found, words, url_);
    snippet =
        ToJson(Value::Object({{std::string(found->member), Value::Object({{name_, server}})}}),
               {.indent = 2});
  }
  if (json_) {
    PrintJson(Value::Object({{"client", found->name}, {"file", found->where}, {"text", snippet}}));
    return kExitSuccess;
  }
  Terminal(stderr).Line(fmt::format("For {}:", found->where));
  Terminal(stdout, false).Line(snippet);
  return kExitSuccess;
}

}  // namespace nexus::internal
