"""A long soak: ``python -m tests.programs.soak [--seconds 600] [--trainings 200] [--seed N]``. Its status tells."""

import argparse
import asyncio
import secrets
import sys

from tests.programs.soak.soak import FOLDER, Soak, save


def main() -> int:
    """Print the seed, live through it, print what is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.programs.soak", description="Many trainings through many failures."
    )
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--trainings", type=int, default=200)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.trainings} trainings, {options.seconds:.0f} s", flush=True)
    wrong = asyncio.run(Soak(options.seconds, options.trainings, options.seed).run())
    save(wrong, FOLDER / "verdict.txt")
    for complaint in wrong[:10]:
        print(f"\nseed {options.seed}: {complaint}")
    print(f"\nseed {options.seed}: {len(wrong)} complaints; everything is in {FOLDER}" if wrong else "all is well")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
