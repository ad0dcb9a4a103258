/* csrc/alone.c, what a frozen start does besides, as a target of libFuzzer, with AddressSanitizer and
 * UndefinedBehaviorSanitizer, as launcher.c here is for ns itself. The kernel is a stub that answers from the input. What
 * src/plan/frozen/ guarantees holds here as well: a word that something stands behind has two bytes and ends with a slash, a
 * table's last row is for all ops, a jump and a rescue lead into their task. An input: a byte, which part is run; then what
 * it is given and what the kernel answers. launcher.test.ts builds and runs it. */
#include "input.h"

#define sys stubSys
#define fork stubFork
#define kill stubKill
#define poll stubPoll
#define ALONE
#include "../../csrc/launcher.c"

enum { BLOCKS = 96, SAID = 4096, OPENED = 500, OPS = 32, DEPTH = 8 };

static void *blocks[BLOCKS];
static int nBlocks, nOpen, nPauses;
static char said[SAID];
static size_t nSaid;
static i64 calls, ignored;

/* As large as it has to be, so that one byte more is seen. */
static void *block(size_t size) {
    if (nBlocks == BLOCKS) longjmp(whole, 1);
    return blocks[nBlocks++] = calloc(1, size);
}

static u8 *takeText(size_t most, const char *letters) {
    size_t size = take() % (most + 1), i;
    u8 *text = block(size + 1);
    for (i = 0; i < size; i++) text[i] = letters[take() % strlen(letters)];
    return text;
}

static void reach(i64 address, i64 size) {
    if (size < 0 || (size && __asan_region_is_poisoned((void *)address, size))) broken("memory for the kernel");
}

/* A directory's entries as getdents64(2) gives them. */
static i64 entries(u8 *list, i64 size) {
    i64 at = 0;
    u8 count = take() % 8;
    while (count--) {
        u8 length = take() % 12 + 1, i;
        i64 whole = (19 + length + 1 + 7) & ~7;
        if (at + whole > size) break;
        memset(list + at, 0, whole);
        list[at + 16] = whole;
        list[at + 18] = take() & 1 ? 4 : 8;
        for (i = 0; i < length; i++) list[at + 19 + i] = "a.b"[take() % 3];
        at += whole;
    }
    return at;
}

i64 stubSys(i64 nr, i64 a, i64 b, i64 c, i64 d, i64 e, i64 f) {
    static long now;
    u8 byte;
    calls++;
    switch (nr) {
    case NR_write:
        reach(b, c);
        if (a == 2 && nSaid + c < SAID) memcpy(said + nSaid, (void *)b, c), nSaid += c;
        return c;
    case NR_read:
        reach(b, c);
        byte = take();
        if (byte < 128) return byte % 8;
        memset((void *)b, byte, c);
        return c;
    case NR_openat:
        if (take() < 32) return -24;
        return OPENED + nOpen++;
    case NR_close:
        if (a >= OPENED) nOpen--;
        return a < 0 ? -9 : 0;
    case NR_getdents64:
        if (a < 0) return -9;
        reach(b, c);
        return take() < 64 ? 0 : entries((u8 *)b, c);
    case NR_unlinkat:
        if (c != 512) broken("something is removed that is no directory");
        if (*(u8 *)b == '.') broken("a directory above is removed");
        byte = take();
        return byte < 64 ? 0 : byte < 128 ? -39 : byte < 192 ? -16 : -2;
    case NR_rt_sigaction:
        reach(b, 32);
        reach(c, 32);
        if (a < 1 || a > 64 || e != 0) broken("rt_sigaction");
        if (take() & 1) {
            *(long *)c = 1;
            ignored |= (uint64_t)1 << (a - 1);
        }
        return 0;
    case NR_rt_sigprocmask: reach(b, 8); return 0;
    case NR_clock_gettime:
        reach(b, 16);
        ((long *)b)[0] = now++;
        return 0;
    case NR_ppoll:
        if (((long *)c)[1] > 999999999) broken("a time out of range");
        nPauses++;
        return 0;
    default: return take() < 128 ? -(i64)(take() % 100 + 1) : take();
    }
}

i64 stubFork(i64 nr, i64 a, i64 b, i64 c) {
    broken("nothing is started here");
    return 0;
}

static struct rules *takeRules(void) {
    struct rules *rules = block(sizeof *rules);
    rules->signals = takeWord() | (i64)1 << (SIGCHLD - 1);
    rules->stopped = take() & 1 ? take() % 64 + 1 : 0;
    rules->deadline = take();
    return rules;
}

static void tryListen(void) {
    struct rules *rules = takeRules();
    i64 before = rules->signals, child = (i64)1 << (SIGCHLD - 1);
    ignored = 0;
    listen(rules, takeWord());
    if (rules->signals != (before & ~(ignored & ~child))) broken("which signals are passed on");
}

static void tryDigits(void) {
    u32 value = (u32)takeWord();
    char expected[16];
    int size = snprintf(expected, sizeof expected, "%u", value);
    u8 *where = block(size);
    digits(value, where + size);
    if (memcmp(where, expected, size)) broken("digits");
}

static void tryBehind(void) {
    static const char *words[] = {"0::/", ":a:/", "b/"};
    u8 *text = takeText(60, ":/ab0\n"), *word = (u8 *)words[take() % 3];
    char *before = strdup((char *)text), *found = strstr(before, (char *)word), *end;
    i64 at = behind(text, word);
    blocks[nBlocks < BLOCKS ? nBlocks++ : 0] = before;
    if (!found) {
        if (at != -2) broken("a path where there is none");
        return;
    }
    found += strlen((char *)word);
    end = strchrnul(found, '\n');
    if (strncmp((char *)at, "./", 2) || strlen((char *)at) != (size_t)(end - found) + 2 ||
        strncmp((char *)at + 2, found, end - found))
        broken("what stands behind the word");
}

static void tryArguments(void) {
    i64 count = take() % 6, fixed = take() % 4, most = take() % 5, i, result;
    /* behind the arguments is an environment */
    long *stack = block((count + 3) * sizeof *stack), *words = block((fixed + 1) * sizeof *words), *list;
    list = block((fixed + most + 1) * sizeof *list);
    stack[0] = count;
    for (i = 0; i < count; i++) stack[i + 1] = (long)takeText(4, "-a");
    for (i = 0; i < fixed; i++) words[i] = i + 1;
    if (count == 2 && says(stack, (u8 *)"--") != !strcmp((char *)stack[2], "--")) broken("what the argument says");
    result = takeArguments(stack, list, most, words);
    if (result == 0 && count >= 2 && (strcmp((char *)stack[2], "--") || count - 2 > most)) broken("arguments are taken");
    if (result < 0 && (count < 2 || (!strcmp((char *)stack[2], "--") && count - 2 <= most))) broken("arguments are refused");
    for (i = 0; i < fixed; i++)
        if (list[i] != i + 1) broken("init's own arguments");
    if (result == 0 && list[fixed + (count > 2 ? count - 2 : 0)]) broken("the end of the arguments");
}

static void tryRemove(void) {
    u8 *name = takeText(8, "abc");
    i64 result = removeCgroup(name, 0, take() % (DEPTH + 1));
    if (nOpen) broken("a directory is left open");
    if (nPauses > 50 || (result == -16 && nPauses != 50)) broken("how long it is tried");
}

static struct table *takeTable(void) {
    i64 count = take() % 4 + 1, i;
    struct table *table = block(offsetof(struct table, rows) + count * sizeof(struct row));
    u8 *names = block(9);
    memcpy(names, "one\0two\0", 9);
    table->names = (i64)names;
    table->exited = (i64) "exit status ";
    table->stopped = (i64) "signal ";
    table->end = (i64) "\n";
    for (i = 0; i < count; i++) {
        table->rows[i].last = i + 1 == count ? 0x7fffffff : i * 10 + take() % 10;
        table->rows[i].status = take();
        table->rows[i].text = (i64) "cannot: ";
    }
    return table;
}

static void tryTell(void) {
    struct table *table = takeTable();
    u32 failure[2] = {take(), 0};
    char number[16];
    const char *what;
    i64 status;
    failure[1] = take() & 1 ? take() % 133 + 1 : take() & 1 ? BY_STATUS + take() : BY_SIGNAL + take() % 64 + 1;
    nSaid = 0;
    status = tell(failure, table);
    said[nSaid] = 0;
    snprintf(number, sizeof number, "%u\n", failure[1] & (BY_STATUS - 1));
    what = failure[1] == 1 ? "one\n" : failure[1] == 2 ? "two\n" : number;
    if (strncmp(said, "cannot: ", 8) || nSaid < 9 || strcmp(said + nSaid - strlen(what), what)) broken("what is told");
    if (status & 255 || status >> 8 > 255) broken("its status");
    if (failure[1] > BY_SIGNAL && status >> 8 != 128 + (i64)failure[1] - BY_SIGNAL) broken("the status of a signal");
}

/* Ops as the planner makes them, with jumps and a rescue within the task. */
static void tryOps(void) {
    static const int kinds[] = {OP_HEED, OP_CHECK, OP_DIGITS, OP_STORE, OP_BOTH, OP_DUE, OP_LATE, OP_JUMP, OP_JUMP, 1000};
    i64 count = take() % OPS + 1, i, failed;
    struct task *task = block(offsetof(struct task, ops) + count * (sizeof(struct op) + 8));
    u32 failure[2] = {-1, 0};
    task->count = count;
    task->base = 1000;
    task->rescue = take() & 1 ? take() % count : 0;
    for (i = 0; i < count; i++) {
        struct op *op = &task->ops[i];
        u8 *where = block(16);
        op->nr = kinds[take() % 10];
        op->save = take() & 1 ? take() % count : NOWHERE;
        op->flags = take() & 31;
        op->guard = take() % count;
        op->fine[0] = take();
        op->arg[0] = op->nr == OP_DIGITS || op->nr == OP_LATE ? take() : (i64)where;
        op->arg[1] = op->nr == OP_DIGITS ? (i64)where + 16 : op->nr == OP_BOTH ? (i64)where + 8 : take();
        op->arg[2] = op->nr == OP_BOTH ? 2 : take();
        if (op->nr == OP_HEED || op->nr == OP_CHECK) op->arg[0] = take() & 1 ? 0 : take();
        if (op->nr == OP_CHECK || op->nr == OP_DUE) op->arg[op->nr == OP_CHECK] = (i64)takeRules();
        if (op->nr == OP_JUMP) op->arg[0] = take() % (count + 1) - i - 1;
    }
    calls = 0;
    failed = runOps(task, failure);
    if (calls > (TRIES + 2) * OPS) broken("it does not end");
    if (failed && failure[1] == 0) broken("a failure without a reason");
    if (!failed && failure[0] != (u32)-1 && !task->rescue) broken("a failure that nobody hears of");
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size) {
    static void (*const parts[])(void) = {tryListen, tryDigits, tryBehind, tryArguments, tryRemove, tryTell, tryOps};
    int i;
    data = input;
    left = size;
    nBlocks = nOpen = nPauses = 0;
    if (!setjmp(whole)) parts[take() % 7]();
    for (i = 0; i < nBlocks; i++) free(blocks[i]);
    return 0;
}
