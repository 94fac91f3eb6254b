#include "env/linux/loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "base/check.h"

namespace sluice::env {
namespace {

constexpr int kEventsMax = static_cast<int>(Loop::kReadyMax);
constexpr int64_t kSleepMsMax = 3'600'000;  // waking early is allowed; overflowing an int is not

epoll_event EventOf(uint64_t tag, Interest interest) {
  const auto bits = static_cast<uint8_t>(interest);
  epoll_event event{};
  if (bits & static_cast<uint8_t>(Interest::kRead)) event.events |= EPOLLIN;
  if (bits & static_cast<uint8_t>(Interest::kWrite)) event.events |= EPOLLOUT;
  event.data.u64 = tag;
  return event;
}

Ready ReadyOf(const epoll_event& event) {
  const bool broken = event.events & (EPOLLERR | EPOLLHUP);
  return Ready{.tag = event.data.u64,
               .readable = (event.events & EPOLLIN) != 0,
               .writable = (event.events & EPOLLOUT) != 0,
               .ended = broken || (event.events & EPOLLRDHUP) != 0,
               .broken = broken};
}

}  // namespace

Result<std::unique_ptr<Loop>> Loop::Open() {
  Fd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.open()) return Fail(Code::kIo, std::string("epoll_create1: ") + std::strerror(errno));
  SLUICE_ASSIGN(Fd event, Wakeup::OpenEvent());
  std::unique_ptr<Loop> loop(new Loop(std::move(epoll), std::move(event)));
  epoll_event wake{};
  wake.events = EPOLLIN | EPOLLET;
  wake.data.u64 = kTagReserved;
  if (epoll_ctl(loop->epoll_.get(), EPOLL_CTL_ADD, loop->wakeup_.fd(), &wake) != 0) {
    return Fail(Code::kIo, std::string("epoll_ctl: ") + std::strerror(errno));
  }
  return loop;
}

Loop::Loop(Fd epoll, Fd event)
    : epoll_(std::move(epoll)),
      wakeup_(std::move(event)),
      events_(std::make_unique<epoll_event[]>(kEventsMax)) {}

Loop::~Loop() = default;

Status Loop::Add(int fd, uint64_t tag, Interest interest, Report report) {
  SLUICE_CHECK(tag != kTagReserved);
  epoll_event event = EventOf(tag, interest);
  if (report == Report::kNews) event.events |= EPOLLET | EPOLLRDHUP;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return Ok();
  SLUICE_CHECK_MSG(errno == ENOSPC || errno == ENOMEM, std::strerror(errno));
  return Fail(Code::kIo, std::string("epoll_ctl: ") + std::strerror(errno));
}

void Loop::Modify(int fd, uint64_t tag, Interest interest) {
  epoll_event event = EventOf(tag, interest);
  const int failed = epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
  SLUICE_CHECK_MSG(failed == 0, std::strerror(errno));
}

void Loop::Remove(int fd) {
  const int failed = epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  SLUICE_CHECK_MSG(failed == 0, std::strerror(errno));
}

int Loop::Wait(int64_t timeout_us) {
  if (timeout_us == 0) return epoll_wait(epoll_.get(), events_.get(), kEventsMax, 0);
  if (timeout_us < 0) return epoll_wait(epoll_.get(), events_.get(), kEventsMax, -1);
  if (fine_timeout_) {
    const timespec timeout{.tv_sec = timeout_us / 1'000'000,
                           .tv_nsec = timeout_us % 1'000'000 * 1'000};
    const int count = epoll_pwait2(epoll_.get(), events_.get(), kEventsMax, &timeout, nullptr);
    if (count >= 0 || (errno != ENOSYS && errno != EPERM)) return count;
    fine_timeout_ = false;  // a kernel before 5.11, or a sandbox that does not know the call
  }
  const int64_t timeout_ms = std::min<int64_t>((timeout_us + 999) / 1000, kSleepMsMax);
  return epoll_wait(epoll_.get(), events_.get(), kEventsMax, static_cast<int>(timeout_ms));
}

size_t Loop::Poll(int64_t timeout_us, std::vector<Ready>* ready) {
  ready->clear();
  const bool sleeps = timeout_us != 0 && wakeup_.PrepareSleep();
  const int count = Wait(sleeps ? timeout_us : 0);
  const int error = errno;
  wakeup_.Awake();
  if (count < 0) {
    SLUICE_CHECK_MSG(error == EINTR, std::strerror(error));
    return 0;
  }
  for (int i = 0; i < count; ++i) {
    if (events_[i].data.u64 != kTagReserved) ready->push_back(ReadyOf(events_[i]));
  }
  return ready->size();
}

}  // namespace sluice::env
