# SPDX-License-Identifier: Apache-2.0
"""The page in a real browser: press, confirm, fill in, be told off, see the outcome; on a desk and on a phone."""

import unittest

import webdriver
from fixture import ANA, BEN, CHANNEL, REQUESTER, SlackCase, card_blocks, mrkdwn, plain, reject_view

# Every one of these would do harm if any part of the page took text for markup.
HOSTILE = "<img src=x onerror=document.title='pwned'><script>document.title='pwned'</script>\"'`"


class PageCase(SlackCase):
    @classmethod
    def setUpClass(cls):
        try:
            cls.browser = webdriver.Browser()
            cls.browser.__enter__()
        except webdriver.BrowserMissing as missing:
            if webdriver.needed():
                raise
            raise unittest.SkipTest(str(missing)) from None
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.browser.__exit__()

    def setUp(self):
        super().setUp()
        self.browser.console_errors()
        self.addCleanup(lambda: self.assertEqual(self.browser.console_errors(), []))
        self.app.on("block_actions", self.on_press)
        self.app.on("view_submission", self.on_submit)

    # The app of these tests: Approve decides, Reject asks for a reason of ten letters.

    def on_press(self, payload):
        action = payload["actions"][0]["action_id"]
        if action == "approval_approve":
            self.decide(payload["container"]["message_ts"], "Approved by <@%s>" % payload["user"]["id"])
        elif action == "approval_reject":
            self.ok("views.open", trigger_id=payload["trigger_id"],
                    view=reject_view(private_metadata=payload["container"]["message_ts"]))

    def on_submit(self, payload):
        view = payload["view"]
        reason = view["state"]["values"]["reason"]["reason_text"]["value"]
        if len(reason) < 10:
            return {"response_action": "errors", "errors": {"reason": "Please give at least 10 characters."}}
        self.decide(view["private_metadata"], "Rejected by <@%s>: %s" % (payload["user"]["id"], reason))
        return None

    def decide(self, ts, words):
        self.ok("chat.update", channel=CHANNEL, ts=ts, text=words,
                blocks=[{"type": "section", "block_id": "done", "text": mrkdwn(words)}])

    def open(self, user=ANA, at=CHANNEL, more=""):
        self.browser.open("%s/?user=%s&at=%s%s" % (self.slack.base_url, user, at, more))
        self.browser.see("#place-title h1")

    @staticmethod
    def at(ts, action):
        return '[data-ts="%s"] [data-action-id="%s"]' % (ts, action)


class Deciding(PageCase):
    def test_approve_with_one_press(self):
        ts = self.post_card()
        self.open()
        self.browser.click(self.at(ts, "approval_approve"))
        self.browser.see('[data-ts="%s"]' % ts, "Approved by @Ana Approver")
        self.assertEqual(self.browser.find_all(self.at(ts, "approval_approve")), [])
        self.assertEqual([(seen["kind"], seen["payload"]["user"]["id"]) for seen in self.app.seen],
                         [("block_actions", ANA)])

    def test_go_back_from_the_confirmation(self):
        ts = self.post_card()
        self.open()
        self.browser.click(self.at(ts, "approval_reject"))
        self.browser.see("#confirm", "Reject this request?")
        self.browser.click("#confirm-deny")
        self.browser.gone("#confirm")
        self.assertEqual(self.app.seen, [])

    def test_reject_with_a_reason(self):
        ts = self.post_card()
        self.open()
        self.browser.click(self.at(ts, "approval_reject"))
        self.browser.click("#confirm-ok")
        self.browser.see("#modal-title", "Reject request")
        # Slack's client refuses an empty field by itself …
        self.browser.click("#modal-submit")
        self.browser.see("#error-reason", "Please complete this required field.")
        # … and shows the app's own refusal at the field, keeping what was typed.
        self.browser.type("#in-reason-reason_text", "too short")
        self.browser.click("#modal-submit")
        self.browser.see("#error-reason", "at least 10 characters")
        self.assertEqual(self.browser.script("return document.getElementById('in-reason-reason_text').value"),
                         "too short")
        self.browser.type("#in-reason-reason_text", "Change freeze until Friday")
        self.browser.click("#modal-submit")
        self.browser.gone("#modal")
        self.browser.see('[data-ts="%s"]' % ts, "Rejected by @Ana Approver: Change freeze until Friday")

    def test_closing_tells_the_app(self):
        ts = self.post_card()
        self.open()
        for button, cleared in (("#modal-close", False), ("#modal-x", True)):
            self.browser.click(self.at(ts, "approval_reject"))
            self.browser.click("#confirm-ok")
            self.browser.see("#modal-title")
            self.browser.click(button)
            self.browser.gone("#modal")
            self.slack.wait("delivery", type="view_closed")
            self.assertEqual(self.app.seen[-1]["payload"]["is_cleared"], cleared)
            self.slack.control("clear_logs")

    def test_a_lost_press_is_shown(self):
        ts = self.post_card()
        self.slack.control("push_fault", kind="drop")
        self.open()
        self.browser.click(self.at(ts, "approval_approve"))
        self.browser.see('[data-ts="%s"] .trouble' % ts, "trouble connecting")

    def test_a_refresh_keeps_what_is_being_typed(self):
        ts = self.post_card()
        self.open()
        self.browser.click(self.at(ts, "approval_reject"))
        self.browser.click("#confirm-ok")
        self.browser.type("#in-reason-reason_text", "half a sen")
        self.ok("chat.postMessage", channel=CHANNEL, text="meanwhile")
        self.browser.until(lambda: "meanwhile" in self.browser.script(
            "return document.getElementById('messages').textContent"), "the refresh")
        self.assertEqual(self.browser.script("return document.getElementById('in-reason-reason_text').value"),
                         "half a sen")


class Looking(PageCase):
    def test_only_the_right_person_sees_an_ephemeral(self):
        self.ok("chat.postEphemeral", channel=CHANNEL, user=ANA, text="Only members can approve")
        self.open()
        self.browser.see(".ephemeral", "Only visible to you")
        self.open(user=BEN)
        self.browser.see("#messages", "Nothing here yet")

    def test_outsiders_see_only_their_channels(self):
        self.open(user="U0GUEST001")
        self.browser.see("#places", "approvals")
        self.assertNotIn("general", self.browser.text("#places"))
        self.open(user=BEN)
        self.browser.see("#places", "general")
        self.assertIn("leadership", self.browser.text("#places"))

    def test_acting_as_someone_else(self):
        ts = self.post_card()
        self.open()
        self.browser.see("#messages", "Approval needed")
        self.browser.script("const s = document.getElementById('acting-as'); s.value = arguments[0];"
                            "s.dispatchEvent(new Event('change'));", BEN)
        self.browser.until(lambda: "user=" + BEN in self.browser.script("return location.search"), "Ben is chosen")
        self.browser.click(self.at(ts, "approval_approve"))
        self.browser.see('[data-ts="%s"]' % ts, "Approved by @Ben Approver")

    def test_mentions_dates_and_marks(self):
        text = ("*bold* _it_ ~gone~ `a &lt; b` <@%s> <!subteam^S0APV00001> <#%s> <!date^1764770400^{date_num}|then> "
                "<https://example.com/a?b=1&amp;c=2|a link> <javascript:alert(1)|no link>\n&gt; quoted\n```x *y* z```"
                % (REQUESTER, CHANNEL))
        self.ok("chat.postMessage", channel=CHANNEL, text=text)
        self.open()
        self.browser.see(".message", "bold it gone a < b @Rita Requester @release-managers #approvals 2025-12-03")
        for selector, words in ((".message b", "bold"), (".message i", "it"), (".message s", "gone"),
                                (".message code", "a < b"), (".message blockquote", "quoted"),
                                (".message pre", "x *y* z"), (".message time[title=then]", "2025-12-03")):
            self.assertEqual(self.browser.text(selector), words)
        links = self.browser.script("return [...document.querySelectorAll('.message a')].map((a) => a.href)")
        self.assertEqual(links, ["https://example.com/a?b=1&c=2"])

    def test_hostile_text_stays_text_everywhere(self):
        cell = {"type": "raw_text", "text": HOSTILE}
        rich = {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [
            {"type": "text", "text": HOSTILE}]}]}
        blocks = [{"type": "header", "text": plain(HOSTILE)}, {"type": "section", "text": mrkdwn(HOSTILE)},
                  {"type": "context", "elements": [mrkdwn(HOSTILE)]}, rich, {"type": "table", "rows": [[cell]]},
                  {"type": "image", "image_url": "https://example.com/x.png", "alt_text": HOSTILE},
                  {"type": "actions", "elements": [
                      {"type": "button", "action_id": HOSTILE, "text": plain(HOSTILE[:75])},
                      {"type": "static_select", "action_id": "s", "options": [
                          {"text": plain(HOSTILE[:75]), "value": "v"}]}]}]
        self.slack.control("add_user", id="U0EVIL0001", name="evil", real_name=HOSTILE)
        self.slack.control("add_channel", name=HOSTILE, members=[ANA])
        self.ok("chat.postMessage", channel=CHANNEL, text="x", blocks=blocks)
        self.slack.control("say", user="U0EVIL0001", channel=CHANNEL, text=HOSTILE)
        self.ok("views.publish", user_id=ANA, view={"type": "home", "blocks": blocks[:2]})
        self.open()
        self.browser.see("#messages", "<script>")
        self.browser.click("#place-app-home")
        self.browser.see("#home", "<script>")
        self.assertEqual(self.browser.script(
            "return document.querySelectorAll('img, body script, [onerror]').length"), 0)
        self.assertNotIn("pwned", self.browser.script("return document.title"))

    def test_threads(self):
        ts = self.post_card()
        self.ok("chat.postMessage", channel=CHANNEL, thread_ts=ts, text="Ana approved")
        self.open()
        self.browser.click('[data-thread="%s"]' % ts)
        self.browser.see("#thread", "Ana approved")
        self.assertNotIn("Ana approved", self.browser.text("#messages"))
        self.browser.click("#thread-close")
        self.browser.gone("#thread")

    def test_home_opens_and_its_buttons_work(self):
        button = {"type": "button", "action_id": "home_review", "text": plain("Review"), "value": "req_1"}
        view = {"type": "home", "blocks": [{"type": "section", "text": mrkdwn("*Waiting*"), "accessory": button}]}
        self.app.on("event_callback", lambda payload: self.slack.api(
            "views.publish", {"user_id": payload["event"]["user"], "view": view}) and None)
        self.open()
        self.browser.click("#place-app-home")
        self.browser.see("#home", "Waiting")
        self.browser.click('#home [data-action-id="home_review"]')
        self.slack.wait("delivery", type="block_actions")
        self.assertEqual(self.app.seen[-1]["payload"]["view"]["type"], "home")

    def test_commands_and_shortcuts(self):
        self.app.on("slash_command", lambda payload: "You said " + payload["text"])
        self.app.on("shortcut", lambda payload: self.slack.api(
            "views.open", {"trigger_id": payload["trigger_id"], "view": reject_view(title=plain("New"))}) and None)
        self.open()
        self.browser.type("#composer-text", "/approval list all")
        self.browser.click("#composer-send")
        self.browser.see(".ephemeral", "You said list all")
        self.browser.click("#shortcuts-open")
        self.browser.click('#shortcuts [data-callback-id="approval_new"]')
        self.browser.see("#modal-title", "New")

    def test_every_kind_of_input_is_read(self):
        options = [{"text": plain("One"), "value": "1"}, {"text": plain("Two"), "value": "2"}]
        kinds = {
            "line": {"type": "plain_text_input"}, "pick": {"type": "static_select", "options": options},
            "radio": {"type": "radio_buttons", "options": options},
            "boxes": {"type": "checkboxes", "options": options}, "who": {"type": "users_select"},
            "day": {"type": "datepicker", "initial_date": "2026-01-31"},
            "more": {"type": "multi_static_select", "options": options}}
        view = reject_view(blocks=[{"type": "input", "block_id": name, "optional": True, "label": plain(name),
                                    "element": dict(element, action_id="a")} for name, element in kinds.items()])
        self.app.on("block_actions", lambda payload: self.slack.api(
            "views.open", {"trigger_id": payload["trigger_id"], "view": view}) and None)
        self.app.on("view_submission", lambda _payload: None)
        ts = self.post_card()
        self.open()
        self.browser.click(self.at(ts, "approval_approve"))
        self.browser.type("#in-line-a", "text")
        for selector in ("#in-radio-a-1", "#in-boxes-a-0", "#in-boxes-a-1"):
            self.browser.click(selector)
        self.browser.script("document.getElementById('in-pick-a').value = '2';"
                            "document.getElementById('in-who-a').value = arguments[0];"
                            "document.querySelector('#in-more-a option[value=\"1\"]').selected = true;", BEN)
        self.browser.click("#modal-submit")
        self.browser.gone("#modal")
        state = {name: entry["a"] for name, entry in self.app.seen[-1]["payload"]["view"]["state"]["values"].items()}
        self.assertEqual((state["line"]["value"], state["pick"]["selected_option"]["value"],
                          state["radio"]["selected_option"]["value"], state["who"]["selected_user"],
                          state["day"]["selected_date"]), ("text", "2", "2", BEN, "2026-01-31"))
        self.assertEqual([o["value"] for o in state["boxes"]["selected_options"]], ["1", "2"])
        self.assertEqual([o["value"] for o in state["more"]["selected_options"]], ["1"])


class Phone(PageCase):
    def test_nothing_is_cut_off_at_390_pixels(self):
        self.browser.resize(390, 844)
        self.addCleanup(self.browser.resize, 1280, 800)
        long_word = "x" * 200
        ts = self.ok("chat.postMessage", channel=CHANNEL, text="x", blocks=card_blocks() + [
            {"type": "section", "text": mrkdwn(long_word + "\n```" + long_word + "```")}])["ts"]
        self.open()
        self.browser.see("#messages", "Approval needed")
        wide = "return document.documentElement.scrollWidth + ',' + document.getElementById('messages').scrollWidth"
        self.assertEqual(self.browser.script(wide), "390,390")
        self.browser.click("#sidebar-open")
        self.browser.click("#place-C0GEN00001")
        self.browser.see("#place-title", "general")
        self.browser.click("#sidebar-open")
        self.browser.click("#place-" + CHANNEL)
        self.browser.click(self.at(ts, "approval_approve"))
        self.browser.see('[data-ts="%s"]' % ts, "Approved by @Ana Approver")


if __name__ == "__main__":
    unittest.main()
