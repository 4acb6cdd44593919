/* SPDX-License-Identifier: Apache-2.0 */
/* check.pml: the invariants of design section 7, as assertions at the step that could break them.
 * Never changes a modelled variable, only the checker's own (ghost, glen, told). */

/* c = length of the common prefix of host h's log and its peer's. */
inline common_logs(h)
{
    c = 0;
    do
    :: c < llen[h] && c < llen[1 - h] && log[h * HEALL + c] == log[(1 - h) * HEALL + c] -> c++
    :: else -> break
    od
}

/* 4: equal (epoch, LSN) => equal hash: beyond the common prefix no LSN has the same epoch twice.
 * 7: two incarnations never append under one epoch. */
inline check_logs()
{
    common_logs(0);
    i = c;
    do
    :: i < llen[0] && i < llen[1] ->
       assert(EPOCH(log[i]) != EPOCH(log[HEALL + i])); /* 4 */
       i++
    :: else -> break
    od;
    c = 0;
    i = 0
}

inline check_append(h)
{
    i = 0;
    do
    :: i < HEALL ->
       if
       :: i < llen[0] && EPOCH(log[i]) == kE[h] -> assert(log[i] == REC(kE[h], h)) /* 7 */
       :: else
       fi;
       if
       :: i < llen[1] && EPOCH(log[HEALL + i]) == kE[h] ->
          assert(log[HEALL + i] == REC(kE[h], h)) /* 7 */
       :: else
       fi;
       i++
    :: else -> break
    od;
    check_logs()
}

/* The first upto records of h are the committed ones. */
inline check_prefix(h, upto)
{
    i = 0;
    do
    :: i < (upto) ->
       assert(i < llen[h] && log[h * HEALL + i] == ghost[i]); /* 3, 8, 9, 10 */
       i++
    :: else -> break
    od;
    i = 0
}

/* h commits up to n. */
inline check_commit(h)
{
    /* 5, and 13 where the CAS has landed unknown to us: what the register says, we require. */
#if !RESTORES
    assert(!MINE(rN, h) || FIELD(rI, 1 - h) == 0 || ACKS(h));
#endif
    /* 13: the union of the old and the proposed ISR while a CAS of ours is unresolved. */
    c = 0;
    do
    :: c < NC ->
       assert(cE[h * NC + c] != kE[h] || !MINE(cN[h * NC + c], h) ||
              FIELD(cI[h * NC + c], 1 - h) == 0 || ACKS(h));
       c++
    :: else -> break
    od;
    /* 2: durable on every host of the ISR, with these bytes; a store lost since is not asked. */
    if
    :: FIELD(kI[h], 1 - h) != 0 && HAS(kI[h], 1 - h) ->
       assert(dur[1 - h] >= n);
       common_logs(h);
       assert(c >= n)
    :: else
    fi;
    c = 0;
#if FORCES
    if
    :: told[h] < n -> told[h] = n
    :: else
    fi;
    if
    :: lin[h] == glin -> fold(h)
    :: else /* the operator has given this lineage up; it may still not know */
    fi
#else
    fold(h)
#endif
}

/* 3, 4, 8: what is committed once is what is committed ever after. */
inline fold(h)
{
    i = 0;
    do
    :: i < n ->
       if
       :: i < glen -> assert(ghost[i] == log[h * HEALL + i])
       :: else -> ghost[i] = log[h * HEALL + i]
       fi;
       i++
    :: else -> break
    od;
    i = 0;
    if
    :: glen < n -> glen = n
    :: else
    fi
}
