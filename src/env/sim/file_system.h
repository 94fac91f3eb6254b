// SimFileSystem is a disk in memory that a power cut makes forget what was not synced, and that
// fails on purpose.
//
// Every call that changes the disk is a step. The power can be cut at a step: that call, and every
// later one, fails with kIo until Restart(), which leaves what a real disk could: of each file the
// pages written since its last Sync are kept, lost or garbled by sectors, each for itself;
// creations, renames and removals since the last SyncDir are lost from some point on, or here and
// there.
//
// Threads:  one. What other threads would do while a call waits for the disk, the hook of OnStep
//           may do: it runs inside the call, before anything has happened, and may call in here.
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
  static constexpr uint64_t kPlentyBytes = uint64_t{1} << 40;  // as good as no bound

  explicit SimFileSystem(uint64_t seed) : prng_(seed) {}

  // The power goes at the `step`-th step from now (1: the next one).
  void CutPowerAt(uint64_t step) { cut_at_ = steps_ + step; }
  void CutPower() { powered_ = false; }
  bool powered() const { return powered_; }
  // Power comes back. Files that were open stay dead. Unsynced content is decided now, by the seed;
  // faults that were ordered and did not come are forgotten.
  void Restart();
  // The process died, the machine did not: as Restart(), and nothing is lost. What was ordered as a
  // power cut is then the death of the process, in that call.
  void RestartProcess();

  // The `step`-th step from now fails with `code` (kIo or kNoSpace). A write may have done part of
  // its work. After a failed sync the file reads back as it was written until the power is cut,
  // though the disk may not have got it, and no later sync helps.
  void FailAt(uint64_t step, Code code) {
    fail_at_ = steps_ + step;
    fail_code_ = code;
  }
  // What was ordered and has not come is forgotten.
  void Disarm() { cut_at_ = fail_at_ = 0; }
  // Files may grow by so many bytes more; a write beyond them does part of its work, if it is one
  // that grows the file, and fails with kNoSpace. What is there can be written again and again.
  void SetRoom(uint64_t bytes) { room_ = bytes; }
  void SetFull(bool full) { room_ = full ? 0 : kPlentyBytes; }
  bool full() const { return room_ < kPlentyBytes; }

  uint64_t steps() const { return steps_; }  // taken so far
  // Says of each step what it is, before it is done.
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
  // Takes as much of the room as is there, and says how much.
  uint64_t TakeRoom(uint64_t bytes);
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
  bool powered_ = true;
  uint64_t room_ = kPlentyBytes;
  std::function<void(SimStep, const std::string&)> on_step_;
};

}  // namespace sluice::env
