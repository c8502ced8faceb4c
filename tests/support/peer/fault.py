# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of the output of a console on its way."""


def clean(data):
    """Output that nothing happens to."""
    return data


class Inserted:
    """Text put into the output at byte offsets."""

    def __init__(self, places, text=b"\r\n[   12.345678] usb 1-1: new high-speed USB device number 2\r\n"):
        self.places = list(places)
        self.text = text
        self.passed = 0

    def __call__(self, data):
        out, start = b"", 0
        for place in [p for p in self.places if self.passed <= p < self.passed + len(data)]:
            out += data[start:place - self.passed] + self.text
            start = place - self.passed
            self.places.remove(place)
        self.passed += len(data)
        return out + data[start:]


class Behind:
    """Text put in once, right behind the first of some words in the output."""

    def __init__(self, words, text):
        self.words, self.text = words, text
        self.seen = b""
        self.is_done = False

    def __call__(self, data):
        before = len(self.seen)
        self.seen += data
        if self.is_done or self.words not in self.seen:
            return data
        self.is_done = True
        cut = self.seen.index(self.words) + len(self.words) - before
        return data[:cut] + self.text + data[cut:]


class Sprinkled:
    """Text put into the output with a probability for each byte, of a random generator."""

    def __init__(self, random, probability, texts):
        self.random, self.probability, self.texts = random, probability, texts

    def __call__(self, data):
        out = b""
        for byte in data:
            if self.random.random() < self.probability:
                out += self.random.choice(self.texts)
            out += bytes([byte])
        return out
