/* SPDX-License-Identifier: Apache-2.0 */
/* home_certs.c: the authorities of a pair and this host's certificates.
 * Owns which authority issues what, for whom, and for how long.
 * Never issues by an authority that is only trusted any more, never shortens a chain of trust while
 * a rotation is under way. A crash between a key and its certificate leaves two that do not belong
 * together: home_look sees it, and home_renew issues again. */
#include "approvald/enrol/home.h"

#include "approvald/enrol/files.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/x509.h"

#include <stdio.h>
#include <string.h>

#define BUNDLE_SIZE_MAX ENROL_PEM_SIZE_MAX

static const struct authority_kind {
    const char *name; /* in its certificate */
    const char *certificate;
    const char *key;
} authority_kinds[2] = {
    [HOME_LINK] = {"approvald pair link", "link-ca.crt", "link-ca.key"},
    [HOME_ARBITER] = {"approvald pair arbiter", "arbiter-ca.crt", "arbiter-ca.key"},
};

/* Who else than root reads a file. */
enum reader { READER_NONE, READER_SERVICE, READER_SUPERVISOR, READER_ALL };

static const struct leaf_kind {
    const char *name;
    enum home_authority authority;
    enum reader reader; /* of the key */
} leaf_kinds[HOME_LEAF_COUNT] = {
    {"link", HOME_LINK, READER_SERVICE},
    {"arbiter", HOME_ARBITER, READER_SUPERVISOR}, /* approvald must not speak as a supervisor */
    {"service", HOME_LINK, READER_SERVICE},
    {"enrol", HOME_LINK, READER_NONE},
};

static enum err_code
read_file(const struct home *home, const char *name, struct buf **ret_buf, struct err *err)
{
    char path[ENROL_PATH_SIZE];

    home_file(home, name, path);
    return files_read(path, ENROL_PEM_SIZE_MAX, ret_buf, err);
}

static enum err_code write_file(const struct home *home,
                                const char *name,
                                struct span content,
                                enum reader reader,
                                struct err *err)
{
    const struct {
        unsigned int mode;
        uint32_t group;
    } kinds[] = {
        [READER_NONE] = {0600, FILES_ANY_GROUP},
        [READER_SERVICE] = {0640, home->group},
        [READER_SUPERVISOR] = {0640, home->supervisor},
        [READER_ALL] = {0644, FILES_ANY_GROUP},
    };
    char path[ENROL_PATH_SIZE];

    home_file(home, name, path);
    return files_write(path, content, kinds[reader].mode, kinds[reader].group, err);
}

/* -- authorities ----------------------------------------------------------------------------- */

enum err_code home_load_authority(const struct home *home,
                                  enum home_authority which,
                                  struct x509_authority **ret_authority,
                                  struct err *err)
{
    const struct authority_kind *kind = &authority_kinds[which];
    AUTO_BUF struct buf *certificate = NULL;
    AUTO_BUF struct buf *key = NULL;
    enum err_code rc = read_file(home, kind->certificate, &certificate, err);

    if (rc == ERR_OK) {
        rc = read_file(home, kind->key, &key, err);
    }
    if (rc == ERR_OK) {
        rc = x509_authority_parse(buf_span(certificate), buf_span(key), ret_authority, err);
        buf_wipe(key);
        rc = rc == ERR_OK ? rc : err_wrap(err, rc, "%s", kind->certificate);
    }
    return rc;
}

static enum err_code
append_file(const struct home *home, const char *name, struct buf *buf, struct err *err)
{
    AUTO_BUF struct buf *content = NULL;
    enum err_code rc = read_file(home, name, &content, err);

    if (rc == ERR_OK) {
        rc = buf_append_span(buf, buf_span(content), err);
        buf_wipe(content);
    }
    return rc;
}

enum err_code
home_trusted(const struct home *home, enum home_authority which, struct buf *buf, struct err *err)
{
    return append_file(home, authority_kinds[which].certificate, buf, err);
}

enum err_code home_authority_key(const struct home *home,
                                 enum home_authority which,
                                 struct buf *buf,
                                 struct err *err)
{
    return append_file(home, authority_kinds[which].key, buf, err);
}

/* A new one, which also trusts what formerly says. A crash between its two files loses the key of
 * the former one and no trust: home_rotate begins again from the certificates. */
static enum err_code make_authority(const struct home *home,
                                    enum home_authority which,
                                    struct span formerly,
                                    uint64_t now_s,
                                    struct err *err)
{
    const struct authority_kind *kind = &authority_kinds[which];
    const struct x509_validity validity = {.not_before_s = now_s - ENROL_BACKDATE_S,
                                           .not_after_s = now_s + ENROL_AUTHORITY_S};
    AUTO_BUF struct buf *certificate = NULL;
    AUTO_BUF struct buf *key = NULL;
    struct x509_authority *authority = NULL;
    enum err_code rc = buf_new(BUNDLE_SIZE_MAX, &certificate, err);

    rc = rc == ERR_OK ? buf_new(ENROL_PEM_SIZE_MAX, &key, err) : rc;
    rc = rc == ERR_OK ? x509_authority_new(kind->name, &validity, &authority, err) : rc;
    rc = rc == ERR_OK ? x509_authority_format(authority, certificate, err) : rc;
    rc = rc == ERR_OK ? buf_append_span(certificate, formerly, err) : rc;
    rc = rc == ERR_OK ? x509_authority_format_key(authority, key, err) : rc;
    x509_authority_free(authority);
    rc = rc == ERR_OK ? write_file(home, kind->key, buf_span(key), READER_NONE, err) : rc;
    rc = rc == ERR_OK ? write_file(home, kind->certificate, buf_span(certificate), READER_ALL, err)
                      : rc;
    if (key != NULL) {
        buf_wipe(key);
    }
    return rc;
}

static size_t count_certificates(const struct buf *buf)
{
    static const char head[] = "-----BEGIN CERTIFICATE-----";
    size_t count = 0;

    for (const char *at = strstr(buf_text(buf), head); at != NULL; at = strstr(at + 1, head)) {
        count++;
    }
    return count;
}

static size_t count_trusted(const struct home *home, enum home_authority which)
{
    AUTO_BUF struct buf *buf = NULL;
    struct err err = ERR_INIT;

    return read_file(home, authority_kinds[which].certificate, &buf, &err) == ERR_OK
               ? count_certificates(buf)
               : 0;
}

static enum err_code
check_authority(const struct home *home, enum home_authority which, struct err *err)
{
    struct x509_authority *authority = NULL;
    enum err_code rc = home_load_authority(home, which, &authority, err);

    x509_authority_free(authority);
    return rc == ERR_OK ? rc : err_wrap(err, rc, "a rotation was cut off, begin it again");
}

enum err_code home_make_authorities(const struct home *home, uint64_t now_s, struct err *err)
{
    enum err_code rc = files_folder(home->folder, 0750, home->group, err);

    for (int i = 0; rc == ERR_OK && i < 2; i++) {
        if (count_trusted(home, (enum home_authority)i) == 0) {
            rc = make_authority(home, (enum home_authority)i, SPAN_NONE, now_s, err);
        } else {
            rc = check_authority(home, (enum home_authority)i, err);
        }
    }
    return rc;
}

bool home_is_rotating(const struct home *home)
{
    return count_trusted(home, HOME_LINK) > 1 || count_trusted(home, HOME_ARBITER) > 1;
}

enum err_code home_rotate(const struct home *home, uint64_t now_s, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (int i = 0; rc == ERR_OK && i < 2; i++) {
        AUTO_BUF struct buf *formerly = NULL;

        if (count_trusted(home, (enum home_authority)i) > 1) {
            continue; /* a former try came so far */
        }
        rc = read_file(home, authority_kinds[i].certificate, &formerly, err);
        if (rc == ERR_OK) {
            rc = make_authority(home, (enum home_authority)i, buf_span(formerly), now_s, err);
        }
    }
    return rc;
}

enum err_code home_end_rotation(const struct home *home, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (int i = 0; rc == ERR_OK && i < 2; i++) {
        AUTO_BUF struct buf *buf = NULL;
        struct x509_authority *authority = NULL;

        rc = buf_new(BUNDLE_SIZE_MAX, &buf, err);
        rc = rc == ERR_OK ? home_load_authority(home, (enum home_authority)i, &authority, err) : rc;
        rc = rc == ERR_OK ? x509_authority_format(authority, buf, err) : rc;
        rc = rc == ERR_OK
                 ? write_file(home, authority_kinds[i].certificate, buf_span(buf), READER_ALL, err)
                 : rc;
        x509_authority_free(authority);
    }
    return rc;
}

/* -- leaves ---------------------------------------------------------------------------------- */

static bool is_wanted(const struct leaf_kind *kind, const struct plan *plan)
{
    if (strcmp(kind->name, "service") == 0) {
        return plan->vip[0] != '\0' && plan->service_port > 0;
    }
    return strcmp(kind->name, "arbiter") != 0 || plan->arbiter[0] != '\0';
}

static void leaf_file(const struct leaf_kind *kind, const char *end, char ret_name[32])
{
    (void)snprintf(ret_name, 32, "%s.%s", kind->name, end); /* fits */
}

/* The leaf's key: the one that is there, or with fresh a new one. */
static enum err_code leaf_key(const struct home *home,
                              const struct leaf_kind *kind,
                              bool fresh,
                              struct x509_key **ret_key,
                              struct err *err)
{
    AUTO_BUF struct buf *buf = NULL;
    struct x509_key *key = NULL;
    struct err ignored = ERR_INIT;
    char name[32];
    enum err_code rc;

    leaf_file(kind, "key", name);
    if (!fresh && read_file(home, name, &buf, &ignored) == ERR_OK &&
        x509_key_parse(buf_span(buf), ret_key, &ignored) == ERR_OK) {
        buf_wipe(buf);
        return ERR_OK;
    }
    buf_free(buf);
    buf = NULL;
    rc = buf_new(ENROL_PEM_SIZE_MAX, &buf, err);
    rc = rc == ERR_OK ? x509_key_new(&key, err) : rc;
    rc = rc == ERR_OK ? x509_key_format(key, buf, err) : rc;
    rc = rc == ERR_OK ? write_file(home, name, buf_span(buf), kind->reader, err) : rc;
    if (rc != ERR_OK) {
        x509_key_free(key);
        return rc;
    }
    buf_wipe(buf);
    *ret_key = key;
    return ERR_OK;
}

/* What stands in it: the least that its use asks for. */
static void describe(const struct leaf_kind *kind,
                     const struct home_self *self,
                     char ret_names[2][PLAN_ADDRESS_SIZE],
                     struct x509_leaf *ret_leaf)
{
    char *name = ret_names[0];

    plan_host_name(self->host, name);
    *ret_leaf = (struct x509_leaf){.common_name = name, .names = {name}};
    if (strcmp(kind->name, "link") == 0) {
        ret_leaf->server = self->host == 1; /* host 2 dials */
        ret_leaf->client = self->host == 2;
    } else if (strcmp(kind->name, "arbiter") == 0) {
        ret_leaf->client = true;
    } else if (strcmp(kind->name, "service") == 0) {
        plan_vip_address(self->plan->vip, ret_names[1]);
        ret_leaf->names[0] = ret_names[1];
        ret_leaf->server = true;
    } else {
        ret_leaf->names[1] = self->plan->host[self->host - 1];
        ret_leaf->server = true;
    }
}

static enum err_code issue_leaf(const struct home *home,
                                const struct leaf_kind *kind,
                                const struct home_self *self,
                                bool fresh,
                                struct err *err)
{
    AUTO_BUF struct buf *buf = NULL;
    struct x509_authority *authority = NULL;
    struct x509_key *key = NULL;
    struct x509_leaf leaf;
    uint8_t public[X509_PUBLIC_SIZE];
    char names[2][PLAN_ADDRESS_SIZE];
    char file[32];
    enum err_code rc = home_load_authority(home, kind->authority, &authority, err);

    describe(kind, self, names, &leaf);
    leaf.validity = (struct x509_validity){.not_before_s = self->now_s - ENROL_BACKDATE_S,
                                           .not_after_s = self->now_s + ENROL_LEAF_S};
    rc = rc == ERR_OK ? leaf_key(home, kind, fresh, &key, err) : rc;
    rc = rc == ERR_OK ? buf_new(ENROL_PEM_SIZE_MAX, &buf, err) : rc;
    if (rc == ERR_OK) {
        x509_key_public(key, public);
        rc = x509_issue(authority, &leaf, public, buf, err);
    }
    x509_authority_free(authority);
    x509_key_free(key);
    leaf_file(kind, "crt", file);
    rc = rc == ERR_OK ? write_file(home, file, buf_span(buf), READER_ALL, err) : rc;
    return rc == ERR_OK ? rc : err_wrap(err, rc, "certificate %s", kind->name);
}

/* Of this host's key, and of an authority that is trusted. */
static bool
leaf_fits(const struct home *home, const struct leaf_kind *kind, struct x509_facts *ret_facts)
{
    AUTO_BUF struct buf *certificate = NULL;
    AUTO_BUF struct buf *pem = NULL;
    AUTO_BUF struct buf *trusted = NULL;
    struct x509_key *key = NULL;
    uint8_t public[X509_PUBLIC_SIZE];
    struct err err = ERR_INIT;
    char file[32];
    enum err_code rc;
    bool fits = false;

    leaf_file(kind, "crt", file);
    rc = read_file(home, file, &certificate, &err);
    leaf_file(kind, "key", file);
    rc = rc == ERR_OK ? read_file(home, file, &pem, &err) : rc;
    rc = rc == ERR_OK ? x509_key_parse(buf_span(pem), &key, &err) : rc;
    rc = rc == ERR_OK ? x509_look(buf_span(certificate), ret_facts, &err) : rc;
    rc = rc == ERR_OK ? buf_new(ENROL_PEM_SIZE_MAX, &trusted, &err) : rc;
    rc = rc == ERR_OK ? home_trusted(home, kind->authority, trusted, &err) : rc;
    rc = rc == ERR_OK ? x509_check_issuer(buf_span(certificate), buf_span(trusted), &err) : rc;
    if (rc == ERR_OK) {
        x509_key_public(key, public);
        fits = memcmp(public, ret_facts->public, sizeof public) == 0;
    }
    if (pem != NULL) {
        buf_wipe(pem);
    }
    x509_key_free(key);
    return fits;
}

bool home_look(const struct home *home,
               const struct home_self *self,
               size_t leaf,
               struct home_leaf *ret_leaf)
{
    struct x509_facts facts = {.authority = false};
    uint64_t life_s;

    ASSERT(leaf < HOME_LEAF_COUNT);
    ASSERT(self->host == 1 || self->host == 2);
    if (!is_wanted(&leaf_kinds[leaf], self->plan)) {
        return false;
    }
    *ret_leaf = (struct home_leaf){.name = leaf_kinds[leaf].name,
                                   .fits = leaf_fits(home, &leaf_kinds[leaf], &facts)};
    ret_leaf->not_after_s = facts.validity.not_after_s;
    life_s = facts.validity.not_after_s - facts.validity.not_before_s;
    ret_leaf->young = ret_leaf->fits && self->now_s < facts.validity.not_after_s &&
                      facts.validity.not_after_s - self->now_s > life_s / 3;
    return true;
}

enum err_code home_renew(const struct home *home,
                         const struct home_self *self,
                         enum home_renewal which,
                         size_t *ret_count,
                         struct err *err)
{
    enum err_code rc = ERR_OK;

    *ret_count = 0;
    for (size_t i = 0; rc == ERR_OK && i < HOME_LEAF_COUNT; i++) {
        struct home_leaf leaf;

        bool fresh = which == HOME_RENEW_ALL;

        if (home_look(home, self, i, &leaf) && (fresh || !leaf.young)) {
            rc = issue_leaf(home, &leaf_kinds[i], self, fresh, err);
            *ret_count += rc == ERR_OK ? 1 : 0;
        }
    }
    return rc;
}

enum err_code
home_fingerprint(const struct home *home, uint8_t ret_fingerprint[X509_HASH_SIZE], struct err *err)
{
    AUTO_BUF struct buf *buf = NULL;
    struct x509_facts facts;
    enum err_code rc = read_file(home, "enrol.crt", &buf, err);

    if (rc == ERR_OK) {
        rc = x509_look(buf_span(buf), &facts, err);
    }
    if (rc == ERR_OK) {
        memcpy(ret_fingerprint, facts.fingerprint, X509_HASH_SIZE);
    }
    return rc;
}
