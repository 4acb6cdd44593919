// SPDX-License-Identifier: Apache-2.0
// A real app (APP_URL) checks signatures as Slack's SDK does: 200 for what Slack would send, 401 for anything else.
//
//   APP_URL=http://127.0.0.1:8080 SIGNING_SECRET_FILE=F ./run.sh app_signing.test.mjs
//
// The app must already trust the workspace of the stand-in's seed (team T0APV00001, app A0APV00001).

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { isValidSlackRequest } from "@slack/bolt";
import { SIGNING_SECRET } from "./standin.mjs";

const app_url = process.env.APP_URL;
const skip = app_url ? false : "APP_URL is not set: no app to send signed requests to";
const secret = process.env.SIGNING_SECRET_FILE ? readFileSync(process.env.SIGNING_SECRET_FILE, "utf8").trim()
  : SIGNING_SECRET;
const now = () => Math.floor(Date.now() / 1000);
const sign = (key, timestamp, body) => "v0=" + createHmac("sha256", key).update(`v0:${timestamp}:${body}`).digest("hex");

const challenge = "p7c0Xw2mJq9sV4tLr6bN1zKd8hFgYe3uAiOx5PMnQvRtSjBkCw";
const probe = JSON.stringify({ token: "deprecatedVerifToken000000", challenge, type: "url_verification" });

function send(body, headers, path = "/slack/events", type = "application/json") {
  return fetch(new URL(path, app_url), { method: "POST", redirect: "manual", body,
    headers: { "Content-Type": type, ...headers } });
}

function signed(body, { key = secret, timestamp = String(now()), signature } = {}) {
  return { "X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": signature ?? sign(key, timestamp, body) };
}

test("our signer and Slack's verifier agree", () => {
  const timestamp = now();
  const ask = (body, key) => isValidSlackRequest({ signingSecret: secret, body, headers: {
    "x-slack-signature": sign(key, timestamp, body), "x-slack-request-timestamp": timestamp } });
  assert.equal(ask(probe, secret), true);
  assert.equal(ask(probe, secret + "x"), false);
});

test("a signed challenge is answered", { skip }, async () => {
  const answer = await send(probe, signed(probe));
  assert.equal(answer.status, 200);
  assert.ok((await answer.text()).includes(challenge));
});

test("every entry takes what Slack signs", { skip }, async () => {
  const command = new URLSearchParams({ team_id: "T0APV00001", api_app_id: "A0APV00001", channel_id: "C0APV00001",
    channel_name: "approvals", team_domain: "acme", user_id: "U0APR00001", user_name: "ana", command: "/approval",
    text: "list", is_enterprise_install: "false", trigger_id: "1.2.3a" + now(),
    response_url: "http://127.0.0.1:1/commands/T0APV00001/1/x" }).toString();
  const payload = "payload=" + encodeURIComponent(JSON.stringify({ type: "view_closed", is_cleared: true,
    team: { id: "T0APV00001", domain: "acme" }, user: { id: "U0APR00001", name: "ana", team_id: "T0APV00001" },
    api_app_id: "A0APV00001", view: { id: "V0MODAL0001", type: "modal", callback_id: "unknown", blocks: [],
      private_metadata: "", state: { values: {} }, hash: "1.a" } }));
  const form = "application/x-www-form-urlencoded";
  for (const [path, body] of [["/slack/commands", command], ["/slack/interactions", payload]]) {
    assert.equal((await send(body, signed(body), path, form)).status, 200, path);
    assert.equal((await send(body, signed(body, { key: secret + "x" }), path, form)).status, 401, path);
  }
});

const right = () => sign(secret, String(now()), probe);
const BAD = {
  "no headers": () => ({}),
  "no signature": () => ({ "X-Slack-Request-Timestamp": String(now()) }),
  "no timestamp": () => ({ "X-Slack-Signature": right() }),
  "another secret": () => signed(probe, { key: "0".repeat(32) }),
  "another body": () => signed(probe + " "),
  "too old": () => signed(probe, { timestamp: String(now() - 310) }),
  "in the future": () => signed(probe, { timestamp: String(now() + 310) }),
  "timestamp not a number": () => signed(probe, { timestamp: "soon" }),
  "timestamp with a tail": () => signed(probe, { timestamp: now() + "x" }),
  "timestamp overflowing": () => signed(probe, { timestamp: "9".repeat(30) }),
  "negative timestamp": () => signed(probe, { timestamp: "-" + now() }),
  "version v1": () => signed(probe, { signature: right().replace("v0=", "v1=") }),
  "no version": () => signed(probe, { signature: right().slice(3) }),
  "cut short": () => signed(probe, { signature: right().slice(0, -1) }),
  "one digit more": () => signed(probe, { signature: right() + "0" }),
  "not hex": () => signed(probe, { signature: "v0=" + "z".repeat(64) }),
  "empty": () => signed(probe, { signature: "" }),
};

for (const [name, headers] of Object.entries(BAD)) {
  test("refused: " + name, { skip }, async () => {
    assert.equal((await send(probe, headers())).status, 401);
  });
}

test("ssl_check opens no other door", { skip }, async () => {
  const form = "application/x-www-form-urlencoded";
  assert.equal((await send("ssl_check=1&token=x", {}, "/slack/commands", form)).status, 200);
  for (const body of ["ssl_check=0", "ssl_check=true", "ssl_check="]) {
    assert.equal((await send(body, {}, "/slack/commands", form)).status, 401, body);
  }
});
