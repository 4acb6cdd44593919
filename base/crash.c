/* SPDX-License-Identifier: Apache-2.0 */
/* crash.c: the signal handler that writes a report.
 * Owns the one state that a handler can reach, and so the house's other global besides the log.
 * Never allocates, locks or formats with the C library in the handler, and never writes a byte of
 * memory that it was not given as a literal. Files before and after are crash_files.c's.
 * backtrace() takes no lock in it: since gcc 12 and glibc 2.35 libgcc finds its tables by
 * _dl_find_object; it is called once before, so that libgcc is loaded. What it is worth to a
 * damaged stack, nobody knows: everything else is written first, and a second fault ends the
 * process. */
#include "base/crash.h"

#include <config.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/crash_internal.h"

#include <execinfo.h>
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define MODULE_COUNT_MAX  64U /* approvald has some forty libraries */
#define MODULE_NAME_SIZE  48U
#define BUILD_ID_SIZE_MAX 32U
#define FRAME_COUNT_MAX   64
#define STACK_SIZE        (64UL * 1024) /* of the handler: unwinding takes some kilobytes */
#define END_SECONDS       2U /* a disk that hangs does not keep a crashed process alive */

struct module {
    char name[MODULE_NAME_SIZE];
    uintptr_t base;
    uintptr_t end;
};

static struct {
    const char *program;
    char build_id[2 * BUILD_ID_SIZE_MAX + 1];
    size_t module_count;
    struct module modules[MODULE_COUNT_MAX];
    uint64_t started_ms;
    _Atomic(const char *) notes[CRASH_NOTE_COUNT];
    atomic_int fd; /* crash.now; -1: none */
    atomic_flag taken;
    /* The text under way; only its taker writes. */
    char text[CRASH_SIZE_MAX];
    size_t size;
} state = {.fd = -1, .taken = ATOMIC_FLAG_INIT};

static const struct {
    int number;
    const char *name;
} signals[] = {{SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"},   {SIGILL, "SIGILL"},
               {SIGFPE, "SIGFPE"},   {SIGABRT, "SIGABRT"}, {SIGSYS, "SIGSYS"}};

static const char *const note_names[CRASH_NOTE_COUNT] = {
    [CRASH_NOTE_ROLE] = "role", [CRASH_NOTE_BEFORE] = "before", [CRASH_NOTE_WATCHDOG] = "watchdog"};

void crash_no_core(void)
{
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* cannot fail with 0 */
}

/* From here to on_crash: in the handler. */

static void put(const char *text)
{
    while (*text != '\0' && state.size < sizeof state.text) {
        state.text[state.size++] = *text++;
    }
}

static void put_number(uint64_t number, unsigned base)
{
    char digits[24];
    size_t count = 0;

    do {
        digits[count++] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number > 0);
    while (count > 0 && state.size < sizeof state.text) {
        state.text[state.size++] = digits[--count];
    }
}

static void put_hex(uint64_t number)
{
    put("0x");
    put_number(number, 16);
}

static void put_field(const char *name, uint64_t number)
{
    put(name);
    put(" ");
    put_number(number, 10);
    put("\n");
}

/* As it can be looked up in the file, wherever that was mapped. */
static void put_place(uintptr_t place)
{
    for (size_t i = 0; i < state.module_count; i++) {
        const struct module *module = &state.modules[i];

        if (place >= module->base && place < module->end) {
            put(module->name);
            put("+");
            put_hex(place - module->base);
            put("\n");
            return;
        }
    }
    put("?\n"); /* of no module that was there at the start: its address would say nothing */
}

static void flush_to(int fd)
{
    size_t sent = 0;

    while (fd >= 0 && sent < state.size) {
        ssize_t size = write(fd, state.text + sent, state.size - sent);

        if (size <= 0) {
            return; /* there is nobody to tell */
        }
        sent += (size_t)size;
    }
}

static void flush(void)
{
    flush_to(atomic_load(&state.fd));
    flush_to(STDERR_FILENO);
    state.size = 0;
}

static const char *signal_name(int number)
{
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        if (signals[i].number == number) {
            return signals[i].name;
        }
    }
    return "?";
}

static uintptr_t program_counter(const void *context)
{
#if defined(__x86_64__)
    return (uintptr_t)((const ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)((const ucontext_t *)context)->uc_mcontext.pc;
#else
    (void)context;
    return 0;
#endif
}

/* Did the kernel find the fault in an instruction? Else somebody sent the signal, and in the place
 * of an address stands who. */
static bool has_address(const siginfo_t *info)
{
    return info->si_code > 0 && info->si_signo != SIGABRT && info->si_signo != SIGSYS;
}

static void put_head(const siginfo_t *info, const void *context)
{
    put("crash-report 1\nprogram ");
    put(state.program);
    put(" " PACKAGE_VERSION "\nbuild-id ");
    put(state.build_id);
    put("\nsignal ");
    put(signal_name(info->si_signo));
    put("\ncode ");
    put(info->si_code < 0 ? "-" : "");
    put_number((uint64_t)(info->si_code < 0 ? -(int64_t)info->si_code : info->si_code), 10);
    put("\n");
    if (has_address(info)) {
        put("address ");
        put_hex((uintptr_t)info->si_addr);
        put("\n");
    }
    put_field("time", clock_wall_ms(clock_host()) / 1000); /* clock_gettime is signal-safe */
    put_field("uptime-ms", clock_boot_ms(clock_host()) - state.started_ms);
    put_field("pid", (uint64_t)getpid());
    put_field("thread", (uint64_t)syscall(SYS_gettid));
    for (size_t i = 0; i < CRASH_NOTE_COUNT; i++) {
        const char *word = atomic_load(&state.notes[i]);

        if (word != NULL) {
            put(note_names[i]);
            put(" ");
            put(word);
            put("\n");
        }
    }
    put("at ");
    put_place(program_counter(context));
}

static void put_frames(void)
{
    void *frames[FRAME_COUNT_MAX];
    int count = backtrace(frames, FRAME_COUNT_MAX);

    for (int i = 0; i < count; i++) {
        put("frame ");
        put_place((uintptr_t)frames[i]);
    }
    put("end\n");
}

static void on_crash(int number, siginfo_t *info, void *context)
{
    struct sigaction usual = {.sa_handler = SIG_DFL};

    if (atomic_flag_test_and_set(&state.taken)) {
        for (;;) {
            (void)pause(); /* another thread writes, and ends us all */
        }
    }
    (void)alarm(END_SECONDS);
    put_head(info, context);
    flush();
    put_frames();
    flush();
    (void)sigaction(number, &usual, NULL);
    (void)raise(number); /* pending until we return: the process ends by its own signal */
}

/* From here on: ordinary code again. */

static void keep_build_id(const unsigned char *id, size_t size)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < size && i < BUILD_ID_SIZE_MAX; i++) {
        state.build_id[2 * i] = digits[id[i] >> 4];
        state.build_id[2 * i + 1] = digits[id[i] & 15];
    }
}

/* Notes of the program itself, as the linker has laid them out: name and content padded to four. */
static void look_at_notes(const char *at, const char *end)
{
    while (at + sizeof(ElfW(Nhdr)) <= end) {
        ElfW(Nhdr) note;
        const char *name = at + sizeof note;
        const char *content;

        memcpy(&note, at, sizeof note);
        content = name + ((note.n_namesz + 3U) & ~3U);
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(name, "GNU", 4) == 0) {
            keep_build_id((const unsigned char *)content, note.n_descsz);
        }
        at = content + ((note.n_descsz + 3U) & ~3U);
    }
}

static void set_name(struct module *module, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    size_t size = strnlen(name, MODULE_NAME_SIZE - 1);

    memcpy(module->name, name, size);
    module->name[size] = '\0';
}

/* The first one is the program itself, and has no name. */
static int add_module(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct module *module = &state.modules[state.module_count];

    (void)size;
    (void)arg;
    if (state.module_count == MODULE_COUNT_MAX) {
        return 1;
    }
    set_name(module, state.module_count == 0 ? state.program : info->dlpi_name);
    module->base = info->dlpi_addr;
    module->end = module->base;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t end = info->dlpi_addr + header->p_vaddr + header->p_memsz;

        if (header->p_type == PT_LOAD && end > module->end) {
            module->end = end;
        }
        if (header->p_type == PT_NOTE && state.module_count == 0) {
            const char *notes = (const char *)(info->dlpi_addr + header->p_vaddr);

            look_at_notes(notes, notes + header->p_memsz);
        }
    }
    state.module_count++;
    return 0;
}

void crash_init(const char *program)
{
    static char stack[STACK_SIZE];
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    void *frame;

    ASSERT(state.program == NULL);
    state.program = program;
    memcpy(state.build_id, "none", 5);
    state.started_ms = clock_boot_ms(clock_host());
    (void)dl_iterate_phdr(add_module, NULL);
    (void)backtrace(&frame, 1); /* loads libgcc, which allocates */
    (void)sigaltstack(&other, NULL);
    action.sa_sigaction = on_crash;
    (void)sigfillset(&action.sa_mask);
    (void)sigdelset(&action.sa_mask, SIGALRM); /* whose default is to end us */
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        (void)sigaction(signals[i].number, &action, NULL); /* cannot fail with these */
    }
}

void crash_note(enum crash_note note, const char *word)
{
    ASSERT(note < CRASH_NOTE_COUNT);
    atomic_store(&state.notes[note], word);
}

void crash_set_fd(int fd)
{
    atomic_store(&state.fd, fd);
}
