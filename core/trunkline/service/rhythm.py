"""Whether an account is quieter than it ever is: learnt from its own hours, with no setting to get wrong. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

__all__ = ["DAY", "WEEK", "Silence", "silence"]

#: Hours.
DAY, WEEK = 24, 168
#: Less is no rhythm.
_KNOWN_HOURS, _KNOWN_REQUESTS = 2 * DAY, 40
#: So many requests that did not come are no accident. By chance alone it would be one time in 20,000; customers come in
#: bursts, so it is more often than that.
_MISSED = 10.0


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """How long it is quiet, and what is usual at this time."""

    #: "learning": too little is known; "quiet": nothing is expected now; "usual"; "alarm".
    state: str
    #: Seconds since the last request, None when there never was one.
    quiet_s: int | None
    #: Requests in an hour like this one.
    usual_per_hour: float
    #: Requests that should have come since the last one.
    missed: float

    @property
    def words(self) -> str:
        """One sentence in English."""
        minutes = 0 if self.quiet_s is None else self.quiet_s // 60
        usual = f"usually {self.usual_per_hour:.0f} an hour at this time"
        match self.state:
            case "learning":
                return "Too little has come in to know what is usual."
            case "alarm":
                return f"Nothing for {minutes} minutes; {usual}."
            case "quiet":
                return "Nothing is usual at this time."
            case _:
                return f"The last {minutes} minutes ago; {usual}."


def silence(hours: Sequence[int], quiet_s: int | None) -> Silence:
    """Compare the silence with the same hours of earlier weeks, or of earlier days while there is no second week.

    Args:
        hours: Requests per hour counted back from now: the first is the last 60 minutes. As many as are known.
        quiet_s: Seconds since the last request.
    """
    usual = _usual(hours, 0)
    if quiet_s is None or len(hours) < _KNOWN_HOURS or sum(hours) < _KNOWN_REQUESTS:
        return Silence(state="learning", quiet_s=quiet_s, usual_per_hour=usual, missed=0.0)
    whole, rest = divmod(quiet_s, 3600)
    missed = sum(_usual(hours, hour) for hour in range(min(whole, len(hours)))) + _usual(hours, whole) * rest / 3600
    state = "alarm" if missed >= _MISSED else "quiet" if usual < 1 else "usual"
    return Silence(state=state, quiet_s=quiet_s, usual_per_hour=usual, missed=missed)


def _usual(hours: Sequence[int], hour: int) -> float:
    """Return what is usual in an hour so far back; one busy day among several does not count."""
    step = WEEK if len(hours) > 2 * WEEK + hour else DAY
    like = sorted(hours[place] for place in range(hour + step, len(hours), step))
    kept = like[:-1] if len(like) > 2 else like
    return sum(kept) / len(kept) if kept else 0.0
