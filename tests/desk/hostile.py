"""What somebody may type who wants the database to listen: quotes, operators, wildcards, odd characters."""

from __future__ import annotations

__all__ = ["HOSTILE"]

HOSTILE = [
    '"', "'", '""', "*", "^", "foo*", '"foo', 'foo"', "foo AND", "AND", "OR", "NOT", "NEAR", "NEAR(foo bar)",
    "foo NEAR/2", "words:foo", "rowid:1", "-foo", "+foo", "(foo", "foo)", "()", "{foo bar}", "foo + bar",
    "foo ^ bar", "a:*", "foo:*", "foo & bar", "foo | !bar", "!", "<->", "foo <-> bar", "<2>", ":", ":*",
    "::tsquery", "\\", "\\'", "'':1", "foo\\", "' OR 1=1 --", '"; DROP TABLE thread; --', "1) UNION SELECT 1--",
    "a'||pg_sleep(5)||'", "%", "_", "%foo%", "foo%00", "\x00", "foo\x00bar", "\u202e", "\ufeff", "\u200b", "💥",
    "𝓯𝓸𝓸", "⁷", "ǅ", "İ", "ß" * 100, "好" * 200, "a b " * 50, "9" * 200,
]  # fmt: skip
