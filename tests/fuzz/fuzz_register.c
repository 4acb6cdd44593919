/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_register.c: foreign bytes as the arbiter's value.
 * Owns nothing; never lets a text pass that is not the one spelling of a legal value. */
#include "base/assert.h"
#include "supervisor/failover/register.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct register_value value;
    char text[REGISTER_TEXT_SIZE_MAX];

    if (register_parse(span_of(data, size), &value, NULL) == ERR_OK) {
        ASSERT(register_is_legal(&value));
        register_format(&value, text);
        ASSERT(span_equal(span_text(text), span_of(data, size)));
    }
    return 0;
}
