// SPDX-License-Identifier: Apache-2.0
// An app written with Slack's own framework accepts every delivery of the stand-in and routes it to the right handler.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { App, HTTPReceiver, LogLevel } from "@slack/bolt";
import { ANA, BOT_TOKEN, CHANNEL, SIGNING_SECRET, card_blocks, home_view, plain, reject_view,
  start_standin } from "./standin.mjs";

let slack;
let app;
let seen = [];

function note(name, reply) {
  return async (args) => {
    seen.push({ name, body: args.body });
    if (args.ack) await args.ack(reply);
  };
}

before(async () => {
  slack = await start_standin();
  const receiver = new HTTPReceiver({ signingSecret: SIGNING_SECRET, logLevel: LogLevel.ERROR,
    endpoints: ["/slack/interactions", "/slack/commands", "/slack/events"] });
  app = new App({ receiver, token: BOT_TOKEN, logLevel: LogLevel.ERROR, clientOptions: { slackApiUrl: slack.api } });
  app.action("approval_approve", note("approve"));
  app.action("home_review", note("home"));
  app.action("modal_help", note("help"));
  app.action("respond_now", async ({ ack, body, respond }) => {
    await ack();
    seen.push({ name: "respond", body });
    await respond({ replace_original: true, text: "Approved" });
  });
  app.action("approval_reject", async ({ ack, body, client }) => {
    await ack();
    seen.push({ name: "reject", body });
    await client.views.open({ trigger_id: body.trigger_id, view: reject_view() });
  });
  app.view("approval_reject_reason", async ({ ack, body, view }) => {
    const reason = view.state.values.reason.reason_text.value;
    seen.push({ name: "submit", body });
    await (reason.length < 10 ? ack({ response_action: "errors", errors: { reason: "Too short." } }) : ack());
  });
  app.view({ callback_id: "approval_reject_reason", type: "view_closed" }, note("closed"));
  app.shortcut("approval_new", note("shortcut"));
  app.shortcut("approval_from_message", note("message shortcut"));
  app.command("/approval", note("command", "You have nothing to decide."));
  app.options("pick_service", note("options", { options: [{ text: plain("billing-api"), value: "svc" }] }));
  app.event("app_home_opened", note("home opened"));
  app.event("app_uninstalled", note("uninstalled"));
  app.event("tokens_revoked", note("revoked"));
  const server = await app.start({ port: 0, host: "127.0.0.1" });
  await slack.control("config", { app_url: "http://127.0.0.1:" + server.address().port });
});
after(async () => {
  await app.stop();
  await slack.stop();
});
beforeEach(async () => {
  seen = [];
  await slack.control("reset");
});

async function post(channel = CHANNEL, more = {}) {
  return app.client.chat.postMessage({ channel, text: "Approval needed", blocks: card_blocks(), ...more });
}

async function open_modal() {
  const posted = await post();
  const pressed = await slack.control("press", { user: ANA, action_id: "approval_reject", channel: CHANNEL,
    ts: posted.ts, wait_modal: 5 });
  assert.equal(pressed.status, 200);
  return pressed.modal;
}

function routed(result, name) {
  assert.equal(result.status, 200);
  assert.equal(result.acked, true);
  assert.deepEqual(seen.map((item) => item.name), [name]);
  return seen[0].body;
}

test("a press on a message in a channel, a thread, a direct message and an ephemeral", async () => {
  const parent = await post();
  const places = [parent, await post(CHANNEL, { thread_ts: parent.ts }), await post(ANA)];
  const hidden = await app.client.chat.postEphemeral({ channel: CHANNEL, user: ANA, text: "x", blocks: card_blocks() });
  places.push({ channel: CHANNEL, ts: hidden.message_ts });
  for (const place of places) {
    seen = [];
    const body = routed(await slack.control("press", { user: ANA, action_id: "approval_approve",
      channel: place.channel, ts: place.ts }), "approve");
    assert.equal(body.container.message_ts, place.ts);
    assert.equal(body.user.id, ANA);
  }
});

test("a modal: opened, refused, submitted", async () => {
  const modal = await open_modal();
  assert.equal(modal.callback_id, "approval_reject_reason");
  const early = await slack.control("submit", { user: ANA, values: { reason: "no" } });
  assert.deepEqual([early.outcome, early.errors], ["errors", { reason: "Too short." }]);
  const done = await slack.control("submit", { user: ANA, values: { reason: "Change freeze until Friday" } });
  assert.deepEqual([done.outcome, done.modal], ["closed", null]);
});

test("a modal: a button, options, closing", async () => {
  const modal = await open_modal();
  seen = [];
  routed(await slack.control("press", { user: ANA, view_id: modal.id, action_id: "modal_help" }), "help");
  const found = await slack.control("suggest", { user: ANA, view_id: modal.id, action_id: "pick_service", typed: "bil" });
  assert.equal(found.options[0].value, "svc");
  seen = [];
  assert.equal(routed(await slack.control("close", { user: ANA }), "closed").is_cleared, false);
});

test("shortcuts and commands", async () => {
  routed(await slack.control("shortcut", { user: ANA, callback_id: "approval_new" }), "shortcut");
  seen = [];
  const posted = await post();
  routed(await slack.control("message_action", { user: ANA, channel: CHANNEL, ts: posted.ts,
    callback_id: "approval_from_message" }), "message shortcut");
  seen = [];
  const body = routed(await slack.control("slash", { user: ANA, command: "/approval", text: "list", channel: CHANNEL }),
    "command");
  assert.equal(body.text, "list");
  assert.match((await slack.control("ephemerals", { to: ANA })).messages[0].text, /nothing to decide/);
});

test("events", async () => {
  routed(await slack.control("home_opened", { user: ANA }), "home opened");
  seen = [];
  const home = await app.client.views.publish({ user_id: ANA, view: home_view() });
  routed(await slack.control("press", { user: ANA, view_id: home.view.id, action_id: "home_review" }), "home");
  seen = [];
  routed(await slack.control("event", { event: { type: "app_uninstalled" } }), "uninstalled");
  seen = [];
  routed(await slack.control("event", { event: { type: "tokens_revoked", tokens: { oauth: [], bot: ["U0BOT00001"] } } }),
    "revoked");
});

test("url_verification and the certificate probe", async () => {
  assert.equal((await slack.control("verify_url")).verified, true);
  assert.equal((await slack.control("ssl_check")).status, 200);
});

test("what is signed wrongly gets 401 from Slack's framework", async () => {
  const posted = await post();
  for (const fault of [{ kind: "bad_signature" }, { kind: "skew", seconds: -400 }]) {
    await slack.control("push_fault", fault);
    const pressed = await slack.control("press", { user: ANA, action_id: "approval_approve", channel: CHANNEL, ts: posted.ts });
    assert.equal(pressed.status, 401);
  }
  assert.equal((await slack.control("deliver", { body: "payload=%7B%7D", signed: false })).status, 401);
  assert.deepEqual(seen, []);
});

test("respond() uses the response URL", async () => {
  const posted = await post(CHANNEL, { blocks: [{ type: "actions", elements: [
    { type: "button", action_id: "respond_now", text: plain("Respond") }] }] });
  routed(await slack.control("press", { user: ANA, action_id: "respond_now", channel: CHANNEL, ts: posted.ts }),
    "respond");
  const changed = await slack.control("wait", { kind: "message", ts: posted.ts, contains: "Approved" });
  assert.equal(changed.count, 1);
});
