#include "extension/kv.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <mutex>
#include <optional>
#include <utility>

#include "base/codec.h"
#include "extension/internal/call_arguments.h"
#include "extension/internal/owned_database.h"
#include "store/sqlite.h"

namespace nexus {
namespace {

using internal::CallArguments;
using internal::OptionReader;

constexpr std::string_view kKey =
    R"({"prefixItems": [{"title": "key", "type": "string", "minLength": 1}], "minItems": 1})";

const MethodDescriptor kMethods[] = {
    {.name = "get",
     .summary = "A value, or undefined",
     .idempotent = true,
     .path_argument = 0,
     .parameters = kKey,
     .result = R"({"description": "as it was set; undefined when there is none"})"},
    {.name = "set",
     .summary = "Store a value",
     .idempotent = true,
     .path_argument = 0,
     .parameters = R"({"prefixItems": [{"title": "key", "type": "string", "minLength": 1},
       {"title": "value"}, {"title": "options", "type": ["object", "null"],
        "additionalProperties": false, "properties": {"ttlMs": {"type": "integer", "minimum": 1}}}],
       "minItems": 1})",
     .result = R"({"const": true})"},
    {.name = "delete",
     .summary = "Remove a key",
     .idempotent = true,
     .path_argument = 0,
     .parameters = kKey,
     .result = R"({"type": "boolean", "description": "was it there?"})"},
    {.name = "list",
     .summary = "Keys, by prefix",
     .idempotent = true,
     .path_argument = {},
     .parameters = R"({"prefixItems": [{"title": "options", "type": ["object", "null"],
       "additionalProperties": false, "properties": {"prefix": {"type": "string"},
         "after": {"type": "string"}, "max": {"type": "integer", "minimum": 1},
         "values": {"type": "boolean"}}}]})",
     .result = R"({"type": "array", "items": {"anyOf": [{"type": "string"},
       {"type": "object", "properties": {"key": {"type": "string"}, "value": {}},
        "required": ["key"]}]}})"},
    {.name = "increment",
     .summary = "Add to a number",
     .idempotent = false,
     .path_argument = 0,
     .parameters = R"({"prefixItems": [{"title": "key", "type": "string", "minLength": 1},
       {"title": "by", "type": "number"}], "minItems": 1})",
     .result = R"({"type": "number"})"},
};

constexpr const char* kSchema = R"(
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  PRAGMA application_id = 1315470646;
  CREATE TABLE IF NOT EXISTS nexus_kv (
    space TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, expires_ms INTEGER,
    PRIMARY KEY (space, key)
  ) STRICT, WITHOUT ROWID;
  -- What each name space holds, so that a write checks its quota without counting.
  CREATE TABLE IF NOT EXISTS nexus_kv_usage (
    space TEXT PRIMARY KEY, keys INTEGER NOT NULL, bytes INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TRIGGER IF NOT EXISTS nexus_kv_added AFTER INSERT ON nexus_kv BEGIN
    INSERT INTO nexus_kv_usage VALUES (new.space, 1, length(new.value))
      ON CONFLICT DO UPDATE SET keys = keys + 1, bytes = bytes + length(new.value);
  END;
  CREATE TRIGGER IF NOT EXISTS nexus_kv_changed AFTER UPDATE OF value ON nexus_kv BEGIN
    UPDATE nexus_kv_usage SET bytes = bytes + length(new.value) - length(old.value)
      WHERE space = new.space;
  END;
  CREATE TRIGGER IF NOT EXISTS nexus_kv_removed AFTER DELETE ON nexus_kv BEGIN
    UPDATE nexus_kv_usage SET keys = keys - 1, bytes = bytes - length(old.value)
      WHERE space = old.space;
  END;
)";
constexpr std::int64_t kApplicationId = 1315470646;

std::int64_t SystemNow() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// The smallest text above every text that begins with `prefix`; nullopt when there is none.
std::optional<std::string> AfterPrefix(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  if (prefix.empty()) return std::nullopt;
  prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

}  // namespace

class KvExtension::Store {
 public:
  static Result<std::unique_ptr<Store>> Open(KvOptions options);

  Result<Value> Call(const ExtensionCall& call);

 private:
  Store(KvOptions options, SqliteFile file)
      : options_(std::move(options)), file_(std::move(file)) {}

  Status PrepareAll();
  std::int64_t Now() const {
    return options_.clock_unix_ms ? options_.clock_unix_ms() : SystemNow();
  }
  Result<std::string> Key(const CallArguments& arguments) const;
  Result<Value> Get(const CallArguments& arguments);
  Result<Value> Set(const CallArguments& arguments);
  Result<Value> Delete(const CallArguments& arguments);
  Result<Value> List(const CallArguments& arguments);
  Result<Value> Increment(const CallArguments& arguments);
  Result<std::optional<Value>> Load(std::string_view key);
  Status Save(std::string_view key, const Value& value, std::optional<std::int64_t> expires_ms);
  Status CheckQuota();
  Result<Value> InTransaction(Result<Value> (Store::*step)(const CallArguments&),
                              const CallArguments& arguments);

  const KvOptions options_;
  std::mutex mutex_;
  SqliteFile file_;  // guarded by mutex_, as are the statements
  std::optional<SqliteStatement> select_, upsert_, erase_, list_, usage_, purge_;
};

Result<std::unique_ptr<KvExtension::Store>> KvExtension::Store::Open(KvOptions options) {
  NEXUS_TRY(SqliteFile file, internal::OpenOwnedDatabase(options.file, kApplicationId, kSchema,
                                                         "the extension 'kv'"));
  std::unique_ptr<Store> store(new Store(std::move(options), std::move(file)));
  NEXUS_TRY_STATUS(store->PrepareAll());
  return store;
}

Status KvExtension::Store::PrepareAll() {
  NEXUS_TRY(select_, file_.Prepare("SELECT value FROM nexus_kv WHERE space = ?1 AND key = ?2 AND "
                                   "(expires_ms IS NULL OR expires_ms > ?3)"));
  NEXUS_TRY(
      upsert_,
      file_.Prepare("INSERT INTO nexus_kv (space, key, value, expires_ms) VALUES (?1, ?2, ?3, ?4) "
                    "ON CONFLICT DO UPDATE SET value = ?3, expires_ms = ?4"));
  NEXUS_TRY(erase_, file_.Prepare("DELETE FROM nexus_kv WHERE space = ?1 AND key = ?2 AND "
                                  "(expires_ms IS NULL OR expires_ms > ?3)"));
  NEXUS_TRY(list_,
            file_.Prepare(
                "SELECT key, value FROM nexus_kv WHERE space = ?1 AND key >= ?2 AND key > ?3 AND "
                "(?4 IS NULL OR key < ?4) AND (expires_ms IS NULL OR expires_ms > ?5) "
                "ORDER BY key LIMIT ?6"));
  NEXUS_TRY(usage_, file_.Prepare("SELECT keys, bytes FROM nexus_kv_usage WHERE space = ?1"));
  NEXUS_TRY(purge_, file_.Prepare("DELETE FROM nexus_kv WHERE space = ?1 AND expires_ms <= ?2"));
  return {};
}

Result<Value> KvExtension::Store::Call(const ExtensionCall& call) {
  const CallArguments arguments(call);
  const std::scoped_lock lock(mutex_);
  Result<Value> result = Fail(Code::kInternal, "no such method");
  if (call.method == "get") result = Get(arguments);
  if (call.method == "set") result = InTransaction(&Store::Set, arguments);
  if (call.method == "delete") result = Delete(arguments);
  if (call.method == "list") result = List(arguments);
  if (call.method == "increment") result = InTransaction(&Store::Increment, arguments);
  // A statement that stays stepped would hold the read lock of the file.
  for (auto* statement : {&select_, &upsert_, &erase_, &list_, &usage_, &purge_})
    (*statement)->Reset();
  if (result || result.error().message().starts_with(arguments.Place())) return result;
  return std::unexpected(std::move(result).error().Context(arguments.Place()));
}

Result<Value> KvExtension::Store::InTransaction(Result<Value> (Store::*step)(const CallArguments&),
                                                const CallArguments& arguments) {
  NEXUS_TRY_STATUS(file_.Execute("BEGIN IMMEDIATE"));
  Result<Value> result = (this->*step)(arguments);
  if (result) {
    Status committed = file_.Execute("COMMIT");
    if (committed) return result;
    result = std::unexpected(std::move(committed).error());
  }
  (void)file_.Execute("ROLLBACK");  // Fails only when the failure has rolled back already.
  return result;
}

Result<std::string> KvExtension::Store::Key(const CallArguments& arguments) const {
  NEXUS_TRY(std::string key, arguments.String(0, "key"));
  if (!key.empty() && key.size() <= options_.key_bytes_max) return key;
  return Fail(Code::kInvalidArgument, fmt::format("a key has 1 to {} bytes, this one {}",
                                                  options_.key_bytes_max, key.size()));
}

Result<std::optional<Value>> KvExtension::Store::Load(std::string_view key) {
  select_->Reset().Bind(1, options_.name_space).BindBlob(2, key).Bind(3, Now());
  NEXUS_TRY(const bool found, select_->Step(file_));
  if (!found) return std::nullopt;
  Result<Value> value = DecodeValue(select_->Text(0));
  if (!value) {
    return Fail(Code::kDataLoss, fmt::format("the value of '{}' is damaged ({}): set it again", key,
                                             value.error().message()));
  }
  return std::optional<Value>(*std::move(value));
}

// Asked after the write, inside its transaction: a failure rolls the write back.
Status KvExtension::Store::CheckQuota() {
  usage_->Reset().Bind(1, options_.name_space);
  NEXUS_TRY(const bool row, usage_->Step(file_));
  const auto keys = row ? static_cast<std::uint64_t>(usage_->Integer(0)) : 0;
  const auto bytes = row ? static_cast<std::uint64_t>(usage_->Integer(1)) : 0;
  usage_->Reset();
  if (keys <= options_.keys_max && bytes <= options_.bytes_max) return {};
  return Fail(Code::kResourceExhausted,
              fmt::format("the store is full ({} keys and {} bytes are allowed): delete some keys",
                          options_.keys_max, options_.bytes_max));
}

Status KvExtension::Store::Save(std::string_view key, const Value& value,
                                std::optional<std::int64_t> expires_ms) {
  std::string encoded;
  NEXUS_TRY_STATUS(EncodeValue(value, encoded));
  if (encoded.size() > options_.value_bytes_max) {
    return Fail(Code::kResourceExhausted,
                fmt::format("the value has {} bytes, {} are allowed: store less", encoded.size(),
                            options_.value_bytes_max));
  }
  purge_->Reset().Bind(1, options_.name_space).Bind(2, Now());
  NEXUS_TRY([[maybe_unused]] const bool purged, purge_->Step(file_));
  upsert_->Reset().Bind(1, options_.name_space).BindBlob(2, key).BindBlob(3, encoded);
  if (expires_ms) {
    upsert_->Bind(4, *expires_ms);
  } else {
    upsert_->BindNull(4);
  }
  NEXUS_TRY([[maybe_unused]] const bool row, upsert_->Step(file_));
  upsert_->Reset();
  return CheckQuota();
}

Result<Value> KvExtension::Store::Get(const CallArguments& arguments) {
  NEXUS_TRY(const std::string key, Key(arguments));
  NEXUS_TRY(std::optional<Value> value, Load(key));
  return value ? *std::move(value) : Value();
}

Result<Value> KvExtension::Store::Set(const CallArguments& arguments) {
  NEXUS_TRY(const std::string key, Key(arguments));
  NEXUS_TRY(const ValueObject* options, arguments.Options(2, {"ttlMs"}));
  const OptionReader reader(arguments.Place(), options);
  NEXUS_TRY(const std::uint64_t ttl_ms, reader.Integer("ttlMs", 0, 1, std::uint64_t{1} << 45));
  if (arguments.At(1).is_undefined()) {
    return Fail(Code::kInvalidArgument,
                "argument 2 (value) is undefined: use delete to remove a key");
  }
  const auto expires =
      ttl_ms == 0 ? std::nullopt : std::optional(Now() + static_cast<std::int64_t>(ttl_ms));
  NEXUS_TRY_STATUS(Save(key, arguments.At(1), expires));
  return Value(true);
}

Result<Value> KvExtension::Store::Delete(const CallArguments& arguments) {
  NEXUS_TRY(const std::string key, Key(arguments));
  erase_->Reset().Bind(1, options_.name_space).BindBlob(2, key).Bind(3, Now());
  NEXUS_TRY([[maybe_unused]] const bool row, erase_->Step(file_));
  return Value(file_.changes() > 0);
}

Result<Value> KvExtension::Store::List(const CallArguments& arguments) {
  NEXUS_TRY(const ValueObject* options, arguments.Options(0, {"prefix", "after", "max", "values"}));
  const OptionReader reader(arguments.Place(), options);
  NEXUS_TRY(const std::string prefix, reader.String("prefix", ""));
  NEXUS_TRY(const std::string after, reader.String("after", ""));
  NEXUS_TRY(const std::uint64_t max, reader.Integer("max", 1000, 1, 10'000));
  NEXUS_TRY(const bool values, reader.Bool("values", false));
  list_->Reset().Bind(1, options_.name_space).BindBlob(2, prefix).BindBlob(3, after).Bind(5, Now());
  const std::optional<std::string> end = AfterPrefix(prefix);
  if (end) {
    list_->BindBlob(4, *end);
  } else {
    list_->BindNull(4);
  }
  list_->Bind(6, static_cast<std::int64_t>(max));
  ValueArray found;
  std::size_t bytes = 0;
  for (;;) {
    NEXUS_TRY(const bool row, list_->Step(file_));
    if (!row) return Value(std::move(found));
    std::string key = list_->Text(0);
    if (!values) {
      found.push_back(std::move(key));
      continue;
    }
    const std::string encoded = list_->Text(1);
    bytes += encoded.size();
    if (bytes > options_.value_bytes_max * 4) {
      return Fail(Code::kResourceExhausted,
                  "the values are too large for one answer: lower max, go on with after");
    }
    Result<Value> value = DecodeValue(encoded);
    if (!value)
      return Fail(Code::kDataLoss, fmt::format("the value of '{}' is damaged: set it again", key));
    found.push_back(Value::Object({{"key", std::move(key)}, {"value", *std::move(value)}}));
  }
}

Result<Value> KvExtension::Store::Increment(const CallArguments& arguments) {
  NEXUS_TRY(const std::string key, Key(arguments));
  double by = 1;
  if (!arguments.At(1).is_undefined()) {
    const double* given = arguments.At(1).As<double>();
    if (given == nullptr || !std::isfinite(*given)) {
      return Fail(Code::kInvalidArgument, "argument 2 (by) must be a finite number");
    }
    by = *given;
  }
  NEXUS_TRY(const std::optional<Value> before, Load(key));
  select_->Reset();
  const double* number = before ? before->As<double>() : nullptr;
  if (before && number == nullptr) {
    return Fail(Code::kInvalidArgument, fmt::format("'{}' holds a {}, not a number: set it first",
                                                    key, before->TypeName()));
  }
  const double after = (number == nullptr ? 0 : *number) + by;
  NEXUS_TRY_STATUS(Save(key, Value(after), std::nullopt));
  return Value(after);
}

KvExtension::KvExtension(std::unique_ptr<Store> store) : store_(std::move(store)) {}
KvExtension::~KvExtension() = default;

Result<std::shared_ptr<KvExtension>> KvExtension::Create(KvOptions options) {
  NEXUS_TRY(std::unique_ptr<Store> store, Store::Open(std::move(options)));
  return std::shared_ptr<KvExtension>(new KvExtension(std::move(store)));
}

std::span<const MethodDescriptor> KvExtension::methods() const { return kMethods; }

void KvExtension::Call(ExtensionCall call, AnswerFunction done) {
  Result<Value> result = store_->Call(call);
  done(result ? Answer::Ok(*std::move(result)) : internal::ToAnswer(result.error()));
}

}  // namespace nexus
