#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""e2e_sdk.py: Slack's own SDKs as the judges of the real approvald.

Owns nothing but its cases; conformance/run.sh brings Node and the packages. Never judges by our own
reading of the reference: the signer is Bolt's, the types are Slack's.
"""
import os
import re
import subprocess

from e2e import BUILD, EndToEnd, main

RUN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "conformance", "run.sh")


def run(*arguments, **env):
    return subprocess.run(["sh", RUN, *arguments], capture_output=True, text=True, timeout=600,
                          env={**os.environ, **env}, check=False)


class Sdk(EndToEnd):
    def test_requests_signed_by_the_official_sdk_are_judged_as_slack_means_them(self):
        done = run("app_signing.test.mjs", APP_URL=f"http://127.0.0.1:{self.world.port}",
                   SIGNING_SECRET_FILE=self.world.path("signing"))
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-500:])
        self.assertGreaterEqual(int(re.search(r"^. pass (\d+)", done.stdout, re.M).group(1)), 15)
        self.assertEqual(int(re.search(r"^. skipped (\d+)", done.stdout, re.M).group(1)), 0)

    def emitted(self):
        """A file of everything that we show, hostile texts of people in it."""
        samples = self.world.path("samples.jsonl")
        with open(samples, "wb") as out:
            subprocess.run([os.path.join(BUILD, "tests/slack/emit_samples")], stdout=out,
                           timeout=60, check=True)
        with open(samples, encoding="utf-8") as lines:
            count = sum(1 for _ in lines)
        self.assertGreater(count, 100, "all variants of card, message and view")
        return samples

    def test_every_message_and_view_we_emit_fits_slacks_types(self):
        done = run("typecheck", self.emitted())
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-2000:])

    def test_no_text_of_people_forges_a_mention_a_link_or_a_mark(self):
        done = run("mrkdwn", self.emitted())
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-2000:])
        self.assertGreater(int(done.stdout.split()[0]), 500, "texts were found")


if __name__ == "__main__":
    main()
