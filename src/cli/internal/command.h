#pragma once
/// One subcommand: declares its options, then runs. Each has a file of its own.

#include <CLI/CLI.hpp>

#include <memory>
#include <string>
#include <vector>

#include "cli/host_setup.h"
#include "cli/terminal.h"

namespace nexus::internal {

class Command {
 public:
  virtual ~Command() = default;
  /// Declares the subcommand. What it binds lives as long as this object.
  virtual CLI::App* Declare(CLI::App& root) = 0;
  /// The exit code.
  virtual int Run() = 0;
};

std::unique_ptr<Command> MakeRunCommand();
std::unique_ptr<Command> MakeCompileCommand();
std::unique_ptr<Command> MakeInspectCommand();
std::unique_ptr<Command> MakeReplayCommand();
std::unique_ptr<Command> MakeCheckCommand();
std::unique_ptr<Command> MakeFmtCommand();
std::unique_ptr<Command> MakeNewCommand();
std::unique_ptr<Command> MakeToolCommand();
std::unique_ptr<Command> MakeServeCommand();
std::unique_ptr<Command> MakeMcpCommand();
std::unique_ptr<Command> MakeConfigCommand();
std::unique_ptr<Command> MakeApprovalCommand();
std::unique_ptr<Command> MakeBenchCommand();
std::unique_ptr<Command> MakeCapsCommand();
std::unique_ptr<Command> MakeExtCommand();
std::unique_ptr<Command> MakeVersionCommand();
std::unique_ptr<Command> MakeCompletionCommand(CLI::App& root);

/// `--json`, with the same words everywhere.
void AddJsonFlag(CLI::App& app, bool& json);
void AddCacheDir(CLI::App& app, Places& places);
/// --ext, --allow-host, --workspace and --kv.
void AddExtensionOptions(CLI::App& app, ExtensionChoice& choice);

/// Prints an error that came before any run, in the form asked for, and returns its exit code.
int FailWith(const Error& error, bool json);
int FailWith(RunError error, int exit_code, bool json);
/// One JSON document and a line end on stdout.
void PrintJson(const Value& value);

}  // namespace nexus::internal
