"""Any traffic and any forwarding that the API allows."""

from hypothesis import strategies as st

from lamplighter.api.router import Outlier, Router
from lamplighter.deployment.traffic.types import Backend, Forwarding, Traffic

_REVISIONS = [f"{number:08x}" for number in range(0, 0xFFFFFFFF, 0x10101010)]
_DURATION = st.builds(
    "{}{}".format, st.integers(0, 99_999_999) | st.integers(0, 100), st.sampled_from(["ms", "s", "m", "h", "d"])
)


@st.composite
def traffics(draw: st.DrawFn) -> Traffic:
    """Traffic to up to four revisions on one loopback address."""
    known = draw(st.lists(st.sampled_from(_REVISIONS), max_size=4, unique=True))
    some = st.lists(st.sampled_from(known), unique=True) if known else st.just([])
    one = st.sampled_from(known) if known else st.nothing()
    cuts = sorted(draw(st.lists(st.integers(0, 100), min_size=len(known), max_size=len(known))))
    shares = [after - before for before, after in zip([0, *cuts], [*cuts[:-1], 100], strict=False)]
    return Traffic(
        backends=tuple(Backend(revision, "127.99.0.1", draw(st.integers(0, 1000))) for revision in known),
        weights=draw(st.sampled_from([(), tuple(zip(known, shares, strict=True))])) if known else (),
        pins=tuple(draw(some)),
        mirror=draw(st.none() | st.tuples(one, st.integers(0, 100))),
        preview=draw(st.none() | one),
    )


def all_forwarding() -> st.SearchStrategy[Forwarding]:
    """Forwarding as any spec gives them."""
    percent, count = st.integers(0, 100), st.integers(1, 100_000)
    outlier = st.builds(
        Outlier,
        consecutive_failures=st.integers(1, 1000),
        interval=_DURATION,
        ejection_time=_DURATION,
        max_ejected=percent,
    )
    router = st.builds(
        Router,
        timeout=st.none() | _DURATION,
        max_requests=count,
        max_connections=count,
        access_log=st.booleans(),
        outlier=outlier,
    )
    return st.builds(Forwarding.from_spec, router, st.lists(st.floats(0.001, 1e9), max_size=3))
