# SPDX-License-Identifier: Apache-2.0
"""A local Slack for tests and the quickstart; start it with ../standin.py."""
