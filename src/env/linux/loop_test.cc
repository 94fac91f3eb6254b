#include "env/linux/loop.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/log_line.h"
#include "base/prng.h"

namespace sluice::env {
namespace {

constexpr int64_t kLongUs = 20'000'000;  // a wait that only a broken loop would use up

std::unique_ptr<Loop> OpenLoop() {
  auto loop = Loop::Open();
  EXPECT_TRUE(loop.has_value());
  return std::move(*loop);
}

std::unique_ptr<Listener> Listen(const std::string& address = "127.0.0.1:0") {
  auto listener = Listener::Open(address);
  EXPECT_TRUE(listener.has_value()) << listener.error().message;
  return std::move(*listener);
}

struct Pair {
  Fd client, server;
};

Pair ConnectPair(Listener& listener) {
  auto client = Connect(listener.address(), 5000);
  EXPECT_TRUE(client.has_value()) << client.error().message;
  auto loop = OpenLoop();
  EXPECT_TRUE(loop->Add(listener.fd(), 1, Interest::kRead).ok());
  std::vector<Ready> ready;
  loop->Poll(kLongUs, &ready);
  Pair pair{.client = std::move(*client), .server = {}};
  EXPECT_EQ(listener.Accept(&pair.server), Listener::Accepted::kOne);
  return pair;
}

// Clients that send, and servers that send back what they get, all in one loop.
class Echo {
 public:
  static constexpr uint64_t kClients = 8;
  static constexpr size_t kBytes = 300'000;

  void Start() {
    ASSERT_TRUE(loop_->Add(listener_->fd(), 0, Interest::kRead).ok());
    for (uint64_t tag = 1; tag <= kClients; ++tag) {
      auto fd = Connect(listener_->address(), 5000);
      ASSERT_TRUE(fd.has_value());
      std::string text(kBytes, 0);
      for (char& c : text) c = static_cast<char>(prng_());
      ASSERT_TRUE(loop_->Add(fd->get(), tag, Interest::kReadWrite).ok());
      client_of_[LocalAddress(fd->get())] = tag;
      sides_[tag] = Side{std::move(*fd), text, text, {}, true};
    }
  }

  void Run() {
    std::vector<Ready> ready;
    while (finished_ < kClients) {
      ASSERT_GT(loop_->Poll(kLongUs, &ready), 0u) << "the loop lost a readiness";
      for (const Ready& one : ready) {
        ASSERT_FALSE(one.broken);
        if (one.tag == 0) {
          Accept();
          continue;
        }
        Side& side = sides_.at(one.tag);
        if (one.readable) Read(one.tag, side);
        if (one.writable || !side.wants_write) Write(one.tag, side);
      }
    }
    for (uint64_t tag = 1; tag <= kClients; ++tag) {
      EXPECT_TRUE(sides_[tag].got == sides_[tag].sent) << tag;
    }
  }

 private:
  struct Side {
    Fd fd;
    std::string sent, to_write, got;
    bool wants_write = false;
  };
  static constexpr uint64_t kServer = 100;  // plus its client's tag

  void Accept() {
    Fd fd;
    while (listener_->Accept(&fd) == Listener::Accepted::kOne) {
      TuneConnection(fd.get(), 300);
      const uint64_t tag = kServer + client_of_.at(PeerAddress(fd.get()));
      ASSERT_TRUE(loop_->Add(fd.get(), tag, Interest::kRead).ok());
      sides_[tag].fd = std::move(fd);
    }
  }

  void Read(uint64_t tag, Side& side) {
    char bytes[3000];
    const Transfer got = ReadSome(side.fd.get(), bytes, 1 + prng_.Below(sizeof bytes));
    ASSERT_EQ(got.result, IoResult::kDone);
    (tag > kServer ? side.to_write : side.got).append(bytes, got.bytes);
    if (tag < kServer && side.got.size() == kBytes) ++finished_;
  }

  void Write(uint64_t tag, Side& side) {
    if (side.to_write.empty()) return;
    std::vector<std::string_view> spans;
    std::string_view rest = side.to_write;
    while (!rest.empty() && spans.size() < kSpansMax + 3) {
      const size_t size = std::min<size_t>(rest.size(), prng_.Below(4000));
      spans.push_back(rest.substr(0, size));
      rest.remove_prefix(size);
    }
    if (spans.front().empty()) spans.front() = side.to_write;
    const Transfer done = WriteSpans(side.fd.get(), spans);
    ASSERT_NE(done.result, IoResult::kFailed);
    side.to_write.erase(0, done.bytes);
    const bool wants = !side.to_write.empty();
    if (wants != side.wants_write) {
      loop_->Modify(side.fd.get(), tag, wants ? Interest::kReadWrite : Interest::kRead);
    }
    side.wants_write = wants;
  }

  std::unique_ptr<Listener> listener_ = Listen();
  std::unique_ptr<Loop> loop_ = OpenLoop();
  Prng prng_{7};
  std::map<uint64_t, Side> sides_;             // by tag
  std::map<std::string, uint64_t> client_of_;  // by address
  size_t finished_ = 0;
};

// Goal:   bytes arrive whole and in order through partial reads and writes, whatever their sizes.
// Method: echo random messages over real connections with one loop serving both sides; pieces of
//         reads and of WriteSpans drawn at random.
TEST(Loop, EchoesEveryByteInOrder) {
  Echo echo;
  echo.Start();
  echo.Run();
}

// Goal:   a readiness is reported until it is used (level-triggered), only while it is asked for,
//         and never after Remove.
// Method: leave a byte unread over several polls; change the interest back and forth.
TEST(Loop, ReportsWhatIsAskedForUntilItIsTaken) {
  auto listener = Listen();
  auto loop = OpenLoop();
  Pair pair = ConnectPair(*listener);
  ASSERT_EQ(WriteSome(pair.client.get(), "ab").bytes, 2u);
  const uint64_t tag = 0xfedcba9876543210;
  ASSERT_TRUE(loop->Add(pair.server.get(), tag, Interest::kRead).ok());
  std::vector<Ready> ready;
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(loop->Poll(kLongUs, &ready), 1u);
    EXPECT_EQ(ready[0].tag, tag);
    EXPECT_TRUE(ready[0].readable);
    EXPECT_FALSE(ready[0].writable);
  }
  loop->Modify(pair.server.get(), tag, Interest::kNone);
  EXPECT_EQ(loop->Poll(0, &ready), 0u);
  EXPECT_EQ(loop->Poll(1500, &ready), 0u);
  loop->Modify(pair.server.get(), tag + 1, Interest::kReadWrite);
  ASSERT_EQ(loop->Poll(0, &ready), 1u);
  EXPECT_EQ(ready[0].tag, tag + 1);
  EXPECT_TRUE(ready[0].readable && ready[0].writable);
  loop->Remove(pair.server.get());
  EXPECT_EQ(loop->Poll(0, &ready), 0u);
  EXPECT_TRUE(ready.empty());
}

// Goal:   news is reported once, whether it is taken or not, and says when the peer has ended.
TEST(Loop, ReportsNewsOnce) {
  auto listener = Listen();
  auto loop = OpenLoop();
  Pair pair = ConnectPair(*listener);
  ASSERT_EQ(WriteSome(pair.client.get(), "ab").bytes, 2u);
  ASSERT_TRUE(loop->Add(pair.server.get(), 1, Interest::kReadWrite, Report::kNews).ok());
  std::vector<Ready> ready;
  ASSERT_EQ(loop->Poll(kLongUs, &ready), 1u);
  EXPECT_TRUE(ready[0].readable && ready[0].writable && !ready[0].ended);
  EXPECT_EQ(loop->Poll(0, &ready), 0u);
  char bytes[16];
  EXPECT_EQ(ReadSome(pair.server.get(), bytes, 1).bytes, 1u);
  EXPECT_EQ(loop->Poll(0, &ready), 0u) << "there is more, and it is not new";
  ASSERT_EQ(WriteSome(pair.client.get(), "c").bytes, 1u);
  ASSERT_EQ(loop->Poll(kLongUs, &ready), 1u);
  EXPECT_TRUE(ready[0].readable && !ready[0].ended);
  FinishWrites(pair.client.get());
  ASSERT_EQ(loop->Poll(kLongUs, &ready), 1u);
  EXPECT_TRUE(ready[0].ended && !ready[0].broken);
  EXPECT_EQ(loop->Poll(0, &ready), 0u);
}

// Goal:   who reads as Report::kNews says misses no byte and no end.
// Method: clients that send and end at random moments, a server that reads some of those that have
//         more, in pieces of random size; a loop that forgets one uses up the long wait.
TEST(Loop, NewsLosesNothing) {
  struct Side {
    Pair pair;
    size_t sent = 0, got = 0;
    bool finished = false, ended = false, more = false;
  };
  Prng prng(11);
  auto listener = Listen();
  auto loop = OpenLoop();
  std::vector<Side> sides(20);
  for (size_t i = 0; i < sides.size(); ++i) {
    sides[i].pair = ConnectPair(*listener);
    const int fd = sides[i].pair.server.get();
    ASSERT_TRUE(loop->Add(fd, i, Interest::kReadWrite, Report::kNews).ok());
  }
  std::vector<Ready> ready;
  for (size_t open = sides.size(), sending = open; open > 0;) {
    Side& side = sides[prng.Below(sides.size())];
    if (!side.finished && prng.OneIn(100)) {
      FinishWrites(side.pair.client.get());
      side.finished = true;
      --sending;
    } else if (!side.finished) {
      side.sent += WriteSome(side.pair.client.get(), std::string(1 + prng.Below(5000), 'x')).bytes;
    }
    const bool quiet = sending == 0 && std::none_of(sides.begin(), sides.end(),
                                                    [](const Side& one) { return one.more; });
    const size_t count = loop->Poll(quiet ? kLongUs : 0, &ready);
    ASSERT_TRUE(count > 0 || !quiet) << "the loop lost news";
    for (const Ready& one : ready) {
      sides[one.tag].ended |= one.ended;
      sides[one.tag].more |= one.readable || one.ended;
    }
    for (Side& one : sides) {
      if (!one.more || prng.OneIn(2)) continue;
      char bytes[3000];
      const size_t wanted = 1 + prng.Below(sizeof bytes);
      const Transfer got = ReadSome(one.pair.server.get(), bytes, wanted);
      one.got += got.bytes;
      one.more = got.result == IoResult::kDone && (got.bytes == wanted || one.ended);
      if (got.result != IoResult::kClosed) continue;
      EXPECT_EQ(one.got, one.sent);
      --open;
    }
  }
}

// Goal:   when more sockets are ready than one Poll reports, each gets its turn.
// Method: make kReadyMax + 50 sockets readable and never read: two polls must name all of them.
TEST(Loop, TakesTurnsWhenMoreIsReadyThanOnePollReports) {
  auto listener = Listen();
  auto loop = OpenLoop();
  std::vector<Pair> pairs;
  constexpr size_t kPairs = Loop::kReadyMax + 50;
  for (size_t i = 0; i < kPairs; ++i) {
    pairs.push_back(ConnectPair(*listener));
    ASSERT_EQ(WriteSome(pairs[i].client.get(), "x").bytes, 1u);
    ASSERT_TRUE(loop->Add(pairs[i].server.get(), i, Interest::kRead).ok());
  }
  std::set<uint64_t> seen;
  std::vector<Ready> ready;
  for (int i = 0; i < 3; ++i) {
    EXPECT_LE(loop->Poll(kLongUs, &ready), Loop::kReadyMax);
    for (const Ready& one : ready) seen.insert(one.tag);
  }
  EXPECT_EQ(seen.size(), kPairs);
}

// Goal:   no wake-up is lost, however Notify and going to sleep interleave.
// Method: two loops hand a number back and forth through plain atomics, 20,000 times, sleeping in
//         between for as long as it takes; a lost wake-up uses up the long timeout and fails.
TEST(Loop, LosesNoWakeup) {
  auto ping = OpenLoop(), pong = OpenLoop();
  std::atomic<int> to_pong{0}, to_ping{0};
  constexpr int kRounds = 20'000;
  std::atomic<bool> late{false};
  auto await = [&late](Loop& loop, std::atomic<int>& value, int least) {
    std::vector<Ready> ready;
    const auto start = std::chrono::steady_clock::now();
    while (value.load(std::memory_order_relaxed) < least) {
      loop.Poll(kLongUs, &ready);
      if (std::chrono::steady_clock::now() - start > std::chrono::microseconds(kLongUs / 2)) {
        late = true;
        return;
      }
    }
  };
  std::thread other([&] {
    for (int i = 1; i <= kRounds && !late; ++i) {
      await(*pong, to_pong, i);
      to_ping.store(i, std::memory_order_relaxed);
      ping->Notify();
    }
  });
  for (int i = 1; i <= kRounds && !late; ++i) {
    to_pong.store(i, std::memory_order_relaxed);
    pong->Notify();
    await(*ping, to_ping, i);
  }
  late ? pong->Notify() : void();
  other.join();
  EXPECT_FALSE(late);
}

// Goal:   a Notify before the sleep prevents it once; Notify while awake costs no wake-up later.
// Method: notify many times, poll once with a long timeout, then see that the next poll sleeps.
TEST(Loop, OneNotifyEndsOneSleep) {
  auto loop = OpenLoop();
  std::vector<Ready> ready;
  for (int i = 0; i < 100; ++i) loop->Notify();
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(loop->Poll(kLongUs, &ready), 0u);
  const auto woken = std::chrono::steady_clock::now();
  EXPECT_LT(woken - start, std::chrono::microseconds(kLongUs / 2));
  EXPECT_EQ(loop->Poll(30'000, &ready), 0u);
  EXPECT_GE(std::chrono::steady_clock::now() - woken, std::chrono::microseconds(29'000));
}

// Goal:   a timeout below a millisecond is kept, neither spun nor rounded up to several.
TEST(Loop, SleepsForMicroseconds) {
  auto loop = OpenLoop();
  std::vector<Ready> ready;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(loop->Poll(200, &ready), 0u);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::microseconds(50 * 200));
}

// Goal:   the end of a connection is told apart: in order, reset, and full.
// Method: close, reset (linger 0) and fill a connection, and look at each result.
TEST(Socket, TellsHowAConnectionEnds) {
  auto listener = Listen();
  auto loop = OpenLoop();
  std::vector<Ready> ready;
  char bytes[16];
  {
    Pair pair = ConnectPair(*listener);
    EXPECT_EQ(ReadSome(pair.server.get(), bytes, sizeof bytes).result, IoResult::kAgain);
    ASSERT_EQ(WriteSome(pair.client.get(), "bye").bytes, 3u);
    FinishWrites(pair.client.get());
    ASSERT_TRUE(loop->Add(pair.server.get(), 1, Interest::kRead).ok());
    loop->Poll(kLongUs, &ready);
    const Transfer got = ReadSome(pair.server.get(), bytes, sizeof bytes);
    EXPECT_EQ(std::string_view(bytes, got.bytes), "bye");
    loop->Poll(kLongUs, &ready);
    EXPECT_EQ(ReadSome(pair.server.get(), bytes, sizeof bytes).result, IoResult::kClosed);
    loop->Remove(pair.server.get());
  }
  {
    Pair pair = ConnectPair(*listener);
    const linger reset{.l_onoff = 1, .l_linger = 0};
    setsockopt(pair.client.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    ASSERT_TRUE(loop->Add(pair.server.get(), 1, Interest::kNone).ok());
    pair.client.Close();
    ASSERT_EQ(loop->Poll(kLongUs, &ready), 1u);
    EXPECT_TRUE(ready[0].broken);
    EXPECT_EQ(ReadSome(pair.server.get(), bytes, sizeof bytes).result, IoResult::kFailed);
    EXPECT_EQ(WriteSome(pair.server.get(), "x").result, IoResult::kFailed);  // and no SIGPIPE
    loop->Remove(pair.server.get());
  }
  {
    Pair pair = ConnectPair(*listener);
    const std::string block(1 << 20, 'x');
    Transfer done{IoResult::kDone};
    for (int i = 0; i < 100 && done.result == IoResult::kDone; ++i) {
      done = WriteSome(pair.server.get(), block);
    }
    EXPECT_EQ(done.result, IoResult::kAgain);
  }
}

// Goal:   addresses of every form are understood or refused with a reason, and port 0 is reported.
TEST(Socket, ListensWhereItIsTold) {
  for (const char* address : {"127.0.0.1:0", "localhost:0", "*:0", ":0", "0.0.0.0:0"}) {
    auto listener = Listen(address);
    EXPECT_GT(listener->port(), 0);
    EXPECT_TRUE(listener->address().ends_with(":" + std::to_string(listener->port())));
    auto client =
        Connect("127.0.0.1" + listener->address().substr(listener->address().find(':')), 5000);
    EXPECT_TRUE(client.has_value()) << address;
  }
  for (const char* address : {"", "7379", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "1.2.3.4:65536",
                              "1.2.3.4:-1", "::1:80", "no such host:80", "[::zz]:1"}) {
    auto listener = Listener::Open(address, 16);
    ASSERT_FALSE(listener.has_value()) << address;
    EXPECT_EQ(listener.error().code, Code::kInvalid) << address;
  }
  auto first = Listen();
  auto second = Listener::Open(first->address(), 16);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Code::kConflict);
  EXPECT_FALSE(Connect("127.0.0.1:1", 1000).has_value());
}

// Goal:   the same over IPv6, with brackets in the text. A machine without IPv6 has nothing to
//         show.
TEST(Socket, SpeaksIpv6) {
  auto opened = Listener::Open("[::1]:0", 16);
  if (!opened.has_value()) GTEST_SKIP() << opened.error().message;
  EXPECT_TRUE((*opened)->address().starts_with("[::1]:"));
  Pair pair = ConnectPair(**opened);
  EXPECT_EQ(PeerAddress(pair.server.get()), LocalAddress(pair.client.get()));
  auto both = Listen("[::]:0");
  const std::string port = both->address().substr(both->address().rfind(':'));
  auto client = Connect("127.0.0.1" + port, 5000);
  ASSERT_TRUE(client.has_value());
  Fd server;
  while (both->Accept(&server) == Listener::Accepted::kNone) std::this_thread::yield();
  EXPECT_TRUE(PeerAddress(server.get()).starts_with("127.0.0.1:")) << PeerAddress(server.get());
}

// Uses up every descriptor below a lowered limit, until its end.
class NoDescriptors {
 public:
  NoDescriptors() {
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &before_), 0);
    rlimit lowered = before_;
    lowered.rlim_cur = 200;
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &lowered), 0);
    for (int fd; (fd = dup(0)) >= 0;) hogs_.emplace_back(fd);
  }
  ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
  std::vector<Fd> hogs_;
};

// Goal:   with no descriptor free a newcomer is closed and a line logged, the backlog empties, and
//         serving goes on once descriptors are free again.
TEST(Socket, TurnsNewcomersOffWhenNoDescriptorIsFree) {
  std::vector<std::string> lines;
  SetLog({.sink = [&lines](std::string_view line) { lines.emplace_back(line); }});
  // Sanitizers examine a type at its first use, through a pipe: that needs descriptors.
  LogWarning("env", "the first line");
  auto listener = Listen();
  std::vector<Fd> clients;
  for (int i = 0; i < 3; ++i) {
    auto client = Connect(listener->address(), 5000);
    ASSERT_TRUE(client.has_value());
    clients.push_back(std::move(*client));
  }
  Fd server;
  {
    const NoDescriptors none;
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(listener->Accept(&server), Listener::Accepted::kTurnedOff) << i;
    }
    EXPECT_EQ(listener->Accept(&server), Listener::Accepted::kNone);
  }
  SetLog({});
  EXPECT_EQ(lines.size(), 1u + 3u);
  auto loop = OpenLoop();
  std::vector<Ready> ready;
  for (Fd& client : clients) {
    ASSERT_TRUE(loop->Add(client.get(), 1, Interest::kRead).ok());
    ASSERT_EQ(loop->Poll(kLongUs, &ready), 1u);
    char byte;
    EXPECT_NE(ReadSome(client.get(), &byte, 1).result, IoResult::kAgain);
    loop->Remove(client.get());
  }
  EXPECT_EQ(listener->Accept(&server), Listener::Accepted::kNone);
  Pair pair = ConnectPair(*listener);
  EXPECT_TRUE(pair.server.open());
}

}  // namespace
}  // namespace sluice::env
