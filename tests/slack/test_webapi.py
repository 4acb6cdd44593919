# SPDX-License-Identifier: Apache-2.0
"""The Web API answers as Slack does: happy path and errors of every method."""

import json
import unittest

import slack_client
from fixture import ANA, BEN, CHANNEL, REQUESTER, SlackCase, card_blocks, plain, reject_view


class Front(SlackCase):
    def test_auth_test_names_team_and_bot(self):
        answer = self.ok("auth.test")
        self.assertEqual((answer["team_id"], answer["user_id"], answer["bot_id"], answer["team"]),
                         ("T0APV00001", "U0BOT00001", "B0APV00001", "Acme"))

    def test_tokens_are_checked(self):
        self.assertEqual(self.slack.api("auth.test", token="xoxb-wrong")["error"], "invalid_auth")
        self.assertEqual(self.slack.api("auth.test", token="xapp-1")["error"], "not_allowed_token_type")
        status, _, body = slack_client.request(self.slack.base_url, "POST", "/api/auth.test")
        self.assertEqual((status, json.loads(body)["error"]), (200, "not_authed"))
        for state in ("token_revoked", "account_inactive", "token_expired"):
            self.slack.control("token", state=state)
            self.fails(state, "auth.test")
        self.slack.control("token", state="valid")
        self.ok("auth.test")

    def test_a_token_in_the_body_is_not_accepted(self):
        _, _, body = slack_client.request(self.slack.base_url, "POST", "/api/auth.test",
                                          "token=" + slack_client.BOT_TOKEN,
                                          {"Content-Type": "application/x-www-form-urlencoded"})
        self.assertEqual(json.loads(body)["error"], "not_authed")

    def test_missing_scope_says_needed_and_provided(self):
        self.slack.control("scopes", scopes=["commands", "users:read"])
        answer = self.fails("missing_scope", "chat.postMessage", channel=CHANNEL, text="x")
        self.assertEqual((answer["needed"], answer["provided"]), ("chat:write", "commands,users:read"))
        self.assertEqual(self.fails("missing_scope", "conversations.history", form=True, channel=CHANNEL)["needed"],
                         "channels:history")
        self.assertEqual(self.fails("missing_scope", "conversations.open", users=ANA)["needed"], "im:write")

    def test_scopes_are_in_the_headers(self):
        headers = self.slack.api_raw("chat.postMessage", {"channel": CHANNEL, "text": "x"})[1]
        self.assertIn("chat:write", headers["X-OAuth-Scopes"])
        self.assertEqual(headers["X-Accepted-OAuth-Scopes"], "chat:write")

    def post_raw(self, body, kind):
        headers = {"Authorization": "Bearer " + self.slack.token}
        if kind:
            headers["Content-Type"] = kind
        return json.loads(slack_client.request(self.slack.base_url, "POST", "/api/chat.postMessage", body,
                                               headers)[2])

    def test_bodies_that_cannot_be_read(self):
        for body, kind, error in (("{", "application/json; charset=utf-8", "invalid_json"),
                                  ("[1]", "application/json; charset=utf-8", "json_not_object"),
                                  ("a", "application/x-www-form-urlencoded", "invalid_form_data"),
                                  (b"a=\xff%ff", "application/x-www-form-urlencoded", "invalid_form_data"),
                                  ("x", "text/xml", "invalid_post_type"), ("x", None, "missing_post_type")):
            with self.subTest(error=error, body=body):
                self.assertEqual(self.post_raw(body, kind)["error"], error)

    def test_json_without_charset_is_warned_about(self):
        answer = self.post_raw(json.dumps({"channel": CHANNEL, "text": "x"}), "application/json")
        self.assertEqual((answer["ok"], answer["warning"]), (True, "missing_charset"))
        self.assertEqual(answer["response_metadata"], {"warnings": ["missing_charset"]})

    def test_read_methods_do_not_see_json(self):
        self.fails("invalid_arguments", "users.info", user=ANA)
        self.assertEqual(self.read("users.info", user=ANA)["user"]["id"], ANA)

    def test_unknown_method_and_socket_mode(self):
        self.fails("unknown_method", "chat.shout")
        answer = self.slack.api("apps.connections.open", token="xapp-1-made-up")
        self.assertEqual(answer["error"], "socket_mode_not_enabled")
        self.assertIn("Socket Mode is switched off", answer["response_metadata"]["messages"][0])
        self.fails("not_allowed_token_type", "apps.connections.open")

    def test_the_log_holds_arguments_and_no_token(self):
        self.post_card()
        call = self.slack.control("calls", method="chat.postMessage")["calls"][0]
        self.assertEqual((call["outcome"], call["args"]["channel"]), ("ok", CHANNEL))
        self.assertNotIn(slack_client.BOT_TOKEN, json.dumps(self.slack.control("calls")))
        self.assertEqual(self.slack.control("counters")["methods"]["chat.postMessage"]["ok"], 1)


class Chat(SlackCase):
    def test_post_gives_the_message_back(self):
        answer = self.ok("chat.postMessage", channel=CHANNEL, text="Approval needed", blocks=card_blocks(),
                         metadata={"event_type": "approval_request", "event_payload": {"request_id": "r"}})
        message = answer["message"]
        self.assertEqual(answer["channel"], CHANNEL)
        self.assertEqual(answer["ts"], message["ts"])
        self.assertEqual((message["bot_id"], message["user"], message["app_id"], message["team"]),
                         ("B0APV00001", "U0BOT00001", "A0APV00001", "T0APV00001"))
        self.assertEqual(message["blocks"][0]["text"], {"type": "plain_text", "text": card_blocks()[0]["text"]["text"],
                                                        "emoji": True})
        self.assertEqual(message["metadata"]["event_payload"], {"request_id": "r"})

    def test_form_and_json_post_the_same(self):
        args = {"channel": CHANNEL, "text": "a & b", "blocks": card_blocks()}
        first = self.slack.api("chat.postMessage", args)["message"]
        second = self.slack.api("chat.postMessage", args, form=True)["message"]
        self.assertEqual(first["blocks"], second["blocks"])
        self.assertEqual(first["text"], second["text"])

    def test_missing_ids_are_made_up(self):
        blocks = [{"type": "actions", "elements": [{"type": "button", "text": plain("Go")}]}]
        made = self.ok("chat.postMessage", channel=CHANNEL, text="x", blocks=blocks)["message"]["blocks"][0]
        self.assertTrue(made["block_id"] and made["elements"][0]["action_id"])

    def test_escaped_text_stays_as_it_is(self):
        text = "&lt;!channel&gt; &amp;amp; *b* <@U0APR00001>"
        self.assertEqual(self.ok("chat.postMessage", channel=CHANNEL, text=text)["message"]["text"], text)

    def test_where_the_bot_may_not_post(self):
        for channel, error in (("C0NOPE0001", "channel_not_found"), ("C0PRV00001", "channel_not_found"),
                               ("C0OLD00001", "is_archived")):
            self.fails(error, "chat.postMessage", channel=channel, text="x")
        self.ok("chat.postMessage", channel="C0GEN00001", text="chat:write.public reaches it")
        self.slack.control("scopes", remove=["chat:write.public"])
        self.fails("not_in_channel", "chat.postMessage", channel="C0GEN00001", text="x")
        self.slack.control("update_channel", channel=CHANNEL, post_error="restricted_action")
        self.fails("restricted_action", "chat.postMessage", channel=CHANNEL, text="x")

    def test_a_user_id_posts_to_the_direct_message(self):
        answer = self.ok("chat.postMessage", channel=ANA, text="hello")
        self.assertEqual(answer["channel"], "D0APR00001")
        self.ok("chat.postMessage", channel="U0GONE0001", text="nobody reads this")
        self.assertEqual(self.slack.control("dms", to=ANA)["messages"][0]["text"], "hello")

    def test_content_errors(self):
        self.fails("no_text", "chat.postMessage", channel=CHANNEL)
        self.fails("invalid_arguments", "chat.postMessage", text="x")
        self.fails("invalid_blocks_format", "chat.postMessage", channel=CHANNEL, blocks="[")
        self.fails("invalid_blocks_format", "chat.postMessage", channel=CHANNEL, blocks={"type": "divider"})
        self.fails("too_many_attachments", "chat.postMessage", channel=CHANNEL, text="x", attachments=[{}] * 101)
        self.fails("invalid_attachments", "chat.postMessage", channel=CHANNEL, text="x", attachments=5)
        for metadata, error in (("[", "invalid_metadata_format"), ({"a": 1}, "invalid_metadata_format"),
                                ({"event_type": "x"}, "invalid_metadata_schema"),
                                ({"event_type": "x", "event_payload": {"a": "b" * 9000}}, "metadata_too_large")):
            self.fails(error, "chat.postMessage", channel=CHANNEL, text="x", metadata=metadata)

    def test_invalid_blocks_are_explained(self):
        blocks = [{"type": "divider"}, {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]
        answer = self.fails("invalid_blocks", "chat.postMessage", channel=CHANNEL, text="x", blocks=blocks)
        words = "must be less than 3001 characters [json-pointer:/blocks/1/text/text]"
        self.assertEqual(answer["errors"], [words])
        self.assertEqual(answer["response_metadata"]["messages"], ["[ERROR] " + words])

    def test_long_text_is_cut_on_post_and_refused_on_update(self):
        answer = self.ok("chat.postMessage", channel=CHANNEL, text="x" * 40001)
        self.assertEqual((len(answer["message"]["text"]), answer["warning"]), (40000, "message_truncated"))
        self.fails("msg_too_long", "chat.update", channel=CHANNEL, ts=answer["ts"], text="x" * 4001)
        self.ok("chat.update", channel=CHANNEL, ts=answer["ts"], text="x" * 4000)

    def test_threads(self):
        ts = self.post_card()
        reply = self.ok("chat.postMessage", channel=CHANNEL, text="approved by Ana", thread_ts=ts)
        self.assertEqual(reply["message"]["thread_ts"], ts)
        parent = self.slack.control("messages", ts=ts)["messages"][0]
        self.assertEqual((parent["reply_count"], parent["latest_reply"]), (1, reply["ts"]))
        self.fails("cannot_reply_to_message", "chat.postMessage", channel=CHANNEL, text="x", thread_ts="1.000001")

    def test_update_is_the_whole_new_content(self):
        ts = self.post_card()
        answer = self.ok("chat.update", channel=CHANNEL, ts=ts, text="Approved", blocks=card_blocks()[:1])
        self.assertEqual((answer["ts"], answer["text"]), (ts, "Approved"))
        self.assertNotIn("edited", answer["message"])
        self.assertEqual(answer["message"]["metadata"]["event_type"], "approval_request")
        answer = self.ok("chat.update", channel=CHANNEL, ts=ts, text="only text", metadata={})
        self.assertNotIn("blocks", answer["message"])
        self.assertNotIn("metadata", answer["message"])
        self.assertIn("edited", answer["message"])

    def test_update_errors(self):
        ts = self.post_card()
        said = self.slack.control("say", user=ANA, channel=CHANNEL, text="mine")["ts"]
        self.fails("message_not_found", "chat.update", channel=CHANNEL, ts="1.000001", text="x")
        self.fails("cant_update_message", "chat.update", channel=CHANNEL, ts=said, text="x")
        self.fails("channel_not_found", "chat.update", channel=ANA, ts=ts, text="x")
        self.fails("no_text", "chat.update", channel=CHANNEL, ts=ts)
        eph = self.ok("chat.postEphemeral", channel=CHANNEL, user=ANA, text="x")["message_ts"]
        self.fails("message_not_found", "chat.update", channel=CHANNEL, ts=eph, text="x")
        self.slack.control("update_channel", channel=CHANNEL, is_archived=True)
        self.fails("is_inactive", "chat.update", channel=CHANNEL, ts=ts, text="x")

    def test_ephemeral(self):
        self.ok("chat.postEphemeral", channel=CHANNEL, user=ANA, text="only you")
        self.assertEqual(len(self.slack.control("ephemerals", to=ANA)["messages"]), 1)
        self.assertEqual(self.slack.control("ephemerals", to=BEN)["messages"], [])
        self.fails("user_not_in_channel", "chat.postEphemeral", channel=CHANNEL, user="U0NOPE0001", text="x")
        self.fails("is_archived", "chat.postEphemeral", channel="C0OLD00001", user=REQUESTER, text="x")
        self.fails("not_in_channel", "chat.postEphemeral", channel="C0GEN00001", user=ANA, text="x")
        self.fails("channel_not_found", "chat.postEphemeral", channel="C0NOPE0001", user=ANA, text="x")

    def test_delete_and_permalink(self):
        ts = self.post_card()
        link = self.read("chat.getPermalink", channel=CHANNEL, message_ts=ts)["permalink"]
        self.assertTrue(link.endswith("/archives/%s/p%s" % (CHANNEL, ts.replace(".", ""))))
        self.ok("chat.delete", channel=CHANNEL, ts=ts)
        self.fails("message_not_found", "chat.delete", channel=CHANNEL, ts=ts)
        self.fails("message_not_found", "chat.getPermalink", form=True, channel=CHANNEL, message_ts=ts)
        said = self.slack.control("say", user=ANA, channel=CHANNEL, text="mine")["ts"]
        self.fails("cant_delete_message", "chat.delete", channel=CHANNEL, ts=said)


class Conversations(SlackCase):
    def test_open_is_idempotent(self):
        first = self.ok("conversations.open", users=ANA)
        second = self.ok("conversations.open", users=ANA)
        self.assertNotIn("already_open", first)
        self.assertTrue(second["already_open"] and second["no_op"])
        self.assertEqual(first["channel"], second["channel"])
        group = self.ok("conversations.open", users="%s,%s" % (ANA, BEN))["channel"]["id"]
        self.assertEqual(self.ok("conversations.open", users="%s,%s" % (BEN, ANA))["channel"]["id"], group)

    def test_open_errors(self):
        self.slack.control("add_user", id="U0HIDDEN01", visible=False)
        for users, error in (("U0NOPE0001", "user_not_found"), ("U0GONE0001", "user_disabled"),
                             ("U0HIDDEN01", "user_not_visible"), (",".join([ANA] * 9), "too_many_users"),
                             ("", "users_list_not_supplied"), ("U0BOT00001", "cannot_dm_bot")):
            self.fails(error, "conversations.open", users=users)
        self.fails("channel_not_found", "conversations.open", users=BEN, prevent_creation=True)

    def test_history_pages_newest_first(self):
        stamps = [self.ok("chat.postMessage", channel=CHANNEL, text=str(n))["ts"] for n in range(5)]
        first = self.read("conversations.history", channel=CHANNEL, limit="2")
        self.assertEqual([m["ts"] for m in first["messages"]], [stamps[4], stamps[3]])
        self.assertTrue(first["has_more"])
        second = self.read("conversations.history", channel=CHANNEL, limit="2",
                           cursor=first["response_metadata"]["next_cursor"])
        self.assertEqual([m["ts"] for m in second["messages"]], [stamps[2], stamps[1]])
        last = self.read("conversations.history", channel=CHANNEL, limit="2",
                         cursor=second["response_metadata"]["next_cursor"])
        self.assertEqual(([m["ts"] for m in last["messages"]], last["has_more"],
                          last["response_metadata"]["next_cursor"]), ([stamps[0]], False, ""))

    def test_history_bounds(self):
        stamps = [self.ok("chat.postMessage", channel=CHANNEL, text=str(n))["ts"] for n in range(3)]
        shown = self.read("conversations.history", channel=CHANNEL, oldest=stamps[0], latest=stamps[2])["messages"]
        self.assertEqual([m["ts"] for m in shown], [stamps[1]])
        shown = self.read("conversations.history", channel=CHANNEL, oldest=stamps[0], latest=stamps[2],
                          inclusive="true")["messages"]
        self.assertEqual(len(shown), 3)

    def test_history_keeps_replies_out_and_metadata_back(self):
        ts = self.post_card()
        self.ok("chat.postMessage", channel=CHANNEL, text="reply", thread_ts=ts)
        bare = self.read("conversations.history", channel=CHANNEL)["messages"]
        self.assertEqual([m["metadata"] for m in bare], [{"event_type": "approval_request"}])
        full = self.read("conversations.history", channel=CHANNEL, include_all_metadata="true")["messages"]
        self.assertEqual(full[0]["metadata"]["event_payload"], {"request_id": "req_1"})
        replies = self.read("conversations.replies", channel=CHANNEL, ts=ts)["messages"]
        self.assertEqual([m["text"] for m in replies], ["Approval needed", "reply"])
        self.fails("thread_not_found", "conversations.replies", form=True, channel=CHANNEL, ts="1.000001")

    def test_history_errors(self):
        for args, error in (({"channel": "C0NOPE0001"}, "channel_not_found"),
                            ({"channel": "C0PRV00001"}, "channel_not_found"),
                            ({"channel": "C0GEN00001"}, "not_in_channel"),
                            ({"channel": CHANNEL, "cursor": "???"}, "invalid_cursor"),
                            ({"channel": CHANNEL, "oldest": "soon"}, "invalid_ts_oldest"),
                            ({"channel": CHANNEL, "latest": "soon"}, "invalid_ts_latest"),
                            ({"channel": CHANNEL, "limit": "0"}, "invalid_limit")):
            self.fails(error, "conversations.history", form=True, **args)

    def test_info_and_members(self):
        info = self.read("conversations.info", channel=CHANNEL)["channel"]
        self.assertEqual((info["name"], info["is_member"], info["is_archived"], info["is_ext_shared"]),
                         ("approvals", True, False, True))
        self.assertFalse(self.read("conversations.info", channel="C0GEN00001")["channel"]["is_member"])
        self.ok("conversations.open", users=ANA)
        self.assertEqual(self.read("conversations.info", channel="D0APR00001")["channel"]["user"], ANA)
        self.fails("channel_not_found", "conversations.info", form=True, channel="C0NOPE0001")
        page = self.read("conversations.members", channel=CHANNEL, limit="4")
        rest = self.read("conversations.members", channel=CHANNEL, limit="4",
                         cursor=page["response_metadata"]["next_cursor"])
        self.assertEqual((len(page["members"]), len(rest["members"])), (4, 2))
        self.assertIn(ANA, page["members"] + rest["members"])
        self.fails("channel_not_found", "conversations.members", form=True, channel="C0PRV00001")
        for limit in ("0", "1000"):
            self.fails("invalid_limit", "conversations.members", form=True, channel=CHANNEL, limit=limit)
        self.fails("invalid_cursor", "conversations.members", form=True, channel=CHANNEL, cursor="bm9uZQ==")
        self.slack.control("scopes", remove=["channels:read"])
        self.assertEqual(self.fails("missing_scope", "conversations.members", form=True, channel=CHANNEL)["needed"],
                         "channels:read")


class People(SlackCase):
    def test_users_info_shows_who_may_not_approve(self):
        ana = self.read("users.info", user=ANA)["user"]
        self.assertEqual((ana["profile"]["email"], ana["is_restricted"]), ("ana@acme.example", False))
        self.assertTrue(self.read("users.info", user="U0GUEST001")["user"]["is_restricted"])
        gone = self.read("users.info", user="U0GONE0001")["user"]
        self.assertTrue(gone["deleted"])
        self.assertNotIn("is_restricted", gone)
        foreign = self.read("users.info", user="U0EXT00009")["user"]
        self.assertEqual((foreign["team_id"], foreign["is_stranger"]), ("T0OTHER009", True))
        self.assertTrue(self.read("users.info", user="U0BOT00001")["user"]["is_bot"])
        self.assertEqual(self.read("users.info", user=ANA, include_locale="true")["user"]["locale"], "en-GB")

    def test_users_info_errors_and_scope(self):
        self.fails("user_not_found", "users.info", form=True, user="U0NOPE0001")
        self.slack.control("update_user", user="U0EXT00009", visible=False)
        self.fails("user_not_visible", "users.info", form=True, user="U0EXT00009")
        self.slack.control("scopes", remove=["users:read.email"])
        self.assertNotIn("email", self.read("users.info", user=ANA)["user"]["profile"])
        self.fails("missing_scope", "users.lookupByEmail", form=True, email="ana@acme.example")

    def test_lookup_by_email(self):
        self.assertEqual(self.read("users.lookupByEmail", email="ANA@acme.example")["user"]["id"], ANA)
        self.fails("users_not_found", "users.lookupByEmail", form=True, email="gina@acme.example")
        self.fails("users_not_found", "users.lookupByEmail", form=True, email="x@y.example")

    def test_user_groups(self):
        self.assertEqual(self.read("usergroups.users.list", usergroup="S0APV00001")["users"], [ANA, BEN])
        groups = self.read("usergroups.list", include_users="true", include_count="1")["usergroups"]
        self.assertEqual((groups[0]["handle"], groups[0]["users"], groups[0]["user_count"]),
                         ("release-managers", [ANA, BEN], 2))
        self.fails("no_such_subteam", "usergroups.users.list", form=True, usergroup="S0NOPE0001")
        self.slack.control("update_group", group="S0APV00001", date_delete=1700000000)
        self.fails("no_such_subteam", "usergroups.users.list", form=True, usergroup="S0APV00001")
        self.assertEqual(self.read("usergroups.list")["usergroups"], [])


class Views(SlackCase):
    def trigger(self):
        return self.slack.control("shortcut", user=ANA, callback_id="approval_new")["trigger_id"]

    def test_open_gives_the_view(self):
        view = self.ok("views.open", trigger_id=self.trigger(), view=reject_view())["view"]
        self.assertEqual((view["root_view_id"], view["previous_view_id"], view["private_metadata"]),
                         (view["id"], None, "req_1"))
        self.assertEqual(self.slack.control("modals", to=ANA)["modals"][0]["view"]["id"], view["id"])

    def test_trigger_ids_work_once_and_three_seconds(self):
        used = self.trigger()
        self.ok("views.open", trigger_id=used, view=reject_view())
        self.fails("exchanged_trigger_id", "views.open", trigger_id=used, view=reject_view())
        self.fails("invalid_trigger_id", "views.open", trigger_id="1.2.3", view=reject_view())
        late = self.trigger()
        self.slack.control("config", trigger_life_s=3)
        self.slack.control("advance", seconds=3.1)
        self.fails("expired_trigger_id", "views.open", trigger_id=late, view=reject_view())

    def test_views_are_validated_before_the_trigger_is_used(self):
        trigger = self.trigger()
        view = reject_view()
        del view["title"]
        answer = self.fails("invalid_arguments", "views.open", trigger_id=trigger, view=view)
        self.assertEqual(answer["response_metadata"]["messages"],
                         ["[ERROR] missing required field: title [json-pointer:/view]"])
        self.fails("invalid_arguments", "views.open", trigger_id=trigger, view="{")
        self.fails("invalid_arguments", "views.open", trigger_id=trigger)
        self.ok("views.open", trigger_id=trigger, view=reject_view())

    def test_size_and_external_id(self):
        huge = reject_view(blocks=[{"type": "section", "text": plain("x" * 3000)}] * 100)
        self.fails("view_too_large", "views.open", trigger_id=self.trigger(), view=huge)
        self.ok("views.open", trigger_id=self.trigger(), view=reject_view(external_id="e1"))
        trigger = self.trigger()
        self.fails("duplicate_external_id", "views.open", trigger_id=trigger, view=reject_view(external_id="e1"))

    def test_update_by_id_hash_and_external_id(self):
        view = self.ok("views.open", trigger_id=self.trigger(), view=reject_view(external_id="e1"))["view"]
        second = self.ok("views.update", view_id=view["id"], hash=view["hash"],
                         view=reject_view(external_id="e1", title=plain("Again")))["view"]
        self.assertEqual((second["id"], second["title"]["text"]), (view["id"], "Again"))
        self.assertNotEqual(second["hash"], view["hash"])
        self.fails("hash_conflict", "views.update", view_id=view["id"], hash=view["hash"], view=reject_view())
        self.ok("views.update", external_id="e1", view=reject_view())
        self.fails("not_found", "views.update", view_id="V0NOPE0001", view=reject_view())
        self.fails("invalid_arguments", "views.update", view=reject_view())

    def test_push_stacks_three(self):
        root = self.ok("views.open", trigger_id=self.trigger(), view=self.button_view())["view"]
        top = root
        for _ in range(2):
            trigger = self.slack.press(ANA, "more", view_id=top["id"])["trigger_id"]
            pushed = self.ok("views.push", trigger_id=trigger, view=self.button_view())["view"]
            self.assertEqual((pushed["root_view_id"], pushed["previous_view_id"]), (root["id"], top["id"]))
            top = pushed
        trigger = self.slack.press(ANA, "more", view_id=top["id"])["trigger_id"]
        self.fails("push_limit_reached", "views.push", trigger_id=trigger, view=self.button_view())
        self.fails("invalid_trigger_id", "views.push", trigger_id=self.trigger(), view=self.button_view())

    @staticmethod
    def button_view():
        return reject_view(blocks=[{"type": "actions", "block_id": "b", "elements": [
            {"type": "button", "action_id": "more", "text": plain("More")}]}])

    def test_publish_replaces_the_home(self):
        home = {"type": "home", "blocks": [{"type": "header", "text": plain("Waiting for you (1)")}]}
        first = self.ok("views.publish", user_id=ANA, view=home)["view"]
        second = self.ok("views.publish", user_id=ANA, view=home, hash=first["hash"])["view"]
        self.assertEqual(first["id"], second["id"])
        self.fails("hash_conflict", "views.publish", user_id=ANA, view=home, hash=first["hash"])
        self.fails("user_not_found", "views.publish", user_id="U0NOPE0001", view=home)
        self.fails("invalid_arguments", "views.publish", user_id=ANA, view=reject_view())
        self.fails("invalid_arguments", "views.publish", user_id=ANA, view=dict(home, submit=plain("Go")))
        self.assertEqual(len(self.slack.control("homes", to=ANA)["homes"]), 1)


if __name__ == "__main__":
    unittest.main()
