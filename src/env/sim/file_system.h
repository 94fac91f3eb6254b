// SimFileSystem is a disk in memory that a power cut makes forget what was not synced, and that
// fails on purpose.
//
// Every call that changes the disk is a step. The power can be cut at a step: that call, and every
// later one, fails with kIo until Restart(), which leaves what a real disk could: of each file the
// pages written since its last Sync are kept, lost or garbled, each for itself; creations, renames
// and removals since the last SyncDir are lost from some point on, or here and there.
//
// Threads:  one.
// Failure:  as FileSystem says, plus what was ordered.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "env/env.h"

namespace sluice::env {

enum class SimStep : uint8_t {
  kWrite,
  kSync,
  kTruncate,
  kCreate,
  kRename,
  kRemove,
  kSyncDir,
  kCreateDir
};

class SimFileSystem final : public FileSystem {
 public:
  static constexpr uint64_t kPageBytes = 4096;  // what is kept, lost or garbled as one

  explicit SimFileSystem(uint64_t seed) : prng_(seed) {}

  // The power goes at the `step`-th step from now (1: the next one).
  void CutPowerAt(uint64_t step) { cut_at_ = steps_ + step; }
  void CutPower() { powered_ = false; }
  bool powered() const { return powered_; }
  // Power comes back. Files that were open stay dead. Unsynced content is decided now, by the seed;
  // faults that were ordered and did not come are forgotten.
  void Restart();
  // The process died, the machine did not: as Restart(), and nothing is lost.
  void RestartProcess();

  // The `step`-th step from now fails with `code` (kIo or kNoSpace). A write may have done part of
  // its work. After a failed sync the file reads back as it was written until the power is cut,
  // though the disk may not have got it, and no later sync helps.
  void FailAt(uint64_t step, Code code) {
    fail_at_ = steps_ + step;
    fail_code_ = code;
  }
  // All that takes space fails with kNoSpace while this is on.
  void SetFull(bool full) { full_ = full; }

  uint64_t steps() const { return steps_; }  // taken so far
  // Says of each step what it was; for messages of tests.
  void OnStep(std::function<void(SimStep, const std::string& path)> hook) {
    on_step_ = std::move(hook);
  }

  // The test's own hands on the disk: content as a process sees it, durable at once.
  const std::string& Content(const std::string& path) const;
  void Overwrite(const std::string& path, std::string content);
  void Erase(const std::string& path);
  std::vector<std::string> Paths() const;

  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override;
  Status CreateDir(const std::string& path) override;
  Result<std::vector<std::string>> List(const std::string& dir) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status Remove(const std::string& path) override;
  Status SyncDir(const std::string& dir) override;
  Result<bool> Exists(const std::string& path) override;
  Result<uint64_t> FreeBytes(const std::string& dir) override;

 private:
  friend class SimFile;
  struct Node;
  using Names = std::map<std::string, std::shared_ptr<Node>>;  // null: a directory
  // One entry of the directory `dir`: `gone` (if any) leaves, `name` (if any) becomes `node`.
  struct NameChange {
    std::string dir, gone, name;
    std::shared_ptr<Node> node;

    void ApplyTo(Names& names) const;
  };

  enum class Go : uint8_t { kOn, kFail, kCut };
  // Counts a step and says whether it is to happen, to fail, or to be what the power cut caught.
  Go Step(SimStep kind, const std::string& path);
  Failure Failed(Go go, const std::string& path) const;
  Status Alive(const std::string& path) const;
  bool IsDir(const std::string& path) const;
  void Change(NameChange change);
  void LoseNames();
  void ForgetOrphans();

  Prng prng_;
  Names names_;                      // as processes see them
  Names durable_names_;              // as the disk has them
  std::vector<NameChange> pending_;  // what leads from the one to the other, in order
  uint64_t steps_ = 0, cut_at_ = 0, fail_at_ = 0;
  Code fail_code_ = Code::kIo;
  uint64_t life_ = 1;  // of the process; files opened in an earlier one are dead
  bool powered_ = true, full_ = false;
  std::function<void(SimStep, const std::string&)> on_step_;
};

}  // namespace sluice::env
