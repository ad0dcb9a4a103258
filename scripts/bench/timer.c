/* timer.c ROUNDS WARMUPS < COMMANDS: times commands in turn, round after round, so that a drift of the machine's speed
 * meets all of them. A command is a line, its words divided by tabs. For every counted run a line goes to standard output:
 *   command's index, wait status, nanoseconds from exec to end, nanoseconds from exec to what stamp.c wrote (-1: nothing),
 *   microseconds in user mode, microseconds in the kernel (of the command and all the children that it has waited for).
 * scripts/bench/measure.ts compiles it and reads that. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COMMANDS = 64, WORDS = 256, LINE = 65536 };

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static long long microseconds(struct timeval time) { return time.tv_sec * 1000000LL + time.tv_usec; }

static void run(int index, char **words, int counted) {
    /* written by the child, which shares this memory until it executes the command (vfork(2)) */
    static volatile long long begin;
    long long end, stamp = -1;
    struct rusage usage;
    int status, ends[2];
    pid_t child;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) exit(3);
    child = vfork();
    if (child < 0) exit(3);
    if (child == 0) {
        dup2(ends[1], 1);
        begin = now();
        execv(words[0], words);
        _exit(127);
    }
    while (wait4(child, &status, 0, &usage) < 0) {}
    end = now();
    if (read(ends[0], &stamp, 8) != 8) stamp = -1;
    close(ends[0]);
    close(ends[1]);
    if (!counted) return;
    printf("%d %d %lld %lld %lld %lld\n", index, status, end - begin, stamp < begin || stamp > end ? -1 : stamp - begin,
           microseconds(usage.ru_utime), microseconds(usage.ru_stime));
}

int main(int count, char **argument) {
    static char *command[COMMANDS][WORDS], line[LINE];
    int commands = 0, rounds = count > 1 ? atoi(argument[1]) : 10, warmups = count > 2 ? atoi(argument[2]) : 2;
    int null = open("/dev/null", O_RDWR);
    while (commands < COMMANDS && fgets(line, LINE, stdin)) {
        int words = 0;
        char *word = strtok(strdup(line), "\t\n");
        for (; word && words < WORDS - 1; word = strtok(0, "\t\n")) command[commands][words++] = word;
        if (words) commands++;
    }
    dup2(null, 0);
    dup2(null, 2);
    for (int round = -warmups; round < rounds; round++)
        /* each round begins with another command: nobody always runs behind the same neighbour */
        for (int i = 0; i < commands; i++) {
            int index = (i + round + warmups) % commands;
            run(index, command[index], round >= 0);
        }
    return 0;
}
