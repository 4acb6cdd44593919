/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_audit_chain.c: a server's page of audit entries through approvalctl's check of the chain.
 * Owns nothing; never lets a page count an entry that does not follow: the invariant is asserted.
 */
#include "approvald/ctl/audit_chain.h"
#include "base/assert.h"
#include "base/json.h"

#define FUZZ_SIZE_MAX 65536 /* bytes of one page: more finds nothing new */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_JSON struct json *page = NULL;
    struct audit_chain chain = {0};
    struct err err = ERR_INIT;

    if (json_parse(span_of(data, size), FUZZ_SIZE_MAX, &page, &err) != ERR_OK) {
        return 0;
    }
    for (const struct json *at = json_first(json_get(page, "entries")); at != NULL;
         at = json_next(at)) {
        uint64_t before = chain.count;
        enum err_code rc = audit_chain_add(&chain, at, &err);

        ASSERT(chain.count == before + (rc == ERR_OK));
        ASSERT(chain.count == 0 || chain.last == chain.first + chain.count - 1);
    }
    return 0;
}
