/* What a load process does for each socket that has something: read it, and count what is known already.
 *
 * All agents are sent the same frames, so that only the first to get one has to have it decoded (bench/agent_stream.py);
 * for the others it is found again by its length, first and last bytes, and counted here. Whatever is not wholly made
 * of known frames is handed to the caller as it was read. Compressed frames of a snapshot are counted by their headers,
 * and discarded in the kernel: agents have machines of their own to copy them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#define EVENTS 4096
#define KNOWN 64 /* frames that agents may be apart, by all topics */
#define HEAD 128
#define TAIL 32
#define LENGTH_BYTES 4
#define HEADER_BYTES 5
/* docs/protocol.md: ENTRIES | COMPRESSED */
#define COMPRESSED_ENTRIES ((char)0x84)
/* Of one socket before the next one's turn. */
#define SNAPSHOT_READS 4

/* These are laid out once more in bench/reading.py. */
enum reader { CALLER, BYTES, FRAMES, SNAPSHOT };
struct counts {
    uint64_t reader, bytes, frames, changes, position, skip; /* skip: bytes of a snapshot's frame still to come */
};
struct arrival {
    uint64_t handle, through, at_ns;
};
struct read {
    int32_t handle, size; /* size: bytes in the buffer, -errno, or UNREAD: still in the socket */
    uint64_t at_ns;       /* monotonic, after the read */
};
#define UNREAD INT32_MIN

struct known {
    size_t size;
    uint64_t through, changes;
    char head[HEAD], tail[TAIL];
};

static struct epoll_event ready[EVENTS];
static int ready_count, ready_next;
static struct known known[KNOWN];
static size_t known_count;
static struct counts *sockets;
static size_t sockets_count, buffer_bytes, arrivals_room;
static char *buffer;

/* While is_recording, in the order in which they were read. */
struct arrival *arrivals;
size_t arrivals_count;
int is_recording;

/* The caller's: counts by handle, and where a read goes. */
void prepare(struct counts *by_handle, size_t handles, char *shared, size_t shared_bytes) {
    sockets = by_handle;
    sockets_count = handles;
    buffer = shared;
    buffer_bytes = shared_bytes;
}

static const struct known *find(const char *frame, size_t size) {
    size_t head = size < HEAD ? size : HEAD, tail = size < TAIL ? size : TAIL;
    for (size_t back = 1; back <= KNOWN && back <= known_count; back++) {
        const struct known *each = &known[(known_count - back) % KNOWN];
        if (each->size == size && !memcmp(each->head, frame, head) &&
            !memcmp(each->tail, frame + size - tail, tail))
            return each;
    }
    return NULL;
}

void learn(const char *frame, size_t size, uint64_t through, uint64_t changes) {
    struct known *place = &known[known_count++ % KNOWN];
    size_t head = size < HEAD ? size : HEAD, tail = size < TAIL ? size : TAIL;
    place->size = size;
    place->through = through;
    place->changes = changes;
    memcpy(place->head, frame, head);
    memcpy(place->tail, frame + size - tail, tail);
}

static void arrived(int handle, uint64_t through, uint64_t at_ns) {
    if (arrivals_count == arrivals_room) {
        arrivals_room = arrivals_room ? 2 * arrivals_room : 65536;
        arrivals = realloc(arrivals, arrivals_room * sizeof *arrivals);
        if (!arrivals) {
            fprintf(stderr, "reads: no memory for %zu arrivals\n", arrivals_room);
            exit(1);
        }
    }
    arrivals[arrivals_count++] = (struct arrival){handle, through, at_ns};
}

static size_t frame_size(const char *at) {
    const unsigned char *length = (const unsigned char *)at;
    return LENGTH_BYTES + ((size_t)length[0] << 24 | length[1] << 16 | length[2] << 8 | length[3]);
}

/* Whether all of it is known and counted. */
static int count(struct counts *each, int handle, size_t size, uint64_t at_ns) {
    const struct known *found[KNOWN];
    size_t frames = 0;
    for (size_t at = 0; at < size;) {
        if (frames == KNOWN || size - at < LENGTH_BYTES + 1)
            return 0;
        size_t whole = frame_size(buffer + at);
        if (whole > size - at || !(found[frames] = find(buffer + at, whole)))
            return 0;
        frames++;
        at += whole;
    }
    for (size_t number = 0; number < frames; number++) {
        each->changes += found[number]->changes;
        each->position = found[number]->through;
        if (is_recording)
            arrived(handle, each->position, at_ns);
    }
    each->bytes += size;
    each->frames += frames;
    return 1;
}

/* Bytes in the buffer that the caller has to look at, 0 at the end, -errno (EAGAIN: nothing more, for now). */
static ssize_t discard(struct counts *each, int handle) {
    for (int reads = 0; reads < SNAPSHOT_READS; reads++) {
        size_t wanted = each->skip ? each->skip : HEADER_BYTES;
        ssize_t size = recv(handle, buffer, wanted, each->skip ? MSG_DONTWAIT | MSG_TRUNC : MSG_DONTWAIT);
        if (size <= 0)
            return size < 0 ? -errno : 0;
        if (!each->skip) {
            if (size < HEADER_BYTES || buffer[LENGTH_BYTES] != COMPRESSED_ENTRIES)
                return size;
            each->skip = frame_size(buffer) - HEADER_BYTES;
            each->frames++;
        } else {
            each->skip -= size;
        }
        each->bytes += size;
    }
    return -EAGAIN;
}

/* How many sockets have something, to be gone through with next_read; or -errno. */
int wait_ready(int poller, int timeout_ms) {
    ready_next = 0;
    ready_count = epoll_wait(poller, ready, EVENTS, timeout_ms);
    if (ready_count < 0) {
        ready_count = 0;
        return errno == EINTR ? 0 : -errno;
    }
    return ready_count;
}

/* 1 and what the caller has to look at, 0 at the end. */
int next_read(struct read *out) {
    while (ready_next < ready_count) {
        int handle = ready[ready_next++].data.fd;
        struct counts *each = (size_t)handle < sockets_count ? &sockets[handle] : NULL;
        out->handle = handle;
        if (!each || each->reader == CALLER) {
            out->size = UNREAD;
            return 1;
        }
        ssize_t size;
        if (each->reader == SNAPSHOT)
            size = discard(each, handle);
        else if ((size = recv(handle, buffer, buffer_bytes, MSG_DONTWAIT)) < 0)
            size = -errno;
        if (size == -EAGAIN || size == -EINTR)
            continue;
        struct timespec at;
        clock_gettime(CLOCK_MONOTONIC, &at);
        out->at_ns = at.tv_sec * 1000000000ull + at.tv_nsec;
        out->size = (int32_t)size;
        if (size > 0 && each->reader == BYTES) {
            each->bytes += size;
            each->frames++;
        } else if (size <= 0 || each->reader != FRAMES || !count(each, handle, size, out->at_ns)) {
            return 1;
        }
    }
    return 0;
}
