# SPDX-License-Identifier: Apache-2.0
"""Slack's rate limits.

Owns one token bucket per method and one per posting channel. Never sleeps, never answers a request: it says how long
a caller has to wait. Off unless asked for, because most tests want speed.
"""

import math

# Calls a minute. Slack promises at least this much and tolerates a small burst above it.
TIER_PER_MINUTE = {"tier1": 1, "tier2": 20, "tier3": 50, "tier4": 100, "special": 300}
BURST_SHARE = 0.1
CHANNEL_PER_S = 1.0
CHANNEL_BURST = 3


class Bucket:
    """A token bucket; `take` gives 0 or the seconds until a token is there."""

    def __init__(self, per_s, size):
        self.per_s = per_s
        self.size = float(size)
        self.tokens = float(size)
        self.at = None

    def left(self, now):
        """Tokens that are there."""
        if self.at is not None:
            self.tokens = min(self.size, self.tokens + max(0.0, now - self.at) * self.per_s)
        self.at = now
        return self.tokens

    def take(self, now):
        self.left(now)
        if self.tokens >= 1.0:
            self.tokens -= 1.0
            return 0
        return max(1, math.ceil((1.0 - self.tokens) / self.per_s))


class RateLimits:
    """All buckets of the workspace."""

    def __init__(self, enabled):
        self.enabled = enabled
        self._own = {}
        self._methods = {}
        self._channels = {}

    def set(self, wanted):
        """"off", "real", or {method: [calls a minute, burst]}: other limits than Slack's for these methods."""
        own = dict(wanted) if isinstance(wanted, dict) else {}
        if not isinstance(wanted, dict) and wanted not in ("off", "real"):
            raise ValueError("rate_limits: off, real or an object")
        for method, (per_minute, burst) in own.items():
            if not (per_minute > 0 and burst >= 1):
                raise ValueError("%s: calls a minute and a burst of at least 1" % method)
        self.enabled = wanted != "off"
        self._own = own
        self.reset()

    def shown(self):
        return dict(self._own) or ("real" if self.enabled else "off")

    def left(self, now, tiers):
        """What is in the buckets of methods (used, or of these tiers) and of channels that were used:
        {name: [tokens, a second, size]}."""
        for method, tier in tiers.items():
            self._bucket(method, tier)
        return [{name: [bucket.left(now), bucket.per_s, bucket.size] for name, bucket in kept.items()}
                for kept in (self._methods, self._channels)]

    def reset(self):
        self._methods = {}
        self._channels = {}

    def check(self, method, tier, channel_id, now):
        """0, or the value for Retry-After. The caller holds the world's lock."""
        if not self.enabled:
            return 0
        if channel_id is not None:
            bucket = self._channels.setdefault(channel_id, Bucket(CHANNEL_PER_S, CHANNEL_BURST))
            wait_s = bucket.take(now)
            if wait_s:
                return wait_s
        return self._bucket(method, tier).take(now)

    def _bucket(self, method, tier):
        per_minute, size = self._own.get(method) or (
            TIER_PER_MINUTE[tier], TIER_PER_MINUTE[tier] + max(1, int(TIER_PER_MINUTE[tier] * BURST_SHARE)))
        return self._methods.setdefault(method, Bucket(per_minute / 60.0, size))
