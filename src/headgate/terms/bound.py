"""The most one attempt can cost, as a straight line over its output tokens, so that a grant can be fitted to the room there is."""

from __future__ import annotations

import msgspec

from headgate.money import PICO_PER_NANO, ceil_nano


class Bound(msgspec.Struct, frozen=True, gc=False):
    """At most `fixed_pico + output_pico * output` pico-dollars and `input_tokens + choices * output` tokens, for `output` tokens a choice.

    `minimum_output == wanted_output` means that the answer may not be shortened.
    """

    input_tokens: int  # at most
    fixed_pico: int  # input and hosted tools at the dearest price that could apply
    output_pico: int  # one output token of every choice, at the dearest price that could apply
    wanted_output: int  # tokens a choice
    minimum_output: int  # the least that is still useful
    choices: int = 1

    def nano(self, output: int) -> int:
        return ceil_nano(self.fixed_pico + self.output_pico * output)

    def tokens(self, output: int) -> int:
        return self.input_tokens + self.choices * output

    def output_within_nano(self, room: int) -> int:
        """The most output tokens a choice whose cost fits `room` nano-dollars; -1 when not even the input fits."""
        left = room * PICO_PER_NANO - self.fixed_pico
        if left < 0:
            return -1
        return self.wanted_output if self.output_pico == 0 else min(self.wanted_output, left // self.output_pico)

    def output_within_tokens(self, room: int) -> int:
        left = room - self.input_tokens
        return -1 if left < 0 else min(self.wanted_output, left // self.choices)
