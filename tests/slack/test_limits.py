# SPDX-License-Identifier: Apache-2.0
"""Block Kit limits: at the limit is fine, one more is not."""

import copy
import random
import unittest

from fixture import mrkdwn, plain
from standin import limits


def button(**more):
    return dict({"type": "button", "action_id": "b", "text": plain("Go")}, **more)


def actions(*elements):
    return {"type": "actions", "elements": list(elements)}


def section(text):
    return {"type": "section", "text": mrkdwn(text)}


def entry(element, **more):
    return dict({"type": "input", "block_id": "i", "label": plain("Label"), "element": element}, **more)


def modal(blocks, **more):
    return dict({"type": "modal", "title": plain("Title"), "submit": plain("Go"), "blocks": blocks}, **more)


def select(count):
    return {"type": "static_select", "action_id": "s",
            "options": [{"text": plain(str(n)), "value": str(n)} for n in range(count)]}


CONFIRM = {"title": plain("t"), "text": mrkdwn("x"), "confirm": plain("y"), "deny": plain("n")}

# Name, builder from a size, the largest size that Slack takes.
SIZED = (
    ("blocks per message", lambda n: [{"type": "divider"}] * n, 50),
    ("section text", lambda n: [section("x" * n)], 3000),
    ("section fields", lambda n: [{"type": "section", "fields": [mrkdwn("f")] * n}], 10),
    ("section field", lambda n: [{"type": "section", "fields": [mrkdwn("f" * n)]}], 2000),
    ("header", lambda n: [{"type": "header", "text": plain("h" * n)}], 150),
    ("context elements", lambda n: [{"type": "context", "elements": [mrkdwn("c")] * n}], 10),
    ("actions elements", lambda n: [actions(*[button(action_id="b%d" % i) for i in range(n)])], 25),
    ("button text", lambda n: [actions(button(text=plain("b" * n)))], 75),
    ("button value", lambda n: [actions(button(value="v" * n))], 2000),
    ("button url", lambda n: [actions(button(url="u" * n))], 3000),
    ("accessibility label", lambda n: [actions(button(accessibility_label="a" * n))], 75),
    ("action_id", lambda n: [actions(button(action_id="a" * n))], 255),
    ("block_id", lambda n: [{"type": "divider", "block_id": "d" * n}], 255),
    ("confirm title", lambda n: [actions(button(confirm=dict(CONFIRM, title=plain("t" * n))))], 100),
    ("confirm text", lambda n: [actions(button(confirm=dict(CONFIRM, text=plain("t" * n))))], 300),
    ("confirm label", lambda n: [actions(button(confirm=dict(CONFIRM, confirm=plain("t" * n))))], 30),
    ("deny label", lambda n: [actions(button(confirm=dict(CONFIRM, deny=plain("t" * n))))], 30),
    ("select options", lambda n: [actions(select(n))], 100),
    ("overflow options", lambda n: [actions(dict(select(n), type="overflow"))], 5),
    ("radio options", lambda n: [actions(dict(select(n), type="radio_buttons"))], 10),
    ("checkbox options", lambda n: [actions(dict(select(n), type="checkboxes"))], 10),
    ("option text", lambda n: [actions(dict(select(0), options=[{"text": plain("o" * n), "value": "v"}]))], 75),
    ("option value", lambda n: [actions(dict(select(0), options=[{"text": plain("o"), "value": "v" * n}]))], 75),
    ("placeholder", lambda n: [actions(dict(select(1), placeholder=plain("p" * n)))], 150),
    ("alt text", lambda n: [{"type": "image", "image_url": "u", "alt_text": "a" * n}], 2000),
    ("image url", lambda n: [{"type": "image", "image_url": "u" * n, "alt_text": "a"}], 3000),
    ("markdown text", lambda n: [{"type": "markdown", "text": "m" * (n // 2)},
                                 {"type": "markdown", "text": "m" * (n - n // 2)}], 12000),
    ("table rows", lambda n: [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]] * n}], 100),
    ("table columns", lambda n: [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * n]}], 20),
)

VIEW_SIZED = (
    ("blocks per view", lambda n: modal([{"type": "divider"}] * n), 100),
    ("title", lambda n: modal([], title=plain("t" * n)), 24),
    ("submit", lambda n: modal([], submit=plain("t" * n)), 24),
    ("close", lambda n: modal([], close=plain("t" * n)), 24),
    ("private_metadata", lambda n: modal([], private_metadata="p" * n), 3000),
    ("callback_id", lambda n: modal([], callback_id="p" * n), 255),
    ("external_id", lambda n: modal([], external_id="p" * n), 255),
    ("input label", lambda n: modal([entry(select(1), label=plain("l" * n))]), 2000),
    ("input hint", lambda n: modal([entry(select(1), hint=plain("l" * n))]), 2000),
    ("max_length", lambda n: modal([entry({"type": "plain_text_input", "action_id": "t", "max_length": n})]), 3000),
    ("alert text", lambda n: modal([{"type": "alert", "text": plain("a" * n)}]), 200),
)


class Sizes(unittest.TestCase):
    def test_messages_at_the_limit_and_one_above(self):
        for name, build, most in SIZED:
            with self.subTest(name):
                self.assertEqual(limits.message_errors(build(most)), [])
                self.assertEqual(len(limits.message_errors(build(most + 1))), 1)

    def test_views_at_the_limit_and_one_above(self):
        for name, build, most in VIEW_SIZED:
            with self.subTest(name):
                self.assertEqual(limits.view_errors(build(most), ("modal",)), ([], False))
                self.assertNotEqual(limits.view_errors(build(most + 1), ("modal",))[0], [])

    def test_lengths_count_characters_not_bytes(self):
        self.assertEqual(limits.message_errors([section("é" * 3000)]), [])


class Rules(unittest.TestCase):
    def bad(self, blocks, words):
        errors = limits.message_errors(blocks)
        self.assertTrue(any(words in error for error in errors), errors)

    def test_what_a_message_may_not_hold(self):
        twice = [{"type": "divider", "block_id": "d"}] * 2
        for blocks, words in (
                (twice, "already exists"),
                ([{"type": "alert", "text": plain("x")}], "unsupported type: alert"),
                ([{"type": "shout"}], "unsupported type: shout"),
                (["text"], "must be an object"),
                ([section("")], "must be more than 0 characters"),
                ([{"type": "section"}], "must have text or fields"),
                ([{"type": "header", "text": mrkdwn("x")}], "must be plain_text"),
                ([{"type": "divider", "colour": "red"}], "invalid additional property: colour"),
                ([{"type": "section", "text": {"type": "html", "text": "x"}}], "must be plain_text or mrkdwn"),
                ([actions()], "no less than 1 items"),
                ([actions(button(), button())], "`action_id` b already exists"),
                ([actions(button(style="default"))], "must be a valid enum value"),
                ([actions(button(text=mrkdwn("x")))], "must be plain_text"),
                ([actions({"type": "plain_text_input", "action_id": "t"})], "unsupported type: plain_text_input"),
                ([actions(dict(select(1), option_groups=[]))], "either options or option_groups"),
                ([actions(dict(select(1), initial_option={"text": plain("9"), "value": "9"}))], "initial option"),
                ([{"type": "image", "alt_text": "a"}], "either image_url or slack_file"),
                ([{"type": "image", "image_url": "u"}], "missing required field: alt_text"),
                ([{"type": "rich_text", "elements": [{"type": "text", "text": "x"}]}], "unsupported type: text")):
            with self.subTest(words):
                self.bad(blocks, words)

    def test_rich_text_of_every_kind_is_taken(self):
        leaves = [{"type": "text", "text": "*not bold*"}, {"type": "user", "user_id": "U0APR00001"},
                  {"type": "link", "url": "https://example.com"}, {"type": "usergroup", "usergroup_id": "S0APV00001"},
                  {"type": "date", "timestamp": 1, "format": "{date}"}]
        part = {"type": "rich_text_section", "elements": leaves}
        blocks = [{"type": "rich_text", "elements": [
            part, {"type": "rich_text_list", "style": "bullet", "elements": [part]},
            {"type": "rich_text_preformatted", "elements": leaves[:1]},
            {"type": "rich_text_quote", "elements": leaves[:1]}]}]
        self.assertEqual(limits.message_errors(blocks), [])
        leaves.append({"type": "user"})
        self.bad(blocks, "missing required field: user_id")

    def test_what_a_view_may_not_hold(self):
        for view, words in ((modal([entry(select(1))], submit=None), "missing required field: submit"),
                            (modal([{"type": "markdown", "text": "x"}]), "unsupported type: markdown"),
                            (modal([], colour="red"), "invalid additional property: colour"),
                            (modal([], title=mrkdwn("x")), "must be plain_text"),
                            (modal([entry(button())]), "unsupported type: button"),
                            ({"type": "home", "blocks": []}, "unsupported type: home"), ([], "must be an object")):
            with self.subTest(words):
                errors = limits.view_errors(view, ("modal",))[0]
                self.assertTrue(any(words in error for error in errors), errors)

    def test_completing_leaves_text_alone(self):
        text = "&lt;b&gt; &amp; <@U0APR00001>"
        done = limits.complete_blocks([section(text)])
        self.assertEqual(done[0]["text"], {"type": "mrkdwn", "text": text, "verbatim": False})


class Hostile(unittest.TestCase):
    WRONG = (None, True, -1, 1.5, "", "x", [], [[]], {}, {"type": []}, {"type": "section"}, "\ud800", 10**30)

    def spoil(self, random_of, value):
        """A copy with one member, at any depth, replaced, removed or added."""
        spots = []

        def walk(item):
            pairs = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()
            for key, inner in pairs:
                spots.append((item, key))
                walk(inner)

        copied = copy.deepcopy(value)
        walk(copied)
        owner, key = random_of.choice(spots)
        if random_of.random() < 0.3:
            del owner[key]
        elif isinstance(owner, dict) and random_of.random() < 0.1:
            owner["extra"] = random_of.choice(self.WRONG)
        else:
            owner[key] = copy.deepcopy(random_of.choice(self.WRONG))
        return copied

    def test_no_blocks_make_the_checker_fall_over(self):
        random_of = random.Random(20261122)
        whole = [build(min(most, 3)) for _, build, most in SIZED]
        views = [build(min(most, 3)) for _, build, most in VIEW_SIZED]
        fine = refused = 0
        for _ in range(3000):
            blocks = random_of.choice(whole)
            for _ in range(random_of.randint(1, 3)):
                blocks = self.spoil(random_of, blocks) if blocks else [None]
            if limits.message_errors(blocks):
                refused += 1
            else:
                limits.complete_blocks(blocks)
                fine += 1
            view = self.spoil(random_of, random_of.choice(views))
            if not limits.view_errors(view, ("modal",))[0]:
                limits.complete_view(view)
        self.assertTrue(fine > 100 and refused > 1000, (fine, refused))


if __name__ == "__main__":
    unittest.main()
