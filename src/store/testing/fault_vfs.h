#pragma once
/// A disk in memory under SQLite that fails as disks do: power is cut, a sync is refused, it is
/// full.
///
/// What was written and not synced is kept apart. A cut loses some of it, keeps some and tears
/// some, sector by sector and as the seed says; what was synced stays. From the cut on every call
/// fails, until Reboot.

#include <cstdint>
#include <memory>

namespace nexus::testing {

class FaultVfs {
 public:
  /// Becomes the VFS of every database that is opened while it lives; those must be closed before
  /// it goes. One at a time.
  explicit FaultVfs(std::uint64_t seed);
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;
  ~FaultVfs();

  /// Calls that changed a file or synced one, since the last Reboot: where power can be cut.
  std::uint64_t points() const;
  /// Those of them that were syncs, in order.
  std::uint64_t syncs() const;

  enum class When : std::uint8_t {
    kBefore,  ///< The sync has no effect.
    kAfter,   ///< It has, but nobody is told.
  };
  /// Counted from 1 and from the last Reboot; 0: not.
  void CutAtSync(std::uint64_t number, When when);
  /// At any change of a file or sync: before it.
  void CutAtPoint(std::uint64_t number);
  bool cut() const;
  /// All files are closed: they are now as the cut left them (or as a cut now would), and the disk
  /// works again.
  void Reboot();

  /// Syncs fail with an I/O error, and as on Linux what they should have synced may never be.
  void FailSyncs(bool fail);
  /// No file can grow.
  void SetFull(bool full);

  struct Disk;

 private:
  const std::unique_ptr<Disk> disk_;
};

}  // namespace nexus::testing
