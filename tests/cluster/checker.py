# SPDX-License-Identifier: Apache-2.0
"""checker.py: was everything that clients were told true? A history against the rules of a request.

Owns the model of one request's life: created, decided once, claimed once, consumed once. Pure: it
reads what client.py wrote and says what is wrong, in sentences; an empty list is a good history.

Each request is an object of its own, so linearizability is decided request by request (a search over
the orders that time allows, as by Wing and Gong, remembering what was tried). An operation of
unknown fate may have happened at any time after it began, or never. One that was acknowledged but
may be carried out later (a press from the inbox) happens at any time after it began, but happens.
"""

import hashlib
import itertools

FOREVER = float("inf")
SEARCH_MAX = 400_000  # steps of one request's search; one of ours needs a few hundred
PENDING, APPROVED, REJECTED, CANCELLED = "pending", "approved", "rejected", "cancelled"
VERDICTS = {"approve": APPROVED, "reject": REJECTED}


class Operation:
    """One operation on one request: kind, what was given, what was told, and when."""

    def __init__(self, begin, line):
        self.number = line["op"]
        self.kind = line["kind"]
        self.given = line
        self.begin = begin
        self.end = FOREVER
        self.told = None  # "ok", "fail"; None: unknown
        self.answer = {}
        self.request = line.get("request")

    def finish(self, line):
        if line["e"] == "unknown":
            return
        self.told, self.answer = line["e"], line
        self.request = line.get("request") or self.request
        self.end = FOREVER if self.is_deferred() else line["t"]

    def is_deferred(self):
        """Acknowledged from the inbox: what it does may come later, but comes."""
        return self.told == "ok" and (self.kind == "press" or self.answer.get("status") == 202)

    def must_happen(self):
        return self.told is not None

    def __repr__(self):
        when = f"{self.begin:.3f}-{self.end:.3f}"
        detail = {k: v for k, v in {**self.given, **self.answer}.items()
                  if k in ("user", "verdict", "key", "result", "state", "use", "refusal", "status",
                           "users", "doubt")}
        return f"#{self.number} {self.kind} {when} {self.told or 'unknown'} {detail}"


def operations(lines):
    """The operations of a history, in the order in which they began."""
    found = {}
    for line in lines:
        key = (line.get("source", 0), line["op"])
        if line["e"] == "invoke":
            found[key] = Operation(line["t"], line)
        elif line["e"] in ("ok", "fail", "unknown"):
            found[key].finish(line)
    return list(found.values())


# -- the model ---------------------------------------------------------------------------------------
# A request's state: (state, use, user who decided, claim key, result), or None before its creation.

def allowed(state, operation):
    """The states after the operation, if what was told fits; none: it does not fit here."""
    if operation.kind == "create":
        return [(PENDING, "none", None, None, None)] if state is None else []
    if state is None:
        return []
    return STEPS[operation.kind](state, operation)


def step_read(state, op):
    if op.told is None:
        return [state]
    if op.told == "fail":
        return []  # the request exists, and who reads may
    decision = [state[2]] if state[2] else []
    seen = op.answer
    fits = (seen["state"], seen["use"], seen["users"], seen["result"]) == (
        state[0], state[1], decision, state[4])
    return [state] if fits else []


def decided(state, op):
    verdict = VERDICTS[op.given["verdict"]]
    use = "unused" if verdict == APPROVED else "none"
    return (verdict, use, op.given["user"], None, None)


def step_decide(state, op):
    if op.told == "ok" and op.answer["status"] == 202 or op.told is None:
        return [decided(state, op)] if state[0] == PENDING else [state]
    if state[0] == PENDING:  # told of its own first try, whose answer was lost
        won = op.told == "ok" or op.answer["doubt"] and op.answer["refusal"] == "already_decided"
        return [decided(state, op)] if won else []
    mine = state[0] == VERDICTS[op.given["verdict"]] and state[2] == op.given["user"]
    return [state] if op.told == "fail" and op.answer["refusal"] == (
        "already_decided" if mine else "ended") else []


def step_press(state, op):
    if op.told == "fail":
        return []  # a press is always acknowledged
    return [decided(state, op)] if state[0] == PENDING else [state]


def step_cancel(state, op):
    """All cancel as one asker, to whom a cancelled request is cancelled again."""
    cancelled = (CANCELLED, "none", None, None, None)
    if op.told is None:
        return [cancelled] if state[0] == PENDING else [state]
    if op.told == "ok":
        return [cancelled] if state[0] in (PENDING, CANCELLED) else []
    return [state] if state[0] in VERDICTS.values() and op.answer["refusal"] == "ended" else []


def step_claim(state, op):
    """The same key may claim again until it is consumed."""
    claimed = (state[0], "claimed", state[2], op.given["key"], None)
    free = state[:2] == (APPROVED, "unused")
    if op.told is None:
        return [claimed] if free else [state]
    if op.told == "ok":
        mine = state[1] == "claimed" and state[3] == op.given["key"]
        return [claimed] if free else [state] if mine else []
    if free:  # its first try won, and it was consumed before the second
        return [claimed] if op.answer["doubt"] and op.answer["refusal"] == "claimed" else []
    reasons = {"not_approved": state[0] != APPROVED,
               "claimed": state[1] == "consumed" or state[3] not in (None, op.given["key"])}
    return [state] if reasons.get(op.answer["refusal"], False) else []


def step_consume(state, op):
    """The same result may be told again."""
    consumed = (state[0], "consumed", state[2], state[3], op.given["result"])
    if op.told is None:
        return [consumed] if state[1] == "claimed" else [state]
    same = state[1] == "consumed" and state[4] == op.given["result"]
    if op.told == "ok":
        return [consumed] if state[1] == "claimed" else [state] if same else []
    reasons = {"consumed": state[1] == "consumed" and not same,
               "not_claimed": state[:2] == (APPROVED, "unused"),
               "not_approved": state[0] != APPROVED}
    return [state] if reasons.get(op.answer["refusal"], False) else []


STEPS = {"read": step_read, "decide": step_decide, "press": step_press, "cancel": step_cancel,
         "claim": step_claim, "consume": step_consume}


# -- the search --------------------------------------------------------------------------------------

def linearizable(ops, initial=None, step=allowed):
    """True when some order explains all that was told. Raises RuntimeError when that is too long."""
    ops = sorted(ops, key=lambda op: op.begin)
    everything = (1 << len(ops)) - 1
    needed = sum(1 << i for i, op in enumerate(ops) if op.must_happen())
    stack, seen, steps = [(0, initial)], set(), 0
    while stack:
        done, state = stack.pop()
        if done & needed == needed:
            return True
        if (done, state) in seen:
            continue
        seen.add((done, state))
        steps += 1
        if steps > SEARCH_MAX:
            raise RuntimeError(f"{len(ops)} operations: the search does not end")
        first_end = min((op.end for i, op in enumerate(ops)
                         if not done >> i & 1), default=FOREVER)
        for i, op in enumerate(ops):
            if op.begin > first_end:
                break
            if done >> i & 1:
                continue
            for after in step(state, op):
                stack.append((done | 1 << i, after))
    assert needed <= everything
    return False


# -- all that is checked -----------------------------------------------------------------------------

def check_history(lines, finals=None):
    """What is wrong with a history. finals: {request id: the request, read after all was healed}."""
    wrong = [f"a client broke: {line['problem']}" for line in lines if line["e"] == "broken"]
    ops = operations(lines)
    by_request = {}
    for op in ops:
        by_request.setdefault(op.request, []).append(op)
    by_request.pop(None, None)  # creations of unknown fate: no id was told
    wrong += check_creations(ops)
    for request_id, own in by_request.items():
        wrong += check_request(request_id, own, None if finals is None else
                               finals.get(request_id), finals is not None)
    return wrong


def check_creations(ops):
    """One id per key, one key per id; a creation that is refused is a fault of the test or worse."""
    wrong, keys, ids = [], {}, {}
    for op in ops:
        if op.kind != "create" or op.told is None:
            continue
        if op.told == "fail":
            wrong.append(f"a request was refused: {op}")
            continue
        key, request_id = op.given["key"], op.request
        if keys.setdefault(key, request_id) != request_id:
            wrong.append(f"double: key {key} made {keys[key]} and {request_id}")
        if ids.setdefault(request_id, key) != key:
            wrong.append(f"double: {request_id} was told for {ids[request_id]} and {key}")
    return wrong


def check_request(request_id, ops, final, final_is_known):
    ops = list(ops)
    if not any(op.kind == "create" for op in ops):
        begin = min(op.begin for op in ops)
        ops.append(make_operation("create", begin, begin))
    if final_is_known:
        if final is None:
            return [f"lost: {request_id} was acknowledged and is not there\n{listing(ops)}"]
        last = max([op.begin for op in ops] + [op.end for op in ops if op.end != FOREVER])
        for op in ops:
            if op.is_deferred():
                op.end = last  # the inbox is empty before the last look
        ops.append(make_operation("read", last + 1, last + 2, final))
    if linearizable(ops):
        return []
    return [f"{request_id}: {describe(ops)}\n{listing(ops)}"]


def make_operation(kind, begin, end, answer=None):
    op = Operation(begin, {"op": 0, "kind": kind})
    op.finish({"e": "ok", "t": end, "status": 200, "doubt": False, **(answer or {})})
    return op


def describe(ops):
    """In one sentence, where it can be told: the kind of fault."""
    final = [op for op in ops if op.number == 0 and op.kind == "read"]
    rest = [op for op in ops if op not in final]
    for word, kind, name in (("claimed", "claim", "key"), ("consumed", "consume", "result")):
        winners = {op.given[name] for op in ops if op.kind == kind and op.told == "ok"}
        if len(winners) > 1:
            return f"double: {word} by more than one"
    if final and linearizable(rest):
        return "lost: what it is in the end does not fit what was acknowledged"
    without_reads = [op for op in rest if op.kind != "read"]
    if linearizable(without_reads):
        return "a read told what was not (yet, or any more) so"
    return "no order explains what was told"


def listing(ops):
    return "\n".join(f"    {op!r}" for op in sorted(ops, key=lambda op: op.begin))


# -- the audit log -----------------------------------------------------------------------------------

def check_audit(entries):
    """The chain of hashes, and one outcome, one claim, one consumption for each request."""
    wrong, previous, counts = [], bytes(32), {}
    for expected, entry in zip(itertools.count(1), entries):
        if entry["seq"] != expected:
            wrong.append(f"audit: entry {entry['seq']} where {expected} belongs")
            break
        whole = bytes.fromhex(entry["bytes"])
        if bytes.fromhex(entry["previous"]) != previous:
            wrong.append(f"audit: entry {expected} does not follow the one before")
        previous = hashlib.sha256(previous + whole).digest()
        if bytes.fromhex(entry["hash"]) != previous:
            wrong.append(f"audit: entry {expected} has another hash")
        key = (entry["request"], group_of(entry["action"]))
        counts[key] = counts.get(key, 0) + 1
    for (request_id, group), count in counts.items():
        if request_id and group and count > 1:
            wrong.append(f"double: {request_id} has {count} entries of {group}")
    return wrong


ONCE = {"created": "created", "claimed": "claimed", "consumed": "consumed"}
OUTCOMES = ("approved", "rejected", "cancelled", "expired")


def group_of(action):
    """What may happen once to a request, or None."""
    return "outcome" if action in OUTCOMES else ONCE.get(action)


# -- pauses ------------------------------------------------------------------------------------------

def first_after(probes, begun, done):
    """Seconds from a fault to the end of the first acknowledged write that began after it. The
    fault happened between two moments: not before the last acknowledgement of what began before."""
    good = [p for p in probes if p["status"] in (200, 201)]
    before = [p["end"] for p in good if p["begin"] < done and p["end"] <= done]
    ends = [p["end"] for p in good if p["begin"] >= done]
    return min(ends) - max([begun, *before]) if ends else FOREVER


def longest_gap(probes, begin, end):
    """The longest time without an acknowledgement between two moments."""
    times = sorted(p["end"] for p in probes if p["status"] in (200, 201)
                   and begin <= p["end"] <= end)
    edges = [begin, *times, end]
    return max(later - earlier for earlier, later in itertools.pairwise(edges))


def failures(probes):
    return [p for p in probes if p["status"] not in (200, 201)]
