# SPDX-License-Identifier: Apache-2.0
def names():
    return []
def missing():
    return None
def run(words, runs):
    return 0, 0
