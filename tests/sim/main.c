/* SPDX-License-Identifier: Apache-2.0 */
/* main.c: runs seeds and says what came of them.
 *
 *   sim [--seeds A..B] [--seed N] [--jobs N] [--disable FAULT,…] [--trace] [--time-limit S]
 *       [--no-reduce] [--first] [--brief] [--manual] [--fence] [--regressions FILE]
 *
 * Owns the processes: every seed runs in one that may die, for an assertion of a core is a failure
 * like any other. A failing seed is run again for its trace, and then with one kind of fault after
 * the other switched off, as long as it goes on failing. Never calls a seed passed that has not
 * come to its end. */
#include "tests/sim/sim.h"

#include "base/assert.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOB_MAX     16U
#define FAILURE_MAX 20U

struct failure {
    uint64_t seed;
    char invariant[64];
    char text[400];
};

/* Shared by the processes. */
struct board {
    struct totals totals[JOB_MAX];
    uint64_t next[JOB_MAX]; /* the seed that each runs now */
    uint64_t passed[JOB_MAX];
    uint64_t failed[JOB_MAX];
    struct failure failures[JOB_MAX][FAILURE_MAX];
    uint64_t hash[JOB_MAX];
    bool stop; /* a failure was found, and that is enough */
};

struct arguments {
    uint64_t first;
    uint64_t last;
    uint32_t jobs;
    uint64_t faults_off;
    bool manual; /* no third host in any seed */
    bool fence;  /* likewise, with fence devices */
    bool trace;
    bool reduce;
    bool first_only; /* stop at the first failure */
    bool brief;      /* no traces of failures */
    uint64_t time_limit_s;
    const char *regressions; /* NULL: none */
};

static struct world *tracing; /* for the handler of SIGABRT only */

static void on_abort(int number)
{
    (void)number;
    if (tracing != NULL) {
        world_dump(tracing); /* the process is at its end: nothing is spoilt by stdio here */
        (void)fflush(stdout);
    }
    _exit(3);
}

static void totals_add(struct totals *to, const struct totals *from)
{
    uint64_t *a = (uint64_t *)(void *)to;
    const uint64_t *b = (const uint64_t *)(const void *)from;

    for (size_t i = 0; i < sizeof *to / sizeof *a; i++) {
        a[i] += b[i];
    }
}

static uint64_t seconds(void)
{
    return (uint64_t)time(NULL);
}

/* One seed in this process. */
static bool run_here(struct world *world, const struct sim_options *options)
{
    bool held;

    world_init(world, options);
    held = run_seed(world);
    return held;
}

static void
worker(struct board *board, const struct arguments *arguments, uint32_t job, uint64_t end_s)
{
    struct world *world = malloc(sizeof *world);
    struct sim_options options = {.faults_off = arguments->faults_off,
                                  .manual = arguments->manual,
                                  .fence = arguments->fence};

    ASSERT(world != NULL);
    while (board->next[job] <= arguments->last && seconds() < end_s &&
           !(board->stop && arguments->first_only)) {
        options.seed = board->next[job];
        if (run_here(world, &options)) {
            board->passed[job]++;
        } else {
            if (board->failed[job] < FAILURE_MAX) {
                struct failure *failure = &board->failures[job][board->failed[job]];

                failure->seed = options.seed;
                memcpy(failure->invariant, world->invariant, sizeof failure->invariant);
                memcpy(failure->text, world->failure, sizeof failure->text);
            }
            board->failed[job]++;
            board->stop = true;
        }
        totals_add(&board->totals[job], &world->totals);
        board->hash[job] = prng_mix(board->hash[job] ^ world->hash);
        world_done(world);
        board->next[job] += arguments->jobs;
    }
    free(world);
}

static void note_death(struct board *board, uint32_t job, uint32_t jobs)
{
    if (board->failed[job] < FAILURE_MAX) {
        struct failure *failure = &board->failures[job][board->failed[job]];

        failure->seed = board->next[job];
        (void)snprintf(failure->invariant, sizeof failure->invariant, "assertion");
        (void)snprintf(failure->text, sizeof failure->text, "the process died");
    }
    board->failed[job]++;
    board->stop = true;
    board->next[job] += jobs;
}

static pid_t
start(struct board *board, const struct arguments *arguments, uint32_t job, uint64_t end_s)
{
    pid_t pid;

    (void)fflush(stdout);
    pid = fork();
    ASSERT(pid >= 0);
    if (pid == 0) {
        worker(board, arguments, job, end_s);
        _exit(0);
    }
    return pid;
}

static void run_all(struct board *board, const struct arguments *arguments)
{
    uint64_t end_s =
        arguments->time_limit_s == 0 ? UINT64_MAX : seconds() + arguments->time_limit_s;
    pid_t pids[JOB_MAX] = {0};
    uint32_t running = 0;

    for (uint32_t i = 0; i < arguments->jobs; i++) {
        board->next[i] = arguments->first + i;
        pids[i] = start(board, arguments, i, end_s);
        running++;
    }
    while (running > 0) {
        int status = 0;
        pid_t pid = wait(&status);

        for (uint32_t i = 0; i < arguments->jobs; i++) {
            if (pids[i] != pid) {
                continue;
            }
            if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
                running--;
            } else {
                note_death(board, i, arguments->jobs);
                pids[i] = start(board, arguments, i, end_s);
            }
        }
    }
}

/* Runs the seed in a process of its own. True: it fails. */
static bool fails(const struct sim_options *options, bool dump)
{
    struct sim_options here = *options;
    int status = 0;
    pid_t pid;

    (void)fflush(stdout);
    pid = fork();
    ASSERT(pid >= 0);
    if (pid == 0) {
        struct world *world = malloc(sizeof *world);
        bool held;

        ASSERT(world != NULL);
        here.trace = dump;
        tracing = dump ? world : NULL;
        if (!dump && freopen("/dev/null", "w", stderr) == NULL) {
            _exit(4);
        }
        held = run_here(world, &here);
        if (dump) {
            world_dump(world);
            (void)fflush(stdout);
        }
        _exit(held ? 0 : 1);
    }
    (void)waitpid(pid, &status, 0); /* it is our child */
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static void print_faults(uint64_t faults_off)
{
    const char *comma = "";

    for (size_t i = 0; i < FAULT_COUNT; i++) {
        if ((faults_off & 1ULL << i) != 0) {
            (void)printf("%s%s", comma, fault_name((enum fault)i));
            comma = ",";
        }
    }
}

static void reduce(struct sim_options options)
{
    for (size_t i = 0; i < FAULT_COUNT; i++) {
        struct sim_options without = options;

        without.faults_off |= 1ULL << i;
        if (without.faults_off != options.faults_off && fails(&without, false)) {
            options = without;
        }
    }
    (void)printf("reduced: sim --seed %" PRIu64 "%s --disable ", options.seed,
                 options.fence    ? " --fence"
                 : options.manual ? " --manual"
                                  : "");
    print_faults(options.faults_off);
    (void)printf(" --trace\n");
}

static void explain(const struct failure *failure, const struct arguments *arguments)
{
    struct sim_options options = {.seed = failure->seed,
                                  .faults_off = arguments->faults_off,
                                  .manual = arguments->manual,
                                  .fence = arguments->fence};

    if (!arguments->brief) {
        (void)printf("---- seed %" PRIu64 " ----\n", failure->seed);
        (void)fails(&options, true); /* for its trace */
    }
    (void)printf("seed %" PRIu64 ": invariant %s: %s\n", failure->seed, failure->invariant,
                 failure->text);
    if (arguments->reduce && !arguments->brief) {
        reduce(options);
    }
}

static void print_totals(const struct totals *t, uint64_t passed, uint64_t failed)
{
    (void)printf("%" PRIu64 " seeds, %" PRIu64 " events, %" PRIu64 " operations, %" PRIu64
                 " records, %" PRIu64 " effects\n",
                 passed + failed, t->events, t->operations, t->records, t->effects);
    (void)printf("%" PRIu64 " failovers, %" PRIu64 " evictions, %" PRIu64 " adds, %" PRIu64
                 " handovers done, %" PRIu64 " aborted, %" PRIu64 " forced\n",
                 t->failovers, t->evictions, t->adds, t->handovers_done, t->handovers_aborted,
                 t->forced);
    (void)printf(
        "%" PRIu64 " ambiguous cas, %" PRIu64 " restores, %" PRIu64 " fsync failures, %" PRIu64
        " power losses, %" PRIu64 " disk losses, %" PRIu64 " kills\n",
        t->ambiguous, t->restores, t->sync_failures, t->power_losses, t->disk_losses, t->kills);
    (void)printf("%" PRIu64 " cuts, %" PRIu64 " snapshots, %" PRIu64 " refused, %" PRIu64
                 " resyncs, %" PRIu64 " halts, %" PRIu64 " beyond the protocol\n",
                 t->cuts, t->snapshots, t->refusals, t->resyncs, t->halts, t->beyond);
    (void)printf("%" PRIu64 " switched off by a fence device, %" PRIu64 " confirmed, %" PRIu64
                 " attempts failed\n",
                 t->fence_offs, t->fence_words, t->fence_fails);
    (void)printf("%" PRIu64 " passed, %" PRIu64 " failed\n", passed, failed);
}

static uint64_t parse_faults(char *list)
{
    uint64_t off = 0;
    char *rest = list;

    while (rest != NULL && *rest != '\0') {
        char *name = strsep(&rest, ",");
        enum fault fault = fault_of(name);

        if (fault == FAULT_COUNT) {
            (void)fprintf(stderr, "sim: no fault is called %s\n", name);
            _exit(2);
        }
        off |= 1ULL << fault;
    }
    return off;
}

static void usage(void)
{
    (void)fprintf(stderr, "sim [--seeds A..B] [--seed N] [--jobs N] [--disable FAULT,...]"
                          " [--trace] [--time-limit SECONDS] [--no-reduce] [--first] [--brief]"
                          " [--manual] [--fence] [--regressions FILE]\n");
    _exit(2);
}

static const char *value_of(int argc, char **argv, int *at)
{
    if (*at + 1 >= argc) {
        usage();
    }
    return argv[++*at];
}

static void parse_argument(struct arguments *arguments, int argc, char **argv, int *at)
{
    const char *name = argv[*at];

    if (strcmp(name, "--trace") == 0) {
        arguments->trace = true;
    } else if (strcmp(name, "--no-reduce") == 0) {
        arguments->reduce = false;
    } else if (strcmp(name, "--first") == 0) {
        arguments->first_only = true;
    } else if (strcmp(name, "--brief") == 0) {
        arguments->brief = true;
    } else if (strcmp(name, "--manual") == 0) {
        arguments->manual = true;
    } else if (strcmp(name, "--fence") == 0) {
        arguments->fence = true;
    } else if (strcmp(name, "--seed") == 0) {
        arguments->first = strtoull(value_of(argc, argv, at), NULL, 10);
        arguments->last = arguments->first;
    } else if (strcmp(name, "--seeds") == 0) {
        char *end = NULL;

        arguments->first = strtoull(value_of(argc, argv, at), &end, 10);
        if (strncmp(end, "..", 2) != 0) {
            usage();
        }
        arguments->last = strtoull(end + 2, NULL, 10);
    } else if (strcmp(name, "--jobs") == 0) {
        arguments->jobs = (uint32_t)strtoul(value_of(argc, argv, at), NULL, 10);
    } else if (strcmp(name, "--time-limit") == 0) {
        arguments->time_limit_s = strtoull(value_of(argc, argv, at), NULL, 10);
    } else if (strcmp(name, "--regressions") == 0) {
        arguments->regressions = value_of(argc, argv, at);
    } else if (strcmp(name, "--disable") == 0) {
        (void)value_of(argc, argv, at);
        arguments->faults_off |= parse_faults(argv[*at]);
    } else {
        usage();
    }
}

/* Each line of the file: seed, faults that are off ("-": none; behind "manual:" with --manual,
 * behind "fence:" with --fence), why. */
static int run_regressions(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[512];
    uint64_t passed = 0;
    uint64_t failed = 0;

    if (file == NULL) {
        perror(path);
        return 1;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        char faults[256] = "";
        struct sim_options options = {.seed = 0};
        char *list = faults;

        /* NOLINTNEXTLINE(cert-err34-c): ours, and 0 is no seed that is there */
        if (sscanf(line, "%" SCNu64 " %255s", &options.seed, faults) != 2) {
            continue;
        }
        if (strncmp(list, "manual:", 7) == 0) {
            options.manual = true;
            list += 7;
        } else if (strncmp(list, "fence:", 6) == 0) {
            options.fence = true;
            list += 6;
        }
        options.faults_off = strcmp(list, "-") == 0 ? 0 : parse_faults(list);
        if (fails(&options, false)) {
            (void)printf("regression: %s", line);
            failed++;
        } else {
            passed++;
        }
    }
    (void)fclose(file); /* it was only read */
    (void)printf("%" PRIu64 " passed, %" PRIu64 " failed\n", passed, failed);
    return failed == 0 && passed > 0 ? 0 : 1;
}

static int run_traced(const struct arguments *arguments)
{
    struct sim_options options = {.seed = arguments->first,
                                  .faults_off = arguments->faults_off,
                                  .manual = arguments->manual,
                                  .fence = arguments->fence,
                                  .trace = true,
                                  .print = true};
    struct world *world = malloc(sizeof *world);
    bool held;

    ASSERT(world != NULL);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    held = run_here(world, &options);
    (void)printf("seed %" PRIu64 ": %s %s %s, hash %016" PRIx64 "\n", options.seed,
                 held ? "passed" : "FAILED", world->invariant, world->failure, world->hash);
    world_done(world);
    free(world);
    return held ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.first = 1, .last = 1000, .jobs = 1, .reduce = true};
    struct totals totals = {0};
    struct sigaction action = {.sa_handler = on_abort};
    struct board *board;
    uint64_t passed = 0;
    uint64_t failed = 0;
    uint64_t hash = 0;

    for (int i = 1; i < argc; i++) {
        parse_argument(&arguments, argc, argv, &i);
    }
    if (arguments.jobs < 1 || arguments.jobs > JOB_MAX || arguments.last < arguments.first) {
        usage();
    }
    if (arguments.trace && arguments.first == arguments.last) {
        return run_traced(&arguments);
    }
    if (arguments.regressions != NULL) {
        return run_regressions(arguments.regressions);
    }
    (void)sigaction(SIGABRT, &action, NULL); /* cannot fail: the number is good */
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT(board != MAP_FAILED);
    run_all(board, &arguments);
    for (uint32_t i = 0; i < arguments.jobs; i++) {
        totals_add(&totals, &board->totals[i]);
        passed += board->passed[i];
        failed += board->failed[i];
        hash ^= board->hash[i];
        for (uint64_t j = 0; j < board->failed[i] && j < FAILURE_MAX; j++) {
            explain(&board->failures[i][j], &arguments);
        }
    }
    (void)printf("trace hash %016" PRIx64 "\n", hash);
    print_totals(&totals, passed, failed);
    return failed == 0 && passed > 0 ? 0 : 1;
}
