// The event loop of one lane: which sockets are ready, and a sleep that other threads can end.
//
//   Poll()    waits until something is ready, somebody calls Notify, or the time is over.
//   Notify()  ends the sleep of the lane, from any thread; costs no system call while it is awake.
//
// A turn of a lane: Poll, look at every queue, work, write replies. Poll(0) never sleeps.
// A socket is reported while its state lasts, or only for news (Report). With news the caller keeps
// a list of those that it has not read to the end, and whom it leaves unread, for whatever reason,
// costs nothing. Reports of a state that lasts cost each Poll a look at every socket that waits:
// 8 % of a lane's time when a thousand clients do.
//
// Borrows:  the descriptors; Remove one before closing it.
// Threads:  the lane's own; Notify and wakeup() from any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "env/linux/socket.h"
#include "env/linux/wakeup.h"

struct epoll_event;

namespace sluice::env {

enum class Interest : uint8_t { kNone = 0, kRead = 1, kWrite = 2, kReadWrite = 3 };

enum class Report : uint8_t {
  kState,  // at each Poll, while it lasts
  kNews,   // once for whatever came, or has room again, since the Poll before. What is left of it
           // is the caller's to remember: there is more to read while a read brings all that was
           // asked for, and after `ended` until the end has been read
};

struct Ready {
  uint64_t tag = 0;
  bool readable = false;
  bool writable = false;
  bool ended = false;   // the peer sends no more; for news only
  bool broken = false;  // reset or closed both ways: reported whatever the interest; close it
};

class Loop {
 public:
  // Sockets that one Poll reports at most; the others come first at the next one.
  static constexpr size_t kReadyMax = 1024;
  static constexpr uint64_t kTagReserved = ~uint64_t{0};  // the loop's own
  static constexpr int64_t kForever = -1;

  // kIo: no descriptor can be had.
  static Result<std::unique_ptr<Loop>> Open();
  ~Loop();

  // `tag` comes back in Ready. Requires: tag != kTagReserved.
  //   kIo  the kernel's limit of watched descriptors is reached. Not watched.
  Status Add(int fd, uint64_t tag, Interest interest, Report report = Report::kState);
  // Requires: `fd` was added, for its state. Each is one system call: ask only for changes.
  void Modify(int fd, uint64_t tag, Interest interest);
  // What an earlier Poll reported of `fd` stays in the caller's hands.
  void Remove(int fd);

  // Replaces `*ready` by what is ready and returns how many. Sleeps at most `timeout_us` (kForever:
  // no limit), and not at all if Notify was called since the last Poll.
  size_t Poll(int64_t timeout_us, std::vector<Ready>* ready);

  void Notify() { wakeup_.Notify(); }
  Wakeup& wakeup() { return wakeup_; }

 private:
  Loop(Fd epoll, Fd event);
  int Wait(int64_t timeout_us);

  Fd epoll_;
  Wakeup wakeup_;
  bool fine_timeout_ = true;  // epoll_pwait2 works here
  std::unique_ptr<epoll_event[]> events_;
};

}  // namespace sluice::env
