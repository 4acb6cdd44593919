/* SPDX-License-Identifier: Apache-2.0 */
/* test_watchdog.c: proves supervisor/watchdog against a driver that is played here.
 * Owns the played driver. Never opens a real device: that would arm it. */
#include "supervisor/watchdog.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <linux/watchdog.h>
#include <string.h>

struct driver {
    struct watchdog_calls calls;
    int seconds;     /* its timeout */
    int seconds_max; /* what it rounds down to */
    int boot_status;
    bool busy;
    bool mute; /* knows no ioctl */
    bool broken;
    char written[16];
    size_t count;
    int closed;
};

static int play_open(void *arg, const char *path)
{
    const struct driver *driver = arg;

    CU_ASSERT_STRING_EQUAL(path, "/dev/watchdog");
    errno = EBUSY;
    return driver->busy ? -1 : 77;
}

static int play_ioctl(void *arg, int fd, unsigned long request, int *value)
{
    struct driver *driver = arg;

    CU_ASSERT_EQUAL(fd, 77);
    if (driver->mute) {
        errno = ENOTTY;
        return -1;
    }
    if (request == WDIOC_SETTIMEOUT) {
        driver->seconds = *value < driver->seconds_max ? *value : driver->seconds_max;
    } else if (request == WDIOC_GETTIMEOUT) {
        *value = driver->seconds;
    } else if (request == WDIOC_GETBOOTSTATUS) {
        *value = driver->boot_status;
    }
    return 0;
}

static int play_write(void *arg, int fd, const void *bytes, size_t size)
{
    struct driver *driver = arg;

    CU_ASSERT_EQUAL(fd, 77);
    errno = EIO;
    if (driver->broken || driver->count + size > sizeof(driver->written)) {
        return -1;
    }
    memcpy(driver->written + driver->count, bytes, size);
    driver->count += size;
    return (int)size;
}

static int play_close(void *arg, int fd)
{
    struct driver *driver = arg;

    CU_ASSERT_EQUAL(fd, 77);
    driver->closed++;
    return 0;
}

static enum err_code open_played(struct driver *driver, struct watchdog **watchdog, struct err *err)
{
    driver->calls = (struct watchdog_calls){.open = play_open,
                                            .ioctl = play_ioctl,
                                            .write = play_write,
                                            .close = play_close,
                                            .arg = driver};
    return watchdog_new("/dev/watchdog", 15000, &driver->calls, watchdog, err);
}

static void a_clean_stop_disarms_and_nothing_else_does(void)
{
    struct driver driver = {.seconds_max = 1000};
    struct watchdog *watchdog = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(open_played(&driver, &watchdog, &err), ERR_OK);
    CU_ASSERT_EQUAL(watchdog_timeout_ms(watchdog), 15000);
    CU_ASSERT_EQUAL(watchdog_interval_ms(watchdog), 5000);
    CU_ASSERT_FALSE(watchdog_has_reset(watchdog));
    CU_ASSERT_EQUAL(watchdog_pet(watchdog, &err), ERR_OK);
    CU_ASSERT_EQUAL(watchdog_pet(watchdog, &err), ERR_OK);
    CU_ASSERT_PTR_NULL(memchr(driver.written, 'V', driver.count));
    CU_ASSERT_EQUAL(driver.count, 2);
    watchdog_free(watchdog);
    CU_ASSERT_EQUAL(driver.count, 3);
    CU_ASSERT_EQUAL(driver.written[2], 'V');
    CU_ASSERT_EQUAL(driver.closed, 1);
}

static void the_drivers_own_timeout_counts(void)
{
    struct driver driver = {.seconds_max = 6};
    struct watchdog *watchdog = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(open_played(&driver, &watchdog, &err), ERR_OK);
    CU_ASSERT_EQUAL(watchdog_timeout_ms(watchdog), 6000);
    CU_ASSERT_EQUAL(watchdog_interval_ms(watchdog), 2000);
    watchdog_free(watchdog);
}

static void a_reset_before_this_boot_is_told(void)
{
    struct driver driver = {.seconds_max = 60, .boot_status = WDIOF_CARDRESET | WDIOF_OVERHEAT};
    struct watchdog *watchdog = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(open_played(&driver, &watchdog, &err), ERR_OK);
    CU_ASSERT_TRUE(watchdog_has_reset(watchdog));
    watchdog_free(watchdog);
}

static void a_driver_that_answers_nothing_is_fed_as_configured(void)
{
    struct driver driver = {.mute = true};
    struct watchdog *watchdog = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(open_played(&driver, &watchdog, &err), ERR_OK);
    CU_ASSERT_EQUAL(watchdog_timeout_ms(watchdog), 15000);
    CU_ASSERT_FALSE(watchdog_has_reset(watchdog));
    driver.broken = true;
    CU_ASSERT_EQUAL(watchdog_pet(watchdog, &err), ERR_IO);
    watchdog_free(watchdog);
}

static void a_device_that_another_holds_is_busy(void)
{
    struct driver driver = {.busy = true};
    struct watchdog *watchdog = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(open_played(&driver, &watchdog, &err), ERR_BUSY);
    CU_ASSERT_PTR_NULL(watchdog);
    CU_ASSERT_EQUAL(driver.closed, 0);
    watchdog_free(watchdog);
}

#define CASE(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }

UNIT_MAIN("watchdog",
          CASE(a_clean_stop_disarms_and_nothing_else_does),
          CASE(the_drivers_own_timeout_counts),
          CASE(a_reset_before_this_boot_is_told),
          CASE(a_driver_that_answers_nothing_is_fed_as_configured),
          CASE(a_device_that_another_holds_is_busy))
