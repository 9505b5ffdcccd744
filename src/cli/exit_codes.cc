#include "cli/exit_codes.h"

namespace nexus {

int ExitCodeOf(RunErrorCode code) {
  switch (code) {
    case RunErrorCode::kPermissionDenied:
      return kExitDenied;
    case RunErrorCode::kExtensionNotFound:
    case RunErrorCode::kMethodNotFound:
    case RunErrorCode::kSuspensionNotFound:
      return kExitNotFound;
    case RunErrorCode::kInternalError:
      return kExitInternal;
    default:
      return IsLimitError(code) ? kExitLimit : kExitFailed;
  }
}

int ExitCodeOf(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
      return kExitUsage;
    case Code::kNotFound:
      return kExitNotFound;
    case Code::kPermissionDenied:
      return kExitFailed;  // Of the operating system, not of a run.
    case Code::kResourceExhausted:
    case Code::kDeadlineExceeded:
      return kExitLimit;
    case Code::kDataLoss:
      return kExitFailed;
    case Code::kUnavailable:
    case Code::kInternal:
      return kExitInternal;
  }
  return kExitInternal;
}

int ExitCodeOf(const RunResult& result) {
  if (result.status == RunStatus::kSuccess) return kExitSuccess;
  return result.error ? ExitCodeOf(result.error->code) : kExitFailed;
}

}  // namespace nexus
