// Recovery of a log whose files were damaged in any way: it is refused and left alone, or what is
// read is what was written, up to some group behind every witness; and writing goes on behind it.
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/fuzz_test.h"
#include "env/sim/world.h"
#include "log/file_log.h"
#include "log/kit_test.h"

namespace sluice::log {
namespace {

constexpr size_t kDamagesMax = 12;

using Disk = std::map<std::string, std::string>;

struct Sample {
  Disk disk;
  std::vector<OwnGroup> groups;
};

Disk Snapshot(const env::SimFileSystem& files) {
  Disk disk;
  for (const std::string& path : files.Paths()) disk[path] = files.Content(path);
  return disk;
}

// Two lives of three groups each, over two segments; ended by nothing, a witness or a clean stop.
Sample MakeSample(uint16_t ending) {
  env::SimWorld world(5);
  Prng prng(5);
  Sample sample;
  std::unique_ptr<FileLog> log;
  for (int life = 0; life < 2; ++life) {
    log = OpenSmall(world.env(), "log").value().log;
    SLUICE_CHECK(log->Seal(log->term().Next()).ok());
    for (int i = 0; i < 3; ++i) {
      sample.groups.push_back(RandomGroup(prng, log->next(), log->term(), i == 1 ? 6000 : 900));
      SLUICE_CHECK(AppendTo(*log, sample.groups.back()).ok());
    }
  }
  if (ending != 0) SLUICE_CHECK(AppendMark(*log, ending).ok());
  sample.disk = Snapshot(world.files);
  return sample;
}

const Sample& SampleOf(size_t number) {
  static const Sample samples[] = {MakeSample(0), MakeSample(kGroupWitness),
                                   MakeSample(kGroupCleanStop)};
  return samples[number % std::size(samples)];
}

// One thing that happens to the disk; a place is often the beginning of a page.
class Damage {
 public:
  Damage(Disk& disk, sluice::Reader& reader) : disk_(disk), reader_(reader) {}

  void Do() {
    const uint8_t what = reader_.Le<uint8_t>();
    std::string& file = File();
    const size_t at = Place(file);
    switch (what % 8) {
      case 0:
        if (at < file.size()) file[at] = static_cast<char>(file[at] ^ reader_.Le<uint8_t>());
        break;
      case 1:
        file.resize(at);
        break;
      case 2:
        file.append(reader_.Le<uint16_t>(), '\0');
        break;
      case 3:
        Fill(file, at, std::string(kPageBytes, static_cast<char>(reader_.Le<uint8_t>())));
        break;
      case 4: {
        const std::string& from = File();
        Fill(file, at, std::string(from.substr(Place(from), kPageBytes)));
        break;
      }
      case 5:
        std::swap(file, File());
        break;
      case 6:
        if (disk_.size() > 1) disk_.erase(name_);
        break;
      default:
        Fill(file, at, std::string(TakePiece(reader_, 255)));
    }
  }

 private:
  std::string& File() {
    auto chosen = disk_.begin();
    std::advance(chosen, reader_.Le<uint8_t>() % disk_.size());
    name_ = chosen->first;
    return chosen->second;
  }
  size_t Place(const std::string& file) {
    const size_t page = reader_.Le<uint8_t>(), within = reader_.Le<uint16_t>() % kPageBytes;
    return std::min(page * kPageBytes + within, file.size());
  }
  static void Fill(std::string& file, size_t at, std::string_view with) {
    const size_t size = std::min(with.size(), file.size() - at);
    file.replace(at, size, with.substr(0, size));
  }

  Disk& disk_;
  sluice::Reader& reader_;
  std::string name_;
};

// `read` begins at `first`: where segments are missing in front, the log says that it is trimmed.
void CheckRead(const std::vector<OwnGroup>& read, model::Lsn first,
               const std::vector<OwnGroup>& written, model::Lsn witness) {
  auto expected = written.begin();
  while (expected != written.end() && expected->first < first) ++expected;
  SLUICE_CHECK(read.size() <= static_cast<size_t>(written.end() - expected));
  SLUICE_CHECK(std::equal(read.begin(), read.end(), expected));
  const model::Lsn last = read.empty() ? model::Lsn(first.value - 1) : read.back().last();
  SLUICE_CHECK(last >= witness);
}

}  // namespace
}  // namespace sluice::log

SLUICE_FUZZ(log_recovery) {
  using namespace sluice;
  using namespace sluice::log;
  sluice::Reader reader(bytes);
  const Sample& sample = SampleOf(reader.Le<uint8_t>());
  const model::Lsn witness(reader.Le<uint8_t>() % (sample.groups.back().last().value + 1));
  Disk disk = sample.disk;
  for (size_t i = 0; i < kDamagesMax && !reader.done(); ++i) Damage(disk, reader).Do();

  env::SimWorld world(6);
  SLUICE_CHECK(world.files.CreateDir("log").ok() && world.files.SyncDir(".").ok());
  for (const auto& [path, content] : disk) world.files.Overwrite(path, content);
  auto opened = OpenSmall(world.env(), "log", witness);
  if (!opened.has_value()) {
    SLUICE_CHECK(opened.error().code == Code::kCorrupt || opened.error().code == Code::kInvalid);
    SLUICE_CHECK(Snapshot(world.files) == disk);
    return;
  }
  FileLog& log = *opened->log;
  std::vector<OwnGroup> expected = ReadGroups(log, log.first());
  CheckRead(expected, log.first(), sample.groups, witness);

  SLUICE_CHECK(log.Seal(log.term().Next()).ok());
  Prng prng(9);
  expected.push_back(RandomGroup(prng, log.next(), log.term(), 500));
  SLUICE_CHECK(AppendTo(log, expected.back()).ok());
  opened->log.reset();
  opened = OpenSmall(world.env(), "log", expected.back().last());
  SLUICE_CHECK(opened.has_value());
  SLUICE_CHECK(ReadGroups(*opened->log, opened->log->first()) == expected);
}
