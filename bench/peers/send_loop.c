/* send_loop SOCKETS: writes the same bytes to N sockets with plain send(), and says what that cost.
 *
 * The peer of bench/send_share.py: what the kernel asks for these bytes, with nothing around it. Prints {"port"}, takes
 * SOCKETS connections, prints {"accepted"}, then answers each line "ROUNDS INTERVAL_US BYTES" on stdin with one line of
 * figures. A round is one send() of BYTES to every socket. A socket that is full is owed the rest, and epoll is asked
 * about it and about no other.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* A reader that takes nothing for so long after the last round has gone. */
#define DRAIN_S 10.0
#define EVENTS 256

static int count, *sockets, poller, owing;
static size_t *owed; /* bytes that a full socket has not been given yet */
static char *frame;
static size_t frame_bytes;
static long sends, partial;
static long long sent_bytes;

static void fail(const char *what) {
    fprintf(stderr, "send_loop: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec + at.tv_nsec / 1e9;
}

static double cpu(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* One send() of at most `size` bytes that end a frame; gives what the kernel took. */
static size_t give(int place, size_t size) {
    ssize_t taken = send(sockets[place], frame + frame_bytes - size, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            fail("send");
        taken = 0;
    }
    sends++;
    sent_bytes += taken;
    return taken;
}

static void watch(int place, int operation) {
    struct epoll_event event = {.events = EPOLLOUT, .data.u32 = place};
    if (epoll_ctl(poller, operation, sockets[place], &event) < 0)
        fail("epoll_ctl");
    owing += operation == EPOLL_CTL_ADD ? 1 : -1;
}

static void round_of_sends(void) {
    for (int place = 0; place < count; place++) {
        if (owed[place]) {
            owed[place] += frame_bytes;
            continue;
        }
        size_t taken = give(place, frame_bytes);
        if (taken < frame_bytes) {
            partial++;
            owed[place] = frame_bytes - taken;
            watch(place, EPOLL_CTL_ADD);
        }
    }
}

/* Until `at`: sleep, or serve the sockets that are owed something. */
static void wait_until(double at) {
    struct epoll_event events[EVENTS];
    double rest;
    while ((rest = at - now()) > 0) {
        if (!owing) {
            struct timespec until = {.tv_sec = (time_t)at, .tv_nsec = (long)((at - (time_t)at) * 1e9)};
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
            continue;
        }
        int ready = epoll_wait(poller, events, EVENTS, (int)(rest * 1e3) + 1);
        for (int each = 0; each < ready; each++) {
            int place = events[each].data.u32;
            while (owed[place]) {
                size_t whole = owed[place] % frame_bytes;
                size_t size = whole ? whole : frame_bytes, taken = give(place, size);
                owed[place] -= taken;
                if (taken < size)
                    break;
            }
            if (!owed[place])
                watch(place, EPOLL_CTL_DEL);
        }
    }
}

static void run(long rounds, double interval_s) {
    sends = partial = 0;
    sent_bytes = 0;
    double cpu_s = cpu(), began_at = now();
    for (long each = 0; each < rounds; each++) {
        round_of_sends();
        wait_until(began_at + (each + 1) * interval_s);
    }
    double ended_at = now();
    while (owing && now() - ended_at < DRAIN_S)
        wait_until(now() + 0.01);
    if (owing) {
        fprintf(stderr, "send_loop: %d sockets are still full %g s after the last round\n", owing, DRAIN_S);
        exit(1);
    }
    printf("{\"cpu_s\": %.6f, \"seconds\": %.6f, \"sends\": %ld, \"bytes\": %lld, \"partial\": %ld}\n", cpu() - cpu_s,
           now() - began_at, sends, sent_bytes, partial);
    fflush(stdout);
}

int main(int argc, char **argv) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    if (argc != 2 || (count = atoi(argv[1])) < 1) {
        fprintf(stderr, "usage: send_loop SOCKETS\n");
        return 2;
    }
    sockets = calloc(count, sizeof *sockets);
    owed = calloc(count, sizeof *owed);
    poller = epoll_create1(0);
    if (!sockets || !owed || poller < 0 || listener < 0 || bind(listener, (void *)&address, size) < 0 ||
        listen(listener, 4096) < 0 || getsockname(listener, (void *)&address, &size) < 0)
        fail("start");
    printf("{\"port\": %d}\n", ntohs(address.sin_port));
    fflush(stdout);
    for (int place = 0; place < count; place++) {
        if ((sockets[place] = accept(listener, NULL, NULL)) < 0)
            fail("accept");
        setsockopt(sockets[place], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    printf("{\"accepted\": %d}\n", count);
    fflush(stdout);
    long rounds;
    double interval_us;
    while (scanf("%ld %lf %zu", &rounds, &interval_us, &frame_bytes) == 3) {
        free(frame);
        if (!(frame = calloc(1, frame_bytes)))
            fail("frame");
        run(rounds, interval_us / 1e6);
    }
    return 0;
}
