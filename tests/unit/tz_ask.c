/* SPDX-License-Identifier: Apache-2.0 */
/* tz_ask.c: answers what base/tz says, for tests/ctl/test_zones.py: lines "ZONE SECOND" come in, a
 * line "OFFSET NEXT" goes out for each, or "refused: why".
 * Owns nothing but the zone of the last line. Never judges an answer. */
#include "base/tz.h"
#include "base/tz_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_SIZE_MAX 256

/* The zone of that name, which is kept until another one is asked for. */
static struct tz *zone_of(const char *name, char last[LINE_SIZE_MAX], struct tz *tz)
{
    struct err err = ERR_INIT;

    if (tz != NULL && strcmp(name, last) == 0) {
        return tz;
    }
    tz_free(tz);
    (void)snprintf(last, LINE_SIZE_MAX, "%s", name); /* as long as a line at most */
    if (tz_load(NULL, span_text(name), &tz, &err) == ERR_OK) {
        return tz;
    }
    printf("refused: %s\n", err.message);
    return NULL;
}

int main(void)
{
    char line[LINE_SIZE_MAX];
    char last[LINE_SIZE_MAX] = "";
    struct tz *tz = NULL;

    while (fgets(line, sizeof line, stdin) != NULL) {
        char *space = strchr(line, ' ');
        long long at_s;

        if (space == NULL) {
            return EXIT_FAILURE;
        }
        *space = '\0';
        at_s = strtoll(space + 1, NULL, 10);
        tz = zone_of(line, last, tz);
        if (tz != NULL) {
            printf("%d %lld\n", (int)tz_offset_s(tz, at_s), (long long)tz_change_s(tz, at_s));
        }
    }
    tz_free(tz);
    return ferror(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
