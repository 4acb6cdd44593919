/* SPDX-License-Identifier: Apache-2.0 */
/* test_register.c: proves supervisor/failover/register: the arbiter's value and its one spelling.
 * Owns nothing but its cases. Never speaks to an arbiter. */
#include "supervisor/failover/register.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define CLUSTER "0102030405060708090a0b0c0d0e0f10"
#define STORE_A "a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0"
#define STORE_B "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0"
#define HEAD    "{\"version\":1,\"cluster\":\"" CLUSTER "\",\"lineage\":\"00000000000000ff\","
#define MEMBERS                                                                                    \
    "\"isr\":[{\"host\":1,\"store\":\"" STORE_A "\"},{\"host\":2,\"store\":\"" STORE_B "\"}],"
#define NONCE "\"nonce\":\"0123456789abcdef\"}"
#define BOTH  HEAD "\"epoch\":7,\"primary\":1," MEMBERS NONCE
#define SOLO                                                                                       \
    HEAD "\"epoch\":18446744073709551614,\"primary\":2,\"isr\":[{\"host\":2,\"store\":\"" STORE_B  \
         "\"}]," NONCE

static struct register_value sample(void)
{
    struct register_value value = {
        .lineage = 255, .epoch = 7, .nonce = 0x0123456789abcdefU, .primary = 1};

    for (uint8_t i = 0; i < REGISTER_ID_SIZE; i++) {
        value.cluster_id[i] = (uint8_t)(i + 1);
    }
    value.isr[0].present = true;
    memset(value.isr[0].store_id, 0xa0, REGISTER_ID_SIZE);
    value.isr[1].present = true;
    memset(value.isr[1].store_id, 0xb0, REGISTER_ID_SIZE);
    return value;
}

static void a_value_is_text_that_an_admin_can_read(void)
{
    struct register_value value = sample();
    char text[REGISTER_TEXT_SIZE_MAX];

    register_format(&value, text);
    CU_ASSERT_STRING_EQUAL(text, BOTH);
    value.primary = 2;
    value.epoch = UINT64_MAX - 1;
    value.isr[0].present = false;
    register_format(&value, text);
    CU_ASSERT_STRING_EQUAL(text, SOLO);
}

static void what_was_written_is_read_back(void)
{
    struct register_value value = sample();
    struct register_value back;

    CU_ASSERT_EQUAL(register_parse(span_text(BOTH), &back, NULL), ERR_OK);
    CU_ASSERT(register_equal(&value, &back));
    CU_ASSERT_EQUAL(register_parse(span_text(SOLO), &back, NULL), ERR_OK);
    CU_ASSERT_FALSE(back.isr[0].present);
    CU_ASSERT(back.isr[1].present);
    CU_ASSERT_EQUAL(back.epoch, UINT64_MAX - 1);
}

static void every_cut_and_every_changed_byte_is_refused_or_another_value(void)
{
    char text[] = BOTH;
    struct register_value value = sample();
    struct register_value back;
    size_t size = strlen(text);
    unsigned refused = 0;

    for (size_t i = 0; i < size; i++) {
        CU_ASSERT_EQUAL(register_parse(span_of(text, i), &back, NULL), ERR_CORRUPT);
        text[i] ^= 1;
        if (register_parse(span_of(text, size), &back, NULL) == ERR_OK) {
            CU_ASSERT_FALSE(register_equal(&value, &back));
        } else {
            refused++;
        }
        text[i] ^= 1;
    }
    CU_ASSERT(refused > size / 2);
}

static void refuse(const char *text, const char *why)
{
    struct err err = ERR_INIT;
    struct register_value back;

    CU_ASSERT_EQUAL(register_parse(span_text(text), &back, &err), ERR_CORRUPT);
    if (strstr(err.message, why) == NULL) {
        CU_FAIL("another reason");
        (void)fprintf(stderr, "\n%s\n  not because of: %s\n", err.message, why);
    }
}

static void another_spelling_is_refused_with_the_place(void)
{
    refuse("", "byte 0: not {\"version\":1");
    refuse("{\"version\":2", "byte 0: not {\"version\":1");
    refuse(BOTH " ", "not the end");
    refuse(HEAD "\"epoch\":07,\"primary\":1," MEMBERS NONCE, "a decimal number");
    refuse(HEAD "\"epoch\":0,\"primary\":1," MEMBERS NONCE, "a decimal number");
    refuse(HEAD "\"epoch\":-1,\"primary\":1," MEMBERS NONCE, "a decimal number");
    refuse(HEAD "\"epoch\":18446744073709551616,\"primary\":1," MEMBERS NONCE, "a decimal number");
    refuse(HEAD "\"epoch\":7,\"primary\":3," MEMBERS NONCE, "host 1 or 2");
    refuse(HEAD "\"epoch\":7,\"primary\":1,\"isr\":[]," NONCE, "not {\"host\":");
    refuse(HEAD "\"epoch\":7,\"primary\":1,\"new\":1," MEMBERS NONCE, "\"isr\"");
    refuse("{\"version\":1,\"cluster\":\"" CLUSTER "\",\"lineage\":\"00000000000000FF\"",
           "hexadecimal digits");
}

static void members_stand_in_order_and_once(void)
{
    refuse(HEAD "\"epoch\":7,\"primary\":1,\"isr\":[{\"host\":2,\"store\":\"" STORE_B
                "\"},{\"host\":1,\"store\":\"" STORE_A "\"}]," NONCE,
           "hosts in order");
    refuse(HEAD "\"epoch\":7,\"primary\":1,\"isr\":[{\"host\":1,\"store\":\"" STORE_B
                "\"},{\"host\":1,\"store\":\"" STORE_A "\"}]," NONCE,
           "hosts in order");
}

static void a_value_that_may_not_stand_there_is_refused(void)
{
    refuse(HEAD "\"epoch\":7,\"primary\":2,\"isr\":[{\"host\":1,\"store\":\"" STORE_A "\"}]," NONCE,
           "the primary is not in the ISR");
    refuse(HEAD "\"epoch\":18446744073709551615,\"primary\":1," MEMBERS NONCE, "out of range");
    refuse(HEAD "\"epoch\":7,\"primary\":1,\"isr\":[{\"host\":1,\"store\":\"" STORE_A
                "\"},{\"host\":2,\"store\":\"" STORE_A "\"}]," NONCE,
           "two hosts have one store id");
    refuse(HEAD "\"epoch\":7,\"primary\":1," MEMBERS "\"nonce\":\"0000000000000000\"}", "never 0");
    refuse(HEAD "\"epoch\":7,\"primary\":1,\"isr\":[{\"host\":1,\"store\":"
                "\"00000000000000000000000000000000\"}]," NONCE,
           "a store id is never 0");
}

static void a_text_of_more_bytes_than_any_value_has_is_refused(void)
{
    char text[REGISTER_TEXT_SIZE_MAX + 1];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    refuse(text, "too many");
}

static void each_field_tells_two_values_apart(void)
{
    const struct register_value value = sample();
    struct register_value other[8];

    for (size_t i = 0; i < 8; i++) {
        other[i] = value;
        CU_ASSERT(register_equal(&value, &other[i]));
    }
    other[0].cluster_id[15] ^= 1;
    other[1].lineage++;
    other[2].epoch++;
    other[3].nonce++;
    other[4].primary = 2;
    other[5].isr[0].store_id[15] ^= 1;
    other[6].isr[1].store_id[0] ^= 1;
    other[7].isr[1].present = false;
    for (size_t i = 0; i < 8; i++) {
        CU_ASSERT_FALSE(register_equal(&value, &other[i]));
    }
}

static void only_a_host_with_its_own_store_is_in_the_isr(void)
{
    struct register_value value = sample();

    CU_ASSERT(register_has(&value, 1, value.isr[0].store_id));
    CU_ASSERT(register_has(&value, 2, value.isr[1].store_id));
    CU_ASSERT_FALSE(register_has(&value, 1, value.isr[1].store_id));
    value.isr[1].present = false;
    CU_ASSERT_FALSE(register_has(&value, 2, value.isr[1].store_id));
    CU_ASSERT_EQUAL(host_other(1), 2);
    CU_ASSERT_EQUAL(host_other(2), 1);
}

UNIT_MAIN(
    "register",
    {"a value is text that an admin can read", a_value_is_text_that_an_admin_can_read},
    {"what was written is read back", what_was_written_is_read_back},
    {"every cut and every changed byte is refused or another value",
     every_cut_and_every_changed_byte_is_refused_or_another_value},
    {"another spelling is refused with the place", another_spelling_is_refused_with_the_place},
    {"members stand in order and once", members_stand_in_order_and_once},
    {"a value that may not stand there is refused", a_value_that_may_not_stand_there_is_refused},
    {"a text of more bytes than any value has is refused",
     a_text_of_more_bytes_than_any_value_has_is_refused},
    {"each field tells two values apart", each_field_tells_two_values_apart},
    {"only a host with its own store is in the ISR", only_a_host_with_its_own_store_is_in_the_isr})
