// SPDX-License-Identifier: Apache-2.0
// Slack's own Socket Mode client and an app written with Slack's framework take what the stand-in sends over WebSockets.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { App, LogLevel, SocketModeReceiver } from "@slack/bolt";
import { SocketModeClient } from "@slack/socket-mode";
import { ANA, BOT_TOKEN, CHANNEL, card_blocks, reject_view, start_standin } from "./standin.mjs";

const APP_TOKEN = "xapp-1-standin-made-up";
let slack;
let app;
let seen = [];

async function connections(count) {
  for (let left = 200; left > 0; left--) {
    const now = (await slack.control("sockets")).connections;
    if (now.length === count) return now;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error("not " + count + " connections");
}

before(async () => {
  slack = await start_standin();
  await slack.control("config", { socket_mode: true });
  const receiver = new SocketModeReceiver({ appToken: APP_TOKEN, logLevel: LogLevel.ERROR,
    installerOptions: { clientOptions: { slackApiUrl: slack.api } } });
  app = new App({ receiver, token: BOT_TOKEN, logLevel: LogLevel.ERROR, clientOptions: { slackApiUrl: slack.api } });
  app.action("approval_approve", async ({ ack, body }) => { seen.push(body); await ack(); });
  app.action("approval_reject", async ({ ack, body, client }) => {
    await ack();
    await client.views.open({ trigger_id: body.trigger_id, view: reject_view() });
  });
  app.view("approval_reject_reason", async ({ ack }) => {
    await ack({ response_action: "errors", errors: { reason: "Too short." } });
  });
  app.command("/approval", async ({ ack }) => { await ack("You have nothing to decide."); });
  app.event("app_home_opened", async ({ body }) => { seen.push(body); });
  await app.start();
  await connections(1);
});
after(async () => {
  await app.stop();
  await slack.stop();
});
beforeEach(() => { seen = []; });

async function post_card() {
  const answer = await fetch(slack.api + "chat.postMessage", { method: "POST",
    headers: { "Content-Type": "application/json; charset=utf-8", Authorization: "Bearer " + BOT_TOKEN },
    body: JSON.stringify({ channel: CHANNEL, text: "Approval needed", blocks: card_blocks() }) });
  return (await answer.json()).ts;
}

test("bolt takes a press, a modal, a command and an event over a socket", async () => {
  const ts = await post_card();
  const pressed = await slack.control("press", { user: ANA, action_id: "approval_approve", channel: CHANNEL, ts });
  assert.equal(pressed.acked, true);
  assert.equal(seen[0].user.id, ANA);
  const opened = await slack.control("press", { user: ANA, action_id: "approval_reject", channel: CHANNEL, ts, wait_modal: 5 });
  assert.ok(opened.modal);
  const sent = await slack.control("submit", { user: ANA, values: { reason: "no" } });
  assert.deepEqual([sent.outcome, sent.errors], ["errors", { reason: "Too short." }]);
  const typed = await slack.control("slash", { user: ANA, command: "/approval", text: "", channel: CHANNEL });
  assert.equal(typed.acked, true);
  assert.ok(typed.shown);
  const home = await slack.control("home_opened", { user: ANA });
  assert.equal(home.acked, true);
});

// Slack's own client makes no difference between the reasons of a disconnect: whatever Slack says, it closes and comes
// back. approvald does make one (tests/unit/test_socketlife.c); the stand-in has to be one with which both work.
const ENDS = [...["refresh_requested", "warning", "too_many_websockets", "link_disabled"].map(
  (reason) => [reason, "socket_disconnect", { reason, close_after: 0.1 }]), ["a cut", "socket_cut", {}]];
for (const [name, command, args] of ENDS) {
  test("the client comes back after " + name, async () => {
    const [old] = await connections(1);
    await slack.control(command, args);
    let now = [old];
    while (now.length !== 1 || now[0].number === old.number) {
      await new Promise((done) => setTimeout(done, 50));
      now = (await slack.control("sockets")).connections;
    }
    const ts = await post_card();
    const pressed = await slack.control("press", { user: ANA, action_id: "approval_approve", channel: CHANNEL, ts });
    assert.equal(pressed.acked, true);
    assert.equal(seen.length, 1);
  });
}

test("the client hears that Socket Mode is off, asks again, and comes back when it is on", async () => {
  const opens = async () => (await slack.control("counters")).methods["apps.connections.open"];
  const total = (counted) => Object.values(counted).reduce((sum, n) => sum + n, 0);
  await connections(1);
  const before = total(await opens());
  await slack.control("config", { socket_mode: false });
  await slack.control("socket_disconnect", { reason: "link_disabled", close_after: 0.1 });
  await connections(0);
  while (total(await opens()) === before) await new Promise((done) => setTimeout(done, 50));
  assert.equal((await slack.control("sockets")).connections.length, 0);
  await slack.control("config", { socket_mode: true });
  await connections(1);
});

test("an envelope that nobody acknowledges has failed and is delivered again", async () => {
  const client = new SocketModeClient({ appToken: APP_TOKEN, logLevel: LogLevel.ERROR, clientOptions: { slackApiUrl: slack.api } });
  const attempts = [];
  client.on("slack_event", async ({ ack, retry_num, type, body }) => {
    attempts.push({ type, retry_num });
    if (attempts.length > 1) await ack();
    assert.ok(body);
  });
  await app.stop();
  await connections(0);
  await client.start();
  await slack.control("config", { socket_ack_timeout_s: 0.5 });
  const sent = await slack.control("envelope", { type: "interactive", payload: { type: "block_actions", actions: [] } });
  assert.equal(sent.acked, false);
  while (attempts.length < 2) await new Promise((done) => setTimeout(done, 50));
  assert.equal(attempts[0].type, "interactive");
  await client.disconnect();
});
