"""Which answers are signed, apart from the signing so that settings need no cryptography."""

from enum import StrEnum


class SignAnswers(StrEnum):
    """Which answers are signed: those to signed requests, or all."""

    SIGNED = "signed"
    ALL = "all"
