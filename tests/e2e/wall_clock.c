// A wall clock that a test can set: preloaded into a server, it adds to the time of day the
// milliseconds that stand in the first eight bytes of $WALL_CLOCK_FILE at that moment. The
// monotonic clock goes on.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t* offset_ms;

__attribute__((constructor)) static void map(void) {
  const int fd = open(getenv("WALL_CLOCK_FILE"), O_RDONLY);
  void* const at = mmap(NULL, sizeof *offset_ms, PROT_READ, MAP_SHARED, fd, 0);
  if (fd < 0 || at == MAP_FAILED) _exit(99);
  close(fd);
  offset_ms = at;
}

int clock_gettime(clockid_t clock, struct timespec* now) {
  const int status = (int)syscall(SYS_clock_gettime, clock, now);
  if (status == 0 && clock == CLOCK_REALTIME && offset_ms != NULL) {
    now->tv_sec += *offset_ms / 1000;
  }
  return status;
}
