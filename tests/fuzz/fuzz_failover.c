/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_failover.c: any legal sequence of events into the failover core.
 * Owns a small world: an arbiter whose CASes may land late, a peer that changes the register by the
 * rules, an approvald that comes and goes. The bench judges each step; here stands what the
 * register may become. Never sends what the real shells could not. */
#include "base/assert.h"
#include "tests/unit/failover_kit.h"

#include <string.h>

#define LATE_COUNT_MAX 8U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct late {
    struct register_value value;
    uint64_t revision;
};

struct world {
    struct kit kit;
    const uint8_t *at;
    size_t left;
    bool exists;
    struct register_value value;
    struct late late[LATE_COUNT_MAX]; /* attempts that may still arrive */
    size_t late_count;
    uint64_t incarnation;
    char store;
    bool forced; /* the operator has said so */
    bool granted;
    bool leading;
    uint64_t granted_epoch;
    uint64_t seal_owed;
    bool drained;
};

static uint8_t next(struct world *world)
{
    if (world->left == 0) {
        return 0;
    }
    world->left--;
    return *world->at++;
}

static uint64_t revision_of(const struct world *world)
{
    return world->exists ? 10 + world->value.epoch : 0;
}

/* The arbiter executes a compare-and-swap of the core's. */
static bool swap(struct world *world, const struct register_value *value, uint64_t revision)
{
    if (revision != revision_of(world)) {
        return false;
    }
    if (world->exists) {
        ASSERT(value->epoch > world->value.epoch); /* 1 */
        ASSERT(value->epoch == world->value.epoch + 1 || value->lineage != world->value.lineage);
        /* 11: only from the ISR, and only a forced promotion changes the lineage. */
        ASSERT(world->forced || world->value.isr[0].present);
        ASSERT(world->forced || value->lineage == world->value.lineage);
    }
    world->exists = true;
    world->value = *value;
    return true;
}

static void remember_late(struct world *world)
{
    if (world->late_count < LATE_COUNT_MAX) {
        world->late[world->late_count++] =
            (struct late){.value = world->kit.cas_value, .revision = world->kit.cas_revision};
    }
}

static void land_late(struct world *world)
{
    struct late late;

    if (world->late_count == 0) {
        return;
    }
    late = world->late[0];
    world->late_count--;
    memmove(&world->late[0], &world->late[1], world->late_count * sizeof late);
    (void)swap(world, &late.value, late.revision);
}

/* The child as the effects of the last step leave it. */
static void obey(struct world *world)
{
    for (size_t i = 0; i < world->kit.effects.count; i++) {
        const struct failover_effect *effect = &world->kit.effects.items[i];

        if (effect->type == FAILOVER_EFFECT_SEAL) {
            world->seal_owed = effect->u.epoch;
        } else if (effect->type == FAILOVER_EFFECT_GRANT) {
            ASSERT(effect->u.value.epoch > world->granted_epoch); /* 7 */
            world->granted = true;
            world->leading = false;
            world->drained = false;
            world->granted_epoch = effect->u.value.epoch;
        } else if (effect->type == FAILOVER_EFFECT_HANDOVER) {
            ASSERT(world->granted);
        } else if (effect->type == FAILOVER_EFFECT_REVOKE) {
            world->granted = false;
            world->seal_owed = 0;
        }
    }
}

static void answer_cas(struct world *world, uint8_t choice)
{
    struct kit *kit = &world->kit;

    if (!kit->cas_out) {
        return;
    }
    if (choice % 8 == 0) {
        kit_cas(kit, FAILOVER_NOT_SENT, NULL);
    } else if (choice % 8 == 1) {
        kit_cas(kit, FAILOVER_REFUSED, NULL);
    } else if (choice % 8 == 2) {
        remember_late(world);
        kit_cas(kit, FAILOVER_UNKNOWN, NULL);
    } else if (choice % 8 == 3) {
        (void)swap(world, &kit->cas_value, kit->cas_revision);
        kit_cas(kit, FAILOVER_UNKNOWN, NULL);
    } else if (swap(world, &kit->cas_value, kit->cas_revision)) {
        kit_cas(kit, FAILOVER_DONE, NULL);
    } else {
        kit_cas(kit, FAILOVER_CONFLICT, &world->value);
    }
}

static void answer_read(struct world *world, uint8_t choice)
{
    static const enum failover_read failures[] = {FAILOVER_NOT_SENT, FAILOVER_UNKNOWN,
                                                  FAILOVER_REFUSED};

    if (!world->kit.read_out) {
        return;
    }
    if (choice % 4 == 0) {
        kit_read_failed(&world->kit, failures[choice / 4 % 3]);
    } else {
        kit_read(&world->kit, world->exists ? &world->value : NULL);
    }
}

/* The peer changes the register as its own core would: from the ISR, or forced. */
static void peer_moves(struct world *world, uint8_t choice)
{
    struct register_value value = world->value;

    if (!world->exists || world->value.epoch > 1000000) {
        return;
    }
    value.epoch++;
    value.nonce = 1000000000 + value.epoch;
    value.primary = 2;
    if (!world->value.isr[1].present) {
        if (choice % 16 != 0) {
            return;
        }
        value.lineage = 5000 + value.epoch; /* forced */
        choice = 0;
    }
    value.isr[1].present = true;
    memset(value.isr[1].store_id, 'B', REGISTER_ID_SIZE);
    value.isr[0].present = choice % 2 == 1;
    memset(value.isr[0].store_id, choice % 32 == 31 ? 'X' : world->store, REGISTER_ID_SIZE);
    world->value = value;
}

static void child_comes(struct world *world, uint8_t choice)
{
    if (world->kit.incarnation != 0 && choice % 8 != 0) {
        return;
    }
    world->granted = false;
    world->seal_owed = 0;
    if (choice % 32 == 31) {
        world->store = world->store == 'A' ? 'C' : 'A'; /* a new disk */
    }
    kit_up(&world->kit, ++world->incarnation, world->store,
           world->exists ? world->value.epoch - choice % 2 : 0, choice % 64);
}

static void link_changes(struct world *world, uint8_t choice)
{
    uint8_t more = next(world);
    struct failover_link link = kit_peer(more % 16 == 15 ? 'X' : 'B',
                                         world->value.epoch - choice % 2, more, 0, choice % 4 < 2);

    if (choice % 8 >= 6) {
        link = kit_silence();
    } else if (world->exists && world->value.primary == 2 && more % 2 == 0) {
        link.peer_leads = true;
        link.peer_epoch = world->value.epoch;
    }
    link.peer_lineage = world->value.lineage;
    kit_link(&world->kit, &link);
}

static void child_speaks(struct world *world, uint8_t choice)
{
    struct kit *kit = &world->kit;

    if (kit->incarnation == 0) {
        return;
    }
    if (world->seal_owed != 0 && choice % 2 == 0) {
        uint64_t epoch = world->seal_owed;

        world->seal_owed = 0;
        kit_epoch(kit, FAILOVER_EVENT_SEALED, epoch);
    } else if (!world->granted && choice % 4 == 1) {
        kit_step(kit, &(struct failover_event){.type = FAILOVER_EVENT_RELAYING,
                                               .u.relaying = choice % 8 == 1});
    } else if (!world->granted) {
        kit_epoch(kit, FAILOVER_EVENT_TAKE_OVER, world->value.epoch);
    } else if (choice % 8 < 3) {
        kit_epoch(kit, FAILOVER_EVENT_LEADING, world->granted_epoch);
    } else if (choice % 8 == 3) {
        kit_propose(kit, FAILOVER_EVENT_ADD, world->granted_epoch, "BBBX"[choice / 8 % 4]);
    } else if (choice % 8 == 4) {
        kit_step(kit, &(struct failover_event){.type = FAILOVER_EVENT_LEAVES});
    } else if (choice % 8 == 5) {
        kit_propose(kit, FAILOVER_EVENT_REMOVE, world->granted_epoch - choice / 8 % 2, 'B');
    } else if (choice % 8 == 6) {
        kit_epoch(kit, FAILOVER_EVENT_DRAINED, world->granted_epoch);
    } else {
        kit_epoch(kit, FAILOVER_EVENT_DEPOSED, world->granted_epoch + choice / 8 % 2);
    }
}

static void operator_speaks(struct world *world, uint8_t choice)
{
    enum failover_command command = (enum failover_command)(choice % (FAILOVER_REJOIN + 1));

    world->forced = world->forced || command == FAILOVER_FORCE || command == FAILOVER_FORCE_OTHER;
    kit_command(&world->kit, command);
}

static void one_event(struct world *world)
{
    struct failover_event tick = {.type = FAILOVER_EVENT_TICK};
    uint8_t kind = next(world);
    uint8_t choice = next(world);

    world->kit.effects.count = 0;
    switch (kind % 12) {
    case 0:
    case 1:
        answer_cas(world, choice);
        break;
    case 2:
    case 3:
        answer_read(world, choice);
        break;
    case 4:
        peer_moves(world, choice);
        break;
    case 5:
        child_comes(world, choice);
        break;
    case 6:
        kit_down(&world->kit);
        world->granted = false;
        world->seal_owed = 0;
        break;
    case 7:
        link_changes(world, choice);
        break;
    case 8:
        child_speaks(world, choice);
        break;
    case 9:
        land_late(world);
        break;
    case 10:
        world->kit.now_ms += (uint64_t)choice * 10;
        kit_step(&world->kit, &tick);
        break;
    default:
        if (choice % 4 == 0) {
            kit_safe(&world->kit, choice % 8 == 0);
        } else {
            operator_speaks(world, choice / 4);
        }
        break;
    }
    obey(world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct failover_options options = kit_options();
    struct world world;

    memset(&world, 0, sizeof world);
    world.at = data;
    world.left = size;
    world.store = 'A';
    options.linearizable = next(&world) % 4 != 0;
    if (next(&world) % 4 != 0) {
        world.exists = true;
        world.value = kit_value(5, 1 + next(&world) % 2, "AB");
    }
    kit_new(&world.kit, &options);
    kit_start(&world.kit, NULL);
    while (world.left > 0) {
        one_event(&world);
    }
    kit_free(&world.kit);
    return 0;
}
