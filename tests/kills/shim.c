/* Preloaded into the program under test: stands between it and the kernel, at the calls that touch state or network.

   Such calls are counted: open with O_CREAT, mkdir, write, fsync, ftruncate, rename, unlink of files, connect and send
   of internet sockets. Standard streams, pipes and the event loop's own socket pair are not.

   KILLS_AT=N          SIGKILL to itself at the N-th counted call ...
   KILLS_ON=CALL,PART  ... of this kind, on a file whose path has PART in it (a dash: any) ...
   KILLS_HOW=WHEN      ... before it, after it, or half way (a write or send of half its bytes)
   KILLS_SIGNAL=N      another signal instead; the program may go on
   KILLS_STALL=FILE    no signal: make FILE, and let the call hang, as on a disk that does not answer
   KILLS_TRACE=FILE    one line for each counted call: number, call, file
   KILLS_FAIL=CALL,PART,SKIP,ERRNO
                       CALL (write, sync, create, truncate, rename, unlink) on a file whose path has PART in it fails
                       with ERRNO, from the call after the first SKIP of them on; a full disk takes half of a write first
   KILLS_FAIL_WHEN=FILE
                       ... and only while FILE exists
   KILLS_CLOCK=MS      the wall clock is off by so many milliseconds ...
   KILLS_CLOCK_FROM=N  ... from the N-th send on */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum how { BEFORE, AFTER, HALF };

static long calls, sends, fitting;
static long kill_at, chosen, skip, clock_from, clock_ms;
static enum how how;
static int fail_errno, trace = -1, kill_signal = SIGKILL;
static char fail_call[16], fail_part[256], kill_call[16], kill_part[256];
static const char *fail_when, *stall;

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

static long number(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

/* Also called by a forked child, whose environment is another. */
__attribute__((constructor)) void begin(void) {
    const char *text = getenv("KILLS_HOW");
    calls = sends = fitting = chosen = skip = fail_errno = 0;
    *fail_call = *fail_part = *kill_call = *kill_part = 0;
    kill_signal = SIGKILL;
    trace = -1;
    kill_at = number("KILLS_AT");
    clock_ms = number("KILLS_CLOCK");
    clock_from = number("KILLS_CLOCK_FROM");
    how = text && !strcmp(text, "after") ? AFTER : text && !strcmp(text, "half") ? HALF : BEFORE;
    fail_when = getenv("KILLS_FAIL_WHEN");
    stall = getenv("KILLS_STALL");
    if (getenv("KILLS_SIGNAL")) kill_signal = number("KILLS_SIGNAL");
    if ((text = getenv("KILLS_ON"))) sscanf(text, "%15[^,],%255s", kill_call, kill_part);
    if ((text = getenv("KILLS_FAIL")))
        sscanf(text, "%15[^,],%255[^,],%ld,%d", fail_call, fail_part, &skip, &fail_errno);
    if ((text = getenv("KILLS_TRACE")))
        trace = syscall(SYS_openat, AT_FDCWD, text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void die(void) {
    if (stall) {
        struct timespec long_enough = {60, 0};
        syscall(SYS_close, syscall(SYS_openat, AT_FDCWD, stall, O_WRONLY | O_CREAT, 0600));
        while (nanosleep(&long_enough, &long_enough)) {} /* no signal wakes a process that waits for a disk */
        return;
    }
    syscall(SYS_kill, getpid(), kill_signal);
    while (kill_signal == SIGKILL) pause();
}

static void path_of(int fd, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    path[length > 0 ? length : 0] = 0;
}

static int fits(const char *call, const char *path, const char *wanted, const char *part) {
    return !strcmp(call, wanted) && (!strcmp(part, "-") || strstr(path, part));
}

/* Counts a call. True: it is the last, to be made in part or whole before the end. */
static int last(const char *call, const char *path) {
    long n = __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
    if (trace >= 0) {
        char line[400];
        int length = snprintf(line, sizeof line, "%ld %s %.300s\n", n, call, path);
        syscall(SYS_write, trace, line, length);
    }
    if (*kill_call) {
        if (!fits(call, path, kill_call, kill_part)) return 0;
        n = __atomic_add_fetch(&chosen, 1, __ATOMIC_SEQ_CST);
    }
    if (n != kill_at) return 0;
    if (how != BEFORE) return 1;
    die();
    return 0;
}

static int fails(const char *call, const char *path) {
    if (!fail_errno || !fits(call, path, fail_call, fail_part)) return 0;
    if (fail_when && syscall(SYS_faccessat, AT_FDCWD, fail_when, F_OK)) return 0;
    return __atomic_add_fetch(&fitting, 1, __ATOMIC_SEQ_CST) > skip;
}

static int refuse(void) {
    errno = fail_errno;
    return -1;
}

static int is_file(int fd) {
    struct stat found;
    return fd > 2 && fd != trace && syscall(SYS_fstat, fd, &found) == 0 && S_ISREG(found.st_mode);
}

static int is_internet(int fd) {
    struct sockaddr_storage name;
    socklen_t size = sizeof name;
    return getsockname(fd, (struct sockaddr *)&name, &size) == 0 &&
           (name.ss_family == AF_INET || name.ss_family == AF_INET6);
}

/* A call on a path or descriptor: refuse it, or make it and die if it is the last. */
#define ON(call, path, made)                                                                                          \
    do {                                                                                                              \
        int is_last = last(call, path);                                                                               \
        if (fails(call, path)) return refuse();                                                                       \
        __typeof__(made) result = made;                                                                               \
        if (is_last) die();                                                                                           \
        return result;                                                                                                \
    } while (0)

#define ON_FD(call, fd, made)                                                                                         \
    do {                                                                                                              \
        char path[300];                                                                                               \
        path_of(fd, path, sizeof path);                                                                               \
        ON(call, path, made);                                                                                         \
    } while (0)

#define WRITES(fd, size, made)                                                                                        \
    do {                                                                                                              \
        if (!is_file(fd)) return made;                                                                                \
        char path[300];                                                                                               \
        path_of(fd, path, sizeof path);                                                                               \
        int is_last = last("write", path), fail = fails("write", path);                                              \
        if (fail && (fail_errno != ENOSPC || size < 2 || fitting > skip + 1)) return refuse();                        \
        if (size > 1 && (fail || (is_last && how == HALF))) size /= 2;                                                \
        ssize_t result = made;                                                                                        \
        if (is_last) die();                                                                                           \
        return result;                                                                                                \
    } while (0)

ssize_t write(int fd, const void *data, size_t size) { WRITES(fd, size, REAL(write)(fd, data, size)); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { WRITES(fd, size, REAL(pwrite)(fd, data, size, at)); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    WRITES(fd, size, REAL(pwrite64)(fd, data, size, at));
}

int fsync(int fd) { ON_FD("sync", fd, REAL(fsync)(fd)); }
int fdatasync(int fd) { ON_FD("sync", fd, REAL(fdatasync)(fd)); }
int ftruncate(int fd, off_t size) { ON_FD("truncate", fd, REAL(ftruncate)(fd, size)); }
int ftruncate64(int fd, off64_t size) { ON_FD("truncate", fd, REAL(ftruncate64)(fd, size)); }
int rename(const char *from, const char *to) { ON("rename", to, REAL(rename)(from, to)); }
int renameat(int a, const char *from, int b, const char *to) { ON("rename", to, REAL(renameat)(a, from, b, to)); }
int unlink(const char *path) { ON("unlink", path, REAL(unlink)(path)); }
int unlinkat(int fd, const char *path, int flags) { ON("unlink", path, REAL(unlinkat)(fd, path, flags)); }
int mkdir(const char *path, mode_t mode) { ON("create", path, REAL(mkdir)(path, mode)); }

#define OPENS(name, path, flags, made)                                                                                \
    do {                                                                                                              \
        va_list rest;                                                                                                 \
        va_start(rest, flags);                                                                                        \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                                       \
        va_end(rest);                                                                                                 \
        if (!(flags & O_CREAT)) return made;                                                                          \
        ON("create", path, made);                                                                                     \
    } while (0)

int open(const char *path, int flags, ...) { OPENS(open, path, flags, REAL(open)(path, flags, mode)); }
int open64(const char *path, int flags, ...) { OPENS(open64, path, flags, REAL(open64)(path, flags, mode)); }
int openat(int fd, const char *path, int flags, ...) {
    OPENS(openat, path, flags, REAL(openat)(fd, path, flags, mode));
}
int openat64(int fd, const char *path, int flags, ...) {
    OPENS(openat64, path, flags, REAL(openat64)(fd, path, flags, mode));
}

#define SENDS(fd, size, made)                                                                                         \
    do {                                                                                                              \
        if (!is_internet(fd)) return made;                                                                            \
        __atomic_add_fetch(&sends, 1, __ATOMIC_SEQ_CST);                                                              \
        int is_last = last("send", "");                                                                               \
        if (is_last && how == HALF && size > 1) size /= 2;                                                            \
        ssize_t result = made;                                                                                        \
        if (is_last) die();                                                                                           \
        return result;                                                                                                \
    } while (0)

ssize_t send(int fd, const void *data, size_t size, int flags) {
    SENDS(fd, size, REAL(send)(fd, data, size, flags));
}
ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t length) {
    SENDS(fd, size, REAL(sendto)(fd, data, size, flags, to, length));
}
ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    size_t size = 0;
    SENDS(fd, size, REAL(sendmsg)(fd, message, flags));
}
int connect(int fd, const struct sockaddr *to, socklen_t length) {
    if (to->sa_family != AF_INET && to->sa_family != AF_INET6) return REAL(connect)(fd, to, length);
    ON("connect", "", REAL(connect)(fd, to, length));
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && clock_ms && clock == CLOCK_REALTIME && sends >= clock_from) {
        long long ns = now->tv_sec * 1000000000LL + now->tv_nsec + clock_ms * 1000000LL;
        now->tv_sec = ns / 1000000000LL;
        now->tv_nsec = ns % 1000000000LL;
    }
    return result;
}
