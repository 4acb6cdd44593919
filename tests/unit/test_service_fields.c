/* SPDX-License-Identifier: Apache-2.0 */
/* test_service_fields.c: proves that a policy's fields come from its text, bind the requests made
 * under it, and stay with them.
 * Owns nothing but its cases; never speaks HTTP or Slack. */
#include "tests/unit/service_kit.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define APPROVERS "approvers = {\"U0ANN\"}"
#define FIELDS                                                                                     \
    "field environment { label = \"Environment\" kind = select options = {\"staging\", \"prod\"} " \
    "required = true hint = \"Where it goes\" }\n"                                                 \
    "field hosts { kind = number min = \"1\" max = \"12\" }\n"
#define POLICIES                                                                                   \
    "policy deploy { " APPROVERS " fields = {\"environment\", \"hosts\"} }\n"                      \
    "policy plain { " APPROVERS " }\n" FIELDS

/* What the callback saw of the request's fields, as "name|label|value " each. */
struct seen {
    struct kit_answer answer;
    char fields[512];
};

static void
on_request(void *arg, enum err_code rc, const struct err *err, const struct service_answer *answer)
{
    struct seen *seen = arg;
    struct field_values values = {.count = 0};
    size_t size = 0;

    if (answer != NULL && answer->request != NULL) {
        CU_ASSERT_EQUAL(field_values_decode(answer->request->fields, &values, NULL), ERR_OK);
    }
    for (uint32_t i = 0; i < values.count; i++) {
        const struct field_value *item = &values.items[i];

        size +=
            (size_t)snprintf(seen->fields + size, sizeof seen->fields - size, "%.*s|%.*s|%.*s ",
                             SPAN_ARGS(item->name), SPAN_ARGS(item->label), SPAN_ARGS(item->value));
    }
    kit_on_request(&seen->answer, rc, err, answer);
}

static struct service_create ask(const char *policy)
{
    return (struct service_create){.actor = kit_asker,
                                   .token_id = 1,
                                   .policy = span_text(policy),
                                   .requester = SPAN_LITERAL("U0ASKER"),
                                   .title = SPAN_LITERAL("Deploy shop")};
}

static void give(struct service_create *create, const char *name, const char *value)
{
    create->fields.items[create->fields.count++] =
        (struct field_value){.name = span_text(name), .value = span_text(value)};
}

static struct seen send(struct service_kit *kit, const struct service_create *create)
{
    struct seen seen = {.fields = ""};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(service_create(kit->service, create, on_request, &seen, &err), ERR_OK);
    service_kit_wait(kit, &seen.answer.done);
    return seen;
}

static struct seen get(struct service_kit *kit, const struct request_id *id)
{
    struct seen seen = {.fields = ""};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(service_get(kit->service, id, on_request, &seen, &err), ERR_OK);
    service_kit_wait(kit, &seen.answer.done);
    return seen;
}

static void values_are_kept_with_the_request(void)
{
    struct service_create create = ask("deploy");
    struct service_kit kit;
    struct seen made;

    service_kit_open_with(&kit, POLICIES);
    give(&create, "hosts", "\t 3\n");
    give(&create, "environment", "prod\xe2\x80\xae");
    made = send(&kit, &create);
    CU_ASSERT_EQUAL_FATAL(made.answer.rc, ERR_OK);
    CU_ASSERT_STRING_EQUAL(made.fields, "environment|Environment|prod hosts|hosts|3 ");
    /* Another version of the policy asks for other things; what was said stays. */
    CU_ASSERT_EQUAL(kit_apply(&kit, "policy deploy { " APPROVERS " }", false, false).rc, ERR_OK);
    service_kit_restart(&kit);
    CU_ASSERT_STRING_EQUAL(get(&kit, &made.answer.id).fields, made.fields);
    CU_ASSERT_EQUAL(kit_approve(&kit, &made.answer.id, "U0ANN").state, REQUEST_APPROVED);
    CU_ASSERT_STRING_EQUAL(get(&kit, &made.answer.id).fields, made.fields);
    service_kit_close(&kit);
}

/* One value beside a good environment; the answer's message. */
static void refused(struct service_kit *kit, const char *name, const char *value, const char *says)
{
    struct service_create create = ask("deploy");
    struct seen made;

    if (strcmp(name, "environment") != 0) {
        give(&create, "environment", "prod");
    }
    give(&create, name, value);
    made = send(kit, &create);
    CU_ASSERT_EQUAL(made.answer.rc, ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(made.answer.message, says);
}

static void what_does_not_fit_is_named(void)
{
    static char long_text[5000];
    struct service_create plain = ask("plain");
    struct service_create bare = ask("deploy");
    struct service_kit kit;

    service_kit_open_with(&kit, POLICIES);
    memset(long_text, 'x', sizeof long_text - 1);
    refused(&kit, "environment", "moon",
            "fields.environment: choose one of the list; \"moon\" is not in it");
    refused(&kit, "hosts", "13", "fields.hosts: has to be from 1 to 12");
    refused(&kit, "hosts", long_text, "fields.hosts: at most 300 characters");
    refused(&kit, "hosts", "\xff", "fields.hosts: not valid UTF-8");
    refused(&kit, "colour", "red", "fields.colour: the policy has no such field");
    refused(&kit, "environment", "", "fields.environment: must not be empty");
    CU_ASSERT_STRING_EQUAL(send(&kit, &bare).answer.message,
                           "fields.environment: must not be empty");
    give(&plain, "environment", "prod");
    CU_ASSERT_STRING_EQUAL(send(&kit, &plain).answer.message,
                           "fields.environment: the policy has no such field");
    plain.fields.count = 0;
    CU_ASSERT_EQUAL(send(&kit, &plain).answer.rc, ERR_OK);
    service_kit_close(&kit);
}

static void the_difference_shows_them(void)
{
    struct service_kit kit;
    struct kit_answer answer;

    service_kit_open_with(&kit, POLICIES);
    answer = kit_apply(&kit, POLICIES, true, false);
    CU_ASSERT_PTR_NULL(strstr(answer.text, "\"changed\""));
    answer = kit_apply(&kit,
                       "policy deploy { " APPROVERS " fields = {\"hosts\"} }\n"
                       "field hosts { kind = number min = \"1\" max = \"9\" }",
                       true, false);
    CU_ASSERT_PTR_NOT_NULL(strstr(
        answer.text, "\"name\":\"fields\",\"before\":\"environment: select, required, staging | "
                     "prod, \\\"Environment\\\", hint \\\"Where it goes\\\"; hosts: number, 1 to "
                     "12, \\\"hosts\\\"\",\"after\":\"hosts: number, 1 to 9, \\\"hosts\\\"\""));
    service_kit_close(&kit);
}

static void text_refused(struct service_kit *kit, const char *text, const char *part)
{
    struct kit_answer answer = kit_apply(kit, text, false, false);

    CU_ASSERT_EQUAL(answer.rc, ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer.message, part));
}

static void a_text_that_makes_no_sense_is_refused_whole(void)
{
    struct service_kit kit;
    char text[8192];

    service_kit_open_with(&kit, POLICIES);
    text_refused(&kit, "policy a { " APPROVERS " fields = {\"env\"} }",
                 "policy:1: policy a: fields: there is no section field env in this text");
    text_refused(&kit, "policy a { " APPROVERS " }\nfield env { }",
                 "policy:2: field env: no policy of this text names it");
    text_refused(&kit, "policy a { " APPROVERS " fields = {\"env\"} }\nfield env { kind = select }",
                 "field env: options: a select has 1 to 50");
    text_refused(&kit, "policy a { " APPROVERS " fields = {\"env\"} }\nfield env { kind = colour }",
                 "\"colour\" is not one of: text select number date");
    text_refused(&kit, "policy a { " APPROVERS " fields = {\"e\"} }\nfield e { min = \"few\" }",
                 "field e: min, max: whole numbers in digits");
    text_refused(&kit,
                 "policy a { " APPROVERS " fields = {\"e\"} }\nfield e { kind = date max = \"3\" }",
                 "field e: min, max: only a text and a number have them");
    text_refused(&kit, "policy a { " APPROVERS " fields = {\"e\", \"e\"} }\nfield e { }",
                 "fields: e is given twice");
    text_refused(&kit, "policy a { " APPROVERS " fields = {\"Env\"} }\nfield Env { }",
                 "\"Env\" is not 1 to 32 of a-z");
    text_refused(&kit,
                 "policy a { " APPROVERS
                 " fields = {\"a\", \"b\", \"c\", \"d\", \"e\", \"f\", \"g\"} }\nfield a { }",
                 "fields");
    (void)snprintf(text, sizeof text,
                   "policy a { " APPROVERS " fields = {\"e\"} }\nfield e { kind = select options = "
                   "{\"1\"");
    for (int i = 2; i <= 50; i++) {
        size_t size = strlen(text);

        (void)snprintf(text + size, sizeof text - size, ", \"%070d\xc3\xa4\xc3\xa4\xc3\xa4\"", i);
    }
    (void)strncat(text, "} }", sizeof text - strlen(text) - 1);
    CU_ASSERT_EQUAL(kit_apply(&kit, text, true, false).rc, ERR_OK); /* 50 of them are 3.8 KB */
    service_kit_close(&kit);
}

UNIT_MAIN("service_fields",
          {"values are kept with the request", values_are_kept_with_the_request},
          {"what does not fit is named", what_does_not_fit_is_named},
          {"the difference shows them", the_difference_shows_them},
          {"a text that makes no sense is refused whole",
           a_text_that_makes_no_sense_is_refused_whole})
