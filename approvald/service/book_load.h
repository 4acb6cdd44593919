/* SPDX-License-Identifier: Apache-2.0 */
/* book_load.h: fills the book of requests (book.h) from the store. */
#ifndef APPROVALD_SERVICE_BOOK_LOAD_H
#define APPROVALD_SERVICE_BOOK_LOAD_H

struct service;

/* Begins, unless it is under way: short jobs, one after the other, until the book is ready. What
 * fails is logged; whoever finds the book not ready calls again. Loop thread. */
void book_load(struct service *service);

#endif
