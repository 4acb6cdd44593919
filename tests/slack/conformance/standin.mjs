// SPDX-License-Identifier: Apache-2.0
// standin.mjs: a stand-in for one test file.
// Owns the Python process and its secrets. Never looks inside: it uses the control API like any other program.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const SCRIPT = join(dirname(fileURLToPath(import.meta.url)), "..", "standin.py");
export const SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5";
export const BOT_TOKEN = "xoxb-standin-0000-made-up";
export const CHANNEL = "C0APV00001";
export const ANA = "U0APR00001";

export async function start_standin(app_url = "http://127.0.0.1:1") {
  const folder = mkdtempSync(join(tmpdir(), "standin."));
  const secret_file = join(folder, "secret");
  const token_file = join(folder, "token");
  writeFileSync(secret_file, SIGNING_SECRET);
  writeFileSync(token_file, BOT_TOKEN);
  const child = spawn("python3", [SCRIPT, "--app-url", app_url, "--signing-secret-file", secret_file,
    "--bot-token-file", token_file, "--ready-fd", "3", "--event-retry-delays", "0,0,0"],
  { stdio: ["ignore", "ignore", "inherit", "pipe"] });
  const port = await new Promise((done, fail) => {
    child.stdio[3].once("data", (data) => done(Number(String(data))));
    child.once("exit", (code) => fail(new Error("the stand-in ended with " + code)));
  });
  const base = "http://127.0.0.1:" + port;
  return {
    base,
    api: base + "/api/",
    async control(name, args = {}) {
      const answer = await fetch(base + "/control/" + name, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(args) });
      const result = await answer.json();
      if (!answer.ok) throw new Error(name + ": " + answer.status + " " + result.error);
      return result;
    },
    async stop() {
      child.removeAllListeners("exit");
      const ended = new Promise((done) => child.once("exit", done));
      child.kill("SIGTERM");
      await ended;
      rmSync(folder, { recursive: true });
    },
  };
}

export const plain = (text) => ({ type: "plain_text", text });
export const mrkdwn = (text) => ({ type: "mrkdwn", text });

export function card_blocks() {
  return [
    { type: "header", block_id: "h.1", text: plain("Approval needed: production deploy") },
    { type: "section", block_id: "s.1", text: mrkdwn("*Deploy billing-api 4.2.1*"), fields: [mrkdwn("a"), mrkdwn("b")] },
    { type: "actions", block_id: "a.1", elements: [
      { type: "button", action_id: "approval_approve", text: plain("Approve"), style: "primary", value: "req_1" },
      { type: "button", action_id: "approval_reject", text: plain("Reject"), value: "req_1" }] },
  ];
}

export function reject_view(more = {}) {
  return {
    type: "modal", callback_id: "approval_reject_reason", title: plain("Reject request"), submit: plain("Reject"),
    close: plain("Cancel"), notify_on_close: true, blocks: [
      { type: "input", block_id: "reason", label: plain("Reason"),
        element: { type: "plain_text_input", action_id: "reason_text", multiline: true } },
      { type: "input", block_id: "service", label: plain("Service"), optional: true,
        element: { type: "external_select", action_id: "pick_service" } },
      { type: "actions", block_id: "more", elements: [
        { type: "button", action_id: "modal_help", text: plain("Help") }] }],
    ...more,
  };
}

export function home_view() {
  return { type: "home", blocks: [{ type: "section", block_id: "b", text: mrkdwn("*Waiting*"),
    accessory: { type: "button", action_id: "home_review", text: plain("Review"), value: "req_1" } }] };
}
