#include "store/testing/fault_vfs.h"

#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "base/check.h"

namespace nexus::testing {
namespace {

constexpr std::size_t kSectorBytes = 512;
constexpr const char* kName = "nexus-fault";

struct Change {
  bool truncates = false;  ///< To `offset`.
  std::size_t offset = 0;
  std::string bytes;
};

void Apply(std::string& content, const Change& change) {
  if (change.truncates) {
    content.resize(std::min(content.size(), change.offset));
    return;
  }
  if (content.size() < change.offset + change.bytes.size()) {
    content.resize(change.offset + change.bytes.size());
  }
  std::memcpy(content.data() + change.offset, change.bytes.data(), change.bytes.size());
}

struct Locks {
  int shared = 0;
  bool reserved = false, pending = false, exclusive = false;
};

struct ShmSlot {
  int shared = 0;
  bool exclusive = false;
};

/// A file: what programs see, what is on the platter, and what is between the two.
struct FileData {
  std::string current, durable;
  std::vector<Change> unsynced;
  bool exists_durably = false;
  bool removed = false;  ///< Its name; the platter knows for certain only after a sync.
  Locks locks;
  std::vector<std::unique_ptr<char[]>> shared_memory;
  ShmSlot shm_slots[SQLITE_SHM_NLOCK];
};

}  // namespace

struct FaultVfs::Disk {
  mutable std::mutex mutex;
  std::mt19937_64 random;
  std::map<std::string, std::shared_ptr<FileData>> files;
  std::uint64_t points = 0, syncs = 0, cut_at_sync = 0, cut_at_point = 0;
  When when = When::kBefore;
  bool is_cut = false, syncs_fail = false, full = false;
  sqlite3_vfs vfs{};
  sqlite3_vfs* below = nullptr;

  // All under the mutex.
  bool Passes() { return !is_cut; }
  bool Point() {
    if (is_cut) return false;
    if (++points == cut_at_point) is_cut = true;
    return !is_cut;
  }
  std::uint64_t Below(std::uint64_t n) { return n == 0 ? 0 : random() % n; }
  void CutChange(std::string& content, const Change& change);
  void CutFile(FileData& file);
};

// Each sector of a write gets there, does not, or gets there in part; in no order.
void FaultVfs::Disk::CutChange(std::string& content, const Change& change) {
  if (change.truncates) {
    if (Below(2) == 0) Apply(content, change);
    return;
  }
  for (std::size_t at = 0; at < change.bytes.size();) {
    const std::size_t sector_end =
        (change.offset + at) / kSectorBytes * kSectorBytes + kSectorBytes;
    std::size_t size = std::min(change.bytes.size() - at, sector_end - change.offset - at);
    const std::size_t next = at + size;
    const std::uint64_t fate = Below(8);
    if (fate == 0) size = Below(size);
    if (fate <= 4 && size != 0) {
      Apply(content, {.offset = change.offset + at, .bytes = change.bytes.substr(at, size)});
    }
    at = next;
  }
}

void FaultVfs::Disk::CutFile(FileData& file) {
  std::string content = file.durable;
  // Now and then a disk wrote all it was given, or nothing.
  const std::uint64_t mood = Below(4);
  for (const Change& change : file.unsynced) {
    if (mood == 0) continue;
    if (mood == 1) {
      Apply(content, change);
    } else {
      CutChange(content, change);
    }
  }
  file.current = file.durable = std::move(content);
  file.unsynced.clear();
}

namespace {

using Disk = FaultVfs::Disk;

/// What SQLite allocates for an open file.
struct OpenFile {
  sqlite3_file base;
  Disk* disk;
  std::shared_ptr<FileData> data;
  int level;
  unsigned shm_shared, shm_exclusive;  ///< Slots held, as bits.
};

OpenFile& Of(sqlite3_file* file) { return *reinterpret_cast<OpenFile*>(file); }
Disk& Of(sqlite3_vfs* vfs) { return *static_cast<Disk*>(vfs->pAppData); }

int Unlock(sqlite3_file* file, int level);
int ShmUnmap(sqlite3_file* file, int remove);

int Close(sqlite3_file* file) {
  Unlock(file, SQLITE_LOCK_NONE);
  ShmUnmap(file, 0);
  Of(file).data.~shared_ptr();
  return SQLITE_OK;
}

int Read(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) {
  const std::lock_guard lock(Of(file).disk->mutex);
  if (!Of(file).disk->Passes()) return SQLITE_IOERR_READ;
  const std::string& content = Of(file).data->current;
  const auto from = static_cast<std::size_t>(offset);
  const auto wanted = static_cast<std::size_t>(size);
  const std::size_t there = from >= content.size() ? 0 : std::min(wanted, content.size() - from);
  std::memcpy(out, content.data() + std::min(from, content.size()), there);
  if (there == wanted) return SQLITE_OK;
  std::memset(static_cast<char*>(out) + there, 0, wanted - there);
  return SQLITE_IOERR_SHORT_READ;
}

int Write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  Disk& disk = *Of(file).disk;
  const std::lock_guard lock(disk.mutex);
  FileData& data = *Of(file).data;
  const auto end = static_cast<std::size_t>(offset) + static_cast<std::size_t>(size);
  if (disk.full && end > data.current.size()) return SQLITE_FULL;
  Change change{
      .offset = static_cast<std::size_t>(offset),
      .bytes = std::string(static_cast<const char*>(bytes), static_cast<std::size_t>(size))};
  // A write that the cut falls into may get there in part.
  const bool was_cut = disk.is_cut;
  const bool passes = disk.Point();
  if (!was_cut) {
    if (passes) Apply(data.current, change);
    data.unsynced.push_back(std::move(change));
  }
  return passes ? SQLITE_OK : SQLITE_IOERR_WRITE;
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  Disk& disk = *Of(file).disk;
  const std::lock_guard lock(disk.mutex);
  if (!disk.Point()) return SQLITE_IOERR_TRUNCATE;
  const Change change{.truncates = true, .offset = static_cast<std::size_t>(size), .bytes = {}};
  Apply(Of(file).data->current, change);
  Of(file).data->unsynced.push_back(change);
  return SQLITE_OK;
}

int Sync(sqlite3_file* file, int) {
  Disk& disk = *Of(file).disk;
  const std::lock_guard lock(disk.mutex);
  if (!disk.Point()) return SQLITE_IOERR_FSYNC;
  const bool cut_here = ++disk.syncs == disk.cut_at_sync;
  FileData& data = *Of(file).data;
  if (cut_here && disk.when == FaultVfs::When::kBefore) {
    disk.is_cut = true;
    return SQLITE_IOERR_FSYNC;
  }
  if (disk.syncs_fail) {
    // The system has forgotten that these pages are to be written; programs go on seeing them.
    data.unsynced.clear();
    return SQLITE_IOERR_FSYNC;
  }
  data.exists_durably = true;
  // File systems keep the order of changes of names: those before a sync are there after it.
  std::erase_if(disk.files, [](const auto& entry) { return entry.second->removed; });
  for (const Change& change : data.unsynced) Apply(data.durable, change);
  data.unsynced.clear();
  if (cut_here) disk.is_cut = true;
  return cut_here ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  const std::lock_guard lock(Of(file).disk->mutex);
  if (!Of(file).disk->Passes()) return SQLITE_IOERR_FSTAT;
  *size = static_cast<sqlite3_int64>(Of(file).data->current.size());
  return SQLITE_OK;
}

int Lock(sqlite3_file* file, int level) {
  OpenFile& open = Of(file);
  const std::lock_guard lock(open.disk->mutex);
  Locks& locks = open.data->locks;
  if (level <= open.level) return SQLITE_OK;
  if (level == SQLITE_LOCK_SHARED) {
    if (locks.pending || locks.exclusive) return SQLITE_BUSY;
    ++locks.shared;
    open.level = level;
    return SQLITE_OK;
  }
  const bool holds_reserved = open.level >= SQLITE_LOCK_RESERVED;
  if (!holds_reserved) {
    if (locks.reserved) return SQLITE_BUSY;
    locks.reserved = true;
    open.level = SQLITE_LOCK_RESERVED;
  }
  if (level < SQLITE_LOCK_EXCLUSIVE) return SQLITE_OK;
  locks.pending = true;
  open.level = SQLITE_LOCK_PENDING;
  if (locks.shared > 1) return SQLITE_BUSY;
  locks.exclusive = true;
  open.level = SQLITE_LOCK_EXCLUSIVE;
  return SQLITE_OK;
}

int Unlock(sqlite3_file* file, int level) {
  OpenFile& open = Of(file);
  const std::lock_guard lock(open.disk->mutex);
  Locks& locks = open.data->locks;
  if (level >= open.level) return SQLITE_OK;
  if (open.level >= SQLITE_LOCK_RESERVED) {
    locks.reserved = false;
    if (open.level >= SQLITE_LOCK_PENDING) locks.pending = false;
    if (open.level == SQLITE_LOCK_EXCLUSIVE) locks.exclusive = false;
  }
  if (level == SQLITE_LOCK_NONE) --locks.shared;
  open.level = level;
  return SQLITE_OK;
}

int CheckReservedLock(sqlite3_file* file, int* out) {
  const std::lock_guard lock(Of(file).disk->mutex);
  *out = Of(file).data->locks.reserved ? 1 : 0;
  return SQLITE_OK;
}

int FileControl(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
int SectorSize(sqlite3_file*) { return 4096; }
// What is true of every disk SQLite is used on by default: bytes beside a write stay as they are.
int Characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

int ShmMap(sqlite3_file* file, int region, int size, int extend, void volatile** out) {
  const std::lock_guard lock(Of(file).disk->mutex);
  auto& regions = Of(file).data->shared_memory;
  *out = nullptr;
  while (extend != 0 && regions.size() <= static_cast<std::size_t>(region)) {
    regions.push_back(std::make_unique<char[]>(static_cast<std::size_t>(size)));
  }
  if (static_cast<std::size_t>(region) < regions.size()) {
    *out = regions[static_cast<std::size_t>(region)].get();
  }
  return SQLITE_OK;
}

int ShmLock(sqlite3_file* file, int offset, int count, int flags) {
  OpenFile& open = Of(file);
  const std::lock_guard lock(open.disk->mutex);
  ShmSlot* const slots = open.data->shm_slots;
  if ((flags & SQLITE_SHM_LOCK) != 0) {
    for (int i = offset; i < offset + count; ++i) {
      const bool mine = ((open.shm_shared >> i) & 1) != 0;
      const bool free = (flags & SQLITE_SHM_SHARED) != 0
                            ? !slots[i].exclusive
                            : !slots[i].exclusive && slots[i].shared == (mine ? 1 : 0);
      if (!free) return SQLITE_BUSY;
    }
  }
  for (int i = offset; i < offset + count; ++i) {
    const unsigned bit = 1u << i;
    if ((flags & SQLITE_SHM_LOCK) != 0 && (flags & SQLITE_SHM_SHARED) != 0) {
      if ((open.shm_shared & bit) == 0) ++slots[i].shared;
      open.shm_shared |= bit;
    } else if ((flags & SQLITE_SHM_LOCK) != 0) {
      slots[i].exclusive = true;
      open.shm_exclusive |= bit;
    } else {
      if ((open.shm_shared & bit) != 0) --slots[i].shared;
      if ((open.shm_exclusive & bit) != 0) slots[i].exclusive = false;
      open.shm_shared &= ~bit;
      open.shm_exclusive &= ~bit;
    }
  }
  return SQLITE_OK;
}

void ShmBarrier(sqlite3_file*) { std::atomic_thread_fence(std::memory_order_seq_cst); }

int ShmUnmap(sqlite3_file* file, int remove) {
  ShmLock(file, 0, SQLITE_SHM_NLOCK, SQLITE_SHM_UNLOCK | SQLITE_SHM_SHARED);
  const std::lock_guard lock(Of(file).disk->mutex);
  if (remove != 0) Of(file).data->shared_memory.clear();
  return SQLITE_OK;
}

const sqlite3_io_methods kMethods = {2,
                                     Close,
                                     Read,
                                     Write,
                                     Truncate,
                                     Sync,
                                     FileSize,
                                     Lock,
                                     Unlock,
                                     CheckReservedLock,
                                     FileControl,
                                     SectorSize,
                                     Characteristics,
                                     ShmMap,
                                     ShmLock,
                                     ShmBarrier,
                                     ShmUnmap,
                                     nullptr,
                                     nullptr};

int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  Disk& disk = Of(vfs);
  const std::lock_guard lock(disk.mutex);
  file->pMethods = nullptr;
  if (!disk.Passes()) return SQLITE_IOERR;
  std::shared_ptr<FileData> data;
  if (name == nullptr) {
    data = std::make_shared<FileData>();
  } else {
    const auto found = disk.files.find(name);
    const bool there = found != disk.files.end() && !found->second->removed;
    if (!there && (flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
    if (there) {
      data = found->second;
    } else {
      data = std::make_shared<FileData>();
      disk.files[name] = data;
    }
  }
  auto* const open = new (file) OpenFile{};
  open->base.pMethods = &kMethods;
  open->disk = &disk;
  open->data = std::move(data);
  open->level = SQLITE_LOCK_NONE;
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

int Delete(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  Disk& disk = Of(vfs);
  const std::lock_guard lock(disk.mutex);
  if (!disk.Point()) return SQLITE_IOERR_DELETE;
  const auto found = disk.files.find(name);
  if (found == disk.files.end() || found->second->removed) return SQLITE_IOERR_DELETE_NOENT;
  if (sync_folder != 0 || !found->second->exists_durably) {
    disk.files.erase(found);
  } else {
    found->second->removed = true;
  }
  return SQLITE_OK;
}

int Access(sqlite3_vfs* vfs, const char* name, int, int* out) {
  Disk& disk = Of(vfs);
  const std::lock_guard lock(disk.mutex);
  const auto found = disk.files.find(name);
  *out = found != disk.files.end() && !found->second->removed ? 1 : 0;
  return SQLITE_OK;
}

int FullPathname(sqlite3_vfs*, const char* name, int size, char* out) {
  sqlite3_snprintf(size, out, "%s", name);
  return SQLITE_OK;
}

int Randomness(sqlite3_vfs* vfs, int size, char* out) {
  Disk& disk = Of(vfs);
  const std::lock_guard lock(disk.mutex);
  for (int i = 0; i < size; ++i) out[i] = static_cast<char>(disk.random());
  return size;
}

int Sleep(sqlite3_vfs* vfs, int us) { return Of(vfs).below->xSleep(Of(vfs).below, us); }
int CurrentTime(sqlite3_vfs* vfs, double* out) {
  return Of(vfs).below->xCurrentTime(Of(vfs).below, out);
}
int GetLastError(sqlite3_vfs*, int, char*) { return 0; }

}  // namespace

FaultVfs::FaultVfs(std::uint64_t seed) : disk_(std::make_unique<Disk>()) {
  NEXUS_CHECK(sqlite3_vfs_find(kName) == nullptr, "one FaultVfs at a time");
  sqlite3_initialize();
  disk_->random.seed(seed);
  disk_->below = sqlite3_vfs_find(nullptr);
  sqlite3_vfs& vfs = disk_->vfs;
  vfs.iVersion = 1;
  vfs.szOsFile = sizeof(OpenFile);
  vfs.mxPathname = 1024;
  vfs.zName = kName;
  vfs.pAppData = disk_.get();
  vfs.xOpen = Open;
  vfs.xDelete = Delete;
  vfs.xAccess = Access;
  vfs.xFullPathname = FullPathname;
  vfs.xRandomness = Randomness;
  vfs.xSleep = Sleep;
  vfs.xCurrentTime = CurrentTime;
  vfs.xGetLastError = GetLastError;
  sqlite3_vfs_register(&vfs, 1);
}

FaultVfs::~FaultVfs() {
  sqlite3_vfs_unregister(&disk_->vfs);
  sqlite3_vfs_register(disk_->below, 1);
}

std::uint64_t FaultVfs::points() const {
  const std::lock_guard lock(disk_->mutex);
  return disk_->points;
}

std::uint64_t FaultVfs::syncs() const {
  const std::lock_guard lock(disk_->mutex);
  return disk_->syncs;
}

void FaultVfs::CutAtSync(std::uint64_t number, When when) {
  const std::lock_guard lock(disk_->mutex);
  disk_->cut_at_sync = number;
  disk_->when = when;
}

void FaultVfs::CutAtPoint(std::uint64_t number) {
  const std::lock_guard lock(disk_->mutex);
  disk_->cut_at_point = number;
}

bool FaultVfs::cut() const {
  const std::lock_guard lock(disk_->mutex);
  return disk_->is_cut;
}

void FaultVfs::Reboot() {
  const std::lock_guard lock(disk_->mutex);
  std::erase_if(disk_->files, [this](auto& entry) {
    FileData& file = *entry.second;
    NEXUS_CHECK(entry.second.use_count() == 1, "a database is open at Reboot");
    disk_->CutFile(file);
    file.shared_memory.clear();
    // A name that was made or removed since its folder was synced: either.
    if (file.removed || !file.exists_durably) {
      if (disk_->Below(2) == 0) return true;
    }
    file.removed = false;
    file.exists_durably = true;
    return false;
  });
  disk_->points = disk_->syncs = disk_->cut_at_sync = disk_->cut_at_point = 0;
  disk_->is_cut = false;
}

void FaultVfs::FailSyncs(bool fail) {
  const std::lock_guard lock(disk_->mutex);
  disk_->syncs_fail = fail;
}

void FaultVfs::SetFull(bool full) {
  const std::lock_guard lock(disk_->mutex);
  disk_->full = full;
}

}  // namespace nexus::testing
