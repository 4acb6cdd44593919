// SPDX-License-Identifier: Apache-2.0
// Slack's official Web API client works with the stand-in: it posts, reads, waits after 429 and sees errors.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { ErrorCode, LogLevel, WebClient } from "@slack/web-api";
import { ANA, BOT_TOKEN, CHANNEL, card_blocks, home_view, reject_view, start_standin } from "./standin.mjs";

let slack;
let client;

before(async () => {
  slack = await start_standin();
  client = new_client();
});
after(() => slack.stop());
beforeEach(() => slack.control("reset"));

function new_client(options = {}, token = BOT_TOKEN) {
  return new WebClient(token, { slackApiUrl: slack.api, retryConfig: { retries: 0 }, logLevel: LogLevel.ERROR, ...options });
}

const refused = (code) => (error) => error.code === ErrorCode.PlatformError && error.data.error === code;

async function trigger() {
  return (await slack.control("shortcut", { user: ANA, callback_id: "approval_new" })).trigger_id;
}

test("auth.test", async () => {
  const answer = await client.auth.test();
  assert.equal(answer.team_id, "T0APV00001");
  assert.equal(answer.user_id, "U0BOT00001");
});

test("post, update, reply, permalink, history and delete", async () => {
  const posted = await client.chat.postMessage({ channel: CHANNEL, text: "Approval needed", blocks: card_blocks(),
    metadata: { event_type: "approval_request", event_payload: { request_id: "req_1" } }, unfurl_links: false });
  assert.equal(posted.message.blocks[2].elements[0].action_id, "approval_approve");
  const updated = await client.chat.update({ channel: CHANNEL, ts: posted.ts, text: "Approved", blocks: card_blocks().slice(0, 1) });
  assert.equal(updated.text, "Approved");
  await client.chat.postMessage({ channel: CHANNEL, text: "by Ana", thread_ts: posted.ts });
  const link = await client.chat.getPermalink({ channel: CHANNEL, message_ts: posted.ts });
  assert.match(link.permalink, /\/archives\/C0APV00001\/p\d+$/);
  const history = await client.conversations.history({ channel: CHANNEL, include_all_metadata: true });
  assert.equal(history.messages.length, 1);
  assert.equal(history.messages[0].metadata.event_payload.request_id, "req_1");
  const replies = await client.conversations.replies({ channel: CHANNEL, ts: posted.ts });
  assert.equal(replies.messages.length, 2);
  await client.chat.delete({ channel: CHANNEL, ts: posted.ts });
  assert.equal((await slack.control("messages", { channel: CHANNEL, ts: posted.ts })).messages.length, 0);
});

test("the client pages through a history", async () => {
  for (let number = 0; number < 5; number += 1) await client.chat.postMessage({ channel: CHANNEL, text: String(number) });
  const texts = [];
  for await (const page of client.paginate("conversations.history", { channel: CHANNEL, limit: 2 })) {
    texts.push(...page.messages.map((message) => message.text));
  }
  assert.deepEqual(texts, ["4", "3", "2", "1", "0"]);
});

test("ephemerals, direct messages, people and groups", async () => {
  await client.chat.postEphemeral({ channel: CHANNEL, user: ANA, text: "only you" });
  assert.equal((await slack.control("ephemerals", { to: ANA })).messages[0].text, "only you");
  const opened = await client.conversations.open({ users: ANA });
  assert.equal((await client.conversations.info({ channel: opened.channel.id })).channel.user, ANA);
  assert.ok((await client.conversations.members({ channel: CHANNEL })).members.includes(ANA));
  assert.equal((await client.users.info({ user: ANA })).user.name, "ana");
  assert.equal((await client.users.lookupByEmail({ email: "ana@acme.example" })).user.id, ANA);
  assert.equal((await client.usergroups.list({ include_users: true })).usergroups[0].users.length, 2);
  assert.deepEqual((await client.usergroups.users.list({ usergroup: "S0APV00001" })).users, [ANA, "U0APR00002"]);
});

test("views: open, update, push, publish", async () => {
  const opened = await client.views.open({ trigger_id: await trigger(), view: reject_view() });
  const updated = await client.views.update({ view_id: opened.view.id, hash: opened.view.hash, view: reject_view() });
  assert.notEqual(updated.view.hash, opened.view.hash);
  await assert.rejects(client.views.update({ view_id: opened.view.id, hash: opened.view.hash, view: reject_view() }),
    refused("hash_conflict"));
  const pressed = await slack.control("press", { user: ANA, view_id: opened.view.id, action_id: "modal_help" });
  const pushed = await client.views.push({ trigger_id: pressed.trigger_id, view: reject_view() });
  assert.equal(pushed.view.previous_view_id, opened.view.id);
  assert.equal((await client.views.publish({ user_id: ANA, view: home_view() })).view.type, "home");
  await assert.rejects(client.views.open({ trigger_id: pressed.trigger_id, view: reject_view() }),
    refused("exchanged_trigger_id"));
});

test("errors reach the caller with their explanation", async () => {
  await assert.rejects(client.chat.postMessage({ channel: "C0NOPE0001", text: "x" }), refused("channel_not_found"));
  const long = [{ type: "header", text: { type: "plain_text", text: "x".repeat(151) } }];
  await assert.rejects(client.chat.postMessage({ channel: CHANNEL, text: "x", blocks: long }), (error) =>
    refused("invalid_blocks")(error) && error.data.response_metadata.messages[0].includes("/blocks/0/text/text"));
  await slack.control("scopes", { remove: ["chat:write"] });
  await assert.rejects(client.chat.postMessage({ channel: CHANNEL, text: "x" }), (error) =>
    refused("missing_scope")(error) && error.data.needed === "chat:write" && error.data.provided.includes("commands"));
  await assert.rejects(new_client({}, "xoxb-wrong").auth.test(), refused("invalid_auth"));
  await slack.control("token", { state: "token_revoked" });
  await assert.rejects(client.auth.test(), refused("token_revoked"));
});

test("429 is an error of its own kind with the seconds to wait", async () => {
  await slack.control("fault", { method: "auth.test", kind: "ratelimited", retry_after: 7 });
  const strict = new_client({ rejectRateLimitedCalls: true });
  await assert.rejects(strict.auth.test(), (error) =>
    error.code === ErrorCode.RateLimitedError && error.retryAfter === 7);
});

test("429 makes the client wait and then succeed", async () => {
  await slack.control("fault", { method: "auth.test", kind: "ratelimited", retry_after: 1 });
  const patient = new_client({ retryConfig: { retries: 1, minTimeout: 1, maxTimeout: 1 } });
  assert.equal((await patient.auth.test()).ok, true);
  // The 429 is in the log and the call that followed it succeeded.
  const outcomes = (await slack.control("calls", { method: "auth.test" })).calls.map((call) => call.outcome);
  assert.deepEqual(outcomes, ["fault:ratelimited", "ok"]);
});

test("5xx is retried, broken connections are request errors", async () => {
  await slack.control("fault", { method: "auth.test", kind: "status", status: 503 });
  const patient = new_client({ retryConfig: { retries: 1, minTimeout: 1, maxTimeout: 1 } });
  assert.equal((await patient.auth.test()).ok, true);
  await slack.control("fault", { method: "auth.test", kind: "close_after" });
  await assert.rejects(client.auth.test(), (error) => error.code === ErrorCode.RequestError);
});
