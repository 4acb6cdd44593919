/* SPDX-License-Identifier: Apache-2.0 */
/* test_enrol_device.c: proves the fence devices of a pair as text; the helper's own parser reads
 * what is made for it.
 * Owns two samples. Never touches a file or a network. */
#include "approvald/enrol/device.h"
#include "approvald/enrol/texts.h"
#include "base/buf.h"
#include "supervisor/arbiter/agent.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

static void add(struct device *device, const char *text)
{
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(device_add(device, span_text(text), false, &err), ERR_OK);
}

static struct device sample(void)
{
    struct device device = {.count = 0};

    add(&device, "agent=fence_ipmilan");
    add(&device, "ip=192.0.2.101");
    add(&device, "username=approvald");
    add(&device, "password= s=3 cret#");
    return device;
}

static struct buf *text_of(const struct device *device)
{
    struct buf *buf = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(DEVICE_TEXT_SIZE_MAX, &buf, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(device_format(device, buf, &err), ERR_OK);
    return buf;
}

static enum err_code parse(const char *text)
{
    struct device device;
    struct err err = ERR_INIT;

    return device_parse(span_text(text), &device, &err);
}

static void test_round(void)
{
    struct device device = sample();
    struct device back;
    AUTO_BUF struct buf *buf = text_of(&device);
    struct err err = ERR_INIT;

    CU_ASSERT(texts_is_ours(buf_span(buf)));
    CU_ASSERT_EQUAL_FATAL(device_parse(buf_span(buf), &back, &err), ERR_OK);
    CU_ASSERT(device_equal(&device, &back));
    CU_ASSERT_STRING_EQUAL(device_value(&back, "password"), " s=3 cret#");
    CU_ASSERT_PTR_NULL(device_value(&back, "plug"));
    device_wipe(&back);
    CU_ASSERT_EQUAL(back.count, 0);
    CU_ASSERT_EQUAL(parse("\n# mine\n  agent=fence_x \r\n\n"), ERR_OK); /* an admin's hand */
}

/* What the helper hands to an agent is what was said, and its secrets are known as such. */
static void test_helper(void)
{
    static const char *const keys[] = {
        "password",   "Passwd_Script", "community",   "snmp_priv_passwd", "secret_key",
        "access_key", "TOKEN",         "ip",          "username",         "plug",
        "lanplus",    "auth",          "ssl_insecure"};
    struct device device = sample();
    AUTO_BUF struct buf *buf = text_of(&device);
    struct agent_device agent;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(agent_device_parse(buf_text(buf), buf_size(buf), &agent, &err), ERR_OK);
    CU_ASSERT_STRING_EQUAL(agent.path, DEVICE_AGENTS "fence_ipmilan");
    CU_ASSERT(span_is(span_of(agent.input, agent.size),
                      "ip=192.0.2.101\nusername=approvald\npassword= s=3 cret#\n"));
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char text[128];

        (void)snprintf(text, sizeof text, "agent=fence_x\n%s=y\n", keys[i]); /* fits */
        CU_ASSERT_EQUAL_FATAL(agent_device_parse(text, strlen(text), &agent, &err), ERR_OK);
        CU_ASSERT_EQUAL(agent.secret_count == 1, device_is_secret(keys[i]));
    }
}

static void test_hostile(void)
{
    static const char *const wrong[] = {"agent=/bin/sh",
                                        "agent=../sbin/poweroff",
                                        "agent=poweroff",
                                        "agent=fence_",
                                        "agent=",
                                        "agent=fence_x y",
                                        "agent=fence_x;id",
                                        "agent=fence_a/b",
                                        "ip",
                                        "=x",
                                        "",
                                        "action=off",
                                        "option=off",
                                        "a b=c",
                                        " ip=x",
                                        "a.b=c",
                                        "ip=a\nb",
                                        "ip=a\nagent=/bin/sh",
                                        "ip=\x7f",
                                        "ip=a\tb",
                                        "ip=a ",
                                        "#ip=a",
                                        "ip\n=a"};
    struct err err = ERR_INIT;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct device device = {.count = 0};

        CU_ASSERT_EQUAL(device_add(&device, span_text(wrong[i]), true, &err), ERR_INVALID);
        CU_ASSERT_EQUAL(device.count, 0);
    }
    for (size_t i = 0; i < 2; i++) {
        const struct span nul[] = {SPAN_LITERAL("ip=a\0b"), SPAN_LITERAL("i\0p=a")};
        struct device device = {.count = 0};

        CU_ASSERT_EQUAL(device_add(&device, nul[i], true, &err), ERR_INVALID);
    }
    CU_ASSERT_EQUAL(parse("ip=x\n"), ERR_INVALID);
    CU_ASSERT_EQUAL(parse(""), ERR_INVALID);
    CU_ASSERT_EQUAL(parse("agent=fence_x\nagent=fence_y\n"), ERR_INVALID);
    CU_ASSERT_EQUAL(parse("agent=fence_x\nip=a\nip=b\n"), ERR_INVALID);
    CU_ASSERT_EQUAL(parse("agent=fence_x\naction=off\n"), ERR_INVALID);
}

static void test_unseen(void)
{
    static const char *const wrong[] = {"password=se\x01cret", "agent=/secret", "password=secret ",
                                        "a b=secret", "secret"};
    struct err err = ERR_INIT;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct device device = {.count = 0};
        char text[64];

        CU_ASSERT_EQUAL(device_add(&device, span_text(wrong[i]), true, &err), ERR_INVALID);
        CU_ASSERT_PTR_NULL(strstr(err.message, "ecret"));
        (void)snprintf(text, sizeof text, "agent=fence_x\n%s\nx=\n", wrong[i]); /* fits */
        if (device_parse(span_text(text), &device, &err) != ERR_OK) {
            CU_ASSERT_PTR_NULL(strstr(err.message, "ecret"));
        }
    }
}

/* Every device that is taken can be written and read, here and by the helper; one more is not. */
static void test_bounds(void)
{
    struct device device = {.count = 0};
    struct device back = {.count = 0};
    struct agent_device agent;
    struct err err = ERR_INIT;
    char text[DEVICE_KEY_SIZE + DEVICE_VALUE_SIZE + 8];

    for (unsigned int i = 0; i < DEVICE_OPTION_COUNT_MAX; i++) {
        size_t value_max = i == 0 ? DEVICE_AGENT_SIZE - sizeof "fence_" : DEVICE_VALUE_SIZE - 1;
        int size = i == 0 ? snprintf(text, sizeof text, "agent=fence_")
                          : snprintf(text, sizeof text, "%0*u=", (int)DEVICE_KEY_SIZE - 1, i);

        memset(text + size, 'v', value_max + 1);
        CU_ASSERT_EQUAL(
            device_add(&device, span_of(text, (size_t)size + value_max + 1), true, &err),
            ERR_INVALID);
        CU_ASSERT_EQUAL(device_add(&device, span_of(text, (size_t)size + value_max), true, &err),
                        ERR_OK);
    }
    CU_ASSERT_EQUAL(device_add(&device, SPAN_LITERAL("one=more"), true, &err), ERR_FULL);
    CU_ASSERT_EQUAL(device_add(&device, SPAN_LITERAL("agent=fence_x"), false, &err), ERR_INVALID);
    {
        AUTO_BUF struct buf *buf = text_of(&device);

        CU_ASSERT_EQUAL(device_parse(buf_span(buf), &back, &err), ERR_OK);
        CU_ASSERT(device_equal(&device, &back));
        CU_ASSERT_EQUAL(agent_device_parse(buf_text(buf), buf_size(buf), &agent, &err), ERR_OK);
    }
    memset(text, 'k', sizeof text);
    text[DEVICE_KEY_SIZE] = '=';
    CU_ASSERT_EQUAL(device_add(&back, span_of(text, DEVICE_KEY_SIZE + 2), true, &err), ERR_INVALID);
    {
        char long_text[DEVICE_TEXT_SIZE_MAX + 1];

        memset(long_text, '#', sizeof long_text);
        CU_ASSERT_EQUAL(device_parse(span_of(long_text, sizeof long_text), &back, &err),
                        ERR_TOO_LARGE);
    }
}

static void test_secrets(void)
{
    struct device device = {.count = 0};
    struct err err = ERR_INIT;

    add(&device, "agent=fence_x");
    for (unsigned int i = 0; i <= DEVICE_SECRET_COUNT_MAX; i++) {
        char text[32];

        CU_ASSERT_EQUAL(device_check(&device, &err), ERR_OK);
        (void)snprintf(text, sizeof text, "key_%u=x", i); /* fits */
        add(&device, text);
    }
    CU_ASSERT_EQUAL(device_check(&device, &err), ERR_INVALID);
}

static void test_same(void)
{
    struct device one = sample();
    struct device two = sample();
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(device_add(&two, SPAN_LITERAL("password=another"), true, &err), ERR_OK);
    CU_ASSERT(device_is_same(&one, &two));
    CU_ASSERT_FALSE(device_equal(&one, &two));
    add(&two, "plug=2");
    CU_ASSERT_FALSE(device_is_same(&one, &two));
    CU_ASSERT_FALSE(device_is_same(&two, &one));
    CU_ASSERT_EQUAL(device_add(&two, SPAN_LITERAL("plug=3"), false, &err), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(device_value(&two, "plug"), "2");
}

UNIT_MAIN("enrol_device",
          {"a device comes back as it went", test_round},
          {"the helper reads what was said, and knows the same secrets", test_helper},
          {"no other program, no action and no second line gets in", test_hostile},
          {"what was said is in no message", test_unseen},
          {"what is taken can be written and read, and it is bounded", test_bounds},
          {"there are no more secrets than the helper hides", test_secrets},
          {"one outlet is known again under another password", test_same})
