// SPDX-License-Identifier: Apache-2.0
// What the stand-in stores still fits Slack's types, and typecheck.mjs says so when something does not.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { card_blocks, home_view, plain, reject_view } from "./standin.mjs";

const folder = mkdtempSync(join(tmpdir(), "typecheck."));
const script = join(dirname(fileURLToPath(import.meta.url)), "typecheck.mjs");
after(() => rmSync(folder, { recursive: true }));

function check(lines) {
  const file = join(folder, "lines.jsonl");
  writeFileSync(file, lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n") + "\n");
  return spawnSync(process.execPath, [script, file], { encoding: "utf8" });
}

test("good lines pass", () => {
  const result = check([{ kind: "message", blocks: card_blocks() }, { kind: "modal", view: reject_view() }, "",
    { kind: "home", view: home_view() }]);
  assert.equal(result.status, 0, result.stdout + result.stderr);
  assert.match(result.stdout, /^3 fine$/m);
});

test("each bad line is named", () => {
  const result = check([
    { kind: "message", blocks: card_blocks() },
    { kind: "message", blocks: [{ type: "shout", text: plain("x") }] },
    { kind: "message", blocks: [{ type: "header", text: { type: "mrkdwn", text: "x" } }] },
    { kind: "message", blocks: [{ type: "divider", colour: "red" }] },
    { kind: "modal", view: reject_view({ title: "a string" }) },
    { kind: "home", view: { type: "home" } }]);
  assert.equal(result.status, 1, result.stderr);
  for (const line of [2, 3, 4, 5, 6]) assert.match(result.stdout, new RegExp("lines\\.jsonl:" + line + ": "));
  assert.doesNotMatch(result.stdout, /lines\.jsonl:1: /);
});

test("a file that cannot be used is another failure", () => {
  for (const line of ["{", '{"kind": "poster"}', '{"kind": "modal"}', ""]) assert.equal(check([line]).status, 2);
});
