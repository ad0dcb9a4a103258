/* Debian has musl but no libstdc++ for it. This lets the one for glibc load under musl: the few symbols of glibc's that
 * musl does not have, in a library that takes the place of libgcc_s and loads the real one. musl.ts beside it compiles it.
 * It is good enough to start Bun's musl executables and run ns; it is not what Alpine has.
 */
typedef unsigned long size;

/* true: atomic operations need not be atomic in a program of one thread; Bun has many */
char __libc_single_threaded = 0;
int __cpu_model[4];
int __cpu_indicator_init(void) { return 0; }

unsigned long getauxval(unsigned long type);
unsigned long __getauxval(unsigned long type) { return getauxval(type); }

/* -1: not found; libgcc then asks dl_iterate_phdr(3) */
int _dl_find_object(void *address, void *result) {
    (void)address;
    (void)result;
    return -1;
}

/* Destructors of threads' variables: never called, which only leaks. */
int __cxa_thread_atexit_impl(void (*destructor)(void *), void *object, void *library) {
    (void)destructor;
    (void)object;
    (void)library;
    return 0;
}

long getrandom(void *buffer, size length, unsigned flags);
unsigned arc4random(void) {
    unsigned value = 0;
    getrandom(&value, sizeof value, 0);
    return value;
}

size strftime_l(char *to, size room, const char *format, const void *time, void *locale);
size __strftime_l(char *to, size room, const char *format, const void *time, void *locale) {
    return strftime_l(to, room, format, time, locale);
}
