/* The one-file program: unpacks the folder build behind it into a cache once, then runs it.
 *
 * The file is this program, the folder build as a tar archive in one zstd frame, and a `struct Trailer`. The cache
 * has a folder for each build, put in place by one rename, so that it is whole or not there. Whoever unpacks holds
 * `lock`; whoever runs a build holds its `used`, which also tells by its date when that was last. */

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif
#define ZSTD_STATIC_LINKING_ONLY
#include "zstd.h"

#define MAGIC "opperlite-bundle"
#define CANNOT_START 5          /* the exit code of every failure here; see EXIT_CODES in opperlite/cli.py */
#define SETTING "OPPERLITE_CACHE"
#define SHARED "/var/tmp/"      /* where others can make entries, such as links */
#define LONGEST 1024            /* bytes of a cache's path */
#define KEPT 2                  /* builds kept beside the one that is started */
#define KEPT_SECONDS (30 * 86400)
#define SPARE (8u << 20)        /* bytes left free on the disk */
#define TAR_BLOCK 512

struct Trailer {                /* at the end of the file; numbers are little-endian; one_file.py writes it */
    char magic[16];
    uint64_t offset;            /* of the zstd frame in the file */
    uint64_t length;            /* of the zstd frame */
    uint64_t unpacked;          /* bytes on disk */
    char build[64];             /* <version>-<digest>: the name of the folder in the cache */
    char needs[64];             /* what the system must have, in words */
};

static char self[PATH_MAX];
static struct Trailer trailer;

/* ------------------------------------------------------------------------------------------------- messages */

static char refusal[PATH_MAX + 256]; /* why the last folder could not be used; empty when it could */

__attribute__((format(printf, 1, 2))) static int refuse(const char *form, ...) {
    va_list words;
    va_start(words, form);
    vsnprintf(refusal, sizeof refusal, form, words);
    va_end(words);
    return -1;
}

__attribute__((noreturn)) static void fail(const char *what) {
    fprintf(stderr, "Error: %s\n", what);
    exit(CANNOT_START);
}

__attribute__((noreturn)) static void fail_damaged(void) {
    refuse("%s is damaged: copy it again and compare it with SHA256SUMS", self);
    fail(refusal);
}

/* ------------------------------------------------------------------------------------------------- the file */

static void find_self(void) {
#ifdef __APPLE__
    char found[PATH_MAX];
    uint32_t size = sizeof found;
    if (_NSGetExecutablePath(found, &size) || !realpath(found, self)) fail("the program cannot find its own file");
#else
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0) fail("the program cannot find its own file: /proc is not mounted");
    self[length] = 0;
#endif
}

static int read_trailer(void) {
    struct stat facts;
    int file = open(self, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &facts)) {
        refuse("%s cannot be read: %s", self, strerror(errno));
        fail(refusal);
    }
    off_t start = facts.st_size - (off_t)sizeof trailer;
    if (start < 0 || pread(file, &trailer, sizeof trailer, start) != (ssize_t)sizeof trailer ||
        memcmp(trailer.magic, MAGIC, sizeof trailer.magic) || trailer.offset + trailer.length != (uint64_t)start ||
        !memchr(trailer.build, 0, sizeof trailer.build) || !memchr(trailer.needs, 0, sizeof trailer.needs) ||
        !trailer.build[0] || trailer.build[0] == '.' || strchr(trailer.build, '/'))
        fail_damaged();
    return file;
}

/* ------------------------------------------------------------------------------------------------- the tree */

static int remove_tree(int parent, const char *name) {
    if (!unlinkat(parent, name, 0) || errno == ENOENT) return 0;
    int folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0) return -1;
    DIR *entries = fdopendir(folder);
    if (!entries) return close(folder), -1;
    for (struct dirent *entry; (entry = readdir(entries));)
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) remove_tree(folder, entry->d_name);
    closedir(entries);
    return unlinkat(parent, name, AT_REMOVEDIR);
}

static int make_folders(const char *path) {
    char part[PATH_MAX];
    snprintf(part, sizeof part, "%s", path);
    for (char *slash = part + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = 0;
        if (mkdir(part, 0700) && errno != EEXIST) return -1;
    }
    return mkdir(part, 0700) && errno != EEXIST ? -1 : 0;
}

/* ------------------------------------------------------------------------------------------------- unpacking */

struct Unpacker {
    FILE *source;
    uint64_t left;              /* of the frame */
    ZSTD_DCtx *context;
    ZSTD_inBuffer in;
    ZSTD_outBuffer out;
    size_t taken;               /* of `out` */
    size_t status;              /* 0 when the frame is complete */
};

/* The next bytes of the archive, at most `wanted`; 0 at its end. Damage ends the program's work here. */
static size_t next_bytes(struct Unpacker *u, const char **bytes, size_t wanted) {
    while (u->taken == u->out.pos) {
        u->out.pos = u->taken = 0;
        if (u->in.pos == u->in.size) {
            size_t size = u->left < ZSTD_DStreamInSize() ? (size_t)u->left : ZSTD_DStreamInSize();
            if (!size && !u->status) return 0;
            if (!size || fread((void *)u->in.src, 1, size, u->source) != size) return (size_t)-1;
            u->left -= size;
            u->in.size = size;
            u->in.pos = 0;
        }
        u->status = ZSTD_decompressStream(u->context, &u->out, &u->in);
        if (ZSTD_isError(u->status)) return (size_t)-1;
    }
    size_t size = u->out.pos - u->taken < wanted ? u->out.pos - u->taken : wanted;
    *bytes = (const char *)u->out.dst + u->taken;
    u->taken += size;
    return size;
}

static int next_block(struct Unpacker *u, char block[TAR_BLOCK]) {
    const char *bytes;
    for (size_t filled = 0; filled < TAR_BLOCK;) {
        size_t size = next_bytes(u, &bytes, TAR_BLOCK - filled);
        if (size == 0 || size == (size_t)-1) return -1;
        memcpy(block + filled, bytes, size);
        filled += size;
    }
    return 0;
}

static int write_file(struct Unpacker *u, int folder, const char *name, mode_t mode, uint64_t size) {
    int file = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (file < 0) return -1;
    uint64_t padded = (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
    for (uint64_t done = 0; done < padded;) {
        const char *bytes;
        size_t got = next_bytes(u, &bytes, padded - done < (1 << 30) ? (size_t)(padded - done) : 1 << 30);
        if (got == 0 || got == (size_t)-1) return close(file), errno = EBADMSG, -1;
        size_t kept = done >= size ? 0 : size - done < got ? (size_t)(size - done) : got;
        done += got;
        while (kept) {
            ssize_t wrote = write(file, bytes, kept);
            if (wrote < 0 && errno == EINTR) continue;
            if (wrote < 0) { int why = errno; close(file); errno = why; return -1; }
            bytes += wrote;
            kept -= (size_t)wrote;
        }
    }
    return close(file);
}

/* One member of a ustar archive (POSIX.1-1988); 1 at the archive's end. */
static int unpack_member(struct Unpacker *u, int folder) {
    char head[TAR_BLOCK], name[257], target[101];
    if (next_block(u, head)) return errno = EBADMSG, -1;
    if (!head[0]) return 1;
    snprintf(name, sizeof name, "%.155s%s%.100s", head + 345, head[345] ? "/" : "", head);
    snprintf(target, sizeof target, "%.100s", head + 157);
    uint64_t size = strtoull(head + 124, NULL, 8);
    switch (head[156]) {
    case '5': return mkdirat(folder, name, 0700);
    case '2': return symlinkat(target, folder, name);
    case '0': return write_file(u, folder, name, strtoul(head + 100, NULL, 8) & 0100 ? 0700 : 0600, size);
    default: return errno = EBADMSG, -1;
    }
}

/* 0, or -1 with errno: EBADMSG for a damaged archive. */
static int unpack(int file, int folder) {
    struct Unpacker u = {.left = trailer.length, .context = ZSTD_createDCtx(), .status = 1};
    u.in.src = malloc(ZSTD_DStreamInSize());
    u.out.size = 1 << 20;
    u.out.dst = malloc(u.out.size);
    u.source = fdopen(dup(file), "rb");
    if (!u.context || !u.in.src || !u.out.dst || !u.source) return errno = ENOMEM, -1;
    ZSTD_DCtx_setParameter(u.context, ZSTD_d_windowLogMax, 27);
    int ended = -1;
    if (!fseeko(u.source, (off_t)trailer.offset, SEEK_SET))
        while (!(ended = unpack_member(&u, folder))) {}
    const char *rest;
    size_t more = 1;
    if (ended == 1) /* the frame's own checksum stands at its end */
        while ((more = next_bytes(&u, &rest, 1 << 20)) && more != (size_t)-1) {}
    int why = errno;
    fclose(u.source);
    if (ended == 1 && more == 0) return 0;
    errno = ended == 1 ? EBADMSG : why;
    return -1;
}

/* ------------------------------------------------------------------------------------------------- the cache */

/* Start the unpacked program once: a system that is too old, or forbids it, shows here and not at the user's call. */
static int try_out(const char *program) {
    int ends[2];
    char said[4096], *last = said;
    size_t length = 0;
    if (pipe(ends)) return refuse("no pipe can be made: %s", strerror(errno));
    pid_t child = fork();
    if (child < 0) return refuse("no process can be started: %s", strerror(errno));
    if (!child) {
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        execl(program, program, "--version", (char *)NULL);
        fprintf(stderr, "%s\n", strerror(errno));
        _exit(127);
    }
    close(ends[1]);
    for (ssize_t got; (got = read(ends[0], said + length, sizeof said - 1 - length)) > 0;) {
        length += (size_t)got;
        if (length < sizeof said - 1) continue;
        memmove(said, said + sizeof said / 2, length - sizeof said / 2); /* its end matters */
        length -= sizeof said / 2;
    }
    close(ends[0]);
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    if (WIFEXITED(status) && !WEXITSTATUS(status)) return 0;
    while (length && said[length - 1] == '\n') length--;
    said[length] = 0;
    if (strrchr(said, '\n')) last = strrchr(said, '\n') + 1;
    return refuse("the program does not start on this system%s%s: %s", trailer.needs[0] ? ", it needs " : "",
                  trailer.needs, last);
}

/* Refuse a folder that somebody else could have put programs into. */
static int check_owner(int folder, const char *path) {
    struct stat facts;
    if (fstat(folder, &facts)) return refuse("%s cannot be read: %s", path, strerror(errno));
    if (facts.st_uid != geteuid()) return refuse("%s belongs to another user", path);
    if (facts.st_mode & 022) return refuse("%s can be written by other users: chmod go-w it", path);
    return 0;
}

/* Hold a build that is in place against its removal; its descriptor, which the program inherits, or -1. */
static int hold(int cache) {
    char used[PATH_MAX];
    int folder = openat(cache, trailer.build, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0) return -1;
    int right = check_owner(folder, trailer.build);
    close(folder);
    if (right) return -1;
    snprintf(used, sizeof used, "%s/used", trailer.build);
    int file = openat(cache, used, O_RDONLY | O_NOFOLLOW);
    if (file < 0) return -1;
    if (flock(file, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK) return close(file), -1; /* it is being removed */
    if (faccessat(cache, used, F_OK, 0)) return close(file), -1;                       /* it was */
    futimens(file, NULL);
    return file;
}

static void remove_unused(int cache, const char *name) {
    char used[PATH_MAX], removed[PATH_MAX];
    snprintf(used, sizeof used, "%s/used", name);
    snprintf(removed, sizeof removed, ".new-removed-%s", name);
    int file = openat(cache, used, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (file >= 0 && !flock(file, LOCK_EX | LOCK_NB) && !renameat(cache, name, cache, removed))
        remove_tree(cache, removed);
    if (file >= 0) close(file);
}

/* Remove what killed launchers left, and builds that have not been started for long; `lock` is held. */
static void clean(int cache) {
    struct Build { char name[256]; time_t used; } builds[64], swap;
    int count = 0, copy = openat(cache, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = copy < 0 ? NULL : fdopendir(copy);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        char used[PATH_MAX];
        struct stat facts;
        snprintf(used, sizeof used, "%s/used", entry->d_name);
        if (!strncmp(entry->d_name, ".new-", 5)) remove_tree(cache, entry->d_name);
        else if (count < 64 && strcmp(entry->d_name, trailer.build) && entry->d_name[0] != '.' &&
                 !fstatat(cache, used, &facts, AT_SYMLINK_NOFOLLOW)) {
            snprintf(builds[count].name, sizeof builds[count].name, "%s", entry->d_name);
            builds[count++].used = facts.st_mtime;
        }
    }
    if (entries) closedir(entries);
    for (int i = 0; i < count; i++)
        for (int j = i + 1; j < count; j++)
            if (builds[j].used > builds[i].used) swap = builds[i], builds[i] = builds[j], builds[j] = swap;
    for (int i = 0; i < count; i++)
        if (i >= KEPT || builds[i].used < time(NULL) - KEPT_SECONDS) remove_unused(cache, builds[i].name);
}

static int check_room(int cache, const char *path) {
    struct statvfs disk;
    if (fstatvfs(cache, &disk)) return refuse("%s cannot be looked at: %s", path, strerror(errno));
#ifdef ST_NOEXEC
    if (disk.f_flag & ST_NOEXEC) return refuse("%s is mounted noexec", path);
#endif
    uint64_t room = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (room < trailer.unpacked + SPARE)
        return refuse("%s has %llu MB free, %llu are needed", path, (unsigned long long)(room / 1000000),
                      (unsigned long long)((trailer.unpacked + SPARE) / 1000000 + 1));
    return 0;
}

/* Unpack into a folder of its own and put it in place; `lock` is held. */
static int install(int file, int cache, const char *path) {
    char fresh[96], program[PATH_MAX];
    if (check_room(cache, path)) return -1;
    snprintf(fresh, sizeof fresh, ".new-%s", trailer.build);
    snprintf(program, sizeof program, "%s/%s/opperlite", path, fresh);
    if (mkdirat(cache, fresh, 0700)) return refuse("%s cannot be written: %s", path, strerror(errno));
    int folder = openat(cache, fresh, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), failed = folder < 0;
    failed = failed || unpack(file, folder);
    int used = failed ? -1 : openat(folder, "used", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (failed || used < 0) {
        int why = errno;
        remove_tree(cache, fresh);
        if (why == EBADMSG) fail_damaged();
        return refuse("%s cannot be written: %s", path, strerror(why));
    }
    close(used);
#ifdef __linux__
    syncfs(folder); /* after a power cut the folder is whole or not there */
#else
    sync();
#endif
    close(folder);
    if (try_out(program)) {
        remove_tree(cache, fresh);
        fail(refusal); /* no other folder helps */
    }
    if (renameat(cache, fresh, cache, trailer.build) && errno != EEXIST && errno != ENOTEMPTY)
        return refuse("%s cannot be written: %s", path, strerror(errno));
    fsync(cache);
    return 0;
}

/* The descriptor that holds the build in this cache, unpacked now if need be; -1 with a refusal. */
static int open_build(int file, const char *path) {
    int way = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (strncmp(path, SHARED, sizeof SHARED - 1) ? 0 : O_NOFOLLOW);
    int cache = open(path, way);
    refusal[0] = 0;
    if (cache < 0 && errno == ENOENT && make_folders(path))
        return refuse("%s cannot be made: %s", path, strerror(errno));
    if (cache < 0) cache = open(path, way);
    if (cache < 0) return refuse("%s cannot be read: %s", path, strerror(errno));
    if (check_owner(cache, path)) return close(cache), -1;
    int held = hold(cache);
    if (held >= 0) return close(cache), held;
    int lock = openat(cache, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (lock < 0) return refuse("%s cannot be written: %s", path, strerror(errno)), close(cache), -1;
    while (flock(lock, LOCK_EX) && errno == EINTR) {} /* a file system without locks is left to the rename */
    if ((held = hold(cache)) < 0) {
        clean(cache);
        if (!install(file, cache, path) && (held = hold(cache)) < 0 && !refusal[0])
            refuse("%s/%s cannot be opened: remove it", path, trailer.build);
    }
    close(lock);
    close(cache);
    return held;
}

/* ------------------------------------------------------------------------------------------------- the start */

__attribute__((noreturn)) static void run(const char *cache, char **words) {
    char program[PATH_MAX];
    snprintf(program, sizeof program, "%s/%s/opperlite", cache, trailer.build);
    words[0] = program;
    setenv("_OPPERLITE_ONE_FILE", self, 1); /* ONE_FILE_VARIABLE of opperlite/versions.py */
    execv(program, words);
    refuse("%s cannot be started: %s", program, strerror(errno));
    fail(refusal);
}

/* A place to unpack into; one whose path is relative or too long is passed over. */
static int add(char caches[][LONGEST], int known, const char *base, const char *below) {
    if (!base || base[0] != '/') return known;
    return snprintf(caches[known], LONGEST, "%s%s", base, below) < LONGEST ? known + 1 : known;
}

static int find_caches(char caches[][LONGEST]) {
    const char *set = getenv(SETTING), *own = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char below[64];
    int known = 0;
    if (set && set[0]) {
        if (!(known = add(caches, 0, set, ""))) fail(SETTING ": an absolute path of less than 1024 bytes is needed");
        return known;
    }
#ifdef __APPLE__
    (void)own;
    known = add(caches, known, home, "/Library/Caches/opperlite");
#else
    known = add(caches, known, own, "/opperlite");
    if (!known) known = add(caches, known, home, "/.cache/opperlite");
#endif
    snprintf(below, sizeof below, "opperlite-%u", (unsigned)geteuid());
    return add(caches, known, SHARED, below);
}

int main(int count, char **words) {
    (void)count;
    char caches[3][LONGEST], said[sizeof refusal] = "";
    find_self();
    int file = read_trailer(), known = find_caches(caches);
    for (int i = 0; i < known; i++) {
        mode_t given = umask(077);
        int held = open_build(file, caches[i]);
        umask(given);
        if (held >= 0) run(caches[i], words);
        size_t length = strlen(said);
        snprintf(said + length, sizeof said - length, "%s; ", refusal);
    }
    refuse("%.*sname a folder for the program's files with " SETTING, PATH_MAX, said);
    fail(refusal);
}
