#include "cli/internal/command.h"

#include <cstdio>
#include <utility>

#include "base/json.h"
#include "cli/exit_codes.h"
#include "cli/output.h"

namespace nexus::internal {

void AddJsonFlag(CLI::App& app, bool& json) {
  app.add_flag("--json", json, "Print one JSON document on stdout and nothing else there");
}

void AddCacheDir(CLI::App& app, Places& places) {
  app.add_option("--cache-dir", places.cache_dir, "Where compiled programs and bundles are kept")
      ->type_name("DIR");
}

void AddExtensionOptions(CLI::App& app, ExtensionChoice& choice) {
  app.add_option("--ext", choice.extensions,
                 "Offer an extension, with settings as NAME=JSON; repeat (nexus ext list)")
      ->type_name("NAME[=JSON]")
      ->allow_extra_args(false);
  app.add_option("--allow-host", choice.allowed_hosts,
                 "A host $ext.http may speak to: HOST[:PORT] or *.DOMAIN; repeat")
      ->type_name("HOST")
      ->allow_extra_args(false);
  app.add_option("--workspace", choice.workspace,
                 "The folder $ext.code works in; DIR:ro for reading only")
      ->type_name("DIR");
  app.add_option("--kv", choice.kv_file,
                 "The file $ext.kv keeps its values in (default: in memory)")
      ->type_name("FILE");
}

void PrintJson(const Value& value) {
  const Terminal out(stdout, false);
  out.Line(ToJson(value));
}

int FailWith(RunError error, int exit_code, bool json) {
  const RunResult result = FailedResult(std::move(error));
  if (json) PrintJson(ResultToJson(result));
  PrintError(*result.error, Terminal(stderr));
  return exit_code;
}

int FailWith(const Error& error, bool json) {
  RunError run_error;
  switch (error.code()) {
    case Code::kInvalidArgument:
    case Code::kNotFound:
      run_error.code = RunErrorCode::kInvalidArgument;
      break;
    case Code::kPermissionDenied:
    case Code::kUnavailable:
    case Code::kDataLoss:
      run_error.code = RunErrorCode::kUnavailable;
      break;
    case Code::kResourceExhausted:
    case Code::kDeadlineExceeded:
      run_error.code = RunErrorCode::kResourceLimit;
      break;
    case Code::kInternal:
      run_error.code = RunErrorCode::kInternalError;
      break;
  }
  run_error.message = error.message();
  return FailWith(std::move(run_error), ExitCodeOf(error.code()), json);
}

}  // namespace nexus::internal
