// SPDX-License-Identifier: Apache-2.0
// mrkdwn.mjs names what is forged, and takes what is ours.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const folder = mkdtempSync(join(tmpdir(), "mrkdwn."));
const script = join(dirname(fileURLToPath(import.meta.url)), "mrkdwn.mjs");
after(() => rmSync(folder, { recursive: true }));

function check(texts) {
  const file = join(folder, "lines.jsonl");
  const blocks = (text) => [{ type: "section", text: { type: "mrkdwn", text } }];
  writeFileSync(file, texts.map((text) => JSON.stringify({ kind: "message", blocks: blocks(text) })).join("\n") + "\n");
  return spawnSync(process.execPath, [script, file], { encoding: "utf8" });
}

test("what is ours passes", () => {
  const result = check(["*Asked by* <@U0REQ00001>, <!subteam^S0APV00001>", "&lt;!channel&gt; &amp;",
    "<!date^1764756000^{date_short_pretty} {time}|2025-12-03 10:00 UTC>", "a:\u200bwhite_check_mark:",
    "<https://acme.slack.com/archives/C0APV00001/p1|its card>"]);
  assert.equal(result.status, 0, result.stdout + result.stderr);
  assert.match(result.stdout, /^5 fine$/m);
});

test("each forgery is named", () => {
  const result = check(["<!channel>", "<@U0EVIL0001>", "<https://evil.example|Approve>", "*Approved*", "_everyone_",
    "~not~", ":white_check_mark:", "&gt; quoted", "<#C0EVIL0001>", "*<!here>*"]);
  assert.equal(result.status, 1, result.stderr);
  for (let line = 1; line <= 10; line++) assert.match(result.stdout, new RegExp("lines\\.jsonl:" + line + ": "));
});

test("a file that cannot be used is refused", () => {
  writeFileSync(join(folder, "empty"), "\n");
  assert.equal(spawnSync(process.execPath, [script, join(folder, "empty")]).status, 2);
});
