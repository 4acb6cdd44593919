/* SPDX-License-Identifier: Apache-2.0 */
/* fetch_trust.h: in which of its two forms the system's list of authorities is read. For fetch.c.
 */
#ifndef BASE_FETCH_TRUST_H
#define BASE_FETCH_TRUST_H

#include <stdbool.h>

/* True when directory has as many certificates, named by their hashes, as stand in file: then the
 * one that a server needs is looked up there, and the file need not be read. A certificate that was
 * only added to the file makes it false, and so does whatever cannot be read; NULL for either is
 * allowed. A file that is not there has none. Blocks (disk). */
bool fetch_trust_by_hash(const char *file, const char *directory);

#endif
