/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_contract.c: foreign bytes as packets between supervisor and approvald.
 * Owns nothing; never lets a packet pass that encodes to other bytes than it came in. */
#include "base/assert.h"
#include "supervisor/contract.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct contract_message message;
    uint8_t packet[CONTRACT_SIZE_MAX];

    if (contract_decode(span_of(data, size), &message, NULL) == ERR_OK) {
        ASSERT(contract_encode(&message, packet) == size);
        ASSERT(memcmp(packet, data, size) == 0);
    }
    return 0;
}
