#include "log/file_log_reader.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "env/linux/clock.h"
#include "env/linux/entropy.h"
#include "env/linux/file_system.h"
#include "log/file_log.h"
#include "log/kit_test.h"

namespace sluice::log {
namespace {

// Goal:   readers beside the writer see whole durable groups in order, or that they came too late.
// Method: real threads on a real disk: one writes, trims and recycles, one prepares segments, two
//         follow from the first LSN there is, each starting anew when it was trimmed away.
TEST(FileLogReader, FollowsALogThatGrowsAndIsTrimmed) {
  std::string path = (std::filesystem::temp_directory_path() / "sluice_read_XXXXXX").string();
  const std::string dir = ::mkdtemp(path.data());
  env::LinuxClock clock;
  env::LinuxFileSystem files;
  env::LinuxEntropy entropy;
  {
    auto opened = OpenSmall({clock, files, entropy}, dir + "/log");
    ASSERT_TRUE(opened.has_value());
    FileLog& log = *opened->log;
    std::atomic<bool> done{false};
    std::atomic<uint64_t> groups_read{0};
    const auto follow = [&] {
      while (!done) {
        auto reader = log.Read(log.first());
        model::Lsn next;
        for (;;) {
          if (!reader.has_value()) break;  // trimmed between the two calls
          const auto group = (*reader)->Next();
          if (!group.has_value()) {
            ASSERT_EQ(group.error().code, Code::kNotFound) << group.error().message;
            break;
          }
          if (*group == nullptr) {
            if (done) break;
            std::this_thread::yield();
            continue;
          }
          const GroupView& view = **group;
          if (next.value != 0) {
            ASSERT_EQ(view.first, next);
          }
          next = model::Lsn(view.first.value + view.records);
          ASSERT_EQ(view.batches[0].bytes, std::string(view.first.value % 5000, 'x'));
          ++groups_read;
        }
      }
    };
    std::vector<std::thread> threads;
    threads.emplace_back(follow);
    threads.emplace_back(follow);
    threads.emplace_back([&] {
      while (!done) {
        ASSERT_TRUE(log.Prepare().ok());
        std::this_thread::yield();
      }
    });
    for (uint64_t i = 1; i <= 400; ++i) {
      OwnGroup group;
      group.first = model::Lsn(i);
      group.records = 1;
      group.batches.push_back({std::string(i % 5000, 'x'), 1, {}});
      ASSERT_TRUE(AppendTo(log, group).ok());
      if (i % 30 == 0) {
        ASSERT_TRUE(log.Trim(model::Lsn(i - 20)).ok());
      }
    }
    done = true;
    for (std::thread& thread : threads) thread.join();
    EXPECT_GT(groups_read, 0u);
  }
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace sluice::log
