#include "env/sim/file_system.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/check.h"

namespace sluice::env {
namespace {

constexpr uint64_t kSectorBytes = 512;  // a garbled page is a mix of sectors

std::string ParentOf(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return path.substr(0, std::max<size_t>(slash, 1));
}

}  // namespace

// A file's content, apart from its names.
struct SimFileSystem::Node {
  std::string content;          // as processes see it
  std::string durable;          // as the disk has it
  std::set<uint64_t> unsynced;  // pages of `content` that a sync would bring to disk

  void Touch(uint64_t offset, uint64_t size) {
    if (size == 0) return;
    for (uint64_t page = offset / kPageBytes; page <= (offset + size - 1) / kPageBytes; ++page) {
      unsynced.insert(page);
    }
  }

  void Write(uint64_t offset, std::string_view bytes) {
    if (bytes.empty()) return;
    if (offset + bytes.size() > content.size()) content.resize(offset + bytes.size(), '\0');
    content.replace(offset, bytes.size(), bytes);
    Touch(offset, bytes.size());
  }

  void Resize(uint64_t size) {
    const uint64_t least = std::min<uint64_t>(size, content.size());
    Touch(least, std::max<uint64_t>(size, content.size()) - least);
    content.resize(size, '\0');
  }

  void Settle(uint64_t page) {
    const uint64_t begin = page * kPageBytes;
    if (begin >= content.size() || begin >= durable.size()) return;
    const uint64_t size = std::min({kPageBytes, content.size() - begin, durable.size() - begin});
    durable.replace(begin, size, content, begin, size);
  }

  void SettleAll() {
    durable.resize(content.size(), '\0');
    for (const uint64_t page : unsynced) Settle(page);
    unsynced.clear();
  }

  // The kernel reported an error once: it counts the pages as clean, wherever they are.
  void FailSync(Prng& prng) {
    if (prng.OneIn(2)) durable.resize(content.size(), '\0');
    for (const uint64_t page : unsynced) {
      if (prng.OneIn(2)) Settle(page);
    }
    unsynced.clear();
  }

  void Garble(uint64_t page, Prng& prng) {
    const uint64_t end = std::min<uint64_t>((page + 1) * kPageBytes, durable.size());
    for (uint64_t at = page * kPageBytes; at < end; at += kSectorBytes) {
      const uint64_t size = std::min(kSectorBytes, end - at);
      const uint64_t fate = prng.Below(3);
      if (fate == 0) durable.replace(at, size, size, static_cast<char>(prng()));
      if (fate == 1 && at < content.size()) {
        const uint64_t known = std::min<uint64_t>(size, content.size() - at);
        durable.replace(at, known, content, at, known);
      }
    }
  }

  void LosePower(Prng& prng) {
    if (prng.OneIn(2)) durable.resize(content.size(), '\0');
    // Often all pages share a fate, so that whole groups are kept or lost too.
    const uint64_t mood = prng.Below(4);
    for (const uint64_t page : unsynced) {
      const uint64_t fate = mood < 2 ? mood : prng.Below(3);
      if (fate == 0) Settle(page);
      if (fate == 2) Garble(page, prng);
    }
    unsynced.clear();
    content = durable;
  }
};

void SimFileSystem::NameChange::ApplyTo(Names& names) const {
  if (!gone.empty()) names.erase(gone);
  if (!name.empty()) names[name] = node;
}

class SimFile final : public File {
 public:
  SimFile(SimFileSystem& disk, std::shared_ptr<SimFileSystem::Node> node, std::string path)
      : disk_(disk), node_(std::move(node)), path_(std::move(path)), life_(disk.life_) {}

  Status WriteAt(uint64_t offset, std::string_view bytes) override {
    SLUICE_TRY(Usable());
    const auto go = disk_.Step(SimStep::kWrite, path_);
    if (go == SimFileSystem::Go::kFail) {
      bytes = bytes.substr(0, disk_.prng_.Below(bytes.size() + 1));
    }
    const uint64_t end = offset + bytes.size();
    const uint64_t grows = end - std::min<uint64_t>(end, node_->content.size());
    const uint64_t missing = grows - disk_.TakeRoom(grows);
    bytes.remove_suffix(std::min<uint64_t>(missing, bytes.size()));
    node_->Write(offset, bytes);
    if (go != SimFileSystem::Go::kOn) return disk_.Failed(go, path_);
    if (missing > 0) return Fail(Code::kNoSpace, path_ + ": no space left");
    return Ok();
  }

  Result<size_t> ReadAt(uint64_t offset, char* to, size_t size) override {
    SLUICE_TRY(Usable());
    if (offset >= node_->content.size()) return 0;
    return node_->content.copy(to, size, offset);
  }

  Status Sync() override {
    SLUICE_TRY(Usable());
    const auto go = disk_.Step(SimStep::kSync, path_);
    if (go == SimFileSystem::Go::kFail) node_->FailSync(disk_.prng_);
    if (go != SimFileSystem::Go::kOn) return disk_.Failed(go, path_);
    node_->SettleAll();
    return Ok();
  }

  Result<uint64_t> Size() override {
    SLUICE_TRY(Usable());
    return node_->content.size();
  }

  Status Truncate(uint64_t size) override {
    SLUICE_TRY(Usable());
    const auto go = disk_.Step(SimStep::kTruncate, path_);
    if (go == SimFileSystem::Go::kFail) return disk_.Failed(go, path_);
    node_->Resize(size);
    return go == SimFileSystem::Go::kOn ? Ok() : Status(disk_.Failed(go, path_));
  }

 private:
  Status Usable() const {
    if (life_ != disk_.life_) return Fail(Code::kIo, path_ + ": opened before the restart");
    return disk_.Alive(path_);
  }

  SimFileSystem& disk_;
  const std::shared_ptr<SimFileSystem::Node> node_;
  const std::string path_;
  const uint64_t life_;
};

SimFileSystem::Go SimFileSystem::Step(SimStep kind, const std::string& path) {
  const uint64_t step = ++steps_;
  if (on_step_) on_step_(kind, path);
  if (step == cut_at_) powered_ = false;
  if (!powered_) return Go::kCut;  // the hook's calls may have met the cut
  return step == fail_at_ ? Go::kFail : Go::kOn;
}

uint64_t SimFileSystem::TakeRoom(uint64_t bytes) {
  const uint64_t taken = std::min(bytes, room_);
  if (room_ < kPlentyBytes) room_ -= taken;
  return taken;
}

Failure SimFileSystem::Failed(Go go, const std::string& path) const {
  if (go == Go::kCut) return Fail(Code::kIo, path + ": the power went");
  return Fail(fail_code_, path + ": failed on purpose");
}

Status SimFileSystem::Alive(const std::string& path) const {
  return powered_ ? Ok() : Status(Fail(Code::kIo, path + ": there is no power"));
}

bool SimFileSystem::IsDir(const std::string& path) const {
  if (path == "." || path == "/") return true;
  const auto found = names_.find(path);
  return found != names_.end() && found->second == nullptr;
}

void SimFileSystem::Change(NameChange change) {
  change.ApplyTo(names_);
  pending_.push_back(std::move(change));
}

// A journal loses the last changes of a directory; without one, any of them may be lost that no
// later one stands on.
void SimFileSystem::LoseNames() {
  const bool journaled = prng_.OneIn(2);
  std::map<std::string, bool> lost;  // directories whose changes are lost from here on
  for (const NameChange& change : pending_) {
    bool& is_lost = lost[change.dir];
    is_lost = (is_lost && journaled) || prng_.OneIn(3);
    const bool has_ground = change.gone.empty() || durable_names_.contains(change.gone);
    if (!is_lost && has_ground) change.ApplyTo(durable_names_);
  }
}

void SimFileSystem::Restart() {
  LoseNames();
  pending_.clear();
  names_ = durable_names_;
  ForgetOrphans();
  std::set<Node*> nodes;
  for (const auto& [path, node] : names_) {
    if (node != nullptr && nodes.insert(node.get()).second) node->LosePower(prng_);
  }
  powered_ = false;
  RestartProcess();
}

void SimFileSystem::RestartProcess() {
  if (!powered_) Disarm();
  powered_ = true;
  ++life_;
}

// What lies in a directory whose own name was lost.
void SimFileSystem::ForgetOrphans() {
  for (auto at = names_.begin(); at != names_.end();) {
    at = IsDir(ParentOf(at->first)) ? std::next(at) : names_.erase(at);
  }
  durable_names_ = names_;
}

const std::string& SimFileSystem::Content(const std::string& path) const {
  const auto found = names_.find(path);
  SLUICE_CHECK(found != names_.end() && found->second != nullptr);
  return found->second->content;
}

void SimFileSystem::Overwrite(const std::string& path, std::string content) {
  auto node = std::make_shared<Node>();
  node->content = node->durable = std::move(content);
  names_[path] = durable_names_[path] = std::move(node);
}

void SimFileSystem::Erase(const std::string& path) {
  names_.erase(path);
  durable_names_.erase(path);
}

std::vector<std::string> SimFileSystem::Paths() const {
  std::vector<std::string> paths;
  for (const auto& [path, node] : names_) {
    if (node != nullptr) paths.push_back(path);
  }
  return paths;
}

Result<std::unique_ptr<File>> SimFileSystem::Open(const std::string& path, OpenMode mode) {
  SLUICE_TRY(Alive(path));
  const auto found = names_.find(path);
  if (mode == OpenMode::kCreateNew) {
    if (found != names_.end()) return Fail(Code::kConflict, path + ": exists already");
    if (!IsDir(ParentOf(path))) return Fail(Code::kNotFound, path + ": no such directory");
    const Go go = Step(SimStep::kCreate, path);
    if (go == Go::kFail) return Failed(go, path);
    auto node = std::make_shared<Node>();
    Change({ParentOf(path), "", path, node});
    if (go == Go::kCut) return Failed(go, path);
    return std::unique_ptr<File>(std::make_unique<SimFile>(*this, std::move(node), path));
  }
  if (found == names_.end()) return Fail(Code::kNotFound, path + ": no such file");
  if (found->second == nullptr) return Fail(Code::kIo, path + ": is a directory");
  return std::unique_ptr<File>(std::make_unique<SimFile>(*this, found->second, path));
}

Status SimFileSystem::CreateDir(const std::string& path) {
  SLUICE_TRY(Alive(path));
  if (IsDir(path)) return Ok();
  if (names_.contains(path)) return Fail(Code::kIo, path + ": is a file");
  if (!IsDir(ParentOf(path))) return Fail(Code::kNotFound, path + ": no such directory");
  const Go go = Step(SimStep::kCreateDir, path);
  if (go == Go::kFail) return Failed(go, path);
  Change({ParentOf(path), "", path, nullptr});
  return go == Go::kOn ? Ok() : Status(Failed(go, path));
}

Result<std::vector<std::string>> SimFileSystem::List(const std::string& dir) {
  SLUICE_TRY(Alive(dir));
  if (!IsDir(dir)) return Fail(Code::kNotFound, dir + ": no such directory");
  std::vector<std::string> names;
  for (const auto& [path, node] : names_) {
    if (ParentOf(path) == dir) names.push_back(path.substr(path.find_last_of('/') + 1));
  }
  return names;
}

Status SimFileSystem::Rename(const std::string& from, const std::string& to) {
  SLUICE_TRY(Alive(from));
  const auto found = names_.find(from);
  if (found == names_.end()) return Fail(Code::kNotFound, from + ": no such file");
  SLUICE_CHECK(found->second != nullptr && ParentOf(from) == ParentOf(to));
  const Go go = Step(SimStep::kRename, from);
  if (go == Go::kFail) return Failed(go, from);
  Change({ParentOf(to), from, to, found->second});
  return go == Go::kOn ? Ok() : Status(Failed(go, from));
}

Status SimFileSystem::Remove(const std::string& path) {
  SLUICE_TRY(Alive(path));
  const auto found = names_.find(path);
  if (found == names_.end()) return Fail(Code::kNotFound, path + ": no such file");
  const Go go = Step(SimStep::kRemove, path);
  if (go == Go::kFail) return Failed(go, path);
  Change({ParentOf(path), path, "", nullptr});
  return go == Go::kOn ? Ok() : Status(Failed(go, path));
}

Status SimFileSystem::SyncDir(const std::string& dir) {
  SLUICE_TRY(Alive(dir));
  if (!IsDir(dir)) return Fail(Code::kNotFound, dir + ": no such directory");
  const Go go = Step(SimStep::kSyncDir, dir);
  if (go != Go::kOn) return Failed(go, dir);
  std::erase_if(pending_, [&](const NameChange& change) {
    if (change.dir != dir) return false;
    change.ApplyTo(durable_names_);
    return true;
  });
  return Ok();
}

Result<bool> SimFileSystem::Exists(const std::string& path) {
  SLUICE_TRY(Alive(path));
  return IsDir(path) || names_.contains(path);
}

Result<uint64_t> SimFileSystem::FreeBytes(const std::string& dir) {
  SLUICE_TRY(Alive(dir));
  return room_;
}

}  // namespace sluice::env
